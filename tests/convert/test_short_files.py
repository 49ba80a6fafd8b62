"""Files of few records, and of separators that are none that is guessed: each value is read, or its doubt is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.convert.conftest import files_source, make_table, read_rows, write_files


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("id;v\n1;2,5\n", [{"id": 1, "v": 2.5}]),
        ("id;v\n1;2,5", [{"id": 1, "v": 2.5}]),
        ("v;w\n2,5;3,5\n", [{"v": 2.5, "w": 3.5}]),
        ("id;v\n1;2\n2;3,5\n", [{"id": 1, "v": 2.0}, {"id": 2, "v": 3.5}]),
        ("id\tv\n1\t1.234,5\n", [{"id": 1, "v": "1.234,5"}]),
    ],
)
def test_the_last_record_tells_of_decimals_too(tmp_path: Path, content: str, rows: list[dict[str, object]]) -> None:
    """A file of one row is read as one of many."""
    write_files(tmp_path, a_csv=content)

    make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == rows


def test_a_doubt_of_the_only_row_is_told(tmp_path: Path) -> None:
    """A point that may separate thousands is one in a file of one row as well."""
    write_files(tmp_path, a_csv="id;v\n1;1.234\n")

    (warning,) = make_table(tmp_path, files_source()).findings.warnings

    assert warning.startswith("inbox/a.csv has '1.234' in v, and nothing tells whether the point separates decimals")


@pytest.mark.parametrize(
    ("content", "first"),
    [
        ("id:name:v\n1:a:2\n2:b:3\n", "id:name:v"),
        ("id  name    v\n1   a       2\n22  bb      33\n", "id  name    v"),
        ("root:x:0\nbin:x:1\n", "root:x:0"),
        ("id v\n1 2\n", "id v"),
    ],
)
def test_a_file_of_other_separators_is_told(tmp_path: Path, content: str, first: str) -> None:
    """The sentence shows a line and names the key."""
    write_files(tmp_path, a_csv=content)

    (warning,) = make_table(tmp_path, files_source()).findings.warnings

    assert warning == (
        f"inbox/a.csv: is read as one column, since its delimiter is ',', e.g. {first!r}; correct or declare read.delimiter"
    )


@pytest.mark.parametrize(
    "content",
    [
        "full name\nJohn Smith\nJane Doe\n",
        "time\n12:30\n13:45\n",
        "12:30\n13:45\n",
        "url\nhttp://a.example\nhttp://b.example\n",
        "moment\n2026-01-01 10:00\n2026-01-02 11:00\n",
        "say\nroom 12\nroom 13\n",
    ],
)
def test_a_column_of_texts_or_times_is_no_doubt(tmp_path: Path, content: str) -> None:
    """Words have blanks, and times have colons."""
    write_files(tmp_path, a_csv=content)

    assert make_table(tmp_path, files_source()).findings.warnings == ()
