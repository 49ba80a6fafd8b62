"""A list exploded: each element a row of its own, beside the other columns of its record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.lines import JsonBlock, read_lines
from tasks.core.errors import TableError
from tests.convert.conftest import PROPERTY, api_source, land, make_table, misfits_of, read_rejects, read_rows


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        (['{"id": 1, "lines": [5, 6], "n": "x"}'], [("1", "5", "x"), ("1", "6", "x")]),
        (
            ['{"id": 1, "lines": [true, null, [2], "é", {}]}'],
            [("1", each) for each in ("true", None, "[2]", "é", "{}")],
        ),
        (['{"id": 1, "lines": []}', '{"id": 2, "lines": [7]}'], [("2", "7")]),
        (['{"id": 1, "lines": null}', '{"id": 2}'], []),
        (['{"lines": [[]]}'], [("[]",)]),
        (['{"lines": [{"b": {"c": 1}, "d": [2]}, {"d": 3}]}'], [("1", "[2]"), (None, "3")]),
        (['{"lines": [{"b": 1}], "o": {"lines": [1]}, "p": [2]}'], [("1", "[1]", "[2]")]),
    ],
)
def test_each_element_is_a_row(lines: list[str], rows: list[tuple[str | None, ...]]) -> None:
    """Elements repeat the record's other columns, objects are flattened, and a record without elements is no row."""
    parsed = read_lines(JsonBlock(ByteView.of("\n".join(lines).encode()), explode="lines"))

    assert [tuple(row.values()) for row in parsed.table.to_pylist()] == rows
    assert (parsed.received, parsed.records, len(parsed.misfits)) == (len(rows), len(lines), 0)


def test_columns_of_elements_stand_in_the_place_of_their_list() -> None:
    """An object's columns have the list's name before theirs, in its place, and the list itself has no column."""
    parsed = read_lines(
        JsonBlock(
            ByteView.of(
                b'{"id": 1, "lines": [{"sku": "a", "n": 2}, {"sku": "b"}], "at": "2013-01-01"}\n{"id": 2, "lines": []}\n'
            ),
            explode="lines",
            keeps_empty=True,
        )
    )

    assert parsed.table.to_pylist() == [
        {"id": "1", "lines.sku": "a", "lines.n": "2", "at": "2013-01-01"},
        {"id": "1", "lines.sku": "b", "lines.n": None, "at": "2013-01-01"},
        {"id": "2", "lines.sku": None, "lines.n": None, "at": None},
    ]
    assert parsed.types == {"id": "int", "lines.sku": "string", "lines.n": "int", "at": "date"}
    assert parsed.locate(np.array([2, 1, 0]))["line"].to_pylist() == [2, 1, 1]


def test_a_list_may_stand_within_an_object() -> None:
    """A dotted path leads to the list; where the path ends early there is none."""
    parsed = read_lines(
        JsonBlock(
            ByteView.of(b'{"order": {"id": 1, "lines": [{"sku": 5}, 6]}}\n{"order": null}\n{"order": "x"}\n'),
            explode="order.lines",
            keeps_empty=True,
        )
    )

    assert parsed.table.to_pylist() == [
        {"order.id": "1", "order.lines.sku": "5", "order.lines": None, "order": None},
        {"order.id": "1", "order.lines.sku": None, "order.lines": "6", "order": None},
        {"order.id": None, "order.lines.sku": None, "order.lines": None, "order": None},
        {"order.id": None, "order.lines.sku": None, "order.lines": None, "order": "x"},
    ]


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ('{"lines": "x"}', "lines", "'x' is not a list"),
        ('{"lines": 0}', "lines", "0 is not a list"),
        ('{"lines": {}}', "lines", "{} is not a list"),
        ('{"lines": {"sku": 1}}', "lines", "{'sku': 1} is not a list"),
        (
            '{"lines": [1, {"sku": 2}], "lines.sku": 3}',
            None,
            "two values for one column, by a nested key and by one with a dot",
        ),
        (
            '{"lines": [{"a": {"b": 1}, "a.b": 2}]}',
            None,
            "two values for one column, by a nested key and by one with a dot",
        ),
        (r'{"lines": ["\ud800"]}', None, "half of a surrogate pair is not a text"),
    ],
)
def test_a_record_that_cannot_be_exploded_is_one_misfit(line: str, column: str | None, reason: str) -> None:
    """A value that is no list is told with its column, and the whole record is one reject."""
    parsed = read_lines(JsonBlock(ByteView.of(f'{line}\n{{"id": 2, "lines": [1]}}\n'.encode()), explode="lines"))

    assert parsed.table.to_pylist() == [{"id": "2", "lines": "1"}]
    assert (misfits_of(parsed.misfits), parsed.misfits["column"].to_pylist()) == ([(1, line, reason)], [column])
    assert (parsed.received, parsed.records) == (2, 2)


