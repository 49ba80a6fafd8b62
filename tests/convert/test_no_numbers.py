"""NaN and Infinity in JSON lines: the rows are those that Python's reader gives, and all lines are read at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json import lines
from tasks.convert.formats.json.apart import read_rows
from tasks.convert.formats.json.lines import JsonBlock, read_lines
from tasks.convert.schema.blocks import Schema
from tasks.convert.schema.cast import cast_block
from tests.convert.conftest import files_source, make_table
from tests.convert.conftest import read_rows as rows_of_table

_ODD: dict[str, Callable[[int], dict[str, Any]]] = {
    "a number in some": lambda n: {"a": float("nan") if n % 3 else n + 0.5},
    "whole numbers beside it": lambda n: {"a": float("nan") if n % 3 else n},
    "all of a column": lambda _: {"a": float("nan"), "b": 1},
    "infinite, of either sign": lambda n: {"a": (float("inf"), -float("inf"), 1.5)[n % 3]},
    "beside texts": lambda n: {"a": "x" if n % 2 else float("nan")},
    "beside times": lambda n: {"a": "2020-01-01" if n % 2 else float("nan")},
    "within texts": lambda n: {"a": f"{n}: NaN, Infinity, -Infinity ]", "b": float("nan")},
    "within lists": lambda n: {"a": [n, float("nan"), -float("inf")], "b": [{"c": float("inf")}, "NaN, x"]},
    "within objects": lambda n: {"a": {"b": float("nan") if n % 2 else n}},
    "beside numbers that a float cannot hold": lambda n: {"a": 2**60 + n if n % 2 else float("nan")},
    "in a name": lambda n: {"a, NaN ,": n, "b": float("nan")},
}


@pytest.mark.parametrize("kind", _ODD)
def test_the_rows_are_those_of_each_line(kind: str) -> None:
    """Values, types and rejects, with the reason and the text as they stand in the file."""
    texts = [json.dumps(_ODD[kind](n)) for n in range(300)]
    texts[150:150] = ['{"a": NaN, "b"', "NaN", '{"a": -NaN}', "[Infinity]"]
    block = JsonBlock(ByteView.of("\n".join(texts).encode()))

    found, expected = cast_block(read_rows(block, Schema()), Schema()), cast_block(read_lines(block), Schema())

    assert found.types == expected.types
    assert found.table.equals(expected.table)
    assert found.misfits == expected.misfits
    assert found.misfits["raw"].to_pylist() == texts[150:154]


def test_no_line_is_read_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though each has one."""
    (tmp_path / "inbox").mkdir()
    texts = [json.dumps({"a": float("nan") if n % 2 else n + 0.5, "b": {"c": n}}) for n in range(3000)]
    (tmp_path / "inbox" / "a.jsonl").write_text("\n".join(texts))
    monkeypatch.delattr(lines, "rows_of_line")

    make_table(tmp_path, files_source())

    rows = rows_of_table(tmp_path)
    assert [row["a"] for row in rows[:4]] == [0.5, None, 2.5, None]
    assert len(rows) == 3000
