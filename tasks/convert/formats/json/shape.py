"""The shape of JSON values: of which kinds they are, the keys of objects and the elements of lists; and what Arrow calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import isfinite
from types import NoneType
from typing import Any

import pyarrow as pa

from tasks.convert.schema.types import ARROW_TYPES, LEAST_INT, MOST_INT, TypeName

_KINDS = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
_SETTLED = frozenset({NoneType, bool, int, float, str})  # whose values have no keys or elements
_NUMBERS = ("bool", "int", "long", "float")  # what is no text in Arrow's schema

Known = Callable[[str], TypeName | None]
"""What type a column had in another block, by its name in the source."""


class Beyond:
    """The kind of numbers that pyarrow does not read as Python does: whole ones that 64 bits do not hold, and NaN and infinity."""


class InDoubtError(Exception):
    """What pyarrow reads may not be what Python does: a block, or a column of it, is read line by line."""


@dataclass
class Shape:
    """What was seen of the values at one place."""

    kinds: set[type] = field(default_factory=set)
    keys: dict[str, Shape] = field(default_factory=dict)
    elements: Shape | None = None
    _seen: set[tuple[str, type]] = field(default_factory=set, repr=False, compare=False)
    """The keys of objects whose values were numbers as most are, texts, or none: another of these tells nothing."""

    def add(self, value: Any) -> None:
        """Have a value seen."""
        kind = type(value)
        if kind is NoneType:
            return
        if (kind is int and not LEAST_INT <= value <= MOST_INT) or (kind is float and not isfinite(value)):
            kind = Beyond
        self.kinds.add(kind)
        if kind is dict:
            self._add_members(value)
        elif kind is list:
            self.elements = self.elements or Shape()
            for inner in value:
                self.elements.add(inner)

    def _add_members(self, value: dict[str, Any]) -> None:
        kinds = set(zip(value, map(type, value.values()), strict=True))
        is_usual = _are_usual(value.values())
        new = kinds - self._seen if is_usual else kinds
        if not new:  # mostly: to see each took ten times as long
            return
        for key, inner in value.items():
            if (key, type(inner)) in new:
                if key not in self.keys:
                    self.keys[key] = Shape()
                self.keys[key].add(inner)
        if is_usual:
            self._seen |= {each for each in new if each[1] in _SETTLED}

    @property
    def is_object(self) -> bool:
        """Return whether the values are objects of which some have keys: these are columns."""
        return bool(self.keys)

    def names(self, prefix: str = "", explode: str | None = None) -> Iterator[str]:
        """Yield the names of the columns that there may be, those of objects too, which may be null or empty."""
        for key, inner in self.keys.items():
            name = f"{prefix}{key}"
            yield name
            shown = inner.elements if name == explode else inner
            if shown is not None:
                yield from shown.names(f"{name}.", explode)

    def arrow(self, known: Known, name: str = "", explode: str | None = None) -> pa.DataType:
        """Return the type whose values these are, and no others.

        Raises:
            InDoubtError: they are of several kinds.

        """
        if not self.kinds:
            kind = known(name)
            return ARROW_TYPES[kind] if kind in _NUMBERS else pa.string()
        if self.kinds <= {int, float}:
            return pa.float64() if float in self.kinds or known(name) == "float" else pa.int64()
        if len(self.kinds) > 1 or Beyond in self.kinds:
            raise InDoubtError
        if self.elements is not None:
            return pa.list_(self.elements.arrow(known if name == explode else _unknown, name, explode))
        if dict in self.kinds:
            return pa.struct(self._fields(known, f"{name}." if name else "", explode))
        return _KINDS[next(iter(self.kinds))]

    def _fields(self, known: Known, prefix: str, explode: str | None) -> list[tuple[str, pa.DataType]]:
        return [(key, inner.arrow(known, f"{prefix}{key}", explode)) for key, inner in self.keys.items()]


def _are_usual(values: Iterable[Any]) -> bool:
    """Return whether no number among values is one that pyarrow does not read as Python does."""
    ints, floats = ([value for value in values if type(value) is kind] for kind in (int, float))
    is_held = not ints or (min(ints) >= LEAST_INT and max(ints) <= MOST_INT)
    return is_held and all(map(isfinite, floats))


def _unknown(_: str) -> None:
    return None
