"""Models are saved and loaded by an allow-list of our own."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from tasks.errors import TrainingError
from tasks.spec import Candidate
from tasks.train.features import Features
from tasks.train.model_store import load_model, save_model
from tasks.train.preprocessing import build_model


@pytest.mark.parametrize(
    "estimator",
    [
        "ensemble.ExtraTreesClassifier",
        "ensemble.GradientBoostingClassifier",
        "ensemble.HistGradientBoostingClassifier",
        "ensemble.RandomForestClassifier",
        "gaussian_process.GaussianProcessClassifier",
        "linear_model.LogisticRegression",
        "neighbors.KNeighborsClassifier",
        "neural_network.MLPClassifier",
        "svm.SVC",
        "tree.DecisionTreeClassifier",
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_loaded_model_predicts_the_same(tmp_path: Path, estimator: str) -> None:
    """Saving and loading changes no prediction."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"number": rng.normal(size=60), "word": rng.choice(["a", "b"], 60).astype(object)})
    model = build_model(Candidate(estimator=f"sklearn.{estimator}"), Features(("number",), ("word",)), seed=1)
    model.fit(frame, frame["number"] > 0)

    save_model(model, tmp_path / "model.skops")

    assert np.array_equal(load_model(tmp_path / "model.skops").predict(frame), model.predict(frame))


@pytest.mark.parametrize("function", [os.system, functools.partial(os.system, "false"), np.load])
def test_a_foreign_type_is_refused(tmp_path: Path, function: Any) -> None:
    """A file that would bring a function of its own is refused by the function's name."""
    skops.io.dump(Pipeline([("step", FunctionTransformer(function))]), tmp_path / "model.skops")

    with pytest.raises(TrainingError, match=r"holds (posix\.system|numpy\.load), which is not on the list of trusted"):
        load_model(tmp_path / "model.skops")


def test_a_model_that_could_not_be_loaded_is_not_saved(tmp_path: Path) -> None:
    """Saving refuses what loading would refuse, and leaves no file."""
    with pytest.raises(TrainingError, match=r"holds numpy\.load"):
        save_model(Pipeline([("step", FunctionTransformer(np.load))]), tmp_path / "model.skops")

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    """Other bytes, an estimator alone, and a missing file are told apart from models."""
    (tmp_path / "noise.skops").write_bytes(b"noise")
    skops.io.dump(HistGradientBoostingClassifier(), tmp_path / "alone.skops")

    with pytest.raises(TrainingError, match=r"noise\.skops: is not a model file"):
        load_model(tmp_path / "noise.skops")
    with pytest.raises(TrainingError, match="holds a HistGradientBoostingClassifier, not a model of ours"):
        load_model(tmp_path / "alone.skops")
    with pytest.raises(TrainingError, match=r"cannot be read \(No such file"):
        load_model(tmp_path / "missing.skops")
