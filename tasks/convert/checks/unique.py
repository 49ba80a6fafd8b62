"""The check that no two rows have the same values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from tasks.config.checks import CheckFailure, Columns, TableCheck, TableRows
from tasks.convert.checks.columns import EXAMPLES, as_text
from tasks.core.tables import quote_name


class Unique(TableCheck):
    """Columns whose values together no two rows share; a row without a value in one of them shares none."""

    name: ClassVar[str] = "unique"

    unique: Columns
    """Columns of the table, or one."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns."""
        return self.unique

    @property
    def expected(self) -> str:
        """Return what is expected."""
        return "no two rows alike"

    def find(self, rows: TableRows, types: Mapping[str, str], now: datetime) -> CheckFailure | None:  # noqa: ARG002 - of any type
        """Return how many rows share their values with another one, and such values, the most frequent first."""
        names = ", ".join(quote_name(name) for name in self.unique)
        known = " AND ".join(f"{quote_name(name)} IS NOT NULL" for name in self.unique)
        groups = f"FROM rows WHERE {known} GROUP BY {names} HAVING count(*) > 1"
        failed = rows.fetch(f"SELECT coalesce(sum(size), 0) FROM (SELECT count(*) {groups}) AS sizes(size)")[0][0]  # noqa: S608 - quoted
        if not failed:
            return None
        shown = ", ".join(map(as_text, self.unique))
        found = rows.fetch(f"SELECT {shown} {groups} ORDER BY count(*) DESC, {names} LIMIT {EXAMPLES}")
        examples = tuple(dict(zip(self.unique, values, strict=True)) for values in found)
        said = f"{failed:,} of {rows.count:,} rows share their {' and '.join(self.unique)} with another one"
        return CheckFailure(said, int(failed), examples)
