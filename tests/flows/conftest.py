"""The command line as a child process, and the sample site it talks to."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.cli.main import run_command
from tasks.core.child_process import first_line, start_child, stop_child

PROJECT = Path(__file__).parent.parent.parent
TOUR = PROJECT / "deployments" / "tour" / "pipeline.yaml"
FLIGHTS = PROJECT / "deployments" / "flights" / "pipeline.yaml"
_RUN_S = 300
ENDED_S = 240.0
"""A bound for a loaded machine, not a figure: what does not end would go on for hours."""


async def ended_with(outcome: object, **_: object) -> State[Any]:
    """End as a stage that came to an outcome does."""
    return Completed(data=outcome)


@dataclass
class Tidemill:
    """Runs `python -m flows` in a folder, the project's unless told otherwise, with further environment variables."""

    environment: dict[str, str] = field(default_factory=dict)
    cwd: Path = PROJECT
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self._command(arguments),
            cwd=self.cwd,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=_RUN_S,
            check=False,
        )

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, as a shell does."""
        process = subprocess.Popen(
            self._command(arguments),
            cwd=self.cwd,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def end(self) -> None:
        """Kill what a test that failed has left of what it started."""
        for process in self.started:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _command(self, arguments: tuple[object, ...]) -> list[str]:
        return [sys.executable, "-m", "flows", *map(str, arguments)]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment}


@dataclass(frozen=True)
class Ended:
    """How a command ended that was called in this process."""

    code: int
    stdout: str
    stderr: str


Command = Callable[..., Ended]


def call_command(read: Callable[[], tuple[str, str]], *arguments: object) -> Ended:
    """Call the command line in this process; `read` gives what it has printed."""
    code = run_command([str(argument) for argument in arguments])
    return Ended(code, *read())


@pytest.fixture
def command(sample_site: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Return the command line, called in this process: a mistake ends it before anything starts."""
    monkeypatch.setenv("SAMPLE_SITE", sample_site)
    monkeypatch.setenv("SAMPLE_TOKEN", "sample-token")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.chdir(PROJECT)

    return partial(call_command, capfd.readouterr)


@pytest.fixture
def tidemill(sample_site: str) -> Iterator[Tidemill]:
    """Yield the command line, beside a sample site; what it has started ends with the test."""
    command = Tidemill({"SAMPLE_SITE": sample_site, "SAMPLE_TOKEN": "sample-token"})
    yield command
    command.end()


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder whose inbox the sample site has written; tests copy from it."""
    return tmp_path_factory.mktemp("sample")


@pytest.fixture(scope="session")
def sample_site(data: Path) -> Iterator[str]:
    """Yield the address of the sample site, run as the command that it is."""
    child = start_child("deployments.sample", "--data", str(data), "--port", "0", "--parent")
    try:
        match = re.search(r"http://\S+", first_line(child))
        assert match
        yield match[0]
    finally:
        stop_child(child)


@dataclass(frozen=True)
class ToldRun:
    """A run of the tour that has ended: its data folder and what it printed."""

    data: Path
    stdout: str
    flow_run: str
    """Its id: other tests run the tour again in its data folder."""


@pytest.fixture(scope="session")
def tour_run(prefect_server: str, sample_site: str, data: Path, tmp_path_factory: pytest.TempPathFactory) -> ToldRun:
    """Return one whole run of the tour, which several tests look at."""
    folder = tmp_path_factory.mktemp("tour")
    shutil.copytree(data / "inbox", folder / "inbox")
    environment = {"SAMPLE_SITE": sample_site, "PREFECT_API_URL": prefect_server}
    ended = Tidemill(environment)("run", TOUR, "--data", folder)
    assert ended.returncode == 0, ended.stderr
    return ToldRun(folder, ended.stdout, json.loads((folder / "summary.json").read_text())["flow_run_id"])


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """Return what a process has printed when `pattern` first stands in a line of it."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if re.search(pattern, line):
            return "".join(lines)
    raise AssertionError(f"{pattern!r} was not printed, but:\n{''.join(lines)}")


def group_is_gone(process: subprocess.Popen[str], within_s: float = ENDED_S) -> bool:
    """Return whether no process of the group is left within some seconds; what is left is killed."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not any(_is_alive_in(process.pid, entry) for entry in Path("/proc").glob("[0-9]*/stat")):
            process.wait(1)
            return True
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    return False


def _is_alive_in(group: int, stat: Path) -> bool:
    """Return whether a process belongs to a group; one that only waits to be reaped does not count."""
    try:
        state, _, own_group = stat.read_text().rpartition(")")[2].split()[:3]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(own_group) == group and state != "Z"
