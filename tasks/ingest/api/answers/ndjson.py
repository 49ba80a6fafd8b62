"""Answers of which each line is a JSON value: newline-delimited JSON, JSON lines, and JSON text sequences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, ClassVar, Literal

import msgspec

from tasks.config.answers import Records, RecordsAnswer

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SEPARATOR = b"\x1e"  # before each text of RFC 7464
_JUDGED = 20
_SHOWN_CHARACTERS = 80
_decode = msgspec.json.Decoder(msgspec.Raw).decode


class NdjsonAnswer(RecordsAnswer):
    """One JSON value a line; a line that is none becomes a reject."""

    is_typed: ClassVar[bool] = True

    kind: Literal["ndjson"] = "ndjson"
    """Kind of answer."""

    def read(self, body: IO[bytes], charset: str | None) -> Records:  # noqa: ARG002 - JSON is UTF-8
        """Return the lines.

        Raises:
            ValueError: none of the first lines is JSON.

        """
        return Records(_lines(body))


def _lines(body: IO[bytes]) -> Iterator[bytes]:
    lines = (line for line in map(_plain, body) if line)
    first = [line for line, _ in zip(lines, range(_JUDGED), strict=False)]
    if first and not any(map(_is_json, first)):
        shown = first[0][:_SHOWN_CHARACTERS].decode("utf-8", "replace")
        raise ValueError(f"no line of it is JSON, and the first is {shown!r}")
    yield from first
    yield from lines


def _plain(line: bytes) -> bytes:
    return line.removeprefix(_BYTE_ORDER_MARK).strip(b" \t\r\n" + _SEPARATOR)


def _is_json(line: bytes) -> bool:
    try:
        _decode(line)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
