"""Litter of systems, in archives, folders and globs: passed over."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import fsspec
import pytest

from tasks.convert.files.content import is_litter
from tasks.convert.files.listing import list_local, list_remote
from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table, read_rows, write_files

LITTER = [
    "__MACOSX/._a.csv",
    "__MACOSX/sub/a.csv",
    ".DS_Store",
    "sub/.DS_Store",
    "Thumbs.db",
    "desktop.ini",
    "._a.csv",
    "~$a.xlsx",
]


@pytest.mark.parametrize("name", LITTER)
def test_an_archive_may_hold_litter(tmp_path: Path, name: str) -> None:
    """Its one file of a user is read."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, b"\0\5\x16\7")
        archive.writestr("data/a.csv", "id\n1\n")
    write_files(tmp_path, a_zip=buffer.getvalue())

    make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == [{"id": 1}]


def test_an_archive_of_two_files_still_asks_which(tmp_path: Path) -> None:
    """Litter is not named; and what is named is read, whatever it is called."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("a.csv", "._a.csv", "b.csv"):
            archive.writestr(name, "id\n1\n")
    write_files(tmp_path, a_zip=buffer.getvalue())

    with pytest.raises(TableError, match=r"holds 2 files \(a.csv, b.csv\); name one as read.member"):
        make_table(tmp_path, files_source())
    assert make_table(tmp_path, files_source(read={"member": "._a.csv"})).rows_table == 1


@pytest.mark.parametrize("path", ["inbox", "inbox/*", "inbox/**/*", "inbox/*.*"])
def test_folders_and_globs_pass_over_litter(tmp_path: Path, path: str) -> None:
    """Also in folders of their own, and the files that Excel keeps beside an open workbook."""
    for name in (*LITTER, "a.csv"):
        file = tmp_path / "inbox" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("id\n1\n")

    assert [Path(file.path).name for file in list_local(path, tmp_path)] == ["a.csv"]


def test_a_file_that_is_named_is_no_litter(tmp_path: Path) -> None:
    """Who writes its whole name means it."""
    (tmp_path / "._a.csv").write_text("id\n1\n")

    assert [file.path for file in list_local("._a.csv", tmp_path)] == [str(tmp_path / "._a.csv")]


def test_a_store_may_hold_litter() -> None:
    """As a folder may."""
    memory = fsspec.filesystem("memory")
    for name in ("a.csv", "__MACOSX/b.csv", "sub/Thumbs.db", "~$c.xlsx"):
        memory.pipe(f"/litter/{name}", b"id\n1\n")

    for url in ("memory://litter", "memory://litter/**"):
        assert [file.url for file in list_remote(url)] == ["memory:///litter/a.csv"]


@pytest.mark.parametrize("name", ["a.csv", "Thumbs.db.csv", "_x.csv", "MACOSX/a.csv", "a~$.xlsx", "my desktop.ini.csv"])
def test_other_names_are_of_users(name: str) -> None:
    """Only the names that systems give are litter."""
    assert not is_litter(name)
