"""Calls in a process of their own that is ended at its limits, and whose end, however it comes, is told in a sentence."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from tasks.train.fit_server import Ending, Request
from tasks.train.workers import THREAD_VARIABLES

Value = TypeVar("Value")

_SERVE = "from tasks.train.fit_server import main; main()"  # not -m: what it sends would be of a module __main__
_STOP_S = 5.0
_CAUSES = {
    signal.SIGKILL: "by hand, or by the system for want of memory; set memory_limit_mb, or run again",
    signal.SIGSEGV: "a crash in native code; change its parameters, or remove it",
}


@dataclass(frozen=True)
class Outcome(Generic[Value]):
    """What a call came to: its value, or the sentence that says why there is none."""

    value: Value | None
    error: str | None
    seconds: float
    memory_mb: float


def run_isolated(
    function: str,
    *arguments: object,
    time_s: float,
    memory_mb: int | None = None,
    preload: tuple[str, ...] = (),
) -> Outcome[Any]:
    """Return the value of a function, named as `module:function`, called in a process of its own.

    This process does not import the module. The other one is killed after `time_s` seconds, or when it holds more than
    `memory_mb` MiB of its own. `preload` names modules that are imported once
    for all calls.
    """
    request = Request(pickle.dumps((function, arguments)), time_s, memory_mb, preload)
    ending = _ask(request)
    answer = pickle.loads(ending.answer) if ending.answer else None  # noqa: S301 - our own child's
    if ending.how == "answered":
        return Outcome(answer, None, ending.seconds, ending.memory_mb)
    error = str(answer) if ending.how == "raised" else _explain(ending, request)
    return Outcome(None, error, ending.seconds, ending.memory_mb)


def start_fit_server() -> None:
    """Start this thread's fit server, if it has none, without waiting for it to be ready."""
    if getattr(_servers, "own", None) is None:
        _servers.own = _FitServer()


class _FitServer:
    """A fit server, as a child that ends when this process does, however it does."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-c", _SERVE, str(theirs.fileno())]
            environment = {
                **os.environ,
                **dict.fromkeys(THREAD_VARIABLES, "1"),
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            }
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment)  # noqa: S603 - ours
        self._connection = Connection(ours.detach())

    def run(self, request: Request) -> Ending:
        self._connection.send(request)
        ending: Ending = self._connection.recv()
        return ending

    def stop(self) -> None:
        """End the server and what it runs."""
        self._connection.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        self._process.kill()
        self._process.wait()

    def __del__(self) -> None:
        with suppress(Exception):  # Python may be on its way out
            self.stop()


_servers = threading.local()  # a request at a time: threads, which Dask's workers have, each need their own


def _ask(request: Request) -> Ending:
    start_fit_server()
    server: _FitServer = _servers.own
    try:
        return server.run(request)
    except (EOFError, OSError):  # it was killed itself, and its child with it
        stop_fit_server()
        return Ending("signal", signal.SIGKILL)
    except BaseException:
        stop_fit_server()  # an answer nobody waits for must not be taken for the next one
        raise


def stop_fit_server() -> None:
    """End this thread's fit server, if it has one, and what it runs."""
    server: _FitServer | None = getattr(_servers, "own", None)
    _servers.own = None
    if server is not None:
        server.stop()


def _explain(ending: Ending, request: Request) -> str:
    match ending.how:
        case "time":
            return f"was killed after {request.time_s:g} s, its time_limit_s; raise it, or make the candidate cheaper"
        case "memory":
            return (
                f"was killed at {ending.memory_mb:.0f} MiB, above its memory_limit_mb of {request.memory_mb}; "
                "raise it, or make the candidate smaller"
            )
        case "exit":
            return f"its process ended by itself with exit code {ending.code}; change its parameters, or remove it"
    number = signal.Signals(ending.code)
    return f"its process was killed by {number.name} ({_CAUSES.get(number, 'from outside; run again')})"
