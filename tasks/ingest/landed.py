"""What of a partition is landed, and what is to be landed of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tasks.ingest.raw_writer import now_text, read_checkpoint
from tasks.ingest.tally import Tally
from tasks.ingest.watermark import since
from tasks.partitions import Partition, request_fingerprint
from tasks.raw import (
    RawManifest,
    commit_manifest,
    increment_path,
    list_raw_files,
    raw_path,
)
from tasks.spec import ApiSource, Incremental, PagesSource, Scalar
from tasks.store import fingerprint


@dataclass(frozen=True)
class PartitionJob:
    """One partition to be landed in `folder`."""

    source_name: str
    source: ApiSource | PagesSource
    partition: Partition
    folder: Path

    @property
    def raw(self) -> Path:
        """Return the path of the partition's first raw file."""
        return raw_path(self.folder, self.partition.name)

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of all that decides what the partition's requests bring."""
        return request_fingerprint(self.source, self.partition)

    @property
    def incremental(self) -> Incremental | None:
        """Return how the partition grows, where its source is incremental."""
        return self.source.incremental if isinstance(self.source, ApiSource) else None


@dataclass(frozen=True)
class Landed:
    """One partition that is complete in its raw files; `reused` when it already was, and nothing was asked.

    `resumed_from` is the number of pages that a run before had come to.
    """

    partition: str
    path: Path
    rows: int
    pages: int
    file_bytes: int
    reused: bool
    requests: int = 0
    retries: int = 0
    refused: int = 0
    body_bytes: int = 0
    waited_s: float = 0.0
    seconds: float = 0.0
    resumed_from: int = 0


@dataclass(frozen=True)
class Plan:
    """What is to be landed of a partition: into which raw file, from where on, and on which conditions.

    `landed` is what stands there of the same requests, where the server is
    asked whether it has changed; `since` is what an incremental source asks
    for, `largest` the largest value landed before.
    """

    job: PartitionJob
    raw: Path
    since: Scalar | None
    resume: bool
    extends: str | None = None
    largest: Scalar | None = None
    landed: RawManifest | None = None

    @property
    def incremental(self) -> Incremental | None:
        """Return how the partition grows, where its source is incremental."""
        return self.job.incremental

    @property
    def is_increment(self) -> bool:
        """Return whether the raw file is added to those that are there."""
        return self.extends is not None

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of what is asked for in this landing."""
        return fingerprint([self.job.fingerprint, self.since])

    @property
    def manifest(self) -> RawManifest:
        """Return the manifest of the raw file, without what is known only when it is whole."""
        return RawManifest(self.job.fingerprint, 0, 0, 0, "", "", since=self.since, extends=self.extends)


def find_landed(job: PartitionJob, *, fresh: bool) -> Landed | None:
    """Return a partition that needs no request: complete, of the same requests, and not too old; else None."""
    files = _current_files(job)
    plan = plan_landing(job, fresh=fresh)
    if fresh or not files or read_checkpoint(plan.raw, plan.fingerprint) is not None:
        return None
    refresh = job.source.refresh
    if (job.incremental is not None and refresh is None) or is_old(job, files[-1][1].landed_at):
        return None
    return _sum_up(job, reused=True)


def plan_landing(job: PartitionJob, *, fresh: bool) -> Plan:
    """Return what is to be landed of a partition."""
    files = _current_files(job)
    if fresh or not files:
        begin = job.incremental.start if job.incremental else None
        plan = Plan(job, job.raw, begin, resume=not fresh)
    elif job.incremental is None:
        plan = Plan(job, job.raw, None, resume=True, landed=files[0][1])
    else:
        largest = files[-1][1].largest
        raw, asked = increment_path(job.raw, len(files)), since(job.incremental, largest)
        plan = Plan(job, raw, asked, resume=True, extends=files[0][1].sha256, largest=largest)
    checkpoint = read_checkpoint(plan.raw, plan.fingerprint)
    return replace(plan, resume=False) if checkpoint and is_old(job, checkpoint.began_at) else plan


def keep_unchanged(plan: Plan) -> None:
    """Note that what is landed is what the server still has."""
    assert plan.landed is not None
    commit_manifest(plan.raw, replace(plan.landed, landed_at=now_text()))


def describe(job: PartitionJob, tally: Tally, resumed_from: int, seconds: float) -> Landed:
    """Return what became of a partition in this run."""
    return replace(
        _sum_up(job, reused=False),
        requests=tally.requests,
        retries=tally.retries,
        refused=tally.refused,
        body_bytes=tally.body_bytes,
        waited_s=tally.waited_s,
        seconds=seconds,
        resumed_from=resumed_from,
    )


def is_old(job: PartitionJob, landed_at: str) -> bool:
    """Return whether what was landed then is to be fetched again."""
    refresh = job.source.refresh
    return refresh is not None and datetime.now(UTC) - datetime.fromisoformat(landed_at) >= refresh.after


def _sum_up(job: PartitionJob, *, reused: bool) -> Landed:
    files = [manifest for _, manifest in list_raw_files(job.folder, job.partition.name)]
    return Landed(
        job.partition.name,
        job.raw,
        rows=sum(manifest.rows for manifest in files),
        pages=sum(manifest.pages for manifest in files),
        file_bytes=sum(manifest.file_bytes for manifest in files),
        reused=reused,
    )


def _current_files(job: PartitionJob) -> list[tuple[Path, RawManifest]]:
    """Return the partition's raw files; none where they are of other requests."""
    files = list_raw_files(job.folder, job.partition.name)
    return files if all(manifest.fingerprint == job.fingerprint for _, manifest in files) else []
