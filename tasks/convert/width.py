"""How wide a table may be: where ids are keys, a small file has a column for each, and a cell for each of them in each row."""

from __future__ import annotations

from tasks.errors import TableError

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
        raise TableError(f"has {columns:,} different columns in {rows:,} records, most of them empty; {_CURE}")
