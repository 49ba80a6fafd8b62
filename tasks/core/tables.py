"""What a table is on disk: a folder of Parquet parts, below it folders of values where it is partitioned, and a manifest.

Convert writes it, train and predict read it; nobody else spells these names.
Every column stands in the parts, in its own type: what a folder's name says
would be a number to one reader and a text to another.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    import pyarrow as pa  # 0.2 s, which the models do without

MANIFEST = "_manifest.json"  # readers of Parquet folders pass over names that begin with _ or a dot
_PARTS = "*.parquet"

_PATTERN = re.compile(r"([*?\[])")
_NOT_PLAIN = re.compile(r"[^a-z0-9]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_FOLDER_CHARACTERS = 200  # a name may have 255 bytes


def list_parts(folder: Path) -> list[Path]:
    """Return the parts of a table, by name; none where it is not there."""
    return sorted(folder.rglob(_PARTS))


def is_table(folder: Path) -> bool:
    """Return whether a folder holds a table."""
    return any(folder.rglob(_PARTS))


def table_of(path: Path) -> Path | None:
    """Return the folder of the table in which a path lies, if it does."""
    return next((folder for folder in path.resolve().parents if (folder / MANIFEST).is_file()), None)


def folder_of_value(column: str, value: str | None) -> str:
    """Return the name of the folder of the rows with a value in a column: another one for each value, null too.

    No `column=value`: of such folders readers make columns, and of 01 the number 1.
    """
    name = quote(column, safe="").lstrip("._") or "column"
    if value is None:
        return _cut(name)
    return _cut(f"{name}-{quote(value, safe=' ')}")


def _cut(name: str) -> str:
    """Return a name that a folder may have; one that is cut is longer than any that is not, so that no two are the same."""
    if len(name) <= _FOLDER_CHARACTERS:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f"{name[: _FOLDER_CHARACTERS - 20]}~{digest}"


def bounded_columns(table: pa.Table) -> list[str]:
    """Return the columns whose least and greatest value a part may tell: all but those with NaN.

    Parquet leaves NaN out of both, and DuckDB, to which it is greater than any
    number, takes them for all that there is: of a part with NaN that told them
    it found none (findings/duckdb-nan-beyond-statistics.sh).
    """
    import pyarrow as pa  # noqa: PLC0415 - see above

    columns = dict(zip(table.column_names, table.columns, strict=True))
    floats = {name: column for name, column in columns.items() if pa.types.is_floating(column.type)}
    if not _have_no_number(floats.values()):  # mostly: to ask each of a thousand columns took twice as long
        return list(columns)
    return [name for name in columns if name not in floats or not _have_no_number([floats[name]])]


def _have_no_number(columns: Iterable[pa.ChunkedArray]) -> bool:
    """Return whether a column of floats has NaN."""
    import pyarrow as pa  # noqa: PLC0415 - see above
    import pyarrow.compute as pc  # noqa: PLC0415 - see above

    of_types: dict[pa.DataType, list[pa.Array]] = {}
    for column in columns:
        of_types.setdefault(column.type, []).extend(column.chunks)
    alike = (pa.chunked_array(chunks, kind) for kind, chunks in of_types.items())
    return any(pc.any(pc.is_nan(values)).as_py() for values in alike)


def parts_as_sql(folder: Path) -> str:
    """Return the SQL that reads the parts that a table has now, their columns brought together by name.

    They are named, not a pattern: of a version that is removed meanwhile, part by part, a
    pattern would match those that are left, and the table be a smaller one.
    """
    parts = sorted(list_parts(folder), key=lambda part: (len(part.parts), part))  # as a pattern has them
    files = ", ".join(quote_text(as_pattern(part)) for part in parts)
    return f"read_parquet([{files}], union_by_name=true, hive_partitioning=false)"


def explain_gone(part: str) -> str:
    """Return the sentence for a part that was there when its table was opened."""
    return f"{part}: is gone, as its table was made anew, or removed, while it was read; run again"


def files_as_sql(paths: Iterable[Path], *, located: bool = False) -> str:
    """Return the SQL that reads Parquet files of the same columns, in their order.

    Where rows are to be located, they have the columns `filename` and
    `file_row_number` too, and the files' columns are brought together by name.
    """
    files = ", ".join(quote_text(as_pattern(path)) for path in paths)
    options = "union_by_name=true, filename=true, file_row_number=true, " if located else ""
    return f"read_parquet([{files}], {options}hive_partitioning=false)"


def is_decimal(kind: str) -> bool:
    """Return whether a type of columns is one of decimals."""
    return kind.startswith("decimal(")


def find_alike(names: Iterable[str]) -> tuple[str, str] | None:
    """Return two names that SQL takes for one: they differ by case alone, which is that of ASCII to DuckDB."""
    known: dict[bytes, str] = {}
    for name in names:
        other = known.setdefault(name.encode("utf-8", "surrogatepass").lower(), name)
        if other != name:
            return other, name
    return None


def as_pattern(path: Path) -> str:
    """Return a path as a pattern that matches it alone: DuckDB takes every path for a pattern."""
    return _PATTERN.sub(r"[\1]", str(path))


def quote_text(text: str) -> str:
    """Return a text as SQL has it, where no parameter may stand."""
    return "'" + text.replace("'", "''") + "'"


def clean_name(name: str) -> str:
    """Return a name in lower case with only letters, digits and _: `Unit Price (€)` becomes `unit_price`."""
    plain = unicodedata.normalize("NFKD", _HUMP.sub("_", name)).encode("ascii", "ignore").decode()
    return _NOT_PLAIN.sub("_", plain.lower()).strip("_") or "column"


def quote_name(name: str) -> str:
    """Return a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'
