"""A folder held by one run at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tasks.core.errors import TidemillError


@asynccontextmanager
async def exclusive_lock(folder: Path, held: TidemillError) -> AsyncIterator[None]:
    """Hold a folder while the block runs; raise `held` where another run holds it.

    Two runs at once would sweep away, or write into, each other's unfinished
    files. The system lets go of the folder when the process ends, however it does.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", thread_local=False)
    try:
        await asyncio.to_thread(lock.acquire, blocking=False)
    except Timeout:
        raise held from None
    try:
        yield
    finally:
        await asyncio.to_thread(lock.release)
