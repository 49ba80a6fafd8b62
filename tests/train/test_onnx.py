"""A version as ONNX: its predictions are the model's, or it is refused by the name of what differs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from flows.cli.main import run_command
from tasks.core.errors import TrainingError
from tasks.core.storage import DataFolder
from tasks.train.handover.held_out import Held, hold
from tasks.train.handover.onnx_file import OnnxFile, write_onnx
from tasks.train.registry.version import KeptCandidate
from tests.train.publishing import judge
from tests.train.test_predict import new_rows

ROWS = 300


def rows_of(target: str) -> dict[str, Any]:
    """Return numbers, truths, texts and times with gaps, also before 1970 and of leap years, and a target."""
    rows = new_rows(ROWS)
    generator = np.random.default_rng(1)
    rows["moment"] = np.datetime64("1890-01-01", "us") + generator.integers(2 * 10**6, size=ROWS) * np.timedelta64(
        3600, "s"
    )
    if target == "amount":
        rows["y"] = np.exp(rows["whole"] / 30 + generator.normal(size=ROWS)) * 1000
    if target == "three":
        rows["y"] = np.where(rows["whole"] > 60, "high", rows["y"])
    return rows


def held_of(folder: Path, path: str, target: str = "two", **candidate: Any) -> Held:
    """Return a version of an estimator with the rows that it was judged on."""
    estimator = {"estimator": path, **candidate}
    metric = {"metric": "r2"} if target == "amount" else {}
    judge(folder, rows_of(target), estimator, query="SELECT * FROM rows", **metric).decide()
    return hold(DataFolder.at(folder), "toy", None)


FAST = {"max_iter": 10}


@pytest.mark.parametrize(
    ("path", "target", "params"),
    [
        ("sklearn.linear_model.LogisticRegression", "three", {"max_iter": 2000}),
        ("sklearn.ensemble.HistGradientBoostingClassifier", "two", FAST),
        ("sklearn.ensemble.HistGradientBoostingRegressor", "amount", FAST | {"loss": "poisson"}),
        ("sklearn.ensemble.RandomForestClassifier", "three", {"n_estimators": 5}),
    ],
)
def test_predictions_are_those_of_the_model(tmp_path: Path, path: str, target: str, params: dict[str, Any]) -> None:
    """Of texts, their gaps and their categories, of missing numbers, and of the parts of times."""
    held = held_of(tmp_path, path, target, params=params)
    made = write_onnx(held, tmp_path / "model.onnx")

    session = onnxruntime.InferenceSession(made.path.read_bytes())
    feeds = {name: column(held, name) for name in held.version.features}
    said = session.run(None, feeds)
    if target == "amount":
        np.testing.assert_allclose(said[0].ravel(), held.model.predict(held.frame), rtol=1e-5)
    else:
        assert said[0].tolist() == held.model.predict(held.frame).tolist()
        np.testing.assert_allclose(said[1], held.model.predict_proba(held.frame), atol=1e-5)
    assert made == OnnxFile(made.path, held.version.name, len(held.frame), made.difference, made.path.stat().st_size)
    assert made.difference <= 1e-5
    assert session.get_modelmeta().custom_metadata_map["model_version"] == held.version.name


def column(held: Held, name: str) -> Any:
    """Return a column as an ONNX model takes it."""
    values = held.frame[name]
    return np.array(values if pd.api.types.is_numeric_dtype(values) else values.astype(object).fillna("")).reshape(
        -1, 1
    )


def test_a_step_that_cannot_be_converted_is_refused_by_its_name(tmp_path: Path) -> None:
    """So is an ensemble; nothing is written."""
    held = held_of(tmp_path, "lightgbm.LGBMClassifier", params={"n_estimators": 2, "min_child_samples": 1})

    with pytest.raises(TrainingError, match=r"the step estimator \(LGBMClassifier\) cannot be converted to ONNX"):
        write_onnx(held, tmp_path / "model.onnx")
    made_of = {"only": KeptCandidate(stack=("one", "two"))}
    version = replace(held.version, training=held.version.training.model_copy(update={"candidates": made_of}))
    with pytest.raises(
        TrainingError, match="a stack of one, two cannot be converted to ONNX; hand on one of its members"
    ):
        write_onnx(replace(held, version=version), tmp_path / "model.onnx")

    assert not (tmp_path / "model.onnx").exists()


def test_a_calibrated_model_is_refused(tmp_path: Path) -> None:
    """Its correction is no step that a converter knows; the cure is told."""
    held = held_of(tmp_path, "sklearn.linear_model.LogisticRegression", calibrate="sigmoid")

    with pytest.raises(
        TrainingError, match=r"^v0001-\w+: the step calibrate cannot be converted to ONNX; hand on a candidate without"
    ):
        write_onnx(held, tmp_path / "model.onnx")

    assert not (tmp_path / "model.onnx").exists()


def test_a_step_that_differs_is_refused_by_its_name(tmp_path: Path) -> None:
    """As where an empty text, which stands for a missing one there, is another one to the model."""
    held = held_of(tmp_path, "sklearn.linear_model.LogisticRegression")
    held.frame["word"] = ""

    with pytest.raises(
        TrainingError, match=r"differs from the model by .* because of the step columns/texts \(OneHotEnc"
    ):
        write_onnx(held, tmp_path / "model.onnx")

    assert not (tmp_path / "model.onnx").exists()


def test_other_classes_of_the_same_probabilities_are_refused(tmp_path: Path) -> None:
    """As of a converter that takes the first of two classes that are as likely, where the model looks at its decisions."""
    held = held_of(tmp_path, "sklearn.linear_model.SGDClassifier", "three", params={"loss": "modified_huber"})

    with pytest.raises(
        TrainingError, match=r"gives another class than the model for \d+ of \d+ held-out rows, because of the step est"
    ):
        write_onnx(held, tmp_path / "model.onnx")

    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize(
    ("path", "target"), [("sklearn.linear_model.SGDClassifier", "three"), ("sklearn.linear_model.Perceptron", "two")]
)
def test_a_model_without_probabilities_tells_classes_alone(tmp_path: Path, path: str, target: str) -> None:
    """Those of the model; how far each is ahead stays out."""
    held = held_of(tmp_path, path, target)
    made = write_onnx(held, tmp_path / "model.onnx")

    session = onnxruntime.InferenceSession(made.path.read_bytes())
    (said,) = session.run(None, {name: column(held, name) for name in held.version.features})

    assert said.tolist() == held.model.predict(held.frame).tolist()
    assert len(set(said)) > 1
    assert made.difference == 0.0


def test_the_command_tells_how_near_it_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A file that is there is not replaced; a training set that is no longer there is told."""
    held_of(tmp_path, "sklearn.linear_model.LogisticRegression")
    output = tmp_path / "model.onnx"
    command = ["models", "export", "onnx", "toy", "--data", str(tmp_path), "--output", str(output)]

    codes = [run_command(command), run_command(command)]
    (tmp_path / "training" / "toy" / "training_set.arrow").unlink()
    codes.append(run_command([*command, "--overwrite"]))

    told = capfd.readouterr()
    assert codes == [0, 2, 1]
    assert re.search(
        r"^v0001-\w+ of toy to .*model\.onnx, [\d,]+ bytes; of 60 held-out rows it differs from the", told.out
    )
    assert f"error: {output}: is there already; name another file, or add --overwrite" in told.err
    assert re.search(r"error: the training set that v0001-\w+ is of is no longer in .*; run the pipeline", told.err)
