"""Calls in a process of their own that is ended at its limits, and whose end, however it comes, is told in a sentence."""

from __future__ import annotations

import itertools
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from asyncio import CancelledError, to_thread
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tasks.core.child_process import own_path
from tasks.core.isolation.process import THREAD_VARIABLES, Ending, How, Request
from tasks.core.outcome import Failed, Outcome
from tasks.core.scratch import SHORT, make_scratch

_SERVE = "from tasks.core.isolation.server import main; main()"  # not -m: what it sends would be of a module __main__
_SOCKET = "calls"
_STOP_S = 5.0
_TRIES = 2  # of a call whose server was killed, and its process with it
_LOOKS_S = 1.0
_DYING_S = 0.5  # a server that was killed is connected to for a moment longer, until its last thread has ended
_ADDRESS_BYTES = 100  # of a socket: Linux has room for 107 and macOS for 103
_CAUSES = {
    signal.SIGKILL: "by hand, or by the system for want of memory; set memory_limit_mb, or run again",
    signal.SIGSEGV: "a crash in native code; change what it does, or remove it",
}

stopping = threading.Event()
"""Set once the workers are to end; whoever loses one then, or what it runs, does not start another."""


@dataclass(frozen=True)
class Call:
    """What a call came to, and what it took."""

    outcome: Outcome[Any]
    seconds: float
    memory_mb: float
    ended: How


def run_isolated(
    function: str,
    *arguments: object,
    time_s: float,
    memory_mb: int | None = None,
    preload: tuple[str, ...] = (),
    extensions: tuple[str, ...] = (),
    look: Callable[[], None] | None = None,
) -> Call:
    """Return what comes of a function, named as `module:function`, called in a process of its own.

    This process does not import the module. The other one is killed after `time_s` seconds, or when it holds more than
    `memory_mb` MiB of its own. `preload` names modules that are imported, and functions
    `module:function` that are called, once for all calls; `extensions` are known there by their paths.
    `look` is called every second meanwhile; what it raises ends the call.
    """
    request = Request(pickle.dumps((function, arguments)), time_s, memory_mb, preload, extensions)
    return next(_call(ending, request) for ending in _endings(request, look))


def each_isolated(
    function: str,
    *arguments: object,
    time_s: float,
    memory_mb: int | None = None,
    preload: tuple[str, ...] = (),
    extensions: tuple[str, ...] = (),
    look: Callable[[], None] | None = None,
) -> Iterator[Call]:
    """Yield each value that a function yields, called as by `run_isolated`, in one process for all of them.

    Each has `time_s` seconds of its own. Where the process does not come to its end, that is the last call.
    """
    request = Request(pickle.dumps((function, arguments)), time_s, memory_mb, preload, extensions)
    for ending in _endings(request, look):
        if ending.how != "answered":
            yield _call(ending, request)


def _call(ending: Ending, request: Request) -> Call:
    outcome = pickle.loads(ending.answer) if ending.answer else None  # noqa: S301 - our own child's
    if ending.how not in ("answered", "yielded"):
        outcome = Failed(str(outcome) if ending.how == "raised" else _explain(ending, request))
    return Call(outcome, ending.seconds, ending.memory_mb, ending.how)


class CallServer:
    """The process that has imported what calls need, for every worker that calls at `address`; it is not waited for.

    It ends, and what it runs, when this process does, however it does. `preload` names
    modules that it imports, and functions `module:function` that it calls, before the first.
    `environment` is what it has beside this process's.
    """

    def __init__(self, preload: Iterable[str] = (), environment: Mapping[str, str] = MappingProxyType({})) -> None:
        self._folder = _make_folder()
        self.address = str(self._folder / _SOCKET)
        ours, theirs = socket.socketpair()
        with theirs, socket.socket(socket.AF_UNIX) as calls:
            calls.bind(self.address)
            calls.listen()
            passed = [calls.fileno(), theirs.fileno()]
            command = [
                sys.executable,
                "-P",
                "-c",
                _SERVE,
                *map(str, passed),
                *preload,
            ]  # -P: modules from where ours are
            whole = {
                **os.environ,
                **dict.fromkeys(THREAD_VARIABLES, "1"),
                "PYTHONPATH": own_path(),
                **environment,
            }
            self._process = subprocess.Popen(command, pass_fds=passed, env=whole)  # noqa: S603 - ours
        self._end = ours

    @property
    def is_running(self) -> bool:
        """Return whether it has not ended."""
        return self._process.poll() is None

    def stop(self, *, at_once: bool = False) -> None:
        """End the server and what it runs; at once where it runs nothing, and may still be importing."""
        self._end.close()
        if at_once:
            self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)  # it does so itself, unless it was killed

    def __del__(self) -> None:
        with suppress(Exception):  # Python may be on its way out
            self.stop()


def _make_folder() -> Path:
    """Return a new folder that only its owner enters, where the address of a socket has room for its path."""
    folder = make_scratch(_SOCKET)
    if len(os.fsencode(folder / _SOCKET)) <= _ADDRESS_BYTES:
        return folder
    folder.rmdir()
    return make_scratch(_SOCKET, SHORT)


