"""Imported packages, kept from being walked over by the garbage collector, and from being taken apart at the end."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import NoReturn

_YOUNG_OBJECTS = (
    50_000  # a collection is due after so many; at Python's 700 they took 5 % of an ingest, and 10 % of imports
)

_lock = Lock()
_before: list[tuple[int, int, int]] = []  # the thresholds that each block found, of which the first are Python's own


def collect_seldom() -> None:
    """Collect new objects less often in all of this process, from its imports on."""
    gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])


def exit_with(program: Callable[[], int]) -> NoReturn:
    """Run a program and end this process with its exit code, but leave its memory to the system.

    Python waits for threads and calls what is to be done at exit; then it would take half a
    million objects apart one by one, a tenth of the time of a small run.
    """
    code = 1  # of an error that nobody catches

    def end() -> None:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # nobody reads on, it is closed, or there is none
                stream.flush()
        os._exit(code)

    atexit.register(end)  # the last to be called is who came first
    try:
        code = program()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        raise
    sys.exit(code)


@contextmanager
def tuned_gc(young_objects: int = _YOUNG_OBJECTS) -> Iterator[None]:
    """Leave the objects there are out of collections while the block runs, and collect the new ones less often.

    Half a million objects of imported packages are not garbage: walking over
    them took a fifth of the time of an ingest of 3,000 pages, and a tenth of
    that of a conversion of 90 MB. A collection of 50,000 new objects takes some
    20 ms, of `young_objects` as much less. Blocks may run beside each other: the
    last one to end leaves the collector as the first found it.
    """
    with _lock:
        _before.append(gc.get_threshold())
        gc.freeze()
        gc.set_threshold(young_objects, *_before[0][1:])
    try:
        yield
    finally:
        with _lock:
            if len(_before) == 1:
                gc.set_threshold(*_before[0])
                gc.unfreeze()
            _before.pop()
