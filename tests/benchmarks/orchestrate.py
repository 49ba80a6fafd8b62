"""What orchestration costs: a run in which nothing is new, many partitions and files, a scheduled start, and Prefect's database."""

from __future__ import annotations

import json
import os
import re
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import httpx

from flows.cli.prefect_api import SERVER_SETTINGS, PrefectApi
from tasks.core.child_process import first_line, start_child, stop_child
from tests.benchmarks.rig import Rig, open_rig, page_server, say
from tests.benchmarks.server import PLAIN
from tests.benchmarks.table import Line, describe_machine, draw_table
from tests.flows.conftest import PROJECT, TOUR
from tests.flows.scheduling import prefect, worker, write_project

ROUNDS, RUNS = 5, 100
PARTITIONS, FILES = 200, 1_000
STORED_KB, ALONE, IMPORTS, TASK_RUNS, NEXT_S = 100, 1.5, 6, 300, 2.0

_PACKAGES = ("tidemill", "prefect")
_SCHEDULED_IN_S = 25.0  # the worker looks every 10 s, and takes what is due within 10 s more
_WITHIN_S = 300.0
_PEER = "tests.benchmarks.peers.orchestrate"


def measure_orchestrate() -> str:
    """Measure what orchestration costs, and return the table."""
    machine = describe_machine(_PACKAGES)
    with open_rig() as rig, _sample(rig.folder / "tour") as site:
        tour = {**rig.environment, **site}
        lines = [
            *measure_alone(rig.folder, site, ROUNDS),
            *measure_growth(rig, tour, RUNS),
            *measure_many(rig, PARTITIONS, FILES),
            *measure_start(rig, ROUNDS),
        ]
    setting = f"Each run a fresh process; medians of {ROUNDS} pairs in turns, and {RUNS} runs for the database."
    return f"{machine}\n{setting}\n\n{draw_table(lines)}"


def measure_alone(folder: Path, site: Mapping[str, str], rounds: int) -> Iterator[Line]:
    """Yield what a run in which nothing is new takes with a temporary server, beside that server's start alone."""
    environment = {**site, "PREFECT_HOME": str(folder / "alone"), "HOME": str(folder)}
    run = _tour(folder / "tour", environment)
    run()
    pairs = [(_timed(lambda: _start_server(environment)), _timed(run)) for _ in range(rounds)]
    alone, whole = (_Took.middle(each) for each in zip(*pairs, strict=True))
    times = median(run.seconds / start.seconds for start, run in pairs)
    yield Line("a temporary server, from its start until it answers, and its end", str(alone))
    yield Line("a run of the tour in which nothing is new, with one", str(whole))
    yield Line("as a multiple of the server alone, by the clock", f"{times:.2f}", f"<= {ALONE}", times <= ALONE)


def measure_growth(rig: Rig, environment: Mapping[str, str], runs: int) -> Iterator[Line]:
    """Yield by how much runs in which nothing is new grow Prefect's database, and as many of flows that do nothing."""
    run = _tour(rig.folder / "tour", environment)
    run()
    before = read_stored(rig)
    for _ in range(runs):
        run()
    ours, peer = read_stored(rig), _peer(rig, runs)
    each = (ours["all"] - before["all"]) / runs / 1000
    yield Line("Prefect's database, a run of the tour in which nothing is new", f"{each:.0f} kB", f"<= {STORED_KB} kB", each <= STORED_KB)  # fmt: skip
    grown = {name: (size - before.get(name, 0)) / runs / 1000 for name, size in ours.items() if name != "all"}
    largest = sorted(((size, name) for name, size in grown.items() if size >= 1), reverse=True)
    yield Line("of that, by table with its indexes", ", ".join(f"{name} {size:.0f}" for size, name in largest))
    bare = (peer["all"] - ours["all"]) / runs / 1000
    yield Line("Prefect alone: a flow of three subflows that do nothing", f"{bare:.0f} kB")


