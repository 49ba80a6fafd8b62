"""The shapes of a column's texts, all digits alike: counted for a block at once, so that few tell how every value is written."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.schema.notation import AMOUNT, WORDS, is_known_unit
from tasks.convert.schema.utf8 import bytes_of

_LOOKED_AT = 16  # values by chance: where most of them are words, no more than a few of all can be numbers
_PLACES = np.random.default_rng(0).random(_LOOKED_AT)
_MOST_SHAPES = 1_000
_KEPT = 40
_CELLS, _COLUMNS = 500_000, 100  # so many are looked at together
_FIRST, _ALIKE = 4_000, 2  # of so many texts, where more than one in two differ all are looked at as they stand
_LATE = r"(?:1[3-9]|2\d|3[01])"  # no month
_DATE_OF_DAY = re.compile(r"\s*\d{1,2}([./-])\d{1,2}\1\d{2,4}(?!\d)")
_DATE = re.compile(r"\s*\d{1,4}([./-])\d{1,2}\1\d{2,4}(?!\d)")
_EVERY_WORD = frozenset(word for pair in WORDS for word in pair)
_LONG, _LONGEST = 5, 16  # digits: of fewer the number tells whether they are grouped, of more that a float loses some
_RUN = re.compile(f"1{{{_LONG},}}")
_ORDERS = ("", "\x1fd", "\x1fm")
_DIGITS_ALIKE = bytes.maketrans(b"23456789", b"1" * 8)
_WITHIN_NUMBERS = bytes(byte in b"0123456789.,'/:" for byte in range(256))
_MOST_BYTES = 256
"""Of a text that may be a number, a date or a word for a truth: of longer ones, which may have megabytes, none is looked at."""

_JOINED_BYTES = 2**28


class Shape(NamedTuple):
    """How many texts of a shape there are, and one of them."""

    times: int
    example: str


def count_shapes(columns: Mapping[str, pa.ChunkedArray]) -> dict[str, dict[str, Shape]]:
    """Return by column how many texts of each shape it has, those of rare ones, empty and long ones together under none; no column most of whose texts are words.

    The columns have as many rows each. Some are looked at together: to look at one takes as long as thousands of values.
    """
    names, found = list(columns), dict[str, dict[str, Shape]]()
    rows = max(len(columns[names[0]]), 1) if names else 1
    together = max(min(_COLUMNS, _CELLS // rows), 1)
    for start in range(0, len(names), together):
        some = names[start : start + together]
        found |= zip(some, _count_together([columns[name] for name in some]), strict=True)
    return {name: shapes for name, shapes in found.items() if shapes}


def _count_together(columns: Sequence[pa.ChunkedArray]) -> list[dict[str, Shape]]:
    """Return the shapes of each of some columns, nothing of one most of whose texts are words."""
    chunks = [chunk for column in columns for chunk in column.chunks] or [pa.array([], pa.string())]
    if sum(chunk.nbytes for chunk in chunks) > _JOINED_BYTES:
        chunks = [_shorten(chunk) for chunk in chunks]
    texts = pa.concat_arrays(chunks)
    filled = texts.drop_null()
    totals = np.array([len(column) - column.null_count for column in columns])
    is_written = _may_be_written(texts, filled, totals)
    if not is_written.all():
        starts = np.cumsum(totals) - totals
        chosen = (
            filled.slice(*each) for each in zip(starts[is_written].tolist(), totals[is_written].tolist(), strict=True)
        )
        filled = pa.concat_arrays([*chosen, filled[:0]])
    of_column = np.repeat(np.arange(len(columns)), totals * is_written)
    times = np.ones(len(filled), np.int64)
    if len(filled) and _are_alike(filled):
        filled, times, of_column = _take_different(filled, of_column)
    is_short = pc.less_equal(pc.binary_length(filled), _MOST_BYTES)
    if not pc.all(is_short).as_py():
        short = is_short.to_numpy(zero_copy_only=False)
        filled, of_column, times = filled.filter(is_short), of_column[short], times[short]
    encoded = _shapes_of(filled).dictionary_encode()
    shapes: list[str] = encoded.dictionary.to_pylist()
    if len(shapes) > _MOST_SHAPES:
        return [{}] if len(columns) == 1 else [_count_together([column])[0] for column in columns]
    are_written = np.fromiter(map(_is_written, shapes), bool, len(shapes))
    named = [_RUN.sub(lambda run: "1" * (_LONGEST if len(run[0]) >= _LONGEST else _LONG), shape) for shape in shapes]
    counted: list[dict[str, Shape]] = [{} for _ in columns]
    written: set[str] = set()
    for number, place, order, shape in _count_each(filled, times, of_column, encoded, are_written, totals):
        name = f"{named[place]}{_ORDERS[order]}"
        add_shape(counted[number], name, shape)
        if are_written[place]:
            written.add(name)
    return [_find_usual(found, total, written) for found, total in zip(counted, totals.tolist(), strict=True)]


def _are_alike(texts: pa.StringArray) -> bool:
    """Return whether many of the texts are alike, to judge by the first, and the last, which may be another column's."""
    return len(texts) >= _FIRST and all(
        len(some.unique()) * _ALIKE <= _FIRST for some in (texts[:_FIRST], texts[-_FIRST:])
    )


