"""A version as an ONNX file, which says of the held-out rows what the model says, or is not written."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from tasks.core.errors import ConfigError, TrainingError
from tasks.core.storage import commit
from tasks.train.data.types import Array
from tasks.train.evaluation.calibration import uncalibrated
from tasks.train.handover.held_out import Held
from tasks.train.registry import Version

TOLERANCE = 1e-5
MISSING_TEXT = ""
OPSETS = {"": 18, "ai.onnx.ml": 3}
_PROVIDERS = ["CPUExecutionProvider"]
_TOLD = 200


@dataclass(frozen=True)
class OnnxFile:
    """What was written, and how near its predictions are to the model's."""

    path: Path
    version: str
    rows: int
    """Held-out rows that were compared."""
    difference: float
    """The largest of them all: of a probability, or of a predicted number as a share of it where it is above 1; 0 where there are classes alone."""
    bytes: int


def write_onnx(held: Held, path: Path) -> OnnxFile:
    """Commit a version as ONNX, once its predictions of the held-out rows are the model's: its classes, and numbers within 1e-5.

    Raises:
        ConfigError: the packages of the extra are not there.
        TrainingError: a step cannot be converted, or predictions differ; nothing is written.

    """
    try:
        import onnxruntime  # noqa: F401, PLC0415 - of the extra
        import skl2onnx  # noqa: F401, PLC0415 - as above
    except ImportError:
        raise ConfigError("ONNX needs packages that are not there; pip install -e '.[onnx]'") from None
    if held.version.declared.members:
        raise TrainingError(
            f"{held.version.name}: {held.version.declared.made_by} cannot be converted to ONNX; hand on one of its members, "
            "as a version of a training without the ensemble"
        )
    if uncalibrated(held.model) is not None:
        raise TrainingError(
            f"{held.version.name}: the step calibrate cannot be converted to ONNX; hand on a candidate without calibrate"
        )
    if held.version.types:
        raise TrainingError(
            f"{held.version.name}: {', '.join(held.version.types)} cannot be converted to ONNX, which has no code of your "
            "own; hand on a candidate without it"
        )
    content, session = _convert(held, held.model)
    difference, others = 0.0, 0
    with threadpool_limits(limits=1):
        for rows in held.batches():
            said = _run(session, rows)
            others += _count_other_classes(held, rows, said)
            found = _distance(held, rows, said)
            difference = found if not found <= difference else difference  # NaN too
            if not difference <= TOLERANCE:
                break
    if not difference <= TOLERANCE:
        raise _refused(
            held, f"differs from the model by {difference:.2g} of the held-out rows, by more than {TOLERANCE:g},"
        )
    if others:
        raise _refused(held, f"gives another class than the model for {others:,} of {len(held.frame):,} held-out rows,")
    with commit(path) as part:
        part.write_bytes(content)
    return OnnxFile(path, held.version.name, len(held.frame), difference, len(content))


def _refused(held: Held, said: str) -> TrainingError:
    return TrainingError(
        f"{held.version.name}: as ONNX it {said} because of {_find_step(held)}; nothing is written, hand it on as it is "
        "(docs/models.md)"
    )


def _convert(held: Held, model: Any) -> tuple[bytes, Any]:
    """Return a model, or its columns alone, as ONNX, and what predicts by it.

    Raises:
        TrainingError: one of its steps cannot be converted, by its name.

    """
    import onnxruntime  # noqa: PLC0415 - of the extra
    from skl2onnx import to_onnx  # noqa: PLC0415 - of the extra
    from skl2onnx.common.data_types import DoubleTensorType, StringTensorType  # noqa: PLC0415 - as above
    from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs  # noqa: PLC0415 - as above

    from tasks.train.handover.onnx_converters import register_converters  # noqa: PLC0415 - as above

    register_converters()
    texts = held.features.categorical
    types = [
        (name, StringTensorType([None, 1]) if name in texts else DoubleTensorType([None, 1]))
        for name in held.frame.columns
    ]
    options = {"zipmap": False} if hasattr(model, "predict_proba") else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions of scikit-learn
            made = to_onnx(model, initial_types=types, options=options, target_opset=OPSETS)
        if hasattr(model, "classes_") and options is None:  # the other output is how far each class is ahead
            made = select_model_inputs_outputs(made, made.graph.output[0].name)
        _describe(made, held.version)
        content: bytes = made.SerializeToString()
        return content, onnxruntime.InferenceSession(content, providers=_PROVIDERS)
    except Exception as error:  # noqa: BLE001 - both raise whatever they meet
        said = " ".join(str(error).split())[:_TOLD]
        named = next((name for name, kind in steps_of(model) if kind in said), None)
        if named is None and model is held.model:
            _convert(held, model[:1])
            named = f"estimator ({type(model[-1]).__name__})"
        raise TrainingError(
            f"{held.version.name}: the step {named or 'columns'} cannot be converted to ONNX ({said}); nothing is written, "
            "choose a candidate without it"
        ) from None


