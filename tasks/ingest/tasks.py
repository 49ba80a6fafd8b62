"""The Prefect tasks of ingest."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from prefect import task
from prefect.blocks.system import Secret
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.exceptions import PrefectException
from prefect.tasks import Task

from tasks.config import Dates, Parent, PartedSource, SecretReference, SqlSource
from tasks.config.tabled import Fetched
from tasks.core.accounting import Account, audit, same_answers, unmet_values, warnings_of
from tasks.core.concurrency import Slot, gather_all, in_thread
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.core.hosts import host_of
from tasks.core.locks import exclusive_lock
from tasks.core.storage import explain_disk_failure, remove_stale_temp_files
from tasks.core.story import tell
from tasks.ingest.early import EarlyChildren
from tasks.ingest.http.client import Client, first_urls
from tasks.ingest.http.requests import RequestStats
from tasks.ingest.landing.batch import PartitionBatch, make_batches, may_pass
from tasks.ingest.landing.land import Pack, PartitionClient, Watch, land
from tasks.ingest.landing.packing import Make, Packing
from tasks.ingest.landing.plan import Landed, LandingPlan, PartitionJob, find_landed, plan_landing, plan_new
from tasks.ingest.landing.private import LEAST_CHARACTERS, check_key, find_unmet, guard, settle_key
from tasks.ingest.landing.query import QueryAccess, land_query
from tasks.ingest.landing.writer import list_begun
from tasks.ingest.progress import Show, SourceProgress
from tasks.ingest.results import FailedPartition, LandedSource, PartitionOutcome, RequestWarnings, resolve_unproven
from tasks.ingest.scraping.browsers import Browsers
from tasks.ingest.scraping.robots import Robots
from tasks.ingest.sql.opening import open_database
from tasks.lineage.records import keep_parents
from tasks.raw.children import keep_children
from tasks.raw.files import RawManifest, suffix_of
from tasks.raw.folder import RawFolder
from tasks.raw.partitions import Partition, list_partitions
from tasks.raw.selection import PartitionSelection

PARTITIONS_AT_ONCE = 64  # of one source, and its task runs at most; the throttle bounds its requests
RETRY_DELAY_S = 3

LandOne = Callable[[LandingPlan, RequestStats, Pack | None], Awaitable[Landed]]


@dataclass(frozen=True)
class Ingest:
    """What the sources of one run share."""

    client: Client
    robots: Robots
    browsers: Browsers
    fresh: bool
    part: PartitionSelection | None
    warnings: RequestWarnings
    show: Show
    root: Path
    """The data folder."""


def _may_pass(_task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Return whether another attempt at partitions may succeed, and tell that it is made."""
    if not may_pass(state.data):
        return False
    tell(f"ingest {run.name}: {state.data}; tried once more in {RETRY_DELAY_S} s", logging.WARNING)
    return True


