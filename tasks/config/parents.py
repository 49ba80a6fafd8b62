"""The values of a column of another source's table as a source's partitions: a child for each, fetched once its parent is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, PrivateAttr

from tasks.config.base import ConfigModel, Name, NonEmpty, Scalar


@dataclass(frozen=True, slots=True)
class Child:
    """One value of the column, and what is taken of its row, by the names of `take`."""

    value: Scalar
    taken: tuple[tuple[str, Scalar | bool | None], ...] = ()


class Parent(ConfigModel):
    """The values of a column of another source's table, each of which is a partition."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    from_: Annotated[Name, Field(alias="from")]
    """Table of another source, or of the elements of one, whose rows say which partitions there are."""
    column: NonEmpty
    """Column whose values are those of the partitions; a row without one has no partition."""
    where: NonEmpty | None = None
    """Condition on the table's rows, in SQL (DuckDB), e.g. status = 'open'; without it every row counts."""
    take: dict[NonEmpty, NonEmpty] = {}
    """Columns of the table that each row of the partition has too, by their names here, e.g. {order_id: id}; `{order_id}` may stand where the value may. Where one has changed, the partition is fetched again."""
    on_missing: Literal["keep", "drop"] = "keep"
    """What becomes of the rows of a partition whose value the table has no more: keep, or drop."""

    _children: tuple[Child, ...] | None = PrivateAttr(default=None)

    @property
    def children(self) -> tuple[Child, ...] | None:
        """Return the values that there are; None as long as the table was not asked."""
        return self._children

    def with_children(self, children: Sequence[Child]) -> Parent:
        """Return the same with the values that there are."""
        known = self.model_copy()
        known._children = tuple(children)  # noqa: SLF001 - the copy's own
        return known