class _Servers:
    """Where this process has its calls run: at the server it was told of, else at one of its own."""

    def __init__(self) -> None:
        self.serve: Callable[[], str] | None = None
        self._own: CallServer | None = None
        self._is_called = False
        self._blocks = 0
        self._ends_with_blocks = False
        self._lock = threading.Lock()
        self._threads = threading.local()  # one request at a time: Dask's workers have threads

    def connection(self, preload: Iterable[str]) -> Connection:
        """Return this thread's connection; a server of our own begins with what is to be preloaded."""
        known: Connection | None = getattr(self._threads, "connection", None)
        if known is None:
            known = self._threads.connection = self._call(preload)
        return known

    def _call(self, preload: Iterable[str]) -> Connection:
        caller = socket.socket(socket.AF_UNIX)
        apart: str | None = getattr(self._threads, "apart", None)
        if apart is not None:
            caller.connect(apart)
            return Connection(caller.detach())
        if self.serve is not None:
            with suppress(OSError):  # it has ended, and nobody begins another
                caller.connect(self.serve())
                return Connection(caller.detach())
        own, self._is_called = self.start(preload), True
        caller.connect(own.address)
        return Connection(caller.detach())

    def call_apart(self, address: str | None) -> None:
        """Have this thread's calls run by the server at an address, and by no other, until it is told of none."""
        self.disconnect()
        self._threads.apart = address

    def start(self, preload: Iterable[str]) -> CallServer:
        """Return the process's own server; one that begins now imports what is to be preloaded."""
        with self._lock:
            if stopping.is_set():
                raise CancelledError
            if self._own is None or not self._own.is_running:
                self._own = CallServer(preload)
            return self._own

    @property
    def is_running(self) -> bool:
        """Return whether the process has a server of its own."""
        return self._own is not None and self._own.is_running

    def enter_block(self) -> None:
        """Begin a block of `calls_end`; of those that overlap, the last to be left ends what one of them began."""
        with self._lock:
            if not self._blocks:
                self._ends_with_blocks = not self.is_running
            self._blocks += 1

    def leave_block(self) -> Callable[[], None] | None:
        """End a block of `calls_end`; return what stops the process's own server, if that ends with it: the next block begins another."""
        with self._lock:
            self._blocks -= 1
            if self._blocks or not self._ends_with_blocks or self._own is None:
                return None
            own, self._own = self._own, None
            is_called, self._is_called = self._is_called, False
        return partial(own.stop, at_once=not is_called)

    def disconnect(self) -> None:
        """End what runs for this thread."""
        known: Connection | None = getattr(self._threads, "connection", None)
        self._threads.connection = None
        if known is not None:
            known.close()

    def stop(self) -> None:
        """End what runs for this thread, and the process's own server, if it has one."""
        self.disconnect()
        with self._lock:
            own, self._own = self._own, None
            is_called, self._is_called = self._is_called, False
        if own is not None:
            own.stop(at_once=not is_called)


_servers = _Servers()


def call_at(server: Callable[[], str]) -> None:
    """Have this process's calls run by the server whose address this returns; it is asked before each thread's first."""
    _servers.serve = server


def call_no_longer(server: Callable[[], str]) -> None:
    """Have this process's calls no longer run by a server that ends; where all are to end, none begins at another."""
    if _servers.serve == server:
        _servers.serve = None
    if stopping.is_set():
        _servers.stop()


def start_call_server(preload: Iterable[str]) -> None:
    """Start this process's own server, unless it has one: what it imports, the first call need not wait for."""
    _servers.start(preload)


def leave_call_server() -> None:
    """End what runs for this thread; the process's own server stays for those that call later."""
    _servers.disconnect()


@contextmanager
def with_other_hashes() -> Iterator[None]:
    """Have this thread's calls run by a Python that orders sets of texts otherwise than that of the calls before.

    A Python with a seed of its own, as Dask leaves one in the environment of whoever starts a worker, would not.
    """
    known = os.environ.get("PYTHONHASHSEED", "")
    server = CallServer(environment={"PYTHONHASHSEED": "2" if known == "1" else "1"})
    try:
        _servers.call_apart(server.address)
        yield
    finally:
        _servers.call_apart(None)
        server.stop()


def stop_call_server() -> None:
    """End this process's own server, if it has one, and what it runs."""
    _servers.stop()


@asynccontextmanager
async def calls_end() -> AsyncIterator[None]:
    """Have this process's own server, if the block begins one, end with it; one that runs already is another's.

    Of blocks that overlap, as in a Dask worker of several threads, the last to be left ends it.
    """
    _servers.enter_block()
    try:
        yield
    finally:
        if (stop := _servers.leave_block()) is not None:
            await to_thread(stop)


def _endings(request: Request, look: Callable[[], None] | None = None) -> Iterator[Ending]:
    """Yield what a request yields, and how it ended; where its server was killed, another one is asked, as the call was not to blame."""
    yielded = 0
    for _ in range(_TRIES):
        try:
            connection = _servers.connection(request.preload)
            connection.send(request)
            for number in itertools.count():
                ending = _receive(connection, look)
                if ending.how != "yielded":
                    break
                if number >= yielded:  # the server before has told the others
                    yielded += 1
                    yield ending
        except (EOFError, OSError):
            _servers.disconnect()
            if stopping.is_set():
                raise CancelledError from None
            time.sleep(_DYING_S)
        except BaseException:
            _servers.disconnect()  # an answer nobody waits for must not be taken for the next one
            raise
        else:
            yield ending
            return
    yield Ending("signal", signal.SIGKILL)


def _receive(connection: Connection, look: Callable[[], None] | None) -> Ending:
    while look is not None and not connection.poll(_LOOKS_S):
        look()
    ending: Ending = connection.recv()
    return ending


def _explain(ending: Ending, request: Request) -> str:
    match ending.how:
        case "time":
            return f"was killed after {request.time_s:g} s, its time_limit_s; raise it, or make it cheaper"
        case "memory":
            return (
                f"was killed at {ending.memory_mb:.1f} MiB, above its memory_limit_mb of {request.memory_mb}; "
                "raise it, or make it smaller"
            )
        case "exit":
            return f"its process ended by itself with exit code {ending.code}; change what it does, or remove it"
    number = signal.Signals(ending.code)
    return f"its process was killed by {number.name} ({_CAUSES.get(number, 'from outside; run again')})"
