"""What is taken as it stands in JSON is what Python writes of it."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tasks.convert.formats.json.canonical import are_canonical
from tests.convert.conftest import PROPERTY

_ALIKE = (
    "0", "-7", "1.5", "-0.5", "100.0", "0.0001", "123456789012345678", "[]", "[[1], [2, [3.25]]]", "[true, false, null]",
    '["a , b", "[{:1e5", "é", ""]',
)  # fmt: skip
_OTHERS = (
    "-0", "1e5", "2E5", "1.50", "0.00001", "0.10", "12345678901234567.5", "[1,2]", "[ 1]", "[1 ]", "[1,  2]", "[1,\t2]",
    "[-0]", "[1e-7]", '[{"a": 1}]', '["a","b"]', "[" * 600 + "]" * 600,
)  # fmt: skip


def written_alike(text: str) -> bool:
    """Return whether Python writes a value as it stands."""
    return json.dumps(json.loads(text), ensure_ascii=False) == text


def test_values_that_python_may_write_otherwise_are_told() -> None:
    """Each by itself, whatever stands beside it; one that is nested deep has all others left to Python."""
    some = [*chain.from_iterable(zip(_ALIKE, _OTHERS, strict=False)), *_OTHERS]

    assert [bool(are_canonical(pa.array([text]))[0]) for text in _ALIKE] == [True] * len(_ALIKE)
    assert [bool(are_canonical(pa.array([text]))[0]) for text in _OTHERS] == [False] * len(_OTHERS)
    shallow = [text for text in some if not text.startswith("[[[")]
    assert are_canonical(pa.array(shallow)).tolist() == [text in _ALIKE for text in shallow]
    assert all(map(written_alike, _ALIKE))


_numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none()
_lists = st.lists(st.recursive(_numbers | st.text('a,: []{}.e-0"é', max_size=4), st.lists, max_leaves=5), max_size=3)


@PROPERTY
@given(st.lists(_lists, min_size=1, max_size=5), st.sampled_from([(", ", ": "), (",", ":"), (" , ", ": ")]))
def test_no_value_that_is_taken_as_it_stands_is_written_otherwise(values: list[Any], marks: tuple[str, str]) -> None:
    """Lists of any values, however they are written."""
    texts = [json.dumps(value, ensure_ascii=False, separators=marks) for value in values]
    plain = [text for text in texts if "\\" not in text]

    found = are_canonical(pa.array(plain, pa.string()))

    assert all(written_alike(text) for text, is_so in zip(plain, found.tolist(), strict=True) if is_so)
