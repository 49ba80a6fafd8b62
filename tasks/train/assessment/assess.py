"""The assessment of a training's best candidate; it costs no fit, and is kept beside the candidate's results."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from tasks.core.errors import TrainingError
from tasks.core.storage import commit_json, fingerprint, json_reader
from tasks.train.assessment.conformal import Conformal, fit_conformal
from tasks.train.assessment.diagnoses import Finding, diagnose
from tasks.train.assessment.slices import Slice
from tasks.train.assessment.threshold import Threshold, choose_threshold
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.leaderboard import Leaderboard

ASSESSMENT_FILE = "assessment.json"
ASSESSMENT = 1  # to be raised when the same candidate would be assessed otherwise than before
FINDINGS = 1  # the same of its findings


@dataclass(frozen=True)
class Assessment:
    """What is known of the best candidate beside its scores."""

    fingerprint: str
    """Of all that it depends on: what the candidate said, and the sections of the training that ask for it."""
    decision: Threshold | None = None
    intervals: Conformal | None = None
    """What its predictions become intervals or sets by."""
    slices: tuple[Slice, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What is doubtful about it, of those that it was compared with."""
    findings_of: str = ""
    """Fingerprint of all that the findings depend on: they are no part of what a version is known by."""


_read = json_reader(Assessment)


def assess_best(jobs: Sequence[CandidateJob], leaderboard: Leaderboard) -> Assessment | None:
    """Return the assessment of the best candidate, as it was kept or made anew; None where there is nothing to assess.

    Raises:
        TrainingError: the candidate does not tell what is asked for.

    """
    best = leaderboard.best
    if best is None or best.finalist is None:
        return None
    job = next(job for job in jobs if job.name == best.name)
    asked = _asked(job)
    wanted = fingerprint({"assessment": ASSESSMENT, "job": job.fingerprint, **asked}) if asked else job.fingerprint
    compared = _compared(leaderboard)
    kept = _read(job.folder / ASSESSMENT_FILE)
    if kept is not None and (kept.fingerprint, kept.findings_of) == (wanted, compared):
        return kept
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scorers', of draws that lack a class
        made = replace(_assess(job, leaderboard), fingerprint=wanted, findings_of=compared)
    commit_json(job.folder / ASSESSMENT_FILE, asdict(made))
    return made


def _asked(job: CandidateJob) -> dict[str, Any]:
    """Return what a training section asks for, by its key."""
    training = job.training
    asked = {
        "decision": training.decision.model_dump(exclude={"positive"}) if training.decision is not None else None,
        "coverage": training.coverage,
        "slices": [each.model_dump() for each in training.slicings],
    }
    return {key: value for key, value in asked.items() if value}


def _compared(leaderboard: Leaderboard) -> str:
    """Return the fingerprint of what findings look at: the best among all, and what was told of the rows."""
    lines = [(line.result.fingerprint, line.score, line.finalist is not None) for line in leaderboard.lines]
    best = leaderboard.best
    curve = best.finalist.learning_curve if best is not None and best.finalist is not None else ()
    return fingerprint([FINDINGS, lines, curve, leaderboard.training_set.warnings])


def _assess(job: CandidateJob, leaderboard: Leaderboard) -> Assessment:
    from tasks.train.assessment.inputs import read_inputs  # noqa: PLC0415 - what is kept needs none of it
    from tasks.train.evaluation.statistics import held_out_bootstrap  # noqa: PLC0415 - scipy: a third of a second

    training, inputs = job.training, read_inputs(job)
    known, judged = inputs.known.output, inputs.judged
    decision = intervals = None
    if training.decision is not None:
        bootstrap = held_out_bootstrap(
            judged.truth, training.seed, classes=judged.classes is not None, groups=inputs.units
        )
        if known.probability is None or judged.probability is None:
            raise TrainingError(
                f"training.decision: the best candidate, {job.name}, tells no probabilities; add calibrate: sigmoid to "
                "it, or take decision out"
            )
        rows = len(np.unique(inputs.known.rows))  # which repeated folds have more than once
        decision = replace(choose_threshold(training.decision, known, judged, bootstrap), rows=rows)
    if training.coverage is not None:
        intervals = fit_conformal(training.coverage, known, inputs.exchangeable(), judged, inputs.units)
    slices = inputs.find_slices() if training.slices else ()
    return Assessment("", decision, intervals, slices, diagnose(inputs.evidence(leaderboard)))
