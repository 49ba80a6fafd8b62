"""How large a table is in memory, by its rows and the head of its first part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.tables import list_parts

_ROWS_SEEN = 4096


@dataclass(frozen=True)
class Columns:
    """How many columns are texts, and how many are not."""

    texts: int
    others: int

    @classmethod
    def of(cls, schema: pa.Schema) -> Columns:
        """Return how many there are of each in a schema."""
        texts = sum(pa.types.is_string(kind) or pa.types.is_large_string(kind) for kind in schema.types)
        return cls(texts, len(schema) - texts)


@dataclass(frozen=True)
class TableSize:
    """How large a table is, or will be: its rows, and the bytes that one takes in memory."""

    rows: int
    row_bytes: float
    columns: Columns | None = None

    @property
    def memory_bytes(self) -> int:
        """Return what all rows take in memory, as columns."""
        return round(self.rows * self.row_bytes)


def find_size(folder: Path, rows: int) -> TableSize | None:
    """Return how large a table of so many rows is; None where it has none, or cannot be read, which a run will tell."""
    parts = list_parts(folder) if rows else []
    for part in parts:
        try:
            with pq.ParquetFile(part) as file:
                head = next(file.iter_batches(_ROWS_SEEN), None)
        except (pa.ArrowException, OSError):
            return None
        if head is not None and head.num_rows:
            return TableSize(rows, head.nbytes / head.num_rows, Columns.of(head.schema))
    return None
