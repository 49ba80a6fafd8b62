"""Numbers that would not come back as they were written: 007, 0x10. A typed parse does not tell of them."""

from __future__ import annotations

import numpy as np

from tasks.convert.window import Window

_SLICE_BYTES = 128 * 1024  # what the comparisons write stays in the processor's cache
_AFTER_ZERO = np.isin(np.arange(256), list(b"0123456789xX"))
_ZERO = ord("0")


def has_padded_numbers(window: Window, delimiter: str, quote: str) -> bool:
    """Return whether a field begins with 0 and another digit, or with 0x; in doubt, after a plus or a blank, it does."""
    view = window.to_numpy()
    begins = np.frombuffer(f"{delimiter}{quote}\r\n".encode(), np.uint8)
    most = int(begins.max())  # to compare with the greatest alone is cheap, and leaves little to be looked at
    if len(view) > 1 and view[0] == _ZERO and _AFTER_ZERO[view[1]]:
        return True
    doubtful = [ord(character) for character in "+ " if character.encode() in window and character != delimiter]
    small, equal = np.empty(_SLICE_BYTES, dtype=bool), np.empty(_SLICE_BYTES, dtype=bool)
    for first in range(0, len(view) - 2, _SLICE_BYTES):
        piece = view[first : min(first + _SLICE_BYTES, len(view) - 2)]
        before, zero = small[: len(piece)], equal[: len(piece)]
        following = view[first + 1 : first + 1 + len(piece)]
        np.less_equal(piece, most, out=before)
        for byte in doubtful:
            if np.isin(piece[np.flatnonzero(before & (following == byte))], begins).any():
                return True
        np.equal(following, _ZERO, out=zero)
        np.logical_and(before, zero, out=zero)
        np.greater_equal(view[first + 2 : first + 2 + len(piece)], _ZERO, out=before)
        np.logical_and(before, zero, out=zero)
        if zero.any():
            found = np.flatnonzero(zero)
            found = found[_AFTER_ZERO[view[found + (first + 2)]]]
            if np.isin(piece[found], begins).any():
                return True
    return False
