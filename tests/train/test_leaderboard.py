"""The leaderboard: candidates ranked by cross-validation, and how sure the ranking is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.leaderboard import Leaderboard, Line, choose_finalists, rank
from tasks.train.evaluation.results import CandidateResult
from tasks.train.evaluation.statistics import corrected_interval, corrected_paired_test
from tests.train.conftest import LOGISTIC, sklearn_table

Jobs = Callable[..., dict[str, CandidateJob]]
SCORES = {
    "dummy": (0.50, 0.51, 0.50, 0.49, 0.50),
    "good": (0.90, 0.92, 0.91, 0.90, 0.92),
    "alike": (0.90, 0.91, 0.92, 0.90, 0.91),
    "fair": (0.70, 0.72, 0.71, 0.69, 0.71),
}


@pytest.fixture
def board(jobs: Jobs) -> Leaderboard:
    """Return the leaderboard of the scores above, and of a candidate that failed."""
    names = [*SCORES, "broken"]
    planned = jobs(sklearn_table("iris"), candidates={name: LOGISTIC for name in names if name != "dummy"})
    results = [CandidateResult(name, "", fold_scores=scores) for name, scores in SCORES.items()]
    return rank(list(planned.values()), [CandidateResult("broken", "", error="it broke"), *results])


def line(board: Leaderboard, name: str) -> Line:
    """Return a candidate's line."""
    return next(line for line in board.lines if line.name == name)


def test_it_ranks_by_the_mean_of_the_folds_and_puts_failed_ones_last(board: Leaderboard) -> None:
    """The best is the first besides the dummy."""
    assert [line.name for line in board.lines] == ["good", "alike", "fair", "dummy", "broken"]
    assert board.best is board.lines[0]
    assert board.beats_dummy
    assert [result.error for result in board.failed] == ["it broke"]


def test_it_tells_what_is_within_noise_of_the_best(board: Leaderboard) -> None:
    """By the paired test over the folds; the others are surely worse."""
    assert [line.name for line in board.lines if line.within_noise] == ["alike"]
    assert line(board, "good").p_best is None
    assert line(board, "dummy").p_dummy is None
    assert (line(board, "broken").interval, line(board, "broken").p_best) == (None, None)


def test_p_values_are_adjusted_for_all_comparisons(board: Leaderboard) -> None:
    """Three against the best and two more against the dummy: the smallest is multiplied by five."""
    rows = {"train_rows": 96, "test_rows": 24}
    good, dummy = np.array(SCORES["good"]), np.array(SCORES["dummy"])

    adjusted = [p for line in board.lines for p in (line.p_best, line.p_dummy) if p is not None]

    assert min(adjusted) == pytest.approx(5 * corrected_paired_test(good, dummy, **rows))
    assert line(board, "good").p_dummy == line(board, "dummy").p_best
    assert line(board, "good").interval == corrected_interval(good, **rows)


def test_the_best_and_the_dummy_are_finalists(board: Leaderboard) -> None:
    """As many as the pipeline asks for, and the dummy, to compare."""
    assert choose_finalists(board, 2) == ["good", "alike", "dummy"]


def test_the_dummy_is_never_the_best(jobs: Jobs) -> None:
    """Where nothing can be learnt the best candidate is so all the same, and it is said that the dummy is as good."""
    planned = list(jobs(sklearn_table("iris")).values())

    board = rank(planned, [CandidateResult(job.name, "", fold_scores=(0.5, 0.5, 0.5, 0.5, 0.5)) for job in planned])

    assert board.best is not None
    assert (board.best.name, board.beats_dummy) == ("logistic", False)
    assert line(board, "dummy").within_noise
