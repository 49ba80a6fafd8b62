"""The check that the values of a column lie between two."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from pydantic import model_validator

from tasks.config.base import ConfigModel, NonEmpty, Scalar
from tasks.config.checks import Condition, RowCheck
from tasks.convert.checks.columns import TIMES, as_time, is_number, microseconds_of
from tasks.core.tables import quote_name


class AllowedRange(ConfigModel):
    """The smallest and the largest value that a column may have, both included."""

    column: NonEmpty
    """Column of the table: numbers or times."""
    min: Scalar | None = None
    """The smallest value: a number, or a time as ISO 8601 has it, e.g. 2024-01-01; in UTC where it tells no zone."""
    max: Scalar | None = None
    """The largest value: a number, or a time."""

    @model_validator(mode="after")
    def _is_a_range(self) -> AllowedRange:
        if self.min is None and self.max is None:
            raise ValueError("has neither min nor max; give one of them, or both")
        for name, value in (("min", self.min), ("max", self.max)):
            if isinstance(value, str) and not _is_time(value):
                raise ValueError(f"{name}: {value!r:.80} is neither a number nor a time; write e.g. 0 or 2024-01-01")
        if self.min is None or self.max is None:
            return self
        if isinstance(self.min, str) != isinstance(self.max, str):
            raise ValueError(f"{self.min!r:.80} and {self.max!r:.80} are a number and a time; write two of the same")
        if not isinstance(self.min, str) and not isinstance(self.max, str) and self.min > self.max:
            raise ValueError(f"no value is between {self.min} and {self.max}; write the smaller one as min")
        return self

    @property
    def of_times(self) -> bool:
        """Return whether the values are times."""
        return isinstance(self.min, str) or isinstance(self.max, str)

    def in_words(self, low: str, high: str, between: str) -> str:
        """Return the values that there are, each with its words before it."""
        told = ((low, self.min), (high, self.max))
        return between.join(f"{words} {value}" for words, value in told if value is not None)


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


class InRange(RowCheck):
    """A column whose values lie between two; a row without a value passes."""

    name: ClassVar[str] = "range"

    range: AllowedRange
    """The column, and its smallest and largest value."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the column."""
        return (self.range.column,)

    @property
    def expected(self) -> str:
        """Return what is expected."""
        return self.range.in_words("at least", "at most", " and ")

    def refuse(self, types: Mapping[str, str]) -> None:
        """Raise where the column is neither of texts nor of what the bounds are."""
        bounds, kind = self.range, types[self.range.column]
        if not (kind in TIMES if bounds.of_times else is_number(kind)) and kind != "string":
            value, given = bounds.max if bounds.min is None else bounds.min, "time" if bounds.of_times else "number"
            raise ValueError(f"{bounds.column!r} is of type {kind}, and {value} is a {given}; write another")

    def condition(self, types: Mapping[str, str]) -> Condition:
        """Return that the value lies between the two; of a text, also that it is a number, or a time."""
        bounds, kind = self.range, types[self.range.column]
        column = quote_name(bounds.column)
        number = column if kind != "string" else f"TRY_CAST({column} AS DOUBLE)"
        value = as_time(bounds.column, kind) if bounds.of_times else number
        # A text that is no number, and a NaN, is in no range.
        right = [f"({value} IS NOT NULL OR {column} IS NULL)"] if kind == "string" else []
        right += [f"NOT isnan({value})"] if kind == "float" or (kind == "string" and not bounds.of_times) else []
        given = [(bound, sign) for bound, sign in ((bounds.min, ">="), (bounds.max, "<=")) if bound is not None]
        right += [f"{value} {sign} ?" for _, sign in given]
        values = tuple(microseconds_of(bound) if isinstance(bound, str) else bound for bound, _ in given)
        said = f"have a value in {bounds.column} {bounds.in_words('below', 'above', ' or ')}"
        return Condition(" AND ".join(right), said, values)
