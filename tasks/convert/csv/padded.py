"""Numbers that would not come back as they were written: 007, 0x10. A typed parse does not tell of them."""

from __future__ import annotations

import numpy as np

from tasks.convert.window import Window

_SLICE_BYTES = 128 * 1024  # what the comparisons write stays in the processor's cache
_AFTER_ZERO = np.zeros(256, dtype=bool)
_AFTER_ZERO[[*range(ord("0"), ord("9") + 1), ord("x"), ord("X")]] = True


def has_padded_numbers(window: Window, delimiter: str, quote: str) -> bool:
    """Return whether a field begins with 0 and another digit, or with 0x; in doubt, after a plus or a blank, it does."""
    view = window.to_numpy()
    before = [ord(delimiter), ord("\n"), *([ord("\r")] if b"\r" in window else []), *([ord(quote)] if quote else [])]
    if len(view) > 1 and view[0] == ord("0") and _AFTER_ZERO[view[1]]:
        return True
    doubtful = [ord(character) for character in "+ " if character.encode() in window and character != delimiter]
    starts, equal = np.empty(_SLICE_BYTES, dtype=bool), np.empty(_SLICE_BYTES, dtype=bool)
    for first in range(0, len(view) - 2, _SLICE_BYTES):
        piece = view[first : min(first + _SLICE_BYTES, len(view) - 2)]
        size = len(piece)
        np.equal(piece, before[0], out=starts[:size])
        for byte in before[1:]:
            np.equal(piece, byte, out=equal[:size])
            np.logical_or(starts[:size], equal[:size], out=starts[:size])
        second = view[first + 1 : first + 1 + size]
        if any((starts[:size] & (second == byte)).any() for byte in doubtful):
            return True
        np.equal(second, ord("0"), out=equal[:size])
        np.logical_and(starts[:size], equal[:size], out=starts[:size])
        if _AFTER_ZERO[view[np.flatnonzero(starts[:size]) + (first + 2)]].any():
            return True
    return False
