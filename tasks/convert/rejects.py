"""Rejects: the rows that could not enter their table, as Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.convert.parsed import Misfit
from tasks.store import fsync

REJECT_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("raw", pa.string()),
        ("byte_offset", pa.int64()),
    ]
)


def write_rejects(path: Path, source: str, file: str, misfits: Sequence[Misfit]) -> None:
    """Write the staged rejects of one file, in the order of their lines."""
    rows = [
        {
            "source": source,
            "file": file,
            "line": misfit.record.line,
            "column": misfit.column,
            "reason": misfit.reason,
            "raw": misfit.record.raw,
            "byte_offset": misfit.record.offset,
        }
        for misfit in sorted(misfits, key=lambda misfit: misfit.record.line)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # it may be a hard link to those of an earlier version
    pq.write_table(pa.Table.from_pylist(rows, REJECT_SCHEMA), path, compression="zstd")
    fsync(path)
