"""Expressions of columns as a pipeline file declares them: what they may read, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tasks.config import FilesSource, PagesSource


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"t": {"expression": "sum(a)"}}, "expression 'sum(a)' has sum, which is no function of one row's values"),
        (
            {"t": {"expression": "u + 1"}, "u": {"expression": "a + 1"}},
            "columns.t.expression: reads 'u', whose expression is written below; write it above",
        ),
        (
            {"a": {"expression": "a + 1"}},
            "columns.a.expression: reads 'a', its own column, whose type is not declared; add type",
        ),
        (
            {"a": {"drop": True}, "t": {"expression": "A + 1"}},
            "columns.t.expression: reads 'A', which is dropped, and whose type is not declared; add it, as columns: {a: ",
        ),
        (
            {"a": {"type": "int", "drop": True}},
            "columns.a: drop leaves the column out, and type is of one that stays; take one of them out",
        ),
        (
            {"Unit Price": {"drop": True}, "t": {"expression": "unit_price * 2"}},
            "reads 'unit_price', which is dropped, and whose type is not declared",
        ),
    ],
)
def test_what_an_expression_cannot_read_is_told(columns: dict[str, Any], says: str) -> None:
    """The sentence names the column, and the cure."""
    with pytest.raises(ValidationError) as caught:
        FilesSource.model_validate({"path": "a.csv", "columns": columns, "table": {"clean_names": True}})

    assert says in str(caught.value)


def test_pages_have_no_other_columns_than_are_declared() -> None:
    """So that what an expression reads is known before a page is fetched."""
    columns = {"price": "td::text", "gross": {"expression": "prize * 1.19"}}

    with pytest.raises(ValidationError, match=r"reads .prize., which is no column; did you mean price\?"):
        PagesSource.model_validate({"start": "http://127.0.0.1/", "rows": "tr", "columns": columns})
