"""Calls in processes of their own: ended at their limits, never the end of the caller, and gone with it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

import psutil
import pytest

from tasks.core.isolation.client import Call, CallServer, each_isolated, run_isolated, stop_call_server
from tasks.core.isolation.process import THREAD_VARIABLES
from tasks.core.outcome import Failed
from tasks.train.evaluation.job import CandidateJob
from tasks.train.execution.units import FITS, Unit, run_unit
from tests.processes import descendants, is_fit, is_running
from tests.train.conftest import sklearn_table

Jobs = Callable[..., dict[str, CandidateJob]]

_CALLER = """
import sys
from tasks.core.isolation.client import run_isolated
run_isolated("tests.train.calls:tell_pid_and_wait", sys.argv[1], time_s=60)
"""
_ADDER = """
import sys
from tasks.core.isolation.client import run_isolated
outcome = run_isolated("tests.train.calls:add", 1, 2, time_s=60).outcome
print(outcome, end="", file=sys.stderr)
"""


def call(function: str, *arguments: object, time_s: float = 30.0, memory_mb: int | None = None) -> Call:
    """Return a call."""
    return run_isolated(f"tests.train.calls:{function}", *arguments, time_s=time_s, memory_mb=memory_mb)


def wait_until(true: Callable[[], object]) -> None:
    """Wait for something to be true, within a bound that a busy machine does not reach."""
    deadline = time.monotonic() + 240
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert true()


@pytest.fixture(autouse=True, scope="module")
def _server_ends() -> Iterator[None]:
    """Begin the server of this module's tests with what fits need, from a process that may use two threads, and end it after the last."""
    stop_call_server()
    with pytest.MonkeyPatch.context() as patch:
        for name in THREAD_VARIABLES:
            patch.setenv(name, "2")
        run_isolated("tests.train.calls:add", 1, 2, time_s=60, preload=FITS)
    yield
    stop_call_server()


def test_a_call_returns_its_value() -> None:
    """Call after call, each in a process of its own."""
    assert [call("add", number, number).outcome for number in range(10)] == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]


@pytest.mark.parametrize(
    ("function", "limits", "error"),
    [
        (
            "hang_in_c",
            {"time_s": 0.5},
            "was killed after 0.5 s, its time_limit_s; raise it, or make it cheaper",
        ),
        (
            "crash",
            {},
            "its process was killed by SIGSEGV (a crash in native code; change what it does, or remove it)",
        ),
        ("leave", {}, "its process ended by itself with exit code 3; change what it does, or remove it"),
        ("fail", {}, "ValueError: no such luck"),
    ],
)
def test_an_end_of_any_kind_is_a_sentence(function: str, limits: dict[str, float], error: str) -> None:
    """It says why, and the next call is not harmed."""
    ended = call(function, **limits)  # type: ignore[arg-type]  # one keyword

    assert ended.outcome == Failed(error)
    assert call("add", 1, 2).outcome == 3


@pytest.mark.parametrize(
    ("last", "error"),
    [
        ("", None),
        ("fail", "ValueError: no such luck"),
        ("leave", "its process ended by itself with exit code 3; change what it does, or remove it"),
        ("hang_in_c", "was killed after 1 s, its time_limit_s; raise it, or make it cheaper"),
    ],
)
def test_a_call_may_yield_values(last: str, error: str | None) -> None:
    """One process yields them all, each has the time that is allowed, and those before its end are there however it comes."""
    outcomes = [each.outcome for each in each_isolated("tests.train.calls:count_slowly", 0.4, last, time_s=1)]

    numbers, processes = zip(*outcomes[:3], strict=True)
    assert numbers == (0, 1, 2)
    assert len(set(processes)) == 1
    assert outcomes[3:] == ([Failed(error)] if error else [])
    assert call("add", 1, 2).outcome == 3


def test_a_call_that_is_left_ends() -> None:
    """Who takes no more of its values takes none for another call's."""
    calls = each_isolated("tests.train.calls:count_slowly", 0.2, "", time_s=5)
    _, pid = cast("tuple[int, int]", next(calls).outcome)
    del calls

    assert call("add", 1, 2).outcome == 3
    wait_until(lambda: not is_running(pid))


def test_memory_is_limited() -> None:
    """The call is killed within a moment of passing its limit."""
    ended = call("eat_memory", memory_mb=200)

    assert ended.outcome.message.startswith("was killed at ")
    assert ended.outcome.message.endswith(" MiB, above its memory_limit_mb of 200; raise it, or make it smaller")
    assert 200 < ended.memory_mb < 700


def test_far_too_much_memory_is_refused_at_once() -> None:
    """What the watch would see too late does not reach the machine."""
    outcome = call("ask_for_everything", memory_mb=200).outcome

    assert outcome.message.startswith("MemoryError: Unable to allocate 1.00 TiB")


def test_a_call_has_one_thread() -> None:
    """Also while histogram boosting, a forest and a decomposition run."""
    assert call("count_threads").outcome == (1, {1})


def test_a_fit_has_one_thread_whatever_its_candidate_asks_for(jobs: Jobs) -> None:
    """Counted from outside while a forest with `n_jobs: 4` is fitted and predicts."""
    forest = {"estimator": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 200, "n_jobs": 4}}
    job = jobs(sklearn_table("digits"), candidates={"forest": forest})["forest"]
    counts: set[int] = set()
    done = threading.Event()

    def count() -> None:
        while not done.wait(0.01):
            for pid in descendants(os.getpid()):
                with suppress(OSError):  # it may end meanwhile
                    if is_fit(pid):
                        counts.add(len(list(Path(f"/proc/{pid}/task").iterdir())))

    counter = threading.Thread(target=count)
    counter.start()
    results = run_unit(Unit(job, "folds", (0, 1)))
    done.set()
    counter.join()

    assert [result.error for result in results] == [None, None]
    assert counts == {1}


