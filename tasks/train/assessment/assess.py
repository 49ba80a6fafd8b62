"""The assessment of a training's best candidate; it costs no fit, and is kept beside the candidate's results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tasks.core.errors import TrainingError
from tasks.core.storage import commit_json, fingerprint, json_reader
from tasks.train.assessment.threshold import Threshold, choose_threshold
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.leaderboard import Leaderboard
from tasks.train.evaluation.results import HOLDOUT_FILE

ASSESSMENT_FILE = "assessment.json"
ASSESSMENT = 1  # to be raised when the same candidate would be assessed otherwise than before


@dataclass(frozen=True)
class Assessment:
    """What is known of the best candidate beside its scores."""

    fingerprint: str
    """Of all that it depends on: what the candidate said, and the sections of the training that ask for it."""
    decision: Threshold | None = None


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
    if not any(asked.values()):
        return None
    wanted = fingerprint({"assessment": ASSESSMENT, "job": job.fingerprint, **asked})
    kept = _read(job.folder / ASSESSMENT_FILE)
    if kept is not None and kept.fingerprint == wanted:
        return kept
    made = _assess(job, wanted)
    commit_json(job.folder / ASSESSMENT_FILE, asdict(made))
    return made


def _asked(job: CandidateJob) -> dict[str, Any]:
    """Return what a training section asks for, by its key."""
    decision = job.training.decision
    return {"decision": decision.model_dump(exclude={"positive"}) if decision is not None else None}


def _assess(job: CandidateJob, wanted: str) -> Assessment:
    from tasks.train.evaluation.out_of_fold import read_out_of_fold  # noqa: PLC0415 - what is kept needs none of it
    from tasks.train.evaluation.output_file import read_output  # noqa: PLC0415 - the same
    from tasks.train.evaluation.statistics import held_out_bootstrap  # noqa: PLC0415 - scipy: a third of a second

    training = job.training
    known, judged = read_out_of_fold(job).output, read_output(job.folder / HOLDOUT_FILE).output
    bootstrap = held_out_bootstrap(
        judged.truth, training.seed, classes=judged.classes is not None, groups=job.split.held_out_units()
    )
    decision = None
    if training.decision is not None:
        if known.probability is None or judged.probability is None:
            raise TrainingError(
                f"training.decision: the best candidate, {job.name}, tells no probabilities; add calibrate: sigmoid to "
                "it, or take decision out"
            )
        decision = choose_threshold(training.decision, known, judged, bootstrap)
    return Assessment(wanted, decision)
