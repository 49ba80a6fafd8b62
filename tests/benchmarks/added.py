"""What decisions and ensembles add to a training, by parts: the processor's seconds of each, all in one process."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tasks.config import Training
from tasks.train.assessment import assess
from tasks.train.assessment.inputs import Inputs
from tasks.train.evaluation.folds import evaluate_folds
from tasks.train.evaluation.holdout import judge_finalist, measure_importances, measure_share, refit_member
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.leaderboard import Leaderboard, rank
from tasks.train.evaluation.results import EvaluationResult, keep_part
from tasks.train.execution.schedule import _evaluate_all, _judge_finalists
from tasks.train.execution.units import Unit
from tasks.train.models.estimators import BASELINE
from tests.benchmarks.fits import CANDIDATES, ROWS, plan, training_of
from tests.benchmarks.rig import say
from tests.benchmarks.table import Line

ADDED = 0.10
ASKED: dict[str, Any] = {
    "decision": {"cost": {"fp": 1, "fn": 20}},
    "coverage": 0.9,
    "slices": ["carrier", "origin"],
}
ENSEMBLES = {name: {name: ["boosting", "forest", "logistic"]} for name in ("vote", "stack")}
_STEPS = {
    "the threshold": (assess, "choose_threshold"),
    "sets": (assess, "fit_conformal"),
    "slices": (Inputs, "find_slices"),
    "findings": (Inputs, "evidence"),
}


@dataclass
class _Here:
    """Runs units in this process, one after another, and counts what each takes."""

    spent: dict[tuple[str, str, int], float] = field(default_factory=dict)
    """By candidate, what of it, and the number of the fold or share."""
    width: int = 1

    def run(
        self,
        units: Iterable[Unit],
        emit: Callable[[Unit, list[EvaluationResult]], None],
        skip: Callable[[Unit], bool] = lambda _: False,
    ) -> None:
        for unit in units:
            if skip(unit):
                continue
            results = [*self._results(unit)]
            for result in results:
                assert result.error is None, result.error
                keep_part(unit.job, result)
            emit(unit, results)
            say(f"{unit.name}: {sum(each for key, each in self.spent.items() if key[0] == unit.job.name):.1f} s so far")

    def _results(self, unit: Unit) -> Iterator[EvaluationResult]:
        job = unit.job
        match unit.kind:
            case "folds":
                for fold in unit.parts:
                    yield from self._count(job, "folds", partial(_evaluate, job, fold), fold)
            case "judge":
                judged = self._count(job, "judge", lambda: judge_finalist(job))
                if judged.error is None and job.name != BASELINE:
                    drops = self._count(job, "importances", lambda: measure_importances(job, judged.types))
                    judged = replace(judged, importances=drops)
                yield judged
            case "refit":
                yield self._count(job, "refit", lambda: refit_member(job))
            case _:
                for share in unit.parts:
                    yield self._count(job, "curve", partial(measure_share, job, share), share)

    def _count(self, job: CandidateJob, what: str, call: Callable[[], Any], number: int = 0) -> Any:
        start = time.process_time()
        found = call()
        self.spent[job.name, what, number] = time.process_time() - start
        return found


def _evaluate(job: CandidateJob, fold: int) -> list[EvaluationResult]:
    return [*evaluate_folds(job, (fold,))]


def measure_added(folder: Path, rows: int = ROWS) -> Iterator[Line]:
    """Yield what a threshold, sets, slices, findings, a vote and a stack add, each, and together."""
    here = _Here()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits, which a training tells of the candidates
        _train(folder, training_of(CANDIDATES, 1, rows), here)
        before = dict(here.spent)
        jobs, board = _train(folder, training_of(CANDIDATES | ENSEMBLES, 1, rows, **ASKED), here)
        steps = _assess(jobs, board)
    alone = sum(before.values())
    new = {key: seconds for key, seconds in here.spent.items() if key not in before}
    yield Line(f"the training of {rows:,} flights, by its fits and judgements", f"{alone:.1f} s of the processor")
    yield from (_share(what, seconds, alone) for what, seconds in steps.items())
    for what, keys in _by_part(new).items():
        yield _share(what, sum(new[key] for key in keys), alone)
    share = (sum(steps.values()) + sum(new.values())) / alone
    yield Line("all of these", f"{share:.1%}", f"≤ {ADDED:.0%}", share <= ADDED)
    chosen = {line.name for line in board.lines if line.finalist is not None}
    lost = sum(seconds for (name, what, _), seconds in before.items() if what != "folds" and name not in chosen)
    yield _share("of the training without them, judgements and curves of whom ensembles take the place of", lost, alone)


def _by_part(new: Mapping[tuple[str, str, int], float]) -> dict[str, list[tuple[str, str, int]]]:
    found: dict[str, list[tuple[str, str, int]]] = {}
    for key in new:
        name, what, _ = key
        told = {"folds": "folds of the", "judge": "the hold-out of the", "importances": "importances of the"}
        part = f"{told[what]} {name}" if what in told and name in ENSEMBLES else f"{what} of {name}"
        found.setdefault(part, []).append(key)
    return found


def _train(folder: Path, training: Training, here: _Here) -> tuple[Sequence[CandidateJob], Leaderboard]:
    jobs = plan(folder, training, "added")
    board = rank(jobs, _evaluate_all(jobs, here, fresh=False))
    return jobs, _judge_finalists(jobs, board, here)


def _assess(jobs: Sequence[CandidateJob], board: Leaderboard) -> dict[str, float]:
    """Return the seconds of the parts of an assessment."""
    steps = dict.fromkeys(_STEPS, 0.0)
    start = time.process_time()
    with _counted(steps):
        assess.assess_best(jobs, board)
    whole = time.process_time() - start
    return steps | {
        "reading what the best candidate said, and what else an assessment does": whole - sum(steps.values())
    }


@contextmanager
def _counted(steps: dict[str, float]) -> Iterator[None]:
    """Count what the parts of an assessment take, which call none of each other."""
    kept = {step: getattr(*place) for step, place in _STEPS.items()}
    for step, (owner, name) in _STEPS.items():
        setattr(owner, name, _counting(kept[step], step, steps))
    try:
        yield
    finally:
        for step, (owner, name) in _STEPS.items():
            setattr(owner, name, kept[step])


def _counting(call: Callable[..., Any], step: str, steps: dict[str, float]) -> Callable[..., Any]:
    def counted(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        try:
            return call(*args, **kwargs)
        finally:
            steps[step] += time.process_time() - start

    return counted


def _share(what: str, seconds: float, alone: float) -> Line:
    return Line(what, f"{seconds:.2f} s, {seconds / alone:.1%}")