def _take_different(texts: pa.StringArray, of_column: np.ndarray) -> tuple[pa.StringArray, np.ndarray, np.ndarray]:
    """Return the different texts of each column as they are met, how often each is there, and of which column it is."""
    alike = texts.dictionary_encode()
    count, codes = len(alike.dictionary), alike.indices.to_numpy()
    if of_column[0] == of_column[-1]:
        return alike.dictionary, np.bincount(codes, minlength=count), np.repeat(of_column[:1], count)
    codes = of_column * count + codes
    first = _find_first(codes, (int(of_column[-1]) + 1) * count)
    met = np.flatnonzero(first >= 0)
    met = met[np.argsort(first[met])]
    return alike.dictionary.take(pa.array(met % count)), np.bincount(codes)[met], met // count


def _shorten(texts: pa.StringArray) -> pa.StringArray:
    """Return texts with one that is just too long to be looked at in the place of each that is: all of them may be more than one array holds."""
    return pc.if_else(pc.greater(pc.binary_length(texts), _MOST_BYTES), "x" * (_MOST_BYTES + 1), texts)


def _count_each(
    texts: pa.StringArray,
    times: np.ndarray,
    of_column: np.ndarray,
    shapes: pa.DictionaryArray,
    are_written: np.ndarray,
    totals: np.ndarray,
) -> Iterator[tuple[int, int, int, Shape]]:
    """Yield the column, the number and the order of each shape, and its texts there, in the order in which they are met; of a column with few shapes, most of whose texts are words, none.

    `times` is how often each of the texts stands there.
    """
    places = of_column * len(shapes.dictionary) + shapes.indices.to_numpy()
    met_first = _find_first(places, len(totals) * len(shapes.dictionary))
    codes = places * len(_ORDERS) + _orders_of(texts, shapes)
    first = _find_first(codes, len(met_first) * len(_ORDERS))
    met = np.flatnonzero(first >= 0)
    counts = np.bincount(codes, times, len(first)).astype(np.int64)
    columns, numbers = np.divmod(met // len(_ORDERS), len(shapes.dictionary))
    written = np.bincount(columns, counts[met] * are_written[numbers], len(totals))
    are_words = (np.bincount(columns, minlength=len(totals)) <= _KEPT) & (2 * written < totals)
    met = met[~are_words[columns]]
    place, order = np.divmod(met, len(_ORDERS))
    met = met[np.lexsort((order, met_first[place]))]
    examples = texts.take(pa.array(first[met])).to_pylist()
    columns, numbers = np.divmod(met // len(_ORDERS), len(shapes.dictionary))
    told = (each.tolist() for each in (columns, numbers, met % len(_ORDERS)))
    yield from zip(*told, map(Shape, counts[met].tolist(), examples), strict=True)


def _find_first(codes: np.ndarray, count: int) -> np.ndarray:
    """Return where each of so many codes stands first; -1 where it does not."""
    first = np.full(count, -1)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first


def _find_usual(found: dict[str, Shape], total: int, written: Collection[str]) -> dict[str, Shape]:
    """Return the shapes that come most often, and all other texts of a column as one; nothing where most are words, of no shape that is `written`."""
    if not found:
        return {}
    usual = sorted(((name, each) for name, each in found.items() if name), key=lambda each: -each[1].times)[:_KEPT]
    if 2 * sum(each.times for name, each in usual if name in written) < total:
        return {}
    rare = total - sum(each.times for _, each in usual)
    return dict(usual) | ({"": Shape(rare, "")} if rare else {})


def add_shape(shapes: dict[str, Shape], name: str, shape: Shape) -> None:
    """Count more texts of a shape."""
    before = shapes.get(name)
    shapes[name] = shape if before is None else before._replace(times=before.times + shape.times)


def _may_be_written(texts: pa.StringArray, filled: pa.StringArray, totals: np.ndarray) -> np.ndarray:
    """Return of each column whether at least half of some values are numbers, dates or words for truths; `filled` are those of `texts` that are no nulls."""
    columns, rows = len(totals), len(texts) // len(totals)
    known, words = _look(texts, np.arange(columns) * rows, np.full(columns, rows))
    again = np.flatnonzero((known == 0) & (totals > 0))
    known[again], words[again] = _look(filled, (np.cumsum(totals) - totals)[again], totals[again])
    is_written: np.ndarray = (known > 0) & (2 * words <= known)
    return is_written


def _look(texts: pa.StringArray, starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return of some values by chance of each column how many are no nulls, and how many of these are words."""
    if not lengths.any():
        return np.zeros_like(lengths), np.zeros_like(lengths)
    places = starts[:, None] + (_PLACES * lengths[:, None]).astype(np.int64)
    looked = texts.take(pa.array(places.ravel()))
    are_known = looked.is_valid().to_numpy(zero_copy_only=False)
    shapes = _shapes_of(looked.drop_null()).dictionary_encode()
    are_words = np.array([not _is_written(shape) for shape in shapes.dictionary.to_pylist()], bool)
    found = np.zeros(len(looked), dtype=bool)
    found[are_known] = are_words[shapes.indices.to_numpy()]
    known, words = (each.reshape(-1, _LOOKED_AT).sum(axis=1, dtype=np.int64) for each in (are_known, found))
    return known, words


def _is_written(text: str) -> bool:
    """Return whether a text, or each text of a shape, is a number with no more than a unit around it, a date, or a word for a truth."""
    if len(text) > _MOST_BYTES:
        return False
    if text.isdecimal():
        return True
    text = text.strip()
    if text.lower() in _EVERY_WORD or _DATE.match(text):
        return True
    match = AMOUNT.fullmatch(text)
    return match is not None and all(
        is_known_unit(unit) for side in ("before", "behind") if (unit := match[side].strip("+- "))
    )


def _shapes_of(texts: pa.StringArray) -> pa.StringArray:
    """Return texts with each digit a 1, but for a zero that a number begins with."""
    places, data = bytes_of(texts)
    written = data[places[0] : places[-1]]
    offsets = places - places[0]
    shapes = np.frombuffer(bytearray(written).translate(_DIGITS_ALIKE), np.uint8)
    follows = np.zeros(len(written), dtype=bool)  # a digit, or what stands within a number
    follows[1:] = np.frombuffer(bytearray(written[:-1]).translate(_WITHIN_NUMBERS), bool)
    follows[offsets[:-1][np.diff(offsets) > 0]] = False
    shapes += (shapes == ord("0")) & follows  # a 1 follows upon 0
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(shapes))


def _orders_of(texts: pa.StringArray, encoded: pa.DictionaryArray) -> np.ndarray:
    """Return for each text whether it is a date that has the day first, as its first number is no month (1), or second (2)."""
    are_dates = np.array([_DATE_OF_DAY.match(shape) is not None for shape in encoded.dictionary.to_pylist()], bool)
    orders = np.zeros(len(texts), np.int64)
    places = np.flatnonzero(are_dates[encoded.indices.to_numpy()]) if are_dates.any() else ()
    if not len(places):
        return orders
    dates = texts.take(pa.array(places))
    for order, pattern in ((1, rf"^\s*{_LATE}[./-]"), (2, rf"^\s*\d{{1,2}}[./-]{_LATE}[./-]")):
        is_so = pc.match_substring_regex(dates, pattern).to_numpy(zero_copy_only=False)
        orders[places[is_so]] = order
    return orders
