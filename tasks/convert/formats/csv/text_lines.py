"""The lines of bytes as texts, decoded where they are asked for."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np

from tasks.convert.files.byte_view import ByteView

_LINES_AT_FIRST = 32  # read at once, and twice as many each time more are asked for


class TextLines:
    """Lines, each with what ends it: a line feed, a carriage return, or both; what is no UTF-8 stays what it is, as lone surrogates."""

    def __init__(self, text: ByteView) -> None:
        self.text = text

    @property
    def starts(self) -> np.ndarray:
        """Return the byte at which each line begins."""
        return self.text.line_spans_of_any_end[0]

    def __len__(self) -> int:
        return len(self.starts)

    def place_of(self, line: int) -> int:
        """Return how many bytes stand before a line, or in all of them."""
        return int(self.starts[line]) if line < len(self) else len(self.text)

    def join(self, start: int, stop: int) -> str:
        """Return the lines from one to before another."""
        return bytes(self.text.view[self.place_of(start) : self.place_of(stop)]).decode("utf-8", "surrogateescape")

    def read(self, start: int, stop: int) -> Iterator[str]:
        """Yield these lines, of which not all may be asked for."""
        count = _LINES_AT_FIRST
        while start < stop:
            end = min(start + count, stop)
            yield from io.StringIO(self.join(start, end), newline="")
            start, count = end, 2 * count
