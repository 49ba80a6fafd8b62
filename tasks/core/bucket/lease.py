"""A lease in a bucket: one run of a pipeline at a time, whichever machines they are on.

It is an object that its holder replaces by a conditional put every few seconds. Who
finds it the same for as long as no holder leaves it takes it over, so that a run that
was killed holds nobody up for long; on its own machine it is seen to be gone at once.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import msgspec

from tasks.core.bucket.snapshot import SNAPSHOTS
from tasks.core.bucket.store import Store, SupersededError, Tag
from tasks.core.errors import StoreError

RENEWED_EVERY_S = 10.0
LEFT_AFTER_S = 45.0
"""After so long without a sign its holder is gone: four signs, and the time that a store may take to answer."""
_SURELY_LEFT = timedelta(minutes=10)  # by the clock of this machine, which is not that of the store


class _Held(msgspec.Struct, frozen=True):
    """Who holds a lease; nobody where `host` is empty. `sign` is another one each time it is written."""

    host: str = ""
    place: str = ""
    pid: int = 0
    holder: str = ""
    sign: float = 0.0
    written_at: str = ""


class Lease:
    """The lease of a name in a bucket, for one run; `lives` tells of a number whether a process of this machine has it."""

    def __init__(self, store: Store, name: str, holder: str, lives: Callable[[int], bool]) -> None:
        self._store = store
        self._lives = lives
        self._key = f"{SNAPSHOTS}/turns/{name}.json"
        self._holder = holder
        self._place = _place()
        self._tag = Tag()
        self._seen: tuple[Tag, float] = Tag(), 0.0
        self._ended = Event()
        self._renewing: Thread | None = None
        self.held_by = ""
        """The run that has it, in a few words, as it was last looked at."""

    def take(self) -> bool:
        """Take the lease if it is nobody's any more; return whether it is taken.

        Raises:
            StoreError: the bucket cannot be read or written.

        """
        found = self._store.read(self._key)
        assert found != "same", "no version was told"
        data, tag = found or (b"{}", Tag())
        if not self._is_left(_read(data), tag):
            return False
        try:
            self._tag = self._store.replace(self._key, self._written(), tag)
        except SupersededError:  # another run was faster
            return False
        self._renewing = Thread(target=self._renew, name=f"lease of {self._key}", daemon=True)
        self._renewing.start()
        return True

    def give_back(self) -> None:
        """Let the next run have it; one that cannot be told so finds it left."""
        if self._renewing is None:
            return
        self._ended.set()
        self._renewing.join()
        self._renewing = None
        with suppress(StoreError, SupersededError):
            self._store.replace(self._key, msgspec.json.encode(_Held()), self._tag)

    def _is_left(self, held: _Held, tag: Tag) -> bool:
        self.held_by = held.holder
        if not held.host:
            return True
        if held.place == self._place:
            return not self._lives(held.pid)
        if self._seen[0] != tag:
            self._seen = tag, time.monotonic()
        is_old = datetime.now(UTC) - datetime.fromisoformat(held.written_at) > _SURELY_LEFT
        return is_old or time.monotonic() - self._seen[1] > LEFT_AFTER_S

    def _renew(self) -> None:
        while not self._ended.wait(RENEWED_EVERY_S):
            try:
                self._tag = self._store.replace(self._key, self._written(), self._tag)
            except SupersededError:  # taken over, as the store was away: commits are conditional all the same
                return
            except StoreError:
                continue

    def _written(self) -> bytes:
        now = datetime.now(UTC).isoformat()
        return msgspec.json.encode(
            _Held(socket.gethostname(), self._place, os.getpid(), self._holder, time.time(), now)
        )


def _read(data: bytes) -> _Held:
    try:
        return msgspec.json.decode(data, type=_Held)
    except msgspec.DecodeError:
        return _Held()


def _place() -> str:
    """Return where numbers of processes mean the same: a machine, and in it a container."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    return socket.gethostname()
