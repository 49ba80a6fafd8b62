"""What a candidate said of the rows that train, each by a model of a fold that had not learnt from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.train.data.types import Array
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.metrics import ModelOutput
from tasks.train.evaluation.output_file import read_output
from tasks.train.evaluation.results import fold_file


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """The test rows of all folds, one after another, and what was said of them.

    A split by time tests no row of its first span.
    """

    rows: Array
    """Positions in the training set."""
    folds: Array
    """The fold that tested each row."""
    output: ModelOutput


def read_out_of_fold(job: CandidateJob, known: Array | None = None) -> OutOfFold:
    """Return what a candidate said of the test rows of all its folds, which are finished.

    `known` are classes that are to have a probability also where no fold's model has met them.
    """
    kept = [read_output(job.folder / fold_file(fold)) for fold in range(len(job.split.folds))]
    outputs = [each.output for each in kept]
    classes = _union([*(each.classes for each in outputs), known])
    return OutOfFold(
        np.concatenate([each.rows for each in kept]),
        np.repeat(np.arange(len(kept)), [len(each.rows) for each in kept]),
        ModelOutput(
            np.concatenate([each.truth for each in outputs]),
            np.concatenate([each.prediction for each in outputs]),
            _together([_spread(each, classes) for each in outputs]),
            _together([each.ranking if _knows(each, classes) else None for each in outputs]),
            classes,
            _together([each.weight for each in outputs]),
        ),
    )


def _union(known: list[Array | None]) -> Array | None:
    """Return the classes that any of these know: those of the first that lacks none, else all of them, sorted."""
    there = [each for each in known if each is not None]
    if not there:
        return None
    everything = np.unique(np.concatenate(there))
    return next((each for each in there if len(each) == len(everything)), everything)


def _knows(output: ModelOutput, classes: Array | None) -> bool:
    return classes is None or output.classes is None or len(output.classes) == len(classes)


def _spread(output: ModelOutput, classes: Array | None) -> Array | None:
    """Return the probability of each class; of one that the fold's model has not met it is 0."""
    if output.probability is None or output.classes is None or classes is None or _knows(output, classes):
        return output.probability
    spread = np.zeros((len(output.truth), len(classes)))
    spread[:, [int(np.flatnonzero(classes == each)[0]) for each in output.classes]] = output.probability
    return spread


def _together(parts: list[Array | None]) -> Array | None:
    there = [each for each in parts if each is not None]
    return np.concatenate(there) if len(there) == len(parts) else None
