"""What is declared of columns is held, whatever the values are and whatever they came in."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.config import PagesSource, Source
from tasks.convert.schema.types import ARROW_TYPES
from tasks.core.errors import TableError
from tests.convert.conftest import (
    api_source,
    files_source,
    land,
    make_table,
    read_rejects,
    read_rows,
    write_files,
)

Rows = list[dict[str, Any]]


def write_csv(root: Path, rows: Rows) -> None:
    """Write rows as a CSV."""
    cells = [["" if value is None else str(value) for value in row.values()] for row in rows]
    write_files(root, a_csv="\n".join(map(",".join, [list(rows[0]), *cells])) + "\n")


def write_lines(root: Path, rows: Rows) -> None:
    """Write rows as JSON lines."""
    write_files(root, a_jsonl="".join(f"{json.dumps(row)}\n" for row in rows))


def write_document(root: Path, rows: Rows) -> None:
    """Write rows as a JSON document."""
    write_files(root, a_json=json.dumps(rows))


def write_sheet(root: Path, rows: Rows) -> None:
    """Write rows as an Excel file."""
    book = openpyxl.Workbook()
    assert book.active is not None
    for cells in [list(rows[0]), *(list(row.values()) for row in rows)]:
        book.active.append(cells)
    buffer = io.BytesIO()
    book.save(buffer)
    write_files(root, a_xlsx=buffer.getvalue())


def write_parquet(root: Path, rows: Rows) -> None:
    """Write rows as a Parquet file of texts."""
    (root / "inbox").mkdir(exist_ok=True)
    texts = {name: pa.array([row[name] for row in rows], pa.string()) for name in rows[0] if name != "id"}
    pq.write_table(pa.table({"id": [row["id"] for row in rows], **texts}), root / "inbox" / "a.parquet")


def files(write: Callable[[Path, Rows], None]) -> Callable[[Path, Rows, dict[str, Any]], Source]:
    """Return what writes rows and gives the source of these files."""

    def make(root: Path, rows: Rows, settings: dict[str, Any]) -> Source:
        write(root, rows)
        return files_source(**settings)

    return make


def api(root: Path, rows: Rows, settings: dict[str, Any]) -> Source:
    """Return an API from which these rows have landed."""
    source = api_source(**{"key": [], **settings})
    land(root, source, "all", *map(json.dumps, rows))
    return source


def pages(root: Path, rows: Rows, settings: dict[str, Any]) -> Source:
    """Return pages from which these rows have landed."""
    columns = {name: {"select": "b::text"} for name in rows[0]}
    for name, column in settings.pop("columns", {}).items():
        columns[name] |= {"type": column} if isinstance(column, str) else column
    source = PagesSource.model_validate(
        {"kind": "pages", "start": "http://127.0.0.1/", "rows": "tr", "columns": columns, **settings}
    )
    land(root, source, "all", *(json.dumps({n: None if v is None else str(v) for n, v in row.items()}) for row in rows))
    return source


SOURCES = {
    "csv": files(write_csv),
    "jsonl": files(write_lines),
    "json": files(write_document),
    "xlsx": files(write_sheet),
    "parquet": files(write_parquet),
    "api": api,
    "pages": pages,
}
any_source = pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)


def any_source_but(left_out: str) -> pytest.MarkDecorator:
    """Give every kind of source but one, for which the question has no meaning."""
    kinds = {name: make for name, make in SOURCES.items() if name != left_out}
    return pytest.mark.parametrize("make", kinds.values(), ids=kinds)


Make = Callable[[Path, Rows, dict[str, Any]], Source]


def type_in_parquet(root: Path, name: str) -> pa.DataType:
    """Return the type of a column in every part of the table."""
    (found,) = {pq.read_schema(path).field(name).type for path in (root / "tables" / "rows").glob("*.parquet")}
    return found


@any_source
@pytest.mark.parametrize("declared", ["int", "float", "date", "timestamp", "bool"])
def test_a_type_that_no_value_fits_is_that_of_the_column(tmp_path: Path, make: Make, declared: str) -> None:
    """Each is a reject whose reason names it; the column has its type, and is no text."""
    rows = [{"id": n, "v": v} for n, v in enumerate(["abc", None, "def", None])]

    table = make_table(tmp_path, make(tmp_path, rows, {"columns": {"v": declared}}))

    assert (table.rows_received, table.rows_table, table.rows_rejected) == (4, 2, 2)
    said = {"int": "an int"}.get(declared, f"a {declared}")
    assert [row["reason"] for row in read_rejects(tmp_path)] == [f"'abc' is not {said}", f"'def' is not {said}"]
    assert table.types["v"] == declared
    assert type_in_parquet(tmp_path, "v") == ARROW_TYPES[declared]


@any_source
def test_what_fits_beside_what_does_not_is_kept(tmp_path: Path, make: Make) -> None:
    """A text in a column of numbers is a reject, and a value that is missing is null."""
    rows: Rows = [{"id": 1, "v": "1,234.50 €"}, {"id": 2, "v": None}, {"id": 3, "v": "2.5"}]

    table = make_table(tmp_path, make(tmp_path, rows, {"columns": {"v": "float"}}))

    assert [row["v"] for row in read_rows(tmp_path)] == [None, 2.5]
    assert (table.rows_rejected, table.types["v"]) == (1, "float")


@any_source
def test_what_does_not_fit_is_an_error_where_no_reject_is_allowed(tmp_path: Path, make: Make) -> None:
    """Under max_rejects: 0 a column that no value fits fails the source."""
    settings = {"columns": {"v": "int"}, "table": {"max_rejects": 0}}

    with pytest.raises(TableError, match=r"1 of 2 rows are rejects, most often because 'abc' is not an int"):
        make_table(tmp_path, make(tmp_path, [{"id": 1, "v": "abc"}, {"id": 2, "v": None}], settings))


@any_source
@pytest.mark.parametrize("declared", ["int", "float", "date", "timestamp", "bool", "string"])
def test_a_column_without_a_value_has_its_type(tmp_path: Path, make: Make, declared: str) -> None:
    """Where every row is empty the column is all null, of the declared type."""
    source = make(tmp_path, [{"id": 1, "v": None}, {"id": 2, "v": None}], {"columns": {"v": declared}})

    table = make_table(tmp_path, source)

    assert [row["v"] for row in read_rows(tmp_path)] == [None, None]
    assert (table.types["v"], table.rows_rejected) == (declared, 0)
    assert type_in_parquet(tmp_path, "v") == ARROW_TYPES[declared]


@any_source
def test_a_required_value_that_does_not_fit_is_named(tmp_path: Path, make: Make) -> None:
    """It is not empty: the reason says what stands there."""
    columns = {"v": {"type": "float", "required": True}}

    rows = [{"id": n, "v": v} for n, v in enumerate(["abc", None, "1.5", "2.5"])]

    make_table(tmp_path, make(tmp_path, rows, {"columns": columns}))

    assert [row["reason"] for row in read_rejects(tmp_path)] == ["'abc' is not a float", "is empty, but required"]


@any_source
def test_a_required_column_that_no_value_fits_names_a_value(tmp_path: Path, make: Make) -> None:
    """No value there is empty: the error says what stands there."""
    columns = {"v": {"type": "float", "required": True}}

    with pytest.raises(TableError, match=r"2 rows came and none entered the table, most often because 'abc' is not a"):
        make_table(tmp_path, make(tmp_path, [{"id": 1, "v": "abc"}, {"id": 2, "v": "abc"}], {"columns": columns}))


def test_a_text_that_means_null_is_no_value_where_one_is_required(tmp_path: Path) -> None:
    """NA among numbers would be null in the table: the row is a reject, with or without a declared type."""
    write_files(tmp_path, a_csv="id,v\n1,NA\n2,5\n")

    make_table(tmp_path, files_source(columns={"v": {"required": True}}))

    assert read_rows(tmp_path) == [{"id": 2, "v": 5}]
    assert [row["reason"] for row in read_rejects(tmp_path)] == ["is empty, but required"]


@any_source_but("parquet")
def test_declared_nulls_are_taken_out_before_a_type_is_inferred(tmp_path: Path, make: Make) -> None:
    """What is left tells the type: numbers are numbers. Parquet tells types of its own."""
    rows = [{"id": n, "v": v} for n, v in enumerate(["-", " .. ", 5, -999])]

    table = make_table(tmp_path, make(tmp_path, rows, {"columns": {"v": {"nulls": ["-", "..", "-999"]}}}))

    assert [row["v"] for row in read_rows(tmp_path)] == [None, None, 5, None]
    assert table.types["v"] == "int"


def test_declared_nulls_are_taken_out_of_numbers_with_decimal_commas(tmp_path: Path) -> None:
    """Also where the file has commas for decimals."""
    write_files(tmp_path, a_csv="id;v\n1;-\n2;1,5\n3;2,25\n")

    table = make_table(tmp_path, files_source(columns={"v": {"nulls": ["-"]}}))

    assert [row["v"] for row in read_rows(tmp_path)] == [None, 1.5, 2.25]
    assert table.types["v"] == "float"


def test_decimal_commas_are_read_whatever_else_is_declared_or_rejected(tmp_path: Path) -> None:
    """A reject beside a declared number, and a column that is only required, do not make texts of numbers."""
    write_files(tmp_path, a_csv="n;x;y\nbad;1,5;1,5\n2;2,5;2,5\n", b_csv="n;x;y\n3;3,5;3,5\n4;1,25;4,5\n")
    columns = {"n": "int", "x": "float", "y": {"required": True}}

    table = make_table(tmp_path, files_source(columns=columns))

    assert read_rows(tmp_path) == [
        {"n": 2, "x": 2.5, "y": 2.5},
        {"n": 3, "x": 3.5, "y": 3.5},
        {"n": 4, "x": 1.25, "y": 4.5},
    ]
    assert (table.types, table.rows_rejected) == ({"n": "int", "x": "float", "y": "float"}, 1)


def test_declared_nulls_are_taken_out_of_what_is_typed(tmp_path: Path) -> None:
    """A number in Parquet may mean null as well."""
    (tmp_path / "inbox").mkdir()
    pq.write_table(pa.table({"v": [5, -999], "w": [-1.0, 2.5]}), tmp_path / "inbox" / "a.parquet")

    make_table(tmp_path, files_source(columns={"v": {"nulls": ["-999"]}, "w": {"nulls": ["-1"], "type": "float"}}))

    assert read_rows(tmp_path) == [{"v": 5, "w": None}, {"v": None, "w": 2.5}]


@any_source_but("pages")
def test_a_declared_column_that_is_not_there_is_one_sentence(tmp_path: Path, make: Make) -> None:
    """Every kind of source says so, with the columns there are; what is declared of pages is what is extracted."""
    what = "record" if make is api else "file"

    with pytest.raises(TableError, match=rf"^columns.nonsense: no {what} has this column; the columns are id, v$"):
        make_table(tmp_path, make(tmp_path, [{"id": 1, "v": "5"}], {"columns": {"nonsense": "int"}}))


def test_a_later_file_does_not_change_a_declared_type(tmp_path: Path) -> None:
    """A table of nulls and rejects takes the first good file, in the type that it had before."""
    source = files_source(columns={"v": "float"})
    write_files(tmp_path, a_csv="id,v\n1,abc\n2,\n")
    before = make_table(tmp_path, source)

    write_files(tmp_path, b_csv="id,v\n3,1.5\n")
    after = make_table(tmp_path, source)

    assert before.types == after.types == {"id": "int", "v": "float"}
    assert read_rows(tmp_path) == [{"id": 2, "v": None}, {"id": 3, "v": 1.5}]


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        ("int", "5.0", 5),
        ("int", "1e+05", 100_000),
        ("date", "2026-01-01 00:00:00", date(2026, 1, 1)),
        ("timestamp", "2026-01-01T05:00:00.000000000Z", datetime(2026, 1, 1, 5, tzinfo=UTC)),
        ("timestamp", "2026-01-01 05:00:00.1234560", datetime(2026, 1, 1, 5, 0, 0, 123_456)),  # noqa: DTZ001 - without a zone
    ],
)
def test_zeros_that_say_nothing_are_no_misfit(tmp_path: Path, declared: str, text: str, value: Any) -> None:
    """A whole number may have a point, a date midnight, and a time more zeros than microseconds."""
    write_files(tmp_path, a_csv=f"id,v\n1,{text}\n", b_jsonl=f'{{"id": 2, "v": "{text}"}}\n')

    make_table(tmp_path, files_source(columns={"v": declared}))

    assert [row["v"] for row in read_rows(tmp_path)] == [value, value]


def test_digits_that_would_be_lost_are_told(tmp_path: Path) -> None:
    """What is finer than a microsecond, or no whole number, is a reject whose reason says so."""
    write_files(tmp_path, a_csv="n,at\n1.5,2026-01-01T00:00:00Z\n2,2026-01-01T00:00:00.000000001Z\n3,\n")

    make_table(tmp_path, files_source(columns={"n": "int", "at": "timestamp"}, table={"max_rejects": 2}))

    assert [row["reason"] for row in read_rejects(tmp_path)] == [
        "'1.5' is not an int",
        "'2026-01-01T00:00:00.000000001Z' is finer than a microsecond, the least that a timestamp tells",
    ]


@pytest.mark.parametrize(
    ("declared", "values", "expected"),
    [
        ("date", pa.array([datetime(2026, 1, 1), datetime(2026, 1, 1, 5)]), [date(2026, 1, 1)]),  # noqa: DTZ001 - without a zone
        ("bool", pa.array([5, 1]), [True]),
        ("int", pa.array([True, False]), []),
        ("int", pa.array([5.0, 1.5]), [5]),
        ("int", pa.array([Decimal("5.00"), Decimal("1.50")]), [5]),
        ("float", pa.array([Decimal("1.50")]), [1.5]),
        ("timestamp", pa.array([1_700_000_000]), []),
        ("int", pa.array([datetime(2026, 1, 1)]), []),  # noqa: DTZ001 - without a zone
        ("string", pa.array([Decimal("1.50")]), ["1.50"]),
    ],
)
def test_typed_values_are_not_changed_without_a_word(
    tmp_path: Path, declared: str, values: pa.Array, expected: list[Any]
) -> None:
    """What Parquet has in another type is the same value in the declared one, or a reject."""
    (tmp_path / "inbox").mkdir()
    pq.write_table(
        pa.table({"v": pa.concat_arrays([values, pa.nulls(1, values.type)])}), tmp_path / "inbox" / "a.parquet"
    )

    table = make_table(tmp_path, files_source(columns={"v": declared}, table={"max_rejects": 2}))

    assert [row["v"] for row in read_rows(tmp_path)] == [*expected, None]
    assert table.rows_rejected == len(values) - len(expected)


def test_times_of_parquet_without_a_zone_are_not_taken_for_utc(tmp_path: Path) -> None:
    """Beside times with a zone they are rejects, as those of a CSV are."""
    (tmp_path / "inbox").mkdir()
    for name, zone in (("a", None), ("b", "UTC")):
        times = pa.array([datetime(2026, 1, 1, 5)], pa.timestamp("us", zone))  # noqa: DTZ001 - the type has it
        pq.write_table(pa.table({"at": times}), tmp_path / "inbox" / f"{name}.parquet")

    make_table(tmp_path, files_source(columns={"at": "timestamp"}))

    assert read_rows(tmp_path) == [{"at": datetime(2026, 1, 1, 5, tzinfo=UTC)}]
    assert [row["reason"].split(" has ")[1] for row in read_rejects(tmp_path)] == ["no time zone, as others have"]


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ({"type": "float", "decimal": ","}, '"99,10-"', -99.1),
        ({"type": "float", "decimal": ",", "thousands": "."}, '"1.234,50-"', -1234.5),
        ({"type": "float", "decimal": "."}, "99.10-", -99.1),
        ({"type": "int", "decimal": "."}, "7-", -7),
    ],
)
def test_a_minus_may_trail_where_the_decimals_are_declared(
    tmp_path: Path, column: dict[str, str], text: str, value: float
) -> None:
    """Numbers below zero as SAP writes them are read; two signs are none."""
    write_files(tmp_path, a_csv=f"v,n\n{text},1\n-5-,2\n")

    make_table(tmp_path, files_source(columns={"v": column}))

    assert read_rows(tmp_path) == [{"v": value, "n": 1}]
    assert [row["reason"][:5] for row in read_rejects(tmp_path)] == ["'-5-'"]


@pytest.mark.parametrize("null", ["#N/A", "\\N", "<NA>", "NaT", "-NaN", "1.#QNAN", "#DIV/0!"])
@pytest.mark.parametrize("value", ["5", "1.5", "2026-01-01", "true"])
def test_null_texts_of_other_programs_are_null_among_values(tmp_path: Path, null: str, value: str) -> None:
    """Those of pandas, R, Postgres and Excel do not make a text of a column; among texts they are texts."""
    write_files(tmp_path, a_csv=f"v,t\n{value},x\n{null},{null}\n", b_csv=f"v,t\n{null},y\n")

    table = make_table(tmp_path, files_source())

    assert table.types["v"] in ("int", "float", "date", "bool")
    assert [(row["v"] is None, row["t"]) for row in read_rows(tmp_path)] == [(False, "x"), (True, null), (True, "y")]


def test_a_null_text_is_null_among_numbers_of_json(tmp_path: Path) -> None:
    """JSON has no NaN, so programs write it as a text; other texts make texts of the column."""
    write_files(tmp_path, a_jsonl='{"v": 5, "w": 1, "z": "NA"}\n{"v": "NaN", "w": "x", "z": "NA"}\n')

    table = make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == [{"v": 5, "w": "1", "z": "NA"}, {"v": None, "w": "x", "z": "NA"}]
    assert table.types == {"v": "int", "w": "string", "z": "string"}
