"""Several workers on one pool: Prefect's server on PostgreSQL, and runs of two pipelines in one bucket."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML
from tenacity import Retrying, stop_after_delay, wait_fixed

from flows.cli.temporary_server import HOST
from tasks.core.bucket.mirror import Mirror
from tasks.core.bucket.units import Unit
from tests.flows.scheduling import free_port, prefect, start_server, worker
from tests.postgresql import PASSWORD, USER, needs_postgresql, serve_postgresql
from tests.stores import serving_s3

pytestmark = [
    pytest.mark.flow,
    needs_postgresql,
    pytest.mark.skipif("TIDEMILL_KILLS" not in os.environ, reason="set TIDEMILL_KILLS=1: it takes minutes"),
]

PIPELINES = ("bakery", "florist")
DAYS = 10
ROWS = 50
RUNS_S = 600
KEY = "key-of-the-store-51c2"
"""What the store asks for; it stands in a Secret block alone."""


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


@contextmanager
def serving_prefect(home: Path) -> Iterator[str]:
    """Yield the address of a Prefect server whose database is PostgreSQL."""
    with serve_postgresql() as database, pytest.MonkeyPatch.context() as patch:
        where = f"{USER}:{quote(PASSWORD, safe='')}@{HOST}:{database.port}/postgres"
        patch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", f"postgresql+asyncpg://{where}")
        port = free_port()
        server = start_server(home, port)
        try:
            assert database.query("SELECT count(*) FROM flow_run") == [(0,)]
            yield f"http://{HOST}:{port}/api"
        finally:
            server.terminate()
            server.wait()


def write_project(folder: Path, site: str, address: str, endpoint: str) -> None:
    """Write a project of two pipelines, each a deployment whose credentials stand in a block."""
    folder.mkdir()
    env = {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1", "TIDEMILL_STORE_BLOCK": "store"}
    deployments = []
    for name in PIPELINES:
        source = {"kind": "api", "url": f"{site}/{name}", "partitions": {"day": {"range": [1, DAYS]}}}
        file = folder / f"{name}.yaml"
        with file.open("w") as opened:
            YAML().dump({"name": name, "sources": {f"{name}_days": source}}, opened)
        deployments.append(
            {
                "name": name,
                "entrypoint": "flows.pipeline:pipeline",
                "parameters": {"config": str(file), "data": address},
                "work_pool": {"name": "shared", "job_variables": {"env": env}},
            }
        )
    with (folder / "prefect.yaml").open("w") as opened:
        YAML().dump({"name": "project", "deployments": deployments}, opened)


def wait_for_runs(api: str) -> Counter[str]:
    """Return in which state the runs of the pipelines ended, once all have."""
    with httpx.Client(base_url=api, timeout=60) as http:
        for attempt in Retrying(stop=stop_after_delay(RUNS_S), wait=wait_fixed(1)):
            with attempt:
                query = {"flows": {"name": {"any_": ["pipeline"]}}, "limit": 200}
                runs = http.post("/flow_runs/filter", json=query).raise_for_status().json()
                assert all(run["state_type"] not in ("SCHEDULED", "PENDING", "RUNNING") for run in runs)
    return Counter(f"{run['deployment_id'] is not None} {run['state_name']}" for run in runs)


def test_two_workers_do_the_queued_runs_of_two_pipelines_in_one_bucket(tmp_path: Path) -> None:
    """Each day is fetched once, every run completes, and the tables have all days; the key of the store is in no database."""
    with ExitStack() as stack:
        bucket = f"{stack.enter_context(serving_s3())}/shops"
        site, asked = stack.enter_context(serving_days())
        api = stack.enter_context(serving_prefect(tmp_path / "server"))
        write_project(tmp_path / "project", site, bucket, os.environ["AWS_ENDPOINT_URL"])
        environment = {"PREFECT_API_URL": api, "PREFECT_HOME": str(tmp_path / "home"), "PREFECT_PROFILE": "ephemeral"}
        in_project = partial(prefect, cwd=tmp_path / "project", environment=environment)
        with httpx.Client(base_url=api, timeout=60) as http:
            in_project("block", "register", "-m", "prefect.blocks.system")
            kind = http.get("/block_types/slug/secret").raise_for_status().json()["id"]
            schema = http.post("/block_schemas/filter", json={"block_schemas": {"block_type_id": {"any_": [kind]}}})
            held = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": KEY}
            made = {"name": "store", "data": {"value": json.dumps(held)}, "block_type_id": kind}
            made["block_schema_id"] = schema.raise_for_status().json()[0]["id"]
            http.post("/block_documents/", json=made).raise_for_status()
        in_project("work-pool", "create", "shared", "--type", "process")
        in_project("deploy", "--all")
        with httpx.Client(base_url=api, timeout=60) as http:
            for name in PIPELINES:
                deployment = http.get(f"/deployments/name/pipeline/{name}").raise_for_status().json()
                assert KEY not in json.dumps(deployment)
                for day in range(1, DAYS + 1):
                    asked_for = {"parameters": {"partitions": f"day={day}"}}
                    http.post(f"/deployments/{deployment['id']}/create_flow_run", json=asked_for).raise_for_status()
        for number in (1, 2):
            own = {**environment, "TIDEMILL_CACHE": str(tmp_path / f"host-{number}")}
            stack.enter_context(worker("shared", tmp_path / "project", own, "--limit", "2"))
        ended = wait_for_runs(api)

        assert ended == {"True Completed": len(PIPELINES) * DAYS}
        assert asked == {f"{name} {day}": 1 for name in PIPELINES for day in range(1, DAYS + 1)}
        reader = Mirror.make(tmp_path / "reader", bucket)
        for name in PIPELINES:
            reader.fetch(Unit("tables", f"{name}_days"))
            table = pq.read_table((reader.root / "tables" / f"{name}_days").resolve())
            assert sorted(table["n"].to_pylist()) == list(range(ROWS, (DAYS + 1) * ROWS))
