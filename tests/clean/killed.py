"""A process that cleans data folders, each in a fork that is killed with kill -9 at one of its steps: FOLDER:STEP, one an argument.

A step is a file or folder that is renamed or removed. The number of steps that a fork came to, and
0 of one that was killed, is what is printed, one a line.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from tasks.clean.item import remove
from tasks.clean.survey import find_places
from tasks.core.storage import DataFolder

_STEPS = {"os.rename", "os.remove", "os.rmdir"}


def _clean(root: Path, last: int) -> None:
    steps = 0

    def count(event: str, _: object) -> None:
        nonlocal steps
        steps += event in _STEPS
        if steps == last:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    remove(find_places(DataFolder.at(root), datetime.now(UTC)))
    print(steps, flush=True)  # noqa: T201 - what it is started for


def main() -> None:
    """Clean one folder after the other."""
    for argument in sys.argv[1:]:
        root, _, last = argument.rpartition(":")
        child = os.fork()
        if not child:
            _clean(Path(root), int(last))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            print(0, flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main()
