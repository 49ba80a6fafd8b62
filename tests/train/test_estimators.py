"""What is seen wrong in a training section before there is data."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from sklearn.utils import all_estimators

from tasks.config import Candidate
from tasks.core.errors import ConfigError
from tasks.train.checks.section import check_training
from tasks.train.models.estimators import _known_estimators, build_estimator, load_estimator
from tests.train.conftest import training

BOOSTING = "sklearn.ensemble.HistGradientBoostingClassifier"


def test_a_right_section_has_no_mistakes() -> None:
    """Nothing is said of a section that is right."""
    assert check_training(training()) == []


@pytest.mark.parametrize(
    ("candidate", "sentence"),
    [
        (
            {"estimator": "sklearn.ensemble.HistGradientBoostinClassifier"},
            (
                "estimator: 'sklearn.ensemble.HistGradientBoostinClassifier' is not an estimator; "
                f"did you mean {BOOSTING}?"
            ),
        ),
        (
            {"estimator": "sklearn.linear.LogisticRegression"},
            (
                "estimator: 'sklearn.linear.LogisticRegression' is not an estimator; "
                "did you mean sklearn.linear_model.LogisticRegression?"
            ),
        ),
        (
            {"estimator": "os.system"},
            "estimator: 'os.system' is not an estimator of sklearn, xgboost, lightgbm, catboost; see scikit-learn's list of estimators",
        ),
        (
            {"estimator": "sklearn.cluster.KMeans"},
            "estimator: 'sklearn.cluster.KMeans' is neither a classifier nor a regressor; choose one that is",
        ),
        (
            {"estimator": BOOSTING, "params": {"max_itr": 5}},
            "params.max_itr: HistGradientBoostingClassifier has no parameter 'max_itr'; did you mean max_iter?",
        ),
        (
            {"estimator": "sklearn.linear_model.LogisticRegression", "params": {"C": -1}},
            (
                "params: The 'C' parameter of LogisticRegression must be a float in the range (0.0, inf]. "
                "Got -1 instead; correct the value"
            ),
        ),
        (
            {"estimator": "xgboost.XGBRanker"},
            "estimator: 'xgboost.XGBRanker' is not an estimator; xgboost has XGBClassifier, XGBRegressor, XGBRFClassifier, XGBRFRegressor",
        ),
        (
            {"estimator": "lightgbm.LGBMClassifier", "params": {"num_leafs": 5}},
            "params.num_leafs: LGBMClassifier has no parameter 'num_leafs'; did you mean num_leaves?",
        ),
        (
            {"estimator": BOOSTING, "search": {"by": "grid", "space": {"max_itr": [5, 10]}}},
            "search.space.max_itr: HistGradientBoostingClassifier has no parameter 'max_itr'; did you mean max_iter?",
        ),
        (
            {
                "estimator": BOOSTING,
                "params": {"max_iter": 5},
                "search": {"by": "grid", "space": {"max_iter": [5, 10]}},
            },
            "search.space.max_iter: max_iter is in params too, where it has one value; take it out of one of them",
        ),
        (
            {
                "estimator": BOOSTING,
                "search": {"by": "random", "space": {"max_iter": {"low": -3, "high": 9, "whole": True}}},
            },
            (
                "search.space.max_iter: The 'max_iter' parameter of HistGradientBoostingClassifier must be an int in the "
                "range [1, inf). Got -3 instead; correct the value"
            ),
        ),
    ],
)
def test_names_the_key_the_value_and_the_cure(candidate: dict[str, Any], sentence: str) -> None:
    """Each mistake in a candidate is one sentence that begins with its key."""
    mistakes = check_training(training(candidates={"boosting": candidate}))

    assert mistakes == [f"training.candidates.boosting.{sentence}"]


def test_every_mistake_is_told_at_once() -> None:
    """A wrong query, metric and name are told together."""
    candidate = {"estimator": BOOSTING}

    mistakes = check_training(training(query="DELETE FROM rows", metric="acuracy", candidates={"dummy": candidate}))

    assert mistakes == [
        "training.query: is a DELETE, which training refuses; write one SELECT",
        "training.metric: 'acuracy' is not a metric; did you mean accuracy?",
        "training.candidates.dummy: 'dummy' is the baseline's name, which is always added; choose another name",
    ]


@pytest.mark.parametrize(
    "path",
    [
        "sklearn.externals.array_api_compat.numpy.linalg",
        "sklearn.externals.joblib.Parallel",
        "sklearn.utils._testing.MinimalClassifier",
        "sklearn.ensemble._forest.RandomForestClassifier",
        "sklearn.ensemble.BaseEnsemble",
        "sklearn.linear_model.enet_path",
        "sklearn.linear_model._base.LinearRegression",
        "sklearn.model_selection.GridSearchCV",
        "sklearn.pipeline.Pipeline",
        "sklearn.datasets.fetch_openml",
        "sklearn.dummy.np.ndarray",
        "sklearn.dummy.BaseEstimator",
        "sklearn",
        "sklearn.",
        "sklearn..dummy.DummyClassifier",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.os.system",
        "xgboost.spark.SparkXGBClassifier",
        "xgboost.dask.DaskXGBClassifier",
        "os.system",
        "builtins.eval",
        "tasks.train.models.estimators.BASELINE",
        "sklearn_extra.Anything",
        "",
    ],
)
def test_nothing_else_is_imported(path: str) -> None:
    """A private module, a function, a base class, or what a module only imports itself is no estimator."""
    before = set(sys.modules)

    with pytest.raises(ConfigError, match="is not an estimator"):
        load_estimator(path)

    assert not {name for name in set(sys.modules) - before if name.startswith(("xgboost.", "sklearn.externals.joblib"))}


def test_all_of_scikit_learn_is_there() -> None:
    """Every classifier and regressor that scikit-learn lists is loaded from its public path, but for three.

    Those are made of other estimators, which a pipeline file cannot describe.
    """
    found = {name for name, _ in all_estimators(type_filter=["classifier", "regressor"])}

    paths = {name: path for name, path in _known_estimators().items() if path.startswith("sklearn.")}
    missing = found - {name for name, path in paths.items() if load_estimator(path).__name__ == name}

    assert missing == {"FixedThresholdClassifier", "TransformedTargetRegressor", "TunedThresholdClassifierCV"}


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cure is the command that installs it."""
    monkeypatch.setitem(sys.modules, "catboost", None)  # as Python keeps a package that it must not find

    with pytest.raises(ConfigError, match="needs catboost, which is not installed; run: pip install catboost"):
        load_estimator("catboost.CatBoostClassifier")


