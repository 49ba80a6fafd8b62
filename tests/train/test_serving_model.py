"""What a version says of a row: the model's own answer, and the same to the last bit whatever rows it is predicted with."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from tasks.train.data.features import features_of, read_frame
from tasks.train.models.estimators import build_estimator
from tasks.train.predict import model as module
from tasks.train.predict.model import ServingModel
from tasks.train.registry import Version
from tests.train.conftest import training
from tests.train.publishing import judge

ROWS = 200
SMALL = {"n_estimators": 3, "max_iter": 5, "min_data_in_leaf": 1, "cv": 2}


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Version:
    """Return a version of whichever model; tests replace its model by theirs."""
    folder = tmp_path_factory.mktemp("version")
    return judge(folder, columns(3), {"estimator": "sklearn.linear_model.LogisticRegression"}).publish()


def columns(classes: int, rows: int = ROWS) -> dict[str, Any]:
    """Return eleven numbers and a class; in a third of the rows each number is 0, and every class as frequent."""
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(rows, 11))
    numbers[::3] = 0.0
    drawn = generator.integers(classes, size=rows)
    drawn[::3] = np.arange(len(drawn[::3])) % classes
    return {**{f"x{place}": numbers[:, place] for place in range(11)}, "y": np.array(["a", "b", "c"])[drawn]}


def serving(version: Version, estimator: Any, classes: int) -> tuple[ServingModel, pa.Table, Pipeline]:
    """Return an estimator fitted on rows as a version's model, the rows without their class, and the model itself."""
    given = columns(classes)
    target, table = given.pop("y"), pa.table(given)
    features = features_of(training(), table.schema)
    model = make_pipeline(StandardScaler(), estimator).fit(read_frame(table, features).abs(), target)
    return ServingModel(replace(version, reference={}), model, features), table, model


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "path",
    [
        f"sklearn.{folder}.{name}"
        for folder, names in {
            "ensemble": "ExtraTreesClassifier GradientBoostingClassifier HistGradientBoostingClassifier RandomForestClassifier",
            "tree": "DecisionTreeClassifier ExtraTreeClassifier",
            "naive_bayes": "BernoulliNB GaussianNB",
            "calibration": "CalibratedClassifierCV",
            "linear_model": "LogisticRegression",
            "neural_network": "MLPClassifier",
        }.items()
        for name in names.split()
    ]
    + ["lightgbm.LGBMClassifier"],
)
def test_a_prediction_is_the_model_s_own_where_only_probabilities_are_asked(
    version: Version, path: str, classes: int
) -> None:
    """Also of rows whose classes are equally probable."""
    estimator = build_estimator(training(candidates={"only": {"estimator": path}}).fitted["only"], 0, None)
    known = estimator.get_params()
    estimator.set_params(**{name: value for name, value in SMALL.items() if name in known})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of so few rounds
        served, table, model = serving(version, estimator, classes)
        told, _ = served.predict(table)
        frame = read_frame(table, served.features)
        assert told["prediction"].to_pylist() == model.predict(frame).tolist()
        probability = np.column_stack([told[f"probability_{label}"] for label in model.classes_])
        assert np.abs(probability - model.predict_proba(frame)).max() < 1e-12


def test_every_estimator_that_is_not_asked_twice_is_tested() -> None:
    """But for two: a multinomial takes no negative number, and a vote is made of others, by its probabilities."""
    tests = Path(__file__).read_text().partition("def test_every_estimator")[0]
    tested = re.findall(r"\w+(?:Classifier\w*|NB|Regression)\b", tests)

    listed = set[str]().union(*module._BY_PROBABILITY.values())
    assert listed - set(tested) == {"MultinomialNB", "VotingClassifier"}


@pytest.mark.parametrize("path", ["linear_model.LogisticRegression", "neural_network.MLPClassifier"])
def test_a_row_s_answer_does_not_depend_on_the_rows_beside_it(version: Version, path: str) -> None:
    """One by one, in sevens or all at once: equal to the last bit, which a product of matrices is not by itself."""
    candidate = training(candidates={"only": {"estimator": f"sklearn.{path}"}}).fitted["only"]
    estimator = build_estimator(candidate, 0, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        served, table, _ = serving(version, estimator, 2)
        whole, _ = served.predict(table)
        for size in (1, 7):
            parts = [served.predict(table.slice(start, size))[0] for start in range(0, ROWS, size)]
            assert pa.concat_tables(parts).equals(whole.combine_chunks())
