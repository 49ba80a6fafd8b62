"""The result of a candidate, and how it is kept beside its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from tasks.store import commit_json, read_json
from tasks.train.jobs import CandidateJob

MODEL_FILE = "model.skops"
METRICS_FILE = "metrics.json"


@dataclass(frozen=True)
class CandidateResult:
    """What became of a candidate: its scores on the held-out rows, or why it has none.

    `score` is the ranking metric as scikit-learn scores it, greater is better;
    `metrics` are the usual ones of the task in their own units and direction.
    """

    name: str
    fingerprint: str
    score: float | None = None
    metrics: Mapping[str, float] | None = None
    fit_s: float | None = None
    model: str | None = None
    """Path of the model file, relative to the pipeline's folder of models."""
    warnings: tuple[str, ...] = ()
    error: str | None = None
    reused: bool = False


def keep_result(job: CandidateJob, result: CandidateResult) -> None:
    """Commit a result; from then on the candidate counts as finished."""
    commit_json(job.folder / METRICS_FILE, {**asdict(result), "metric": job.training.metric})


def finished_result(job: CandidateJob) -> CandidateResult | None:
    """Return the kept result of a job, or None where the candidate has to be fitted."""
    kept: Any = read_json(job.folder / METRICS_FILE)
    if not isinstance(kept, dict) or kept.get("fingerprint") != job.fingerprint:
        return None
    if not (job.folder / MODEL_FILE).is_file():
        return None
    kept.pop("metric")
    return replace(CandidateResult(**{**kept, "warnings": tuple(kept["warnings"])}), reused=True)
