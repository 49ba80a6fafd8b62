"""Projects with schedules that fire soon, and the runs that came of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from ruamel.yaml import YAML
from tenacity import Retrying, stop_after_delay, wait_fixed

from flows.cli.prefect_api import SERVER_SETTINGS
from flows.cli.temporary_server import HOST

PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]
COMMAND_S = 300
EVERY_S = 40
_FIRED = ("PENDING", "RUNNING", "COMPLETED")
_FILES = "name: {name}\nsources:\n  rows: {{kind: files, path: inbox/rows.csv}}\n"
_PAGES = "  airlines: {{kind: pages, start: '{site}/airlines', rows: tbody tr, columns: {{name: 'td:nth-child(2)::text'}}}}\n"


def write_project(folder: Path, *deployments: dict[str, Any], site: str = "") -> Path:
    """Write a project of deployments of one pipeline, which converts two rows and fetches a page of a site; return its folder."""
    (folder / "data" / "inbox").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "inbox" / "rows.csv").write_text("id,city\n1,Oslo\n2,Bergen\n")
    (folder / "pipeline.yaml").write_text((_FILES + (_PAGES if site else "")).format(name=folder.name, site=site))
    common = {
        "entrypoint": "flows.pipeline:pipeline",
        "parameters": {"config": str(folder / "pipeline.yaml"), "data": str(folder / "data")},
    }
    with (folder / "prefect.yaml").open("w") as file:
        YAML().dump({"name": folder.name, "deployments": [common | deployment for deployment in deployments]}, file)
    return folder


def timed_deployments(prefix: str, **more: Any) -> list[dict[str, Any]]:
    """Return two deployments: one of every minute, by cron, and one of some seconds."""
    cron, interval = {"cron": "* * * * *", "timezone": "Europe/Berlin"}, {"interval": EVERY_S}
    return [
        {"name": f"{prefix}-cron", "schedules": [cron], **more},
        {"name": f"{prefix}-interval", "schedules": [interval], **more},
    ]


def prefect(*arguments: str, cwd: Path, environment: dict[str, str]) -> str:
    """Run a Prefect command in a folder and return what it prints."""
    ended = subprocess.run(
        [*PREFECT, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@contextmanager
def worker(
    pool: str, cwd: Path, environment: dict[str, str], *options: str, log: Path = Path(os.devnull)
) -> Iterator[None]:
    """Run a worker of a pool while the block runs; what it prints goes to a file."""
    with log.open("wb") as printed:
        process = subprocess.Popen(
            [*PREFECT, "worker", "start", "--pool", pool, *options],
            cwd=cwd,
            env={**os.environ, **environment},
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a worker: of a busy one the first SIGTERM may do nothing, which Prefect makes a cancellation of what it is at."""
    for _ in range(3):
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
            return
    process.kill()
    process.wait()


def start_server(home: Path, port: int, *options: str) -> subprocess.Popen[bytes]:
    """Start a Prefect server with a database of its own, and return when it answers."""
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    server = subprocess.Popen(
        [*PREFECT, "server", "start", "--host", HOST, "--port", str(port), *options],
        env={**environment, **SERVER_SETTINGS, "PREFECT_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for attempt in Retrying(stop=stop_after_delay(COMMAND_S), wait=wait_fixed(0.2)):
        with attempt:
            httpx.get(f"http://{HOST}:{port}/api/health").raise_for_status()
    return server


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def scheduled_runs(http: httpx.Client, deployment: str, state: str = "COMPLETED") -> list[dict[str, Any]]:
    """Return the runs of a deployment that the scheduler has made and that are in a state."""
    query = {
        "deployments": {"name": {"any_": [deployment]}},
        "flow_runs": {"state": {"type": {"any_": [state]}}},
    }
    found = http.post("/flow_runs/filter", json=query).raise_for_status().json()
    return [run for run in found if run["auto_scheduled"]]


def wait_for_runs(http: httpx.Client, *deployments: str, within_s: float) -> None:
    """Return when a scheduled run of each deployment has completed; one whose schedule has fired is paused, as further runs show no more.

    Raises:
        AssertionError: not within some seconds.

    """
    deadline = time.monotonic() + within_s
    missing, fires = set(deployments), set(deployments)
    while missing:
        for name in [name for name in fires if any(scheduled_runs(http, name, state) for state in _FIRED)]:
            found = http.get(f"/deployments/name/pipeline/{name}").raise_for_status().json()
            http.post(f"/deployments/{found['id']}/pause_deployment").raise_for_status()
            fires.discard(name)
        missing = {name for name in missing if not scheduled_runs(http, name)}
        assert time.monotonic() < deadline, f"no scheduled run completed of {sorted(missing)}"
        time.sleep(1)
