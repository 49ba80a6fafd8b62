"""Reading: what can be declared of files, and what does not fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.config import FilesSource, Reading
from tasks.config.formats import FORMATS
from tests.config.files import mistakes_of

TRUTH = "is a truth value; write the sheet's name in quotes, or its number from 0"


def mistake(**reading: Any) -> str:
    """Return the one thing that is wrong."""
    with pytest.raises(ValidationError) as caught:
        Reading.model_validate(reading)
    (error,) = caught.value.errors()
    return error["msg"].removeprefix("Value error, ")


def test_nothing_need_be_declared() -> None:
    """A source of files reads them as they are, unless something is said."""
    assert FilesSource(path=("inbox/*",)).read == Reading()


@pytest.mark.parametrize(
    "reading",
    [
        {"delimiter": "\t", "quote": "", "header": False, "decimal": ",", "encoding": "cp1252"},
        {"format": "tsv", "delimiter": "\t"},
        {"format": "csv", "delimiter": "|", "quote": "'", "encoding": "UTF-16"},
        {"format": "jsonl", "encoding": "latin-1", "member": "a.jsonl"},
        {"format": "json", "records_at": "data.items"},
        {"format": "excel", "sheet": "first", "header": False},
        {"sheet": 0},
        {"escape": "\\", "comment": "#", "header_row": 3, "skip_rows": 4},
        {"format": "csv", "escape": "", "quote": "", "skip_rows": 0},
        {"format": "excel", "header_row": 2, "skip_rows": 2},
        {"format": "excel", "header_row": 2, "units_row": 3, "skip_footer": 1, "skip_blank": False},
        {"format": "csv", "units_row": True, "skip_footer": 0, "skip_blank": True},
        {"header": False, "units_row": False},
    ],
)
def test_what_fits_together_is_taken(reading: dict[str, Any]) -> None:
    """Each format has its own options, and without a format any."""
    assert Reading.model_validate(reading).model_dump(exclude_unset=True) == reading


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        ({"encoding": "utf8x"}, "'utf8x' is not an encoding; did you mean utf8?"),
        ({"encoding": "windows-1252x"}, "'windows-1252x' is not an encoding; did you mean windows_1252?"),
        ({"encoding": "base64"}, "'base64' is not an encoding; write one that Python knows, e.g. cp1252"),
        ({"encoding": "??"}, "'??' is not an encoding; write one that Python knows, e.g. cp1252"),
        ({"delimiter": "\\t"}, "'\\\\t' is not a delimiter; write a tab in double quotes, \"\\t\""),
        ({"delimiter": ""}, "'' is not a delimiter; write one character of ASCII, e.g. ; or |"),
        ({"delimiter": "é"}, "'é' is not a delimiter; write one character of ASCII, e.g. ; or |"),
        ({"quote": "''"}, "\"''\" is not a quote; write one character of ASCII, e.g. ' or \""),
        ({"quote": "\n"}, "'\\n' is not a quote; write one character of ASCII, e.g. ' or \""),
        ({"delimiter": "'", "quote": "'"}, 'delimiter "\'" is also the quote or the decimal; choose another'),
        ({"delimiter": ",", "decimal": ","}, "delimiter ',' is also the quote or the decimal; choose another"),
        ({"format": "tsv", "delimiter": ";"}, "delimiter ';' is not that of tsv; declare format: csv"),
        (
            {"format": "jsonl", "header": True},
            "header is of csv and tsv and excel, and the format is jsonl; take one of them out",
        ),
        (
            {"format": "parquet", "encoding": "utf-8"},
            f"encoding is of {' and '.join(FORMATS.names_with('encoding'))}, and the format is parquet; take one of them out",
        ),
        ({"format": "csv", "sheet": 0}, "sheet is of excel, and the format is csv; take one of them out"),
        (
            {"format": "jsonl", "records_at": "a"},
            "records_at is of json, and the format is jsonl; take one of them out",
        ),
        ({"sheet": True}, f"True {TRUTH}"),
        ({"escape": "\\\\"}, "'\\\\\\\\' is not an escape; write one character of ASCII, e.g. \\"),
        ({"comment": ""}, "'' is not a comment; write one character of ASCII, e.g. #"),
        ({"comment": "//"}, "'//' is not a comment; write one character of ASCII, e.g. #"),
        ({"skip_rows": -1}, "Input should be greater than or equal to 0"),
        ({"header_row": 0}, "Input should be greater than or equal to 1"),
        (
            {"comment": ";", "delimiter": ";"},
            "comment ';' is also the delimiter, the quote or the decimal; choose another",
        ),
        (
            {"escape": ";", "delimiter": ";"},
            "escape ';' is also the delimiter, the quote or the decimal; choose another",
        ),
        (
            {"escape": "\\", "quote": ""},
            "escape '\\\\' is of quoted fields, and quote is empty; take one of them out",
        ),
        (
            {"header_row": 2, "header": False},
            "header_row 2 names the columns, and header is false; take one of them out",
        ),
        (
            {"header_row": 3, "skip_rows": 2},
            "skip_rows 2 ends above header_row 3; leave it out, or count the lines as far as the first record, e.g. 3",
        ),
        (
            {"header": False, "units_row": True},
            "units_row is below the header, and header is false; take one of them out",
        ),
        (
            {"header_row": 3, "units_row": 3},
            "units_row 3 is not below header_row 3; write the row of the units, e.g. 4",
        ),
        ({"units_row": 1}, "row 1 is above any below a header; write true, or the row of the units, e.g. 2"),
        ({"skip_footer": -1}, "Input should be greater than or equal to 0"),
        ({"skip_footer": 1001}, "Input should be less than or equal to 1000"),
        (
            {"format": "json", "skip_footer": 1},
            "skip_footer is of csv and tsv and excel, and the format is json; take one of them out",
        ),
        (
            {"format": "parquet", "units_row": True},
            "units_row is of csv and tsv and excel, and the format is parquet; take one of them out",
        ),
        (
            {"format": "jsonl", "skip_rows": 1},
            "skip_rows is of csv and tsv and excel, and the format is jsonl; take one of them out",
        ),
        (
            {"format": "excel", "comment": "#"},
            "comment is of csv and tsv, and the format is excel; take one of them out",
        ),
    ],
)
def test_what_makes_no_sense_is_one_sentence(reading: dict[str, Any], expected: str) -> None:
    """A value that is none, and options of another format, are told with what to write instead."""
    assert mistake(**reading) == expected


def test_a_mistake_names_its_place_in_the_file(tmp_path: Path) -> None:
    """In a pipeline file the mistake stands with its line and its key."""
    text = "name: small\nsources:\n  rows: {kind: files, path: 'inbox/*', read: {encoding: utf8x}}\n"

    (found,) = mistakes_of(tmp_path / "pipeline.yaml", text)

    assert "read.encoding" in found
    assert found.endswith("'utf8x' is not an encoding; did you mean utf8?")
