"""What orchestration costs: a run in which nothing is new, the demo, many partitions and files, a scheduled start, and Prefect's database."""

from __future__ import annotations

import json
import os
import re
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import httpx

from flows.cli.prefect_api import SERVER_SETTINGS, PrefectApi
from tasks.core.child_process import first_line, start_child, stop_child
from tests.benchmarks.rig import Rig, open_rig, page_server, say
from tests.benchmarks.server import PLAIN
from tests.benchmarks.table import Line, describe_machine, draw_table
from tests.flows.conftest import FLIGHTS, PROJECT, TOUR
from tests.flows.scheduling import prefect, worker, write_project

ROUNDS, RUNS, CHANGES, DEMOS = 5, 100, 10, 3
PARTITIONS, FILES = 200, 1_000
STORED_KB, ALONE, DEMO, IMPORTS, TASK_RUNS, NEXT_S = 100, 1.5, 1.10, 6, 300, 2.0
PARTS = ("alone", "demo", "growth", "many", "start")
"""What is measured, each of which can be asked for by itself."""

_PACKAGES = ("tidemill", "prefect")
_SCHEDULED_IN_S = 25.0  # the worker looks every 10 s, and takes what is due within 10 s more
_WITHIN_S = 600.0
_PEER, _PLAIN_DEMO = "tests.benchmarks.peers.orchestrate", "tests.benchmarks.peers.plain_demo"
_BEGINS = {
    "Prefect: started": "imports of the command line, and of the server's settings",
    "ingest": "the rest of the server's start, and imports beside it",
    "rows": "the flow and its stages",
    "Prefect UI": "what is left to be stored, and the summary",
}
"""By how the first line of the command begins, what the time before it was spent with."""


def measure_orchestrate(parts: Sequence[str] = PARTS) -> str:
    """Measure what orchestration costs, or some parts of that, and return the table."""
    machine = describe_machine(_PACKAGES)
    with open_rig() as rig, _sample(rig.folder / "tour") as site:
        measures: dict[str, Callable[[], Iterator[Line]]] = {
            "alone": lambda: measure_alone(rig.folder, site, ROUNDS),
            "demo": lambda: measure_demo_alone(rig.folder, DEMOS),
            "growth": lambda: measure_growth(rig, site, RUNS, CHANGES),
            "many": lambda: measure_many(rig, PARTITIONS, FILES),
            "start": lambda: measure_start(rig, ROUNDS),
        }
        lines = [line for part in parts or PARTS for line in measures[part]()]
    setting = f"Medians of {ROUNDS} pairs in turns ({DEMOS} of the demo), {RUNS} and {CHANGES} runs for the database."
    return f"{machine}\n{setting}\nLoad after it: {os.getloadavg()[0]:.1f}.\n\n{draw_table(lines)}"


def measure_alone(folder: Path, site: Mapping[str, str], rounds: int) -> Iterator[Line]:
    """Yield what a run in which nothing is new takes with a temporary server, beside that server's start alone."""
    environment = {**site, "PREFECT_HOME": str(folder / "alone"), "HOME": str(folder)}
    told: list[dict[str, float]] = []
    run = ["run", str(TOUR), "--data", str(folder / "tour")]
    _command(run, environment)
    pairs = [
        (_timed(lambda: _start_server(environment)), _timed(lambda: told.append(_command(run, environment))))
        for _ in range(rounds)
    ]
    alone, whole = (_Took.middle(each) for each in zip(*pairs, strict=True))
    times = median(run.seconds / start.seconds for start, run in pairs)
    yield Line("a temporary server, from its start until it answers, and its end", str(alone))
    yield Line("a run of the tour in which nothing is new, with one", str(whole))
    yield Line("as a multiple of the server alone, by the clock", f"{times:.2f}", f"<= {ALONE}", times <= ALONE)
    yield Line("by the processor", f"{median(run.cpu_s / start.cpu_s for start, run in pairs):.2f}")
    for what in (*_BEGINS.values(), "the end of the server and of the command"):
        yield Line(f"of that run: {what}", f"{median(each.get(what, 0.0) for each in told):.2f} s")


