"""A bucket, Dask, PostgreSQL and several workers in the place of a disk, processes, SQLite and one of them: nothing else changes."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product, starmap
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from uuid import uuid4

import httpx
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, expect
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL, temporary_settings
from ruamel.yaml import YAML
from tenacity import Retrying, stop_after_delay, wait_fixed

from flows.cli.temporary_server import HOST
from tasks.core.bucket.mirror import Mirror
from tasks.core.bucket.units import Unit
from tests.flows.backends import Backend, Project, fetch, files_of, leaderboard_of, lineage_of
from tests.flows.scheduling import free_port, prefect, start_server, worker
from tests.flows.test_ui import needs_chromium, page
from tests.postgresql import PASSWORD, USER, Postgresql, needs_postgresql, serve_postgresql
from tests.stores import serving_s3
from tests.thorough import ALL, takes_minutes

__all__ = ["page"]

pytestmark = [pytest.mark.flow, needs_postgresql]

FIRST = Backend("disk", "processes", "SQLite")
OTHERS = [
    each
    for each in starmap(Backend, product(("disk", "bucket"), ("processes", "dask"), ("SQLite", "PostgreSQL")))
    if each != FIRST
]
PIPELINES = ("bakery", "florist")
DAYS = 10 if ALL else 1
"""Each is a run of each pipeline: a run takes some ten seconds of a processor."""
ROWS = 20
RUNS_S = 1_200
EVERY_S = 20
KEY = "key-of-the-store-51c2"
"""What proves who asks the store; it stands in a Secret block alone."""
_SHOWN_MS = 90_000


@dataclass(frozen=True)
class Servers:
    """The servers of this module: Prefect's on PostgreSQL, and a store."""

    api: str
    database: Postgresql
    bucket: str


@dataclass(frozen=True)
class Queue:
    """Runs that two workers have done: how they ended, what the API of their source was asked, and where all of it lies."""

    runs: list[dict[str, Any]]
    asked: Counter[str]
    address: str
    folder: Path

    @property
    def fired(self) -> list[dict[str, Any]]:
        """Return the runs that a schedule has made."""
        return [run for run in self.runs if run["auto_scheduled"]]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Yield the servers; what is started from this process asks the store as somebody else than the runs do."""
    with serving_s3() as bucket, serve_postgresql() as database, pytest.MonkeyPatch.context() as patch:
        where = f"{USER}:{quote(PASSWORD, safe='')}@{HOST}:{database.port}/postgres"
        patch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", f"postgresql+asyncpg://{where}")
        port = free_port()
        server = start_server(tmp_path_factory.mktemp("server"), port)
        patch.delenv("PREFECT_API_DATABASE_CONNECTION_URL")
        try:
            assert database.query("SELECT count(*) FROM flow_run") == [(0,)]
            yield Servers(f"http://{HOST}:{port}/api", database, bucket)
        finally:
            server.terminate()
            server.wait()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return the pipeline that runs on each backend."""
    return Project.write(tmp_path_factory.mktemp("project") / "shop")


