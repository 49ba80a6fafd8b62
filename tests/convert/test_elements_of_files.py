"""Tables of the lists in the records of files: as those of an API's records, and with the file that holds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.config import FilesSource, Pipeline
from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table, read_rejects, read_rows, write_files

ITEMS = {"explode": "items", "take": {"order_id": "id"}}
ORDERS = [
    {"id": 1, "items": [{"n": 1, "price": "2.50"}, {"n": 2, "price": "3"}]},
    {"id": 2, "items": []},
    {"id": 3, "items": [{"n": 1, "price": "x"}, {"n": 2, "price": "7"}]},
]
ROWS = [(1, 1, 2.5), (1, 2, 3.0), (3, 2, 7.0)]


def items_of(**settings: Any) -> FilesSource:
    """Return the source of the items of the inbox's orders."""
    table = {**ITEMS, "columns": {"price": "float"}, "table": {"max_rejects": None}}
    return files_source(tables={"items": table}, **settings).elements("orders")["items"]


def rows_of(root: Path) -> list[tuple[Any, ...]]:
    """Return the items by order and number."""
    return [(row["order_id"], row["n"], row["price"]) for row in read_rows(root)]


@pytest.mark.parametrize(
    ("name", "text", "settings"),
    [
        ("a_json", json.dumps(ORDERS), {}),
        ("a_json", json.dumps(ORDERS, indent=1).replace('"7"', '"7", "x": NaN'), {}),
        ("a_jsonl", "\n".join(map(json.dumps, ORDERS)), {}),
        ("a_json", json.dumps({"page": 1, "data": {"orders": ORDERS}}), {"read": {"records_at": "data.orders"}}),
        (
            "a_json",
            json.dumps({str(each["id"]): {"items": each["items"]} for each in ORDERS}),
            {"read": {"shape": "by_id", "id_column": "id"}},
        ),
    ],
)
def test_each_element_is_a_row(tmp_path: Path, name: str, text: str, settings: dict[str, Any]) -> None:
    """It has what is taken of its record; a record without elements gives none, and what does not fit is a reject."""
    write_files(tmp_path, **{name: text})

    table = make_table(tmp_path, items_of(**settings))

    assert [(int(order), n, price) for order, n, price in rows_of(tmp_path)] == ROWS
    assert (table.rows_received, table.records_empty) == (4, 1)
    assert [each["reason"] for each in read_rejects(tmp_path)] == ["'x' is not a float"]


def test_a_document_of_one_record_has_elements(tmp_path: Path) -> None:
    """An object by itself is a record, as in its own table."""
    write_files(tmp_path, a_json=json.dumps(ORDERS[0]))

    make_table(tmp_path, items_of())

    assert rows_of(tmp_path) == ROWS[:2]


def test_elements_are_those_of_the_file_as_it_is_now(tmp_path: Path) -> None:
    """Those of a file that was written anew vanish with its records."""
    write_files(tmp_path, a_json=json.dumps(ORDERS[:1]), b_json=json.dumps(ORDERS[2:]))
    make_table(tmp_path, items_of())
    write_files(tmp_path, a_json=json.dumps([{"id": 1, "items": [{"n": 9, "price": "1"}]}]))

    make_table(tmp_path, items_of())

    assert sorted(rows_of(tmp_path)) == [(1, 9, 1.0), (3, 2, 7.0)]


def test_the_records_have_a_table_of_their_own(tmp_path: Path) -> None:
    """In it each list is a text of JSON."""
    write_files(tmp_path, a_json=json.dumps(ORDERS[:2]))
    sources = {"orders": {"kind": "files", "path": "inbox/*", "tables": {"items": ITEMS}}}
    pipeline = Pipeline.model_validate({"name": "shop", "sources": sources})

    assert pipeline.table_names == ("orders", "items")
    make_table(tmp_path, pipeline.converted["orders"])
    assert [row["items"] for row in read_rows(tmp_path)] == [json.dumps(each["items"]) for each in ORDERS[:2]]


def test_other_formats_have_no_lists(tmp_path: Path) -> None:
    """A text of JSON in a column of CSV is a text."""
    write_files(tmp_path, a_csv="id,items\n1,[]\n")

    with pytest.raises(TableError, match=r"inbox/a\.csv: is csv, and tables are of the lists in records of JSON"):
        make_table(tmp_path, items_of())


def test_a_column_that_no_element_has_is_told_by_its_own_name(tmp_path: Path) -> None:
    """As it stands in the pipeline file, and not as it would in the record."""
    write_files(tmp_path, a_json=json.dumps(ORDERS))
    source = files_source(tables={"items": {**ITEMS, "columns": {"prize": "float"}}}).elements("orders")["items"]

    with pytest.raises(TableError, match=r"^columns\.prize: no file has this column; did you mean price\?"):
        make_table(tmp_path, source)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"key": ["id"]},
            r"tables\.items would keep elements that this one has no more; make items of the records that",
        ),
        ({"key": ["id"], "keep": "last"}, r'by SQL with unnest\(from_json_strict\("items", .*, or add keep: first'),
        ({"key": ["id"], "keep": "first"}, r"tables\.items has no key, and records that come twice would leave"),
    ],
)
def test_elements_of_records_that_are_replaced_are_refused(settings: dict[str, Any], says: str) -> None:
    """What a record held before would stay in the table of its elements."""
    with pytest.raises(ValidationError, match=says):
        files_source(tables={"items": ITEMS}, **settings)
