"""The text of a page, in the encoding it is really in."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding, read_bom

_LAST = "windows-1252"
_WIDE = {"utf-16": ("utf-16-le", "utf-16-be"), "utf-32": ("utf-32-le", "utf-32-be")}
_NO_PAGE = frozenset({"unicode-escape", "raw-unicode-escape", "punycode", "idna", "undefined"})
"""Python's names that no browser knows: they would read backslashes in a page, or take minutes."""


def _keep_byte(error: UnicodeError) -> tuple[str, int]:
    """Return the control character that browsers read for a byte without a meaning in windows-1252."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("tidemill_keep_byte", _keep_byte)


def decode_page(content_type: str | None, body: bytes) -> tuple[str, str]:
    """Return the text of a page and the name of its encoding; every body has one.

    A declaration is believed when all bytes fit it, in the order browsers trust them: byte order mark,
    Content-Type header, meta or XML declaration; then UTF-8 is tried. When none fits, but one does
    apart from a few broken characters, as where a text was cut within one, these alone are lost.
    What is left is windows-1252, in which any bytes are a text.
    """
    marked, mark = read_bom(body)
    encodings = list(dict.fromkeys(_declared(marked, content_type, body)))
    body = body[len(mark or b"") :]
    for encoding in encodings:
        if (text := _decode(body, encoding, "strict")) is not None and _is_likely(text, encoding, marked):
            return text, encoding
    for encoding in encodings:
        text = _decode(body, encoding, "replace") or ""
        if _is_nearly_intact(text, encoding) and _is_likely(text, encoding, marked):
            return text, encoding
    return body.decode(_LAST, "tidemill_keep_byte"), _LAST


def _declared(marked: str | None, content_type: str | None, body: bytes) -> Iterator[str]:
    """Yield the encodings that a page may be in, the most trusted first."""
    if marked is not None:
        yield marked
    of_header = http_content_type_encoding(content_type)
    if of_header is not None:
        yield from _WIDE.get(of_header, (of_header,))
    of_body = html_body_declared_encoding(body)
    if of_body is not None and not _is_wide(of_body):  # it could be read, so it is not of two bytes a character
        yield of_body
    yield "utf-8"


def _decode(body: bytes, encoding: str, errors: str) -> str | None:
    try:
        return None if encoding.replace("_", "-") in _NO_PAGE else body.decode(encoding, errors)
    except (UnicodeError, LookupError):  # LookupError: a name of Python's that is of no text, as base64
        return None


def _is_likely(text: str, encoding: str, marked: str | None) -> bool:
    """Return whether a text is a page: nearly any bytes are a text in UTF-16, so without a mark it must have a tag."""
    return not _is_wide(encoding) or encoding == marked or "<" in text


def _is_nearly_intact(text: str, encoding: str) -> bool:
    """Return whether a text has fewer broken characters than whole ones that show that the encoding is right."""
    broken = text.count("\ufffd")
    telling = len(text) if _is_wide(encoding) else len(text) - len(text.encode("ascii", "ignore"))
    return broken < telling - broken


def _is_wide(encoding: str) -> bool:
    return encoding.startswith(("utf-16", "utf-32"))
