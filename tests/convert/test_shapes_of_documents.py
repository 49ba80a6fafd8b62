"""Documents whose records are no list of objects: columns as lists, objects by their ids, and lists with names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.config import Reading
from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table, read_rejects, read_rows, write_files

BY_ID = {"shape": "by_id", "id_column": "code"}


@pytest.mark.parametrize(
    ("document", "read", "rows"),
    [
        (
            {"day": ["2024-01-01", "2024-01-02"], "temp": [1.5, None]},
            {"shape": "columns"},
            [("2024-01-01", 1.5), ("2024-01-02", None)],
        ),
        (
            {"meta": 1, "hourly": {"a": [1, 2], "b": ["x", "y"]}},
            {"shape": "columns", "records_at": "hourly"},
            [(1, "x"), (2, "y")],
        ),
        ({"USD": {"rate": 1.1}, "CHF": {"rate": 0.9}}, BY_ID, [("USD", 1.1), ("CHF", 0.9)]),
        ([{"page": 1}, [{"id": 1}, {"id": 2}]], {"records_at": 1}, [(1,), (2,)]),
        (
            [{"page": 1}, [["id", "name"], [1, "a"], [2, "b"]]],
            {"records_at": 1, "names": "first"},
            [(1, "a"), (2, "b")],
        ),
        ([[1, "a"], [2, "b", True]], {"names": ["id", "name"]}, [(1, "a", None), (2, "b", True)]),
        ({"a": []}, {"records_at": "a", "names": "first"}, []),
    ],
)
def test_each_shape_gives_its_rows(
    tmp_path: Path, document: Any, read: dict[str, Any], rows: list[tuple[Any, ...]]
) -> None:
    """As an API's records do, and their values are as they are written."""
    write_files(tmp_path, a_json=json.dumps(document, indent=1))

    make_table(tmp_path, files_source(read=read))

    assert [tuple(str(v) if k == "day" else v for k, v in row.items()) for row in read_rows(tmp_path)] == rows


def test_values_are_those_of_a_list_of_objects(tmp_path: Path) -> None:
    """A number of many digits, one that is none, and a name that stands twice in a record, as in a document of any shape."""
    records = ['{"n": 12345678901234567890, "f": NaN}', '{"n": 1, "n": 2}', '{"n": 0.10, "t": "\\ud800"}']
    for folder, text, read in (
        ("listed", f"[{', '.join(records)}]", {}),
        ("by_id", "{" + ", ".join(f'"{n}": {each}' for n, each in enumerate(records)) + "}", BY_ID),
    ):
        (tmp_path / folder).mkdir()
        write_files(tmp_path / folder, a_json=text)
        make_table(tmp_path / folder, files_source(read=read, table={"max_rejects": None}))

    found = [{key: value for key, value in row.items() if key != "code"} for row in read_rows(tmp_path / "by_id")]
    assert found == read_rows(tmp_path / "listed")
    assert [each["reason"] for each in read_rejects(tmp_path / "by_id")] == [
        each["reason"] for each in read_rejects(tmp_path / "listed")
    ]


@pytest.mark.parametrize(
    ("text", "read", "says"),
    [
        ('{"a": [1, 2], "b": [1]}', {"shape": "columns"}, "the columns differ in how many values they have"),
        ('{"a": [1], "b": 2}', {"shape": "columns"}, "'b' is no list, as shape: columns needs"),
        ('{"a": [1], "a": [2]}', {"shape": "columns"}, "'a' stands twice"),
        ("[1]", {"shape": "columns"}, "is no object, which shape: columns needs; correct read.records_at, or shape"),
        ('{"x": 1}', BY_ID, "'x' is no object, as shape: by_id needs"),
        ('{"x": {"code": 1}}', BY_ID, "has a value 'code' of its own; choose another id_column"),
        ('{"x": 1}', {"names": "first"}, "is no list, and names are of records that are lists"),
        ('{"x": 1}', {**BY_ID, "records_at": "y"}, "records_at: 'y' is not in the document, there are x"),
        ('{"x": {', BY_ID, "is not a JSON document"),
    ],
)
def test_another_shape_is_told(tmp_path: Path, text: str, read: dict[str, Any], says: str) -> None:
    """The sentence names the file, and what is to be corrected."""
    write_files(tmp_path, a_json=text)

    with pytest.raises(TableError, match=rf"inbox/a\.json: .*{says}"):
        make_table(tmp_path, files_source(read=read))


