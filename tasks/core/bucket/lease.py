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
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import msgspec

from tasks.core.bucket.snapshot import SNAPSHOTS
from tasks.core.bucket.store import Store, SupersededError, Tag
from tasks.core.errors import StoreError

RENEWED_EVERY_S = 10.0
LEFT_AFTER_S = 45.0
"""After so long without a sign its holder is gone: four signs, and the time that a store may take to answer."""
_LOOK_S = 2.0


class _Held(msgspec.Struct, frozen=True):
    """Who holds a lease; nobody where `host` is empty. `sign` is another one each time it is written."""

    host: str = ""
    place: str = ""
    pid: int = 0
    holder: str = ""
    sign: str = ""


class Lease:
    """The lease of a name in a bucket, for one run; `lives` tells of a number whether a process of this machine has it."""

    def __init__(self, store: Store, name: str, holder: str, lives: Callable[[int], bool]) -> None:
        self._store = store
        self._lives = lives
        self._key = f"{SNAPSHOTS}/turns/{name}.json"
        self._holder = holder
        self._place = _place()
        self._tag = Tag()
        self._seen, self._unchanged_s, self._looked_at = "", 0.0, 0.0
        self._ended = Event()
        self._renewing: Thread | None = None
        self.held_by = ""
        """The run that has it, in a few words, as it was last looked at."""
        self.is_certain = False
        """Whether a sign of its holder has come since it was first looked at: it lives."""

    def take(self) -> bool:
        """Take the lease if it is nobody's any more; return whether it is taken.

        Raises:
            StoreError: the bucket cannot be read or written.

        """
        found = self._store.read(self._key)
        assert found != "same", "no version was told"
        data, tag = found or (b"{}", Tag())
        if not self._is_left(_read(data)):
            return False
        if not self._write(tag):  # another run was faster
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

    @property
    def is_renewing(self) -> bool:
        """Return whether the lease is held, and signs are written of it."""
        return self._renewing is not None and self._renewing.is_alive()

    def _is_left(self, held: _Held) -> bool:
        self.held_by = held.holder
        if not held.host:
            return True
        if held.place == self._place and not self._lives(held.pid):
            return True
        now = time.monotonic()
        self.is_certain = self.is_certain or (bool(self._seen) and self._seen != held.sign)
        if self._seen != held.sign:
            self._seen, self._unchanged_s = held.sign, 0.0
        else:  # of a look that took longer, as the store was away, only so much counts
            self._unchanged_s += min(now - self._looked_at, _LOOK_S)
        self._looked_at = now
        return self._unchanged_s > LEFT_AFTER_S

    def _write(self, tag: Tag) -> bool:
        """Write a sign in the place of a version of the lease; return whether it stands, also where the answer was lost."""
        sign = self._written()
        try:
            self._tag = self._store.replace(self._key, sign, tag)
        except SupersededError:
            found = self._store.read(self._key)
            if found is None or found == "same" or found[0] != sign:
                return False
            self._tag = found[1]
        return True

    def _renew(self) -> None:
        while not self._ended.wait(RENEWED_EVERY_S):
            with suppress(StoreError):  # it is away, and asked again
                if not self._write(self._tag):
                    return  # taken over, as it was away for long: commits are conditional all the same

    def _written(self) -> bytes:
        held = _Held(socket.gethostname(), self._place, os.getpid(), self._holder, uuid4().hex)
        return msgspec.json.encode(held)


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
