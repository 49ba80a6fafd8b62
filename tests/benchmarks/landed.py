"""Rows as ingest lands those of an API: groups of pages in frames of one raw file, and its manifest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.config import ApiSource
from tasks.ingest.http.requests import PageGroup
from tasks.ingest.landing.plan import PartitionJob
from tasks.ingest.landing.writer import RawWriter
from tasks.raw.files import RawManifest
from tasks.raw.partitions import list_partitions

LANDED = ApiSource.model_validate({"kind": "api", "url": "http://127.0.0.1/rows", "pagination": {"kind": "single"}})
_GROUP_ROWS = 128 * 20  # pages that are committed together, of so many rows


def write_landed(folder: Path, lines: Sequence[bytes]) -> Path:
    """Write lines as what was landed from `LANDED`, the source `rows`, into a data folder; return the raw file."""
    (partition,) = list_partitions(LANDED)
    job = PartitionJob("rows", LANDED, partition, folder / "raw" / "rows")
    writer = RawWriter(job.raw, RawManifest(job.fingerprint, 0, 0, 0, "", ""))
    for start in range(0, len(lines), _GROUP_ROWS):
        writer.add(PageGroup(list(lines[start : start + _GROUP_ROWS]), 1, None), None)
    writer.finish(PageGroup([], 0, None), None)
    writer.put_in_place()
    return job.raw
