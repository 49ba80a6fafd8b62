"""Paths of a pipeline file to a value within JSON: names with dots between them, in quotes where a name has a dot."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

Value = TypeVar("Value")

_MOST_DIGITS = 9  # of a place in a list
_NAME = re.compile(r"""(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<plain>[^.]*))(?:\.|$)""")


class Walked(NamedTuple, Generic[Value]):
    """How far a path leads: the values that were passed, the first the whole; the last is what was found.

    `missing` is the name that the last one has not, where the path ends too early.
    """

    passed: list[Value]
    missing: str | None = None

    @property
    def last(self) -> Value:
        """Return the value at the path's end, or the farthest one that is there."""
        return self.passed[-1]


def walk(
    root: Value,
    path: str,
    members: Callable[[Value], Mapping[str, Value] | None],
    items: Callable[[Value], Sequence[Value] | None],
) -> Walked[Value]:
    """Follow a path into a value, of which `members` gives what an object holds by name, and `items` what a list holds.

    In a list a name is a place, counted from 0. A member that is named like all that is left of the path comes first.
    """
    passed = [root]
    for name, rest in list_steps(path):
        value = passed[-1]
        if (found := members(value)) is not None:
            if rest in found:
                passed.append(found[rest])
                break
            if name not in found:
                return Walked(passed, name)
            passed.append(found[name])
            continue
        there = items(value) if name.isdecimal() and len(name) <= _MOST_DIGITS else None
        if there is None or int(name) >= len(there):
            return Walked(passed, name)
        passed.append(there[int(name)])
    return Walked(passed)


def members_of(value: Any) -> Mapping[str, Any] | None:
    """Return what a value of Python holds by name; None where it is no object."""
    return value if isinstance(value, dict) else None


def items_of(value: Any) -> Sequence[Any] | None:
    """Return what a value of Python holds as a list; None where it is none."""
    return value if isinstance(value, list) else None


def put_at(root: Any, path: str, value: Any) -> Any:
    """Return a JSON value with another one at a path; of what the path leads through nothing is changed, but made anew.

    >>> put_at({"variables": {"first": 10}}, "variables.after", "abc")
    {'variables': {'first': 10, 'after': 'abc'}}

    Raises:
        KeyError: what the path leads through has not what it names.

    """
    return _put(root, list_steps(path), value)


def _put(within: Any, steps: tuple[tuple[str, str], ...], value: Any) -> Any:
    (name, rest), *further = steps
    if isinstance(within, dict) and (rest in within or not further):
        return {**within, rest if rest in within else name: value}
    if isinstance(within, dict) and name in within:
        return {**within, name: _put(within[name], tuple(further), value)}
    if isinstance(within, list) and name.isdecimal() and len(name) <= _MOST_DIGITS and int(name) < len(within):
        place = int(name)
        inner = _put(within[place], tuple(further), value) if further else value
        return [*within[:place], inner, *within[place + 1 :]]
    raise KeyError(name)


def sibling_of(path: str, name: str) -> str:
    """Return the path of what stands by a name where the last name of a path does.

    >>> sibling_of("data.orders.nodes", "pageInfo")
    'data.orders.pageInfo'

    """
    return f"{path[: len(path) - len(list_steps(path)[-1][1])]}{write_name(name)}" if path else write_name(name)


def write_name(name: str) -> str:
    """Return a name as it stands in a path: in quotes where it has a dot, or begins with a quote.

    >>> write_name("@odata.nextLink")
    '"@odata.nextLink"'

    """
    if "." not in name and not name.startswith(("'", '"')):
        return name
    return f"'{name}'" if '"' in name else f'"{name}"'


@lru_cache(maxsize=256)
def list_steps(path: str) -> tuple[tuple[str, str], ...]:
    """Return the names of a path, each with all that is left of the path where it stands."""
    found, at = [], 0
    while at <= len(path):
        match = _NAME.match(path, at)
        assert match is not None  # the plain name takes any text
        found.append((match[match.lastgroup or "plain"], path[at:]))
        at = match.end() + (match.end() == len(path) and not match[0].endswith("."))
    return tuple(found)
