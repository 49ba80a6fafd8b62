"""The cluster that a run has for itself ends with Ctrl-C as the run does: nothing but the run is told."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tasks.runners.local_cluster import LOCAL

_HOLD = """
import sys
from tasks.runners.local_cluster import LOCAL
if __name__ == "__main__":
    with LOCAL.held():
        print(LOCAL.address(1), flush=True)
        sys.stdin.read()
"""


def ignores_ctrl_c(process: int) -> bool:
    """Return whether a process blocks or ignores SIGINT; also one that has just ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    masks = [int(mask, 16) for mask in re.findall(r"^Sig(?:Blk|Ign):\s*(\w+)", status, re.MULTILINE)]
    return any(mask & 1 << signal.SIGINT - 1 for mask in masks)


def test_no_process_of_it_sees_ctrl_c_from_its_first_moment_on() -> None:
    """A worker imports for seconds: its traceback would stand in the terminal of who ends a run that has just begun."""
    with subprocess.Popen([sys.executable, "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        os.set_blocking(run.stdout.fileno(), False)
        heeding, seen = set[int](), set[int]()
        while not run.stdout.read(1) and run.poll() is None:
            for child in psutil.Process(run.pid).children(recursive=True):
                seen.add(child.pid)
                if not ignores_ctrl_c(child.pid):
                    heeding.add(child.pid)
        run.communicate()

    assert seen
    assert heeding == set()


def test_what_dask_says_of_its_end_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """By the run's own log, to which what Dask finds critical went: the run tells what becomes of its workers."""
    with LOCAL.held():
        LOCAL.address(1)
        logging.getLogger("distributed.scheduler").critical("Closed comm")
    logging.getLogger("distributed.scheduler").critical("of another cluster")

    assert caplog.messages == ["of another cluster"]
