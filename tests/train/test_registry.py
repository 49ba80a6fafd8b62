"""Models are saved and loaded by an allow-list of our own."""

from __future__ import annotations

import functools
import json
import os
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from tasks.config import Candidate
from tasks.core.errors import TrainingError
from tasks.core.imports import import_once
from tasks.train.data.features import Features
from tasks.train.models.preprocessing import build_model
from tasks.train.registry import load_model, save_model


def skops() -> Any:
    """Return the package's files of models: its import looks at all of scikit-learn's estimators, seconds of each process of tests."""
    return import_once("skops.io")


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
    assert np.array_equal(load_model(str(tmp_path / "model.skops")).predict(frame), model.predict(frame))


@pytest.mark.parametrize("function", [os.system, functools.partial(os.system, "false"), np.load])
def test_a_foreign_type_is_refused(tmp_path: Path, function: Any) -> None:
    """A file that would bring a function of its own is refused by the function's name."""
    skops().dump(Pipeline([("step", FunctionTransformer(function))]), tmp_path / "model.skops")

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
    skops().dump(HistGradientBoostingClassifier(), tmp_path / "alone.skops")

    with pytest.raises(TrainingError, match=r"noise\.skops: is not a model file"):
        load_model(tmp_path / "noise.skops")
    with pytest.raises(TrainingError, match="holds a HistGradientBoostingClassifier, not a model of ours"):
        load_model(tmp_path / "alone.skops")
    with pytest.raises(TrainingError, match=r"cannot be read \(No such file"):
        load_model(tmp_path / "missing.skops")


class _Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self._command,)


def test_nothing_in_a_tampered_file_runs(tmp_path: Path) -> None:
    """A file that runs a command where its own types are trusted is refused by the type's name, and runs none."""
    path, mark = tmp_path / "model.skops", tmp_path / "mark"
    tamper(path, ["touch", str(mark)])

    with pytest.raises(TrainingError, match=r"holds subprocess\.call, which is not on the list of trusted types"):
        load_model(path)

    assert not mark.exists()
    with pytest.raises(TypeError):  # what it made is no part of a model
        skops().load(path, trusted=skops().get_untrusted_types(file=path)).fit_transform([[1]])
    assert mark.exists(), "the file is not as hostile as the test says"


def test_nothing_in_a_pickle_runs(tmp_path: Path) -> None:
    """A pickle is no model file, whatever it is named."""
    path, mark = tmp_path / "model.skops", tmp_path / "mark"
    path.write_bytes(pickle.dumps(_Hostile(f"touch {mark}")))

    with pytest.raises(TrainingError, match=r"model\.skops: is not a model file"):
        load_model(path)

    assert not mark.exists()
    pickle.loads(path.read_bytes())  # noqa: S301 - to show that it is hostile
    assert mark.exists()


def tamper(path: Path, command: list[str]) -> None:
    """Write a model file that runs a command as soon as skops makes its objects."""
    skops().dump(Pipeline([("step", FunctionTransformer(kw_args={"x": command}))]), path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files["schema.json"])
    (node,) = [node for node in nodes_of(schema) if node.get("__loader__") == "ListNode" and "touch" in str(node)][-1:]
    node["__module__"], node["__class__"] = "subprocess", "call"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, json.dumps(schema) if name == "schema.json" else content)


def nodes_of(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object within a JSON value."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes_of(inner)
