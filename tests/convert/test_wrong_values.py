"""Files that could be read as other values than they hold: mended, rejected, or told; never silently wrong."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.convert.conftest import files_source, make_table, read_rejects, read_rows, write_files

ROWS = b"".join(b"%d,%d\n" % (number, number * number) for number in range(20_000))
RECORDS = b"".join(b'{"id": %d, "square": %d}\n' % (number, number * number) for number in range(20_000))


def convert(root: Path, name: str, content: bytes, **settings: Any) -> tuple[str, ...]:
    """Return the warnings of the table of one file."""
    (root / "inbox").mkdir()
    (root / "inbox" / name).write_bytes(content)
    return make_table(root, files_source(**settings)).findings.warnings


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", gzip.compress(b"id,square\n" + ROWS, mtime=0)),
        ("a.csv.bz2", bz2.compress(b"id,square\n" + ROWS, 1)),
        ("a.jsonl.gz", gzip.compress(RECORDS, mtime=0)),
    ],
)
def test_a_compressed_file_that_is_cut_off_is_told(name: str, content: bytes, tmp_path: Path) -> None:
    """Its one reject is below any share of rejects, and still the file and the cure are named."""
    told = convert(tmp_path, name, content[: len(content) * 2 // 3], table={"warn_rejects": None})

    assert len(read_rows(tmp_path)) > 1000
    (warning,) = told
    assert warning.startswith(f"inbox/{name}: its .{name.rsplit('.', maxsplit=1)[1]} compression is damaged or cut off")
    assert warning.endswith("fetch the file again")


def test_a_whole_compressed_file_is_not_told(tmp_path: Path) -> None:
    """Nothing is said where nothing is lost."""
    assert convert(tmp_path, "a.csv.gz", gzip.compress(b"id,square\n" + ROWS)) == ()


def test_json_lines_cut_off_in_the_last_record_are_told(tmp_path: Path) -> None:
    """One reject of many rows is not all that is lost."""
    told = convert(tmp_path, "a.jsonl", RECORDS[:-9])

    assert told == (
        "inbox/a.jsonl: is cut off within its last line, and what follows is in no row; fetch the file again",
    )
    assert len(read_rejects(tmp_path)) == 1


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_json_lines_with_a_whole_last_record_are_not_told(end: bytes, tmp_path: Path) -> None:
    """The line end of the last one may be missing."""
    assert convert(tmp_path, "a.jsonl", RECORDS.rstrip() + end) == ()


@pytest.mark.parametrize("kind", ["float", "int"])
def test_a_group_of_thousands_never_begins_with_zero(kind: str, tmp_path: Path) -> None:
    """0,125 is no 125: it is a reject, and the values that are well written stay."""
    write_files(tmp_path, a_csv='id,v\n1,"1,250"\n2,"0,125"\n3,0\n4,"-12,000"\n5,"00,125"\n')
    columns = {"v": {"type": kind, "thousands": ","}}

    make_table(tmp_path, files_source(columns=columns, table={"max_rejects": None}))

    assert [(row["id"], row["v"]) for row in read_rows(tmp_path)] == [(1, 1250), (3, 0), (4, -12000)]
    assert [reject["line"] for reject in read_rejects(tmp_path)] == [3, 6]


def test_a_value_that_begins_with_zero_is_not_taken_for_thousands(tmp_path: Path) -> None:
    """What would make 125 of 0,125 is not proposed."""
    write_files(tmp_path, a_csv='id,v\n1,"1,250"\n2,"0,125"\n3,"2,500"\n')

    assert not any("thousands" in warning for warning in make_table(tmp_path, files_source()).findings.warnings)


def test_the_last_day_of_sparks_times_stays_what_it_is(tmp_path: Path) -> None:
    """Times of INT96 beyond 2262, which nanoseconds do not reach, are times."""
    times = [dt.datetime(2024, 5, 1, 12, 30, 0, 123456), dt.datetime(9999, 12, 31)]  # noqa: DTZ001 - INT96 has no zone
    buffer = io.BytesIO()
    table = pa.table({"until": pa.array(times, pa.timestamp("us"))})
    pq.write_table(table, buffer, use_deprecated_int96_timestamps=True)

    convert(tmp_path, "a.parquet", buffer.getvalue())

    assert [row["until"] for row in read_rows(tmp_path)] == times
