"""Texts as the bytes that they are, of all at once: which are no UTF-8, and these written as texts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_FIRST_BEYOND_ASCII, _FIRST_LEAD = 0x80, 0xC0
# By its first byte: how many follow it, and between which the first of these is: a shorter form, or half a pair, is none.
_SIZES = np.zeros(256, np.uint8)
_SIZES[0xC2:0xE0], _SIZES[0xE0:0xF0], _SIZES[0xF0:0xF5] = 1, 2, 3
_LEAST, _MOST = np.full(256, 0x80, np.uint8), np.full(256, 0xBF, np.uint8)
_LEAST[[0xE0, 0xF0]] = 0xA0, 0x90
_MOST[[0xED, 0xF4]] = 0x9F, 0x8F
_LONGEST = 3
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
_ESCAPE = np.frombuffer(b"\\x", np.uint8)
_BEHIND = 2**31 - 1  # where each text has ended


def bytes_of(texts: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the bytes of each text begin, and those of the last end, and the bytes that these are places in."""
    _, ends, data = texts.buffers()
    if ends is None or data is None or not len(texts):
        return np.zeros(len(texts) + 1, np.int32), np.empty(0, np.uint8)
    return np.frombuffer(ends, np.int32, len(texts) + 1, texts.offset * 4), np.frombuffer(data, np.uint8)


def enclose(texts: pa.Array | pa.ChunkedArray, before: str, behind: str) -> pa.Array | pa.ChunkedArray:
    """Return texts with others before and behind each, in a third of the time that their join takes."""
    return pc.binary_replace_slice(pc.binary_replace_slice(texts, 0, 0, before), _BEHIND, _BEHIND, behind)


def find_undecodable(view: np.ndarray) -> np.ndarray:
    """Return the places of the bytes that are part of no character."""
    try:
        str(view.data, "utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return np.empty(0, np.int64)
    beyond = np.flatnonzero(view >= _FIRST_BEYOND_ASCII)
    # No byte stands behind the last.
    places, texts = np.append(beyond, [-1] * _LONGEST), np.append(view[beyond], np.zeros(_LONGEST, np.uint8))
    follows, sizes, is_part = texts < _FIRST_LEAD, _SIZES[texts], np.zeros(len(texts), dtype=bool)
    for size in range(1, _LONGEST + 1):
        first = np.flatnonzero(sizes == size)
        second = texts[first + 1]
        is_whole = (places[first + size] == places[first] + size) & (second >= _LEAST[texts[first]])
        is_whole &= second <= _MOST[texts[first]]
        for step in range(2, size + 1):
            is_whole &= follows[first + step]
        for step in range(size + 1):
            is_part[first[is_whole] + step] = True
    undecodable: np.ndarray = beyond[~is_part[: len(beyond)]]
    return undecodable


def write_undecodable(view: np.ndarray, undecodable: np.ndarray) -> np.ndarray:
    r"""Return bytes of which those at these places, which are part of no character, are written as \xff."""
    written = np.empty(len(view) + 3 * len(undecodable), np.uint8)
    begins = undecodable + 3 * np.arange(len(undecodable))
    is_kept, is_copied = np.ones(len(view), dtype=bool), np.ones(len(written), dtype=bool)
    is_kept[undecodable] = is_copied[(begins[:, None] + np.arange(4)).ravel()] = False
    written[is_copied] = view[is_kept]
    odd = view[undecodable]
    written[begins], written[begins + 1] = _ESCAPE
    written[begins + 2], written[begins + 3] = _DIGITS[odd >> 4], _DIGITS[odd & 15]
    return written
