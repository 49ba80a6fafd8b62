"""A process that dies at a chosen step of its work on files, played in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

_STEPS = ("fsync", "replace", "unlink")
_FSYNC = os.fsync


class Crash(BaseException):
    """The process is dead: from here on none of its steps comes to pass."""


@dataclass
class Steps:
    """The steps that were taken, and the one at which the process dies."""

    fatal: int | None
    taken: int = 0

    def counted(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return a step that is counted, and not taken by the dead."""

        def take(*arguments: Any, **options: Any) -> Any:
            if self.taken == self.fatal:
                raise Crash
            self.taken += 1
            return None if step is _FSYNC else step(*arguments, **options)  # the disk is not what dies

        return take


@contextmanager
def crashing(at: int | None = None) -> Iterator[Steps]:
    """Die before step `at` of what changes files, counted from 0, where there is one; what dies leaves the block."""
    steps = Steps(at)
    with pytest.MonkeyPatch.context() as patch:
        for name in _STEPS:
            patch.setattr(os, name, steps.counted(getattr(os, name)))
        with suppress(Crash):
            yield steps
