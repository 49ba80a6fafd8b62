"""Child processes that never outlive the program that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

_STOP_S = 5.0


def start_child(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None, stderr: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """Start `python -m module` as a child that ends when this process does.

    The child holds the reading end of a pipe and must call `exit_with_parent`;
    what it says first, on standard output, `first_line` returns. It has a session
    of its own: a Ctrl-C in the terminal reaches this process alone, which then
    ends its children in the right order. Its modules come from where this
    process has its own: not from the folder that it is started in.
    """
    return subprocess.Popen(  # noqa: S603 - our own modules
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={**os.environ, "PYTHONPATH": own_path(), **(environment or {})},
        start_new_session=True,
    )


def own_path() -> str:
    """Return from where this process has its modules, as PYTHONPATH tells it to a child."""
    return os.pathsep.join(str(Path(path).absolute()) for path in sys.path)


def first_line(child: subprocess.Popen[bytes]) -> str:
    """Return the first line a child prints; empty when it ends without one."""
    return child.stdout.readline().decode().strip() if child.stdout else ""


def stop_child(child: subprocess.Popen[bytes]) -> None:
    """End a child: ask first, kill what does not listen."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    for pipe in (child.stdin, child.stdout):
        with suppress(BrokenPipeError):  # of what it was given and has not read
            if pipe:
                pipe.close()


def exit_with_parent() -> None:
    """End this process when the standard input it was given reaches its end: the parent is gone."""
    threading.Thread(target=_watch_parent, name="exit-with-parent", daemon=True).start()


def _watch_parent() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