def _describe(made: Any, version: Version) -> None:
    """Tell in the file what it is, and how its columns are given."""
    for key, value in {
        "model_version": version.name,
        "pipeline": version.pipeline,
        "target": version.target,
        "features": ", ".join(f"{name}: {kind}" for name, kind in version.features.items()),
        "missing": "NaN of a number, the empty text of a text; truths are 0 and 1, times seconds since 1970 in UTC",
    }.items():
        made.metadata_props.add(key=key, value=value)


def _run(session: Any, rows: pd.DataFrame) -> list[Array]:
    feeds = {name: _feed(rows[name]) for name in rows.columns}
    said: list[Array] = session.run(None, {each.name: feeds[each.name] for each in session.get_inputs()})
    return said


def _feed(values: pd.Series[Any]) -> Array:
    if not pd.api.types.is_numeric_dtype(values):
        return np.asarray(values.fillna(MISSING_TEXT), dtype=object).reshape(-1, 1)
    return values.to_numpy(dtype=float).reshape(-1, 1)


def _distance(held: Held, rows: pd.DataFrame, said: list[Array]) -> float:
    """Return by how much predictions differ at most; those of large numbers as a share of them, and of classes their probabilities."""
    has_classes = hasattr(held.model, "classes_")
    if has_classes and not hasattr(held.model, "predict_proba"):
        return 0.0
    ours = held.ask(rows)
    expected, found = np.asarray(ours, dtype=float), np.asarray(said[-1], dtype=float).reshape(ours.shape)
    scale = 1.0 if has_classes else np.maximum(1.0, np.abs(expected))
    return float(np.max(np.abs(expected - found) / scale, initial=0.0))


def _count_other_classes(held: Held, rows: pd.DataFrame, said: list[Array]) -> int:
    """Return how many rows are predicted to be of another class, but for those of which two are as likely in all but the last digits."""
    if not hasattr(held.model, "classes_"):
        return 0
    ours, theirs = np.asarray(held.model.predict(rows)), np.asarray(said[0]).ravel()
    other = np.flatnonzero(ours != theirs)
    if not len(other) or not hasattr(held.model, "predict_proba"):
        return len(other)
    classes = held.model.classes_.tolist()
    pair = np.array([[classes.index(each[row]) for row in other] for each in (ours, theirs)])
    told = np.stack([np.asarray(said[-1], float)[other], np.asarray(held.ask(rows), float)[other]])
    gaps = np.abs(told[:, np.arange(len(other)), pair[0]] - told[:, np.arange(len(other)), pair[1]])
    is_rounded = (gaps <= 2 * TOLERANCE).all(axis=0) & (gaps > 0).any(axis=0)
    return int((~is_rounded).sum())


def _find_step(held: Held) -> str:
    """Return the step whose output is another one: a part of the columns, else the estimator."""
    columns: ColumnTransformer = held.model[0]
    _, session = _convert(held, held.model[:1])
    for rows in held.batches():
        ours, theirs = np.asarray(columns.transform(rows), dtype=float), _run(session, rows)[0]
        wrong = ~np.isclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True).all(axis=0)
        for name, places in columns.output_indices_.items():
            if wrong[places].any():
                step = columns.named_transformers_[name]
                return f"the step columns/{name} ({type(step).__name__})"
    return f"the step estimator ({type(held.model[-1]).__name__})"


def steps_of(model: Any) -> Iterator[tuple[str, str]]:
    """Yield the name and the kind of each step of a fitted model, those within others first."""
    for name, step in _inner(model).items():
        for inner, kind in steps_of(step):
            yield f"{name}/{inner}", kind
        yield f"{name} ({type(step).__name__})", type(step).__name__


def _inner(model: Any) -> Mapping[str, Any]:
    if isinstance(model, Pipeline):
        return dict(model.named_steps)
    if isinstance(model, ColumnTransformer):
        return {name: step for name, step in model.named_transformers_.items() if not isinstance(step, str)}
    return dict(model.named_estimators_) if isinstance(model, VotingClassifier) else {}
