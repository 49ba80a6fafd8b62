"""Runs of a deployment that a person starts and retries by the buttons of the Prefect UI."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from tenacity import Retrying, stop_after_attempt

from tests.flows.conftest import Tidemill, group_is_gone
from tests.flows.test_resume import OPEN, states, wait_for
from tests.flows.test_ui import needs_chromium, page
from tests.hosting import hosting
from tests.thorough import takes_minutes

__all__ = ["page"]
pytestmark = [pytest.mark.flow, pytest.mark.browser, needs_chromium]

_SHOWN_MS = 90_000
PIPELINE = """name: retried
sources:
  items: {{kind: api, url: "{site}/items", partitions: {{n: [1, 2, 3]}}, params: {{n: "{{n}}"}}, requests: {{timeout_s: 180}}}}
tables:
  made: {{python: 'prepare:made', inputs: [items]}}
"""
PREPARE = """from pathlib import Path

def made(items):
    if not Path({prices!r}).exists():
        raise ValueError("the prices are not there yet")
    return items.assign(price=5)
"""


@takes_minutes("a browser keeps a processor busy")
def test_a_failed_run_is_retried(prefect_server: str, tmp_path: Path, page: Page) -> None:
    """Quick run is clicked, how far it has come is looked at, and then Retry is: the run goes on where it failed, and nothing is fetched or made twice."""
    asked: Counter[str] = Counter()
    is_seen = threading.Event()

    def answer(request: Request) -> JSONResponse:
        asked[request.query_params["n"]] += 1
        if request.query_params["n"] == "3":
            is_seen.wait(2 * _SHOWN_MS / 1000)
        return JSONResponse([{"id": int(request.query_params["n"])}])

    listener = socket.create_server(("127.0.0.1", 0))
    data, prices = tmp_path / "data", tmp_path / "prices.csv"
    with hosting(Starlette(routes=[Route("/items", answer)]), listener):
        write_project(tmp_path, f"http://127.0.0.1:{listener.getsockname()[1]}", prices)
        process = Tidemill(cwd=tmp_path).start("serve")
        try:
            served = f"{prefect_server}/deployments/name/pipeline/retried"
            wait_for(lambda: httpx.get(served).is_success)
            site, deployment = prefect_server.removesuffix("/api"), httpx.get(served).json()["id"]

            def ended(*states: str) -> bool:
                return [run["state_type"] for run in runs_of(prefect_server, deployment)] == [*states]

            page.goto(f"{site}/deployments/deployment/{deployment}")
            page.get_by_role("button", name="Run", exact=True).click(timeout=_SHOWN_MS)
            page.get_by_text("Quick run").click()
            press(page, "Run")
            look_at_progress(page, prefect_server)
            is_seen.set()
            page.goto("about:blank")  # a page that is looked at keeps a core busy
            wait_for(lambda: ended("FAILED"))
            (failed,) = runs_of(prefect_server, deployment)
            page.goto(f"{site}/runs/flow-run/{failed['id']}")
            expect(page.get_by_text("the prices are not there yet").first).to_be_visible(timeout=_SHOWN_MS)
            items = (data / "tables" / "items").resolve()

            prices.touch()
            page.get_by_role("button", name="Retry").click(timeout=_SHOWN_MS)
            press(page, "Retry")
            page.goto("about:blank")
            wait_for(lambda: ended("COMPLETED"))
            page.goto(f"{site}/runs/flow-run/{failed['id']}")
            expect(page.get_by_text("Completed").first).to_be_visible(timeout=_SHOWN_MS)
        finally:
            os.kill(process.pid, signal.SIGINT)
            gone = group_is_gone(process)

    (retried,) = runs_of(prefect_server, deployment)
    shown = states(prefect_server, failed["id"])
    assert gone
    assert (retried["id"], retried["run_count"]) == (failed["id"], 2)
    assert (shown["table made"], {*shown.values()} & {*OPEN}) == ("COMPLETED", set())
    assert asked == {"1": 1, "2": 1, "3": 1}
    assert (data / "tables" / "items").resolve() == items
    assert (data / "tables" / "made").exists()


def press(page: Page, button: str) -> None:
    """Press a button of the dialog, which then closes: again where the server is busy, as the UI says in a corner."""
    dialog = page.get_by_role("dialog")
    for attempt in Retrying(stop=stop_after_attempt(3), reraise=True):
        with attempt:
            dialog.get_by_role("button", name=button, exact=True).click()
            expect(dialog).to_be_hidden(timeout=15_000)


def look_at_progress(page: Page, api: str) -> None:
    """Look how far the run has come while it waits for the last of three partitions."""
    asked = {"artifacts": {"key": {"any_": ["retried-ingest-items"]}}}

    def shown() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.post(f"{api}/artifacts/filter", json=asked).raise_for_status().json()
        return [each for each in found if each["data"]]

    wait_for(lambda: bool(shown()))
    page.goto(f"{api.removesuffix('/api')}/artifacts/artifact/{shown()[0]['id']}")
    expect(page.get_by_text(re.compile(r"^\s*Progress: 66\.?\d*%\s*$"))).to_be_visible(timeout=_SHOWN_MS)
    expect(page.get_by_text(re.compile("^items: 2 rows, 2 pages at .*1 in flight")).first).to_be_visible()


def runs_of(api: str, deployment: str) -> list[dict[str, Any]]:
    """Return the runs of a deployment."""
    asked = {"deployments": {"id": {"any_": [deployment]}}}
    found: list[dict[str, Any]] = httpx.post(f"{api}/flow_runs/filter", json=asked).raise_for_status().json()
    return found


def write_project(folder: Path, site: str, prices: Path) -> None:
    """Write a project of one deployment, whose second stage fails until a file is there."""
    (folder / "pipeline.yaml").write_text(PIPELINE.format(site=site))
    (folder / "prepare.py").write_text(PREPARE.format(prices=str(prices)))
    parameters = {"config": str(folder / "pipeline.yaml"), "data": str(folder / "data")}
    deployment = {"name": "retried", "entrypoint": "flows.pipeline:pipeline", "parameters": parameters}
    (folder / "prefect.yaml").write_text(json.dumps({"name": "retried", "deployments": [deployment]}))
