"""A table of which something is gone or was copied: it is as it was, or the run says what is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tasks.convert.table.damage import warn_of_lost_rejects
from tasks.convert.table.job import make_job
from tasks.convert.table.state import CommittedTable, open_table
from tasks.core.errors import TableError
from tasks.core.storage import DataFolder
from tests.convert.conftest import files_source, make_table, read_rejects, read_rows, write_files

SOURCE = files_source(columns={"x": "int"})
ROWS = [{"x": 1}, {"x": 2}]


def make(root: Path, *, gone: bool = True) -> CommittedTable:
    """Make the table of two files, of which one is gone then, and which has two versions."""
    for files in ({"a_csv": "x\n1\nbad\n"}, {"b_csv": "x\n2\n"}):
        write_files(root, **files)
        table = make_table(root, SOURCE)
    if gone:
        (root / "inbox" / "a.csv").unlink()
    return table


def found(root: Path) -> tuple[int, list[dict[str, object]], list[str]]:
    """Run once more; return how many files were read, the rows, and the rejects' texts."""
    read = make_table(root, SOURCE).files_read
    return read, read_rows(root), [row["raw"] for row in read_rejects(root)]


@pytest.mark.parametrize(
    "lost",
    [
        ["tables"],
        ["rejects"],
        ["tables/rows", "rejects/rows"],
        [".tables/rows/current"],
        [".tables/rows/000001"],
        [".tables/rows/000002/table/_manifest.json"],
        [".manifests"],
        [".tables/rows/000001", ".manifests", "tables"],
    ],
)
def test_what_can_be_found_again_is(tmp_path: Path, lost: list[str]) -> None:
    """Links, manifests and versions that are gone are made again of those that are left, and nothing is read."""
    make(tmp_path)

    for name in lost:
        path = tmp_path / name
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    assert found(tmp_path) == (0, ROWS, ["bad"])
    assert found(tmp_path) == (0, ROWS, ["bad"])


def test_the_version_that_counts_is_made_again_of_the_one_before(tmp_path: Path) -> None:
    """Of a lost version the parts come from the other, or from the files that are there."""
    make(tmp_path)

    shutil.rmtree(tmp_path / ".tables" / "rows" / "000002")

    assert found(tmp_path) == (1, ROWS, ["bad"])
    assert found(tmp_path) == (0, ROWS, ["bad"])


def test_rows_that_nothing_holds_any_more_are_told(tmp_path: Path) -> None:
    """A run that could only make a smaller table fails, names part and file, and the file put back mends it."""
    make(tmp_path)

    shutil.rmtree(tmp_path / ".tables")

    lost = r"tables/rows/a-\w+\.parquet is gone or damaged, and so is what it was made of, inbox/a\.csv; put that back, or say"
    with pytest.raises(TableError, match=lost):
        make_table(tmp_path, SOURCE)
    with pytest.raises(TableError, match=lost):
        make_table(tmp_path, SOURCE, fresh=True)
    write_files(tmp_path, a_csv="x\n1\nbad\n")
    assert found(tmp_path) == (2, ROWS, ["bad"])


def test_rows_that_are_lost_are_dropped_on_demand(tmp_path: Path) -> None:
    """The cure that the message names makes the table of what is there."""
    make(tmp_path)
    shutil.rmtree(tmp_path / ".tables")

    table = make_table(tmp_path, files_source(columns={"x": "int"}, on_missing="drop"))

    assert (table.rows_table, read_rows(tmp_path)) == (1, [{"x": 2}])


def test_a_damaged_part_is_made_again(tmp_path: Path) -> None:
    """Bytes that changed in place are seen, though size and footer are right."""
    make(tmp_path, gone=False)
    part = next((tmp_path / "tables" / "rows").glob("b-*.parquet"))

    content = bytearray(part.read_bytes())
    content[6] ^= 255
    part.write_bytes(content)

    assert found(tmp_path) == (1, ROWS, ["bad"])