def test_what_a_call_started_ends_with_it() -> None:
    """No orphan is left of a fit that starts processes."""
    started = call("start_another").outcome

    assert isinstance(started, int)
    wait_until(lambda: not is_running(started))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_kill_from_outside_is_told(tmp_path: Path, number: signal.Signals) -> None:
    """It is the end of the call only."""
    path = tmp_path / "pid"

    def kill() -> None:
        wait_until(lambda: _pid(path))
        os.kill(_pid(path), number)

    killer = threading.Thread(target=kill)
    killer.start()

    outcome = call("tell_pid_and_wait", str(path)).outcome
    killer.join()

    assert outcome.message.startswith(f"its process was killed by {number.name} (")
    assert call("add", 1, 2).outcome == 3


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_caller(tmp_path: Path, number: signal.Signals) -> None:
    """However the caller is ended, its fit server and the fit end too."""
    path = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", _CALLER, str(path)], stderr=subprocess.DEVNULL) as caller:
        wait_until(lambda: _pid(path))
        fit = _pid(path)
        server = _server_of(fit)
        caller.send_signal(number)

    wait_until(lambda: not is_running(fit) and not is_running(server))


def test_a_call_whose_server_was_killed_is_made_again(tmp_path: Path) -> None:
    """Its process has ended with the server, and another server is asked."""
    path = tmp_path / "pid"

    def kill_server() -> None:
        wait_until(lambda: _pid(path))
        os.kill(_server_of(_pid(path)), signal.SIGKILL)

    killer = threading.Thread(target=kill_server)
    killer.start()

    outcome = call("wait_the_first_time", str(path)).outcome
    killer.join()

    assert outcome == str(_pid(path))
    wait_until(lambda: not is_running(_pid(path)))


def test_a_value_is_told_once_whichever_server_was_killed() -> None:
    """Another server begins anew; what the first one told is not told again."""
    told: list[tuple[int, int]] = []
    for each in each_isolated("tests.train.calls:count_slowly", 0.3, "", time_s=5):
        told.append(cast("tuple[int, int]", each.outcome))
        if len(told) == 1:
            os.kill(_server_of(told[0][1]), signal.SIGKILL)

    assert [number for number, _ in told] == [0, 1, 2]
    assert len({pid for _, pid in told}) == 2


def test_a_call_whose_servers_are_all_killed_is_told(tmp_path: Path) -> None:
    """It is not made again for ever, and the next call is not harmed."""
    path = tmp_path / "pid"

    def kill_servers() -> None:
        killed = {0}
        for _ in range(2):
            wait_until(lambda: _pid(path) not in killed)
            killed.add(_pid(path))
            os.kill(_server_of(_pid(path)), signal.SIGKILL)

    killer = threading.Thread(target=kill_servers)
    killer.start()

    outcome = call("tell_pid_and_wait", str(path)).outcome
    killer.join()

    assert outcome.message.startswith("its process was killed by SIGKILL (")
    assert call("add", 1, 2).outcome == 3


def test_a_server_that_was_killed_between_two_calls_harms_neither() -> None:
    """The second one is made by another server."""
    server = _server()
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: not is_running(server))

    assert call("add", 1, 2).outcome == 3
    assert _server() != server


def test_a_server_that_was_killed_leaves_no_folder() -> None:
    """What it can no longer delete itself is deleted when it is stopped."""
    server = CallServer()
    server._process.kill()

    server.stop()

    assert not Path(server.address).parent.exists()


def test_the_folder_of_temporary_files_may_have_a_long_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of a socket has room for about a hundred bytes only."""
    long = tmp_path / ("long" * 25)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))

    server = CallServer()
    server.stop()

    assert len(server.address) < 100
    assert not list(long.iterdir())


@pytest.mark.parametrize("setting", ["closed output", "modules of the same name"])
def test_a_call_is_made_wherever_the_run_was_started(tmp_path: Path, setting: str) -> None:
    """Neither a closed standard output nor what lies in the working directory ends it."""
    if setting == "modules of the same name":
        (tmp_path / "random.py").write_text("raise SystemExit")
    closed = ">&-" if setting == "closed output" else ""
    command = ["sh", "-c", f'exec "{sys.executable}" -P -c "$0" {closed}', _ADDER]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    done = subprocess.run(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "3")


def _pid(path: Path) -> int:
    text = path.read_text() if path.is_file() else ""
    return int(text) if text else 0


def _server_of(fit: int) -> int:
    """Return the process that has forked a fit."""
    return psutil.Process(fit).ppid()


def _server() -> int:
    """Return the process that serves this one: the parent of a fit."""
    return cast("int", run_isolated("os:getppid", time_s=30).outcome)


@pytest.mark.parametrize("temporary", ["short", "long" * 25])
def test_nobody_else_reaches_the_fit_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: str) -> None:
    """What is pickled goes over a socket in a folder that only its owner enters, whatever new files are open to."""
    (tmp_path / temporary).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / temporary))
    before = os.umask(0)
    try:
        server, other = CallServer(), CallServer()
    finally:
        os.umask(before)
    folder = Path(server.address).parent
    found = folder.stat()
    server.stop()
    other.stop()

    assert (oct(stat.S_IMODE(found.st_mode)), found.st_uid) == ("0o700", os.getuid())
    assert Path(other.address).parent != folder
    assert not folder.exists()
