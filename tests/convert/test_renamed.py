"""A file is known by its content: under another name the same bytes replace, and are not counted a second time."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.config import Source
from tasks.convert.table.commit import commit_table
from tasks.convert.table.conversion import draft_table
from tasks.convert.table.draft import Draft
from tasks.convert.table.inbox import warn_of_copied_files
from tasks.convert.table.job import make_job
from tasks.convert.table.state import find_changed, open_table
from tasks.convert.tasks import convert_files
from tasks.core.storage import DataFolder
from tests.convert.conftest import files_source, make_table, read_rejects, read_rows, write_files

SOURCE = files_source("inbox", columns={"x": "int"})
CONTENT = "x\n1\nbad\n3\n"


def make_draft(root: Path, source: Source) -> Draft:
    """Make the table, and return the draft that became it."""
    job = make_job("rows", source, DataFolder(root), allow_partial=False)
    manifest = open_table(job, fresh=False)
    draft = asyncio.run(draft_table(job, manifest, find_changed(job, manifest), convert_files.fn))
    commit_table(draft)
    return draft


def move(path: Path) -> str:
    """Move a file into a folder."""
    path.parent.joinpath("2024").mkdir()
    path.rename(path.parent / "2024" / path.name)
    return "2024/a.csv"


def compress(path: Path) -> str:
    """Compress a file."""
    path.with_name("a.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return "a.csv.gz"


def compress_in_folder(path: Path) -> str:
    """Compress a file otherwise, into a folder."""
    path.parent.joinpath("old").mkdir()
    (path.parent / "old" / "b.csv.bz2").write_bytes(bz2.compress(path.read_bytes()))
    path.unlink()
    return "old/b.csv.bz2"


def rename(path: Path) -> str:
    """Rename a file."""
    path.rename(path.with_name("z.csv"))
    return "z.csv"


@pytest.mark.parametrize("change", [rename, move, compress, compress_in_folder])
def test_a_file_under_another_name_replaces_the_one_that_is_gone(tmp_path: Path, change: Callable[[Path], str]) -> None:
    """Rows and rejects are there once, it is told, and the next run has nothing to do."""
    write_files(tmp_path, a_csv=CONTENT, c_csv="x\n7\n")
    make_table(tmp_path, SOURCE)

    name = change(tmp_path / "inbox" / "a.csv")
    draft = make_draft(tmp_path, SOURCE)

    table = make_table(tmp_path, SOURCE)
    assert sorted(row["x"] for row in read_rows(tmp_path)) == [1, 3, 7]
    assert [(row["file"], row["raw"]) for row in read_rejects(tmp_path)] == [(f"inbox/{name}", "bad")]
    assert (table.rows_received, table.files, table.files_read) == (4, 2, 0)
    assert f"inbox/{name} has the very bytes of inbox/a.csv, which is gone, and takes its place" in draft.warnings


def test_a_file_that_was_decompressed_replaces_too(tmp_path: Path) -> None:
    """The other way round the content is as well the same."""
    write_files(tmp_path, a_csv_gz=CONTENT)
    make_table(tmp_path, SOURCE)

    (tmp_path / "inbox" / "a.csv.gz").unlink()
    write_files(tmp_path, a_csv=CONTENT)

    assert make_table(tmp_path, SOURCE).rows_received == 3


def test_a_row_dropped_for_one_of_a_renamed_file_is_judged_anew(tmp_path: Path) -> None:
    """Of the rows with one key the table keeps those that it would keep of the files as they are called now."""
    source = files_source("inbox", key=["id"])
    write_files(tmp_path, a_csv="id,y\n1,a\n2,a\n", b_csv="id,y\n1,b\n3,b\n")
    make_table(tmp_path, source)

    (tmp_path / "inbox" / "a.csv").rename(tmp_path / "inbox" / "z.csv")
    make_table(tmp_path, source)
    found = sorted((row["id"], row["y"]) for row in read_rows(tmp_path))
    make_table(tmp_path, source, fresh=True)

    assert found == sorted((row["id"], row["y"]) for row in read_rows(tmp_path))
    assert len(found) == 3


def test_a_file_among_many_that_share_a_part_is_renamed(tmp_path: Path) -> None:
    """Its rows leave the part that it shared."""
    write_files(tmp_path, **{f"{number:03}_csv": f"x\n{number}\n" for number in range(120)})
    make_table(tmp_path, SOURCE)

    (tmp_path / "inbox" / "007.csv").rename(tmp_path / "inbox" / "bond.csv")
    table = make_table(tmp_path, SOURCE)

    assert (table.rows_table, table.files) == (120, 120)
    assert sorted(row["x"] for row in read_rows(tmp_path)) == list(range(120))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {},
            ("inbox/b.csv has the very bytes of inbox/a.csv: their rows count twice; delete one, or declare a key",),
        ),
        ({"key": ["x"]}, ()),
    ],
)
def test_a_file_that_is_there_twice_counts_twice_and_is_told(
    tmp_path: Path, settings: dict[str, Any], told: tuple[str, ...]
) -> None:
    """Both are there, so both are asked for; what is doubtful is said in every run, unless a key drops the copies."""
    source = files_source("inbox", columns={"x": "int"}, **settings)
    write_files(tmp_path, a_csv=CONTENT, e_csv="x\n", f_csv="x\n")
    shutil.copy(tmp_path / "inbox" / "a.csv", tmp_path / "inbox" / "b.csv")

    draft = make_draft(tmp_path, source)

    assert make_table(tmp_path, source).rows_received == 6
    assert warn_of_copied_files(draft.job, draft.files) == told


def test_equal_files_that_are_all_renamed_count_as_often_as_they_are(tmp_path: Path) -> None:
    """Each takes the place of one that is gone."""
    (tmp_path / "inbox").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "inbox" / name).write_text("x\n1\n")
    make_table(tmp_path, SOURCE)
    for name in ("a.csv", "b.csv"):
        (tmp_path / "inbox" / name).rename(tmp_path / "inbox" / f"new {name}")

    table = make_table(tmp_path, SOURCE)

    assert (table.rows_received, table.rows_table, table.files) == (2, 2, 2)
