"""JSON taken apart as the text it was received as: numbers, escapes and doubled keys stay what they were."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec

JsonText = msgspec.Raw | str
"""One JSON value: as bytes, or as characters where only Python's reader makes sense of the body it was in."""

_SPACE = re.compile(r"[ \t\n\r]*")
_BREAKS = re.compile(r"[\n\r][ \t\n\r]*")
_LINE = msgspec.json.Decoder(msgspec.Raw)
_FEW_DIGITS = 18
SCANNER = json.JSONDecoder(parse_int=str, parse_float=str)  # numbers are only passed over


def take_json(body: bytes, charset: Callable[[], str | None] = lambda: None) -> JsonText:
    """Return the JSON value that a body is; `charset` gives what is declared, which counts where it is not UTF-8.

    NaN, halves of surrogate pairs and a byte order mark are let pass, and so are single
    bytes that are no UTF-8: whoever reads the rows decides about them.

    Raises:
        ValueError: the body is not JSON.

    """
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raw = msgspec.json.decode(body.strip(), type=msgspec.Raw)
        if not body.isascii():
            body.decode()  # msgspec does not look into the texts that it passes over
        return raw
    text = _decode(body, charset()).strip(" \t\n\r")
    try:
        SCANNER.decode(text)
    except RecursionError:  # brackets stand a thousand deep
        raise ValueError("nested too deeply") from None
    return text


def take_json_lines(body: bytes) -> JsonText | None:
    """Return the list of the JSON values that stand one a line, also each behind a record separator (RFC 7464); None where they do not."""
    lines = [line.strip() for line in body.removeprefix(b"\xef\xbb\xbf").replace(b"\x1e", b"\n").split(b"\n")]
    lines = [line for line in lines if line]
    try:
        for line in lines:
            _LINE.decode(line)
        body.decode()
    except (ValueError, RecursionError):
        return None
    return msgspec.Raw(b"[" + b",".join(lines) + b"]")


def list_items(value: JsonText) -> list[JsonText] | None:
    """Return what a list holds; None of another value."""
    if not _begins(value, "["):
        return None
    if isinstance(value, str):
        return [item for _, item in _take_apart(value)]
    return list(msgspec.json.decode(value, type=list[msgspec.Raw]))


def list_entries(value: JsonText) -> dict[str, JsonText] | None:
    """Return what an object holds by name; None of another value."""
    if not _begins(value, "{"):
        return None
    if isinstance(value, str):
        return dict(_take_apart(value))
    return dict(msgspec.json.decode(value, type=dict[str, msgspec.Raw]))


def list_pairs(value: JsonText) -> list[tuple[str, JsonText]]:
    """Return the names and values that an object holds, also those whose name stands again."""
    return list(_take_apart(to_text(value)))


def find_repeat(value: JsonText) -> str | None:
    """Return the first name that stands in an object again; None where each stands once."""
    if not isinstance(value, str) and len(msgspec.json.encode(list_entries(value))) == len(memoryview(value)):
        return None  # written again without blanks it lacks nothing, as mostly
    met: set[str] = set()
    for name, _ in _take_apart(to_text(value)):
        if name in met:
            return name
        met.add(name)
    return None


def to_lines(items: list[JsonText], source: JsonText) -> list[bytes]:
    """Return the items of `source` as they were received, each in one line."""
    if isinstance(source, str):  # between values only: within a text a line break is escaped
        return [_BREAKS.sub("", str(item)).encode("utf-8", "surrogateescape") for item in items]
    text = memoryview(source).tobytes()
    if b"\n" in text or b"\r" in text:
        return [msgspec.json.format(bytes(item), indent=-1) for item in items]  # type: ignore[arg-type]
    return list(map(bytes, items))  # type: ignore[arg-type]


def to_text(value: JsonText) -> str:
    """Return a JSON value as the text it was received as."""
    return value if isinstance(value, str) else bytes(value).decode()


def to_value(value: JsonText) -> Any:
    """Return what a JSON value means to Python; what is beyond it, as a number of thousands of digits, stays a text."""
    text = to_text(value)
    if len(text) <= _FEW_DIGITS and text.isascii() and text.isdigit():  # as most numbers of pages are
        return int(text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _take_apart(text: str) -> Iterator[tuple[str, str]]:
    """Yield what a list or an object holds; the names in a list are empty."""
    at = _skip(text, 1)
    while text[at] not in "]}":
        name = ""
        if text[0] == "{":
            name, at = SCANNER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)  # past the colon
        _, end = SCANNER.raw_decode(text, at)
        yield name, text[at:end]
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    """Return where the next character stands that is no space."""
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


def _begins(value: JsonText, bracket: str) -> bool:
    """Return whether a bracket is the first character of a value; there is no space before it."""
    return value[:1] == bracket if isinstance(value, str) else memoryview(value)[0] == ord(bracket)


def _decode(body: bytes, charset: str | None) -> str:
    """Return the text of a body: UTF-8, -16 or -32 as its first bytes show, or else in its declared encoding."""
    with suppress(UnicodeDecodeError):
        return body.decode(json.detect_encoding(body))
    with suppress(UnicodeError, LookupError):  # LookupError: no text is in that encoding, or there is none
        return body.decode(charset or "utf-8")
    return body.decode("utf-8", "surrogateescape")
