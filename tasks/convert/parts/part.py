"""A part: the Parquet file of some rows of a table, which files' rows it holds, and where they stood in them."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.convert.schema.names import FILE, LINE
from tasks.convert.schema.types import TypeName, Types, widen_table
from tasks.core.storage import fsync
from tasks.core.tables import bounded_columns


@dataclass(frozen=True)
class StoredPart:
    """The file of a part, and its name in the table."""

    path: Path
    name: str = ""


_FOLDER = "places"


def write_places(staged: Path, part: str, places: np.ndarray) -> None:
    """Keep the places of the rows of a part beside it."""
    path = _path(staged, part)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, places)


def read_places(staged: Path, part: str) -> np.ndarray | None:
    """Return the places of the rows of a part; None where it is not staged, or its rows stand as they stood."""
    path = _path(staged, part)
    return np.load(path) if path.exists() else None


def remove_places(staged: Path) -> None:
    """Remove the places of all parts, which belong to no version."""
    shutil.rmtree(staged / _FOLDER, ignore_errors=True)


def _path(staged: Path, part: str) -> Path:
    return staged / _FOLDER / f"{part}.npy"


ROW_GROUP_ROWS = 500_000
BATCH_ROWS = 65_536  # encoded at once; a tenth faster than the 1,024 that pyarrow takes
_DENSE = 0.95  # is left of its size
_TELLING_ROWS = 10_000  # of fewer the trial would take as long as it saves
_TRIED_ROWS = 4_096
_WIDE = 100  # columns
_TOLD_VALUES = 25_000  # of all columns
_FEW, _VARIOUS = 8, 0.9
_IDS_ALIKE = {pa.string().id: 1, pa.float64().id: 2}


@dataclass(frozen=True)
class Part:
    """One Parquet file of a table.

    `rows` tells how many rows each file has in it, in their order; `types` are
    those that its rows have of their own, `columns` the names and types as they
    stand in the file.
    """

    name: str
    rows: dict[str, int]
    types: dict[str, TypeName]
    columns: dict[str, TypeName]
    shapes: dict[str, dict[str, tuple[int, str]]] = field(default_factory=dict)
    """By column of texts that may be numbers, dates or truths, how many of each shape there are, and one of them."""

    @property
    def total(self) -> int:
        """Return the number of its rows."""
        return sum(self.rows.values())

    def nulls_in(self, types: Types) -> AbstractSet[str]:
        """Return the columns of texts that all mean null, and are null in these types."""
        texts = {name for name, kind in self.columns.items() if kind == "string" and self.types.get(name) == "null"}
        return {name for name in texts if types.get(name, "string") != "string"}

    def without(self, files: AbstractSet[str]) -> Part:
        """Return the part without the rows of some files."""
        return replace(self, rows={file: rows for file, rows in self.rows.items() if file not in files})


def order_rows(table: pa.Table, sort_by: Sequence[str]) -> pa.Array | None:
    """Return the places of the rows in the order of `sort_by`; None where no column tells it."""
    keys = {f"key {place}": table[name] for place, name in enumerate(sort_by) if name in table.column_names}
    # Under names of our own: pyarrow takes .x for a path.
    return pc.sort_indices(pa.table(keys), [(key, "ascending") for key in keys]) if keys else None


def write_part(path: Path, table: pa.Table, dense: Collection[str] = ()) -> None:
    """Write a staged part, `dense` columns as they are encoded, without compression; `fsync` puts it on the disk."""
    table = table.combine_chunks()  # as one piece the same rows are written in a tenth less time
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # the table that is written may still be read from it
    pq.write_table(
        table,
        path,
        compression={name: "none" if name in dense else "zstd" for name in table.column_names} if dense else "zstd",
        row_group_size=ROW_GROUP_ROWS,
        write_batch_size=BATCH_ROWS,
        write_statistics=bounded_columns(table),
        **_encodings(table.schema, _find_various(table)),
    )


def _encodings(schema: pa.Schema, various: Collection[str] = ()) -> dict[str, Any]:
    """Return how columns are encoded: whole numbers by their differences, in half the time that a dictionary takes; of `various` values there is none."""
    kinds = zip(schema.names, schema.types, strict=True)  # a thousand fields take a millisecond each time
    whole = dict.fromkeys(name for name, kind in kinds if pa.types.is_integer(kind))
    return {
        "use_dictionary": [name for name in schema.names if name not in whole and name not in various],
        "column_encoding": dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
    }


def _find_various(table: pa.Table) -> frozenset[str]:
    """Return the columns of a wide table whose values mostly differ, as far as some rows tell: to make a dictionary of each took a quarter of the time, and more bytes."""
    if table.num_columns < _WIDE:
        return frozenset()
    places = np.array([_IDS_ALIKE.get(kind.id, 0) for kind in table.schema.types])
    alike = (np.flatnonzero(places == kind).tolist() for kind in _IDS_ALIKE.values())
    return frozenset(name for some in alike if some for name in _find_differing(table.select(some)))


def _find_differing(table: pa.Table) -> Iterator[str]:
    """Yield the columns, all of one type, of which most of some values differ."""
    filled = sum(len(column) - column.null_count for column in table.columns)
    if not filled:
        return
    rows = min(table.num_rows, _TOLD_VALUES * table.num_rows // filled + 1)
    some = table.slice((table.num_rows - rows) // 2, rows)
    values = pa.concat_arrays([chunk for column in some.columns for chunk in column.chunks])
    encoded, is_known = values.drop_null().dictionary_encode(), values.is_valid().to_numpy(zero_copy_only=False)
    columns, codes = np.flatnonzero(is_known) // rows, encoded.indices.to_numpy()
    pairs = pa.array(columns * len(encoded.dictionary) + codes).unique()  # in a tenth of the time that a sort takes
    different = pairs.to_numpy() // max(len(encoded.dictionary), 1)
    counts, differing = (np.bincount(each, minlength=table.num_columns) for each in (columns, different))
    are_various = (counts >= _FEW) & (differing >= _VARIOUS * counts)
    yield from (name for name, is_various in zip(table.column_names, are_various.tolist(), strict=True) if is_various)


def find_dense(table: pa.Table) -> frozenset[str]:
    """Return the columns of whole numbers that compression would make no smaller: to try it on all rows took a tenth of the time.

    Told by rows from the middle of this table alone, so that the same rows are the same bytes whatever was written before.
    """
    if table.num_rows < _TELLING_ROWS:
        return frozenset()
    whole = [column.name for column in table.schema if pa.types.is_integer(column.type)]
    if not whole:
        return frozenset()
    some = table.select(whole).slice(table.num_rows // 2, _TRIED_ROWS)
    written = pa.BufferOutputStream()
    pq.write_table(some, written, compression="zstd", write_statistics=False, **_encodings(some.schema))
    tried = pq.read_metadata(pa.BufferReader(written.getvalue())).row_group(0)
    chunks = [tried.column(place) for place in range(tried.num_columns)]
    return frozenset(
        name
        for name, chunk in zip(whole, chunks, strict=True)
        if chunk.total_compressed_size > _DENSE * chunk.total_uncompressed_size
    )


def read_part(path: Path) -> pa.Table:
    """Return the rows of a part; pyarrow's own read_table would import pandas for it, most of a second."""
    with pq.ParquetFile(path) as file:
        return file.read()


def rewrite_part(
    source: Path, target: Path, part: Part, types: Types, kept: Mapping[str, bool] | None = None
) -> pa.Table:
    """Write a staged part with the columns of `types`, and of its files only those that are `kept`; return its rows."""
    table = read_part(source)
    if kept is not None:
        table = table.filter(pa.array(np.repeat([kept[name] for name in part.rows], list(part.rows.values()))))
    for name in part.nulls_in(types):
        table = table.set_column(table.column_names.index(name), name, pa.nulls(table.num_rows))
    widened = widen_table(table, types)
    for name in (FILE, LINE):
        if name in table.column_names:
            widened = widened.append_column(name, table[name])
    write_part(target, widened, find_dense(widened))
    fsync(target)
    return widened
