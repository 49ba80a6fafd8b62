"""The Prefect UI, looked at in Chromium as a user does."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Position, expect, sync_playwright
from prefect.client.base import PrefectHttpxSyncClient

from tests.flows.conftest import ToldRun

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_SHOWN_MS = 90_000
_ABOVE_TIMELINE = 0.8  # of the height of a run's graph
_NODE = (33, 157, 75)  # a run that completed, in red, green and blue
_ALIKE = 40
_ARROW = 100  # brighter than what is behind it

needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists() and "TIDEMILL_BROWSER_REQUIRED" not in os.environ,
    reason=f"needs Chromium at {CHROMIUM} (Debian: apt-get install chromium)",
)
pytestmark = [pytest.mark.flow, pytest.mark.browser, needs_chromium]


@pytest.fixture
def page() -> Iterator[Page]:
    """Yield an empty page of a headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser.new_page(viewport={"width": 1400, "height": 1000})
        browser.close()


def test_the_ui_shows_a_run_its_stages_and_its_artifacts(prefect_server: str, tour_run: ToldRun, page: Page) -> None:
    """The address that a run prints leads to it, with its three subflows, drawn one after the other, and to its leaderboard."""
    site = prefect_server.removesuffix("/api")
    address = re.search(rf"{site}/runs/flow-run/[0-9a-f-]+", "".join(tour_run.stdout.split()))
    assert address

    page.goto(address[0])

    expect(page.get_by_text("Completed").first).to_be_visible(timeout=_SHOWN_MS)
    for (place, led_to), stage in zip(find_drawn(page), ("ingest", "convert", "train"), strict=True):
        page.locator("canvas").first.click(position=place)
        expect(page.locator(".flow-run-graph-selection-panel")).to_contain_text(f"tour {stage}", timeout=_SHOWN_MS)
        assert led_to == (stage != "ingest")
    page.get_by_text("Subflow Runs").click()
    for stage in ("ingest", "convert", "train"):
        expect(page.get_by_role("link", name=stage, exact=True).first).to_be_visible(timeout=_SHOWN_MS)
    page.goto(f"{site}/runs?tab=task-runs")
    expect(page.locator("a[href*='/runs/task-run/']").first).to_be_visible(timeout=_SHOWN_MS)
    page.goto(f"{site}/artifacts")
    page.get_by_role("searchbox").fill("tour-")  # fifty are shown at first, and other runs of the tests have some too
    for artifact in ("tour-ingest", "tour-tables", "tour-leaderboard", "tour-pictures", "tour-model"):
        expect(page.get_by_text(artifact).first).to_be_visible(timeout=_SHOWN_MS)
    page.goto(f"{site}/artifacts/artifact/{artifact_of(prefect_server, tour_run.flow_run, 'tour-ingest')['id']}")
    for cell in ("429s", "resumed from page", "user_id=3"):
        expect(page.get_by_text(cell).first).to_be_visible(timeout=_SHOWN_MS)
    page.goto(f"{site}/artifacts/artifact/{artifact_of(prefect_server, tour_run.flow_run, 'tour-profile-iris')['id']}")
    picture = page.locator("img[src^='data:image/svg']").first
    expect(picture).to_be_visible(timeout=_SHOWN_MS)
    assert picture.evaluate("image => image.naturalWidth") == 120


def artifact_of(server: str, run: str, key: str) -> dict[str, Any]:
    """Return the one artifact with this key that the stages of a run made."""
    query = {"artifacts": {"key": {"any_": [key]}}, "flow_runs": {"parent_flow_run_id": {"any_": [run]}}}
    with PrefectHttpxSyncClient(base_url=server) as api:
        (artifact,) = api.post("/artifacts/filter", json=query).json()
    return dict(artifact)


def find_drawn(page: Page) -> list[tuple[Position, bool]]:
    """Return where the graph on the page of a run has its nodes that completed, from top to bottom, and whether an arrow ends at each."""
    canvas = page.locator("canvas").first
    for _ in range(_SHOWN_MS // 1000):
        with Image.open(io.BytesIO(canvas.screenshot(timeout=_SHOWN_MS))) as picture:
            drawn = np.asarray(picture.convert("RGB"), int)[: int(picture.height * _ABOVE_TIMELINE)]
        is_node = np.abs(drawn - _NODE).sum(axis=2) < _ALIKE
        rows = np.flatnonzero(is_node.any(axis=1))
        if rows.size:
            break
        page.wait_for_timeout(1000)
    found: list[tuple[Position, bool]] = []
    for node in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        x, y = int(np.flatnonzero(is_node[node].any(axis=0))[0]), int(node.mean())
        beside = drawn[y - 8 : y + 8, x - 9 : x - 1]
        found.append(({"x": x + 4, "y": y}, bool(beside.max() > _ARROW)))
    return found


def test_the_page_of_a_run_leads_to_what_its_stages_show(prefect_server: str, tour_run: ToldRun, page: Page) -> None:
    """Its log is its story, and under Artifacts is its report, whose links lead on."""
    site = prefect_server.removesuffix("/api")
    address = re.search(rf"{site}/runs/flow-run/[0-9a-f-]+", "".join(tour_run.stdout.split()))
    assert address

    page.goto(address[0])
    for told in ("The pipeline tour begins", "ingest users: 5 rows of 5 partitions", "serves since", "Done in"):
        expect(page.get_by_text(told).first).to_be_visible(timeout=_SHOWN_MS)
    assert page.get_by_text("Finished in state").count() == 0
    page.get_by_text("Artifacts", exact=True).click(timeout=_SHOWN_MS)
    page.get_by_text("tour-run").first.click(timeout=_SHOWN_MS)
    for heading in ("What came in", "What changed since the last run", "Which model serves", "What its stages show"):
        expect(page.get_by_role("heading", name=heading)).to_be_visible(timeout=_SHOWN_MS)
    with page.expect_popup() as leaderboard:
        page.get_by_role("link", name="tour-leaderboard").click(timeout=_SHOWN_MS)

    expect(leaderboard.value.get_by_text("logistic").first).to_be_visible(timeout=_SHOWN_MS)


def test_the_ui_draws_the_pictures_of_a_training(prefect_server: str, tour_run: ToldRun, page: Page) -> None:
    """Each picture within the artifact is drawn."""
    assert tour_run.stdout
    site = prefect_server.removesuffix("/api")
    gallery = artifact_of(prefect_server, tour_run.flow_run, "tour-pictures")

    page.goto(f"{site}/artifacts/artifact/{gallery['id']}")

    expect(page.get_by_text("Confusion").first).to_be_visible(timeout=_SHOWN_MS)
    widths = page.locator("img[src^='data:image/']").evaluate_all("images => images.map(image => image.naturalWidth)")
    assert len(widths) == gallery["data"].count("](data:image/") > 3
    assert min(widths) > 100
