"""The Prefect tasks of ingest."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.blocks.system import Secret
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task
from pydantic import SecretStr

from tasks.concurrency import gather_all
from tasks.errors import PermanentSourceError, SourceError
from tasks.ingest.client import Client
from tasks.ingest.landing import Landed, PartitionJob, find_landed, land
from tasks.partitions import list_partitions
from tasks.progress import Step, tell
from tasks.spec import ApiSource, PagesSource, SecretReference
from tasks.store import sweep_leftovers

PARTITIONS_AT_ONCE = 32  # task runs of one source under way; the throttle bounds its requests
RETRY_DELAY_S = 3

_ADDRESS = re.compile(r"GET \S+")  # what tells two failures of the same cause apart


@dataclass(frozen=True)
class Failure:
    """One partition that could not be landed, and why."""

    partition: str
    cause: str
    requests: int
    retries: int


@dataclass(frozen=True)
class LandedSource:
    """What became of one source's partitions: those that are landed, and why the others are not."""

    source: str
    landed: tuple[Landed, ...]
    failures: tuple[Failure, ...]

    @property
    def sentences(self) -> list[str]:
        """Return one sentence for each cause of failure: its first partition, and how many others share it."""
        causes: dict[str, list[Failure]] = {}
        for failure in self.failures:
            causes.setdefault(_ADDRESS.sub("GET", failure.cause), []).append(failure)
        return [self._sentence(failures) for failures in causes.values()]

    def _sentence(self, failures: Sequence[Failure]) -> str:
        others = f" and {len(failures) - 1} more" if len(failures) > 1 else ""
        return f"source {self.source}, partition {failures[0].partition}{others}: {failures[0].cause}"

    def total(self, count: str) -> int:
        """Return the sum of `rows`, `pages`, `requests` or `retries` over the partitions; failed ones have no rows."""
        return sum(getattr(outcome, count, 0) for outcome in (*self.landed, *self.failures))


def _may_pass(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether another attempt at a partition may succeed."""
    return isinstance(state.data, SourceError) and not isinstance(state.data, PermanentSourceError)


@task(
    name="land partition",
    task_run_name="{job.source_name} {job.partition.name}",
    retries=1,
    retry_delay_seconds=RETRY_DELAY_S,
    retry_condition_fn=_may_pass,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def land_partition(job: PartitionJob, client: Client, token: SecretStr | None) -> Landed:
    """Fetch one partition whole.

    A unit of its own because it is what is retried, once more after the HTTP
    client gave up, and what a later run skips.
    """
    return await land(job, client, token)


async def land_source(
    name: str, source: ApiSource | PagesSource, folder: Path, client: Client, *, fresh: bool
) -> LandedSource:
    """Land every partition of a source that is not landed yet; one that fails does not stop the others."""
    jobs = [PartitionJob(name, source, partition, folder) for partition in list_partitions(source)]
    found = await asyncio.to_thread(_find_all, jobs, folder, fresh=fresh)
    counted = _Counted(name, len(jobs))
    slots = asyncio.Semaphore(PARTITIONS_AT_ONCE)
    token = asyncio.create_task(read_token(source)) if None in found else None

    async def land_one(pair: tuple[PartitionJob, Landed | None]) -> Landed | Failure:
        job, landed = pair
        if landed is None:
            async with slots:
                try:
                    landed = await land_partition(job, client, await token if token else None)
                except SourceError as error:
                    tally = client.tally(job.raw)
                    return counted.failed(Failure(job.partition.name, str(error), tally.requests, tally.retries))
        return counted.landed(landed)

    outcomes: Sequence[Landed | Failure] = await gather_all(zip(jobs, found, strict=True), land_one)
    return LandedSource(
        name,
        landed=tuple(o for o in outcomes if isinstance(o, Landed)),
        failures=tuple(o for o in outcomes if isinstance(o, Failure)),
    )


def _find_all(jobs: Sequence[PartitionJob], folder: Path, *, fresh: bool) -> list[Landed | None]:
    sweep_leftovers(folder)
    return [None if fresh else find_landed(job) for job in jobs]


async def read_token(source: ApiSource | PagesSource) -> SecretStr | None:
    """Return the source's token, from where its auth says; None where it has no auth.

    Raises:
        PermanentSourceError: the environment variable or the Secret block is not there, or holds no token.

    """
    if not isinstance(source, ApiSource) or source.auth is None:
        return None
    reference: SecretReference = source.auth.token
    if reference.env is not None:
        value = os.environ.get(reference.env)
        if value is None:
            raise PermanentSourceError(f"auth.token: the environment variable {reference.env} is not set; set it")
        return _usable(value, f"the environment variable {reference.env}")
    block = str(reference.secret_block)
    try:
        secret: Secret[Any] = await Secret.aload(block)
    except ValueError:
        raise PermanentSourceError(
            f"auth.token: there is no Secret block {block!r}; make it on the UI's Blocks page, type Secret"
        ) from None
    return _usable(str(secret.get()), f"the Secret block {block!r}")


def _usable(value: str, place: str) -> SecretStr:
    """Return the token without the line break that files of secrets end with; refuse what no header can carry."""
    token = value.strip()
    if not token or not (token.isascii() and token.isprintable()):
        raise PermanentSourceError(f"auth.token: {place} holds nothing that a header can carry; put the token there")
    return SecretStr(token)


class _Counted:
    """Counts the partitions of a source that have come to an end, and tells of each."""

    def __init__(self, source: str, total: int) -> None:
        self._source, self._total = source, total
        self._done = self._rows = 0

    def landed(self, landed: Landed) -> Landed:
        self._rows += landed.rows
        self._tell(f"{self._rows:,} rows")
        return landed

    def failed(self, failure: Failure) -> Failure:
        get_run_logger().warning("source %s, partition %s: %s", self._source, failure.partition, failure.cause)
        self._tell(f"{failure.partition} failed")
        return failure

    def _tell(self, detail: str) -> None:
        self._done += 1
        tell(Step("ingest", self._source, self._done, self._total, detail))
