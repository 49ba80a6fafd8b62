"""What an assessment is made of: what a candidate said of rows, and the columns of the training set beside that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from tasks.config import Between, write_label
from tasks.train.assessment.conformal import Exchangeable
from tasks.train.assessment.diagnoses import Evidence, Moments, Rival, is_plain_boosting
from tasks.train.assessment.parts import read_parts
from tasks.train.assessment.slices import HeldOutRows, Slice, find_slices
from tasks.train.data.features import encode_classes, features_of, read_numbers, read_target
from tasks.train.data.split import read_unit
from tasks.train.data.split_file import mapped_table
from tasks.train.data.types import Array
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.leaderboard import Leaderboard
from tasks.train.evaluation.metrics import ModelOutput
from tasks.train.evaluation.out_of_fold import OutOfFold, read_out_of_fold
from tasks.train.evaluation.output_file import read_output
from tasks.train.evaluation.predictions import replay
from tasks.train.evaluation.results import HOLDOUT_FILE, Finalist
from tasks.train.evaluation.search import combine
from tasks.train.evaluation.statistics import Bootstrap, bootstrap_difference, bootstrap_scores
from tasks.train.models.estimators import BASELINE

SEEN_ROWS = 5_000  # of those that train, or of a fold: more change no finding
_SEEN_FEATURES = 100  # the most important ones; correlations are of each pair
_FOLD_DRAWS = 50
_RIVAL_DRAWS = 200


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a candidate, fitted and judged, said of rows."""

    job: CandidateJob
    known: OutOfFold
    """What folds said of their test rows."""
    judged: ModelOutput
    """What the model said of the hold-out."""
    units: Array | None
    """The moment or group of each held-out row, where the split goes by one."""

    @cached_property
    def metric(self) -> str:
        """Return what ranks the candidates."""
        return self.job.training.metric

    def exchangeable(self) -> Exchangeable:
        """Return which of the out-of-fold predictions belong together."""
        split, units = self.job.training.split, self.known.rows
        if split.by == "group":
            with mapped_table(self.job.training_set.path) as table:
                groups = read_unit(split, table)
                assert groups is not None
                units = groups[self.known.rows]
        return Exchangeable(split.by, units, self.known.folds)

    def find_slices(self) -> tuple[Slice, ...]:
        """Return the score of each part of the hold-out that the training names."""
        test = self.job.split.sides().test
        with mapped_table(self.job.training_set.path) as table:
            columns = {
                each.column: read_parts(table.column(each.column).take(pa.array(test)), each.bins)
                for each in self.job.training.slicings
            }
        classes = None if self.judged.classes is None else self.judged.truth
        rows = HeldOutRows(self.metric, self.job.training.seed, classes, self.units)
        return find_slices(columns, replay(self.judged).scoring(self.metric), rows)

    def evidence(self, leaderboard: Leaderboard) -> Evidence:
        """Return what the candidate is known by that findings are read off."""
        line = next(line for line in leaderboard.lines if line.name == self.job.name)
        assert line.finalist is not None
        assert line.score is not None
        dummy = next((each.score for each in leaderboard.lines if each.name == BASELINE), None)
        train, test = self.job.split.sides()
        some = np.sort(_some(train, self.job.training.seed))
        with mapped_table(self.job.training_set.path) as table:
            target = read_target(table.column(self.job.training.target), self.job.training_set.task)
            numbers = dict(self._read_numbers(table, some, line.finalist.importances))
            moments = dict(_read_moments(table, some, test, target))
        is_classification = self.job.training_set.task == "classification"
        return Evidence(
            metric=self.metric,
            name=self.job.name,
            candidate=self.job.candidate,
            score=line.score,
            dummy=dummy,
            fold_scores=line.result.fold_scores,
            fold_errors=tuple(self._fold_errors(len(line.result.fold_scores))),
            by=self.job.training.split.by,
            params=line.result.params,
            tried=_tried(self.job),
            learning_curve=line.finalist.learning_curve,
            holdout=line.finalist.score,
            importances=line.finalist.importances,
            classes=_count_classes(target, train, test) if is_classification else {},
            numbers=numbers,
            moments=moments,
            rivals=tuple(self._rivals([each.finalist for each in leaderboard.lines if each.finalist is not None])),
            told=self.job.training_set.warnings,
        )

    def _read_numbers(
        self, table: pa.Table, rows: Array, importances: Mapping[str, tuple[float, float]]
    ) -> Iterator[tuple[str, Array]]:
        """Yield the values of the features that are numbers, the most important ones where there are many."""
        names = features_of(self.job.training, table.schema).numeric
        ordered = sorted(names, key=lambda name: -importances.get(name, (0.0, 0.0))[0])
        for name in ordered[:_SEEN_FEATURES]:
            yield name, read_numbers(table.column(name).take(pa.array(rows)))

    def _fold_errors(self, folds: int) -> Iterator[float]:
        """Yield how far each fold's score would be off by chance; of many rows by some of them, as 1/√rows goes."""
        seed, classes = self.job.training.seed, self.known.output.classes
        for fold in range(folds):
            rows = np.flatnonzero(self.known.folds == fold)
            output = self.known.output.taken(_some(rows, seed))
            strata = None if classes is None else output.truth
            drawn = Bootstrap(len(output.truth), seed, _FOLD_DRAWS, strata=strata)
            scores = bootstrap_scores(replay(output).scoring(self.metric), drawn)
            yield float(np.nanstd(scores)) * float(np.sqrt(len(output.truth) / len(rows)))

    def _rivals(self, finalists: Sequence[Finalist]) -> Iterator[Rival]:
        """Yield the plain boostings among the finalists, each with its lead on the same held-out rows."""
        own = replay(self.judged).scoring(self.metric)
        for finalist in finalists:
            candidate = self.job.training.candidates.get(finalist.name)
            if finalist.name == self.job.name or candidate is None or not is_plain_boosting(candidate):
                continue
            other = replay(read_output(finalist.folder / HOLDOUT_FILE).output).scoring(self.metric)
            strata = None if self.judged.classes is None else self.judged.truth
            drawn = Bootstrap(
                len(self.judged.truth), self.job.training.seed, _RIVAL_DRAWS, strata=strata, groups=self.units
            )
            lead, low, high = bootstrap_difference(other, own, drawn)
            yield Rival(finalist.name, lead, (low, high))


