"""The candidates, ranked, and the champion among them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.store import commit_json
from tasks.train.estimators import BASELINE
from tasks.train.jobs import CandidateJob
from tasks.train.results import CandidateResult


@dataclass(frozen=True)
class Leaderboard:
    """The candidates' results, best first and failed ones last; greater scores are better."""

    metric: str
    results: tuple[CandidateResult, ...]
    training_rows: int
    test_rows: int

    @property
    def champion(self) -> CandidateResult | None:
        """Return the best candidate besides the baseline, or None when every one failed."""
        return next((r for r in self.results if r.name != BASELINE and r.error is None), None)

    @property
    def beats_dummy(self) -> bool:
        """Tell whether the champion scores better than the baseline that looks at no feature."""
        champion = self.champion
        dummy = next((r.score for r in self.results if r.name == BASELINE and r.score is not None), -math.inf)
        return champion is not None and champion.score is not None and champion.score > dummy

    @property
    def failed(self) -> tuple[CandidateResult, ...]:
        """Return the candidates that have no score."""
        return tuple(result for result in self.results if result.error is not None)

    def as_data(self) -> dict[str, Any]:
        """Return the leaderboard as plain JSON-able data."""
        return {
            "metric": self.metric,
            "champion": self.champion.name if self.champion else None,
            "beats_dummy": self.beats_dummy,
            "training_rows": self.training_rows,
            "test_rows": self.test_rows,
            "candidates": [{**asdict(result), "warnings": list(result.warnings)} for result in self.results],
        }


def rank(jobs: Sequence[CandidateJob], results: Sequence[CandidateResult]) -> Leaderboard:
    """Return the leaderboard of the results; those of equal score keep their order."""
    ranked = sorted(results, key=lambda r: math.inf if r.score is None else -r.score)
    training_set = jobs[0].training_set
    return Leaderboard(jobs[0].training.metric, tuple(ranked), training_set.train_rows, training_set.test_rows)


def crown(models: Path, leaderboard: Leaderboard) -> None:
    """Commit `champion.json`: which model of the folder serves, and by what score; nothing when there is none."""
    champion = leaderboard.champion
    if champion is None:
        return
    commit_json(
        models / "champion.json",
        {
            "candidate": champion.name,
            "model": champion.model,
            "fingerprint": champion.fingerprint,
            "metric": leaderboard.metric,
            "score": champion.score,
            "beats_dummy": leaderboard.beats_dummy,
            "training_rows": leaderboard.training_rows,
            "test_rows": leaderboard.test_rows,
        },
    )
