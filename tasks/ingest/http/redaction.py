"""Secrets kept out of what is said of a run, and of what is kept beside its rows; the rows are as they were received."""

from __future__ import annotations

import re
from contextvars import ContextVar
from copy import copy
from html.entities import codepoint2name
from typing import TYPE_CHECKING

from tasks.core.errors import TidemillError
from tasks.core.redaction import HIDDEN as _HIDDEN
from tasks.core.redaction import basic_pair, redact

if TYPE_CHECKING:
    import httpx  # the kinds of pagination are known to whoever reads a pipeline file, which asks for nothing

HIDDEN = _HIDDEN.encode()
_SHORTEST = 6  # what is shorter stands in a text by chance
_EXCERPT_CHARACTERS = 200
_EXCERPT_BYTES = 4096  # enough for so many characters; a body may be large
_STRONG = 12  # what is shorter, and a word, is hidden only as a whole word: it may be part of another
_BEFORE, _AFTER = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2}))", "(?![A-Za-z0-9])"
_PLAIN = re.compile(rb"[A-Za-z0-9_]+")


NOT_SHOWN = "(not shown: the source has privacy)"


class Redactor:
    """The secrets that a run has read, however they are written where they are repeated."""

    def __init__(self) -> None:
        self._patterns: dict[bytes, tuple[bytes, re.Pattern[bytes]]] = {}
        self.quotes = True
        """Whether anything that a server sent may be quoted at all."""

    def quoting_nothing(self) -> Redactor:
        """Return one of the same secrets, with which nothing is quoted: of a source whose records hold what is private."""
        silent = copy(self)
        silent.quotes = False
        return silent

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def add(self, secret: str) -> None:
        """Remember a secret."""
        whole = secret.encode()
        if len(whole) >= _SHORTEST and whole not in self._patterns:
            # The longest run that is written alike everywhere is looked for first, which takes no time.
            sure = max(_PLAIN.findall(whole), key=len, default=b"")
            # Backslashes in a row may be any number: each notation doubles them.
            pattern = "".join(map(_pattern, re.sub(r"\\+", r"\\", secret)))
            if len(secret) < _STRONG and secret.isalnum():
                pattern = f"{_BEFORE}{pattern}{_AFTER}"
            self._patterns[whole] = sure, re.compile(pattern.encode())

    def add_pair(self, username: str, secret: str) -> None:
        """Remember a secret, and the form it has beside a name in basic authentication."""
        self.add(secret)
        self.add(basic_pair(username, secret).rstrip("="))

    def redact(self, text: str) -> str:
        """Return a text without any secret, and without what in an address of it proves who asks."""
        return redact(self.redact_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass"))

    def redact_error(self, error: TidemillError) -> TidemillError:
        """Return an error like another without any secret; to be raised without its cause, whose message may hold one."""
        told = copy(error)
        told.args = (self.redact(str(error)), *error.args[1:])
        return told

    def redact_bytes(self, data: bytes) -> bytes:
        """Return the beginning of a body without any secret."""
        for sure, pattern in self._patterns.values():
            if sure in data:
                data = pattern.sub(HIDDEN, data)
        return data


_of_run: ContextVar[Redactor] = ContextVar("secrets of the run", default=Redactor())  # noqa: B039 - the default knows none


class redacting:  # noqa: N801 - a block, as contextlib.suppress; each request is one, and a generator takes thrice as long
    """Have what is quoted in the block be without these secrets."""

    __slots__ = ("_secrets", "_token")

    def __init__(self, secrets: Redactor) -> None:
        self._secrets = secrets

    def __enter__(self) -> None:
        self._token = _of_run.set(self._secrets)

    def __exit__(self, *_: object) -> None:
        _of_run.reset(self._token)


def may_quote() -> bool:
    """Return whether what a server sent may be shown: not where its records hold what is private."""
    return _of_run.get().quotes


def excerpt(response: httpx.Response, characters: int = _EXCERPT_CHARACTERS) -> str:
    """Return the beginning of a body in one line, without the secrets of the run."""
    return excerpt_of(response.content, response, characters)


def excerpt_of(body: bytes, response: httpx.Response, characters: int) -> str:
    """Return the same of what the body of an answer was unpacked to."""
    if not may_quote():
        return NOT_SHOWN
    body = body[:_EXCERPT_BYTES]
    try:
        text = body.decode(response.encoding or "utf-8", "replace")
    except (LookupError, UnicodeError):  # the declared encoding is none of texts
        text = body.decode("utf-8", "replace")
    return _of_run.get().redact(" ".join(text.split()))[:characters]


def quoted(value: object, characters: int) -> str:
    """Return the beginning of what a server said, as Python writes it, without the secrets of the run.

    They are taken out before it is cut: half a secret would not be known for one.
    """
    if not may_quote():
        return NOT_SHOWN
    return _of_run.get().redact(f"{value!r:.{_EXCERPT_BYTES}}")[:characters]


def _pattern(character: str) -> str:
    """Return what a character of a secret may be written as: in an address, in JSON, in HTML, in Python, and each within another."""
    if character.isascii() and (character.isalnum() or character == "_"):
        return character
    code = ord(character)
    entities = [f"{_NUMBER}(?:0*+{code}|x0*+{code:x})", *([codepoint2name[code]] if code in codepoint2name else [])]
    entity = f"(?:{'|'.join(entities)}){_END}"
    match character:
        case "\\":
            return f"(?i:{_BACKSLASH}++)"
        case "&":
            return f"(?i:{_BACKSLASH}*+{_AND}(?:{entity})*+)"
        case " ":
            plain = f"(?:{_sign(' ')}|{_sign('+')})"
        case _:
            plain = _sign(character)
    return f"(?i:{_BACKSLASH}*+(?:{_AND}(?:amp{_END})*+{entity}|{plain}))"


def _quoted(character: str) -> str:
    """Return what a character is within an address, or within one within another."""
    again = "(?:25)*" if character == "%" else "(?:25)*+"
    return "".join(f"%{again}{byte:02x}" for byte in character.encode())


def _sign(character: str) -> str:
    """Return what a sign is in an address, in JSON, or as it is."""
    return rf"(?:{_quoted(character)}|\\*+u{ord(character):04x}|{re.escape(character)})"


_AND, _END, _NUMBER = map(_sign, "&;#")
_BACKSLASH = rf"(?:\\|{_quoted(chr(92))}|{_AND}(?:amp{_END})*+{_NUMBER}(?:92|x5c){_END})"
