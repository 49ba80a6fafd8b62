"""The items of a JSON list one by one, as the text they were received as: neither the list nor what it is in is held whole."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from typing import IO

from tasks.core.body_paths import list_steps
from tasks.core.json_text import SCANNER

_PART_BYTES = 2**20
_SPACE = re.compile(r"[ \t\n\r]*")
_BREAKS = re.compile(r"[\n\r][ \t\n\r]*")
_SHOWN_CHARACTERS = 80
_CUT_OFF = (
    16  # characters before the end of what is there, within which an error, or the end of a number, may be but that
)


class NoListError(Exception):
    """There is no list where one is looked for, or not in a way that it can be read piece by piece."""


class ListReader:
    """Reads the list at a path of a document in UTF-8; without a path the document is the list.

    When `items` has ended, `around` is the document with the list empty.

    Raises:
        NoListError: there is none at the path.
        ValueError: the document is not JSON.

    """

    def __init__(self, stream: IO[bytes], path: str | None) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._text = ""
        self._at = 0
        self._is_over = False
        self._around: list[str] = []
        self._levels: list[Sequence[str]] = []
        self._find(path)

    @property
    def around(self) -> str:
        """Return the document with the list empty."""
        return "".join(self._around)

    def items(self) -> Iterator[bytes]:
        """Yield the items, each in one line; then read on to the end of the document."""
        if self._skip() == "]":
            self._pass(1)
        else:
            while True:
                yield _BREAKS.sub("", self._value()).encode("utf-8", "surrogateescape")
                sign = self._skip()
                if sign not in ("]", ","):
                    raise ValueError(f"an item of a list is followed by {sign!r}")
                self._pass(1)
                if sign == "]":
                    break
        self._around.append("]")
        self._read_rest()

    def _find(self, path: str | None) -> None:
        """Read as far as the list begins."""
        for name, rest in list_steps(path) if path is not None else ():
            names = (name, rest)
            key = None
            if self._skip() != "{":
                raise NoListError
            self._take(1)
            while key not in names:
                if key is not None:
                    self._around.append(self._value())
                    if self._skip() != ",":
                        raise NoListError
                    self._take(1)
                if self._skip() != '"':
                    raise NoListError
                key = self._key()
            self._levels.append(names)
            if key == rest:
                break
        if self._skip() != "[":
            raise NoListError
        self._take(1)

    def _read_rest(self) -> None:
        """Read what follows the list, which has no other value at its path."""
        for names in reversed(self._levels):
            while (sign := self._skip()) == ",":
                self._take(1)
                self._skip()
                if (key := self._key()) in names:
                    raise ValueError(f"{key!r:.80} stands twice, once with the list that was read")
                self._around.append(self._value())
            if sign != "}":
                raise ValueError(f"a member of an object is followed by {sign!r}")
            self._take(1)
        if sign := self._skip():
            raise ValueError(f"it goes on with {sign!r} after its end")

    def _key(self) -> str:
        text = self._value()
        if not text.startswith('"') or self._skip() != ":":
            raise ValueError(f"{text!r:.80} is no name with a value")
        self._around.append(text)
        self._take(1)
        return str(json.loads(text))

    def _value(self) -> str:
        """Return the text of the next value, which may not be there whole yet."""
        self._skip()
        while True:
            try:
                _, end = SCANNER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                may_be_cut = error.msg.startswith("Unterminated") or error.pos > len(self._text) - _CUT_OFF
                if not (may_be_cut and self._read()):
                    there = self._text[self._at : self._at + _SHOWN_CHARACTERS]
                    raise ValueError(f"it is no JSON ({error.msg}) in what begins with {there!r}") from None
                continue
            except RecursionError:
                raise ValueError("nested too deeply") from None
            text = self._text[self._at : end]
            if end < len(self._text) - _CUT_OFF or not self._read():  # of -1.50 there might be -1. yet
                break
        self._pass(len(text))
        return text

    def _skip(self) -> str:
        """Return the next character that is no space; an empty text at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match is not None
            self._at = match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read():
                return ""

    def _take(self, characters: int) -> None:
        """Put the next characters, which are there, beside what is around the list."""
        self._around.append(self._text[self._at : self._at + characters])
        self._pass(characters)

    def _pass(self, characters: int) -> None:
        self._at += characters

    def _read(self) -> bool:
        """Read on, at least as much as is left, so that a long value is looked at few times; return whether there was more."""
        if self._is_over:
            return False
        left = self._text[self._at :]
        part = self._stream.read(max(_PART_BYTES, len(left)))
        self._is_over = not part
        self._text, self._at = left + self._decoder.decode(part, final=not part), 0
        return len(self._text) > len(left) or not self._is_over
