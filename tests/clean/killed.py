"""A process that cleans data folders, each in a fork: the first to its end, the others killed with kill -9, evenly over the steps of that.

A step is a file or folder that is renamed or removed. What is printed of each fork is how many steps it came to,
or -9 of one that was killed.
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


def _clean(root: Path, last: int) -> int:
    """Clean a folder, in a fork that is killed before its step `last`, and return how that ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    steps = 0

    def count(event: str, _: object) -> None:
        nonlocal steps
        if event in _STEPS:
            steps += 1
            if steps == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    remove(find_places(DataFolder.at(root), datetime.now(UTC)))
    os._exit(steps)


def main() -> None:
    """Clean one folder after the other."""
    whole, *roots = map(Path, sys.argv[1:])
    steps = _clean(whole, -1)
    ended = [_clean(root, 1 + place * steps // len(roots)) for place, root in enumerate(roots)]
    print(steps, *ended)  # noqa: T201 - what it is started for


if __name__ == "__main__":
    main()
