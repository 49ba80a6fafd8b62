"""The rows of a training are split once: whoever needs to know which of them train reads the split that is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import pyarrow as pa
import pytest

from flows.train import train
from tasks.config import Pipeline
from tasks.core.errors import TrainingError
from tasks.core.storage import DataFolder, read_json
from tasks.train.data import split
from tasks.train.data.features import features_of, read_frame, read_target
from tasks.train.data.split_file import keep_split
from tasks.train.evaluation.leaderboard import Leaderboard
from tasks.train.registry.training_rows import number_rows
from tests.thorough import takes_minutes
from tests.train.conftest import LOGISTIC, Build, sklearn_table, training, write_table

flow = pytest.mark.flow
WEAK = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 1}}

Draws = Callable[[], int]


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Draws:
    """Return a function that counts how often this process, and those that it forks, have drawn a split so far."""
    notes = tmp_path / "draws.txt"
    notes.touch()

    def noting(draw: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any) -> Any:
            with notes.open("a") as file:
                file.write("drawn\n")
            return draw(*arguments)

        return noted

    for name in ("_hold_out_at_random", "_hold_out_by_time", "_hold_out_groups"):
        monkeypatch.setattr(split, name, noting(getattr(split, name)))
    return lambda: len(notes.read_text().splitlines())


def pipeline(data: Path, candidate: dict[str, Any], workers: int | None = None, **changes: Any) -> Pipeline:
    """Return a pipeline of one candidate on wines, whose table it writes below `data`."""
    wines = sklearn_table("wine")
    write_table(data / "tables" / "rows", {**wines, "moment": [row % 40 for row in wines["row"]]})
    section = training(
        query="SELECT * EXCLUDE (row) FROM rows ORDER BY row",
        runner={"kind": "processes", "workers": workers},
        learning_curve=False,
        candidates={"only": candidate},
        **changes,
    )
    sources = {"rows": {"kind": "files", "path": "inbox/*.csv"}}
    return Pipeline.model_validate({"name": "wine", "sources": sources, "training": section.model_dump()})


def kept_split(data: Path, leaderboard: Leaderboard) -> Path:
    """Return the file of a training's split, which is beside its training set."""
    path = leaderboard.split.path
    assert path.parent == DataFolder.at(data).training("wine")
    return path


@flow
@pytest.mark.usefixtures("prefect_server")
@takes_minutes("it trains twice")
def test_a_run_draws_its_split_once(tmp_path: Path, draws: Draws) -> None:
    """Checks, fits, the hold-out, what is kept of a version, and its comparison with the champion go by one draw."""
    by = {"by": "group", "column": "moment"}
    asyncio.run(train(pipeline(tmp_path, WEAK, split=by), tmp_path))
    first = draws()
    second = asyncio.run(train(pipeline(tmp_path, LOGISTIC, split={**by, "test_fraction": 0.3}), tmp_path))

    assert (first, draws()) == (1, 2)
    assert kept_split(tmp_path, second) in tmp_path.rglob("rows-*.npz")
    champion = read_json(tmp_path / "models" / "wine" / "champion.json")
    assert champion["decisions"][-1]["difference"] is not None


@flow
@pytest.mark.usefixtures("prefect_server")
@takes_minutes("it trains twice by processes")
def test_every_process_reads_the_split_that_is_kept(tmp_path: Path, draws: Draws) -> None:
    """With its sides changed on disk, fits, hold-out and version of another candidate are of the rows that the file names."""
    path = kept_split(tmp_path, asyncio.run(train(pipeline(tmp_path, WEAK, 2), tmp_path)))
    with np.load(path) as kept:
        arrays = dict(kept)
    arrays["train"], moved = np.sort(np.r_[arrays["train"][10:], arrays["test"][:10]]), arrays["train"][:10]
    arrays["test"] = np.sort(np.r_[arrays["test"][10:], moved])
    np.savez(path, **arrays)

    changed = path.read_bytes()

    leaderboard = asyncio.run(train(pipeline(tmp_path, LOGISTIC, 2), tmp_path))

    assert (draws(), kept_split(tmp_path, leaderboard), path.read_bytes()) == (1, path, changed)
    version = max((tmp_path / "models" / "wine").glob("v*"))
    with pa.ipc.open_file(str(version / "holdout.arrow")) as file:
        assert file.read_all()["row"].to_pylist() == arrays["test"].tolist()
    assert np.load(version / "learnt.npy").tolist() == numbers_of(leaderboard, arrays["train"]).tolist()


def numbers_of(leaderboard: Leaderboard, rows: Any) -> Any:
    """Return the numbers by which a version knows some rows of a training set."""
    table = pa.ipc.open_file(str(leaderboard.training_set.path)).read_all()
    frame = read_frame(table, features_of(leaderboard.training, table.schema), rows)
    truth = read_target(table.column("y"), "classification")[rows]
    return np.sort(number_rows(frame, truth, list(frame.columns)))


@pytest.mark.parametrize("member", ["train.npy", "test_1.npy", "unit.npy"])
def test_a_damaged_split_is_drawn_again(build: Build, tmp_path: Path, member: str) -> None:
    """A byte of any of its members may have become another."""
    by = {"by": "time", "column": "t", "folds": 3}
    training_set = build({"x": range(40), "t": range(40), "y": [True, False] * 20}, split=by)
    (path,) = tmp_path.rglob("rows-*.npz")
    intact = path.read_bytes()
    with ZipFile(path) as archive:
        at = archive.getinfo(member).header_offset + 30 + len(member) + 128 + 8
    path.write_bytes(intact[:at] + bytes([intact[at] ^ 1]) + intact[at + 1 :])
    with pytest.raises(BadZipFile), np.load(path) as kept:
        kept[member.removesuffix(".npy")]

    split = keep_split(training(split=by), training_set)

    assert (split.path, path.read_bytes()) == (path, intact)


def test_rows_that_cannot_be_split_keep_no_split(build: Build, tmp_path: Path) -> None:
    """The sentence is that of the split, and no file is left of it."""
    with pytest.raises(TrainingError, match=r"training\.split\.folds: there are 2 rows of the rarest class"):
        build({"x": range(40), "y": [True] * 3 + [False] * 37}, split={"by": "random", "stratify": True})

    assert list(tmp_path.rglob("rows-*")) == []
