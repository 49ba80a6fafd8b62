"""What convert promises of any input: no row is lost, no value vanishes, and a declared type is that of the column."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.convert.schema.types import ARROW_TYPES, NULL_TEXTS
from tasks.core.errors import TableError
from tests.convert.conftest import PROPERTY, api_source, files_source, land, make_table, read_rejects, read_rows

TEXTS = (
    *(
        "1",
        "-2",
        "5.0",
        "1.5",
        "1e3",
        "007",
        "+49",
        "9007199254740993",
        "92233720368547758080",
        "1,5",
        "1.234,50",
        "7-",
    ),
    *("true", "False", "yes", "2026-01-01", "2026-02-30", "2026-01-01T05:00:00", "2026-01-01T00:00:00.000000000Z"),
    *("2026-01-01 05:00:00.0000001", "2026-01-01T05:00:00+02:00", "inf", "nan", "NA", "#N/A", "\\N", "NaT", "-", " - "),
    *("", " ", "abc", "ab,c", 'say "hi"', "two\nlines", "=1+1", "ä€", "{}", "null"),
)
VALUES = st.none() | st.sampled_from(TEXTS) | st.integers(-(2**63), 2**63 - 1) | st.floats(width=32) | st.booleans()
TYPES = ("int", "float", "string", "bool", "date", "timestamp")
COLUMN = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(TYPES), "nulls": st.just(["-"]), "required": st.booleans()}
)


@dataclass(frozen=True)
class File:
    """One file of rows: its format, and the values of its column v; `has_column` tells whether it has v at all."""

    format: str
    values: Sequence[Any]
    has_column: bool = True

    def rows(self, first: int) -> list[dict[str, Any]]:
        """Return the rows, their ids counted from `first`."""
        return [{"id": first + n, **({"v": value} if self.has_column else {})} for n, value in enumerate(self.values)]


FILES = st.lists(
    st.builds(
        File,
        st.sampled_from(["csv", "jsonl", "json", "xlsx", "parquet"]),
        st.lists(VALUES, min_size=1, max_size=6),
        st.sampled_from([True, True, True, False]),
    ),
    min_size=1,
    max_size=3,
)


def as_text(value: Any) -> str | None:
    """Return a value as it is written where a format has only texts."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def write(path: Path, kind: str, rows: list[dict[str, Any]]) -> None:
    """Write rows in a format."""
    names = list(rows[0])
    if kind == "csv":
        buffer = io.StringIO()
        csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows(
            [names, *([as_text(v) for v in row.values()] for row in rows)]
        )
        path.write_text(buffer.getvalue())
    elif kind == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    elif kind == "json":
        path.write_text(json.dumps(rows))
    elif kind == "parquet":
        pq.write_table(pa.table({n: [r[n] if n == "id" else as_text(r[n]) for r in rows] for n in names}), path)
    else:
        book = openpyxl.Workbook()
        assert book.active is not None
        for cells in [names, *(list(row.values()) for row in rows)]:
            book.active.append(
                [None if isinstance(c, float) and c - c != 0 else f"'{c}" if c == "=1+1" else c for c in cells]
            )
        book.save(path)


def may_be_null(value: Any, nulls: Sequence[str]) -> bool:
    """Return whether a value may become null without a word: a float that is no number too."""
    text = (as_text(value) or "").strip()
    return text in {*NULL_TEXTS, *nulls} or text.endswith(("NaN", "Infinity"))


def is_warranted(message: str, written: Sequence[dict[str, Any]], column: dict[str, Any]) -> bool:
    """Return whether what was written is a cause for what a run is refused with, beside values that may not fit their type."""
    if "has no column 'v', which is required" in message:
        return column.get("required", False) and not all("v" in row for row in written)
    if "columns.v: no file has this column" in message:
        return not any("v" in row for row in written)
    return "came and none entered the table" in message and ("type" in column or column.get("required", False))


def check_promises(root: Path, source: Any, written: Sequence[dict[str, Any]], column: dict[str, Any]) -> None:
    """Make the table; unless that is refused, see that every row and value is where it belongs."""
    try:
        table = make_table(root, source)
    except TableError as error:
        if is_warranted(str(error), written, column):
            return
        raise
    rows, rejects = read_rows(root), read_rejects(root)
    assert len(written) == table.rows_received == len(rows) + len(rejects) + table.rows_duplicate
    ids = {row["id"] for row in rows}
    assert len(ids) == len(rows)
    assert all(row["reason"] for row in rejects)
    by_id = {row["id"]: row.get("v") for row in written}
    for row in rows:
        value = by_id[row["id"]]
        assert row.get("v") is not None or may_be_null(value, column.get("nulls", ()))
    types = {pq.read_schema(path).field("v").type for path in (root / "tables" / "rows").glob("*.parquet")}
    declared = column.get("type")
    expected = (
        {ARROW_TYPES[declared], pa.timestamp("us", "UTC")}
        if declared == "timestamp"
        else {ARROW_TYPES.get(declared or "")}
    )
    assert len(types) == 1
    assert declared is None or types <= expected


@settings(PROPERTY, max_examples=60)
@given(st.lists(FILES, min_size=1, max_size=2), COLUMN)
def test_no_row_value_or_type_is_lost_of_files(runs: list[list[File]], column: dict[str, Any]) -> None:
    """Whatever lies in the files, in one run or in two, the table and its rejects account for it."""
    source = files_source(columns={"v": column}, table={"max_rejects": 1000})
    written: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "inbox").mkdir()
        for number, files in enumerate(runs):
            for place, file in enumerate(files):
                rows = file.rows(len(written))
                write(root / "inbox" / f"{number}{place}.{file.format}", file.format, rows)
                written += rows
            check_promises(root, source, written, column)


@settings(PROPERTY, max_examples=40)
@given(st.lists(VALUES, min_size=1, max_size=12), COLUMN)
def test_no_row_value_or_type_is_lost_of_an_api(values: list[Any], column: dict[str, Any]) -> None:
    """The same of records that have landed."""
    source = api_source(columns={"v": column}, table={"max_rejects": 1000})
    written = File("jsonl", values).rows(0)
    with tempfile.TemporaryDirectory() as folder:
        land(Path(folder), source, "all", *map(json.dumps, written))

        check_promises(Path(folder), source, written, column)