def test_damaged_rejects_of_a_file_that_is_gone_are_told(tmp_path: Path) -> None:
    """They end the run until they are deleted; then the rows stay, and each run says that the rejects are lost."""
    make(tmp_path)
    (rejects,) = (tmp_path / "rejects" / "rows").glob("*.parquet")

    rejects.write_bytes(b"PAR1")

    with pytest.raises(
        TableError, match=r"a\.csv; put that back, or delete .*rejects/rows/a-\w+\.parquet to go on without"
    ):
        make_table(tmp_path, SOURCE)
    rejects.unlink()
    (tmp_path / ".tables" / "rows" / "000001" / "rejects" / rejects.name).unlink()
    table = make_table(tmp_path, SOURCE)
    job = make_job("rows", SOURCE, DataFolder(tmp_path), allow_partial=False)
    assert (table.rows_received, table.rows_rejected, read_rows(tmp_path)) == (3, 1, ROWS)
    assert warn_of_lost_rejects(job, open_table(job, fresh=False)) == (
        "the rejects of inbox/a.csv are gone, and so is the file; put it back to have them made again",
    )
    write_files(tmp_path, c_csv="x\n3\n")
    assert make_table(tmp_path, SOURCE).rows_table == 3


@pytest.mark.parametrize(
    "kept", [[".tables", ".manifests", "tables", "rejects", "inbox"], ["tables", "rejects", "inbox"]]
)
def test_a_copy_without_links_goes_on(tmp_path: Path, kept: list[str]) -> None:
    """A data folder copied as plain files, also without its hidden folders, holds the same table, and links again."""
    (tmp_path / "data").mkdir()
    make(tmp_path / "data")
    copy = tmp_path / "copy"
    for name in kept:
        shutil.copytree(tmp_path / "data" / name, copy / name, symlinks=False, copy_function=shutil.copyfile)
    shutil.rmtree(tmp_path / "data")

    read, rows, rejects = found(copy)

    assert (read, rows, rejects) == (0 if ".tables" in kept else read, ROWS, ["bad"])
    assert ((copy / "tables" / "rows").is_symlink(), (copy / ".tables" / "rows" / "current").is_symlink()) == (
        True,
        True,
    )
    assert found(copy) == (0, ROWS, ["bad"])


def test_a_copy_is_hashed_once(tmp_path: Path) -> None:
    """A part with another time, as a copy has it, gets its own back when its bytes are right."""
    make(tmp_path)
    part = next((tmp_path / "tables" / "rows").glob("a-*.parquet"))
    before = part.stat().st_mtime_ns

    part.touch()

    assert found(tmp_path) == (0, ROWS, ["bad"])
    assert part.stat().st_mtime_ns == before


def test_a_table_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    """A manifest without checksums, pipeline and number counts as it is; a part that is cut off is made again."""
    make(tmp_path, gone=False)
    place = tmp_path / "tables" / "rows" / "_manifest.json"
    manifest = json.loads(place.read_text())
    place.write_text(json.dumps({key: manifest[key] for key in ("fingerprint", "types", "files", "parts")}))
    shutil.rmtree(tmp_path / ".manifests")

    assert found(tmp_path) == (0, ROWS, ["bad"])
    next((tmp_path / "tables" / "rows").glob("b-*.parquet")).write_bytes(b"PAR1")
    assert found(tmp_path) == (1, ROWS, ["bad"])
    assert json.loads(place.read_text())["number"] == 3


@pytest.mark.parametrize("place", ["tables/rows", "rejects/rows"])
def test_what_no_run_has_made_is_not_deleted(tmp_path: Path, place: str) -> None:
    """A folder of the user's where a table should be found ends the run, and stays."""
    make(tmp_path)
    (tmp_path / place).unlink()
    (tmp_path / place).mkdir()
    (tmp_path / place / "notes.txt").write_text("mine")

    with pytest.raises(TableError, match=f"{place} is in the way of the table, and no run has made it; move it away"):
        make_table(tmp_path, SOURCE)

    assert (tmp_path / place / "notes.txt").read_text() == "mine"