ELEMENTS = st.none() | st.integers(-9, 9) | st.dictionaries(st.sampled_from("pq"), st.integers(-9, 9), min_size=1)


@PROPERTY
@given(st.lists(st.none() | st.lists(ELEMENTS, max_size=4), max_size=6), st.booleans())
def test_no_element_is_lost(lists: list[list[Any] | None], keeps_empty: bool) -> None:
    """Whatever the lists hold, the rows are their elements in order, and one for each that has none where that is kept."""
    lines = [json.dumps({"id": number, "e": elements}) for number, elements in enumerate(lists)]

    parsed = read_lines(JsonBlock(ByteView.of("\n".join(lines).encode()), explode="e", keeps_empty=keeps_empty))

    expected = [
        (str(number), *(None if element is None else str(element) for element in _columns(each)))
        for number, elements in enumerate(lists)
        for each in elements or ([None] if keeps_empty else [])
    ]
    assert parsed.empty == (0 if keeps_empty else sum(not elements for elements in lists))
    found = [tuple(row.get(name) for name in ("id", "e", "e.p", "e.q")) for row in parsed.table.to_pylist()]
    assert (found, parsed.received, parsed.records) == (expected, len(expected), len(lists))


def _columns(element: Any) -> tuple[Any, Any, Any]:
    """Return what the columns e, e.p and e.q have of an element."""
    return (None, element.get("p"), element.get("q")) if isinstance(element, dict) else (element, None, None)


def test_rows_are_counted_after_exploding_and_landed_records_before(tmp_path: Path) -> None:
    """Elements that do not fit are rejects of their own, and every row is accounted for."""
    source = api_source(explode="lines", key=["id", "lines.sku"], columns={"lines.n": "int"})
    land(
        tmp_path,
        source,
        "all",
        '{"id": 1, "lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": "many"}, {"sku": "a", "n": "few"}]}',
        '{"id": 2, "lines": "none"}',
        '{"id": 1, "lines": [{"sku": "a", "n": 4}, {"sku": "c", "n": 5}]}',
    )

    table = make_table(tmp_path, source)

    assert read_rows(tmp_path) == [{"id": 1, "lines.sku": "a", "lines.n": 1}, {"id": 1, "lines.sku": "c", "lines.n": 5}]
    assert [(row["line"], row["column"], row["reason"]) for row in read_rejects(tmp_path)] == [
        (1, "lines.n", "'many' is not an int"),
        (1, "lines.n", "'few' is not an int"),
        (2, "lines", "'none' is not a list"),
    ]
    assert (table.rows_received, table.rows_table, table.rows_rejected, table.rows_duplicate) == (6, 2, 3, 1)


def test_the_list_has_no_column_where_its_elements_have(tmp_path: Path) -> None:
    """A file of nothing but empty lists joins those with elements, and the column of nulls is gone again."""
    source = api_source("EWR", "JFK", explode="lines", explode_empty="keep")
    land(tmp_path, source, "origin=EWR", '{"id": 1, "lines": []}')
    before = make_table(tmp_path, source, allow_partial=True)
    rows = read_rows(tmp_path)

    land(tmp_path, source, "origin=JFK", '{"id": 2, "lines": [{"sku": "a"}, {"sku": "b"}]}')
    settings = {"explode": "lines", "explode_empty": "keep", "key": ["id", "lines.sku"]}
    after = make_table(tmp_path, api_source("EWR", "JFK", **settings))

    assert (before.types, rows) == ({"id": "int", "lines": "string"}, [{"id": 1, "lines": None}])
    assert after.types == {"id": "int", "lines.sku": "string"}
    assert read_rows(tmp_path) == [
        {"id": 1, "lines.sku": None},
        {"id": 2, "lines.sku": "a"},
        {"id": 2, "lines.sku": "b"},
    ]
    assert len({pq.read_schema(path) for path in (tmp_path / "tables" / "rows").glob("*.parquet")}) == 1


def test_another_column_to_explode_converts_again_and_fetches_nothing(tmp_path: Path) -> None:
    """What was received stays as it is; the table is made anew of it."""
    plain, exploded = api_source(key=[]), api_source(key=[], explode="lines")
    land(tmp_path, plain, "all", '{"id": 1, "lines": [1, 2]}')
    make_table(tmp_path, plain)
    before = read_rows(tmp_path)

    table = make_table(tmp_path, exploded)

    assert before == [{"id": 1, "lines": "[1, 2]"}]
    assert read_rows(tmp_path) == [{"id": 1, "lines": 1}, {"id": 1, "lines": 2}]
    assert (table.files_read, make_table(tmp_path, exploded).files_read) == (1, 0)
    assert make_table(tmp_path, plain).files_read == 1


