"""The text of a proposed pipeline file: values as YAML reads them back, and comments that say why."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.core.errors import ConfigError
from tasks.core.escaping import one_line

WIDTH = 110
DOUBT = "?"
"""What a comment begins with whose line below is a guess."""
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*|[1-9][0-9]*[smhdw]")
_MEANT = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "none", "nan", "inf"})
"""Words that some reader of YAML takes for something else than a text."""


def write_scalar(value: Any) -> str:
    """Return a text, a number or a truth as YAML reads it back.

    >>> write_scalar("a: b")
    '"a: b"'
    >>> write_scalar("on")
    '"on"'
    >>> write_scalar(True)
    'true'

    """
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _MEANT:
        return value
    return '"' + "".join(map(_write_letter, value)) + '"'


def _write_key(key: str) -> str:
    """Return a key of what is declared of a column: true and false are such, and texts where they are keys."""
    return key if key in ("true", "false") else write_scalar(key)


def _write_letter(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"


def write_value(value: Any) -> str:
    """Return a value on one line.

    Raises:
        ConfigError: it has what a pipeline file takes for an environment variable, which is written in no other way.

    >>> write_value({"type": "float", "strip": ["€"]})
    '{type: float, strip: ["€"]}'

    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_write_key(key)}: {write_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(write_value, value))}]"
    if isinstance(value, str) and "${" in value:
        raise ConfigError(
            f"{value!r:.80} would be taken for an environment variable in a pipeline file; write it by hand"
        )
    return write_scalar(value)


class Text:
    """Lines of a file, at one level of indentation after the other."""

    def __init__(self, indent: str = "") -> None:
        self._indent = indent
        self.lines: list[str] = []
        self.doubts = 0
        """Guesses that are comments."""

    def __str__(self) -> str:
        """Return all lines."""
        return "".join(f"{line}\n" for line in self.lines)

    def key(self, name: str, value: Any = None, why: str = "") -> None:
        """Add a key with its value, or one whose value stands in lines below."""
        said = "" if value is None else f" {write_value(value)}"
        self._add(f"{write_scalar(name)}:{said}", why)

    def item(self, text: str, why: str = "") -> None:
        """Add a line as it is."""
        self._add(text, why)

    def note(self, text: str) -> None:
        """Add a comment of as many lines as it takes."""
        prefix = f"{self._indent}# "
        self.lines += textwrap.wrap(
            one_line(text), WIDTH, initial_indent=prefix, subsequent_indent=prefix,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip

    def choice(self, name: str, value: Any, why: str, width: int = 0) -> None:
        """Add a key as a comment, at least so wide, which becomes one where the # is taken away."""
        self._add(
            f"# {f'{write_scalar(name)}: {write_value(value)}':<{width}}"
            if why
            else f"# {write_scalar(name)}: {write_value(value)}",
            why,
        )

    def doubt(self, name: str, value: Any, why: str) -> None:
        """Add a guess as a comment, and above it the reason."""
        self.doubts += 1
        self.note(f"{DOUBT} {why}")
        self._add(f"# {write_scalar(name)}: {write_value(value)}", "")

    def query(self, lines: Sequence[str]) -> None:
        """Add a query as a block of lines, or, where a name has what is no letter of a line, as a text in quotes.

        Raises:
            ConfigError: a line has what a pipeline file takes for an environment variable.

        """
        if not all(map(str.isprintable, lines)):
            self.key("query", "\n".join(lines))
            return
        for line in lines:
            write_value(line)
        self.item("query: |")
        inner = self.inner()
        for line in lines:
            inner.item(line)
        self.below(inner)

    def below(self, other: Text) -> None:
        """Add lines of their own level."""
        self.lines += other.lines
        self.doubts += other.doubts

    def inner(self) -> Text:
        """Return a text whose lines stand one level deeper."""
        return Text(f"{self._indent}  ")

    def _add(self, text: str, why: str) -> None:
        line = f"{self._indent}{text}"
        said = one_line(why)
        if said and len(line) + len(said) > WIDTH:
            self.note(said)
            said = ""
        self.lines.append(f"{line}  # {said}" if said else line)
