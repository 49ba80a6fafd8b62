"""Columns without a value: what stands there is kept where it may be a text, and no file is read again for them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tasks.convert.staging.block import parse_block
from tasks.convert.staging.bundle import MANY_FILES
from tests.convert.conftest import files_source, make_table, read_rows, write_files

_ROWS = 300


def lines_of(*values: Any) -> str:
    """Return records with these values as lines of JSON."""
    return "".join(json.dumps({"id": n, "v": value}) + "\n" for n, value in enumerate(values))


def csv_of(*values: Any) -> str:
    """Return the same as CSV."""
    return "id,v\n" + "".join(f"{n},{value}\n" for n, value in enumerate(values))


def values_of(root: Path) -> list[Any]:
    """Return the values of the column, in the order of the rows."""
    return [row["v"] for row in read_rows(root)]


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Count the blocks that are parsed; all of them are."""
    parsed: list[object] = []

    def counted(*arguments: Any) -> Any:
        parsed.append(arguments)
        return parse_block(*arguments)

    monkeypatch.setattr("tasks.convert.staging.file.parse_block", counted)
    return parsed


@pytest.mark.parametrize(
    ("name", "content", "values"),
    [
        ("a.csv", csv_of(*[""] * _ROWS), [None]),
        ("a.csv", csv_of(*["NA", ""] * (_ROWS // 2)), ["NA", None]),
        ("a.jsonl", lines_of(*[None] * _ROWS), [None]),
        ("a.jsonl", lines_of(*[float("nan"), None] * (_ROWS // 2)), ["nan", None]),
        ("a.jsonl", lines_of(*["NA", ""] * (_ROWS // 2)), ["NA", ""]),
        ("a.jsonl", lines_of(*["", None] * (_ROWS // 2)), ["", None]),
        ("a.json", json.dumps([{"id": n, "v": ""} for n in range(_ROWS)]), [""]),
        ("a.json", json.dumps([{"id": n, "v": float("nan")} for n in range(_ROWS)]), ["nan"]),
        ("a.json", json.dumps([{"id": n, "v": None} for n in range(_ROWS)]), [None]),
    ],
)
def test_a_column_of_nothing_has_no_file_read_again(
    tmp_path: Path, blocks: list[object], name: str, content: str, values: list[str | None]
) -> None:
    """It is one of texts, which the first reading gives."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / name).write_text(content)

    table = make_table(tmp_path, files_source())

    assert dict(table.types) == {"id": "int", "v": "string"}
    assert values_of(tmp_path) == values * (_ROWS // len(values))
    assert len(blocks) == 1


@pytest.mark.parametrize(("other", "value"), [("7", 7), ("1.5", 1.5), ("2013-01-01", date(2013, 1, 1)), ("true", True)])
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("column", ["v", "w"])
def test_what_means_null_is_null_beside_values(
    tmp_path: Path, blocks: list[object], *, other: str, value: object, later: bool, column: str
) -> None:
    """Of another file, that is there at once or later, as the file's only column too; no file is read again for it."""
    source = files_source(read={"format": "csv"})
    header = "id,v" if column == "v" else "v"
    rows = ["1,NA", "2,", "3,nan"] if column == "v" else ["NA", "null", "nan"]
    write_files(tmp_path, a_csv="\n".join([header, *rows]) + "\n" + "\n" * 3)
    if later:
        make_table(tmp_path, source)
    write_files(tmp_path, b_csv=f"{header}\n" + ("4," if column == "v" else "") + f"{other}\n" + "\n" * 3)

    make_table(tmp_path, source)

    assert values_of(tmp_path) == [None, None, None, value]
    assert len(blocks) <= len(["a.csv", "b.csv"])


def test_rows_are_sorted_by_what_they_are_in_the_end(tmp_path: Path) -> None:
    """As texts, which come before nothing; as nulls they stay as they stood."""
    source = files_source(table={"sort_by": ["v"]})
    write_files(tmp_path, a_csv="id,v\n1,\n2,NA\n")
    make_table(tmp_path, source)
    assert [row["id"] for row in read_rows(tmp_path)] == [2, 1]
    write_files(tmp_path, b_csv="id,v\n3,7\n")

    make_table(tmp_path, source)

    assert [(row["id"], row["v"]) for row in read_rows(tmp_path) if row["id"] != 3] == [(1, None), (2, None)]


def test_rows_whose_key_is_null_in_the_end_are_no_duplicates(tmp_path: Path) -> None:
    """As texts those of one key are; beside numbers the column has none, and each of them is in the table again."""
    source = files_source(key=["v"])
    write_files(tmp_path, a_csv="id,v\n1,NA\n2,NA\n3,\n")
    make_table(tmp_path, source)
    assert len(read_rows(tmp_path)) == len(["NA", ""])
    write_files(tmp_path, b_csv="id,v\n4,7\n")

    make_table(tmp_path, source)

    assert [(row["id"], row["v"]) for row in read_rows(tmp_path)] == [(1, None), (2, None), (3, None), (4, 7)]


def test_an_expression_reads_the_text_that_the_table_has(tmp_path: Path) -> None:
    """Where a column is one of texts for want of values, its words are no nulls."""
    write_files(tmp_path, a_csv="id,v\n1,NA\n2,\n")

    make_table(tmp_path, files_source(columns={"w": {"expression": "coalesce(v, 'none')"}}))

    assert [row["w"] for row in read_rows(tmp_path)] == ["NA", "none"]


def test_an_empty_column_that_is_read_again_for_another_is_still_one_of_nothing(tmp_path: Path) -> None:
    """Numbers that come later are numbers, whatever the files that were there were read again for."""
    source = files_source(table={"partition_by": ["w"]})
    write_files(tmp_path, a_csv="id,v,w\n1,,2013-01-01\n")
    make_table(tmp_path, source)
    write_files(tmp_path, b_csv="id,v,w\n2,,2013-01-01 05:00:00\n")
    make_table(tmp_path, source)
    write_files(tmp_path, c_csv="id,v,w\n3,7.5,2013-01-02\n")

    table = make_table(tmp_path, source)

    assert table.types["v"] == "float"
    assert sorted(map(str, values_of(tmp_path))) == ["7.5", "None", "None"]


@pytest.mark.parametrize("suffix", ["jsonl", "json"])
@pytest.mark.parametrize("other", [7, 1.5, "2013-01-01", True])
@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("many", [False, True])
def test_words_for_null_are_nothing_in_json_too(
    tmp_path: Path, *, suffix: str, other: float | str, odd: bool, many: bool
) -> None:
    """Whether a file stands alone, beside one with values, or among a hundred that are joined, and however its records are read."""
    words = ["NA", "", None] + ["null"] * odd

    def write(name: str, values: list[Any]) -> None:
        records = [{"id": n, "v": value} | ({"w": [n, "x"]} if odd and n else {}) for n, value in enumerate(values)]
        lines = map(json.dumps, records)
        (tmp_path / "inbox" / f"{name}.{suffix}").write_text(
            "\n".join(lines) + "\n" if suffix == "jsonl" else json.dumps(records)
        )

    (tmp_path / "inbox").mkdir()
    write("a", words)
    for n in range(MANY_FILES if many else 1):
        write(f"b{n:03}", [other])

    table = make_table(tmp_path, files_source())

    value = date(2013, 1, 1) if isinstance(other, str) else other
    assert table.types["v"] == {7: "int", 1.5: "float", "2013-01-01": "date", True: "bool"}[other]
    assert values_of(tmp_path) == [None] * len(words) + [value] * (MANY_FILES if many else 1)


def test_words_for_null_beside_words_are_texts(tmp_path: Path) -> None:
    """As they stand in each file."""
    write_files(tmp_path, a_jsonl=lines_of("NA", "", None), b_jsonl=lines_of("x"))

    make_table(tmp_path, files_source())

    assert values_of(tmp_path) == ["NA", "", None, "x"]


def test_no_number_is_null_beside_dates(tmp_path: Path) -> None:
    """A block of JSON whose values are all NaN is one without values."""
    write_files(tmp_path, a_jsonl=lines_of(float("nan")), b_jsonl=lines_of("2013-01-01"))

    table = make_table(tmp_path, files_source())

    assert table.types["v"] == "date"
    assert values_of(tmp_path) == [None, date(2013, 1, 1)]