def test_a_list_without_elements_gives_no_row_and_is_counted(tmp_path: Path) -> None:
    """Orders whose list is empty or missing are none of the rows received, and their number is told."""
    source = api_source(explode="items", key=[])
    land(
        tmp_path,
        source,
        "all",
        '{"id": 1, "items": [5, 6]}',
        '{"id": 2, "items": []}',
        '{"id": 3}',
        '{"id": 4, "items": null}',
    )

    table = make_table(tmp_path, source)

    assert read_rows(tmp_path) == [{"id": 1, "items": 5}, {"id": 1, "items": 6}]
    assert (table.rows_received, table.rows_table, table.records_empty) == (2, 2, 3)


def test_lists_that_are_all_empty_make_an_empty_table_of_their_columns(tmp_path: Path) -> None:
    """What is declared has its type, and the columns of elements that did not come may be declared too."""
    source = api_source("EWR", "JFK", explode="items", key=[], columns={"id": "int", "items.sku": "string"})
    land(tmp_path, source, "origin=EWR", '{"id": 1, "items": []}')
    before = make_table(tmp_path, source, allow_partial=True)

    land(tmp_path, source, "origin=JFK", '{"id": 2, "items": [{"sku": "a"}]}')
    after = make_table(tmp_path, source)

    assert (before.types, before.rows_table, before.records_empty) == ({"id": "int", "items": "string"}, 0, 1)
    assert (after.types, read_rows(tmp_path)) == ({"id": "int", "items.sku": "string"}, [{"id": 2, "items.sku": "a"}])


@pytest.mark.parametrize("lines", [['{"id": 1, "items": [5]}', '{"id": 2, "items": []}'], ['{"id": 1, "items": []}']])
def test_a_list_that_no_record_has_is_an_error(tmp_path: Path, lines: list[str]) -> None:
    """A slip in explode is told with the column that was meant, instead of a table without rows."""
    source = api_source(explode="itmes", key=[])
    land(tmp_path, source, "all", *lines)

    with pytest.raises(TableError, match=r"^explode: no record has a column 'itmes'; did you mean items\?$"):
        make_table(tmp_path, source)


@pytest.mark.parametrize(
    "changes", [{"explode_empty": "keep"}, {}, {"explode_empty": "keep", "columns": {"id": "int"}}]
)
@pytest.mark.parametrize("more", [[], ["no JSON"]])
def test_it_is_one_whatever_else_came(tmp_path: Path, changes: dict[str, Any], more: list[str]) -> None:
    """Also where a record without the list is a row, and where one is a reject."""
    source = api_source(explode="itmes", key=[], **changes)
    land(tmp_path, source, "all", '{"id": 1, "items": [5]}', '{"id": 2, "items": [6]}', '{"id": 3}', *more)

    with pytest.raises(TableError, match=r"^explode: no record has a column 'itmes'; did you mean items\?$"):
        make_table(tmp_path, source)


@pytest.mark.parametrize(
    ("lines", "changes"),
    [
        (['{"id": 1, "lines": [{"sku": "a"}]}'], {"columns": {"lines.sku": {"rename": "sku"}}}),
        (['{"id": 1, "lines": [{"sku": "a"}]}'], {"table": {"clean_names": True}}),
        (['{"id": 1, "lines": [5]}'], {"columns": {"lines": {"rename": "n"}}}),
        (['{"id": 1, "lines": "x"}', '{"id": 2}', '{"id": 3}'], {}),
        (['{"id": 1, "lines": []}', '{"id": 2}'], {}),
    ],
)
def test_a_list_by_another_name_is_there(tmp_path: Path, lines: list[str], changes: dict[str, Any]) -> None:
    """As are one whose elements have columns, one that is empty, and what is a reject for being no list."""
    source = api_source(explode="lines", explode_empty="keep", key=[], **changes)
    land(tmp_path, source, "all", *lines)

    table = make_table(tmp_path, source)

    assert table.rows_received == len(lines)


def test_records_of_which_none_is_a_row_have_their_declared_columns(tmp_path: Path) -> None:
    """Several of one type are cast together, be there nothing to cast, and NaN among what is no row."""
    source = api_source(explode="lines", columns={"id": "int", "n": "int"}, key=[])
    land(tmp_path, source, "all", '{"id": 1, "n": 2, "x": NaN, "lines": []}')

    table = make_table(tmp_path, source)

    assert (table.rows_table, table.types["id"], table.types["n"]) == (0, "int", "int")
