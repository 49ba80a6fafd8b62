"""How a worker of a local cluster begins: Ctrl-C is left to the run, which ends it."""

from __future__ import annotations

import signal
from typing import Any


def dask_setup(worker: Any) -> None:  # noqa: ARG001 - what Dask gives what it preloads
    """Leave Ctrl-C to the parent; Dask calls this in the worker's process, on its main thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
