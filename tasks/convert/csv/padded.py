"""Numbers that would not come back as they were written: 007, 0x10. A typed parse does not tell of them."""

from __future__ import annotations

from typing import Any

import numpy as np

_ZERO = ord("0")
_AFTER_ZERO = np.zeros(256, dtype=bool)
_AFTER_ZERO[[*range(ord("0"), ord("9") + 1), ord("x"), ord("X")]] = True


def has_padded_numbers(data: bytes, delimiter: str, quote: str) -> bool:
    """Return whether a field begins with 0 and another digit, or with 0x."""
    before = (
        {ord(delimiter), ord("\n")} | ({ord("\r")} if b"\r" in data else set()) | ({ord(quote)} if quote else set())
    )
    view = np.frombuffer(data, dtype=np.uint8)
    return _is_padded(view, np.array([0])) or any(_is_padded(view, _zeros_after(data, byte)) for byte in before)


def _zeros_after(data: bytes, byte: int) -> np.ndarray[Any, Any]:
    """Return where a 0 stands right after a byte: two bytes are compared at once, at even and at odd places."""
    pair = byte | _ZERO << 8
    found = [
        np.flatnonzero(np.frombuffer(data, "<u2", count=(len(data) - odd) // 2, offset=odd) == pair) * 2 + odd + 1
        for odd in (0, 1)
        if len(data) > odd + 1
    ]
    return np.concatenate(found) if found else np.array([], dtype=np.int64)


def _is_padded(view: np.ndarray[Any, Any], places: np.ndarray[Any, Any]) -> bool:
    """Return whether one of the fields that begin at these places is padded."""
    places = places[places < len(view) - 1]
    return bool(np.any((view[places] == _ZERO) & _AFTER_ZERO[view[places + 1]]))
