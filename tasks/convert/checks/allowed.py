"""The check that a column has none but some values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from tasks.config.base import ConfigModel, NonEmpty, check_scalar
from tasks.config.checks import Condition, RowCheck
from tasks.convert.checks.columns import TIMES, as_time, is_number, microseconds_of
from tasks.core.tables import quote_name

_TOLD = 10

Value = bool | int | float | str


def _check_value(value: Any) -> Any:
    """Return a value of a column as it is: a number, a text or a truth value."""
    return value if isinstance(value, bool) else check_scalar(value)


class AllowedValues(ConfigModel):
    """The values that a column may have."""

    column: NonEmpty
    """Column of the table."""
    values: Annotated[tuple[Annotated[Value, BeforeValidator(_check_value)], ...], Field(min_length=1)]
    """The values, e.g. [paid, open]."""


class Allowed(RowCheck):
    """A column that has none but some values; a row without a value passes."""

    name: ClassVar[str] = "allowed"

    allowed: AllowedValues
    """The column, and its values."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the column."""
        return (self.allowed.column,)

    @property
    def expected(self) -> str:
        """Return what is expected."""
        return f"one of {', '.join(map(str, self.allowed.values))}"

    def refuse(self, types: Mapping[str, str]) -> None:
        """Raise where a value is none that the column may have."""
        self._values(types)

    def condition(self, types: Mapping[str, str]) -> Condition:
        """Return that the value is one of those that are allowed."""
        name, allowed, values = self.allowed.column, self.allowed.values, self._values(types)
        column = as_time(name, types[name]) if types[name] in TIMES else quote_name(name)
        more = f" and {len(allowed) - _TOLD} more" if len(allowed) > _TOLD else ""
        said = f"have a value in {name} that is not one of {', '.join(map(str, allowed[:_TOLD]))}{more}"
        return Condition(f"{column} IN ({', '.join('?' for _ in values)})", said, values)

    def _values(self, types: Mapping[str, str]) -> tuple[Value, ...]:
        name = self.allowed.column
        return tuple(_as_value(name, value, types[name]) for value in self.allowed.values)


def _as_value(name: str, value: Value, kind: str) -> Value:
    """Return a value that is allowed as the column has it: 7 among texts is the text 7."""
    try:
        if kind in TIMES:
            return microseconds_of(str(value))
        if is_number(kind) and not isinstance(value, bool):
            return float(value) if isinstance(value, str) else value
        if kind == "bool":
            return {"true": True, "false": False}[str(value).lower()]
        if kind == "string":
            return str(value)
    except (ValueError, KeyError):
        pass
    raise ValueError(f"{value!r:.80} is no value of {name!r}, which is of type {kind}; take it out")
