"""Files as they come from elsewhere: for each the exact rows and rejects, or the one sentence."""

from __future__ import annotations

import gzip
import threading
import zlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.convert.files import opening
from tasks.convert.staging.file import BLOCK_BYTES
from tasks.core.errors import TableError
from tests.convert.conftest import NO_LIMIT, files_source, make_table, read_rejects, read_rows
from tests.convert.torture import CASES, CUT, Case, bomb

BY_NAME = [pytest.param(case, id=case.name) for case in CASES if case.name != "cut.csv.gz"]


@pytest.mark.parametrize("case", BY_NAME)
def test_every_row_is_in_the_table_or_a_reject(case: Case, tmp_path: Path) -> None:
    """Whatever the file, its good rows are in the table, each other one is told, and nothing is lost."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / case.name).write_bytes(case.content)
    source = files_source(columns=case.columns or {}, read=case.read or {}, table=NO_LIMIT)

    if case.error is not None:
        with pytest.raises(TableError) as caught:
            make_table(tmp_path, source)
        assert str(caught.value) == f"inbox/{case.name}: {case.error}"
        return
    table = make_table(tmp_path, source)

    assert read_rows(tmp_path) == list(case.rows)
    rejects = read_rejects(tmp_path) if case.rejects else []
    assert [(reject["line"], reject["reason"]) for reject in rejects] == list(case.rejects)
    assert table.rows_received == table.rows_table + table.rows_rejected == len(case.rows) + len(case.rejects)


def test_the_whole_folder_is_one_table_where_no_file_is_refused(tmp_path: Path) -> None:
    """Side by side the files widen each other's columns, and none harms another."""
    (tmp_path / "inbox").mkdir()
    cases = [case for case in CASES if case.error is None and not (case.columns or case.read)]
    cases = [case for case in cases if case.name not in ("wide.csv", "long-field.csv", "cut.csv.gz", "no-header.csv")]
    for case in cases:
        (tmp_path / "inbox" / case.name).write_bytes(case.content)

    table = make_table(tmp_path, files_source(table=NO_LIMIT))

    rows, rejects = sum(len(case.rows) for case in cases), sum(len(case.rejects) for case in cases)
    assert (table.files, table.rows_table, table.rows_rejected) == (len(cases), rows, rejects)
    assert len({pq.read_schema(path) for path in (tmp_path / "tables" / "rows").glob("*.parquet")}) == 1


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_gzip_cut_off_keeps_every_row_before_the_cut(share: float, tmp_path: Path) -> None:
    """All that can be decompressed is in the table; the record that is cut in two is a reject that says why."""
    (tmp_path / "inbox").mkdir()
    data = CUT[: int(len(CUT) * share)]
    (tmp_path / "inbox" / "cut.csv.gz").write_bytes(data)
    whole = zlib.decompressobj(31).decompress(data)
    lines = whole.split(b"\n")

    table = make_table(tmp_path, files_source())

    assert [(row["a"], row["b"]) for row in read_rows(tmp_path)] == [
        tuple(map(int, line.split(b","))) for line in lines[1:-1]
    ]
    (reject,) = read_rejects(tmp_path)
    assert (reject["line"], reject["raw"]) == (len(lines), lines[-1].decode())
    assert reject["reason"].startswith("its .gz compression is damaged or cut off (Compressed file ended")
    assert table.rows_received == len(lines) - 1


def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What expands a thousandfold is stopped where that shows; honest data never comes near."""
    monkeypatch.setattr(opening, "BOMB_BYTES", 64 * 1024 * 1024)
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "bomb.csv.gz").write_bytes(bomb(256 * 1024 * 1024))

    with pytest.raises(TableError, match=r"bomb.csv.gz: holds more than 500 times what it takes up"):
        make_table(tmp_path, files_source())

    assert not (tmp_path / "tables").exists()


def test_a_folder_named_like_a_file_is_no_file(tmp_path: Path) -> None:
    """A glob that takes in a folder reads the files beside it."""
    (tmp_path / "inbox" / "x.csv").mkdir(parents=True)
    (tmp_path / "inbox" / "a.csv").write_text("a\n1\n")

    make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == [{"a": 1}]


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    """A file that still grows is not taken for whole, and the table stays as it was."""
    (tmp_path / "inbox").mkdir()
    path = tmp_path / "inbox" / "a.csv"
    path.write_bytes(b"a\n" + b"1\n" * (BLOCK_BYTES // 2))
    stop = threading.Event()

    def grow() -> None:
        while not stop.wait(0.001):
            with path.open("ab") as file:
                file.write(b"2\n")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(TableError, match=r"inbox/a.csv: changed while it was read; run again when it is whole"):
            make_table(tmp_path, files_source())
    finally:
        stop.set()
        writer.join()

    assert not (tmp_path / "tables" / "rows").exists()


def test_a_file_deleted_while_it_is_read_is_told(tmp_path: Path) -> None:
    """A file that goes away while its blocks are converted makes no half table."""
    (tmp_path / "inbox").mkdir()
    path = tmp_path / "inbox" / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a\n" + b"1\n" * BLOCK_BYTES, compresslevel=1))
    timer = threading.Timer(0.05, path.unlink)
    timer.start()

    try:
        with pytest.raises(TableError, match=r"^inbox/a.csv.gz: is gone since it was listed; run again$"):
            make_table(tmp_path, files_source())
    finally:
        timer.join()

    assert not (tmp_path / "tables" / "rows").exists()
