"""A file that took the place of another is read, whatever its size and time say."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.convert.conftest import files_source, make_table, read_rows, write_files


def write_over(path: Path, content: str) -> None:
    """Write into the same file, and set its time back."""
    before = path.stat()
    path.write_text(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def put_in_its_place(path: Path, content: str) -> None:
    """Move a file of the same time to its place, as rsync --times does."""
    other = path.with_name(".other")
    other.write_text(content)
    os.utime(other, ns=(0, path.stat().st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("replace", [write_over, put_in_its_place])
@pytest.mark.parametrize("others", [0, 120])
def test_a_file_of_the_same_size_and_time_is_read(
    tmp_path: Path, replace: Callable[[Path, str], None], others: int
) -> None:
    """Alone, and among many small ones that are read together."""
    write_files(tmp_path, a_csv="id,v\n1,5\n", **{f"b{n}_csv": f"id,v\n{n},7\n" for n in range(others)})
    make_table(tmp_path, files_source())

    replace(tmp_path / "inbox" / "a.csv", "id,v\n1,6\n")
    table = make_table(tmp_path, files_source())

    assert table.files_read >= 1
    assert sorted(row["v"] for row in read_rows(tmp_path)) == [6, *[7] * others]


def test_a_file_whose_rights_changed_is_not_converted_again(tmp_path: Path) -> None:
    """Its content is what it was."""
    write_files(tmp_path, a_csv="id,v\n1,5\n")
    make_table(tmp_path, files_source())

    (tmp_path / "inbox" / "a.csv").chmod(0o600)

    assert make_table(tmp_path, files_source()).files_read == 0
