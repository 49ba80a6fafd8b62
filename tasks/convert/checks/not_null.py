"""The check that columns have a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tasks.config.checks import Columns, Condition, RowCheck
from tasks.core.tables import quote_name


class NotNull(RowCheck):
    """Columns that have a value in every row."""

    name: ClassVar[str] = "not_null"

    not_null: Columns
    """Columns of the table, or one."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns."""
        return self.not_null

    @property
    def expected(self) -> str:
        """Return what is expected."""
        return "a value in every row"

    def condition(self, types: Mapping[str, str]) -> Condition:  # noqa: ARG002 - of any type
        """Return that each column has a value."""
        sql = " AND ".join(f"{quote_name(name)} IS NOT NULL" for name in self.not_null)
        return Condition(sql, f"have no value in {' or '.join(self.not_null)}")
