"""Names of columns in the table: as they are in the source, renamed, or made plain; and how many there may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tasks.core.errors import TableError
from tasks.core.escaping import count
from tasks.core.tables import clean_name

FILE, LINE = "_file", "_line"  # the columns that tell where a row came from

_PASSED_OVER = "\0"  # begins the name of what is not of the table, so that it is that of no other column


@dataclass(frozen=True)
class Naming:
    """How columns are named: `renames` by their names in the source, all others made plain with `clean`.

    With `within` only the columns of the elements of that list are of the table,
    named as within an element, and those that are renamed.
    """

    renames: Mapping[str, str] = field(default_factory=dict)
    clean: bool = False
    within: str | None = None

    def rename(self, names: Sequence[str]) -> list[str]:
        """Return the names in the table.

        Raises:
            TableError: two columns would have the same name.

        """
        given: dict[str, str] = {}
        for name in names:
            new = self.renames.get(name) or self._plain(name)
            if new in given:
                raise TableError(
                    f"the columns {given[new]!r} and {name!r} would both be {new!r} in the table; rename one of them in columns"
                )
            given[new] = name
        return list(given)

    def _plain(self, name: str) -> str:
        if self.within is not None and name != self.within:
            if not name.startswith(f"{self.within}."):
                return f"{_PASSED_OVER}{name}"
            name = name[len(self.within) + 1 :]
        return clean_name(name) if self.clean else name


def is_of_table(name: str) -> bool:
    """Return whether a column by this name, as `Naming` has given it, is of the table."""
    return not name.startswith(_PASSED_OVER)


MAX_COLUMNS = 65_536
MAX_CELLS = 128 * 1024 * 1024  # of a block, which is in memory as a whole
_CURE = "where ids or dates are keys, write each as a record of its own"


def refuse_width(columns: int, rows: int = 1) -> None:
    """Refuse what would be a table, or a block of one, that does not fit in memory.

    Raises:
        TableError: it has too many columns, or cells.

    """
    if columns > MAX_COLUMNS:
        raise TableError(f"has {columns:,} columns, more than the {MAX_COLUMNS:,} that a table may have; {_CURE}")
    if rows * columns > MAX_CELLS:
        raise TableError(f"has {columns:,} different columns in {count(rows, 'record')}, most of them empty; {_CURE}")


def name_columns(fields: Sequence[str]) -> list[str]:
    """Return the header's fields as names: trimmed, a blank one numbered, a repeated one told apart."""
    names: dict[str, None] = {}
    for position, text in enumerate(fields, start=1):
        name = text.strip() or f"column_{position}"
        while name in names:
            name = f"{name}_{position}"
        names[name] = None
    return list(names)
