"""Calls in a fork of this process, which is watched and ended at its limits; of the server, which forks one a request."""

from __future__ import annotations

import ctypes
import math
import os
import pickle
import resource
import signal
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal

from tasks.core.errors import TidemillError

# Read by the numeric libraries when they are first imported.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_WATCH_S = 0.05  # a call that allocates 2 GB/s is 100 MB beyond its limit when it is seen
_MIB = 2**20
_SPARE_MIB = 1024  # address space that allocators reserve without using it
_KILLED_FIRST = b"1000"  # where the system is out of memory, a call goes before Prefect and the user's other programs
_PR_SET_PDEATHSIG = 1

How = Literal["yielded", "answered", "raised", "time", "memory", "signal", "exit"]


@dataclass(frozen=True)
class Request:
    """One call to be made in a process of its own; `call` is pickled, and only that process reads it.

    A call that yields values has `time_s` seconds for each.
    """

    call: bytes
    time_s: float
    memory_mb: int | None = None
    preload: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ending:
    """How the process of a request ended, or that it goes on after a value it yielded; and its answer, pickled, if it gave one."""

    how: How
    code: int = 0
    answer: bytes = b""
    seconds: float = 0.0
    memory_mb: float = 0.0


def run_request(request: Request, connection: Connection) -> Generator[Ending, None, None]:
    """Yield each value that the call yields, and then how it ended; no more once nobody waits at the connection's other end."""
    before = _anonymous_bytes("self")
    reading, writing = os.pipe()
    server = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(reading)
        connection.close()
        _work(request, Connection(writing, readable=False), server)
    os.close(writing)
    with Connection(reading, writable=False) as answers:
        watch, status = _Watch(child, before, request), 0
        try:
            while (ending := watch.until_its_next(connection, answers)) == "yielded":
                yield watch.describe(ending, 0)
        finally:
            _kill(child)
            _, status = os.waitpid(child, 0)
    if ending != "closed":
        yield watch.describe(ending, status)


class _Watch:
    """The time and the memory of one child."""

    def __init__(self, child: int, before: int, request: Request) -> None:
        self._child = child
        self._before = before  # what it shares with this process, until it writes to it
        self._start = time.monotonic()
        self._request = request
        self._peak = 0
        self._answer = b""

    def until_its_next(self, connection: Connection, answers: Connection) -> str:
        """Return that the child has told a value, or why it is to be ended, if it has not ended itself."""
        deadline = self._start + self._request.time_s
        limit = (self._request.memory_mb or sys.maxsize) * _MIB
        while True:
            ready = wait([connection, answers], max(0.0, min(_WATCH_S, deadline - time.monotonic())))
            if connection in ready:  # nothing is sent meanwhile: the other end is closed
                return "closed"
            if answers in ready:
                return self._read_answer(answers)
            self._peak = max(self._peak, _anonymous_bytes(str(self._child)) - self._before)
            if self._peak > limit:
                return "memory"
            if time.monotonic() >= deadline:
                return "time"

    def _read_answer(self, answers: Connection) -> str:
        try:
            how, peak, self._answer = answers.recv()
        except (EOFError, OSError):
            return "ended"
        self._peak = max(self._peak, peak - self._before)
        return str(how)

    def describe(self, ending: str, status: int) -> Ending:
        """Return how the child ended, or went on; its time then begins anew."""
        seconds = time.monotonic() - self._start
        memory = math.ceil(10 * self._peak / _MIB) / 10  # up: what has passed a limit is not told as the limit
        self._start += seconds
        if ending == "ended":
            code = os.waitstatus_to_exitcode(status)  # below zero for a signal
            return Ending("signal" if code < 0 else "exit", abs(code), b"", seconds, memory)
        how: Any = ending
        return Ending(how, 0, self._answer, seconds, memory)


def _work(request: Request, writer: Connection, server: int) -> None:
    """Make the call in this fork, send what it yields and its answer, and end."""
    try:
        os.setpgid(0, 0)  # what the call itself may start is ended with it
        end_with_parent(server)
        _limit_memory(request.memory_mb)
        for how, answer in _call(request):
            with suppress(AttributeError, OSError):  # nobody may read it
                sys.stdout.flush()
            writer.send((how, _peak_bytes(), answer))
    except SystemExit as error:  # with the code that Python itself would end with
        os._exit(error.code & 0xFF if isinstance(error.code, int) else int(error.code is not None))
    finally:
        os._exit(1)


def _call(request: Request) -> Iterator[tuple[How, bytes]]:
    try:
        if request.extensions:
            import_module("tasks.config.kinds").add_extensions(request.extensions)
        path, arguments = pickle.loads(request.call)  # noqa: S301 - from our own parent, through a pipe
        module, _, name = path.partition(":")
        answer = getattr(import_module(module), name)(*arguments)
        if isinstance(answer, Iterator):
            yield from (("yielded", pickle.dumps(value)) for value in answer)
            answer = None
        yield "answered", pickle.dumps(answer)
    except MemoryError as error:
        said = " ".join(str(error).split()).rstrip(".") or "asked for more than there is"
        cure = (
            f", within its memory_limit_mb of {request.memory_mb}; raise it" if request.memory_mb else "; give it more"
        )
        yield "raised", pickle.dumps(f"MemoryError: {said[:300]}{cure}, or make it smaller")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told where it was asked for
        told = " ".join(str(error).split()).rstrip(".") or "no reason given"
        kind = "" if isinstance(error, TidemillError) else f"{type(error).__name__}: "
        yield "raised", pickle.dumps(f"{kind}{told[:300]}")


def end_with_parent(parent: int) -> None:
    """Have the system kill this process when its parent's thread that started it ends, however it does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def _limit_memory(memory_mb: int | None) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_bytes(_KILLED_FIRST)
    used = _status("self", "VmData")
    if memory_mb and used:
        # Beside the watch, for what asks for far more at once: allocators reserve what they may never use.
        most = used + (2 * memory_mb + _SPARE_MIB) * _MIB
        resource.setrlimit(resource.RLIMIT_DATA, (most, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def _kill(child: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(child, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)


def _peak_bytes() -> int:
    """Return the most memory of its own that this process can be shown to have had: mapped files are not counted."""
    return max(_anonymous_bytes("self"), _status("self", "VmHWM") - _status("self", "RssFile"))


def _anonymous_bytes(process: str) -> int:
    return _status(process, "RssAnon", "RssShmem")


def _status(process: str, *names: str) -> int:
    """Return the sum of figures of a process in bytes; 0 where the system does not tell, or the process has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    figures = dict(line.split(":", 1) for line in lines)
    return sum(int(figures[name].split()[0]) * 1024 for name in names if name in figures)
