"""Columns that expressions make: their values, types, order and rejects, in files, APIs and pages alike."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tasks.config import PagesSource
from tasks.convert.head import read_head
from tasks.convert.table.inputs import list_files
from tasks.core.errors import TableError
from tasks.core.storage import DataFolder
from tests.convert.conftest import api_source, files_source, land, make_table, read_rejects, read_rows, write_files

_CSV = "id,price,amount,city\n1,2.5,4,bonn\n2,3,1,ulm\n"


def made(root: Path, columns: dict[str, Any], **settings: Any) -> list[dict[str, Any]]:
    """Return the rows of the inbox's files with these columns."""
    make_table(root, files_source(columns=columns, **{"table": {"max_rejects": None}, **settings}))
    return read_rows(root)


def test_a_new_column_is_made_of_others(tmp_path: Path) -> None:
    """It stands last, with the type that SQL gives it, and sees others as they are cleaned and named in the table."""
    write_files(tmp_path, a_csv="id,price,amount\n1,2.50 €,4\n2,3 €,1\n")

    rows = made(
        tmp_path,
        {
            "price": {"type": "float", "strip": True, "rename": "unit price"},
            "total": {"expression": '"unit price" * AMOUNT'},
            "whole": {"expression": "total::int", "type": "string"},
        },
    )

    assert rows == [
        {"id": 1, "unit price": 2.5, "amount": 4, "total": 10.0, "whole": "10"},
        {"id": 2, "unit price": 3.0, "amount": 1, "total": 3.0, "whole": "3"},
    ]


def test_a_column_is_replaced_in_its_place(tmp_path: Path) -> None:
    """Its own value is read in the type that is declared; without it the expression may read others."""
    write_files(tmp_path, a_csv=_CSV)

    rows = made(
        tmp_path,
        {
            "price": {"expression": "amount * 2"},
            "city": {"type": "string", "expression": "upper(city) || ' ' || price"},
        },
    )

    assert rows == [
        {"id": 1, "price": 8, "amount": 4, "city": "BONN 8"},
        {"id": 2, "price": 2, "amount": 1, "city": "ULM 2"},
    ]
    assert list(rows[0]) == ["id", "price", "amount", "city"]


def test_what_is_dropped_may_be_read(tmp_path: Path) -> None:
    """A dropped column, and one that an expression makes, are in no table, but others read them."""
    write_files(tmp_path, a_csv="id,day\n1,07001\n2,07032\n")

    columns = {
        "day": {"type": "string", "drop": True},
        "parsed": {"expression": "strptime(day, '%y%j')", "type": "date", "drop": True},
        "month": {"expression": "month(parsed)", "required": True},
    }

    assert made(tmp_path, columns) == [{"id": 1, "month": 1}, {"id": 2, "month": 2}]


def test_a_row_for_which_there_is_no_value_is_a_reject(tmp_path: Path) -> None:
    """The reason names the column and what was read; the other rows stay, null is no failure."""
    write_files(tmp_path, a_csv="id,size,n\n1,12 cm,1\n2,wide,2\n3,,3\n4,9999999999999999999 cm,4\n5,7 cm,x\n")

    rows = made(
        tmp_path,
        {
            "size": "string",
            "n": "int",
            "cm": {"expression": "regexp_extract(size, '\\d+|wide')::bigint + n"},
        },
    )

    assert [row["cm"] for row in rows] == [13, None]
    assert [(each["column"], each["reason"]) for each in read_rejects(tmp_path)] == [
        ("cm", "its expression has no value for size 'wide', n '2'"),
        ("cm", "its expression has no value for size '9999999999999999999 cm', n '4'"),
        ("n", "'x' is not an int"),
    ]


def test_a_declared_type_is_that_of_the_value(tmp_path: Path) -> None:
    """What does not fit it is a reject, and so is a day of no calendar."""
    write_files(tmp_path, a_csv="id,d\n1,2020-02-01\n2,soon\n3,infinity\n")

    columns = {
        "d": {"type": "string", "drop": True},
        "day": {"expression": "CASE WHEN d = 'infinity' THEN d::date::varchar ELSE d END", "type": "date"},
        "next": {"expression": "CASE WHEN d = 'soon' THEN NULL ELSE d::date END"},
    }

    assert made(tmp_path, columns) == [{"id": 1, "day": date(2020, 2, 1), "next": date(2020, 2, 1)}]
    assert [each["reason"] for each in read_rejects(tmp_path)] == ["'soon' is not a date", "'infinity' is not a date"]


def test_the_types_of_the_table_are_seen(tmp_path: Path) -> None:
    """A file with whole numbers gives what it would give beside one with decimals, whichever comes first."""
    write_files(tmp_path, a_csv="id,v\n1,5\n", b_csv="id,v\n2,5.5\n", c_csv="id\n3\n")

    rows = made(tmp_path, {"t": {"expression": "coalesce(v::varchar, 'none')"}})

    assert [row["t"] for row in rows] == ["5.0", "5.5", "none"]


