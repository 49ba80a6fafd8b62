"""The course of a training, its units run one after another in this process's fit server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.core.isolation.client import start_call_server, stop_call_server
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.leaderboard import Leaderboard, rank
from tasks.train.evaluation.results import EvaluationResult, HoldoutResult, Refit, kept_part
from tasks.train.execution.cache import TRAININGS_KEPT, note_training, prune_folders
from tasks.train.execution.schedule import affordable_shares, evaluate_all, judge_finalists, read_last_times
from tasks.train.execution.units import FITS, Unit, run_unit
from tasks.train.registry import publish_version
from tests.train.conftest import LOGISTIC, sklearn_table

Jobs = Callable[..., dict[str, CandidateJob]]
QUERY = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"
NAIVE = {"naive": {"estimator": "sklearn.naive_bayes.GaussianNB"}}


class OneByOne:
    """Runs units in the order in which they come, and notes them."""

    width = 1

    def __init__(self) -> None:
        self.ran: list[tuple[str, str]] = []

    def run(
        self,
        units: Iterable[Unit],
        tell: Callable[[Unit, list[EvaluationResult]], None],
        skip: Callable[[Unit], bool] = lambda _: False,
    ) -> None:
        """Run units and tell what each came to."""
        for unit in units:
            if not skip(unit):
                tell(unit, run_unit(unit))
                self.ran.append((unit.kind, unit.job.name))


@pytest.fixture(autouse=True, scope="module")
def _fit_server() -> Iterator[None]:
    """Begin one process that the fits of all tests are forked from, with what saves models: its imports take longer than the fits."""
    stop_call_server()
    start_call_server((*FITS, "skops.io"))
    yield
    stop_call_server()


def train(jobs: Sequence[CandidateJob]) -> int:
    """Train, and return how many units were run for it."""
    workers = OneByOne()
    asyncio.run(judge(jobs, workers))
    return len(workers.ran)


async def judge(jobs: Sequence[CandidateJob], workers: OneByOne) -> Leaderboard:
    """Train, and return the leaderboard with its finalists."""
    board = rank(jobs, await evaluate_all(jobs, workers, fresh=False))
    return await judge_finalists(jobs, board, workers)


def test_no_member_of_an_ensemble_is_fitted_twice(jobs: Jobs) -> None:
    """An ensemble that is best has its members fitted once on all rows that train, also where one is a finalist later; the card tells of them."""
    generator = np.random.default_rng(0)
    x, y, z = generator.normal(size=(3, 300))
    columns = {"x": x, "y": 2 * x + 3 * np.sign(y * z) + generator.normal(size=300) > 0, "u": y, "v": z}
    tree = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 4, "min_samples_leaf": 10}}
    single = {"tree": tree, "logistic": LOGISTIC}
    asked: dict[str, Any] = {"metric": "roc_auc", "learning_curve": False}
    asked |= {"candidates": {**single, "shares": {"stack": [*single]}}}
    first, second = (list(jobs(columns, **asked, finalists=number).values()) for number in (1, 2))
    once, again = OneByOne(), OneByOne()

    board = asyncio.run(judge(first, once))
    refits = {job.name: kept_part(job, Refit) for job in first if job.name in single}
    asyncio.run(judge(second, again))

    assert board.best is not None
    assert board.best.name == "shares"
    assert sorted(once.ran) == [
        *(("folds", name) for name in ("dummy", "logistic", "shares", "tree")),
        *(("judge", name) for name in ("dummy", "shares")),
        *(("refit", name) for name in ("logistic", "tree")),
    ]
    ((_, finalist),) = again.ran
    (member,) = (job for job in second if job.name == finalist)
    judged, refit = kept_part(member, HoldoutResult), refits[finalist]
    assert judged is not None
    assert refit is not None
    assert judged.fit_s == refit.fit_s > 0
    version = publish_version(first[0].models, board)
    card = (first[0].models / version.name / "model_card.md").read_text()
    assert "by a stack of tree, logistic. Made" in card
    assert "The mean of its members' probabilities, by shares fitted on what the folds said of 240 rows" in card
    assert re.search(r"\| logistic \| `sklearn\.linear_model\.LogisticRegression` \| 0\.\d{4} \|", card)


def test_a_learning_curve_is_switched_off_and_holds_to_the_time_limit(jobs: Jobs) -> None:
    """Of four shares, as 5.6 folds take, those are drawn that the candidate's limit holds; switched off, there is none."""
    limits = {"naive": {**NAIVE["naive"], "time_limit_s": 10}}
    asked: dict[str, Any] = {"query": QUERY, "candidates": limits}
    job = jobs(sklearn_table("iris"), **asked)["naive"]

    assert [len(affordable_shares(job, fold_s)) for fold_s in (None, 0.1, 1.7, 1.8, 3.9, 8.0, 27.0)] == [
        4,
        4,
        4,
        3,
        2,
        2,
        0,
    ]
    without = list(jobs(sklearn_table("iris"), **asked, learning_curve=False).values())
    with_curve = list(jobs(sklearn_table("iris"), **asked).values())
    assert (train(without), train(with_curve)) == (4, 4)


