"""The values that a source's partitions have: a list of them, a range, dates, or those of a table's column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from tasks.config.base import ConfigModel, Scalar
from tasks.config.dates import MOST_INTERVALS, Dates
from tasks.config.parents import Parent

MOST_PARTITIONS = MOST_INTERVALS
"""Each is retried and resumed by itself."""


class Range(ConfigModel):
    """Whole numbers from the first to the last, both included."""

    range: tuple[int, int]
    """First and last value, e.g. [1, 12]."""
    every: Annotated[int, Field(ge=1)] = 1
    """How many values one partition has: its own is the first of them, the last is `name_last`, and the one behind that `name_end`."""

    @model_validator(mode="after")
    def _ascend(self) -> Range:
        first, last = self.range
        if first > last:
            raise ValueError(f"the range [{first}, {last}] is empty; write the smaller number first")
        if len(self.values()) > MOST_PARTITIONS:
            raise ValueError(
                f"the range [{first}, {last}] has {len(self.values()):,} values, and a source may have "
                f"{MOST_PARTITIONS:,} partitions; give each several by every, fetch more with each, or split the source"
            )
        return self

    def values(self) -> Sequence[int]:
        """Return the value of each partition, in order."""
        return range(self.range[0], self.range[1] + 1, self.every)

    def last_of(self, value: int) -> int:
        """Return the last value of a partition, by its first."""
        return min(value + self.every - 1, self.range[1])


def _kind_of(values: Any) -> str:
    """Return which kind of values a pipeline file, or a model, declares."""
    if isinstance(values, dict):
        if "range" in values:
            return "range"
        if values.keys() & {"every", "to"}:
            return "every"
        return "column" if values.keys() & {"from", "column"} else "range"
    return next((tag for kind, tag in _TAGS.items() if isinstance(values, kind)), "list")


_TAGS = {Range: "range", Dates: "every", Parent: "column"}


PartitionValues = Annotated[
    Annotated[tuple[Scalar, ...], Field(min_length=1), Tag("list")]
    | Annotated[Range, Tag("range")]
    | Annotated[Dates, Tag("every")]
    | Annotated[Parent, Tag("column")],
    Discriminator(_kind_of),
]


def count_values(values: PartitionValues) -> int:
    """Return how many values are declared; of dates without an end, how many there are now, and of a table one, which is not known yet."""
    match values:
        case Range():
            return len(values.values())
        case Dates():
            return len(values.intervals())
        case Parent():
            return 1 if values.children is None else len(values.children)
        case _:
            return len(values)


def names_beside(name: str, values: PartitionValues) -> tuple[str, ...]:
    """Return the names beside its own by which requests may take something of a partition's value."""
    if isinstance(values, Parent):
        return tuple(values.take)
    has_ends = isinstance(values, Dates) or (isinstance(values, Range) and values.every > 1)
    return (f"{name}_end", f"{name}_last") if has_ends else ()
