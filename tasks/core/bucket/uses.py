"""Which units of a mirror the processes that live use: none of these is removed to make room.

Each process has a file of what it uses, and holds a lock beside it, which the system lets
go of however the process ends.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from threading import Lock
from uuid import uuid4

from filelock import FileLock, Timeout

from tasks.core.bucket.files import KEPT
from tasks.core.bucket.units import Unit


class Uses:
    """What this process uses of a mirror, as long as it lives, and what all do."""

    def __init__(self, root: Path) -> None:
        self._folder = root / KEPT / "uses"
        self._own = self._folder / f"{os.getpid()}-{uuid4().hex}.txt"
        self._units: set[Unit] = set()
        self._held: FileLock | None = None
        self._adding = Lock()

    def add(self, unit: Unit) -> None:
        """Have a unit stay on this machine as long as this process lives."""
        with self._adding:
            if unit in self._units:
                return
            if self._held is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                held = FileLock(self._own.with_suffix(".lock"), thread_local=False)
                held.acquire()
                self._held = held
            with self._own.open("a", encoding="utf-8") as file:
                file.write(f"{unit}\n")
            self._units.add(unit)

    def read(self) -> set[str]:
        """Return what is used, each unit as it is written; what processes that are gone have left is removed."""
        used: set[str] = set()
        for path in self._folder.glob("*.txt"):
            lock = path.with_suffix(".lock")
            try:
                with FileLock(lock).acquire(blocking=False):
                    path.unlink(missing_ok=True)
                    lock.unlink(missing_ok=True)
            except Timeout:
                with suppress(FileNotFoundError):
                    used |= set(path.read_text(encoding="utf-8").splitlines())
        return used