@pytest.mark.parametrize(
    ("read", "says"),
    [
        ({"shape": "by_id"}, "shape: by_id and id_column, the column that ids become, belong together"),
        ({"shape": "columns", "names": "first"}, "names are of records that are lists, and shape columns has none"),
        ({"format": "csv", "shape": "columns"}, "shape is of json, and the format is csv; take one of them out"),
    ],
)
def test_shapes_that_cannot_be_meant_are_refused(read: dict[str, Any], says: str) -> None:
    """What belongs together is declared together, and only of documents."""
    with pytest.raises(ValidationError, match=says):
        Reading.model_validate(read)


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ('[1, "a"]\n\n[2, "b", true]\r\n[3]', ["id", "name"], [(1, "a", None), (2, "b", True), (3, None, None)]),
        ('\n ["id", "name"]\n[1, "a"]\n{"id": 2, "name": "b"}\n', "first", [(1, "a"), (2, "b")]),
        ('["id", 7, "col1"]\n[1, 2, 3, 4]\n', "first", [(1, 2, 3, 4)]),
        ("[1, 2, 3]\n", ["col1"], [(1, 2, 3)]),
        ('["id"]', "first", []),
        ('{"id": 1}\n', "first", [(1,)]),
    ],
)
def test_lines_may_be_lists(tmp_path: Path, text: str, names: Any, rows: list[tuple[Any, ...]]) -> None:
    """Whose values have names: of the first line, as declared, or of their place where that is no other's; none is lost."""
    write_files(tmp_path, a_jsonl=text)

    make_table(tmp_path, files_source(read={"names": names}))

    assert [tuple(row.values()) for row in read_rows(tmp_path)] == rows


def test_a_line_that_is_a_list_is_rejected_as_it_stands(tmp_path: Path) -> None:
    """By its own number and text, beside numbers that only Python reads."""
    write_files(tmp_path, a_jsonl='["id", "x"]\n[1, NaN]\n[2,\n[3, "old"]\n"text"\n')
    source = files_source(read={"names": "first"}, columns={"x": "float"}, table={"max_rejects": None})

    make_table(tmp_path, source)

    assert read_rows(tmp_path) == [{"id": 1, "x": None}]
    assert [(each["line"], each["raw"]) for each in read_rejects(tmp_path)] == [
        (3, "[2,"),
        (4, '[3, "old"]'),
        (5, '"text"'),
    ]


def test_lists_in_lines_are_those_of_a_document(tmp_path: Path) -> None:
    """Value by value, as inner lists and columns that are mostly null."""
    records = [[n, f"w{n}", [{"k": n, "v": n / 2}] * (n % 3), None if n % 7 else "x"] for n in range(1000)]
    names = ["id", "word", "items", "odd"]
    for folder, text in (("lines", "\n".join(map(json.dumps, records))), ("document", json.dumps(records))):
        (tmp_path / folder).mkdir()
        write_files(tmp_path / folder, **{"a_jsonl" if folder == "lines" else "a_json": text})
        make_table(tmp_path / folder, files_source(read={"names": names}))

    assert read_rows(tmp_path / "lines") == read_rows(tmp_path / "document")
    assert len(read_rows(tmp_path / "lines")) == 1000


def test_a_name_that_stands_twice_is_refused() -> None:
    """One of its values would be lost."""
    with pytest.raises(ValidationError, match="'id' stands twice, and one of its values would be lost; name each once"):
        Reading.model_validate({"names": ["id", "word", "id"]})
