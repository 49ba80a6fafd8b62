"""Raw files: rows as received, one JSON value a line, compressed; each counts by the manifest beside it.

A partition has one raw file, and where its source is incremental one more,
an increment, for each later run that brought rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count, islice, takewhile
from pathlib import Path

from tasks.spec import Scalar
from tasks.store import commit_json, read_json

RAW_SUFFIX = ".jsonl.zst"
_MANIFEST_SUFFIX = ".json"


@dataclass(frozen=True)
class RawManifest:
    """What is known of a raw file; `fingerprint` is that of the requests that brought it.

    `etag` and `last_modified` are those of the answer where there was only
    one. Of an incremental source, `since` is what was asked for, `largest` the
    largest value of its field, and `extends` the sha256 of the partition's
    first raw file, in an increment.
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


def raw_path(folder: Path, partition: str) -> Path:
    """Return the path of a partition's first raw file."""
    return folder / f"{partition}{RAW_SUFFIX}"


def increment_path(raw: Path, number: int) -> Path:
    """Return the path of the increment `number` of a partition whose first raw file is `raw`; names of partitions have no + of their own."""
    return raw.with_name(f"{raw.name.removesuffix(RAW_SUFFIX)}+{number:06}{RAW_SUFFIX}")


def manifest_path(raw: Path) -> Path:
    """Return the path of a raw file's manifest."""
    return raw.with_name(raw.name.removesuffix(RAW_SUFFIX) + _MANIFEST_SUFFIX)


def read_manifest(raw: Path) -> RawManifest | None:
    """Return the manifest of a raw file; None unless the file is there, as long as it says."""
    value = read_json(manifest_path(raw))
    try:
        manifest = RawManifest(**value)
        return manifest if raw.stat().st_size == manifest.file_bytes else None
    except (TypeError, FileNotFoundError):
        return None


def commit_manifest(raw: Path, manifest: RawManifest) -> None:
    """Commit the manifest of a raw file, which makes it count."""
    commit_json(manifest_path(raw), asdict(manifest))


def list_raw_files(folder: Path, partition: str) -> list[tuple[Path, RawManifest]]:
    """Return a partition's raw files with their manifests, in landing order; none where it is not landed."""
    raw = raw_path(folder, partition)
    first = read_manifest(raw)
    if first is None:
        return []
    increments = ((path, read_manifest(path)) for path in _increments(raw))
    whole = takewhile(lambda found: found[1] is not None and found[1].extends == first.sha256, increments)
    return [(raw, first), *((path, manifest) for path, manifest in whole if manifest is not None)]


def sweep_increments(folder: Path, partition: str) -> None:
    """Remove the increments of a partition that do not extend its first raw file, or are not whole."""
    raw = raw_path(folder, partition)
    counted = len(list_raw_files(folder, partition))
    for path in list(islice(_increments(raw), max(0, counted - 1), None)):
        manifest_path(path).unlink(missing_ok=True)
        path.unlink()


def _increments(raw: Path) -> Iterator[Path]:
    """Yield the increments of a partition that are there, good or not; they are numbered without a gap."""
    return takewhile(Path.exists, (increment_path(raw, number) for number in count(1)))
