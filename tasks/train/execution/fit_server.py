"""The processes that fits are forked from.

A fork of a process that has imported scikit-learn costs milliseconds, where a
new one costs a second: so one imports it for all, and forks itself for each
worker that calls; that fork serves the worker, one fit after another. Only a
process of one thread may be forked safely, so these do nothing else: no
Prefect, no numeric work of their own.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterable
from contextlib import closing, suppress
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path

from tasks.train.execution.fit_process import Request, end_with_parent, run_request

PRELOADED = ("tasks.train.evaluation.holdout", "sklearn.linear_model", "sklearn.ensemble")


def main() -> None:
    """Serve each worker that calls at the socket of the first file descriptor given, until the second is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    calls, parent = socket.socket(fileno=int(sys.argv[1])), Connection(int(sys.argv[2]))
    folder = Path(calls.getsockname()).parent
    with suppress(BaseException):  # nothing here needs its goodbye, and libraries' own can be loud
        _preload(PRELOADED)
        with suppress(Exception):  # the fork that needs it will say what is wrong
            import_module("tasks.train.evaluation.folds").rehearse()
        _answer(calls, parent)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _answer(calls: socket.socket, parent: Connection) -> None:
    """Fork a server for each worker that calls, until the parent closes its end."""
    first = os.getpid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system buries the forks
    while parent not in wait([calls, parent]):
        worker, _ = calls.accept()
        if os.fork() == 0:
            try:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                end_with_parent(first)
                calls.close()
                parent.close()
                _serve(Connection(worker.detach()))
            finally:
                os._exit(0)
        worker.close()


def _serve(connection: Connection) -> None:
    """Run one request after another, until the other end is closed."""
    with suppress(EOFError, OSError):
        while True:
            request: Request = connection.recv()
            _preload((*request.preload, *(path.partition(":")[0] for path in request.extensions)))
            with closing(run_request(request, connection)) as endings:
                for ending in endings:
                    connection.send(ending)


def _preload(modules: Iterable[str]) -> None:
    """Import modules, to be shared with every fork, and have their numeric libraries use one thread."""
    new = [module for module in modules if module not in sys.modules]
    for module in new:
        with suppress(Exception):  # the fork that needs it will say what is wrong
            import_module(module)
    if new:
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 - after what it limits

        threadpool_limits(limits=1)
        gc.collect()
        gc.freeze()  # the collector of a fork would copy every page that it looks at
