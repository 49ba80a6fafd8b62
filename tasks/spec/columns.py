"""Columns: what is declared of them, and how partition values are written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from tasks.spec.base import NonEmpty, Part, Scalar

ColumnType = Literal["int", "float", "string", "bool", "date", "timestamp"]


class Range(Part):
    """Whole numbers from the first to the last, both included."""

    range: tuple[int, int]
    """First and last value, e.g. [1, 12]."""

    @model_validator(mode="after")
    def _ascend(self) -> Range:
        first, last = self.range
        if first > last:
            raise ValueError(f"the range [{first}, {last}] is empty; write the smaller number first")
        return self

    def values(self) -> tuple[int, ...]:
        """Return every value of the range, in order."""
        return tuple(range(self.range[0], self.range[1] + 1))


PartitionValues = Annotated[
    Annotated[tuple[Scalar, ...], Field(min_length=1), Tag("list")] | Annotated[Range, Tag("range")],
    Discriminator(lambda value: "range" if isinstance(value, dict | Range) else "list"),
]


class Column(Part):
    """What is declared of one column of a table."""

    type: ColumnType | None = None
    """The type every value must have; a row with another value becomes a reject. Without it the type is inferred."""


class PagesColumn(Column):
    """One column of a page's rows: where its value stands."""

    select: NonEmpty
    """Selector within the row: CSS ending in ::text or ::attr(name), or XPath, which begins with / or ./ or (; the first match is the value."""
    all: bool = False
    """Take every match, as a JSON list, instead of the first."""
    default: str | None = None
    """Value where the selector matches nothing in a row; without it the value is null."""

    @model_validator(mode="after")
    def _is_list_or_value(self) -> PagesColumn:
        if self.all and self.type not in (None, "string"):
            raise ValueError(f"all gives a list, as JSON text, which is no {self.type}; take type out, or all")
        return self


def read_column(value: Any) -> Any:
    """Return a column that is written as its type alone."""
    return {"type": value} if isinstance(value, str) else value


def read_pages_column(value: Any) -> Any:
    """Return a pages column that is written as its selector alone."""
    return {"select": value} if isinstance(value, str) else value
