"""Schedules fire: what is deployed with one runs by itself, by a worker and by `serve`."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest
from prefect.client.base import PrefectHttpxSyncClient

from tests.flows.conftest import Tidemill, group_is_gone
from tests.flows.scheduling import prefect, timed_deployments, wait_for_runs, worker, write_project
from tests.flows.test_run import copy_database
from tests.thorough import ALL, takes_minutes

pytestmark = pytest.mark.flow

WAYS = ["worker", "serve", pytest.param("alone", marks=takes_minutes("its server is one more"))]
WITHIN_S = 420.0  # the cron's minute, starts, and a machine that has other things to do


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for projects and Prefect homes."""
    return tmp_path_factory.mktemp("schedules")


@contextmanager
def deployed(folder: Path, http: httpx.Client, site: str) -> Iterator[None]:
    """Deploy to a pool and run a worker of it while the block runs; then take the deployments away again."""
    pool = {"work_pool": {"name": "timed"}}
    project = write_project(folder, *timed_deployments("worker", **pool), site=site)
    http.post("/work_pools/", json={"name": "timed", "type": "process"}).raise_for_status()
    prefect("deploy", "--all", cwd=project, environment={})
    with worker("timed", project, {}):
        yield
    for name in ("worker-cron", "worker-interval"):
        found = http.get(f"/deployments/name/pipeline/{name}").raise_for_status().json()
        http.delete(f"/deployments/{found['id']}").raise_for_status()


@contextmanager
def served(folder: Path, name: str, environment: dict[str, str], site: str) -> Iterator[None]:
    """Serve two deployments while the block runs."""
    project = write_project(folder, *timed_deployments(name), site=site)
    process = Tidemill(environment, project).start("serve")
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGINT)
        assert group_is_gone(process)
        sys.stdout.write(process.stdout.read() if process.stdout else "")  # for who wonders why nothing was run


@pytest.fixture(scope="module")
def fired(prefect_server: str, sample_site: str, homes: Path) -> Path:
    """Wait until each way of running a schedule has completed a run, all at once; return the temporary server's home."""
    temporary = homes / "prefect"
    copy_database(Path(os.environ["PREFECT_HOME"]), temporary)
    alone = {"PREFECT_API_URL": "", "PREFECT_HOME": str(temporary)}
    with PrefectHttpxSyncClient(base_url=prefect_server, timeout=60) as http, ExitStack() as stack:
        stack.enter_context(deployed(homes / "worker", http, sample_site))
        stack.enter_context(served(homes / "serve", "serve", {}, sample_site))
        if ALL:
            stack.enter_context(served(homes / "alone", "alone", alone, sample_site))
        names = [f"{way}-{kind}" for way in ("worker", "serve") for kind in ("cron", "interval")]
        wait_for_runs(http, *names, within_s=WITHIN_S)
        if ALL:
            wait_for_database(temporary / "prefect.db", {"alone-cron", "alone-interval"})
    return temporary


def wait_for_database(database: Path, deployments: set[str]) -> None:
    """Wait for a completed run of each deployment in the database of a temporary server, which asks for a key."""
    deadline = time.monotonic() + WITHIN_S
    query = (
        "SELECT DISTINCT deployment.name FROM flow_run JOIN deployment ON deployment.id = flow_run.deployment_id "
        "WHERE flow_run.state_type = 'COMPLETED' AND flow_run.auto_scheduled"
    )
    found: set[str] = set()
    while not deployments <= found:
        assert time.monotonic() < deadline, f"no scheduled run completed of {sorted(deployments - found)}"
        time.sleep(1)
        with closing(sqlite3.connect(database, timeout=60)) as connection:
            found = {name for (name,) in connection.execute(query)}


@pytest.mark.parametrize("way", WAYS)
def test_schedules_fire(fired: Path, homes: Path, way: str) -> None:
    """A cron and an interval have run to their end by themselves: by a worker, by `serve`, by its temporary server."""
    assert fired.is_dir()

    assert {folder.name for folder in (homes / way / "data" / "tables").iterdir()} == {"airlines", "rows"}


@pytest.mark.parametrize("way", WAYS)
def test_a_scheduled_run_says_what_is_fetched_once(fired: Path, homes: Path, way: str) -> None:
    """The summary of a run that a schedule has started names the source of which the next one fetches nothing."""
    assert fired.is_dir()

    summary = json.loads((homes / way / "data" / "summary.json").read_text())

    assert summary["warnings"] == [
        "source airlines has neither refresh nor incremental: once it has landed, scheduled runs fetch nothing of it; "
        "add refresh: {after: 24h}, or incremental, to it"
    ]
