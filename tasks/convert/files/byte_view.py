"""Bytes of a block: a view of a buffer where it lies, and the buffers, used again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock

import numpy as np
import pyarrow as pa

from tasks.convert.schema.utf8 import find_undecodable

_LINE_FEED, _CARRIAGE_RETURN = b"\n\r"
_FIRST_BEYOND_ASCII = 128
_WORD_BITS = 64
_BELOW = np.array([(1 << place) - 1 for place in range(_WORD_BITS)], "<u8")
_SLICE_BYTES = 128 * 1024  # what a comparison writes stays in the processor's cache


@dataclass(frozen=True)
class ByteView:
    """The bytes of `buffer` from `start` to before `stop`; nobody changes the buffer meanwhile."""

    buffer: bytes | bytearray = field(repr=False)
    start: int
    stop: int
    _contains: dict[bytes, bool] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, data: bytes | bytearray) -> ByteView:
        """Return the window of all bytes."""
        return cls(data, 0, len(data))

    @classmethod
    def of_lines(cls, data: bytes, starts: np.ndarray, stops: np.ndarray) -> ByteView:
        """Return the window of all bytes, of which it is known where the lines lie; the last may be empty."""
        found, count = cls.of(data), len(starts) - bool(len(starts) and starts[-1] == len(data))
        vars(found)["line_spans_of_any_end"] = starts[:count], stops[:count]
        return found

    def __len__(self) -> int:
        return self.stop - self.start

    def __contains__(self, part: bytes) -> bool:
        if part not in self._contains:
            self._contains[part] = self.buffer.find(part, self.start, self.stop) >= 0
        return self._contains[part]

    def from_place(self, place: int) -> ByteView:
        """Return the bytes from the one at `place` on."""
        return ByteView(self.buffer, self.start + place, self.stop)

    def to_place(self, place: int) -> ByteView:
        """Return the bytes before the one at `place`."""
        return ByteView(self.buffer, self.start, min(self.start + place, self.stop))

    def find(self, part: bytes, place: int = 0) -> int:
        """Return the first place of `part`, counted from the window's first byte and not before `place`; -1 where it has none."""
        return max(self.buffer.find(part, self.start + place, self.stop) - self.start, -1)

    def rfind(self, part: bytes, before: int | None = None) -> int:
        """Return the last place of `part`, or the last that ends `before` a place; -1 where it has none."""
        stop = self.stop if before is None else self.start + before
        return max(self.buffer.rfind(part, self.start, stop) - self.start, -1)

    @property
    def view(self) -> memoryview:
        """Return the bytes as they lie in the buffer, not copied."""
        return memoryview(self.buffer)[self.start : self.stop]

    def to_numpy(self) -> np.ndarray:
        """Return the bytes as an array, not copied."""
        return np.frombuffer(self.buffer, np.uint8, len(self), self.start)

    def to_arrow(self) -> pa.Buffer:
        """Return the bytes as a buffer, not copied."""
        return pa.py_buffer(self.buffer).slice(self.start, len(self))

    @property
    def is_ascii(self) -> bool:
        """Return whether the bytes are the same in UTF-8 and in any encoding of one byte a letter."""
        return not len(self) or bool(self.to_numpy().max() < _FIRST_BEYOND_ASCII)

    @cached_property
    def undecodable(self) -> np.ndarray:
        """Return the places of the bytes that are part of no character of UTF-8."""
        return find_undecodable(self.to_numpy())

    @cached_property
    def data(self) -> bytes:
        """Return the bytes, copied: for what cannot look at them where they lie."""
        return bytes(self.view)

    @cached_property
    def lines(self) -> int:
        """Return how many lines these are, empty ones too."""
        return self.count(_LINE_FEED) + bool(len(self) and self.to_numpy()[-1] != _LINE_FEED)

    def count(self, byte: int) -> int:
        """Return how often a byte stands here, in a tenth of the time of a search for each."""
        return sum(int(np.count_nonzero(is_equal)) for _, is_equal in self._compare(byte))

    def _find_all(self, byte: int) -> np.ndarray:
        """Return all places of a byte."""
        found = [np.flatnonzero(is_equal) + first for first, is_equal in self._compare(byte)]
        return np.concatenate([np.empty(0, np.int64), *found])

    def _compare(self, byte: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield of some bytes at a time where they begin, and which of them are this one."""
        view = self.to_numpy()
        equal = np.empty(min(_SLICE_BYTES, len(view)), dtype=bool)
        for first in range(0, len(view), _SLICE_BYTES):
            piece = view[first : first + _SLICE_BYTES]
            yield first, np.equal(piece, byte, out=equal[: len(piece)])

    @cached_property
    def line_ends(self) -> np.ndarray:
        """Return the places of all line feeds."""
        return self._find_all(_LINE_FEED)

    @property
    def line_spans(self) -> tuple[np.ndarray, np.ndarray]:
        """Return where each line begins, and where it ends; the last may be empty."""
        return self._divide_at(self.line_ends)

    def _divide_at(self, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where each line begins, and where it ends, of those that one of these bytes ends."""
        starts = np.zeros(len(ends) + 1, np.int64)
        np.add(ends, 1, out=starts[1:])
        return starts, np.append(ends, len(self))

    @cached_property
    def line_spans_of_any_end(self) -> tuple[np.ndarray, np.ndarray]:
        """Return where each line begins, and where what ends it does: a line feed, a carriage return, or both."""
        view = self.to_numpy()
        if b"\r" not in self:
            starts, stops = self.line_spans
        elif b"\n" not in self:
            starts, stops = self._divide_at(self._find_all(_CARRIAGE_RETURN))
        else:
            feeds, returns = view == _LINE_FEED, view == _CARRIAGE_RETURN
            is_pair = np.zeros(len(view), dtype=bool)
            is_pair[1:] = returns[:-1] & feeds[1:]
            ends = np.flatnonzero((feeds & ~is_pair) | returns)
            starts = np.concatenate([[0], ends + 1 + np.append(is_pair, [False])[ends + 1]])
            stops = np.concatenate([ends, [len(view)]])
        lines = len(starts) - bool(len(starts) and starts[-1] == len(view))  # none begins behind the last line end
        return starts[:lines], stops[:lines]

    def to_line(self, line: int) -> ByteView:
        """Return the lines before one, counted from 0, of which it is known already where they lie."""
        starts, stops = self.line_spans_of_any_end
        found = self.to_place(int(starts[line])) if line < len(starts) else self.to_place(len(self))
        vars(found)["line_spans_of_any_end"] = starts[:line], stops[:line]
        return found

    @cached_property
    def are_blank(self) -> np.ndarray:
        """Return of each line whether it is blank, whatever ends it."""
        starts, stops = self.line_spans_of_any_end
        return np.asarray(starts == stops)

    @property
    def has_blank_line(self) -> bool:
        """Return whether a line is blank, whatever ends lines: by where they lie, if that is known, else by a search."""
        if "line_spans_of_any_end" in vars(self):
            return bool(self.are_blank.any())
        ends = [b"\n\n", *([b"\n\r", b"\r\r"] if b"\r" in self else [])]
        return self.to_place(1).data in b"\r\n" or any(self.find(end) >= 0 for end in ends)

    @cached_property
    def lines_of_any_end(self) -> int:
        """Return how many lines these are where a carriage return alone ends one too, as in CSV."""
        if "line_spans_of_any_end" in vars(self):
            return len(self.line_spans_of_any_end[0])
        if b"\r" not in self:
            return self.lines
        pairs = self.buffer.count(b"\r\n", self.start, self.stop) if b"\n" in self else 0
        alone = self.count(_CARRIAGE_RETURN) - pairs
        last_is_counted = alone and self.buffer.endswith(b"\r", self.start, self.stop)
        return self.lines + alone - bool(last_is_counted)


def mark(places: np.ndarray, size: int) -> np.ndarray:
    """Return of so many places whether each is one of these."""
    is_marked = np.zeros(size, dtype=bool)
    is_marked[places] = True
    return is_marked


class Marks:
    """Some places of bytes: how many of them stand before any other is told by counting bits, in a tenth of the time of a search among them."""

    def __init__(self, is_marked: np.ndarray) -> None:
        bits = np.packbits(is_marked, bitorder="little")
        self._words = np.zeros(len(is_marked) // _WORD_BITS + 1, "<u8")
        self._words.view(np.uint8)[: len(bits)] = bits
        self._before = np.zeros(len(self._words), np.int32)
        np.cumsum(np.bitwise_count(self._words[:-1]), out=self._before[1:], dtype=np.int32)

    @classmethod
    def of_places(cls, places: np.ndarray, size: int) -> Marks:
        """Return these places of so many bytes as marked."""
        return cls(mark(places, size))

    def count_before(self, places: np.ndarray) -> np.ndarray:
        """Return how many are marked before each of the places."""
        word = places >> 6
        bits = self._words.take(word)
        bits &= _BELOW.take(places & (_WORD_BITS - 1))
        counts: np.ndarray = self._before.take(word)
        counts += np.bitwise_count(bits)
        return counts


class BufferPool:
    """Buffers that are free; any thread may take one, or give one back once nobody looks at it.

    There are never more of them, free or not, than were in use at once.
    """

    def __init__(self) -> None:
        self._free: list[bytearray] = []
        self._sizes: set[int] = set()
        self._lock = Lock()

    def acquire(self, size: int) -> bytearray:
        """Return a buffer of at least so many bytes, whatever they are, and of a size that was taken."""
        with self._lock:
            self._sizes.add(size)
            self._free.sort(key=len)
            for place, buffer in enumerate(self._free):
                if len(buffer) >= size:
                    return self._free.pop(place)
            if self._free:
                del self._free[0]  # too small, as all are: the new one takes its place
        return bytearray(size)

    def release(self, buffer: bytes | bytearray) -> None:
        """Have a buffer used again, if it is of a size that was taken."""
        with self._lock:
            if isinstance(buffer, bytearray) and len(buffer) in self._sizes:
                if any(buffer is free for free in self._free):
                    raise RuntimeError(
                        "a buffer was given back twice: the blocks that end() of a format gives share one; "
                        "give all but the first bytes of their own, or report it where the format is Tidemill's"
                    )
                self._free.append(buffer)
