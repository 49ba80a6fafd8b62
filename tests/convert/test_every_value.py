"""What convert promises of known rows: each value is in the table as it was written, or its row is a reject with a cause."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table, read_rejects
from tests.convert.written import COMPRESSED, File, is_kept, may_be

NAMES = ["v", "Größe (€)", 'say "v"', "x,y", "a;b", "two words", "_file name", "0a", "ID2"]
TEXTS = {
    "int": ["1", "-2", "0", "5.0", "1e3", "9007199254740993", "92233720368547758080"],
    "float": ["1.5", "-0.25", "1e-7", "5", "inf", "1.234"],
    "bool": ["true", "False", "TRUE"],
    "date": ["2026-01-01", "1999-12-31", "2026-02-30"],
    "timestamp": ["2026-01-01T05:00:00", "2026-01-01 05:00:00.000001", "2026-01-01T00:00:00.000000000Z", "2026-01-01"],
    "code": ["007", "+4930123456", "0x10", "0xffffffffffffffff", "+5", "1.10", "12-3"],
    "text": [
        "abc",
        "ab,c",
        "a;b",
        "a|b\tc",
        'say "hi"',
        '"',
        "two\nlines",
        "=1+1",
        "ä€",
        "{}",
        "[1]",
        "yes",
        "#1",
        "'q'",
    ],
    "null": ["NA", "NULL", "\\N", "NaN", "-", "", " ", "null", "#N/A"],
}
PLAIN = st.integers(-(2**63), 2**63 - 1) | st.floats(width=32, allow_nan=False, allow_infinity=False) | st.booleans()
CELL = st.one_of(st.none(), PLAIN, *(st.sampled_from(texts) for texts in TEXTS.values()))
TYPES = ("int", "float", "string", "bool", "date", "timestamp")
COLUMN = st.fixed_dictionaries({}, optional={"type": st.sampled_from(TYPES), "nulls": st.just(["-"])})


@st.composite
def cells_of(draw: st.DrawFn) -> list[Any]:
    """Return the values of one column of a file: mostly of one kind, with others late or between."""
    kind = draw(st.sampled_from(list(TEXTS)))
    usual = st.sampled_from(TEXTS[kind]) if draw(st.booleans()) else PLAIN
    values = draw(st.lists(usual | usual | usual | CELL, min_size=1, max_size=8))
    return values + draw(st.lists(CELL, max_size=1))


@st.composite
def files_of(draw: st.DrawFn, name: str) -> list[File]:
    """Return files of rows with the columns id, `name` and another; the ids count on."""
    files: list[File] = []
    first = 0
    for _ in range(draw(st.integers(1, 3))):
        cells, others = draw(cells_of()), draw(cells_of())
        shape = draw(st.sampled_from(["all", "all", "all", "some", "none"]))
        rows = [{"id": first + n, name: cell, "other": others[n % len(others)]} for n, cell in enumerate(cells)]
        for row in rows:
            if shape == "none" or (shape == "some" and draw(st.booleans())):
                del row[name]
        first += len(rows)
        places = st.frozensets(st.integers(0, len(rows) - 1), max_size=2)
        files.append(
            File(
                draw(st.sampled_from(["csv", "csv", "jsonl", "json", "xlsx", "parquet"])),
                rows,
                draw(st.sampled_from(["", *COMPRESSED])),
                draw(st.sampled_from([",", ";", "\t", "|"])),
                draw(st.booleans()),
                draw(st.sampled_from(["\n", "\r\n"])),
                draw(st.booleans()),
                draw(st.booleans()),
                draw(places),
                draw(places),
            )
        )
    return files


def type_of(kind: pa.DataType) -> str:
    """Return the name of a column's type."""
    names = {pa.int64(): "int", pa.float64(): "float", pa.bool_(): "bool", pa.date32(): "date", pa.string(): "string"}
    return "timestamp" if pa.types.is_timestamp(kind) else names[kind]


def is_warranted(message: str, files: Sequence[File], name: str, column: dict[str, Any]) -> bool:
    """Return whether the rows that were written are cause for what a run is refused with."""
    if "no file has this column" in message:
        return not any(name in file.names for file in files)
    if "came and none entered" in message:
        return all(
            is_misfit(file, row, name, column, zoned=has_zones(files, name)) for file in files for row in file.rows
        )
    return False


def is_misfit(file: File, row: dict[str, Any], name: str, column: dict[str, Any], *, zoned: bool) -> bool:
    """Return whether a row may be a reject: it lacks a field, or its value is not of the declared type; `zoned` times are so without a zone."""
    if row["id"] in file.misfits:
        return True
    text = file.text_of(row.get(name))
    if "type" not in column or may_be(text, column.get("nulls", ()), column["type"]) is False:
        return "type" in column
    return column["type"] == "timestamp" and zoned and not text_has_zone(text)


def has_zones(files: Sequence[File], name: str) -> bool:
    """Return whether a value of a column tells its zone."""
    return any(text_has_zone(file.text_of(row.get(name))) for file in files for row in file.rows)


def text_has_zone(text: str | None) -> bool:
    """Return whether a time tells its zone: beside it one without is none."""
    return bool(re.search(r"\d(Z|[+-]\d\d:?\d\d)$", text or ""))


@settings(max_examples=150)
@given(st.data())
def test_every_value_is_kept_or_its_row_is_a_reject(data: st.DataObject) -> None:
    """Received is table and rejects, a declared column has its type, each value is what was written, and no error is without a cause."""
    name, column = data.draw(st.sampled_from(NAMES)), data.draw(COLUMN)
    files = data.draw(files_of(name))
    # A line cut short, and as many semicolons in it as in its header, is one of a file that these divide.
    assume(
        ";" not in name or not any(";" in str(value) for file in files for row in file.rows for value in row.values())
    )
    columns = {"id": {"type": "int"}, name: column}
    source = files_source(columns=columns, read={"decimal": ".", "quote": '"'}, table={"max_rejects": 1000})
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "inbox").mkdir()
        for number, file in enumerate(files):
            file.write(root / "inbox", number)

        try:
            table = make_table(root, source)
        except TableError as error:
            if is_warranted(str(error), files, name, column):
                return
            raise
        held, rejects = pq.read_table(root / "tables" / "rows"), read_rejects(root)

    written = {row["id"]: (file, row) for file in files for row in file.rows}
    found = {row["id"]: row for row in held.to_pylist()}
    assert table.rows_received == len(written) == held.num_rows + len(rejects) == len(found) + len(rejects)
    zoned = has_zones(files, name)
    assert all(is_misfit(*written[id_], name, column, zoned=zoned) for id_ in written.keys() - found.keys())
    assert column.get("type") in (None, type_of(held.schema.field(name).type))
    types = {field.name: type_of(field.type) for field in held.schema}
    for id_, row in found.items():
        file, given_row = written[id_]
        for each in (name, "other"):
            text, nulls = file.text_of(given_row.get(each)), column.get("nulls", ()) if each == name else ()
            assert is_kept(text, row[each], nulls, types[each]), (
                file.format,
                each,
                given_row.get(each),
                row[each],
                types,
            )
