"""Ctrl-C and SIGTERM end a run in seconds, also where a thread is in a call that nothing interrupts."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import openpyxl
import psutil
import pytest
from prefect.client.base import PrefectHttpxSyncClient

from tests.flows.conftest import ENDED_S, Tidemill, group_is_gone
from tests.processes import command_of, descendants
from tests.thorough import takes_minutes
from tests.train.conftest import sklearn_table, write_table

ALIKE = takes_minutes("another signal, or fit, is alike")

_BUSY = """
import asyncio, sys, time
import flows.cli.main as commands
from flows.cli.prefect_api import PrefectApi
from flows.cli.execution import _run

def read_workbook():
    end = time.monotonic() + 300
    while time.monotonic() < end:
        pass

@commands.app.command
def read() -> int:
    async def work():
        print("begun", flush=True)
        await asyncio.to_thread(read_workbook)
    return _run(work(), PrefectApi(looked=time.monotonic()))

sys.argv = ["tidemill", "read"]
commands.main()
"""


_LOST = """
import asyncio, sys
import flows.cli.main as commands
import flows.cli.prefect_api as api
from flows.cli.execution import _run

api.LOOKS_EVERY_S, api.LOST_S = 0.1, 1.0

@commands.app.command
def wait() -> int:
    return _run(asyncio.sleep(300), api.PrefectApi(url=url))

url, sys.argv = sys.argv[-1], ["tidemill", "wait"]
commands.main()
"""


def test_a_run_ends_whose_server_is_gone() -> None:
    """A configured server that answers nobody any more is not waited for: one sentence with the cure, and exit code 1."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/api"
        ended = subprocess.run(
            [sys.executable, "-c", _LOST, url], capture_output=True, text=True, timeout=ENDED_S, check=False
        )

    cure = "what is finished is kept, start it (prefect server start), and run the command again to go on"
    assert (ended.returncode, ended.stderr) == (
        1,
        f"error: the Prefect server at {url} does not answer any more; {cure}\n",
    )


def test_a_thread_that_reads_does_not_hold_the_process() -> None:
    """The command says that it was interrupted, and ends with 130 while the thread is in its call."""
    with subprocess.Popen(
        [sys.executable, "-c", _BUSY], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        try:
            _, told = process.communicate(timeout=ENDED_S)
        finally:
            process.kill()

    assert process.returncode == 130
    assert told.startswith("error: interrupted; what is finished is kept")


def _seconds_of_work(process: int) -> float:
    """Return the CPU seconds that a process has used."""
    return psutil.Process(process).cpu_times().user


def _wait_for_work(process: subprocess.Popen[str], folder: Path) -> None:
    """Return when a process has worked for some seconds since a folder was there."""
    deadline = time.monotonic() + 120
    while not folder.is_dir() and time.monotonic() < deadline:
        time.sleep(0.05)
    begun = _seconds_of_work(process.pid)
    while _seconds_of_work(process.pid) < begun + 2 and time.monotonic() < deadline:
        time.sleep(0.05)


def end_states(api: str, data: Path) -> set[str]:
    """Return the states, but for Completed, in which the last run of a data folder, its subflows and their task runs have ended."""
    run = json.loads((data / "summary.json").read_text())["flow_run_id"]
    with PrefectHttpxSyncClient(base_url=api) as http:
        subflows = http.post("/flow_runs/filter", json={"flow_runs": {"parent_flow_run_id": {"any_": [run]}}}).json()
        flow_runs = [http.get(f"/flow_runs/{run}").json(), *subflows]
        of_runs = {"flow_runs": {"id": {"any_": [each["id"] for each in flow_runs]}}}
        task_runs = http.post("/task_runs/filter", json=of_runs).json()
    assert len(flow_runs) > 1
    assert len(task_runs) > 1
    return {str(each["state_name"]) for each in [*flow_runs, *task_runs]} - {"Completed"}


def lineage_to(file: Path) -> dict[str, str]:
    """Return the variables with which OpenLineage events are lines of a file."""
    transport = {"type": "file", "log_file_path": str(file), "append": "true"}
    return {f"OPENLINEAGE__TRANSPORT__{name.upper()}": value for name, value in transport.items()}


def told_to_catalogue(file: Path) -> list[str]:
    """Return the kinds of the events in a file."""
    return [json.loads(line)["eventType"] for line in file.read_text().splitlines()]


def _write_workbook(path: Path) -> None:
    """Write a workbook that takes more than a minute to be read."""
    buffer = io.BytesIO()
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(list("abcdefgh"))
    book.save(buffer)
    rows = "".join(
        f"<row>{''.join(f'<c><v>{row * 7919 * n % 99991}</v></c>' for n in range(8))}</row>" for row in range(9999)
    )
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for name in old.namelist():
            part = old.read(name).decode()
            new.writestr(name, part.replace("</sheetData>", f"{rows * 60}</sheetData>"))


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=ALIKE)], ids=["ctrl-c", "terminated"]
)
def test_a_signal_while_a_workbook_is_read_ends_the_run(
    prefect_server: str, tidemill: Tidemill, tmp_path: Path, number: signal.Signals
) -> None:
    """The thread that reads it is left where it is, and nothing is made of the file."""
    data, path = tmp_path / "data", tmp_path / "pipeline.yaml"
    _write_workbook(data / "inbox" / "large.xlsx")
    path.write_text("{name: sheets, sources: {rows: {kind: files, path: inbox/*.xlsx}}}")
    process = tidemill.start("run", path, "--data", data)
    _wait_for_work(process, data / ".tables" / "rows")

    process.send_signal(number)
    told, _ = process.communicate(timeout=ENDED_S)

    assert process.returncode == 130, told
    assert "error: interrupted" in told
    assert "Traceback" not in told
    assert group_is_gone(process)
    assert end_states(prefect_server, data) == {"Cancelled"}
    assert not (data / "tables" / "rows").exists()


