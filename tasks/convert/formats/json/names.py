"""Names of columns in the order in which a block's lines have them: of its first lines, and of those that a name is sought in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.columns import Place
from tasks.convert.formats.json.rows import NoRow, NotARowError, rows_of, value_of
from tasks.convert.formats.json.shape import InDoubtError, Shape

_MANY, _FEW = 100, 4  # so many names, of which rows have less than one in so many
_TRIES = 20  # lines that have a key, but not where it makes the column
_ASCII_ESCAPED = re.compile(rb"\\u00[2-7]")
_NOTHING = rb"\s*:\s*(?:null|\{\s*\})"
_ANYTHING = rb"\s*:"
SAMPLE_BYTES = 2**17
"""After so many bytes no more first lines are read."""


@dataclass
class LinesRead:
    """Lines that were read one by one: by where they begin, the names of their rows, and of records that gave none; and their shape, unless that is known."""

    explode: str | None
    keeps_empty: bool
    refusals: bool
    shape: Shape = field(default_factory=Shape)
    is_known: bool = False
    rows: dict[int, tuple[str, ...]] = field(default_factory=dict)
    empty: dict[int, tuple[str, ...]] = field(default_factory=dict)
    _first: set[str] = field(default_factory=set)

    def read(self, line: bytes, place: int) -> None:
        """Read a line that begins at a place.

        Raises:
            InDoubtError: it is no row.

        """
        if not line.strip():
            return
        try:
            value = value_of(line)
        except (ValueError, RecursionError) as error:
            raise InDoubtError from error
        if not self.is_known:
            self.shape.add(value)
        found = rows_of(value, line, self.explode, keeps_empty=self.keeps_empty, refusals=self.refusals)
        if isinstance(found, NotARowError):
            raise InDoubtError
        if isinstance(found, NoRow):
            self.empty[place] = found.names
        else:
            self.rows[place] = tuple(dict.fromkeys(chain.from_iterable(found)))

    def read_first(self, window: ByteView, lines: int, end: int = 0) -> int:
        """Read the first lines of a block, from a place on; return where the next begins.

        Raises:
            InDoubtError: one is no row, or these are all, which need no haste.

        """
        for _ in range(lines):
            if end > SAMPLE_BYTES:
                break
            start, end = end, window.find(b"\n", end) + 1
            if not end:
                raise InDoubtError
            self.read(bytes(window.view[start:end]), start)
        self._first = set(chain.from_iterable(self.rows.values()))
        return end

    def read_some(self, window: ByteView, lines: int, places: int) -> None:
        """Read so many lines at so many places of a block, and its last line."""
        for place in range(0, len(window), max(len(window) // places, 1)):
            start = window.find(b"\n", place) + 1
            for _ in range(lines):
                end = window.find(b"\n", start) + 1
                if not start or not end:
                    break
                self.read(bytes(window.view[start:end]), start)
                start = end
        last = window.rfind(b"\n", len(window) - 1) + 1
        self.read(bytes(window.view[last:]), last)

    def names(self) -> list[str]:
        """Return all names, in the order of the lines."""
        found: dict[str, None] = {}
        for lines in (self.rows, self.empty):
            for names in dict.fromkeys(lines[place] for place in sorted(lines)):
                found |= dict.fromkeys(names)
        return list(found)

    @property
    def are_sparse(self) -> bool:
        """Return whether there are many names, of which the rows have few."""
        names = len(set(chain.from_iterable(self.rows.values())))
        return names >= _MANY and _FEW * sum(map(len, self.rows.values())) < names * len(self.rows)

    def seek(self, window: ByteView, place: Place, start: int, *, only_nothing: bool = False) -> None:
        """Read lines from a start on as far as the first whose rows have a column; with `only_nothing`, one where it is null or empty.

        Raises:
            InDoubtError: there are too many where the key stands elsewhere.

        """
        if place.name in self._first:
            return
        lines = _lines_with(window, place.key, start, _NOTHING if only_nothing else _ANYTHING)
        for tries, (begin, line) in enumerate(lines):
            if tries == _TRIES:
                raise InDoubtError
            self.read(line, begin)
            if place.name in self.rows.get(begin, ()):
                return


def _lines_with(window: ByteView, key: str, start: int, then: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that have a key, and where they begin."""
    written = json.dumps(key, ensure_ascii=False).encode()
    is_plain = len(written) == len(key) + 2 and key.isascii() and "/" not in key
    if b"\\u" in window and (not is_plain or _ASCII_ESCAPED.search(window.view)):
        raise InDoubtError  # it may be written in another way
    if not is_plain and b"\\" in window:
        raise InDoubtError
    pattern = re.compile(re.escape(written) + then)
    place = start
    while match := pattern.search(window.view, place):
        first, end = window.rfind(b"\n", match.start()) + 1, window.find(b"\n", match.start())
        end = len(window) if end < 0 else end
        yield first, bytes(window.view[first:end])
        place = end