def measure_demo_alone(folder: Path, rounds: int) -> Iterator[Line]:
    """Yield what the demo takes, beside its stages as plain asyncio and the start of a server, each on a new data folder."""
    environment = {
        "HOME": str(folder),
        "PREFECT_HOME": str(folder / "demo"),
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    }
    _start_server(environment)  # which makes the database
    pairs = []
    for number in range(rounds):
        plain = _timed(lambda at=folder / f"plain-{number}": _plain_demo(at, environment))  # type: ignore[misc]
        server = _timed(lambda: _start_server(environment))
        demo = _timed(lambda at=str(folder / f"demo-{number}"): _command(["demo", "--data", at], environment))  # type: ignore[misc]
        pairs.append((_Took(plain.seconds + server.seconds, plain.cpu_s + server.cpu_s), demo))
        say(f"the stages and a server {pairs[-1][0]}; the demo {demo}; load {os.getloadavg()[0]:.1f}")
    alone, whole = (_Took.middle(each) for each in zip(*pairs, strict=True))
    times = median(demo.seconds / plain.seconds for plain, demo in pairs)
    yield Line("the stages of the demo as plain asyncio, and the start of a server", str(alone))
    yield Line("the demo under Prefect", str(whole))
    yield Line("as a multiple, by the clock", f"{times:.2f}", f"<= {DEMO}", times <= DEMO)
    yield Line("by the processor", f"{median(demo.cpu_s / plain.cpu_s for plain, demo in pairs):.2f}")


def measure_growth(rig: Rig, site: Mapping[str, str], runs: int, changes: int) -> Iterator[Line]:
    """Yield by how much runs grow Prefect's database, of which nothing, or a file, is new, and as many of flows that do nothing."""
    environment, tour = {**rig.environment, **site}, (str(TOUR), str(rig.folder / "tour"))
    for _ in range(2):  # of which the second shows once what it has nothing new of
        _peer(environment, 1, *tour)
    before = read_stored(rig)
    _peer(environment, runs, *tour)
    ours = read_stored(rig)
    each = (ours["all"] - before["all"]) / runs / 1000
    yield Line("Prefect's database, a run of the tour in which nothing is new", f"{each:.1f} kB", f"<= {STORED_KB} kB", each <= STORED_KB)  # fmt: skip
    yield Line("of that, by table with its indexes", _largest(before, ours, runs))
    _peer(environment, runs)
    bare = read_stored(rig)
    yield Line("Prefect alone: a flow of three subflows that do nothing", f"{(bare['all'] - ours['all']) / runs / 1000:.1f} kB")  # fmt: skip
    _peer(environment, changes, *tour, "changing")
    changed = read_stored(rig)
    each = (changed["all"] - bare["all"]) / changes / 1000
    yield Line("a run of the tour with another row in a file, so that its models are fitted again", f"{each:.0f} kB")
    yield Line("of that, by table with its indexes", _largest(bare, changed, changes))


def _largest(before: Mapping[str, int], after: Mapping[str, int], runs: int) -> str:
    """Return by how much each table has grown in each run, in kB, the largest first."""
    grown = {name: (size - before.get(name, 0)) / runs / 1000 for name, size in after.items() if name != "all"}
    largest = sorted(((size, name) for name, size in grown.items() if size >= 1), reverse=True)
    return ", ".join(f"{name} {size:.0f}" for size, name in largest)


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
    with _first_requests() as (site, asked):
        project = write_project(rig.folder / "scheduled", {"name": "timed", "work_pool": {"name": "timed"}}, site=site)
        own = {**os.environ, **rig.environment, "PYTHONPATH": str(PROJECT)}
        prefect("work-pool", "create", "timed", "--type", "process", cwd=project, environment=own)
        prefect("deploy", "--all", cwd=project, environment=own)
        with worker("timed", project, own), httpx.Client(base_url=rig.api.url, timeout=60) as http:
            _first_request(http, asked)
            pairs = [(_import_prefect(), _first_request(http, asked)) for _ in range(rounds)]
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


