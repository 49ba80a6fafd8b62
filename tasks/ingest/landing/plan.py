"""What of a partition is landed, what of that is damaged, and what is to be landed of it."""

from __future__ import annotations

import glob
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from tasks.config import ApiSource, Incremental, PagesSource, PartedSource, Scalar, SqlIncremental, SqlSource
from tasks.core.escaping import count
from tasks.ingest.http.requests import RequestStats
from tasks.ingest.landing.watermark import is_later_than_now, moment_of, since
from tasks.ingest.landing.writer import discard, is_begun, now_text, read_checkpoint
from tasks.raw.files import (
    RawManifest,
    increment_path,
    list_raw_files,
    manifest_path,
    raw_path,
    read_as_manifest,
    read_manifest,
    suffix_of,
)
from tasks.raw.folder import RawFolder
from tasks.raw.packs import Piece
from tasks.raw.partitions import Partition, request_fingerprint


def find_damage(first: Path) -> str | None:
    """Return what is wrong with the raw files of a partition, by the path of its first; None where they are whole, or nothing tells of one."""
    for number in itertools.count():
        raw = increment_path(first, number) if number else first
        if not (raw.exists() or manifest_path(raw).exists()):
            return _find_later(raw, first) if number else None
        if damage := _find_damage(raw):
            return damage
    return None


def _find_damage(raw: Path) -> str | None:
    if is_begun(raw) or read_manifest(raw) is not None:
        return None
    known = read_as_manifest(manifest_path(raw))
    if known is None:
        return f"{manifest_path(raw).name} was gone or damaged"
    return f"{raw.name}, of {count(known.rows, 'row')}, was {'damaged or cut off' if raw.exists() else 'gone'}"


def _find_later(raw: Path, first: Path) -> str | None:
    """Return that an increment is gone, where a later one is there."""
    stem, suffix = increment_path(first, 1).name.split("000001")
    found = (path.name for path in raw.parent.glob(f"{glob.escape(stem)}*{suffix}"))
    later = sorted(name for name in found if name > raw.name)
    return f"{raw.name}, which came before {later[0]}, was gone" if later else None


_CLOCKS_APART = timedelta(hours=1)  # what was landed so much later than now was landed by a clock that was wrong
_GONE_ON_WITHIN = timedelta(days=1)  # what was begun longer ago has changed meanwhile: it is begun anew


@dataclass(frozen=True)
class PartitionJob:
    """One partition to be landed in `folder`."""

    source_name: str
    source: PartedSource
    partition: Partition
    folder: Path

    @cached_property
    def raw(self) -> Path:
        """Return the path of the partition's first raw file."""
        return raw_path(self.folder, self.partition.name, suffix_of(self.source))

    @cached_property
    def fingerprint(self) -> str:
        """Return the fingerprint of all that decides what the partition's requests bring."""
        return request_fingerprint(self.source, self.partition)

    @property
    def incremental(self) -> Incremental | SqlIncremental | None:
        """Return how the partition grows, where its source is incremental."""
        return None if isinstance(self.source, PagesSource) else self.source.incremental

    @property
    def asked(self) -> ApiSource | PagesSource:
        """Return the source of a partition that is fetched over HTTP."""
        assert not isinstance(self.source, SqlSource)
        return self.source

    def look(self) -> RawFolder:
        """Return what its folder has."""
        return RawFolder(self.folder, suffix_of(self.source))

    def read_manifests(self) -> list[RawManifest]:
        """Return the manifests of the partition's own raw files, in landing order; none where it is not landed."""
        return [manifest for _, manifest in list_raw_files(self.folder, self.partition.name, suffix_of(self.source))]


