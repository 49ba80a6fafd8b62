"""How far a run has come, told in process to whoever listens (the command line does)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_SENT_S = 5.0  # a request to a server that answers takes less


@dataclass(frozen=True)
class ProgressEvent:
    """How far one part of a stage has come.

    `done` and `total` count the stage's own units: partitions for ingest,
    files for convert, candidates for train.
    """

    stage: str
    name: str
    done: int
    total: int
    detail: str = ""
    value: float | None = None
    """What it has come to: the rows of a table, the score of a candidate."""


_listeners: list[Callable[[ProgressEvent], None]] = []


@contextmanager
def subscribed(listener: Callable[[ProgressEvent], None]) -> Iterator[None]:
    """Call `listener` with every step told while the block runs."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def emit(step: ProgressEvent) -> None:
    """Report to every subscriber how far a part has come."""
    for listener in _listeners:
        listener(step)


async def is_over(over: asyncio.Event, within_s: float) -> bool:
    """Wait so long for an end; return whether it has come."""
    try:
        return await asyncio.wait_for(over.wait(), within_s)
    except TimeoutError:
        return False


async def end_showing(showing: asyncio.Task[None]) -> None:
    """Wait until what shows a progress, and has been told that it is over, has sent what it was about to send.

    The server may take a request that is cancelled after the one that follows it, and show for ever what that one mended.
    """
    await asyncio.wait([showing], timeout=_SENT_S)
    showing.cancel()
    await asyncio.wait([showing])
