"""Many small workbooks that are no .xlsx: read in one process, and a damaged one is told by itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tasks.convert.formats.excel import apart
from tasks.convert.staging import bundle
from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table, read_rows
from tests.convert.formats.ended_reader import ENDED
from tests.convert.formats.test_other_workbooks import WORKBOOKS
from tests.convert.slow_paths import count_calls, inbox

COUNT = 6


def write_many(root: Path, suffix: str) -> None:
    """Write so many workbooks."""
    for number in range(COUNT):
        (inbox(root) / f"{number}.{suffix}").write_bytes((WORKBOOKS / f"base.{suffix}").read_bytes() + bytes(number))


@pytest.mark.parametrize("suffix", ["xls", "xlsb", "ods"])
def test_many_are_read_in_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """A process for each took ten times as long as an .xlsx takes."""
    monkeypatch.setattr(bundle, "MANY_FILES", COUNT)
    write_many(tmp_path, suffix)
    counts: Counter[str] = Counter()
    for name in ("run_isolated", "each_isolated"):
        count_calls(monkeypatch, counts, apart, name)

    table = make_table(tmp_path, files_source(read={"header": False}, table={"provenance": True}))

    assert counts == {"each_isolated": 1}
    assert (table.rows_table, table.rows_rejected) == (COUNT, 0)
    rows = [(row.pop("_file"), row) for row in read_rows(tmp_path)]
    assert [name for name, _ in rows] == [f"inbox/{number}.{suffix}" for number in range(COUNT)]
    assert all(row == rows[0][1] for _, row in rows)


@pytest.mark.parametrize(("most", "single", "readers"), [(3, 1, 2), (1, COUNT - ENDED, 1)])
def test_one_that_ends_the_process_is_read_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, single: int, readers: int
) -> None:
    """What it costs is its own: those below it are read in another process, but where so many have ended, each by itself."""
    monkeypatch.setattr(apart, "_MOST_ENDED", most)
    monkeypatch.setattr(bundle, "MANY_FILES", COUNT)
    monkeypatch.setattr(apart, "_EACH", "tests.convert.formats.ended_reader:write_sheets")
    write_many(tmp_path, "xls")
    counts: Counter[str] = Counter()
    for name in ("run_isolated", "each_isolated"):
        count_calls(monkeypatch, counts, apart, name)

    table = make_table(tmp_path, files_source(read={"header": False}))

    assert counts == {"run_isolated": single, "each_isolated": readers}
    assert table.rows_table == COUNT


def test_a_damaged_one_of_many_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told with the same words as one that lies there alone."""
    monkeypatch.setattr(bundle, "MANY_FILES", COUNT)
    write_many(tmp_path, "xls")
    (tmp_path / "inbox" / "2.xls").write_bytes((WORKBOOKS / "base.xls").read_bytes()[:2000])

    with pytest.raises(TableError, match=r"^inbox/2.xls: is not an Excel file that can be read") as raised:
        make_table(tmp_path, files_source(read={"header": False}))

    assert len(str(raised.value).splitlines()) == 1
