"""Imports of heavy packages by one thread at a time."""

from __future__ import annotations

from importlib import import_module
from threading import RLock
from types import ModuleType

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
        import fsspec  # noqa: PLC0415 - of stores alone

        for link in url.split("::"):  # an archive within a store
            protocol, separator, _ = link.partition("://")
            try:
                fsspec.get_filesystem_class(protocol if separator else "file")
            except ValueError:
                return
