"""What is left of the bytes that something was made of: whether a file or a part is there as it was, by its hash where its time differs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal

import xxhash

from tasks.core.bucket.opened import mirror_of
from tasks.core.bucket.store import Stored
from tasks.core.checksums import Checksum, take_checksum
from tasks.core.storage import DataFolder
from tasks.lineage.records import FileRecord, TableRecord, is_raw, read_table_record
from tasks.raw.files import BATCHES_SUFFIX, RAW_SUFFIX, name_partition
from tasks.raw.folder import RawFolder

Remains = Literal["as it was", "changed since", "gone", "elsewhere"]
"""Of what lies at an address is only known that it lies elsewhere."""


class DataNow:
    """What lies in a data folder now; with `hashes` the bytes of everything are read, and times believed of nothing."""

    def __init__(self, folder: DataFolder, *, hashes: bool = False) -> None:
        self._folder = folder
        self._hashes = hashes
        self._raw: dict[Path, RawFolder] = {}
        self._stored: dict[str, dict[str, Stored]] = {}
        self._tables: dict[str, TableRecord | None] = {}

    @cached_property
    def _root(self) -> Path:
        return self._folder.root

    def table(self, name: str) -> TableRecord | None:
        """Return the record of a table as it stands; None where it is gone."""
        if name not in self._tables:
            self._tables[name] = read_table_record(self._folder.table(name))
        return self._tables[name]

    def file(self, name: str, record: FileRecord) -> Remains:
        """Return what is left of a file, or of a partition's raw file."""
        if "://" in name:
            return "elsewhere"
        if record.is_in_store(name):
            return self._object(name, record)
        path = self._root / name
        if not path.is_file():
            return self._piece(path, record) if is_raw(name) else "gone"
        status = path.stat()
        if status.st_size != record.size:
            return "changed since"
        same = status.st_mtime_ns == record.mtime_ns and record.ctime_ns in (0, status.st_ctime_ns)
        if same and not self._hashes:
            return "as it was"
        return _compare(take_checksum(path).digest, record.digest)

    def part(self, table: TableRecord, part: str) -> Remains:
        """Return what is left of a part of a version of a table, in whichever version of it."""
        known = table.checksum(part)
        paths = [self._folder.table(table.name) / part]
        paths += sorted(path / "table" / part for path in self._folder.versions(table.name).glob("[0-9]*"))
        there = [path for path in paths if path.is_file()]
        if known is None or not there:
            return "gone"
        return "as it was" if any(self._is_as_written(path, known) for path in there) else "changed since"

    def _is_as_written(self, path: Path, known: Checksum) -> bool:
        status = path.stat()
        if status.st_size != known.size:
            return False
        if status.st_mtime_ns == known.mtime_ns and not self._hashes:
            return True
        return take_checksum(path).digest == known.digest

    def _object(self, name: str, record: FileRecord) -> Remains:
        """Return what is left of a file below a data folder that is in a bucket, by what the store knows it by; of which S3 tells the same whoever asks."""
        store = mirror.store if (mirror := mirror_of(self._root)) is not None else None
        if store is None or not store.address.startswith("s3"):
            return "elsewhere"
        folder = name.rpartition("/")[0]
        if folder not in self._stored:
            self._stored[folder] = {each.key: each for each in store.list(folder)}
        found = self._stored[folder].get(name)
        if found is None:
            return "gone"
        is_same = found.size == record.size and (found.e_tag or "").strip('"') == record.tag(name).strip('"')
        return "as it was" if is_same else "changed since"

    def _piece(self, path: Path, record: FileRecord) -> Remains:
        """Return what is left of a partition that lies in a pack, if it does; it is small, and read."""
        suffix = BATCHES_SUFFIX if path.name.endswith(BATCHES_SUFFIX) else RAW_SUFFIX
        raw = self._raw.setdefault(path.parent, RawFolder(path.parent, suffix))
        piece = raw.find_piece(name_partition(path.name))
        if piece is None:
            return "gone"
        return _compare(xxhash.xxh3_128_hexdigest(piece.open().read()), record.digest)


def _compare(digest: str, known: str) -> Remains:
    return "as it was" if digest == known else "changed since"
