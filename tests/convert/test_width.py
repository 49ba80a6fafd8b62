"""Small files that tell of very many columns, or of one very long record."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.convert.formats import splitter as cutting
from tasks.convert.schema import names as width
from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table, read_rows, write_files

CURE = "where ids or dates are keys, write each as a record of its own"


def parquet_of(folder: Path, columns: int) -> None:
    """Write a Parquet file of so many columns into the inbox."""
    (folder / "inbox").mkdir(exist_ok=True)
    pq.write_table(pa.table({f"c{number}": [1] for number in range(columns)}), folder / "inbox" / "a.parquet")


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet"])
def test_more_columns_than_a_table_may_have_are_refused(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the format, a sentence comes before a table that no one can read."""
    monkeypatch.setattr(width, "MAX_COLUMNS", 20)
    names = [f"c{number}" for number in range(21)]
    record = json.dumps(dict.fromkeys(names, 1))
    if suffix == "parquet":
        parquet_of(tmp_path, 21)
    else:
        text = {"csv": f"{','.join(names)}\n{','.join('1' * 21)}\n", "json": f"[{record}]", "jsonl": record}[suffix]
        write_files(tmp_path, **{f"a_{suffix}": text})

    with pytest.raises(TableError, match=rf"has 21 columns, more than the 20 that a table may have; {CURE}$"):
        make_table(tmp_path, files_source())


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_records_that_share_no_keys_are_refused(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids as keys make a column of each, and as many empty cells as there are ids, times the records."""
    monkeypatch.setattr(width, "MAX_CELLS", 99)
    records = [json.dumps({f"id {number}": number}) for number in range(10)]
    write_files(tmp_path, **{f"a_{suffix}": f"[{','.join(records)}]" if suffix == "json" else "\n".join(records)})

    with pytest.raises(TableError, match=rf"has 10 different columns in 10 records, most of them empty; {CURE}$"):
        make_table(tmp_path, files_source())


def test_files_that_share_no_columns_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What each file has is little; each has all columns of the table in the end."""
    write_files(tmp_path, a_csv="a,b\n" + "1,2\n" * 20, b_csv="c,d,e,f\n1,2,3,4\n")
    make_table(tmp_path, files_source())
    assert len(read_rows(tmp_path)) == 21
    monkeypatch.setattr(width, "MAX_CELLS", 100)

    write_files(tmp_path, c_csv="g\n1\n")
    with pytest.raises(TableError, match=r"has 7 different columns in 20 records"):
        make_table(tmp_path, files_source())


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_record_too_long_to_be_one_is_refused(tmp_path: Path, quote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without line ends, or with a quote that is never closed, is not read to its end in search of one."""
    monkeypatch.setattr(cutting, "RECORD_BYTES", 1024 * 1024)
    write_files(tmp_path, a_csv=f"a,b\n1,2\n{quote}" + "x" * 18_000_000)

    with pytest.raises(TableError, match="the record that begins in line 3 is longer than 1 MiB; is it a text file"):
        make_table(tmp_path, files_source())
