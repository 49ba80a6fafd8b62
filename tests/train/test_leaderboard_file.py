"""What is kept of a leaderboard: its text, and what is read of it again."""

from __future__ import annotations

from pathlib import Path

from tasks.train.data.split_file import SavedSplit
from tasks.train.data.training_set import TrainingSet
from tasks.train.evaluation.leaderboard import Leaderboard, Line
from tasks.train.evaluation.leaderboard_file import keep_leaderboard, read_leaderboard
from tasks.train.evaluation.results import CandidateResult, Finalist
from tests.train.conftest import training

BEST = CandidateResult(
    "forest",
    "0123abcd",
    fold_scores=(0.5, 1.0),
    metrics={"accuracy": 0.75},
    fit_s=1.5,
    fold_s=0.8,
    memory_mb=120.0,
    params={"max_depth": 3},
    warnings=("slow",),
    reused=True,
)
FINALIST = Finalist(
    "forest",
    Path("models/toy/candidates/forest-0123"),
    0.7,
    (0.6, 0.8),
    {"accuracy": 0.7},
    {"é": (0.25, 0.5)},
    ((50, 0.9, 0.7), (100, 0.85, 0.75)),
)
BOARD = Leaderboard(
    (
        Line("forest", BEST, 0.75, (0.5, 1.0), None, 0.01, finalist=FINALIST),
        Line("dummy", CandidateResult("dummy", "", (0.5, 0.5)), 0.5, (float("nan"), 0.5), 0.01, within_noise=True),
        Line("broken", CandidateResult("broken", "", error="it broke")),
    ),
    training(metric="accuracy"),
    TrainingSet(
        Path("training_set.arrow"),
        "89ab",
        rows=125,
        columns=("x", "y"),
        task="classification",
        positive=1,
        guessed=("task",),
        warnings=("few rows",),
    ),
    SavedSplit(Path("rows-89ab.npz"), train=100, test=25, folds=((50, 50), (50, 50))),
)
TEXT = Path(__file__).with_name("leaderboard.json").read_text(encoding="utf-8")


def test_its_text_stays_the_same(tmp_path: Path) -> None:
    """Who reads the file finds each key, in its place."""
    keep_leaderboard(tmp_path, BOARD.kept)

    assert (tmp_path / "leaderboard.json").read_text(encoding="utf-8") == TEXT


def test_what_is_read_is_what_was_kept(tmp_path: Path) -> None:
    """Each value comes back as it was, whichever type it may also be."""
    keep_leaderboard(tmp_path, BOARD.kept)

    assert read_leaderboard(tmp_path / "leaderboard.json") == BOARD.kept
    assert type(BOARD.kept.positive) is int
