"""The Prefect UI, looked at in Chromium as a user does."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.flows.conftest import TOUR, Tidemill

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_SHOWN_MS = 30_000

pytestmark = [
    pytest.mark.flow,
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists() and "TIDEMILL_BROWSER_REQUIRED" not in os.environ,
        reason=f"needs Chromium at {CHROMIUM} (Debian: apt-get install chromium)",
    ),
]


@pytest.fixture
def page() -> Iterator[Page]:
    """Yield an empty page of a headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser.new_page(viewport={"width": 1400, "height": 1000})
        browser.close()


def test_the_ui_shows_a_run_its_stages_and_its_artifacts(
    prefect_server: str, tidemill: Tidemill, data: Path, tmp_path: Path, page: Page
) -> None:
    """The address that a run prints leads to it, with its three subflows, and to its leaderboard."""
    shutil.copytree(data / "inbox", tmp_path / "inbox")
    ran = tidemill("run", TOUR, "--data", tmp_path)
    run_id = json.loads((tmp_path / "summary.json").read_text())["flow_run_id"]
    address = f"{prefect_server.removesuffix('/api')}/runs/flow-run/{run_id}"

    page.goto(address)

    assert ran.returncode == 0, ran.stderr
    assert address in "".join(ran.stdout.split())
    expect(page.get_by_text("Completed").first).to_be_visible(timeout=_SHOWN_MS)
    page.get_by_text("Subflow Runs").click()
    for stage in ("ingest", "convert", "train"):
        expect(page.get_by_role("link", name=stage, exact=True).first).to_be_visible(timeout=_SHOWN_MS)
    page.goto(f"{prefect_server.removesuffix('/api')}/artifacts")
    for artifact in ("tour-ingest", "tour-tables", "tour-leaderboard"):
        expect(page.get_by_text(artifact).first).to_be_visible(timeout=_SHOWN_MS)
