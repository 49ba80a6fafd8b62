"""Probabilities that mean what they say: corrected within a fit, by what models said of rows that they had not learnt from."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from tasks.config import TimeSplit, Training
from tasks.core.errors import TrainingError
from tasks.train.data.features import encode_classes
from tasks.train.data.split import fold_rows
from tasks.train.data.types import Array
from tasks.train.evaluation.metrics import BRIER, ModelOutput, compute
from tasks.train.evaluation.results import Calibration
from tasks.train.evaluation.statistics import Bootstrap, bootstrap_difference
from tasks.train.models.early_stopping import as_plain
from tasks.train.models.preprocessing import fit_keys, take_weights

INNER_FOLDS = 5
_BINS = 10


def calibrate(  # noqa: PLR0913, PLR0917 - what a fit sees
    training: Training,
    model: Pipeline,
    method: Literal["sigmoid", "isotonic"],
    frame: pd.DataFrame,
    target: Array,
    unit: Array | None,
    weight: Array | None = None,
) -> Pipeline:
    """Return a pipeline fitted on all the rows, whose probabilities are corrected.

    The correction is fitted on what models of folds within the rows said of
    the rest, cut as the training's split cuts. By time it is fitted on the
    latest of these spans, and the model on what came before it: no row of the
    first span has a model that was there before it.

    Args:
        training: The training section, whose split and seed rule the folds.
        model: The pipeline, not fitted.
        method: sigmoid is Platt's, of two parameters; isotonic any curve that ascends.
        frame: The rows to learn from, and nothing else.
        target: The class of each row.
        unit: Moment or group of each row, where the split goes by one.
        weight: How much each row counts, to the estimator and to the correction.

    Raises:
        TrainingError: when the rows are too few for the folds.

    """
    classes = encode_classes(target)
    try:
        folds = fold_rows(training.split, training.seed, len(frame), classes=classes, unit=unit, folds=INNER_FOLDS)
    except TrainingError as error:
        told = str(error).partition(": ")[2].partition(";")[0]
        raise TrainingError(
            f"calibrate: takes {INNER_FOLDS} folds of the {len(frame)} rows of a fit, and {told}; take calibrate out or widen the query"
        ) from None
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Since .* does not appear to accept sample_weight"
        )  # its steps are told by name
        if isinstance(training.split, TimeSplit):
            before, latest = folds[-1]
            fitted = as_plain(model.fit(frame.iloc[before], target[before], **fit_keys(take_weights(weight, before))))
            if len(absent := np.setdiff1d(fitted.classes_, target[latest])):
                raise TrainingError(
                    f"calibrate: by time it learns from the latest {len(latest)} of the {len(frame)} rows of a fit, and none of "
                    f"them is of the class {absent[0]}; take calibrate out, or lower the number of spans by a wider query"
                )
            corrected = CalibratedClassifierCV(FrozenEstimator(fitted), method=method)
            corrected.fit(frame.iloc[latest], target[latest], sample_weight=take_weights(weight, latest))
        else:
            corrected = CalibratedClassifierCV(model, method=method, cv=list(folds), ensemble=False)
            corrected.fit(frame, target, sample_weight=weight, **fit_keys(weight))
            (found,) = corrected.calibrated_classifiers_
            corrected.estimator, found.estimator = as_plain(corrected.estimator), as_plain(found.estimator)
    return Pipeline([("columns", "passthrough"), ("estimator", corrected)])


def uncalibrated(model: Pipeline) -> Pipeline | None:
    """Return the fitted pipeline beneath a correction; None where there is none."""
    if not isinstance(model[-1], CalibratedClassifierCV) or not isinstance(model[0], str):
        return None
    (corrected,) = model[-1].calibrated_classifiers_
    beneath = corrected.estimator
    found: Pipeline = beneath.estimator if isinstance(beneath, FrozenEstimator) else beneath
    return found


def compare_calibration(method: str, before: ModelOutput, after: ModelOutput, bootstrap: Bootstrap) -> Calibration:
    """Return what a correction made of probabilities of the held-out rows."""

    def brier(output: ModelOutput, rows: Array) -> float:
        return compute(BRIER, output.taken(rows))

    everything = np.arange(len(after.truth))
    gain, low, high = bootstrap_difference(
        lambda rows: -brier(after, rows), lambda rows: -brier(before, rows), bootstrap
    )
    return Calibration(
        method,
        brier(before, everything),
        brier(after, everything),
        (gain, low, high),
        _reliability(before),
        _reliability(after),
    )


def _reliability(output: ModelOutput) -> tuple[tuple[float, float], ...]:
    """Return mean probability and observed share in bins of as many rows: of the positive of two classes, else of those predicted."""
    assert output.classes is not None
    assert output.probability is not None
    if len(output.classes) == 2:  # noqa: PLR2004 - the positive is the last
        right, probability = output.truth == output.classes[1], output.probability[:, 1]
    else:
        right = output.truth == output.classes[output.probability.argmax(axis=1)]
        probability = output.probability.max(axis=1)
    share, mean = calibration_curve(right, probability, n_bins=_BINS, strategy="quantile")
    return tuple((float(x), float(y)) for x, y in zip(mean, share, strict=True))