def measure_many(rig: Rig, partitions: int, files: int) -> Iterator[Line]:
    """Yield how many task runs partitions and small files make, and how soon after it another run can begin."""
    folder = rig.folder / "many"
    inbox = folder / "data" / "inbox"
    inbox.mkdir(parents=True)
    for number in range(files):
        (inbox / f"{number:04}.csv").write_text(f"id,name\n{number},file {number}\n")
    with page_server(None) as url:
        source = {
            "kind": "api",
            "url": f"{url}/{PLAIN}/1",
            "partitions": {"part": list(range(partitions))},
            "pagination": {"kind": "page", "pages_at": "pages"},
            "records_at": "items",
        }
        sources = {"items": source, "small": {"kind": "files", "path": "inbox/*.csv"}}
        (folder / "pipeline.yaml").write_text(json.dumps({"name": "many", "sources": sources}))
        before = rig.count_task_runs()
        _command(["run", str(folder / "pipeline.yaml"), "--data", str(folder / "data")], rig.environment)
        begins = _begin_flow(rig)
        number = rig.count_task_runs() - before
    what = f"{partitions:,} partitions and {files:,} small files"
    yield Line(f"task runs of {what}", f"{number}", f"<= {TASK_RUNS}", number <= TASK_RUNS)
    yield Line("after it, until another flow run is Running", f"{begins:.2f} s", f"<= {NEXT_S} s", begins <= NEXT_S)


def measure_start(rig: Rig, rounds: int) -> Iterator[Line]:
    """Yield how long after it is due a run of the process worker makes its first request, beside an import of Prefect."""
    with _sample(rig.folder / "scheduled" / "data") as site:
        project = write_project(
            rig.folder / "scheduled", {"name": "timed", "work_pool": {"name": "timed"}}, site=site["SAMPLE_SITE"]
        )
        own = {**os.environ, **rig.environment, "PYTHONPATH": str(PROJECT)}
        prefect("work-pool", "create", "timed", "--type", "process", cwd=project, environment=own)
        prefect("deploy", "--all", cwd=project, environment=own)
        with worker("timed", project, own), httpx.Client(base_url=rig.api.url, timeout=30) as http:
            _first_request(http)
            pairs = [(_import_prefect(), _first_request(http)) for _ in range(rounds)]
    times = median(start / alone for alone, start in pairs)
    yield Line("python -c 'import prefect'", f"{median(alone for alone, _ in pairs):.2f} s")
    yield Line("from when a run is due to its first request, process worker", f"{median(start for _, start in pairs):.2f} s")  # fmt: skip
    yield Line("as a multiple of the import", f"{times:.1f}", f"<= {IMPORTS}", times <= IMPORTS)


def read_stored(rig: Rig) -> dict[str, int]:
    """Return the bytes of Prefect's database by table, its indexes counted to it, once the server has stored what it was told."""
    rig.count_task_runs()
    query = "SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_master USING (name) GROUP BY tbl_name"
    with closing(sqlite3.connect(f"file:{rig.folder}/prefect/prefect.db?mode=ro", uri=True)) as database:
        tables = {name: int(size) for name, size in database.execute(query)}
    return {"all": sum(tables.values()), **tables}


@dataclass(frozen=True)
class _Took:
    """Seconds of a command and of its children: by the clock, and of the processor."""

    seconds: float
    cpu_s: float

    @classmethod
    def middle(cls, each: tuple[_Took, ...]) -> _Took:
        return cls(median(one.seconds for one in each), median(one.cpu_s for one in each))

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s, CPU {self.cpu_s:.2f} s"


def _timed(work: Callable[[], object]) -> _Took:
    before, start = _cpu_of_children(), time.monotonic()
    work()
    return _Took(time.monotonic() - start, _cpu_of_children() - before)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tour(data: Path, environment: Mapping[str, str]) -> Callable[[], None]:
    return lambda: _command(["run", str(TOUR), "--data", str(data)], environment)


