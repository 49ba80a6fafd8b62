"""The processes that calls are forked from.

A fork of a process that has imported pandas or scikit-learn costs milliseconds,
where a new one costs a second: so one imports them for all, and forks itself for
each thread or worker that calls; that fork serves it, one call after another. Only
a process of one thread may be forked safely, so these do nothing else: no Prefect,
no numeric work of their own.
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

from tasks.core.isolation.process import Request, end_with_parent, run_request

_preloaded: set[str] = set()


def main() -> None:
    """Serve each that calls at the socket of the first file descriptor given, until the second is closed; the rest is preloaded."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    calls, parent = socket.socket(fileno=int(sys.argv[1])), Connection(int(sys.argv[2]))
    folder = Path(calls.getsockname()).parent
    with suppress(BaseException):  # nothing here needs its goodbye, and libraries' own can be loud
        _preload(sys.argv[3:])
        _answer(calls, parent)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _answer(calls: socket.socket, parent: Connection) -> None:
    """Fork a server for each that calls, until the parent closes its end."""
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


def _preload(parts: Iterable[str]) -> None:
    """Import modules, call functions `module:function`, each once, to be shared with every fork; numeric libraries use one thread."""
    new = [part for part in parts if part not in _preloaded]
    for part in new:
        _preloaded.add(part)
        module, _, function = part.partition(":")
        with suppress(Exception):  # the fork that needs it will say what is wrong
            found = import_module(module)
            if function:
                getattr(found, function)()
    if new:
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 - after what it limits

        threadpool_limits(limits=1)
        gc.collect()
        gc.freeze()  # the collector of a fork would copy every page that it looks at
