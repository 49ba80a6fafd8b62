"""A Delta table in a folder: each export is one commit of it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path

from tasks.core.errors import ExportError
from tasks.core.storage import commit_folder
from tasks.core.tables import quote_name
from tasks.export.files import remove_leftovers
from tasks.export.rows import TableRows, TableSource, Written

PACKAGE = "deltalake"
_MARK = "tidemill"
_KEEPING = frozenset(
    {"OPTIMIZE", "SET TBLPROPERTIES", "VACUUM START", "VACUUM END"}
)  # commits that leave the rows as they are
_WITHOUT_BOUNDS = {"delta.dataSkippingNumIndexedCols": "0"}
_EXACT_DIGITS = 15  # of a decimal as a number of JSON
_FOREIGN = "a folder of other files"


class DeltaTarget:
    """A folder; its state is the mark of the last commit that changed rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def place(self) -> str:
        """Return what the target is called."""
        return f"Delta table {self._folder}"

    def state(self) -> str | None:
        """Return the state of the table; None where none is there.

        Raises:
            ExportError: it cannot be read.

        """
        from deltalake import DeltaTable  # noqa: PLC0415 - an extra
        from deltalake.exceptions import DeltaError  # noqa: PLC0415 - the same

        if not self._is_table():
            return _FOREIGN if self._is_taken() else None
        try:
            commits = DeltaTable(self._folder).history()
        except DeltaError as error:
            raise ExportError(self._explain(error)) from None
        last = next((each for each in commits if each.get("operation") not in _KEEPING), commits[0])
        return str(last.get(_MARK) or f"version {last['version']} of another writer")

    def write(self, source: TableSource, promise: Callable[[str], None]) -> Written:
        """Write the table: a new one beside its folder, which is renamed into place, another version of one that is there.

        Raises:
            ExportError: it cannot be written.
            QueryError: the table cannot be read.

        """
        from deltalake import CommitProperties, write_deltalake  # noqa: PLC0415 - an extra
        from deltalake.exceptions import DeltaError  # noqa: PLC0415 - the same

        if not self._is_table() and self._is_taken():
            raise ExportError(f"{self.place} is {_FOREIGN}; move them away, or name another folder")
        mark = uuid.uuid4().hex
        properties = CommitProperties(custom_metadata={_MARK: mark})
        try:
            with source.opened() as rows:
                bounds = _bounds(rows)
                batches = rows.batches()
                if self._is_table():
                    self._declare(bounds)
                    promise(mark)
                    write_deltalake(
                        self._folder, batches, mode="overwrite", schema_mode="overwrite", commit_properties=properties
                    )
                else:
                    remove_leftovers(self._folder)
                    with commit_folder(self._folder) as part:
                        write_deltalake(part, batches, configuration=bounds, commit_properties=properties)
                        promise(mark)
        except DeltaError as error:
            raise ExportError(self._explain(error)) from None
        return Written(rows.number, rows.notes)

    def _declare(self, properties: dict[str, str]) -> None:
        from deltalake import DeltaTable  # noqa: PLC0415 - an extra

        table = DeltaTable(self._folder)
        if not properties.items() <= table.metadata().configuration.items():
            table.alter.set_table_properties(properties)

    def _is_table(self) -> bool:
        return (self._folder / "_delta_log").is_dir()

    def _is_taken(self) -> bool:
        return self._folder.is_file() or (self._folder.is_dir() and any(self._folder.iterdir()))

    def _explain(self, error: Exception) -> str:
        said = str(error).strip().splitlines()[0].rstrip(".")
        return f"{self.place}: {said}; mend the table, or name another folder"


def _bounds(rows: TableRows) -> dict[str, str]:
    """Return the properties of a table by which its files' least and greatest values are kept where JSON can hold them.

    deltalake's filters by Arrow leave out rows by such as it cannot: see findings/deltalake-filters-lose-rows.sh.
    """
    odd = {name: _is_odd(quote_name(name), kind) for name, kind in rows.kinds.items()}
    found = rows.scalars({name: f"bool_or({is_odd})" for name, is_odd in odd.items() if is_odd})
    return _WITHOUT_BOUNDS if any(found.values()) else {}


def _is_odd(column: str, kind: str) -> str | None:
    """Return the SQL that tells whether a value is no number of JSON, exactly; None where each value of this type is."""
    if kind in {"DOUBLE", "FLOAT"}:
        return f"NOT isfinite({column})"
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", kind)
    if decimal is None or int(decimal[1]) <= _EXACT_DIGITS:
        return None
    return f"abs({column})::DOUBLE >= 1e{_EXACT_DIGITS - int(decimal[2])}"
