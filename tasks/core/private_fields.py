"""Private fields: taken out of records, or hashed in them, before anything of these is written."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any, Literal

import msgspec

from tasks.core.body_paths import list_steps
from tasks.core.json_text import JsonText, list_entries, list_items, list_pairs, take_json, to_text

Action = Literal["drop", "hash", "keep"]

_WHOLE = re.compile(r"-?[0-9]+")
_FARTHEST = 400  # digits before or behind the point that a number is written out with
_NULL = "null"
_BRACE = ord("{")
_ENTRIES = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class NoFieldsError(ValueError):
    """A record is none that has fields."""


@dataclass
class _Rules:
    """What becomes of the members of an object, by their names."""

    ends: dict[str, tuple[Action, str]] = field(default_factory=dict)
    """What becomes of a member that a path ends at, and the path; one may be named like all that is left of it."""
    inner: dict[str, _Rules] = field(default_factory=dict)
    """The rules of a member's own members."""
    names: set[str] = field(default_factory=set)
    """All of them."""

    @classmethod
    def of(cls, *actions: tuple[Action, Sequence[str]]) -> _Rules:
        """Return the rules of what becomes of some paths."""
        rules = cls()
        for action, paths in actions:
            for path in paths:
                rules._add(path, action)
        return rules

    def _add(self, path: str, action: Action) -> None:
        rules = self
        for name, rest in (steps := list_steps(path)):
            is_last = name == steps[-1][0] and rest == steps[-1][1]
            rules.ends.setdefault(name if is_last else rest, (action, path))
            rules.names |= {name, rest}
            rules = rules if is_last else rules.inner.setdefault(name, _Rules())


class PrivateFields:
    """What is dropped, hashed and kept of a source's records, by paths that go into objects, and into each element of a list.

    With `keep` there is nothing but those fields, and the hashed ones. `met` has the paths that were in a record.
    A hash is HMAC-SHA256, in hex, of a value's text, so that what is the same in two sources is so still: the number 5 and the
    text "5" are; null stays null.
    """

    def __init__(
        self, drop: Sequence[str] = (), hashed: Sequence[str] = (), keep: Sequence[str] | None = None, key: bytes = b""
    ) -> None:
        assert key or not hashed, "nothing is hashed without a key"
        self.met: set[str] = set()
        self._key = key
        self._kept = None if keep is None else _Rules.of(("keep", (*keep, *hashed)))
        self._changed = _Rules.of(("drop", drop), ("hash", hashed)) if drop or hashed else None

    def clean(self, line: bytes) -> bytes:
        """Return a record, which is a line of JSON, without what is private.

        Raises:
            NoFieldsError: it is no object, in which a field could be found; it is not quoted.
            ValueError: it is no JSON.

        """
        with suppress(msgspec.DecodeError):  # NaN, which only Python's reader takes
            if b", " in line or b": " in line:
                line = msgspec.json.format(line, indent=-1)
            if line.isascii() and line.startswith(b"{"):
                return _written(self._apply(msgspec.Raw(line)))
        value = take_json(line)
        if list_entries(value) is None:
            if to_text(value) == _NULL:
                return line
            raise NoFieldsError("a record is no object, so that no field of it can be found")
        return _written(self._apply(value))

    def _apply(self, value: JsonText) -> JsonText:
        for rules, keeps in ((self._kept, True), (self._changed, False)):
            if rules is not None:
                value = self._clean(value, rules, keeps=keeps)
        return value

    def _clean(self, value: JsonText, rules: _Rules, *, keeps: bool) -> JsonText:
        """Return an object, or the objects in a list, by rules; of what is neither null where only what they name is kept."""
        if (items := list_items(value)) is not None:
            cleaned = [_written(self._clean(item, rules, keeps=keeps)) for item in items]
            return _as_text(b"[" + b",".join(cleaned) + b"]", value)
        if (members := _members(value)) is not None:
            names = [name for name in (members if keeps else rules.names) if name in rules.names and name in members]
            found = {} if keeps else members
            for name in names:
                changed = self._change(name, members[name], rules, keeps=keeps)
                if changed is not None:
                    found[name] = changed
                else:
                    del found[name]
            return msgspec.Raw(_encode(found))
        if list_entries(value) is None:
            return _as_text(b"null", value) if keeps else value
        written = []
        for name, member in list_pairs(value):  # of which a name may stand again
            kept = self._change(name, member, rules, keeps=keeps) if name in rules.names else None if keeps else member
            if kept is not None:
                written.append(json.dumps(name).encode() + b":" + _written(kept))
        return _as_text(b"{" + b",".join(written) + b"}", value)

    def _change(self, name: str, member: JsonText, rules: _Rules, *, keeps: bool) -> JsonText | None:
        """Return what becomes of a member that rules name; None where it is dropped."""
        if (end := rules.ends.get(name)) is None:
            return self._clean(member, rules.inner[name], keeps=keeps)
        action, path = end
        self.met.add(path)
        return None if action == "drop" else member if action == "keep" else self._hash(member)

    def _hash(self, value: JsonText) -> JsonText:
        """Return the hash of a value, or of each element of a list."""
        if (items := list_items(value)) is not None:
            return _as_text(b"[" + b",".join([_written(self._hash(item)) for item in items]) + b"]", value)
        text = canonical_text(value)
        if text is None:
            return value
        digest = hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256")
        return _as_text(b'"%s"' % digest.hex().encode(), value)


def canonical_text(value: JsonText) -> str | None:
    """Return the text that stands for a value, whatever it was written as; None of null.

    A text is as it is, a number exact, without an exponent or zeros at its end, an object as JSON with its members in order.

    >>> [canonical_text(each) for each in ('"5"', "5", "5.0", "1e-1", "true", "null")]
    ['5', '5', '5', '0.1', 'true', None]

    """
    text = to_text(value)
    if text == _NULL:
        return None
    with suppress(ValueError, RecursionError, ArithmeticError):
        if text[0] == '"':
            found: str = json.loads(text)
            return found
        if text[0] == "{":
            return json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if text[0] in "-0123456789" and not text.endswith("y"):
            return _canonical_number(text)
    return text


def _canonical_number(text: str) -> str:
    if _WHOLE.fullmatch(text):
        return "0" if text == "-0" else text
    number = Decimal(text)
    if not number:
        return "0"
    if abs(number.adjusted()) > _FARTHEST:
        return str(number.normalize(Context(prec=len(text))))
    return format(number.normalize(Context(prec=len(text))), "f")


def _members(value: JsonText) -> dict[str, JsonText] | None:
    """Return what an object holds by name, where that is all of it: no name stands again."""
    if isinstance(value, str) or memoryview(value)[0] != _BRACE:
        return None
    members: Any = _ENTRIES.decode(value)
    if len(_encode(members)) != len(memoryview(value)):
        return None
    found: dict[str, JsonText] = members
    return found


def _written(value: JsonText) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)


def _as_text(written: bytes, like: JsonText) -> JsonText:
    """Return a value as JSON that was made of another, in the same form."""
    return written.decode("utf-8", "surrogateescape") if isinstance(like, str) else msgspec.Raw(written)
