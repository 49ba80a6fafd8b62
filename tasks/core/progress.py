"""How far a run has come, told in process to whoever listens (the command line does)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


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
