"""Calls in threads that a landing waits for, also where it is cancelled: a file is the thread's until then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


async def in_thread(call: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
    """Call in a thread; when cancelled, wait for the call's end first."""
    work = asyncio.create_task(asyncio.to_thread(call, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
