"""Bytes that are no UTF-8, told as Python tells them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tasks.convert.schema.utf8 import bytes_of, enclose, find_undecodable, write_undecodable

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


@given(st.lists(st.none() | st.text(max_size=8)), st.integers(0, 3), st.text(max_size=3), st.text(max_size=3))
def test_texts_are_enclosed_each(texts: list[str | None], start: int, before: str, behind: str) -> None:
    """Wherever their array begins; null stays null."""
    some = pa.array(texts, pa.string())[start:]

    enclosed = enclose(some, before, behind).to_pylist()
    begins, data = bytes_of(some)

    assert enclosed == [None if text is None else f"{before}{text}{behind}" for text in texts[start:]]
    assert data[begins[0] : begins[-1]].tobytes().decode() == "".join(filter(None, texts[start:]))
