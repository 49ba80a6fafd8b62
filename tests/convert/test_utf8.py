"""Bytes that are no UTF-8, told as Python tells them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.convert.schema.utf8 import find_undecodable, write_undecodable

_PARTS = [
    *("a", "\n", "é", "€", "😀"),
    *(b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\x80", b"\xff", b"\xc0\x80", b"\xf5"),  # cut short, or never there
    *(b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"),  # too long, half a pair, too high
]


@given(st.lists(st.sampled_from(_PARTS) | st.binary(max_size=4), max_size=8))
def test_what_is_no_utf8_is_written_as_python_writes_it(parts: list[str | bytes]) -> None:
    """Each byte that is part of no character, wherever it stands."""
    data = b"".join(part.encode() if isinstance(part, str) else part for part in parts)

    view = np.frombuffer(data, np.uint8)
    written = write_undecodable(view, find_undecodable(view)).tobytes().decode()

    assert written == data.decode("utf-8", "backslashreplace")