@pytest.mark.parametrize("killed", [False, pytest.param(True, marks=ALIKE)], ids=["fit", "fit-again"])
def test_a_signal_while_threads_wait_for_fits_ends_the_run(
    prefect_server: str, tidemill: Tidemill, tmp_path: Path, *, killed: bool
) -> None:
    """Fits without a pool end with the run, also those of a server in the place of one that was killed; none is told of as killed."""
    data, path = tmp_path / "data", tmp_path / "pipeline.yaml"
    write_table(data / "tables" / "rows", sklearn_table("iris"))
    path.write_text(
        "{name: iris, sources: {rows: {kind: files, path: inbox/*.csv}}, training: {query: 'SELECT * FROM rows', target: y, "
        "candidates: {slow: {estimator: sklearn.ensemble.RandomForestClassifier, params: {n_estimators: 1000000}}}}}"
    )
    process = tidemill.start("run", path, "--data", data, "--only", "train")
    fitting = _wait_for_fits(process.pid, set())
    if killed:
        for server in fitting:
            os.kill(server, signal.SIGKILL)
        _wait_for_fits(process.pid, fitting)

    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=ENDED_S)

    assert process.returncode == 130, told
    assert "error: interrupted" in told
    assert "slow" not in told
    assert group_is_gone(process)
    assert end_states(prefect_server, data) == {"Cancelled"}


def _wait_for_fits(process: int, gone: set[int]) -> set[int]:
    """Return the server of fits below a process, but for some, and its forks, when a fit of theirs has worked for some seconds."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = {each for each in descendants(process) - gone if "isolation.server" in command_of(each)}
        serving = {each for each in found if found & descendants(each)}
        fits = {fit for fork in _forks(serving) for fit in descendants(fork) - serving}
        with suppress(OSError):
            if any(_seconds_of_work(fit) > 1 for fit in fits):
                return serving
        time.sleep(0.1)
    raise AssertionError("no fit began")


def _forks(serving: set[int]) -> set[int]:
    """Return those that another one has forked."""
    return {each for server in serving for each in serving & descendants(server)}


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=ALIKE), signal.SIGTERM], ids=["ctrl-c", "terminated"]
)
def test_a_signal_in_the_training_query_ends_the_run(
    prefect_server: str, tidemill: Tidemill, tmp_path: Path, number: signal.Signals
) -> None:
    """A query that would take hours is left where it is; a catalogue is told that the run was cancelled."""
    data, path = tmp_path / "data", tmp_path / "pipeline.yaml"
    write_table(data / "tables" / "rows", sklearn_table("iris"))
    endless = (
        "SELECT sum(sin(a.range * b.range)) AS y, a.range AS x FROM range(1000000) a, range(10000000) b GROUP BY x"
    )
    path.write_text(
        f"{{name: iris, sources: {{rows: {{kind: files, path: inbox/*.csv}}}}, training: {{query: '{endless}', target: y, "
        "candidates: {tree: {estimator: sklearn.tree.DecisionTreeRegressor}}, metric: r2}}"
    )
    tidemill.environment |= lineage_to(tmp_path / "events.jsonl")
    process = tidemill.start("run", path, "--data", data, "--only", "train")
    _wait_for_work(process, data / "training" / "iris")

    process.send_signal(number)
    told, _ = process.communicate(timeout=ENDED_S)

    assert process.returncode == 130, told
    assert "error: interrupted" in told
    assert "Traceback" not in told
    assert group_is_gone(process)
    assert end_states(prefect_server, data) == {"Cancelled"}
    assert told_to_catalogue(tmp_path / "events.jsonl") == ["START", "ABORT"]
