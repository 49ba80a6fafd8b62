"""Imports of heavy packages by one thread at a time, and what the process of a run can do without."""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from threading import RLock
from types import ModuleType

NO_FORM = "TIDEMILL_NO_FORM"
"""The variable that the command line sets for itself and its children where it deploys nothing and prints no schema."""
_OF_A_RUN = "PREFECT__FLOW_RUN_ID"  # in each process that a worker, or serve, starts for a run
_LOCK = RLock()


def makes_forms() -> bool:
    """Return whether this process may deploy a flow, with the form of its parameters, or print the schema of a pipeline file."""
    return not any(os.environ.get(name) for name in (NO_FORM, _OF_A_RUN))


def import_once(name: str) -> ModuleType:
    """Return a package; while one thread imports one, others wait.

    Raises:
        ImportError: it is not there.

    """
    with _LOCK:
        return import_module(name)


class _NoPandas:
    """A finder of modules by which pandas is not there."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        """Raise ModuleNotFoundError for pandas."""
        if name == "pandas":
            raise ModuleNotFoundError(f"{name} is not wanted here", name=name)


def spare_pandas() -> None:
    """Keep pyarrow from importing pandas, which takes most of a second, for the first array made of Python's values.

    pyarrow asks for it once. Afterwards it takes a Series for a list of values; frames are made of its tables as ever.
    """
    import pyarrow as pa  # noqa: PLC0415 - of commands alone that read rows

    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(finder)


def import_store(url: str) -> None:
    """Have what reads a store imported, in the same way; an address that nothing reads is left to be told.

    Raises:
        ImportError: the package is not there.

    """
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # it logs a traceback of what it raises, too
    with _LOCK:
        import fsspec  # noqa: PLC0415 - of stores alone

        for link in url.split("::"):  # an archive within a store
            protocol, separator, _ = link.partition("://")
            try:
                fsspec.get_filesystem_class(protocol if separator else "file")
            except ValueError:
                return
