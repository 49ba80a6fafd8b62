"""Numbers in CSV with a zero, a plus or a blank before their digits: where one may begin is told by its bytes, as a parse takes it for a number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tasks.convert.files.byte_view import ByteView, Marks
from tasks.convert.formats.csv.quotes import find_marks

_SLICE_BYTES = 128 * 1024  # what the comparisons write stays in the processor's cache
_AFTER_ZERO = np.isin(np.arange(256), list(b"0123456789xX"))
_ZERO, _LINE_FEED = b"0\n"
_NOWHERE = np.empty(0, np.int64)


def find_padded_columns(window: ByteView, delimiter: str, width: int) -> list[int]:
    """Return the columns, by their places, in which a field may begin so, of lines that are records of `width` fields each, none of which is quoted."""
    begins = np.concatenate([_NOWHERE, *_find_begins(window, delimiter, "")]) + 1
    if not len(begins):
        return []
    delimiters, ends = (Marks(window.to_numpy() == byte).count_before(begins) for byte in (ord(delimiter), _LINE_FEED))
    columns: list[int] = np.flatnonzero(np.bincount(delimiters - (width - 1) * ends)).tolist()
    return columns


def has_padded_numbers(window: ByteView, delimiter: str, quote: str) -> bool:
    """Return whether a field begins with 0 and another digit, or with 0x; in doubt, after a plus or a blank, it does."""
    found = _find_begins(window, delimiter, quote)
    if not quote:
        return any(map(len, found))
    view, places = window.to_numpy(), np.concatenate([_NOWHERE, *found])
    quotes = find_marks(view, quote, delimiter) if len(places) else _NOWHERE
    if quotes is None:
        return True
    is_outside = np.searchsorted(quotes, places, "right") % 2 == 0
    return bool((is_outside | (view[places] == ord(quote))).any())


def _find_begins(window: ByteView, delimiter: str, quote: str) -> Iterator[np.ndarray]:
    """Yield the places of the bytes before what begins so, be it within quotes; -1 is the one before all."""
    view = window.to_numpy()
    doubtful = [ord(character) for character in "+ \t" if character.encode() in window and character != delimiter]
    is_zero = len(view) > 1 and view[0] == _ZERO and bool(_AFTER_ZERO[view[1]])
    if is_zero or (len(view) and int(view[0]) in doubtful):
        yield np.array([-1])
    begins = np.frombuffer(f"{delimiter}{quote}\r\n".encode(), np.uint8)
    for places in _find_padded(view, int(begins.max()), doubtful):
        yield places[np.isin(view[places], begins)]


def _find_padded(view: np.ndarray, most: int, doubtful: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield the places of bytes not greater than `most` after which a number begins so."""
    # To compare with the greatest alone is cheap, and leaves little to be looked at.
    small, equal = np.empty(_SLICE_BYTES, dtype=bool), np.empty(_SLICE_BYTES, dtype=bool)
    for first in range(0, len(view) - 2, _SLICE_BYTES):
        piece = view[first : min(first + _SLICE_BYTES, len(view) - 2)]
        before, zero = small[: len(piece)], equal[: len(piece)]
        following = view[first + 1 : first + 1 + len(piece)]
        np.less_equal(piece, most, out=before)
        for byte in doubtful:
            yield np.flatnonzero(before & (following == byte)) + first
        np.equal(following, _ZERO, out=zero)
        np.logical_and(before, zero, out=zero)
        np.greater_equal(view[first + 2 : first + 2 + len(piece)], _ZERO, out=before)
        np.logical_and(before, zero, out=zero)
        if zero.any():
            found = np.flatnonzero(zero) + first
            yield found[_AFTER_ZERO[view[found + 2]]]