def _command(arguments: list[str], environment: Mapping[str, str]) -> None:
    """Run a command of the command line to its end."""
    command = [sys.executable, "-m", "flows", *arguments]
    ended = subprocess.run(
        command, cwd=PROJECT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise RuntimeError(f"{arguments} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    say(f"{arguments[0]} {Path(arguments[1]).parent.name}: {ended.stdout.splitlines()[-1]}")


def _start_server(environment: Mapping[str, str]) -> None:
    server = start_child("flows.cli.temporary_server", environment={**SERVER_SETTINGS, **environment})
    try:
        PrefectApi(server, first_line(server)).wait_until_ready()
    finally:
        stop_child(server)


def _peer(rig: Rig, runs: int) -> dict[str, int]:
    """Return the bytes of the database after so many runs of flows that do nothing."""
    child = start_child(_PEER, str(runs), environment=rig.environment)
    try:
        say(f"flows that do nothing: {first_line(child)}")
        child.wait(_WITHIN_S)
    finally:
        stop_child(child)
    return read_stored(rig)


def _begin_flow(rig: Rig) -> float:
    """Return the seconds that it takes to make a flow run and to have it Running."""
    start = time.monotonic()
    with httpx.Client(base_url=rig.api.url, timeout=_WITHIN_S) as http:
        flow = http.post("/flows/", json={"name": "next"}).raise_for_status().json()["id"]
        run = http.post("/flow_runs/", json={"flow_id": flow, "state": {"type": "PENDING"}}).raise_for_status().json()
        state = {"state": {"type": "RUNNING"}}
        said = http.post(f"/flow_runs/{run['id']}/set_state", json=state).raise_for_status().json()
    assert said["status"] == "ACCEPT", said
    return time.monotonic() - start


def _import_prefect() -> float:
    return _timed(lambda: subprocess.run([sys.executable, "-c", "import prefect"], check=True)).seconds


def _first_request(http: httpx.Client) -> float:
    """Have a run scheduled, and return the seconds from when it is due until the task run of its first page begins."""
    deployment = http.get("/deployments/name/pipeline/timed").raise_for_status().json()["id"]
    due = datetime.now(UTC) + timedelta(seconds=_SCHEDULED_IN_S)
    state = {"type": "SCHEDULED", "state_details": {"scheduled_time": due.isoformat()}}
    asked = {"state": state, "parameters": {"fresh": True}}
    run = http.post(f"/deployments/{deployment}/create_flow_run", json=asked).raise_for_status().json()["id"]
    begun = _begun_ingest(http, run, time.monotonic() + _WITHIN_S)
    say(f"due {due:%H:%M:%S}, first request {begun:%H:%M:%S}")
    return (begun - due).total_seconds()


def _begun_ingest(http: httpx.Client, run: str, deadline: float) -> datetime:
    """Return when the task run began that makes the first request of a flow run."""
    within = {"flow_runs": {"parent_flow_run_id": {"any_": [run]}}, "task_runs": {"name": {"any_": ["airlines"]}}}
    while time.monotonic() < deadline:
        for found in http.post("/task_runs/filter", json=within).raise_for_status().json():
            if found["start_time"]:
                return datetime.fromisoformat(found["start_time"])
        time.sleep(1)
    raise RuntimeError(f"flow run {run} has made no request in {_WITHIN_S:g} s")


@contextmanager
def _sample(data: Path) -> Iterator[dict[str, str]]:
    """Yield the address of the sample site, as the tour takes it, while it serves."""
    child = start_child("deployments.sample", "--data", str(data), "--port", "0", "--parent")
    try:
        found = re.search(r"(http://\S+) \(token: ([^)]+)\)", first_line(child))
        assert found
        yield {"SAMPLE_SITE": found[1], "SAMPLE_TOKEN": found[2]}
    finally:
        stop_child(child)
