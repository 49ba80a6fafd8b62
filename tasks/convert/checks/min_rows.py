"""The check that a table has rows enough."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from tasks.config.checks import CheckFailure, TableCheck, TableRows
from tasks.core.escaping import count


class MinRows(TableCheck):
    """A table that has at least so many rows."""

    name: ClassVar[str] = "min_rows"

    min_rows: Annotated[int, Field(ge=1)]
    """Number of rows."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return none: it is of the table."""
        return ()

    @property
    def expected(self) -> str:
        """Return what is expected."""
        return f"at least {count(self.min_rows, 'row')}"

    def find(self, rows: TableRows, types: Mapping[str, str], now: datetime) -> CheckFailure | None:  # noqa: ARG002 - of any columns
        """Return how many rows there are, if they are too few."""
        return CheckFailure(f"the table has {count(rows.count, 'row')}") if rows.count < self.min_rows else None
