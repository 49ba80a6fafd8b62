"""The story of a run: what a person reads of it while it goes on, each sentence once, and nothing of its engine beside them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tasks.core.errors import TidemillError

Log = Callable[[int, str], None]
"""Logs a sentence with a level of `logging`."""

_ENGINES = ("flow_engine", "task_engine")
_NOISE = ("Beginning ", "Created ", "Finished in state ", "Task run failed with ")


class Story:
    """The sentences that a run has told so far."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._told: set[str] = set()

    def tell(self, sentence: str, level: int = logging.INFO) -> None:
        """Tell a sentence, unless it has been told."""
        if sentence not in self._told:
            self._told.add(sentence)
            self._log(level, sentence)


_story: ContextVar[Story] = ContextVar("story")


@contextmanager
def story_told_to(log: Log) -> Iterator[bool]:
    """Have what is told in the block go to `log`, or where another story is under way there, as a stage's goes to its run.

    Yields whether the story is the block's own.
    """
    if _story.get(None) is not None:
        yield False
        return
    token = _story.set(Story(log))
    try:
        yield True
    finally:
        _story.reset(token)


def tell(sentence: str, level: int = logging.INFO) -> None:
    """Tell a sentence of the run under way; where there is none, to the logger `tidemill`."""
    story = _story.get(None)
    if story is None:
        logging.getLogger("tidemill").log(level, "%s", sentence)
    else:
        story.tell(sentence, level)


def warn(sentence: str) -> None:
    """Tell a sentence that somebody should act on."""
    tell(sentence, logging.WARNING)


def quiet_engine() -> None:
    """Keep out of the logs of flow runs and task runs what their states say as well, and what the story has told.

    That is where a run or a task begins and ends, and the traceback of a failure that has an explanation. Crashes,
    cancellations and what nobody expected stay. Holds for this process, and may be called again.
    """
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_is_for_people)


def _is_for_people(record: logging.LogRecord) -> bool:
    if record.module not in _ENGINES or not str(record.msg).startswith(_NOISE):
        return True
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    return error is not None and not isinstance(error, TidemillError | OSError)
