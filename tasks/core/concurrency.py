"""Calls made together, their results in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from typing import Any, Self, TypeVar, TypeVarTuple

Item = TypeVar("Item")
Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


async def in_thread(call: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
    """Call in a thread; when cancelled, wait for the call's end first: the file is the thread's until then."""
    work = asyncio.create_task(asyncio.to_thread(call, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await await_end(work)
        raise


async def await_end(work: asyncio.Task[Any]) -> None:
    """Wait until a task has ended that another failure is told of: its own, which asyncio would log, is not."""
    await asyncio.wait([work])
    if not work.cancelled():
        work.exception()


async def gather_all(items: Iterable[Item], call: Callable[[Item], Coroutine[Any, Any, Result]]) -> list[Result]:
    """Return what `call` gives for each item, in order; the first failure ends the other calls."""
    try:
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(call(item)) for item in items]
    except BaseExceptionGroup as failures:
        failure = failures.exceptions[0]
        raise failure from failure.__cause__
    return [call.result() for call in calls]


async def map_ahead(
    items: Iterable[Item], call: Callable[[Item], Coroutine[Any, Any, Result]], ahead: Callable[[], int]
) -> AsyncGenerator[Result, None]:
    """Yield what `call` gives for each item, in order, with up to `ahead()` calls under way.

    To be closed when it is not read to its end: the calls still under way end then.
    """
    left = iter(items)
    running: deque[asyncio.Task[Result]] = deque()
    try:
        while True:
            while len(running) < ahead():
                try:
                    running.append(asyncio.create_task(call(next(left))))
                except StopIteration:
                    break
            if not running:
                return
            result = await running[0]
            running.popleft()
            yield result
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class Slot:
    """One of those that are at work at once; it may be left early."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._is_held = False

    async def __aenter__(self) -> Self:
        await self._slots.acquire()
        self._is_held = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Let another one have it."""
        if self._is_held:
            self._is_held = False
            self._slots.release()
