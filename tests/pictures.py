"""The pictures of README, taken by Chromium of a real run of the demo: `python -m tests.pictures` writes docs/pictures."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import FloatRect, Page, sync_playwright

from tests.documented import DOCS
from tests.flows.scheduling import free_port, start_server
from tests.flows.test_ui import ARGUMENTS, CHROMIUM

PICTURES = DOCS / "pictures"
_MENU = 256  # pixels at the left that say nothing of the run
_COLOURS = 64
_DRAWN_MS = 4_000  # the timeline moves to its place


def take_pictures(run: str) -> None:
    """Take the pictures of a run of the demo, whose page is at an address."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1256, "height": 1200})
        page.goto(run)
        page.get_by_text("Finished in state").or_(page.get_by_text("Done in")).first.wait_for()
        _keep("logs", page, {"x": _MENU, "y": 430, "width": 1000, "height": 760})
        page.get_by_text("Artifacts", exact=True).click()
        page.get_by_text("flights-run").first.wait_for()
        _keep("run", page, {"x": _MENU, "y": 0, "width": 1000, "height": 860})
        page.get_by_text("flights-run").first.click()
        with page.expect_popup() as leaderboard:
            page.get_by_role("link", name="flights-leaderboard").click()
        leaderboard.value.get_by_text("logistic").first.wait_for()
        _keep("leaderboard", leaderboard.value, {"x": _MENU, "y": 0, "width": 1000, "height": 620})
        with page.expect_popup() as profile:
            page.get_by_role("link", name="flights-profile-flights").click()
        page = profile.value
        page.locator("img[src^='data:image/svg']").first.wait_for()
        _keep("profile", page, {"x": _MENU, "y": 176, "width": 1000, "height": 956})
        browser.close()


def _keep(name: str, page: Page, clip: FloatRect) -> None:
    """Write what a page shows within a rectangle, in few colours."""
    page.wait_for_timeout(_DRAWN_MS)
    with Image.open(io.BytesIO(page.screenshot(clip=clip))) as picture:
        picture.convert("RGB").quantize(_COLOURS).save(PICTURES / f"{name}.png", optimize=True)


def main() -> None:
    """Run the demo on a Prefect server of its own and take the pictures of it."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        server = start_server(Path(folder), port)
        try:
            command = [sys.executable, "-m", "flows", "demo", "--data", f"{folder}/data"]
            environment = {**os.environ, "PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_HOME": folder}
            told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
            found = re.search(r"^Prefect UI +(\S+)$", told, re.MULTILINE)
            assert found, told
            take_pictures(found[1])
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