@dataclass(frozen=True)
class Landed:
    """One partition that is complete in its raw files; `reused` when it already was, and nothing was asked.

    `resumed_from` is the number of pages that a run before had come to, and
    `warnings` what its rows give reason to doubt, also where a run before landed them;
    `unproven` is why they may not be all, unless another partition shows that they are.
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
    seconds: float = 0.0
    resumed_from: int = 0
    warnings: tuple[str, ...] = ()
    unproven: str | None = None
    has_turned: bool = False
    """Whether there was a page after another."""
    digest: str = ""
    """What stands for the rows as they were received."""
    elements_skipped: int = 0
    """Elements of web pages that are no rows, as no column matches in them."""
    ignored: bool = False
    """Whether the answer was passed over, as `requests.ignore` says."""
    fields_met: frozenset[str] = frozenset()
    """The paths of private fields that were in a record."""


@dataclass(frozen=True)
class LandingPlan:
    """What is to be landed of a partition: into which raw file, from where on, and after what.

    `since` is what an incremental source asks for. `landed` is what stands of
    the same requests: what the server is asked to have changed, or what an
    increment comes after; `extends` is the sha256 of the first raw file then.
    `damage` tells why what was landed is fetched anew, where a file of it is not
    as it was written.
    """

    job: PartitionJob
    raw: Path
    since: Scalar | None = None
    extends: str | None = None
    landed: RawManifest | None = None
    damage: str | None = None
    is_begun: bool = False
    """Whether a run that ended early has left what this one goes on from."""
    piece: Piece | None = None
    """Where in a pack what stands of the partition lies, if it does."""
    is_anew: bool = False
    """Whether all of it is asked for again: as the run is to, or as its requests are others than those that were landed."""

    @property
    def incremental(self) -> Incremental | SqlIncremental | None:
        """Return how the partition grows, where its source is incremental."""
        return self.job.incremental

    @property
    def is_increment(self) -> bool:
        """Return whether the raw file is added to those that are there."""
        return self.extends is not None

    @property
    def requested(self) -> RawManifest:
        """Return the manifest of what is asked for, before anything has come."""
        source = self.job.source
        rendered = isinstance(source, PagesSource) and source.render is not None
        return RawManifest(
            self.job.fingerprint, 0, 0, 0, "", "", since=self.since, extends=self.extends, rendered=rendered
        )


def find_landed(
    job: PartitionJob, *, fresh: bool, may_be_begun: bool = True, within: RawFolder | None = None
) -> Landed | None:
    """Return a partition that needs no request: complete, of the same requests, and not too old; else None.

    Where it is known that nothing of it was begun, no file is looked for: of thousands that takes as long as all else.
    `within` is the raw folder, if it was looked at.
    """
    if fresh or (job.incremental is not None and job.source.refresh is None):
        return None
    files = (within or job.look()).list_files(job.partition.name)
    if not _are_current(job, files) or _is_old(job, files[-1][1].landed_at):
        return None
    if may_be_begun and _is_gone_on(job, files):
        return None
    if not _is_settled(job, files[-1][1]) or (files[0][1].ignored and not _may_ignore(job.source)):
        return None
    if job.incremental is not None and find_damage(job.raw):
        return None
    if may_be_begun:
        discard(job.raw)
    return _sum_up(job, [manifest for _, manifest in files], reused=True)


def plan_landing(job: PartitionJob, *, fresh: bool, within: RawFolder | None = None) -> LandingPlan:
    """Return what is to be landed of a partition; what a run before began, and this one does not go on with, is removed.

    `within` is the raw folder, if it was looked at.

    Raises:
        PermanentSourceError: an increment cannot be asked for from what is landed on.

    """
    folder = within or job.look()
    first = plan_new(job)
    if folder.is_new(job.partition.name):
        return replace(first, is_anew=fresh)
    files, piece = folder.list_files(job.partition.name), folder.find_piece(job.partition.name)
    first = replace(first, piece=piece)
    if not fresh:
        damage = folder.find_damage(job.partition.name)
        if damage is None and piece is None:
            damage = find_damage(job.raw)
        first = replace(first, damage=damage)
    first = replace(first, is_begun=not fresh and _is_under_way(first))
    if not first.is_begun:
        discard(job.raw)
        if not fresh and _are_current(job, files):
            return _plan_more(first, files)
        first = replace(first, is_anew=fresh or bool(files))
    discard(increment_path(job.raw, len(files) or 1))
    return first


def plan_new(job: PartitionJob) -> LandingPlan:
    """Return what is to be landed of a partition of which nothing is there."""
    return LandingPlan(job, job.raw, job.incremental.start if job.incremental else None)


def warn_of_clock(plan: LandingPlan) -> tuple[str, ...]:
    """Return what is to be told, in this run alone, of what was landed before."""
    landed_at = plan.landed.landed_at if plan.landed and plan.job.source.refresh else ""
    moment = moment_of(landed_at)
    if moment is None or moment - datetime.now(UTC) <= _CLOCKS_APART:
        return ()
    return (
        f"it was landed at {landed_at}, which is later than now, so that refresh would wait for that time: "
        "it is fetched again; set this machine's clock right if it is wrong",
    )


def as_unchanged(plan: LandingPlan, began_at: str) -> RawManifest:
    """Return the manifest of what is landed and is what the server still has, by which it was asked for now."""
    assert plan.landed is not None
    return replace(plan.landed, began_at=began_at, landed_at=now_text())


def summarize_landing(
    plan: LandingPlan, manifests: Sequence[RawManifest], stats: RequestStats, resumed_from: int, seconds: float
) -> Landed:
    """Return what became of a partition in this run, by the manifests of its raw files."""
    landed = _sum_up(plan.job, manifests, reused=False)
    told = (f"{plan.damage}, and was fetched anew: it has {count(landed.rows, 'row')} now",) if plan.damage else ()
    return replace(
        landed,
        requests=stats.requests,
        retries=stats.retries,
        refused=stats.refused,
        body_bytes=stats.body_bytes,
        seconds=seconds,
        resumed_from=resumed_from,
        warnings=(*told, *landed.warnings),
    )


def _plan_more(first: LandingPlan, files: Sequence[tuple[Path, RawManifest]]) -> LandingPlan:
    """Return what is to be landed of a partition that is landed: the same again, or what is new."""
    job, latest = first.job, files[-1][1]
    if job.incremental is None:
        return replace(first, landed=latest)
    raw = increment_path(job.raw, len(files))
    latest = replace(latest, largest=_largest(files))
    plan = LandingPlan(job, raw, since(job.incremental, latest.largest), files[0][1].sha256, latest, first.damage)
    if _is_under_way(plan):
        return replace(plan, is_begun=True)
    discard(raw)
    return plan


def _largest(files: Sequence[tuple[Path, RawManifest]]) -> Scalar | None:
    """Return the largest value landed; one that is later than now, from which nothing would come any more, is none."""
    values = [manifest.largest for _, manifest in files if manifest.largest is not None]
    return next((value for value in reversed(values) if not is_later_than_now(value)), None)


def _is_gone_on(job: PartitionJob, files: Sequence[tuple[Path, RawManifest]]) -> bool:
    """Return whether a run that ended early was landing a partition anew, or adding to it."""
    begin = job.incremental.start if job.incremental else None
    return _is_under_way(LandingPlan(job, job.raw, begin)) or (
        job.incremental is not None and is_begun(increment_path(job.raw, len(files)))
    )


def _is_under_way(plan: LandingPlan) -> bool:
    """Return whether a run that ended early has come so far with a plan that this one goes on with it."""
    checkpoint = read_checkpoint(plan.raw, plan.requested)
    if checkpoint is None or _is_old(plan.job, checkpoint.began_at):
        return False
    began = moment_of(checkpoint.began_at)
    return began is not None and datetime.now(UTC) - began < _GONE_ON_WITHIN


def _is_old(job: PartitionJob, text: str) -> bool:
    """Return whether what was landed, or begun, at a time is to be fetched again."""
    if job.source.refresh is None:
        return False
    moment, now = moment_of(text), datetime.now(UTC)
    return moment is None or now - moment >= job.source.refresh.after or moment - now > _CLOCKS_APART


def _is_settled(job: PartitionJob, latest: RawManifest) -> bool:
    """Return whether a partition was landed after it could change no more."""
    settled, began = job.partition.settled_at, moment_of(latest.began_at or latest.landed_at)
    return settled is None or (began is not None and began >= settled)


def _may_ignore(source: PartedSource) -> bool:
    return not isinstance(source, SqlSource) and bool(source.requests.ignore)


def _sum_up(job: PartitionJob, manifests: Sequence[RawManifest], *, reused: bool) -> Landed:
    return Landed(
        job.partition.name,
        job.raw,
        rows=sum(manifest.rows for manifest in manifests),
        pages=sum(manifest.pages for manifest in manifests),
        file_bytes=sum(manifest.file_bytes for manifest in manifests),
        reused=reused,
        warnings=tuple(dict.fromkeys(warning for manifest in manifests for warning in manifest.warnings)),
        unproven=next((manifest.unproven for manifest in manifests if manifest.unproven), None),
        has_turned=any(manifest.pages > 1 for manifest in manifests),
        digest=",".join(manifest.sha256 for manifest in manifests),
        elements_skipped=sum(manifest.elements_skipped for manifest in manifests),
        ignored=any(manifest.ignored for manifest in manifests),
        fields_met=frozenset(path for manifest in manifests for path in manifest.fields_met),
    )


def _are_current(job: PartitionJob, files: Sequence[tuple[Path, RawManifest]]) -> bool:
    """Return whether a partition is landed, and by the requests that it has now."""
    return bool(files) and all(manifest.fingerprint == job.fingerprint for _, manifest in files)
