"""Rejects: the rows that could not enter their table, as Parquet, and examples of them by reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.convert.schema.misfits import join_misfits, repeat_text, sort_misfits
from tasks.core.storage import fsync

REJECT_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
        pa.field("column", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("raw", pa.string(), nullable=False),
        pa.field("byte_offset", pa.int64()),
    ]
)

_REPEATED = ["source", "file", "column", "reason"]
SHARED_BYTES = 16 * 1024 * 1024
_RISING = dict.fromkeys(("line", "byte_offset"), "DELTA_BINARY_PACKED")


def write_rejects(path: Path, source: str, misfits: Mapping[str, pa.Table]) -> None:
    """Write the staged rejects of files, of each in the order of their lines: no text that all have in common is made for each."""
    told = join_misfits(sort_misfits(each) for each in misfits.values()).unify_dictionaries()
    places = np.repeat(np.arange(len(misfits), dtype=np.int32), [len(each) for each in misfits.values()])
    known = {"source": repeat_text(source, len(told)), "file": pa.DictionaryArray.from_arrays(places, [*misfits])}
    columns = [known[field.name] if field.name in known else told[field.name] for field in REJECT_SCHEMA]
    fields = [  # a format of one's own may not know the line
        field.with_type(each.type).with_nullable(field.nullable or each.null_count > 0)
        for field, each in zip(REJECT_SCHEMA, columns, strict=True)
    ]
    _write(path, pa.table(columns, pa.schema(fields)))


def _write(path: Path, rejects: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # it may be a hard link to those of an earlier version
    pq.write_table(
        rejects,
        path,
        compression="zstd",
        use_dictionary=_REPEATED,
        column_encoding=_RISING,
        write_statistics=[*_RISING],
        store_schema=False,  # to readers they are texts
    )
    fsync(path)


class SharedRejects:
    """The rejects of many files in few parts, as a part for each would take longer to write than its file to read.

    Args:
        folder: where the parts are staged.
        name: that of the first part, without an ending.
        source: whose rejects they are.

    """

    def __init__(self, folder: Path, name: str, source: str) -> None:
        self._folder, self._name, self._source = folder, name, source
        self._misfits: dict[str, pa.Table] = {}
        self._written = self._bytes = 0

    @property
    def part(self) -> str:
        """Return the name of the part that takes the rejects of the next file."""
        return f"{self._name}-{self._written:04d}.parquet" if self._written else f"{self._name}.parquet"

    def add(self, file: str, misfits: pa.Table) -> None:
        """Take all rejects of a file, which is not asked for again."""
        self._misfits[file] = misfits
        self._bytes += misfits.nbytes
        if self._bytes > SHARED_BYTES:
            self.write()

    def write(self) -> None:
        """Stage those that were taken, if there are any."""
        if self._misfits:
            write_rejects(self._folder / self.part, self._source, self._misfits)
            self._misfits, self._bytes = {}, 0
            self._written += 1


def keep_rejects(path: Path, target: Path, files: Collection[str]) -> None:
    """Stage the rejects of some of the files of a part."""
    with pq.ParquetFile(path, read_dictionary=_REPEATED) as part:
        rejects = part.read()
    _write(target, rejects.filter(pc.is_in(rejects["file"].cast(pa.string()), pa.array(files, pa.string()))))


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
