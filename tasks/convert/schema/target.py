"""What a source's rows are to become: the columns that are declared, their names, and how its files are read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tasks.config import Column, Reading
from tasks.convert.schema.names import FILE, LINE, Naming


@dataclass(frozen=True)
class TableTarget:
    """Where a source's parts and rejects are staged, and what is declared of its rows.

    `columns` are keyed by the names that they have in the table. `typed` is false
    where JSON values are texts of unknown type, as pages give them; `explode` is
    the column of lists whose elements are rows, and with `keeps_empty` records without
    an element are rows too; `landed` tells that a damaged
    file can be fetched again; `keyed`, that of the rows with the same key one is kept.
    """

    source: str
    staged: Path
    columns: Mapping[str, Column]
    naming: Naming = field(default_factory=Naming)
    reading: Reading = field(default_factory=Reading)
    typed: bool = True
    explode: str | None = None
    keeps_empty: bool = False
    landed: bool = False
    frozen: bool = False
    provenance: bool = False
    partition_by: Sequence[str] = ()
    sort_by: Sequence[str] = ()
    keyed: bool = False

    def nulls_of(self, name: str) -> Sequence[str]:
        """Return what is declared to mean null in a column, by its name in the source."""
        column = self.columns.get(self.naming.rename([name])[0])
        return () if column is None else column.nulls

    def is_inferred(self, name: str) -> bool:
        """Return whether the type of a column, by its name in the table, is told by its values alone."""
        column = self.columns.get(name)
        own = name not in (FILE, LINE) or not self.provenance
        return own and (column is None or (column.type is None and column.expression is None))

    @property
    def header_names(self) -> frozenset[str]:
        """Return the names that columns are declared to have in a header."""
        return frozenset({*self.columns, *self.naming.renames})

    def find_missing(self, header: Collection[str]) -> list[str]:
        """Return the columns that every file needs, and that stand in no header of these names."""
        needed = (name for name, column in self.columns.items() if column.required and column.expression is None)
        return [name for name in needed if name not in header]
