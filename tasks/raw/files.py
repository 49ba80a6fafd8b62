"""Raw files: rows as received, one JSON value a line, or batches with types, compressed; each counts by the manifest beside it.

A partition has one raw file, and where its source is incremental one more,
an increment, for each later run that brought rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count, takewhile
from pathlib import Path
from typing import Protocol

from tasks.config import PartedSource, Scalar, SqlSource
from tasks.core.checksums import give_time
from tasks.core.storage import commit_json, hash_file, json_reader

RAW_SUFFIX, BATCHES_SUFFIX = SUFFIXES = ".jsonl.zst", ".arrows"
"""Records one a line, as JSON; and the batches of rows that a database gives, with its types."""
MANIFEST_SUFFIX = ".json"
PARTITION_CHARACTERS = 120  # a longer name is cut, and has a hash
_INCREMENT_SIGN = "+"  # names of partitions have none of their own


@dataclass(frozen=True)
class RawManifest:
    """What is known of a raw file; `fingerprint` is that of the requests that brought it.

    `etag` and `last_modified` are those of the answer where there was only
    one. Of an incremental source, `since` is what was asked for, `largest` the
    largest value of its field, and `extends` the sha256 of the partition's
    first raw file, in an increment. `warnings` are told by every run that uses
    the file; `unproven` is why the file may not have all rows, unless another
    partition of its source shows that it has. `mtime_ns` is the time of the raw
    file as it was written; manifests of earlier versions have none.
    """

    fingerprint: str
    rows: int
    pages: int
    file_bytes: int
    sha256: str
    landed_at: str
    etag: str | None = None
    last_modified: str | None = None
    since: Scalar | None = None
    largest: Scalar | None = None
    extends: str | None = None
    mtime_ns: int = 0
    warnings: tuple[str, ...] = ()
    unproven: str | None = None
    elements_skipped: int = 0
    """Elements of web pages that are no rows, as no column matches in them."""
    began_at: str = ""
    """When its first request was made; manifests of earlier versions have none."""
    ignored: bool = False
    """Whether the answer was passed over, as `requests.ignore` says."""
    rendered: bool = False
    """Whether its rows are of pages as a browser's scripts have made them, not of those that were received."""
    fields_met: tuple[str, ...] = ()
    """The paths of private fields that were in a record."""


class WrittenFile(Protocol):
    """What a manifest says of the file that it is of."""

    @property
    def file_bytes(self) -> int:
        """Return how many bytes it has."""

    @property
    def sha256(self) -> str:
        """Return the hash of these, in hex."""

    @property
    def mtime_ns(self) -> int:
        """Return its time as it was written; 0 where that is not known."""


read_as_manifest = json_reader(RawManifest)


def suffix_of(source: PartedSource) -> str:
    """Return what the names of a source's raw files end in."""
    return BATCHES_SUFFIX if isinstance(source, SqlSource) else RAW_SUFFIX


def raw_path(folder: Path, partition: str, suffix: str = RAW_SUFFIX) -> Path:
    """Return the path of a partition's first raw file."""
    return folder / f"{partition}{suffix}"


def increment_path(raw: Path, number: int) -> Path:
    """Return the path of the increment `number`, counted from 1, of a partition whose first raw file is `raw`."""
    stem, suffix = _split(raw.name)
    return raw.with_name(f"{stem}{_INCREMENT_SIGN}{number:06}{suffix}")


def manifest_path(raw: Path) -> Path:
    """Return the path of a raw file's manifest."""
    return raw.with_name(f"{_split(raw.name)[0]}{MANIFEST_SUFFIX}")


def read_manifest(raw: Path) -> RawManifest | None:
    """Return the manifest of a raw file; None unless the file is there as it was written."""
    manifest = read_as_manifest(manifest_path(raw))
    return manifest if manifest is not None and is_as_written(raw, manifest) else None


def commit_manifest(raw: Path, manifest: RawManifest) -> None:
    """Commit the manifest of a raw file, which makes it count."""
    commit_json(manifest_path(raw), asdict(manifest))


def list_raw_files(folder: Path, partition: str, suffix: str = RAW_SUFFIX) -> list[tuple[Path, RawManifest]]:
    """Return a partition's raw files with their manifests, in landing order; none where it is not landed."""
    raw = raw_path(folder, partition, suffix)
    first = read_manifest(raw)
    if first is None:
        return []
    files = [(raw, first)]
    for path in _list_following(raw):
        manifest = read_manifest(path)
        if manifest is None or manifest.extends != first.sha256:
            break
        files.append((path, manifest))
    return files


def extended_name(name: str) -> str | None:
    """Return the name of the first raw file that the increment `name` was added to; None where it is no increment."""
    whole, suffix = _split(name)
    stem, sign, _ = whole.rpartition(_INCREMENT_SIGN)
    return f"{stem}{suffix}" if sign else None


def name_partition(name: str) -> str:
    """Return the name of the partition that a raw file, by its own name, is of."""
    return _split(name)[0].partition(_INCREMENT_SIGN)[0]


def fetch_again(name: str) -> str:
    """Return what to do to have the partition of a raw file fetched again, and no other."""
    partition = name_partition(Path(name).name)
    if "=" not in partition or len(partition) > PARTITION_CHARACTERS:
        return "delete it and run again, and it alone is fetched anew"
    conditions = " ".join(f"--partitions {condition}" for condition in partition.split(","))
    return f"fetch it again with {conditions} --fresh"


def sweep_from(raw: Path) -> None:
    """Have a raw file count no more, and remove the increments after it, the last one first.

    In this order a run killed on the way leaves no increment that could be taken
    for one of the file that is put in this one's place.
    """
    manifest_path(raw).unlink(missing_ok=True)
    for path in reversed(list(_list_following(raw))):
        manifest_path(path).unlink(missing_ok=True)
        path.unlink()


def is_as_written(raw: Path, manifest: WrittenFile) -> bool:
    """Return whether a raw file is what its manifest says: by size and time, and where the time differs by its hash.

    A copy that is right gets the time back, so that it is read once.
    """
    try:
        status = raw.stat()
        if not raw.is_file() or status.st_size != manifest.file_bytes or not os.access(raw, os.R_OK):
            return False
        if status.st_mtime_ns == manifest.mtime_ns or not manifest.mtime_ns:
            return True
        if hash_file(raw) != manifest.sha256:
            return False
    except OSError:
        return False
    give_time(raw, manifest.mtime_ns)
    return True


def _list_following(raw: Path) -> Iterator[Path]:
    """Yield the increments after a raw file that are there, good or not; they are numbered without a gap."""
    stem, suffix = _split(raw.name)
    name, _, number = stem.partition(_INCREMENT_SIGN)
    first = raw_path(raw.parent, name, suffix)
    return takewhile(Path.exists, (increment_path(first, following) for following in count(int(number or 0) + 1)))


def _split(name: str) -> tuple[str, str]:
    """Return the name of a raw file without its ending, and that."""
    suffix = BATCHES_SUFFIX if name.endswith(BATCHES_SUFFIX) else RAW_SUFFIX
    return name.removesuffix(suffix), suffix
