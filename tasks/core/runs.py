"""What a data folder knows of its runs: who began which, how each ended, and whose turn it is.

`runs/<id>/run.json` tells of a run; as long as its process lives it holds a lock beside
it, which the system lets go of however the process ends. So a run that has not ended
and holds no lock was killed. `runs/.<pipeline>.lock` is held by the run whose turn it is,
and so is a lease in the bucket of a data folder that is in one.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from tasks.core.bucket.lease import Lease
from tasks.core.bucket.opened import mirror_of
from tasks.core.storage import DataFolder, commit_json, json_reader, process_lives

End = Literal["completed", "partial", "failed", "interrupted", "skipped", "killed"]


@dataclass(frozen=True)
class Asked:
    """What a run was asked for: the pipeline file, None where it was given a pipeline itself, and its options."""

    file: str | None
    only: str | None = None
    fresh: bool = False
    partitions: str | None = None
    limit: int | None = None


@dataclass(frozen=True)
class BegunRun:
    """A run, from its begin on; `end` is how it ended, None as long as nobody has written it."""

    flow_run_id: str
    pipeline: str
    asked: Asked
    host: str
    pid: int
    began: str
    end: End | None = None

    @classmethod
    def here(cls, flow_run_id: str, pipeline: str, asked: Asked) -> BegunRun:
        """Return a run that begins now, in this process."""
        return cls(flow_run_id, pipeline, asked, socket.gethostname(), os.getpid(), datetime.now(UTC).isoformat())

    def __str__(self) -> str:
        """Return it in a few words, as a person looks for it."""
        began = datetime.fromisoformat(self.began).astimezone()
        return (
            f"{self.flow_run_id} of {self.pipeline}, begun {began:%d %b %H:%M:%S} (process {self.pid} on {self.host})"
        )

    @property
    def is_of_here(self) -> bool:
        """Return whether it ran on this machine, so that its lock tells whether it lives."""
        return self.host == socket.gethostname()


_read_run = json_reader(BegunRun)


def keep_run(folder: DataFolder, run: BegunRun) -> None:
    """Write what is known of a run."""
    commit_json(_file(folder, run.flow_run_id), asdict(run))


def end_run(folder: DataFolder, run: BegunRun, end: End) -> None:
    """Write how a run ended."""
    keep_run(folder, replace(run, end=end))


def read_runs(folder: DataFolder) -> list[BegunRun]:
    """Return the runs of a data folder, the last begun first."""
    found = filter(None, map(_read_run, (folder.root / "runs").glob("*/run.json")))
    return sorted(found, key=lambda run: run.began, reverse=True)


def find_run(folder: DataFolder, pid: int, since: datetime) -> BegunRun | None:
    """Return the run that a process of this machine has begun since a time; an earlier one may have had its number."""
    found = (run for run in read_runs(folder) if run.is_of_here and run.pid == pid)
    return next((run for run in found if datetime.fromisoformat(run.began) >= since), None)


@contextmanager
def alive(folder: DataFolder, run: BegunRun) -> Iterator[None]:
    """Have others see that a run lives while the block runs."""
    home = folder.run(run.flow_run_id)
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".lock", thread_local=False):
        keep_run(folder, run)
        yield


def is_alive(folder: DataFolder, run: BegunRun) -> bool:
    """Return whether the process of a run lives; of another machine's, where the locks of the file system reach it."""
    lock = FileLock(folder.run(run.flow_run_id) / ".lock")
    try:
        with lock.acquire(blocking=False):
            return False
    except Timeout:
        return True


def find_killed(folder: DataFolder) -> list[BegunRun]:
    """Return the runs of this machine that have not ended and whose process is gone."""
    return [run for run in read_runs(folder) if run.is_of_here and is_killed(folder, run)]


def find_untold(folder: DataFolder, run: BegunRun) -> BegunRun | None:
    """Return the last of a pipeline's runs before this one, where it did not complete and its process is gone: the server may not know how it ended, if it was gone too."""
    before = (each for each in read_runs(folder) if each.pipeline == run.pipeline and each.began < run.began)
    last = next(before, None)
    if last is None or last.end not in ("failed", "interrupted") or not last.is_of_here or process_lives(last.pid):
        return None
    return last


def is_killed(folder: DataFolder, run: BegunRun) -> bool:
    """Return whether the process of a run is gone and has not written how it ended, which it may have since it was read."""
    if run.end is not None or is_alive(folder, run):
        return False
    now = _read_run(_file(folder, run.flow_run_id))
    return now is not None and now.end is None


class Turn:
    """The turn of a run among those of its pipeline in its data folder."""

    def __init__(self, folder: DataFolder, run: BegunRun) -> None:
        runs = folder.root / "runs"
        self.folder = folder
        self._lock = FileLock(runs / f".{run.pipeline}.lock", thread_local=False)
        self._holder = runs / f".{run.pipeline}.turn.json"
        self.run = run
        mirror = mirror_of(folder.root)
        self._lease = Lease(mirror.store, run.pipeline, str(run), process_lives) if mirror else None

    def take(self) -> bool:
        """Take the turn if it is nobody's, of a bucket also of another machine's run; return whether it is taken.

        Raises:
            StoreError: the bucket cannot be read or written.

        """
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        is_taken = False
        try:
            is_taken = self._lease is None or self._lease.take()
        finally:
            if not is_taken:
                self._lock.release()
        if is_taken:
            commit_json(self._holder, asdict(self.run))
        return is_taken

    @property
    def is_held(self) -> bool:
        """Return whether it is certain that a run has the turn: one of another machine may have been killed."""
        return self._lease is None or not self._lease.held_by or self._lease.is_certain

    @property
    def holder(self) -> str:
        """Return the run whose turn it is, in a few words."""
        if self._lease is not None and self._lease.held_by:
            return self._lease.held_by
        run = _read_run(self._holder)
        return str(run) if run else "which is just beginning"

    def give_back(self) -> None:
        """Let the next run have its turn."""
        if self._lease is not None:
            self._lease.give_back()
        self._lock.release()


def _file(folder: DataFolder, flow_run_id: str) -> Path:
    return folder.run(flow_run_id) / "run.json"
