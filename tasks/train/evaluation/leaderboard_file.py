"""A leaderboard as it is kept and told of: `leaderboard.json`; light, so that it is read without what trains."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tasks.core.storage import commit_json, json_reader

LEADERBOARD = "leaderboard.json"


@dataclass(frozen=True)
class KeptLine:
    """One candidate of a leaderboard; what a run before has not written has its default."""

    name: str
    score: float | None = None
    interval: tuple[float, float] | None = None
    p_best: float | None = None
    p_dummy: float | None = None
    within_noise: bool = False
    fold_scores: tuple[float, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    holdout: float | None = None
    holdout_interval: tuple[float, float] | None = None
    holdout_metrics: dict[str, float] | None = None
    importances: dict[str, tuple[float, float]] | None = None
    learning_curve: tuple[tuple[int, float, float], ...] | None = None
    params: dict[str, Any] = field(default_factory=dict)
    fit_s: float | None = None
    fold_s: float | None = None
    memory_mb: float | None = None
    model: str | None = None
    fingerprint: str = ""
    warnings: tuple[str, ...] = ()
    error: str | None = None
    reused: bool = False


@dataclass(frozen=True)
class KeptLeaderboard:
    """The candidates, best first and failed ones last, and what they were judged on."""

    metric: str = ""
    task: str = ""
    target: str | None = None
    positive: bool | int | float | str | None = None
    guessed: tuple[str, ...] = ()
    best: str | None = None
    beats_dummy: bool = False
    training_rows: int = 0
    test_rows: int = 0
    folds: int = 0
    warnings: tuple[str, ...] = ()
    candidates: tuple[KeptLine, ...] = ()
    assessment: dict[str, Any] | None = None
    """What is known of the best beside its scores, as its own file has it."""


read_leaderboard = json_reader(KeptLeaderboard)


def keep_leaderboard(models: Path, board: KeptLeaderboard) -> None:
    """Commit a leaderboard in the folder of a pipeline's models."""
    commit_json(models / LEADERBOARD, asdict(board))
