"""Numbers that may be a thousand times as much: a file that does not tell is told of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.convert.conftest import files_source, read_rows, warnings_of, write_files

DOUBTFUL = "id;v\n1;1.234\n2;2.500\n3;12.000\n"


def test_thousands_or_decimals_are_told_of(tmp_path: Path) -> None:
    """The sentence names the file, the value, the column and the cure."""
    write_files(tmp_path, a_csv=DOUBTFUL)

    (told,) = warnings_of(tmp_path, files_source())

    assert told == (
        "inbox/a.csv has '1.234' in v, and nothing tells whether the point separates decimals, as it was read, "
        "or thousands; declare read.decimal: '.' or ','"
    )
    assert warnings_of(tmp_path, files_source()) == (told,)  # also when nothing is new
    assert [row["v"] for row in read_rows(tmp_path)] == [1.234, 2.5, 12.0]


@pytest.mark.parametrize(
    "declared",
    [
        {"read": {"decimal": "."}},
        {"read": {"decimal": ","}, "columns": {"v": {"type": "float", "decimal": ",", "thousands": "."}}},
        {"columns": {"v": {"type": "float", "decimal": "."}}},
        {"columns": {"v": {"type": "int", "thousands": ".", "decimal": ","}}},
        {"columns": {"v": "string"}},
    ],
)
def test_what_is_declared_is_no_doubt(tmp_path: Path, declared: dict[str, Any]) -> None:
    """Neither are texts."""
    write_files(tmp_path, a_csv=DOUBTFUL)

    assert warnings_of(tmp_path, files_source(**declared)) == ()


@pytest.mark.parametrize("content", ["id;v\n1;1.234\n2;2.5\n3;1.000\n", "id;v\n1;1.234\n2;x\n", "id,v\n1,1.234\n"])
def test_what_the_file_tells_is_no_doubt(tmp_path: Path, content: str) -> None:
    """A value that can be read in one way only tells, as a delimiter that is a comma does."""
    write_files(tmp_path, a_csv=content)

    assert warnings_of(tmp_path, files_source()) == ()


def test_each_column_that_is_not_declared_is_counted(tmp_path: Path) -> None:
    """One that is declared is left out, the others are one sentence."""
    write_files(tmp_path, a_csv="u;v;w\n" + "1.234;1.234;5.678\n" * 2)

    (told,) = warnings_of(tmp_path, files_source(columns={"u": {"type": "float", "decimal": "."}}))

    assert told.startswith("inbox/a.csv has '1.234' in v, and the like in 1 column more, and")
