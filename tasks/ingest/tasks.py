"""The Prefect tasks of ingest."""

from __future__ import annotations

import asyncio
import os
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

from tasks.errors import PermanentSourceError, SourceError
from tasks.ingest.client import Client
from tasks.ingest.landing import Landed, PartitionJob, find_landed, land
from tasks.partitions import Partition, list_partitions
from tasks.progress import Step, tell
from tasks.spec import ApiSource, PagesSource, SecretReference
from tasks.store import sweep_leftovers

PARTITIONS_AT_ONCE = 32  # task runs of one source under way; the throttle bounds its requests
RETRY_DELAY_S = 3


@dataclass(frozen=True)
class LandedSource:
    """What became of one source's partitions: those that are landed, and why the others are not."""

    source: str
    landed: tuple[Landed, ...]
    failures: tuple[str, ...]

    def total(self, count: str) -> int:
        """Return the sum of `rows`, `pages`, `requests` or `retries` over the landed partitions."""
        return sum(getattr(landed, count) for landed in self.landed)


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
    await asyncio.to_thread(sweep_leftovers, folder)
    token = await read_token(source)
    slots = asyncio.Semaphore(PARTITIONS_AT_ONCE)
    partitions = list_partitions(source)
    counted = _Counted(name, len(partitions))

    async def land_one(partition: Partition) -> Landed | str:
        job = PartitionJob(name, source, partition, folder)
        landed = None if fresh else await asyncio.to_thread(find_landed, job)
        if landed is None:
            async with slots:
                try:
                    landed = await land_partition(job, client, token)
                except SourceError as error:
                    return counted.failure(f"source {name}, partition {partition.name}: {error}")
        return counted.landed(landed)

    outcomes: Sequence[Landed | str] = await asyncio.gather(*(land_one(p) for p in partitions))
    return LandedSource(
        name,
        landed=tuple(o for o in outcomes if isinstance(o, Landed)),
        failures=tuple(o for o in outcomes if isinstance(o, str)),
    )


async def read_token(source: ApiSource | PagesSource) -> SecretStr | None:
    """Return the source's token, from where its auth says; None where it has no auth.

    Raises:
        PermanentSourceError: the environment variable or the Secret block is not there.

    """
    if not isinstance(source, ApiSource) or source.auth is None:
        return None
    reference: SecretReference = source.auth.token
    if reference.env is not None:
        value = os.environ.get(reference.env)
        if value is None:
            raise PermanentSourceError(f"auth.token: the environment variable {reference.env} is not set; set it")
        return SecretStr(value)
    block = str(reference.secret_block)
    try:
        secret: Secret[Any] = await Secret.aload(block)
    except ValueError:
        raise PermanentSourceError(
            f"auth.token: there is no Secret block {block!r}; make it on the UI's Blocks page, type Secret"
        ) from None
    return SecretStr(str(secret.get()))


class _Counted:
    """Counts the partitions of a source that have come to an end, and tells of each."""

    def __init__(self, source: str, total: int) -> None:
        self._source, self._total = source, total
        self._done = self._rows = 0

    def landed(self, landed: Landed) -> Landed:
        self._rows += landed.rows
        self._tell(f"{self._rows:,} rows")
        return landed

    def failure(self, sentence: str) -> str:
        get_run_logger().warning(sentence)
        self._tell(sentence)
        return sentence

    def _tell(self, detail: str) -> None:
        self._done += 1
        tell(Step("ingest", self._source, self._done, self._total, detail))
