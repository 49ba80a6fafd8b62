"""The shapes of texts are told of many columns, and of many texts that are alike, at once."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tasks.convert.schema import shapes
from tests.convert.slow_paths import FEW, lengths_given


def test_of_texts_that_columns_share_different_ones_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of each column, be they others'; their shapes and how many they are do not differ, nor their order."""
    odd = ["1/13/2024", "7", "13/1/2024", "1,5", None, "5 kg", "x" * 300]
    texts = {f"c{n}": pa.chunked_array([[odd[(n + row) % len(odd)] for row in range(FEW)]]) for n in range(3)}
    every = shapes.count_shapes(texts)
    monkeypatch.setattr(shapes, "_FIRST", FEW // 4)
    looked = lengths_given(monkeypatch, shapes, "_shapes_of")

    found = shapes.count_shapes(texts)

    assert {name: [*each.items()] for name, each in found.items()} == {
        name: [*each.items()] for name, each in every.items()
    }
    assert len(found) == len(texts)
    assert max(looked) <= len(texts) * shapes._LOOKED_AT


def test_the_shapes_of_columns_of_few_rows_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has those that it has by itself, in the same order, be others words or null."""
    looked = lengths_given(monkeypatch, shapes, "_shapes_of")
    odd = [
        ["13/1/2024", "1/13/2024", None],
        ["word", "or", "two"],
        [None] * 3,
        ["1,5", "x" * 257, "2,50"],
        ["7", "", "a"],
    ]
    columns = {f"c{n}": pa.chunked_array([pa.array(odd[n % len(odd)], pa.string())]) for n in range(FEW)}

    found = shapes.count_shapes(columns)

    assert len(looked) == len(["some of each column", "all of those that may be written"])
    alone = {name: shapes.count_shapes({name: column}).get(name) for name, column in columns.items()}
    assert {name: [*each.items()] for name, each in found.items()} == {
        name: [*each.items()] for name, each in alone.items() if each
    }
    assert found.keys() == {name for n, name in enumerate(columns) if n % len(odd) in (0, 3)}


def test_texts_that_are_alike_are_looked_at_once_for_their_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column of few different numbers and marks took three times as long as its texts take to be told apart."""
    looked = lengths_given(monkeypatch, shapes, "_shapes_of")
    values = ["-" if n % 3 == 0 else f"{n % 7}.5" for n in range(21_000)]

    found = shapes.count_shapes({"v": pa.chunked_array([values], pa.string())})

    assert looked[-1] == len(set(values))
    assert {name: tuple(each) for name, each in found["v"].items()} == {
        "-": (7_000, "-"),
        "1.1": (12_000, "1.5"),
        "0.1": (2_000, "0.5"),
    }
