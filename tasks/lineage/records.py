"""Records of what a table, a training set or a model was made of, kept with it when what it was made of has moved on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tasks.core.checksums import Checksum
from tasks.core.storage import commit, fingerprint, json_reader
from tasks.core.tables import MANIFEST
from tasks.raw.files import BATCHES_SUFFIX, RAW_SUFFIX

LINEAGE = "lineage.json"
_PARENTS = ".parents.json"
RUN: ContextVar[str] = ContextVar("RUN", default="")
"""The id of the flow run that makes what is made now; nothing outside of one."""
_PARTS = "table/"


@dataclass(frozen=True)
class Made:
    """How a table, or a training set, came about; all of it is empty where an earlier version of Tidemill made it."""

    flow_run: str = ""
    """The id of the Prefect flow run."""
    at: str = ""
    """When it was committed, in UTC."""
    kind: str = ""
    """The kind of the source, or sql or python of what is made of other tables."""
    of: tuple[str, ...] = ()
    """Where its rows are from, as declared and without secrets: addresses, paths, or a function's name."""
    query: str = ""

    @property
    def query_hash(self) -> str:
        """Return the SHA-256, in hex, of the SQL's text; nothing where there is none."""
        return hashlib.sha256(self.query.encode()).hexdigest() if self.query else ""


def make_record(kind: str, of: Iterable[str] = (), query: str = "") -> Made:
    """Return how what is committed now came about."""
    return Made(RUN.get(), datetime.now(UTC).isoformat(timespec="seconds"), kind, tuple(of), query)


def is_raw(name: str) -> bool:
    """Return whether a file's name is that of a partition's raw file, which lies there or in a pack."""
    return name.startswith("raw/") and name.endswith((RAW_SUFFIX, BATCHES_SUFFIX))


@dataclass(frozen=True)
class FileRecord:
    """A file, or a partition's raw file, as it was converted.

    `digest` is the XXH3-128 of its bytes, or what a store knows them by; `content` that of its bytes once decompressed.
    """

    rows_received: int
    rows_rejected: int
    rows_duplicate: int = 0
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    digest: str = ""
    content: str = ""

    def is_in_store(self, name: str) -> bool:
        """Return whether it lay in a store, or at an address, by its name: the times of such are not asked for, and a packed partition has none."""
        return not (self.mtime_ns or self.ctime_ns or is_raw(name))

    def hash(self, name: str) -> str:
        """Return the XXH3-128 of its bytes; of a file in a store once decompressed, and nothing where it was not read as a stream."""
        return self.content if self.is_in_store(name) else self.digest

    def tag(self, name: str) -> str:
        """Return what a store knows its bytes by."""
        return self.digest if self.is_in_store(name) else ""


@dataclass(frozen=True)
class PartRecord:
    """How many rows of a part are of which file."""

    rows: dict[str, int]


@dataclass(frozen=True)
class TableRecord:
    """A version of a table as its manifest tells of it: the fields have the names that they have there.

    `inputs` are the tables that it is made of, or that tell of its partitions, each
    with the fingerprint of its rows; `texts` the files of the function that made it, each with its SHA-256.
    """

    name: str = ""
    number: int = 0
    pipeline: str = ""
    made: Made = field(default_factory=Made)
    types: dict[str, str] = field(default_factory=dict)
    files: dict[str, FileRecord] = field(default_factory=dict)
    parts: dict[str, PartRecord] = field(default_factory=dict)
    checksums: dict[str, Checksum] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> str:
        """Return the fingerprint of its rows, by which `inputs` name it."""
        return fingerprint({name: each.digest for name, each in self.checksums.items() if name.startswith(_PARTS)})

    @property
    def total(self) -> int:
        """Return how many rows it has."""
        return sum(sum(part.rows.values()) for part in self.parts.values())

    def checksum(self, part: str) -> Checksum | None:
        """Return the checksum of a part's file; None where that is not known."""
        return self.checksums.get(f"{_PARTS}{part}")


@dataclass(frozen=True)
class Upstream:
    """What something is made of: tables by name, each with the fingerprint of its rows, and the records of these and of all before them."""

    inputs: dict[str, str] = field(default_factory=dict)
    tables: tuple[TableRecord, ...] = ()

    def find(self, name: str, rows: str) -> TableRecord | None:
        """Return the version of a table that has these rows; None where nothing is known of it."""
        return next((each for each in self.tables if each.name == name and each.rows == rows), None)


@dataclass(frozen=True)
class TrainingRecord:
    """What a training set, or the model that learnt from it, was made of; `fingerprint` is the SHA-256 of its file."""

    fingerprint: str
    rows: int
    made: Made
    upstream: Upstream


_read_table = json_reader(TableRecord)
_read_upstream = json_reader(Upstream)
read_training_record = json_reader(TrainingRecord)


def read_table_record(folder: Path) -> TableRecord | None:
    """Return the record of a table by its manifest in `folder`; None where it has none that can be read."""
    found = _read_table(folder / MANIFEST)
    if found is None:
        return None
    parts = {name: each for name, each in found.checksums.items() if name.startswith(_PARTS)}
    return replace(found, name=folder.name, checksums=parts)


def read_upstream(folder: Path, record: TableRecord) -> Upstream:
    """Return what the table in `folder` was made of, as it was then.

    Of a table of which no such record was kept, it is what stands now of the same rows.
    """
    kept = _read_upstream(folder.resolve().parent / LINEAGE)
    if kept is not None and kept.inputs == record.inputs:
        return kept
    now = {name: read_table_record(folder.parent / name) for name in record.inputs}
    same = [name for name, each in now.items() if each is not None and each.rows == record.inputs[name]]
    return Upstream(record.inputs, take_upstream(folder.parent / name for name in same).tables)


def take_upstream(folders: Iterable[Path]) -> Upstream:
    """Return what something is made of that is made now of the tables in these folders; one without a manifest is left out."""
    inputs: dict[str, str] = {}
    found: dict[tuple[str, str], TableRecord] = {}
    for folder in folders:
        record = read_table_record(folder)
        if record is None:
            continue
        inputs[record.name] = record.rows
        before = read_upstream(folder, record).tables if record.inputs else ()
        found |= {(each.name, each.rows): each for each in (record, *before)}
    return Upstream(inputs, tuple(found.values()))


def keep_parents(raw: Path, tables: Iterable[Path]) -> None:
    """Note in a source's raw folder which tables tell of its partitions, as they are when these are fetched."""
    write_record(raw / _PARENTS, take_upstream(tables))


def read_parents(raw: Path) -> Upstream:
    """Return the tables that told of a source's partitions, as they were then, whatever they are by now."""
    return _read_upstream(raw / _PARENTS) or Upstream()


def write_record(path: Path, record: Upstream | TrainingRecord) -> None:
    """Commit a record."""
    with commit(path) as part:
        part.write_bytes(msgspec.json.encode(record))
