"""A folder held by one run at a time; in the mirror of a bucket it is fetched first, and committed at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from tasks.core.bucket.files import KEPT
from tasks.core.bucket.mirror import Mirror
from tasks.core.bucket.units import Unit, written_in
from tasks.core.errors import StoreError, TidemillError

Mirrored = tuple[Mirror, tuple[Unit, ...]]


@asynccontextmanager
async def exclusive_lock(folder: Path, held: TidemillError) -> AsyncIterator[None]:
    """Hold a folder while the block runs; raise `held` where another run holds it.

    Two runs at once would sweep away, or write into, each other's unfinished
    files. The system lets go of the folder when the process ends, however it does.
    What is written to a bucket, and cannot be read or committed there, is an error as `held` is.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", thread_local=False)
    try:
        await asyncio.to_thread(lock.acquire, blocking=False)
    except Timeout:
        raise held from None
    mirrored = await asyncio.to_thread(_find_mirrored, folder)
    try:
        async with _committed(mirrored, type(held)):
            yield
    finally:
        await asyncio.shield(
            asyncio.to_thread(lock.release)
        )  # one that is cancelled while it waits for a thread would stay


def _find_mirrored(folder: Path) -> Mirrored | None:
    """Return the mirror that a folder is in, and the units that are written to while it is held."""
    root = next((above for above in folder.parents if (above / KEPT).is_dir()), None)
    if root is None or not (units := written_in(folder.relative_to(root))):
        return None
    mirror = Mirror.at(root)
    return None if mirror is None else (mirror, units)


@asynccontextmanager
async def _committed(mirrored: Mirrored | None, failure: type[TidemillError]) -> AsyncIterator[None]:
    """Have units here as they are in their bucket, and commit them after the block, also where it fails: what it has kept is whole."""
    if mirrored is None:
        yield
        return
    mirror, units = mirrored
    try:
        for unit in units:
            await asyncio.to_thread(mirror.fetch, unit)
    except StoreError as error:
        raise failure(str(error)) from error
    try:
        yield
    except BaseException:
        with suppress(TidemillError, OSError):  # what failed first is told; the next run commits it
            for unit in units:
                await asyncio.to_thread(mirror.commit, unit, removals=True)
        raise
    try:
        for unit in units:
            await asyncio.to_thread(mirror.commit, unit, removals=True)
    except StoreError as error:
        raise failure(str(error)) from error
