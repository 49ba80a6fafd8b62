"""What a run is warned of: the first troubles of each source, and how many more there were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

MOST = 20  # of one source: each is a line in Prefect's database, and the next ones seldom tell more

_at_work: ContextVar[str] = ContextVar("source at work")  # tasks that a source starts are of that source


class Warnings:
    """Says the warnings of a run, each with the source that it is of."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._given: Counter[str] = Counter()

    def warn(self, sentence: str) -> None:
        """Say a sentence of the source at work, unless enough has been said of it."""
        source = _at_work.get()
        self._given[source] += 1
        if self._given[source] <= MOST:
            self._say(f"source {source}: {sentence}")

    @contextmanager
    def of(self, source: str) -> Iterator[None]:
        """Have what is warned of in the block be of `source`; at its end say what was not said."""
        token = _at_work.set(source)
        try:
            yield
        finally:
            _at_work.reset(token)
            if (more := self._given[source] - MOST) > 0:
                self._say(f"source {source}: {more:,} more warnings like these are not shown")