def read_inputs(job: CandidateJob) -> Inputs:
    """Return what a candidate said of rows, which is kept in its folder."""
    judged = read_output(job.folder / HOLDOUT_FILE).output
    return Inputs(job, read_out_of_fold(job), judged, job.split.held_out_units())


def _tried(job: CandidateJob) -> dict[str, tuple[float, float]]:
    """Return the least and the greatest number that a search has drawn of each parameter."""
    search = None if job.members else job.single.search
    if search is None:
        return {}
    drawn = combine(search, job.training.seed)
    names = [name for name, values in search.space.items() if isinstance(values, Between)]
    return {name: (min(each[name] for each in drawn), max(each[name] for each in drawn)) for name in names}


def _some(rows: Array, seed: int) -> Array:
    return rows if len(rows) <= SEEN_ROWS else np.random.default_rng(seed).choice(rows, SEEN_ROWS, replace=False)


def _count_classes(target: Array, train: Array, test: Array) -> dict[str, tuple[int, int]]:
    """Return by class the rows that train and that are held out."""
    labels, codes = np.unique(target, return_inverse=True)
    learnt, held_out = (np.bincount(codes[side], minlength=len(labels)).tolist() for side in (train, test))
    return {write_label(label): (learnt[place], held_out[place]) for place, label in enumerate(labels.tolist())}


def _read_moments(table: pa.Table, train: Array, test: Array, target: Array) -> Iterator[tuple[str, Moments]]:
    """Yield the columns of times that are there in all of some rows, with their target: of classes, the place of each."""
    truth = target if target.dtype.kind == "f" else encode_classes(target).astype(float)
    for name, kind in zip(table.schema.names, table.schema.types, strict=True):
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            learnt, held_out = (read_numbers(table.column(name).take(pa.array(side))) for side in (train, test))
            if not np.isnan(learnt).any():
                yield name, Moments(learnt, held_out, truth[train])
