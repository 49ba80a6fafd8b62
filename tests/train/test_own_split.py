"""Splitters from outside: as the page on extensions shows one, and as they should not be."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tasks.config import OwnSplit
from tasks.config.trusted import trust_packages
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.isolation.client import CallServer, call_at, call_no_longer, stop_call_server
from tasks.train.checks.rows import warn_of_left_out
from tasks.train.checks.section import check_training
from tasks.train.checks.target import find_column_mistakes
from tasks.train.data.own_split import check_splitter, draw_own, draw_pairs
from tasks.train.data.split_file import Sides, keep_split
from tasks.train.data.training_set import TrainingSet
from tasks.train.evaluation.folds import evaluate_fold
from tasks.train.evaluation.job import plan_jobs
from tests.documented import code_of
from tests.train.conftest import LOGISTIC, Build, sklearn_table, training
from tests.train.publishing import judge

QUERY = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"
SPLIT = {"by": "own", "splitter": "my_splits.Blocks", "params": {"side": 2}, "columns": ["x0", "x1"]}
ODD = """
import sys
import time

import numpy as np


class Odd:
    def __init__(self, how):
        self.how = how

    def split(self, X, y=None):
        rows, half = np.arange(len(X)), len(X) // 2
        first = (rows[:half], rows[half:])
        yield first
        yield {
            "overlaps": lambda: (rows[: half + 1], rows[half:]),
            "repeats": lambda: (rows[:half], rows[[half, half, half + 1]]),
            "reaches": lambda: (rows[:half], rows[half:] + 1),
            "counts back": lambda: (rows[:half], -rows[1:9]),
            "empties": lambda: (rows, rows[:0]),
            "masks": lambda: (rows < half, rows >= half),
            "names": lambda: (["a", "b"], ["c", "d"]),
            "thirds": lambda: (rows[:9], rows[9:18], rows[18:]),
            "draws": lambda: tuple(np.split(np.random.default_rng().permutation(len(X)), [half])),
            "hashes": lambda: tuple(np.split(np.array(sorted(rows, key=lambda row: hash(str(row)))), [half])),
            "raises": lambda: 1 // 0,
            "sleeps": lambda: time.sleep(60),
            "exits": lambda: sys.exit(0),
        }[self.how]()


class Single(Odd):
    def split(self, X, y=None):
        yield np.arange(9), np.arange(9, len(X))


class Nothing:
    pass
"""


@pytest.fixture(autouse=True)
def _packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the documented module and odd splitters where they can be imported, trusted as by a file; afterwards they are unknown."""
    stop_call_server()  # it has the paths of before
    (tmp_path / "my_splits.py").write_text(code_of("extending.md", "A splitter"))
    (tmp_path / "odd_splits.py").write_text(ODD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("tasks.config.base._trusted", set())
    trust_packages({"trusted": ["my_splits", "odd_splits"]})
    yield
    stop_call_server()
    for name in ("my_splits", "odd_splits"):
        sys.modules.pop(name, None)


def test_its_last_pair_is_the_hold_out_and_its_pairs_of_the_others_the_folds(build: Build, tmp_path: Path) -> None:
    """Drawn elsewhere, kept, and the same for whoever asks; other code of it draws anew; its columns are no features."""
    built: TrainingSet = build(sklearn_table("breast_cancer"), query=QUERY, split=SPLIT, trusted=["my_splits"])
    asked = training(query=QUERY, split=SPLIT, trusted=["my_splits"], candidates={"logistic": LOGISTIC})
    split = keep_split(asked, built)
    imported = "my_splits" in sys.modules
    job = plan_jobs(asked, built, tmp_path / "models")[1]
    found = evaluate_fold(job, 0)
    blocks = (np.column_stack([sklearn_table("breast_cancer")[name] for name in ("x0", "x1")]) // 2).astype(int)
    (tmp_path / "my_splits.py").open("a").write("\n")
    edited = plan_jobs(asked, built, tmp_path / "models")[1]

    train, test = split.sides()
    assert not imported
    assert sorted([*train, *test]) == list(range(569))
    assert len(split.folds) == 4
    for place in range(4):
        learnt, judged = split.sides(place)
        assert sorted([*learnt, *judged]) == sorted(train)
        assert not {*map(tuple, blocks[learnt].tolist())} & {*map(tuple, blocks[judged].tolist())}
    assert not {*map(tuple, blocks[train].tolist())} & {*map(tuple, blocks[test].tolist())}
    assert found.error is None
    assert edited.split.path != job.split.path
    assert edited.fingerprint != job.fingerprint
    job.split.path.write_bytes(edited.split.path.read_bytes() + b"other")
    assert replace(job).fingerprint != job.fingerprint, "other rows were drawn"


def test_other_code_of_it_holds_out_other_rows_than_the_champion_was_judged_on(tmp_path: Path) -> None:
    """Which the champion may have learnt, and which are left out of a comparison; the version says what code drew them."""
    asked = {"query": QUERY, "split": SPLIT | {"params": {"side": 0.5}}, "trusted": ["my_splits"]}
    first = judge(tmp_path, sklearn_table("iris"), LOGISTIC, **asked)
    champion = first.decide().champion
    module = tmp_path / "my_splits.py"
    module.write_text(module.read_text().replace("drawn[block.ravel()]", "(drawn[block.ravel()] + 1)"))
    told = judge(tmp_path, sklearn_table("iris"), {"estimator": "sklearn.dummy.DummyClassifier"}, **asked).decide()
    made_with = json.loads((first.models / champion / "environment.json").read_text())

    assert told.version != champion
    assert "held-out rows, of which the champion may have learnt some" in told.reason
    assert made_with["packages"]["my_splits"].startswith("code ")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("overlaps", "pair 2 of 2 has 1 row on both sides"),
        ("repeats", "pair 2 of 2 has a row twice to test"),
        ("reaches", "pair 2 of 2 has the row 20 to test, of rows 0 to 19"),
        ("counts back", "pair 2 of 2 has the row -8 to test"),
        ("empties", "pair 2 of 2 has 0 rows to test, and each side needs 2"),
        ("masks", r"what are no positions of rows to train \(bool\)"),
        ("names", "what are no positions of rows to train"),
        ("thirds", "pair 2 of 2 has 3 parts"),
        ("draws", "gives other rows when it is asked again"),
    ],
)
def test_what_is_no_split_is_refused(how: str, said: str) -> None:
    """By the number of its pair, and with the cure."""
    with pytest.raises(TrainingError, match=said):
        draw("odd_splits.Odd", how=how)


