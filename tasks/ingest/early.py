"""Children fetched while the list of their parent is still read, and held in memory until its table tells which there are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tasks.config import ApiSource, Child, Scalar
from tasks.core.concurrency import Slot
from tasks.core.errors import SourceError
from tasks.core.hosts import host_of
from tasks.ingest.http.client import Client, first_urls
from tasks.ingest.landing.land import Pack, PartitionClient, land
from tasks.ingest.landing.packing import Make
from tasks.ingest.landing.plan import Landed, PartitionJob, plan_new
from tasks.ingest.scraping.robots import Robots
from tasks.raw.files import RawManifest
from tasks.raw.folder import RawFolder
from tasks.raw.partitions import Partition, list_partitions
from tasks.raw.selection import PartitionSelection

AT_ONCE = 64
MOST_BYTES = 32 * 2**20
"""Of bodies that are held."""
_LOOK_S = 0.02
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = re.compile(r"(?=.*[G-SU-Yg-su-y_]).+")  # neither a number nor a time, of which a table has its own form
_LARGEST = 2**53


@dataclass
class _Held:
    """A child on its way: what `confirmed` is given puts it on the disk, once its parent's table has it."""

    job: PartitionJob
    confirmed: asyncio.Future[Pack]
    is_begun: bool = False
    landing: asyncio.Task[Landed] = field(init=False)


class EarlyChildren:
    """The children of one source, by the values that the records of its parent have in a member.

    They are asked for only where no other request waits for their host, so that the list is not held up. Nothing of
    them is written before the parent's table has them: what it does not have, or has otherwise, is forgotten.
    """

    def __init__(self, name: str, source: ApiSource, folder: Path, client: Client, robots: Robots) -> None:
        ((self._key, parent),) = source.parents.items()
        self._name, self._source, self._folder = name, source, folder
        self._column = parent.column
        self._client, self._robots = client, robots
        self._hosts = [client.throttle.host(host) for host in {host_of(url) for url in first_urls(source)}]
        self._raw: RawFolder | None = None
        self._endpoint = client.endpoint(source, {})
        self._part: PartitionSelection | None = None
        self._seen: set[Scalar] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._held: dict[str, _Held] = {}
        self._bytes = 0
        self._context = copy_context()
        """In which warnings are of this source, and not of the one that tells of children."""

    async def open(self, part: PartitionSelection | None) -> None:
        """Be ready to begin with those of a slice of which nothing is landed."""
        self._part = part
        self._raw = await asyncio.to_thread(RawFolder, self._folder)

    def see(self, lines: Sequence[bytes]) -> None:
        """Begin with the children that further records of the parent tell of."""
        if self._raw is None:
            return
        values = [value for line in lines if (value := value_in(line, self._column)) is not None]
        new = [value for value in dict.fromkeys(values) if value not in self._seen]
        self._seen.update(new)
        if not new:
            return
        known = self._source.with_children({self._key: [Child(value) for value in new]})
        for partition in list_partitions(known):
            if self._raw.is_new(partition.name) and (self._part is None or self._part.covers(partition)):
                job = PartitionJob(self._name, known, partition, self._folder)
                held = _Held(job, asyncio.get_running_loop().create_future())
                held.landing = asyncio.create_task(self._land(held), context=self._context.copy())
                self._held[partition.name] = held

    async def finish(self, partition: Partition, pack: Pack) -> Landed | None:
        """Return what became of a child that its parent's table has, once it is on the disk; None where it is to be fetched yet."""
        held = self._held.pop(partition.name, None)
        if held is None:
            return None
        if not held.is_begun or held.job.partition != partition:
            await _end(held)
            return None
        held.confirmed.set_result(pack)
        with suppress(SourceError):  # it is asked for again, as others are that fail
            return await held.landing
        return None

    async def close(self) -> None:
        """Forget those that no table has told of."""
        self._raw = None
        left, self._held = list(self._held.values()), {}
        await _end(*left)

    async def _land(self, held: _Held) -> Landed:
        stats = self._client.stats(held.job.raw)

        async def hold(make: Make) -> RawManifest:
            self._bytes += stats.body_bytes
            slot.leave()
            return await (await held.confirmed)(make)

        async with Slot(self._slots) as slot:
            while any(host.waiting for host in self._hosts):  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(_LOOK_S)
            if self._bytes > MOST_BYTES:
                raise SourceError("it waits for its turn, as enough is held")
            held.is_begun = True
            access = PartitionClient(
                self._endpoint.fetch_into(stats), stats, self._robots, self._client.secrets, pack=hold, is_held=True
            )
            return await land(plan_new(held.job), access)


async def _end(*held: _Held) -> None:
    """Forget some children, whatever has become of them."""
    for each in held:
        each.landing.cancel()
    await asyncio.gather(*(each.landing for each in held), return_exceptions=True)


def value_in(line: bytes, column: str) -> int | str | None:
    """Return a member of a record that a table has as it is; None of any other, whose child waits for the table."""
    try:
        found = _MEMBERS.decode(line).get(column)
        value = None if found is None else msgspec.json.decode(found)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    match value:
        case bool():
            return None
        case int():
            return value if abs(value) < _LARGEST else None
        case str():
            return value if _TEXT.fullmatch(value) and value == value.strip() else None
        case _:
            return None