def test_the_type_is_that_of_what_the_table_has(tmp_path: Path) -> None:
    """Of a column of nothing it is the expression's; a file without time zones does not make texts of times that have them."""
    write_files(tmp_path, a_csv="id,d,n\n1,2020-01-01T00:00:00Z,\n", b_csv="id,d,n\n2,2020-01-01T00:00:00,\n")
    columns = {"d": "timestamp", "next": {"expression": "d + INTERVAL 1 DAY"}, "twice": {"expression": "n * 2"}}

    table = make_table(tmp_path, files_source(columns=columns))

    assert table.types == {"id": "int", "d": "timestamp_utc", "n": "string", "next": "timestamp_utc", "twice": "int"}
    assert [row["next"].isoformat() for row in read_rows(tmp_path)] == ["2020-01-02T00:00:00+00:00"]
    assert [each["reason"] for each in read_rejects(tmp_path)] == [
        "'2020-01-01T00:00:00' has no time zone, as others have"
    ]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (
            {"t": {"expression": "prize * 2"}},
            r"columns\.t\.expression: no file has a column 'prize'; did you mean price\?",
        ),
        (
            {"town": {"type": "string", "expression": "upper(town)"}},
            r"columns\.town\.expression: no file has a column 'town'; the columns are amount, city, id, price",
        ),
        (
            {"t": {"expression": "upper(amount)"}},
            r"columns\.t\.expression: .*upper\(BIGINT\).* \(of amount int64\); correct it, or declare the type",
        ),
        ({"t": {"expression": "regexp_matches(city, '(')"}}, r"columns\.t\.expression: .*; correct it"),
        ({"t": {"expression": "regexp_replace(city, '(', '')"}}, r"columns\.t\.expression: .*; correct it"),
        ({"t": {"expression": "strptime(city, '%Q')"}}, r"columns\.t\.expression: .*; correct it"),
        ({"t": {"expression": "date_trunc('foo', DATE '2020-01-01')"}}, r"columns\.t\.expression: .*; correct it"),
        ({"t": {"expression": "encode(city)"}}, r"columns\.t\.expression: is BLOB, which no table holds; make a text"),
    ],
)
def test_what_cannot_be_made_is_told(tmp_path: Path, columns: dict[str, Any], says: str) -> None:
    """A column that is not there, and a type that no function takes, end the conversion."""
    write_files(tmp_path, a_csv=_CSV)

    with pytest.raises(TableError, match=says):
        made(tmp_path, columns)


def test_many_small_files_are_converted_together(tmp_path: Path) -> None:
    """Their expressions have the same values as those of a file alone, and a failure is a reject of its own file."""
    files = {f"f{n:03d}_csv": f"id,v\n{n},{n}\n" for n in range(120)} | {"f007_csv": "id,v\n7,x\n"}
    write_files(tmp_path, **files)

    columns = {"v": {"type": "string", "drop": True}, "twice": {"expression": "v::int * 2"}}

    assert made(tmp_path, columns) == [{"id": n, "twice": 2 * n} for n in range(120) if n != 7]
    assert [each["file"] for each in read_rejects(tmp_path)] == ["inbox/f007.csv"]


def test_records_of_an_api_have_them(tmp_path: Path) -> None:
    """A name with a dot stands in quotes, and a missing value is null."""
    source = api_source(columns={"t": {"expression": "\"a.b\" || ': ' || coalesce(c, 0)"}})
    land(
        tmp_path, source, "all", json.dumps({"id": 1, "a": {"b": "x"}, "c": 2}), json.dumps({"id": 2, "a": {"b": "y"}})
    )

    make_table(tmp_path, source)

    assert [row["t"] for row in read_rows(tmp_path)] == ["x: 2", "y: 0"]


def test_rows_of_pages_have_them(tmp_path: Path) -> None:
    """A column that an expression makes needs no selector, and nothing is fetched again for it."""
    columns = {"id": "td", "price": {"select": "td", "type": "float", "strip": True}}
    plain = PagesSource.model_validate(
        {"kind": "pages", "start": "http://127.0.0.1/", "rows": "tr", "columns": columns}
    )
    more = columns | {"gross": {"expression": "round(price * 1.19, 2)"}}
    source = plain.model_copy(
        update={"columns": PagesSource.model_validate({**plain.model_dump(), "columns": more}).columns}
    )
    land(tmp_path, plain, "all", '{"id": "a", "price": "10 €"}')

    make_table(tmp_path, source)

    assert read_rows(tmp_path) == [{"id": "a", "price": 10.0, "gross": 11.9}]


def test_a_head_tells_what_an_expression_does_not_find(tmp_path: Path) -> None:
    """Another file may have the column, so that it is no error before all are read."""
    write_files(tmp_path, a_csv=_CSV)
    columns = {"total": {"expression": "prize * amount"}, "twice": {"expression": "price * 2"}}
    source, folder = files_source(columns=columns), DataFolder(tmp_path)

    head = read_head("rows", source, list_files(source.path, tmp_path)[0], folder)

    assert head.warnings == [
        "columns.total.expression: reads 'prize', which is null in these rows; did you mean price?"
    ]
    assert head.rows.select(["total", "twice"]).to_pylist() == [
        {"total": None, "twice": 5},
        {"total": None, "twice": 6},
    ]
