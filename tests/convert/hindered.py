"""A process that makes a table twice, hindered the second time: by a limit on what it may write, or on where.

It takes the data folder and `full` or `read-only`, and prints the sentence that the second time ends in.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path

from tasks.convert import tasks as convert_tasks
from tasks.core.outcome import Failed
from tasks.core.storage import DataFolder
from tests.convert.conftest import files_source

_LIMIT_BYTES = 4096
_NOBODY = 65534


def make(root: Path) -> str:
    """Return what becomes of the source `rows`, without Prefect."""
    work = convert_tasks.convert_source("rows", files_source(), DataFolder(root), fresh=False, allow_partial=False)
    outcome = asyncio.run(work)
    return outcome.message if isinstance(outcome, Failed) else str(outcome)


def main() -> None:
    """Make the table, then add a file and make it again with no room, or no right, to write."""
    root, how = Path(sys.argv[1]), sys.argv[2]
    convert_tasks.convert_files = convert_tasks.convert_files.fn  # type: ignore[assignment]
    convert_tasks.commit_converted = convert_tasks.commit_converted.fn  # type: ignore[assignment]
    make(root)
    lines = "\n".join(f"{number},{os.urandom(8).hex()}" for number in range(5_000))
    (root / "inbox" / "b.csv").write_text(f"id,x\n{lines}\n")
    if how == "full":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (_LIMIT_BYTES, _LIMIT_BYTES))
    elif os.geteuid() == 0:
        os.setegid(_NOBODY)
        os.seteuid(_NOBODY)  # whose the data folder is not
    print(make(root))  # noqa: T201 - what it is started for


if __name__ == "__main__":
    main()