def _command(arguments: list[str], environment: Mapping[str, str]) -> dict[str, float]:
    """Run a command of the command line to its end; return the seconds until each of its lines came that tell where it is."""
    start, took, waited = time.monotonic(), dict[str, float](), dict(_BEGINS)
    command = [sys.executable, "-m", "flows", *arguments]
    lines: list[str] = []
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        assert running.stdout
        since = start
        for line in running.stdout:
            lines.append(line)
            if found := next((begin for begin in waited if line.startswith(begin)), None):
                now = time.monotonic()
                took[waited.pop(found)], since = now - since, now
    if running.returncode:
        raise RuntimeError(f"{arguments} ended with {running.returncode}:\n{''.join(lines)}")
    took["the end of the server and of the command"] = time.monotonic() - since
    say(f"{arguments[0]}: {', '.join(f'{what} {seconds:.2f} s' for what, seconds in took.items())}")
    return took


def _plain_demo(data: Path, environment: Mapping[str, str]) -> None:
    """Run the stages of the demo without Prefect, with a sample site as the demo has."""
    with _sample(data) as site:
        child = start_child(_PLAIN_DEMO, str(FLIGHTS), str(data), environment={**environment, **site})
        try:
            assert child.stdout
            said = child.stdout.read().decode()
            if child.wait():
                raise RuntimeError(f"the stages without Prefect ended with {child.returncode}: {said}")
        finally:
            stop_child(child)


def _start_server(environment: Mapping[str, str]) -> None:
    server = start_child("flows.cli.temporary_server", environment={**SERVER_SETTINGS, **environment})
    try:
        PrefectApi(server, first_line(server)).wait_until_ready()
    finally:
        stop_child(server)


def _peer(environment: Mapping[str, str], *arguments: int | str) -> None:
    """Run so many flows, one after the other in one process: of the tour, or without a pipeline file such as do nothing."""
    child = start_child(_PEER, *map(str, arguments), environment=environment)
    try:
        if not (said := first_line(child)):
            raise RuntimeError(f"the runs {arguments} failed")
        say(f"{arguments}: {said}")
        child.wait(_WITHIN_S)
    finally:
        stop_child(child)


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


def _first_request(http: httpx.Client, asked: list[datetime]) -> float:
    """Have a run scheduled, and return the seconds from when it is due until its first request; the run has ended then."""
    deployment = http.get("/deployments/name/pipeline/timed").raise_for_status().json()["id"]
    due = datetime.now(UTC) + timedelta(seconds=_SCHEDULED_IN_S)
    state = {"type": "SCHEDULED", "state_details": {"scheduled_time": due.isoformat()}}
    wanted = {"state": state, "parameters": {"fresh": True}}
    asked.clear()
    run = http.post(f"/deployments/{deployment}/create_flow_run", json=wanted).raise_for_status().json()["id"]
    deadline = time.monotonic() + _WITHIN_S
    while http.get(f"/flow_runs/{run}").raise_for_status().json()["state_type"] != "COMPLETED":
        if time.monotonic() > deadline:
            raise RuntimeError(f"flow run {run} has not completed in {_WITHIN_S:g} s")
        time.sleep(1)
    say(f"due {due:%H:%M:%S}, first request {asked[0]:%H:%M:%S}")
    return (asked[0] - due).total_seconds()


@contextmanager
def _first_requests() -> Iterator[tuple[str, list[datetime]]]:
    """Yield the address of a site of one page, and when it was asked for anything."""
    asked: list[datetime] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(datetime.now(UTC))
            self.send_response(404 if self.path == "/robots.txt" else 200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<table><tbody><tr><td>UA<td>United</table>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()


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
