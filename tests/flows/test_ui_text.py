"""Texts of data in the Prefect UI: shown as they are, whatever they would mean to it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from prefect.client.base import PrefectHttpxSyncClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.flows.conftest import Tidemill
from tests.flows.test_ui import needs_chromium, page
from tests.hosting import hosting

__all__ = ["page"]
pytestmark = [pytest.mark.flow, pytest.mark.browser, needs_chromium]

_SHOWN_MS = 90_000
PATTERN = "[/a-z]+"

PIPELINE = """
name: texts
sources:
  orders:
    kind: files
    path: inbox/*.csv
    columns: {x: int}
    checks: [{matches: {column: y, regex: "[/a-z]+"}, on_fail: warn}]
training:
  query: SELECT * EXCLUDE (y, x) FROM orders
  target: t
  candidates: {logistic: {estimator: sklearn.linear_model.LogisticRegression}}
  split: {by: random, folds: 2}
"""


def write_orders(data: Path, site: str) -> None:
    """Write a file whose header, values and rejects hold images, links and HTML that lead to a site."""
    image, link, html = f"![i]({site}/image)", f"[l]({site}/link)", f"<img src={site}/html>"
    header = ["x", "y", "t", image, link, html]
    rows = [
        ["1", f"{link} {number % 7}", "ab"[number % 2], str(number), str(number % 3), image] for number in range(60)
    ]
    rows += [[html, image, "a", "1", "2", link], [image, link, "b", "1", "2", html]]
    (data / "inbox").mkdir(parents=True)
    lines = [",".join(row) for row in [header, *rows]]
    (data / "inbox" / "orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.usefixtures("prefect_server")
def test_no_text_of_data_is_live_in_the_ui(tidemill: Tidemill, prefect_server: str, tmp_path: Path, page: Page) -> None:
    """No image of a column's name, a value or a reject is loaded, and none of them is a link under another name."""
    asked: list[str] = []

    async def answer(request: Request) -> Response:
        asked.append(request.url.path)
        return Response("", media_type="image/png")

    (tmp_path / "pipeline.yaml").write_text(PIPELINE, encoding="utf-8")
    listener = socket.create_server(("127.0.0.1", 0))
    site = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with hosting(Starlette(routes=[Route("/{path:path}", answer)]), listener):
        write_orders(tmp_path / "data", site)
        ended = tidemill("run", tmp_path / "pipeline.yaml", "--data", tmp_path / "data")
        assert ended.returncode == 0, ended.stderr
        assert PATTERN in ended.stdout
        keys = look_at_all(prefect_server, tmp_path / "data", page, site)

    assert asked == []
    assert keys >= {
        "texts-tables",
        "texts-rejects",
        "texts-checks",
        "texts-profile-orders",
        "texts-model",
        "texts-leaderboard",
    }


def look_at_all(api: str, data: Path, page: Page, site: str) -> set[str]:
    """Open the page of a run and of each of its artifacts; return their keys."""
    run = json.loads((data / "summary.json").read_text())["flow_run_id"]
    children = {"flow_runs": {"parent_flow_run_id": {"any_": [run]}}}
    with PrefectHttpxSyncClient(base_url=api) as http:
        runs = [run, *(child["id"] for child in http.post("/flow_runs/filter", json=children).json())]
        query = {"artifacts": {"flow_run_id": {"any_": runs}}}
        artifacts = http.post("/artifacts/filter", json=query).json()
    address = api.removesuffix("/api")
    pages = [f"runs/flow-run/{run}", "artifacts", *(f"artifacts/artifact/{each['id']}" for each in artifacts)]
    for path in pages:
        page.goto(f"{address}/{path}", wait_until="networkidle")
        if path == "artifacts":
            page.get_by_role("searchbox").fill("texts")  # fifty are shown at first, and other tests have some too
        expect(page.get_by_text("texts").first).to_be_visible(timeout=_SHOWN_MS)
        for each in page.locator(f"a[href^='{site}'], img[src^='{site}']").all():
            # An address in a log is made a link by Prefect's UI; it says itself where it leads.
            assert each.text_content() == each.get_attribute("href"), f"{path}: {each.evaluate('e => e.outerHTML')}"
    return {each["key"] for each in artifacts}
