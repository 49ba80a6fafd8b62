"""The rows of a made table as its parts: sorted, and one for each value that it is partitioned by."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config import MadeTable
from tasks.convert.parts.part import ROW_GROUP_ROWS
from tasks.convert.schema.types import ARROW_TYPES, TypeName, name_decimal
from tasks.convert.staging.block import divide_rows
from tasks.core.errors import TableError
from tasks.core.sql import half_of_memory
from tasks.core.storage import fsync
from tasks.core.suggestions import did_you_mean
from tasks.core.tables import files_as_sql, quote_name, quote_text

PARQUET = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
_PART = "part-{}.parquet"
_NAMES = {kind: name for name, kind in ARROW_TYPES.items() if name not in ("long", "null")}


def order_by(table: MadeTable, columns: Iterable[str]) -> str:
    """Return the ORDER BY of a table's rows, which are written partition by partition; nothing where none is declared.

    Rows that are alike there stand in the order of their other columns: else the same rows would be another table each time.
    """
    declared = (*table.partition_by, *table.sort_by)
    return f" ORDER BY {', '.join(map(quote_name, dict.fromkeys((*declared, *columns))))}" if declared else ""


def refuse_unknown(name: str, table: MadeTable, columns: Sequence[str]) -> None:
    """Raise where a declared column is none of the table's.

    Raises:
        TableError: with one line for each that is not.

    """
    if unknown := find_unknown(name, table, columns):
        raise TableError("\n".join(unknown))


def find_unknown(name: str, table: MadeTable, columns: Sequence[str]) -> list[str]:
    """Return a sentence for each declared column that is none of the table's."""
    declared = {f"tables.{name}.{key}": getattr(table, key) for key in ("key", "partition_by", "sort_by")}
    return explain_unknown(declared, columns)


def explain_unknown(declared: Mapping[str, Sequence[str]], columns: Sequence[str]) -> list[str]:
    """Return a sentence for each column, declared under a key of the pipeline file, that is none of `columns`."""
    there = f"the columns are {', '.join(columns)}"
    return [
        f"{key}: {name!r} is not a column of the table; {did_you_mean(name, columns, there)}"
        for key, names in declared.items()
        for name in names
        if name not in columns
    ]


def sort_rows(rows: Path, table: MadeTable) -> None:
    """Sort the rows of a Parquet file as is declared; what does not fit in memory spills beside it."""
    if not (order := order_by(table, pq.read_schema(rows).names)):
        return
    spill, placed = rows.with_name("spill"), rows.with_name("sorted.parquet")
    memory = table.memory_limit_mb or half_of_memory()
    try:
        with duckdb.connect(config={"temp_directory": str(spill), "memory_limit": f"{memory}MiB"}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"COPY (FROM {files_as_sql([rows])}{order}) TO {quote_text(str(placed))} {PARQUET}")
    finally:
        shutil.rmtree(spill, ignore_errors=True)
    placed.replace(rows)


def types_of(rows: Path) -> dict[str, TypeName]:
    """Return the names of the types of a Parquet file's columns."""
    return {
        column.name: name_decimal(column.type) or "string" if pa.types.is_decimal(column.type) else _NAMES[column.type]
        for column in pq.read_schema(rows)
    }


def write_parts(rows: Path, table: MadeTable, folder: Path) -> dict[str, int]:
    """Put the rows of a sorted Parquet file into a folder as parts; return how many rows each has."""
    folder.mkdir(parents=True)
    total = pq.read_metadata(rows).num_rows
    if not table.partition_by or not total:  # without rows too: it has columns
        name = _PART.format(0)
        rows.rename(folder / name)
        fsync(folder / name)
        return {name: total}
    counts: dict[str, int] = {}
    begun: Counter[str] = Counter()
    writer: pq.ParquetWriter | None = None
    last = name = ""
    with pq.ParquetFile(rows) as file:
        bounded = _bounded_columns(file.metadata)
        for batch in file.iter_batches(ROW_GROUP_ROWS):
            for place, part, _ in divide_rows(pa.Table.from_batches([batch]), table.partition_by):
                if place != last:
                    _close(writer, folder / name)
                    # Folders come in turns where SQL sorts two values as one: 0.0 and -0.0.
                    name, last = f"{place}{_PART.format(begun[place])}", place
                    begun[place] += 1
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    writer = pq.ParquetWriter(folder / name, part.schema, compression="zstd", write_statistics=bounded)
                assert writer is not None
                writer.write_table(part)
                counts[name] = counts.get(name, 0) + part.num_rows
    _close(writer, folder / name)
    with suppress(FileNotFoundError):
        rows.unlink()
    return counts


def _bounded_columns(footer: pq.FileMetaData) -> list[str]:
    """Return the columns whose least and greatest value the parts of a file may tell: those of which it tells them, or has none."""
    unbounded = set()
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        for place in range(footer.num_columns):
            told = group.column(place).statistics
            if told is None or not (told.has_min_max or told.null_count == group.num_rows):
                unbounded.add(place)
    return [name for place, name in enumerate(footer.schema.names) if place not in unbounded]


def _close(writer: pq.ParquetWriter | None, path: Path) -> None:
    if writer is not None:
        writer.close()
        fsync(path)
