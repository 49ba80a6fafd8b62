"""Ensembles, made of what their members said of rows that they had not learnt from; no member is fitted for it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline

from tasks.config import Vote
from tasks.train.data.classes import TWO, labels_of, name_labels
from tasks.train.data.types import Array
from tasks.train.evaluation.fit import check_weights, held_to_classes
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.metrics import ModelOutput
from tasks.train.evaluation.out_of_fold import read_out_of_fold
from tasks.train.evaluation.output_file import read_output
from tasks.train.evaluation.predictions import Predictions, replay
from tasks.train.evaluation.results import MODEL_FILE, Combination, fold_file
from tasks.train.models.ensembles import build_final, fit_shares, same_classes, stack_of, vote_of, weights_of
from tasks.train.models.model_file import load_model, own_types
from tasks.train.models.preprocessing import fit_keys, take_weights


def combine_fold(job: CandidateJob, fold: int) -> tuple[Predictions, Array, float]:
    """Return what an ensemble says of the test rows of a fold, which rows these are, and the seconds of its fit.

    A vote is the mean of what its members said of them. The final model of a
    stack, or the shares of its mean, are fitted on what they said of the
    fold's training rows, each by a model of another fold: on no row of the
    test, and by time on none that comes after it, or within the gap. By time
    the first span that is tested has no such rows before it: there a stack is
    the plain mean of its members.

    The members' models of other folds have seen the test rows of this one, so
    that what is learnt from depends on their truth a little. `python -m
    tests.benchmarks assess` measures what that comes to.

    Raises:
        TrainingError: members do not know the same classes, or the final model takes no weights.

    """
    if isinstance(job.candidate, Vote):
        rows, output = _vote(job, fold, job.candidate.weights)
        return replay(output), rows, 0.0
    told = _read_told(job)
    learnt = np.isin(told.rows, job.split.sides(fold).train)
    if not learnt.any():
        warnings.warn(
            f"fold {fold + 1}: nothing was said of rows before it that a stack could be fitted on; it is the mean of the "
            "members there",
            stacklevel=2,
        )
        rows, output = _vote(job, fold, None)
        return replay(output), rows, 0.0
    start = time.perf_counter()
    if job.final is None:
        rows, output = _vote(job, fold, _fit_shares(job, told, learnt))
        return replay(output), rows, round(time.perf_counter() - start, 3)
    final = _fit_final(job, told, learnt)
    fit_s = round(time.perf_counter() - start, 3)
    asked = told.folds == fold
    weight = None if told.weight is None else told.weight[asked]
    said = Predictions(final, told.matrix[asked], told.truth[asked], weight, job.training_set.positive)
    return said, told.rows[asked], fit_s


def combine_models(job: CandidateJob) -> tuple[Pipeline, float]:
    """Return an ensemble of its members' models, which were fitted on all rows that train, and the seconds of its own fit.

    The final model of a stack, or the shares of its mean, are fitted on all
    that the folds of its members said. By time a member may know a class by
    now that no fold's model had met; of that they said the probability 0.

    Raises:
        TrainingError: as above, or a member's model cannot be read.

    """
    models = {member.name: read_fitted(member) for member in job.members}
    start = time.perf_counter()
    if isinstance(job.candidate, Vote):
        made = vote_of(models, job.candidate.weights)
    else:
        told = _read_told(job, getattr(models[job.members[0].name], "classes_", None))
        learnt = np.isin(told.rows, job.split.sides().train)
        if job.final is None:
            made = vote_of(models, _fit_shares(job, told, learnt))
        else:
            final = _fit_final(job, told, learnt)
            made = stack_of(models, final)
            if told.classes is not None and len(absent := np.setdiff1d(told.classes, final.classes_)):
                warnings.warn(
                    f"no fold tested a row of {name_labels(labels_of(absent))}, so that the final model learnt nothing of "
                    "it and the stack never predicts it",
                    stacklevel=2,
                )
    return made, round(time.perf_counter() - start, 3)


def read_fitted(job: CandidateJob) -> Pipeline:
    """Return the model of a candidate that has just been fitted on all rows that train.

    Raises:
        TrainingError: it cannot be read.

    """
    path, trusted = job.folder / MODEL_FILE, job.training.trusted
    return load_model(path, own_types(path, trusted), trusted)


def combination_of(job: CandidateJob, model: Pipeline) -> Combination:
    """Return what an ensemble makes of what its members say, by its fitted model."""
    classes = len(model.classes_) if hasattr(model, "classes_") else 1
    rows = 0 if isinstance(job.candidate, Vote) else sum(test for _, test in job.split.folds)
    return Combination(job.final.estimator if job.final else None, rows, weights_of(model, classes))


@dataclass(frozen=True, eq=False)
class _Told:
    """What all members said of the test rows of all folds, in the order of the rows."""

    rows: Array
    folds: Array
    matrix: Array
    """What members said, one after another: the probability of each class, in the order of classes, or the amount."""
    classes: Array | None
    """In that order."""
    truth: Array
    weight: Array | None


def _read_told(job: CandidateJob, known: Array | None = None) -> _Told:
    """Return what all members said; of each of the classes `known`, if of any."""
    said = [read_out_of_fold(member, known) for member in job.members]
    same_classes({member.name: each.output.classes for member, each in zip(job.members, said, strict=True)})
    first = said[0]
    order = np.lexsort((first.folds, first.rows))
    classes = first.output.classes
    return _Told(
        first.rows[order],
        first.folds[order],
        np.hstack([_columns(each.output) for each in said])[order],
        None if classes is None else np.sort(classes),
        first.output.truth[order],
        take_weights(first.output.weight, order),
    )


def _columns(output: ModelOutput) -> Array:
    """Return what a member said as a vote of it tells it."""
    if output.classes is None or output.probability is None:
        return output.prediction.reshape(-1, 1)
    return output.probability[:, np.argsort(output.classes)]


def _fit_final(job: CandidateJob, told: _Told, learnt: Array) -> Pipeline:
    """Return the final model of a stack, fitted on some of what members said."""
    assert job.final is not None
    weight, truth = take_weights(told.weight, learnt), told.truth[learnt]
    check_weights(job.training, job.final, weight)
    labels = None if told.classes is None else labels_of(truth)
    classes = 1 if told.classes is None else len(told.classes)
    final = build_final(job.final, job.training, labels, len(job.members), classes)
    return held_to_classes(final.fit(told.matrix[learnt], truth, **fit_keys(weight)), job.final, labels, truth)


def _fit_shares(job: CandidateJob, told: _Told, learnt: Array) -> tuple[float, ...]:
    """Return the shares of members in the mean of a stack of classes, fitted on some of what they said."""
    assert told.classes is not None
    weight = take_weights(told.weight, learnt)
    return fit_shares(told.matrix[learnt], len(job.members), told.classes, told.truth[learnt], weight)


def _vote(job: CandidateJob, fold: int, weights: Sequence[float] | None) -> tuple[Array, ModelOutput]:
    """Return the mean of what members said of the test rows of a fold, as a vote of their models would say it."""
    kept = {member.name: read_output(member.folder / fold_file(fold)) for member in job.members}
    rows, first = next(iter(kept.values()))
    outputs = [each.output for each in kept.values()]
    same_classes({name: each.output.classes for name, each in kept.items()})
    if first.classes is None:
        mean = np.average(np.asarray([each.prediction for each in outputs]).T, axis=1, weights=weights)
        return rows, ModelOutput(first.truth, mean, None, None, None, first.weight)
    probability = np.average(np.asarray([each.probability for each in outputs]), axis=0, weights=weights)
    order = np.argsort(first.classes)  # of classes that are alike, the first in order is predicted
    prediction = first.classes[order[probability[:, order].argmax(axis=1)]]
    ranking = probability[:, 1] if len(first.classes) == TWO else probability
    return rows, ModelOutput(first.truth, prediction, probability, ranking, first.classes, first.weight)