@pytest.mark.parametrize(
    ("estimator", "params", "expected"),
    [
        ("lightgbm.LGBMClassifier", {}, {"n_jobs": 1, "verbosity": -1, "random_state": 7}),
        ("xgboost.XGBRegressor", {"random_state": 1}, {"n_jobs": 1, "random_state": 1}),
        ("sklearn.ensemble.RandomForestClassifier", {}, {"n_jobs": None, "random_state": 7}),
    ],
)
def test_an_estimator_has_one_thread_and_the_seed(
    estimator: str, params: dict[str, Any], expected: dict[str, Any]
) -> None:
    """What would take all cores is told to take one, and what is random gets the training's seed."""
    found = build_estimator(Candidate(estimator=estimator, params=params), seed=7).get_params()

    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("estimator", "threads"), [("lightgbm.LGBMClassifier", 1), ("sklearn.ensemble.RandomForestClassifier", 4)]
)
def test_threads_that_a_file_asks_for_are_warned_of(estimator: str, threads: int) -> None:
    """A file is told that threads take the cores of other candidates; what would start them anyhow is given one."""
    with pytest.warns(UserWarning, match="n_jobs 4: a fit is one process of one thread.*set runner.workers"):
        found = build_estimator(Candidate(estimator=estimator, params={"n_jobs": 4}), seed=7)

    assert found.n_jobs == threads


@pytest.mark.parametrize("parameter", ["callbacks", "device", "feature_types"])
def test_what_is_not_for_a_file_to_say_is_no_parameter(parameter: str) -> None:
    """Code, devices and what preprocessing decides cannot be set."""
    candidate = {"estimator": "xgboost.XGBClassifier", "params": {parameter: "cuda"}}

    (mistake,) = check_training(training(candidates={"boosting": candidate}))

    assert f"XGBClassifier has no parameter {parameter!r}" in mistake
