"""What is declared to clean a column: read as it is written, and refused where it could not be what is meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.config import Column, FilesSource, PagesColumn, PagesSource, load_pipeline

PIPELINE = """\
name: shop
sources:
  sales:
    kind: files
    path: inbox/*.csv
    columns:
      paid: {type: bool, true: [ja, true, 1], false: [nein, false, no]}
      price: {type: float, strip: €}
  pages:
    kind: pages
    start: http://127.0.0.1/a
    rows: tr
    columns: {paid: {select: td, type: bool, true: [ja], false: [nein]}}
"""


def test_true_and_false_are_keys_without_quotes(tmp_path: Path) -> None:
    """YAML takes them for truths, of which the words are those that are written."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(PIPELINE)

    sources = load_pipeline(path).sources

    assert isinstance(sales := sources["sales"], FilesSource)
    assert isinstance(pages := sources["pages"], PagesSource)
    paid = Column(type="bool", true=("ja", "true", "1"), false=("nein", "false", "no"))
    assert sales.columns == {"paid": paid, "price": Column(type="float", strip=("€",))}
    assert pages.columns == {"paid": PagesColumn(select="td", type="bool", true=("ja",), false=("nein",))}


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"strip": True}, "strip takes off what stands around a number; add type: float, or int"),
        ({"strip": [], "type": "int"}, "at least 1 item"),
        ({"strip": ["€", "1"], "type": "int"}, "strip: '1' may be of the number itself; write what stands around it"),
        ({"strip": ["-"], "type": "int"}, "strip: '-' may be of the number itself"),
        ({"strip": ["0 €"], "type": "int"}, "strip: '0 €' may be of the number itself"),
        ({"true": ["ja"]}, "true has words of a bool; add type: bool"),
        ({"false": ["no"], "type": "int"}, "false has words of a bool; add type: bool"),
        ({"true": ["Ja", "x"], "false": [" jA"], "type": "bool"}, "'ja' is both true and false; take it out of one"),
        (
            {"pattern": "abc"},
            "pattern 'abc' has 0 groups, and the value is that of one; write one group, and others as",
        ),
        ({"pattern": "(a)(b)"}, "has 2 groups"),
        ({"pattern": "(a"}, "is no regular expression (missing ), unterminated subpattern at position 0); correct it"),
        ({"pattern": "(a)(?=b)"}, "is none of RE2, which neither looks around nor back"),
        ({"unit": "s"}, "unit s is what numbers count that are times; add type: timestamp"),
        (
            {"origin": 1900, "type": "int"},
            "origin 1900 is where numbers begin that are days; add type: date, or timestamp",
        ),
        ({"unit": "s", "origin": 1904, "type": "timestamp"}, "unit and origin tell times in two ways; take one out"),
        ({"unit": "s", "format": "%Y", "type": "timestamp"}, "format and unit tell times in two ways; take one out"),
        ({"drop": True, "rename": "b"}, "drop leaves the column out, and rename is of one that stays; take one"),
    ],
)
def test_what_cannot_be_meant_is_refused(declared: dict[str, Any], says: str) -> None:
    """The sentence names what is wrong, and the cure."""
    with pytest.raises(ValidationError) as caught:
        Column(**declared)

    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"key": ["a"]}, "key"),
        ({"table": {"sort_by": ["a"]}}, "table.sort_by"),
        ({"table": {"partition_by": ["a"]}}, "table.partition_by"),
    ],
)
def test_a_column_that_is_needed_is_not_dropped(asked: dict[str, Any], where: str) -> None:
    """What identifies rows, or tells where they lie, is in the table."""
    with pytest.raises(ValidationError) as caught:
        FilesSource.model_validate({"path": "a.csv", "columns": {"a": {"drop": True}}, **asked})

    assert f"{where}: 'a' is a column that columns.a drops; take drop out of it" in str(caught.value)
