"""The shapes of a column's texts, all digits alike: counted for a block at once, so that few tell how every value is written."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.schema.notation import AMOUNT, WORDS, is_known_unit

_LOOKED_AT = 16  # values by chance: where most of them are words, no more than a few of all can be numbers
_PLACES = np.random.default_rng(0).random(_LOOKED_AT)
_MOST_SHAPES = 1_000
_KEPT = 40
_LATE = r"(?:1[3-9]|2\d|3[01])"  # no month
_DATE = re.compile(r"\s*\d{1,4}([./-])\d{1,2}\1\d{2,4}(?!\d)")
_EVERY_WORD = frozenset(word for pair in WORDS for word in pair)
_LONG, _LONGEST = 5, 16  # digits: of fewer the number tells whether they are grouped, of more that a float loses some
_RUN = re.compile(f"1{{{_LONG},}}")
_ORDERS = ("", "\x1fd", "\x1fm")
_MOST_BYTES = 256
"""Of a text that may be a number, a date or a word for a truth: of longer ones, which may have megabytes, none is looked at."""


class Shape(NamedTuple):
    """How many texts of a shape there are, and one of them."""

    times: int
    example: str


def count_shapes(texts: pa.ChunkedArray) -> dict[str, Shape]:
    """Return how many texts of each shape a column has, those of rare ones, empty and long ones together under none; nothing where most are words."""
    if not _may_be_written(texts):
        return {}
    filled, total = _short(texts), len(texts) - texts.null_count
    encoded = _shapes_of(filled).dictionary_encode()
    shapes: list[str] = encoded.dictionary.to_pylist()
    if len(shapes) > _MOST_SHAPES:
        return {}
    codes = encoded.indices.to_numpy() * len(_ORDERS) + _orders_of(filled, encoded)
    first = np.full(len(shapes) * len(_ORDERS), -1)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    met = np.flatnonzero(first >= 0)
    counts = np.bincount(codes, minlength=len(first))[met].tolist()
    examples = filled.take(pa.array(first[met])).to_pylist()
    found: dict[str, Shape] = {}
    for code, count, example in zip(met.tolist(), counts, examples, strict=True):
        place, order = divmod(code, len(_ORDERS))
        shape = _RUN.sub(lambda run: "1" * (_LONGEST if len(run[0]) >= _LONGEST else _LONG), shapes[place])
        add_shape(found, f"{shape}{_ORDERS[order]}", Shape(count, example))
    usual = dict(
        sorted(((name, each) for name, each in found.items() if name), key=lambda each: -each[1].times)[:_KEPT]
    )
    if 2 * sum(each.times for each in usual.values() if _is_written(each.example)) < total:
        return {}
    rare = total - sum(each.times for each in usual.values())
    return usual | ({"": Shape(rare, "")} if rare else {})


def _short(texts: pa.ChunkedArray) -> pa.StringArray:
    """Return the texts that are not too long to be looked at."""
    filled = texts.drop_null()
    is_short = pc.less_equal(pc.binary_length(filled), _MOST_BYTES)
    return (filled if pc.all(is_short).as_py() else filled.filter(is_short)).combine_chunks()


def add_shape(shapes: dict[str, Shape], name: str, shape: Shape) -> None:
    """Count more texts of a shape."""
    before = shapes.get(name)
    shapes[name] = shape if before is None else before._replace(times=before.times + shape.times)


def _may_be_written(texts: pa.ChunkedArray) -> bool:
    """Return whether of some values at least half are numbers, dates or words for truths."""
    for values in (texts, texts.drop_null() if texts.null_count else None):
        if values is None or not len(values):
            return False
        looked = values.take(pa.array((_PLACES * len(values)).astype(np.int64))).to_pylist()
        if found := [text for text in looked if text is not None]:
            return 2 * sum(map(_is_written, found)) >= len(found)
    return False


def _is_written(text: str) -> bool:
    """Return whether a text is a number with no more than a unit around it, a date, or a word for a truth."""
    if len(text) > _MOST_BYTES:
        return False
    text = text.strip()
    if text.lower() in _EVERY_WORD or _DATE.match(text):
        return True
    match = AMOUNT.fullmatch(text)
    return match is not None and all(
        is_known_unit(unit) for side in ("before", "behind") if (unit := match[side].strip("+- "))
    )


def _shapes_of(texts: pa.StringArray) -> pa.StringArray:
    """Return texts with each digit a 1, but for a zero that a number begins with."""
    _, ends, data = texts.buffers()
    offsets = np.frombuffer(ends, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    written = np.frombuffer(data or b"", np.uint8)[offsets[0] : offsets[-1]]
    offsets = offsets - offsets[0]
    is_digit = (written - ord("0")) < 10  # noqa: PLR2004 - below zero it is a great number
    follows = np.zeros(len(written) + 1, dtype=bool)
    follows[1:] = is_digit
    for sign in b".,'/:":
        follows[1:] |= written == sign
    follows[offsets[:-1]] = False
    is_zero = ~follows[:-1] & (written == ord("0"))
    shapes = np.where(is_digit & ~is_zero, np.uint8(ord("1")), written)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(shapes))


def _orders_of(texts: pa.StringArray, encoded: pa.DictionaryArray) -> np.ndarray:
    """Return for each text whether it is a date that has the day first, as its first number is no month (1), or second (2)."""
    are_dates = np.array([_DATE.match(shape) is not None for shape in encoded.dictionary.to_pylist()], bool)
    orders = np.zeros(len(texts), np.int64)
    places = np.flatnonzero(are_dates[encoded.indices.to_numpy()]) if are_dates.any() else ()
    if not len(places):
        return orders
    dates = texts.take(pa.array(places))
    for order, pattern in ((1, rf"^\s*{_LATE}[./-]"), (2, rf"^\s*\d{{1,2}}[./-]{_LATE}[./-]")):
        is_so = pc.match_substring_regex(dates, pattern).to_numpy(zero_copy_only=False)
        orders[places[is_so]] = order
    return orders
