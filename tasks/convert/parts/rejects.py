"""Rejects: the rows that could not enter their table, as Parquet, and examples of them by reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.convert.schema.misfits import sort_misfits
from tasks.core.storage import fsync

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

_REPEATED = ["source", "file", "column", "reason"]
_RISING = dict.fromkeys(("line", "byte_offset"), "DELTA_BINARY_PACKED")


def write_rejects(path: Path, source: str, file: str, misfits: pa.Table) -> None:
    """Write the staged rejects of one file, in the order of their lines: no text that all have in common is made for each."""
    told = sort_misfits(misfits)
    known = {"source": _repeat(source, len(told)), "file": _repeat(file, len(told))}
    named = told["column"]
    if not named.null_count and pc.all(pc.equal(named, named[0])).as_py():  # mostly
        known["column"] = _repeat(named[0].as_py(), len(told))
    columns = [known[name] if name in known else told[name] for name in REJECT_SCHEMA.names]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # it may be a hard link to those of an earlier version
    pq.write_table(
        pa.table(columns, REJECT_SCHEMA.names),
        path,
        compression="zstd",
        use_dictionary=_REPEATED,
        column_encoding=_RISING,
        write_statistics=[*_RISING],
        store_schema=False,  # to readers they are texts
    )
    fsync(path)


def _repeat(text: str, times: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.zeros(times, np.int32), [text])


EXAMPLES = 3
RAW_CHARACTERS = 80
_FILES_READ = 30
_BATCH_ROWS = 100  # a raw text may be of any size
_BATCHES_READ = 100  # of each file
_COLUMNS = ["reason", "file", "line", "raw"]


@dataclass(frozen=True)
class RejectExample:
    """One reject: where it stood, and its text, cut."""

    file: str
    line: int | None
    raw: str


def find_examples(paths: Iterable[Path], reasons: Collection[str]) -> dict[str, list[RejectExample]]:
    """Return the first few rejects of each of the reasons in these files, of which so many rows are read at most."""
    found: dict[str, list[RejectExample]] = {reason: [] for reason in reasons}
    for path, _ in zip(paths, range(_FILES_READ), strict=False):
        with pq.ParquetFile(path) as file:
            batches = file.iter_batches(batch_size=_BATCH_ROWS, columns=_COLUMNS, use_threads=False)
            for batch, _ in zip(batches, range(_BATCHES_READ), strict=False):
                raw = pc.utf8_slice_codeunits(batch["raw"], 0, RAW_CHARACTERS + 1).to_pylist()
                for reason, name, line, text in zip(*(batch[c].to_pylist() for c in _COLUMNS[:3]), raw, strict=True):
                    if reason in found and len(found[reason]) < EXAMPLES:
                        found[reason].append(RejectExample(name or "", line, text or ""))
                if all(len(examples) == EXAMPLES for examples in found.values()):
                    return found
    return found