def test_one_pair_makes_no_folds_and_another_class_no_split() -> None:
    """Nor does one of a package that is not trusted, or with parameters that it does not take."""
    with pytest.raises(TrainingError, match="gives 1 pair of 20 rows; have it give 2 to"):
        draw("odd_splits.Single", how="")
    with pytest.raises(ZeroDivisionError):
        draw("odd_splits.Odd", how="raises")
    for splitter, params, said in (
        ("odd_splits.Nothing", {}, "has no split, which takes a frame and a target"),
        ("odd_splits.Odd", {"what": 1}, "refuses its params"),
        ("odd_splits.Gone", {}, "is not there"),
        ("sklearn.model_selection.KFold", {}, "is of no package that training.trusted names"),
    ):
        with pytest.raises(ConfigError, match=said):
            draw(splitter, **params)
        split = OwnSplit(splitter=splitter, params=params, columns=("x",))
        assert [said in mistake for mistake in check_splitter(split, ("odd_splits",))] == [True]


def test_one_that_draws_by_hash_is_told_where_python_has_a_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask leaves one in the environment of whoever starts a worker; nor does a server of the pool change that."""
    monkeypatch.setenv("PYTHONHASHSEED", "1")  # which the second process would have, were it not looked at
    split = OwnSplit(splitter="odd_splits.Odd", params={"how": "hashes"}, columns=("x",))
    server = CallServer()
    call_at(serve := lambda: server.address)
    try:
        with pytest.raises(TrainingError, match="gives other rows in another process"):
            draw_own(split, ("odd_splits",), 1, pa.table({"x": range(20)}), None)
    finally:
        call_no_longer(serve)
        server.stop()


def test_one_that_does_not_end_or_ends_its_process_or_draws_by_hash_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first without a key that it has not, the second with the code that it ended with."""
    table = pa.table({"x": range(20)})
    asked = training(split=SPLIT, trusted=["my_splits"])

    def drawn(how: str, said: str) -> None:
        split = OwnSplit(splitter="odd_splits.Odd", params={"how": how}, columns=("x",))
        with pytest.raises(TrainingError, match=f"^training.split: odd_splits.Odd: {said}"):
            draw_own(split, ("odd_splits",), 1, table, None)

    drawn("hashes", "gives other rows in another process; have it go by no order of a set")
    drawn("exits", "its process ended by itself with exit code 0; ")
    monkeypatch.setattr("tasks.train.data.own_split._TIME_S", 1.0)
    drawn("sleeps", "was killed after 1 s; make it cheaper$")
    told = warn_of_left_out(asked, 569, Sides(np.arange(100), np.arange(100, 189)))

    assert [each.partition(";")[0] for each in told] == ["the splitter leaves out 380 of 569 rows"]
    assert warn_of_left_out(training(), 569, Sides(np.arange(100), np.arange(100, 189))) == []


def draw(splitter: str, **params: Any) -> Any:
    """Return what a splitter makes of twenty rows."""
    import pandas as pd  # noqa: PLC0415 - as a fit has it

    split = OwnSplit(splitter=splitter, params=params, columns=("x",))
    return draw_pairs(split, ("odd_splits",), 1, pd.DataFrame({"x": range(20)}), None)


def test_mistakes_are_told_before_a_run() -> None:
    """A column that is not there, a splitter that is not, and what would part the rows of a fit again."""
    searched = LOGISTIC | {"search": {"by": "grid", "space": {"C": [1.0, 2.0]}}}
    asked = training(split=SPLIT | {"splitter": "my_splits.Gone"}, trusted=["my_splits"], candidates={"one": searched})

    mistakes = check_training(asked)
    (column,) = find_column_mistakes(asked, ["x0", "y", "z"])

    assert mistakes[0].startswith("training.split.splitter: 'my_splits.Gone': is not there; name a class of my_splits")
    assert mistakes[1].startswith("training.candidates.one.search: parts the rows of a fit as the split does")
    assert column.startswith("training.split.columns.1: 'x1' is not a column of the query's result")
    assert "my_splits" not in sys.modules