def test_folders_of_old_trainings_are_deleted(jobs: Jobs) -> None:
    """Those of the last three trainings stay and are read back; one that is run again is the latest of them.

    So it is with the files that hold the rows of their folds.
    """

    def plan(seed: int) -> list[CandidateJob]:
        return list(jobs(sklearn_table("iris"), query=QUERY, candidates=NAIVE, seed=seed).values())

    trainings = [plan(seed) for seed in range(TRAININGS_KEPT + 1)]
    folders = [{job.folder for job in training} for training in trainings]
    there = trainings[0][0].folder.parent
    rows = [training[0].split.path for training in trainings]

    assert len(set(rows)) == len(list(rows[0].parent.glob("rows-*"))) == TRAININGS_KEPT + 1
    assert all(train(plan(seed)) > 0 for seed in range(TRAININGS_KEPT))
    assert set(there.glob("*/")) == set().union(*folders[:-1])
    assert set(rows[0].parent.glob("rows-*")) == {*rows[:-1]}
    assert train(trainings[0]) == 0
    assert train(plan(TRAININGS_KEPT)) > 0
    assert set(there.glob("*/")) == set().union(*folders) - folders[1]
    assert set(rows[0].parent.glob("rows-*")) == {*rows} - {rows[1]}
    assert train(trainings[0]) == 0
    assert train(plan(1)) > 0


def test_a_folder_that_cannot_be_deleted_ends_no_run(jobs: Jobs, tmp_path: Path) -> None:
    """The others are deleted all the same."""
    planned = list(jobs(sklearn_table("iris"), query=QUERY, candidates=NAIVE).values())
    there = planned[0].folder.parent
    note_training(planned)
    (there / "a").symlink_to(tmp_path)
    (there / "b").mkdir()

    prune_folders(planned)

    assert [path.name for path in there.glob("*/")] == ["a"]


@pytest.mark.parametrize("name", ["rows-*.npz", "naive-*/model.skops", "naive-*/holdout.arrow", "naive-*/fold-2.arrow"])
def test_what_is_cut_off_is_made_again(jobs: Jobs, tmp_path: Path, name: str) -> None:
    """A file that lacks its end is as good as absent."""
    planned = jobs(sklearn_table("iris"), query=QUERY, candidates=NAIVE).values()
    train(list(planned))
    (path,) = tmp_path.rglob(name)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])

    again = jobs(sklearn_table("iris"), query=QUERY, candidates=NAIVE).values()
    assert train(list(again)) == (name != "rows-*.npz")
    assert len(path.read_bytes()) > 0.9 * len(whole)  # a model's file names its parts by where they lay in memory


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ('{"candidates": [{"name": "a", "fold_s": 1.5}, {"name": "b", "fold_s": null}]}', {"a": 1.5}),
        ('{"candidates": [{"name": "a", "fold_s": "fast"}]}', {}),
        ('{"candidates": [{"fold_s": 1.5}]}', {}),
        ('{"candidates": 5}', {}),
        ('{"candid', {}),
    ],
)
def test_times_of_a_damaged_leaderboard_are_unknown(tmp_path: Path, text: str, times: dict[str, float]) -> None:
    """They decide the order of the units only: no run ends for want of them."""
    (tmp_path / "leaderboard.json").write_text(text)

    assert read_last_times(tmp_path) == times
