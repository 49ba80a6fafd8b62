"""Scratch: folders that go with the process that made them, in the system's folder of temporary files.

Each has the number of its process in its name. What a process that was killed has left there is removed by whoever
needs such a folder next, by the next run and by `clean`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir, mkdtemp

from tasks.core.storage import is_leftover

SHORT = Path("/tmp")  # noqa: S108 - where a path is short enough to be the address of a socket
_PREFIX = ".tidemill-"


@contextmanager
def scratch(purpose: str) -> Iterator[Path]:
    """Yield a new folder, which only its owner enters and which is gone when the block ends."""
    folder = make_scratch(purpose)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_scratch(purpose: str, place: Path | None = None) -> Path:
    """Return a new folder, which only its owner enters, below `place` if it is given; who asks for it removes it."""
    sweep_scratch()
    return Path(mkdtemp(prefix=f"{_PREFIX}{purpose}-", suffix=f".{os.getpid()}.part", dir=place))


def sweep_scratch() -> None:
    """Remove the folders of processes that were killed."""
    for place in {Path(gettempdir()), SHORT}:
        for folder in place.glob(f"{_PREFIX}*.part"):
            if is_leftover(folder):
                shutil.rmtree(folder, ignore_errors=True)  # another user's stays, and a link is none