@task(
    name="land partitions",
    task_run_name="{batch.name}",
    retries=1,
    retry_delay_seconds=RETRY_DELAY_S,
    retry_condition_fn=_may_pass,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def land_partitions(batch: PartitionBatch) -> None:
    """Fetch one partition whole, or several where a source has many.

    A partition is a unit because it is what is retried, once more after the HTTP
    client gave up, and what a later run skips.
    """
    await batch.land()


async def land_source(  # noqa: PLR0913 - what a run says of a source
    name: str,
    source: PartedSource,
    folder: Path,
    ingest: Ingest,
    *,
    watch: Watch | None = None,
    early: EarlyChildren | None = None,
    parents: Sequence[Path] = (),
) -> LandedSource:
    """Land what is missing of every partition of a source; one that fails does not stop the others.

    `watch` is told of its records as they come; `early` are those of its partitions that are on their way already;
    `parents` are the folders of the tables that tell of them.
    """
    partitions = [p for p in list_partitions(source) if ingest.part is None or ingest.part.covers(p)]
    jobs = [PartitionJob(name, source, partition, folder) for partition in partitions]
    urls = [] if isinstance(source, SqlSource) else first_urls(source)
    hosts = [ingest.client.throttle.host(host) for host in {host_of(url) for url in urls}]
    progress = SourceProgress(name, len(jobs), hosts, ingest.show)
    held = PermanentSourceError(f"another run is landing into {folder}; wait until it has ended")
    landing = _SourceLanding(source, folder, ingest, progress, watch, early)
    with ingest.warnings.for_source(name):
        try:
            async with exclusive_lock(folder, held), progress:
                await asyncio.to_thread(keep_children, source, folder)
                outcomes = await landing.run(jobs)
                if parents and any(isinstance(each, Landed) and not each.reused for each in outcomes):
                    await asyncio.to_thread(keep_parents, folder, parents)
        except PermanentSourceError as error:  # another run holds the source
            outcomes = [progress.failed(FailedPartition(str(error), job.partition.name)) for job in jobs]
        except OSError as error:
            cause = explain_disk_failure(error, folder)
            outcomes = [progress.failed(FailedPartition(cause, job.partition.name)) for job in jobs]
    outcomes = resolve_unproven(source, outcomes)
    landed = LandedSource(
        name,
        landed=[o for o in outcomes if isinstance(o, Landed)],
        failures=[o for o in outcomes if isinstance(o, FailedPartition)],
        doubts=_audit(source, partitions, outcomes),
    )
    landed.causes = landing.causes.most_common()
    return landed


def _audit(
    source: PartedSource, partitions: Sequence[Partition], outcomes: Sequence[PartitionOutcome]
) -> tuple[str, ...]:
    """Return what is doubtful about the rows of a source as a whole; of one that is not all there nothing is known.

    A date, or a row of another table, may well have no rows, or the same as another one.
    """
    landed = [outcome for outcome in outcomes if isinstance(outcome, Landed)]
    unmet = find_unmet(source, landed)
    if len(landed) < len(outcomes) or not landed:
        return tuple(unmet)
    rows = sum(each.rows for each in landed)
    listed = {name for name, values in source.partitions.items() if not isinstance(values, Dates | Parent)}
    answers = [(partition.values, each.rows, each.digest) for partition, each in zip(partitions, landed, strict=True)]
    counts = [([pair for pair in values if pair[0] in listed], count) for values, count, _ in answers]
    if len(listed) < len(source.partitions) and len({digest for _, count, digest in answers if count}) > 1:
        answers = []
    return warnings_of(audit(Account(rows, rows, unmet=[*unmet, *unmet_values(counts), *same_answers(answers)])))


class _SourceLanding:
    """One source on its way."""

    def __init__(
        self,
        source: PartedSource,
        folder: Path,
        ingest: Ingest,
        progress: SourceProgress,
        watch: Watch | None = None,
        early: EarlyChildren | None = None,
    ) -> None:
        self._source = source
        self._folder = folder
        self._ingest = ingest
        self._progress = progress
        self._watch = watch
        self._early = early
        at_once = source.connections if isinstance(source, SqlSource) else PARTITIONS_AT_ONCE
        self._slots = asyncio.Semaphore(at_once)
        self._raw: RawFolder
        self._packing: Packing
        self._is_packed = False
        """Whether there are so many partitions that small ones share a file."""
        self._plans: dict[str, LandingPlan] = {}
        self._outcomes: dict[str, PartitionOutcome] = {}
        """By the partitions' names."""
        self.causes: Counter[str] = Counter()
        """Why requests were made again."""

    async def run(self, jobs: Sequence[PartitionJob]) -> Sequence[PartitionOutcome]:
        """Return what became of each partition."""
        found = await asyncio.to_thread(self._find_all, jobs)
        self._is_packed = len(jobs) > PARTITIONS_AT_ONCE and not isinstance(self._source, SqlSource)
        self._progress.reused([landed for landed in found if landed is not None])
        if missing := [job for job, landed in zip(jobs, found, strict=True) if landed is None]:
            await self._land_all(missing)
        if self._ingest.fresh and self._ingest.part is None and not self._has_failed:
            await asyncio.to_thread(settle_key, self._folder)
        return [landed or self._outcomes[job.partition.name] for job, landed in zip(jobs, found, strict=True)]

    @property
    def _has_failed(self) -> bool:
        """Return whether a partition was not landed."""
        return any(isinstance(outcome, FailedPartition) for outcome in self._outcomes.values())

    async def _land_all(self, jobs: Sequence[PartitionJob]) -> None:
        try:
            land_one = await self._open()
        except (SourceError, OSError) as error:
            for job in jobs:
                self._fail(job, error)
            return
        self._packing = Packing(self._raw, (job.partition.name for job in jobs))
        try:
            await gather_all(make_batches(jobs, PARTITIONS_AT_ONCE, partial(self._land, land_one)), self._land_batch)
        finally:
            await self._packing.close()

    async def _open(self) -> LandOne:
        """Return what lands a partition by its source's way to its host, or its database."""
        source, client = self._source, self._ingest.client
        if isinstance(source, SqlSource):
            secrets = await read_secrets(source)
            for value in secrets.values():
                client.secrets.add(value)
            opened = partial(open_database, source, self._ingest.root, secrets.get("password"))
            await asyncio.to_thread(opened)
            return lambda plan, stats, _: land_query(plan, QueryAccess(opened, stats, client.secrets))
        endpoint, ingest = client.endpoint(source, await read_secrets(source)), self._ingest
        key = await self._read_key(source)
        return lambda plan, stats, pack: land(
            guard(plan, key),
            PartitionClient(
                endpoint.fetch_into(stats),
                stats,
                ingest.robots,
                client.secrets,
                ingest.browsers,
                pack,
                watch=self._watch,
            ),
        )

    async def _read_key(self, source: Fetched) -> bytes:
        """Return the key by which private fields are hashed; empty where none are."""
        if source.privacy is None or source.privacy.hash is None:
            return b""
        secret = await read_key("privacy.hash.secret", source.privacy.hash.secret)
        self._ingest.client.secrets.add(secret)
        is_fresh = self._ingest.fresh and self._ingest.part is None
        await asyncio.to_thread(check_key, secret.encode(), self._folder, fresh=is_fresh)
        return secret.encode()

    async def _land_batch(self, batch: PartitionBatch) -> None:
        try:
            await land_partitions(batch)
        except (SourceError, OSError) as error:  # of partitions, or of Prefect
            lost = SourceError(f"its task run failed ({error}); run again when the Prefect API answers")
            for job in batch.jobs:
                failure = batch.outcomes.get(job.partition.name, lost)
                if job.partition.name not in self._outcomes and not isinstance(failure, Landed):
                    self._fail(job, failure)

    async def _land(self, land_one: LandOne, job: PartitionJob) -> Landed:
        stats = self._ingest.client.stats(job.raw)
        async with Slot(self._slots) as slot:
            self._progress.begin(stats)
            try:
                plan = await self._plan(job)
                is_packed = self._is_packed or plan.piece is not None
                pack = partial(self._pack, slot, job)
                landed = (
                    await self._early.finish(job.partition, pack if is_packed else self._put) if self._early else None
                )
                landed = landed or await land_one(plan, stats, pack if is_packed else None)
                if plan.piece is not None:
                    await in_thread(self._raw.unpack, job.partition.name)
            except (SourceError, OSError) as error:
                if not may_pass(error):  # no other attempt follows
                    self._fail(job, error)
                raise
            finally:
                self._packing.leave(job.partition.name)
                self._count_causes(stats)
        self._outcomes[job.partition.name] = self._progress.landed(landed, stats)
        return landed

    def _count_causes(self, stats: RequestStats) -> None:
        secrets = self._ingest.client.secrets
        for cause, number in stats.causes.items():
            self.causes[secrets.redact(cause)] += number
        stats.causes.clear()  # another attempt at the partition counts on

    async def _pack(self, slot: Slot, job: PartitionJob, make: Make) -> RawManifest:
        slot.leave()  # others are fetched while it waits
        return await self._packing.add(job.partition.name, make)

    async def _put(self, make: Make) -> RawManifest:
        return await in_thread(lambda: self._raw.put(make(self._raw)))

    async def _plan(self, job: PartitionJob) -> LandingPlan:
        """Return what is to be landed of a partition, told when its turn comes: what is begun is removed for it."""
        name = job.partition.name
        if name not in self._plans and self._raw.is_new(name):
            self._plans[name] = plan_new(job)
        elif name not in self._plans:
            fresh = self._is_fresh(job.partition)
            self._plans[name] = await in_thread(partial(plan_landing, job, fresh=fresh, within=self._raw))
        return self._plans[name]

    def _fail(self, job: PartitionJob, error: SourceError | OSError) -> None:
        """Count a partition that failed for good."""
        cause = explain_disk_failure(error, job.raw) if isinstance(error, OSError) else str(error)
        stats = self._ingest.client.stats(job.raw)
        failure = FailedPartition.of(job.partition.name, cause, stats)
        self._outcomes[job.partition.name] = self._progress.failed(failure, stats)

    def _find_all(self, jobs: Sequence[PartitionJob]) -> list[Landed | None]:
        remove_stale_temp_files(self._folder)
        begun = list_begun(self._folder)
        self._raw = raw = RawFolder(self._folder, suffix_of(self._source))
        raw.sweep()
        return [
            find_landed(job, fresh=self._is_fresh(job.partition), may_be_begun=job.partition.name in begun, within=raw)
            for job in jobs
        ]

    def _is_fresh(self, partition: Partition) -> bool:
        """Return whether a partition is fetched again though it is landed: with a slice, only what it names."""
        return self._ingest.fresh and (self._ingest.part is None or self._ingest.part.selects(partition))


async def read_secrets(source: PartedSource) -> dict[str, str]:
    """Return the secrets that a source needs, by their keys in its auth, or in the source, from where it says they are held.

    Raises:
        PermanentSourceError: an environment variable or a Secret block is not there, or holds nothing to send.

    """
    if isinstance(source, SqlSource):
        return {} if source.password is None else {"password": (await read_secret("password", source.password))[0]}
    places = source.secret_places.items()
    return {key.removeprefix("auth."): await _read_usable(key, place) for key, place in places}


async def _read_usable(key: str, reference: SecretReference) -> str:
    secret, place = await read_secret(key, reference)
    try:
        return reference.usable(secret)
    except ValueError as error:
        raise PermanentSourceError(f"{key}: {place} {error}") from None


async def read_secret(key: str, reference: SecretReference) -> tuple[str, str]:
    """Return a secret, without the line break that files of secrets end with, and what the place is called that holds it.

    Raises:
        PermanentSourceError: an environment variable or a Secret block is not there.

    """
    if reference.env is not None:
        value = os.environ.get(reference.env)
        if value is None:
            raise PermanentSourceError(f"{key}: the environment variable {reference.env} is not set; set it")
        return value.strip(), f"the environment variable {reference.env}"
    block = str(reference.secret_block)
    return str(await read_block(key, block)).strip(), f"the Secret block {block!r}"


async def read_block(key: str, block: str) -> Any:
    """Return what a Secret block holds, a text or JSON.

    Raises:
        PermanentSourceError: there is no such block.

    """
    try:
        secret: Secret[Any] = await Secret.aload(block)
    except ValueError:
        raise PermanentSourceError(
            f"{key}: there is no Secret block {block!r}; make it on the UI's Blocks page, type Secret"
        ) from None
    return secret.get()


class SecretBlocks:
    """Secret blocks, whose secrets a server may replace."""

    async def read(self, block: str) -> str:
        """Return the secret of a block."""
        secret, _ = await read_secret("auth", SecretReference(secret_block=block))
        return secret

    async def write(self, block: str, secret: str) -> None:
        """Put a secret in place of that of a block.

        Raises:
            SourceError: Prefect does not take it.

        """
        try:
            await Secret(value=secret).asave(block, overwrite=True)
        except (PrefectException, httpx.HTTPError, OSError, ValueError) as error:
            raise SourceError(f"{type(error).__name__}: {error}") from None


async def read_key(at: str, reference: SecretReference) -> str:
    """Return the secret that hashes are made with.

    Raises:
        PermanentSourceError: it is not there, or so short that values could be found by trying.

    """
    secret, place = await read_secret(at, reference)
    if len(secret) < LEAST_CHARACTERS:
        raise PermanentSourceError(
            f"{at}: {place} holds {len(secret)} characters, and hashes made with so few are soon undone; "
            f"put {LEAST_CHARACTERS} random ones there, or more"
        )
    return secret
