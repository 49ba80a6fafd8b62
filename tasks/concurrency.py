"""Calls made together, their results in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def gather_all(items: Iterable[Item], call: Callable[[Item], Coroutine[Any, Any, Result]]) -> list[Result]:
    """Return what `call` gives for each item, in order; the first failure ends the other calls."""
    try:
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(call(item)) for item in items]
    except BaseExceptionGroup as failures:
        failure = failures.exceptions[0]
        raise failure from failure.__cause__
    return [call.result() for call in calls]
