"""The values that a source's partitions have: a list of them, a range, dates, or those of a table's column."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from tasks.config.base import ConfigModel, Scalar
from tasks.config.dates import MOST_INTERVALS, Dates
from tasks.config.parents import Parent

MOST_PARTITIONS = MOST_INTERVALS
"""Each is a file, and retried and resumed by itself."""


class Range(ConfigModel):
    """Whole numbers from the first to the last, both included."""

    range: tuple[int, int]
    """First and last value, e.g. [1, 12]."""

    @model_validator(mode="after")
    def _ascend(self) -> Range:
        first, last = self.range
        if first > last:
            raise ValueError(f"the range [{first}, {last}] is empty; write the smaller number first")
        if last - first >= MOST_PARTITIONS:
            raise ValueError(
                f"the range [{first}, {last}] has {last - first + 1:,} values, and a source may have "
                f"{MOST_PARTITIONS:,} partitions; fetch more with each, or split the source"
            )
        return self

    def values(self) -> tuple[int, ...]:
        """Return every value of the range, in order."""
        return tuple(range(self.range[0], self.range[1] + 1))


def _kind_of(values: Any) -> str:
    """Return which kind of values a pipeline file, or a model, declares."""
    if isinstance(values, dict):
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
            return values.range[1] - values.range[0] + 1
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
    return (f"{name}_end", f"{name}_last") if isinstance(values, Dates) else ()
