"""Slices of the hold-out: the columns by whose values a model's score is told apart."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from tasks.config.base import ConfigModel, NonEmpty


class Slicing(ConfigModel):
    """A column whose values, or spans of numbers and times, are slices."""

    column: NonEmpty
    """Column of the query's result."""
    bins: Annotated[int, Field(ge=2, le=20)] | None = None
    """Spans of equally many rows, for numbers and times; without it 4, and whole numbers of up to 20 values are slices by value."""
    feature: bool = True
    """Whether models learn from the column too; false keeps it from them, as of a group that must not decide."""


def _kind_of(value: Any) -> str:
    return "parts" if isinstance(value, dict | Slicing) else "name"


DeclaredSlicing = Annotated[
    Annotated[NonEmpty, Tag("name")] | Annotated[Slicing, Tag("parts")],
    Discriminator(_kind_of),
]
"""A column by its name alone, or with more said of it."""