@pytest.fixture(scope="module")
def first(servers: Servers, prefect_server: str, project: Project, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the data folder on a disk, after a run by processes on a server whose database is SQLite's."""
    return run_on(FIRST, servers, prefect_server, project, tmp_path_factory.mktemp("first"))


def run_on(backend: Backend, servers: Servers, sqlite: str, project: Project, folder: Path) -> str:
    """Run the pipeline on a backend; return its data folder."""
    data = f"{servers.bucket}/{uuid4().hex}" if backend.data == "bucket" else str(folder / "data")
    api = servers.api if backend.database == "PostgreSQL" else sqlite
    project.put_inbox(data)
    project.run(backend, data, {"PREFECT_API_URL": api, "TIDEMILL_CACHE": str(folder / "cache")})
    return data


@pytest.fixture(params=OTHERS, ids="-".join, name="data", scope="module")
def other_data(
    request: pytest.FixtureRequest,
    servers: Servers,
    prefect_server: str,
    project: Project,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """Return the data folder after a run on another backend."""
    return run_on(request.param, servers, prefect_server, project, tmp_path_factory.mktemp("other"))


@takes_minutes("it trains on each")
def test_a_pipeline_comes_to_the_same_on_each_backend(
    data: str, first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parts and rejects are the same bytes, the leaderboard has the same scores, and the lineage the same hashes."""
    monkeypatch.setenv("TIDEMILL_CACHE", str(tmp_path / "reader"))
    here, there = fetch(first, tmp_path), fetch(data, tmp_path / "mirror")
    assert files_of(there) == files_of(here)
    assert len(files_of(here)) >= 7  # parts of orders, cities, spent and habits, and rejects of orders
    assert leaderboard_of(there) == leaderboard_of(here)
    for name in ("habits", "models/shop"):
        assert lineage_of(name, data, capsys.readouterr) == lineage_of(name, first, capsys.readouterr)


@contextmanager
def serving_days() -> Iterator[tuple[str, Counter[str]]]:
    """Yield the address of an API that has rows of each day, and how often each was asked for."""
    asked: Counter[str] = Counter()
    counting = Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            day = int(parse_qs(address.query)["day"][0])
            with counting:
                asked[f"{address.path.strip('/')} {day}"] += 1
            body = json.dumps([{"day": day, "n": day * ROWS + number} for number in range(ROWS)]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class' own
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


def write_deployments(folder: Path, site: str, address: str) -> None:
    """Write a project of two pipelines, each a deployment whose credentials stand in a block; what the schedule of one adds fetches day 0."""
    folder.mkdir()
    own_process = {"command": f"{sys.executable} -m prefect.engine", "env": {"TIDEMILL_STORE_BLOCK": "store"}}
    deployments: list[dict[str, Any]] = []
    for name in PIPELINES:
        source = {"kind": "api", "url": f"{site}/{name}", "partitions": {"day": {"range": [0, DAYS]}}}
        file = folder / f"{name}.yaml"
        with file.open("w") as opened:
            YAML().dump({"name": name, "sources": {f"{name}_days": source}}, opened)
        deployments.append(
            {
                "name": name,
                "entrypoint": "flows.pipeline:pipeline",
                "parameters": {"config": str(file), "data": address, "partitions": "day=0"},
                "work_pool": {"name": "shared", "job_variables": own_process},
            }
        )
    deployments[0]["schedules"] = [{"interval": EVERY_S}]
    with (folder / "prefect.yaml").open("w") as opened:
        YAML().dump({"name": "project", "deployments": deployments}, opened)


def queue_runs(http: httpx.Client) -> None:
    """Queue a run of each pipeline for each day."""
    for day, name in product(range(1, DAYS + 1), PIPELINES):
        deployment = http.get(f"/deployments/name/pipeline/{name}").raise_for_status().json()
        asked_for = {"parameters": {"partitions": f"day={day}"}}
        http.post(f"/deployments/{deployment['id']}/create_flow_run", json=asked_for).raise_for_status()


def wait_for_runs(http: httpx.Client) -> list[dict[str, Any]]:
    """Return the runs of the deployments once all have ended; when the schedule has fired it is paused, which takes away what it has made beside.

    It is paused until nothing is left to be taken: a scheduler that is at it adds runs after a pause, and these are run.
    """
    scheduled = http.get(f"/deployments/name/pipeline/{PIPELINES[0]}").raise_for_status().json()["id"]
    query = {"deployments": {"name": {"any_": list(PIPELINES)}}, "limit": 200}
    for attempt in Retrying(stop=stop_after_delay(RUNS_S), wait=wait_fixed(0.5)):
        with attempt:
            runs: list[dict[str, Any]] = http.post("/flow_runs/filter", json=query).raise_for_status().json()
            states = [run["state_type"] for run in runs if run["auto_scheduled"]]
            has_fired = any(state != "SCHEDULED" for state in states)
            if has_fired and "SCHEDULED" in states:
                http.post(f"/deployments/{scheduled}/pause_deployment").raise_for_status()
            assert has_fired
            assert all(run["state_type"] not in ("SCHEDULED", "PENDING", "RUNNING") for run in runs)
    return runs


@pytest.fixture(scope="module")
def queue(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Queue:
    """Return what two workers have made of the queued runs, on hosts of their own which know nobody that may ask the store."""
    folder, address = tmp_path_factory.mktemp("queue"), f"{servers.bucket}/shops"
    environment = {"PREFECT_API_URL": servers.api, "PREFECT_HOME": str(folder / "home"), "PREFECT_PROFILE": "ephemeral"}
    environment["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "INFO"
    with ExitStack() as stack:
        site, asked = stack.enter_context(serving_days())
        http = stack.enter_context(httpx.Client(base_url=servers.api, timeout=60))
        http.post("/work_pools/", json={"name": "shared", "type": "process"}).raise_for_status()
        held = {"AWS_ACCESS_KEY_ID": "known", "AWS_SECRET_ACCESS_KEY": KEY}
        with temporary_settings({PREFECT_API_URL: servers.api}):
            Secret(value=json.dumps(held)).save("store")
        write_deployments(folder / "project", site, address)
        prefect("deploy", "--all", cwd=folder / "project", environment=environment)
        queue_runs(http)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.delenv("AWS_SECRET_ACCESS_KEY")
        for number in (1, 2):
            own = {**environment, "TIDEMILL_CACHE": str(folder / f"host-{number}")}
            log = folder / f"worker-{number}.log"
            stack.enter_context(worker("shared", folder / "project", own, "--limit", "2" if ALL else "1", log=log))
        runs = wait_for_runs(http)
    return Queue(runs, asked, address, folder)


def test_two_workers_do_the_queued_runs_of_two_pipelines_in_one_bucket(queue: Queue, tmp_path: Path) -> None:
    """Every run completes, no day is fetched twice, and the tables have all days; both workers had a part in it."""
    assert Counter(run["state_name"] for run in queue.runs if run not in queue.fired) == {
        "Completed": len(PIPELINES) * DAYS
    }
    assert queue.asked == {f"{name} {day}": 1 for name in PIPELINES for day in days_of(name)}
    assert all(any((queue.folder / f"host-{number}").rglob("*.parquet")) for number in (1, 2))
    reader = Mirror.make(tmp_path / "reader", queue.address)
    for name in PIPELINES:
        reader.fetch(Unit("tables", f"{name}_days"))
        table = pq.read_table((reader.root / "tables" / f"{name}_days").resolve())
        assert sorted(table["n"].to_pylist()) == [day * ROWS + row for day in days_of(name) for row in range(ROWS)]


def days_of(name: str) -> range:
    """Return the days that the runs of a pipeline are to fetch: the scheduled one fetches day 0."""
    return range(0 if name == PIPELINES[0] else 1, DAYS + 1)


def test_a_schedule_fires_into_a_bucket(queue: Queue) -> None:
    """Its run has completed among those that were queued."""
    assert {run["state_name"] for run in queue.fired} == {"Completed"}


@pytest.mark.browser
@needs_chromium
def test_the_page_of_a_scheduled_run_tells_where_its_data_are(servers: Servers, queue: Queue, page: Page) -> None:
    """The log on it names the bucket."""
    (fired, *_) = queue.fired
    page.goto(f"{servers.api.removesuffix('/api')}/runs/flow-run/{fired['id']}")

    expect(page.get_by_text("Completed").first).to_be_visible(timeout=_SHOWN_MS)
    expect(page.get_by_text(queue.address).first).to_be_visible(timeout=_SHOWN_MS)


def test_the_key_of_a_store_is_in_no_database_log_or_file(servers: Servers, queue: Queue) -> None:
    """Nor in the block as the API shows it; what the runs logged, and where their data are, is found by the same search."""
    asked = "/block_types/slug/secret/block_documents/name/store"
    shown = httpx.get(f"{servers.api}{asked}").raise_for_status().text
    store = Mirror.make(queue.folder / "reader", queue.address).store
    objects = [found[0] for each in store.list("") if (found := store.read(each.key)) and found != "same"]
    files = [path for path in queue.folder.rglob("*") if path.is_file()]

    assert {"deployment", "flow_run", "log"} <= tables_with(queue.address, servers.database)
    assert tables_with(KEY, servers.database) == set()
    assert "AWS" not in shown
    assert "store" in shown
    assert queue.address in (queue.folder / "worker-1.log").read_text()
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert not [data for data in objects if KEY.encode() in data]


def tables_with(text: str, database: Postgresql) -> set[str]:
    """Return the tables of which a row has a text in it."""
    names = database.query("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
    found = "SELECT 1 FROM {} AS held WHERE position('{}' IN held::text) > 0 LIMIT 1"
    return {name for (name,) in names if database.query(found.format(name, text))}
