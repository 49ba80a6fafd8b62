"""Imports of heavy packages: by one thread at a time, and kept from being walked over by the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Lock, RLock
from types import ModuleType

import fsspec

_LOCK = RLock()


def import_once(name: str) -> ModuleType:
    """Return a package; while one thread imports one, others wait.

    Raises:
        ImportError: it is not there.

    """
    with _LOCK:
        return import_module(name)


def import_store(url: str) -> None:
    """Have what reads a store imported, in the same way; an address that nothing reads is left to be told.

    Raises:
        ImportError: the package is not there.

    """
    with _LOCK:
        for link in url.split("::"):  # an archive within a store
            protocol, separator, _ = link.partition("://")
            try:
                fsspec.get_filesystem_class(protocol if separator else "file")
            except ValueError:
                return


_YOUNG_OBJECTS = 50_000  # a collection is due after so many; at Python's 700 they took 5 % of an ingest

_lock = Lock()
_before: list[tuple[int, int, int]] = []  # the thresholds that each block found, of which the first are Python's own


@contextmanager
def tuned_gc() -> Iterator[None]:
    """Leave the objects there are out of collections while the block runs, and collect the new ones less often.

    Half a million objects of imported packages are not garbage: walking over
    them took a fifth of the time of an ingest of 3,000 pages, and a tenth of
    that of a conversion of 90 MB. Blocks may run beside each other: the last
    one to end leaves the collector as the first found it.
    """
    with _lock:
        _before.append(gc.get_threshold())
        gc.freeze()
        gc.set_threshold(_YOUNG_OBJECTS, *_before[0][1:])
    try:
        yield
    finally:
        with _lock:
            if len(_before) == 1:
                gc.set_threshold(*_before[0])
                gc.unfreeze()
            _before.pop()
