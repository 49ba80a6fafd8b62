"""No parameter of a candidate is a way to code: a text is a text, whatever path it names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.train.checks.section import check_training
from tests.train.conftest import Evaluate, sklearn_table, training

PATH = "os.system"


@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        ("sklearn.ensemble.BaggingClassifier", {"estimator": "sklearn.svm.SVC"}),
        ("sklearn.ensemble.BaggingClassifier", {"estimator": {"estimator": PATH}}),
        ("sklearn.ensemble.VotingClassifier", {"estimators": [["a", PATH]]}),
        ("sklearn.ensemble.StackingClassifier", {"estimators": [["a", "sklearn.svm.SVC"]], "final_estimator": PATH}),
        ("sklearn.multiclass.OneVsRestClassifier", {"estimator": PATH}),
        ("sklearn.calibration.CalibratedClassifierCV", {"estimator": PATH}),
        ("sklearn.semi_supervised.SelfTrainingClassifier", {"estimator": PATH}),
        ("sklearn.svm.SVC", {"kernel": PATH}),
        ("sklearn.neighbors.KNeighborsClassifier", {"metric": PATH}),
        ("sklearn.neighbors.KNeighborsClassifier", {"weights": PATH}),
        ("sklearn.gaussian_process.GaussianProcessClassifier", {"kernel": PATH}),
        ("sklearn.linear_model.RANSACRegressor", {"loss": PATH, "is_data_valid": PATH}),
        ("sklearn.ensemble.GradientBoostingClassifier", {"init": PATH}),
        ("sklearn.neural_network.MLPClassifier", {"activation": PATH}),
        ("xgboost.XGBClassifier", {"callbacks": [PATH]}),
        ("lightgbm.LGBMClassifier", {"input_model": "/etc/hostname"}),
        ("lightgbm.LGBMClassifier", {"forcedsplits_filename": "/etc/hostname"}),
        ("catboost.CatBoostClassifier", {"train_dir": "/tmp"}),  # noqa: S108 - never written
        ("catboost.CatBoostClassifier", {"callback": PATH}),
    ],
)
@pytest.mark.parametrize("searched", [False, True])
def test_a_path_in_a_parameter_is_refused_before_a_fit(
    estimator: str, params: dict[str, Any], *, searched: bool
) -> None:
    """Callables by path, estimators within estimators and files are no values, nor ones that a search may try."""
    pytest.importorskip(estimator.partition(".")[0])
    before = set(sys.modules)
    asked: dict[str, Any] = {"estimator": estimator, "params": params}
    if searched:
        asked = {"estimator": estimator, "search": {"by": "grid", "space": {k: [v] for k, v in params.items()}}}

    assert check_training(training(candidates={"only": asked}))
    assert "sklearn.svm" in before or "sklearn.svm._classes" not in set(sys.modules) - before


@pytest.mark.parametrize(("name", "value"), [("objective", PATH), ("loss_function", PATH), ("eval_metric", PATH)])
def test_a_path_that_only_a_fit_can_refuse_is_a_failed_candidate(
    evaluate: Evaluate, tmp_path: Path, name: str, value: str
) -> None:
    """Boosting packages look at their parameters when they fit: they know the names of their own functions only."""
    package = {"objective": "lightgbm.LGBMClassifier", "loss_function": "catboost.CatBoostClassifier"}.get(
        name, "xgboost.XGBClassifier"
    )
    pytest.importorskip(package.partition(".")[0])
    small = {"iterations": 2} if "catboost" in package else {"n_estimators": 2}
    query = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"
    candidate = {"estimator": package, "params": {name: value, **small}}

    found = evaluate(sklearn_table("iris"), query=query, candidates={"only": candidate})["only"]

    assert found.error is not None
    assert found.error.startswith("training.candidates.only: ")
    assert not list(tmp_path.glob("catboost_info"))
