"""Small partitions of a source, written many at once: each would take longer to be put on the disk than to be fetched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tasks.core.concurrency import in_thread
from tasks.raw.files import RawManifest
from tasks.raw.folder import RawFolder
from tasks.raw.packs import PackInput

PACKED_BYTES = 64 * 1024
"""Of rows; a partition of more has a file of its own."""
PACK_PARTITIONS = 250
"""So many are put into a pack at once."""
PACKED_S = 1.0
"""So long a partition may wait for others, and a kill can lose it."""

Make = Callable[[RawFolder], PackInput]


@dataclass(frozen=True)
class _Waiting:
    make: Make
    packed: asyncio.Future[RawManifest]


class Packing:
    """Puts partitions into packs as they come; `awaited` are those that may still come, and are worth waiting for."""

    def __init__(self, folder: RawFolder, awaited: Iterable[str]) -> None:
        self._folder = folder
        self._awaited = set(awaited)
        self._waiting: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    async def add(self, partition: str, make: Make) -> RawManifest:
        """Return the manifest of a partition once it lies in a pack; `make` is called in a thread.

        Raises:
            OSError: the pack could not be written.

        """
        waiting = _Waiting(make, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self.leave(partition)
        return await waiting.packed

    def leave(self, partition: str) -> None:
        """Wait for a partition no more."""
        self._awaited.discard(partition)
        if not self._waiting or self._writing is not None:
            return
        if not self._awaited or len(self._waiting) >= PACK_PARTITIONS:
            self._begin()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PACKED_S, self._begin)

    async def close(self) -> None:
        """Write what has come, also where the run is interrupted and nobody waits for it."""
        self._awaited.clear()
        while self._waiting or self._writing is not None:
            self._begin()
            assert self._writing is not None
            await asyncio.wait([self._writing])

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is None:
            waiting, self._waiting = self._waiting, []
            self._writing = asyncio.create_task(self._write(waiting))

    async def _write(self, waiting: Sequence[_Waiting]) -> None:
        try:
            manifests = await in_thread(self._pack, waiting)
        except Exception as error:  # noqa: BLE001 - nobody may wait for ever
            for each in waiting:
                if not each.packed.done():
                    each.packed.set_exception(error)
        else:
            for each, manifest in zip(waiting, manifests, strict=True):
                if not each.packed.done():
                    each.packed.set_result(manifest)
        finally:
            self._writing = None
            if self._waiting:
                self._begin()

    def _pack(self, waiting: Sequence[_Waiting]) -> list[RawManifest]:
        inputs = [each.make(self._folder) for each in waiting]
        self._folder.pack(inputs)
        return [each.manifest for each in inputs]
