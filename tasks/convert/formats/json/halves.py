"""Lines of JSON with half a surrogate pair, which is no text: found by their bytes, many at once."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.lines import JsonBlock
from tasks.convert.formats.json.rows import are_deep, decode_together

_TOGETHER = 100  # lines that are read together: where one is damaged each of these is read by itself
_BACKSLASH, _U, _D, _SMALL = ord("\\"), ord("u"), ord("d"), 0x20
_IS_HIGH, _IS_LOW, _IS_HEX = (
    np.isin(np.arange(256), list(letters)) for letters in (b"89abAB", b"cdefCDEF", b"0123456789abcdefABCDEF")
)
_HALF_BYTES = len(rb"\ud800")
# A character that no text has, for it is reserved for use within programs, and its escape, as long as that of a half.
_MARK, _ESCAPED = "\ufdd0".encode(), rb"\ufdd0"

_write_lines = msgspec.json.Encoder().encode_lines


def find_halves(block: JsonBlock) -> tuple[set[int], set[int]]:
    """Return the lines that have half a pair and are no rows for that, and those that may be, by their places among all that are not blank.

    A line whose half stands in a value that another of the same key takes the place of is a row.
    """
    data = block.window.to_numpy()
    halves = _find_halves(data)
    lines = block.numbers - block.first_line
    starts, stops = (each[lines] for each in block.window.line_spans)
    places = np.unique(np.searchsorted(starts, halves, side="right") - 1)
    if _MARK in block.window or _ESCAPED in block.window.data.lower():
        return set(), set(places.tolist())
    masked = data.copy()
    masked[halves[:, None] + np.arange(_HALF_BYTES)] = list(_ESCAPED)
    view = masked.data
    halved, doubtful = set[int](), set[int]()
    for begin in range(0, len(places), _TOGETHER):
        some = places[begin : begin + _TOGETHER]
        texts = [view[start:stop] for start, stop in zip(starts[some].tolist(), stops[some].tolist(), strict=True)]
        found = _find_marks(ByteView.of(b"\n".join(texts)), len(texts))
        halved.update(place for place, has_mark in zip(some.tolist(), found, strict=False) if has_mark)
        doubtful.update(some.tolist())
    return halved, doubtful - halved


def _find_marks(window: ByteView, lines: int) -> Iterator[bool]:
    """Yield of each line whether its value has the mark; nothing where one of them is no JSON, or nested too deeply."""
    values = decode_together(window)
    if values is None or len(values) != lines or are_deep(window, values):
        return
    yield from (_MARK in line for line in _write_lines(values).split(b"\n")[:lines])


def _find_halves(data: np.ndarray) -> np.ndarray:
    """Return where escapes of halves begin that are of no pair."""
    found = find_escapes(data[: 1 - _HALF_BYTES])
    found = found[(data[found + 1] == _U) & (data[found + 2] | _SMALL == _D)]
    found = found[_IS_HEX[data[found + 4]] & _IS_HEX[data[found + 5]]]
    high, low = found[_IS_HIGH[data[found + 3]]], found[_IS_LOW[data[found + 3]]]
    high, low = high[~np.isin(high + _HALF_BYTES, low)], low[~np.isin(low - _HALF_BYTES, high)]
    return np.sort(np.concatenate([high, low]))


def find_escapes(data: np.ndarray) -> np.ndarray:
    """Return the places of the backslashes that begin an escape: of several in a row every other one is escaped."""
    found = np.flatnonzero(data == _BACKSLASH)
    numbers = np.arange(len(found))
    is_first = np.diff(found, prepend=-2) > 1
    first = np.maximum.accumulate(np.where(is_first, numbers, 0))
    begun: np.ndarray = found[(numbers - first) % 2 == 0]
    return begun
