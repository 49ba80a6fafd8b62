"""The garbage collector while much is made and little is garbage."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
from contextlib import ExitStack

import pytest

from tasks.core.garbage_collection import tuned_gc


@pytest.mark.parametrize("first_ends_first", [True, False])
def test_blocks_beside_each_other_leave_the_collector_as_it_was(*, first_ends_first: bool) -> None:
    """Sources are converted at once: the last to end, whichever it is, thaws what was frozen."""
    before, first, second = gc.get_threshold(), ExitStack(), ExitStack()
    first.enter_context(tuned_gc(before[0] * 2))
    second.enter_context(tuned_gc(before[0] * 2))
    begun = (gc.get_freeze_count() > 0, gc.get_threshold()[0] > before[0])

    ended = [first, second] if first_ends_first else [second, first]
    ended[0].close()
    between = (gc.get_freeze_count() > 0, gc.get_threshold()[0] > before[0])
    ended[1].close()

    assert begun == between == (True, True)
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)


_PROGRAM = """
import atexit, sys, threading, time
from tasks.core.garbage_collection import exit_with

class Torn:
    def __del__(self):
        print("taken apart")

torn = [Torn()]
torn.append(torn)  # of a cycle that the end of Python alone would find

def program():
    atexit.register(print, "at exit", flush=False)
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
    print("program")
    {ending}

exit_with(program)
"""


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("return 0", 0),
        ("return 3", 3),
        ("sys.exit(4)", 4),
        ("sys.exit()", 0),
        ("sys.exit('said')", 1),
        ("raise ValueError", 1),
    ],
)
def test_an_exit_waits_for_threads_and_calls_what_is_to_be_called(ending: str, code: int) -> None:
    """Its code is the program's, all that was printed is there, and nothing is taken apart."""
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(ending=ending)], capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stdout.split("\n")) == (code, ["program", "thread", "at exit", ""])
    assert ("ValueError" in ended.stderr) == ("ValueError" in ending)


def test_an_exit_without_an_output_is_silent() -> None:
    """Python has no stream where the shell has closed its place."""
    program = "from tasks.core.garbage_collection import exit_with; exit_with(lambda: 3)"

    closed = shutil.which("sh"), "-c", 'exec "$0" -c "$1" >&-', sys.executable, program
    ended = subprocess.run(list(map(str, closed)), capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (3, "")
