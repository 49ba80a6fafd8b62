"""For how long a cluster has had no worker: a run waits for one so long, and then fails."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from tasks.config.runners import RemoteRunner
from tasks.core.errors import RunnerError
from tasks.core.story import tell, warn

LOOKS_EVERY_S = 5.0
WAITS_S = 300.0
"""A machine that is started anew, or that a cluster adds, is there by then."""


class Absence:
    """The time without a worker of a runner, looked at by all that wait for what workers do."""

    def __init__(self, runner: RemoteRunner) -> None:
        self._runner = runner
        self._lock = Lock()
        self._looked_at = 0.0
        self._since: float | None = None

    def look(self, opened: Any) -> None:
        """Look whether a worker is there, unless another has looked just now.

        Raises:
            RunnerError: none has been for too long.

        """
        with self._lock:
            now = time.monotonic()
            if now - self._looked_at < LOOKS_EVERY_S / 2:  # of many that wait one looks
                return
            self._looked_at = now
            try:
                number = self._runner.count_workers(opened)
            except Exception:  # noqa: BLE001 - of a cluster that is gone, which is told by what it was to do
                return
            self._note(now, is_there=number != 0)

    def _note(self, now: float, *, is_there: bool) -> None:
        where, cure = self._runner.place
        if is_there:
            if self._since is not None:
                tell(f"a worker is at {where} again, after {now - self._since:.0f} s")
            self._since = None
        elif self._since is None:
            self._since = now
            until = datetime.now(UTC).astimezone() + timedelta(seconds=WAITS_S)
            warn(
                f"no worker is left at {where}; the run goes on if one is there by {until:%H:%M:%S}, within {WAITS_S:.0f} s, "
                "and fails then"
            )
        elif now - self._since > WAITS_S:
            raise RunnerError(f"runner: no worker has been at {where} for {WAITS_S:.0f} s; {cure}, and run again")
