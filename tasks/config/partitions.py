"""The values that a source's partitions have: a list of them, or a range."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Field, Tag, model_validator

from tasks.config.base import ConfigModel, Scalar

MOST_PARTITIONS = 100_000
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


PartitionValues = Annotated[
    Annotated[tuple[Scalar, ...], Field(min_length=1), Tag("list")] | Annotated[Range, Tag("range")],
    Discriminator(lambda value: "range" if isinstance(value, dict | Range) else "list"),
]
