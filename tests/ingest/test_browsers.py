"""The browsers of a run: told before it where they are missing, and gone with it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows.cli.mistakes import find_mistakes
from flows.summary import RunOptions
from tasks.config import Pipeline, load_pipeline
from tasks.ingest.scraping.browsers import open_browsers
from tests.flows.test_ui import CHROMIUM
from tests.ingest.sources import job_of, land_with, open_quietly, pages
from tests.processes import descendants, is_running, name_of
from tests.site.server import Site


async def land_in_browser(address: str, folder: Path) -> None:
    """Land a page whose scripts do not end, as a run does."""
    site = SimpleNamespace(url=address)
    source = pages(site, "/script-without-end", render=True)  # type: ignore[arg-type]
    async with open_quietly(source) as client, open_browsers() as browsers:
        await land_with(client, job_of(source, folder), browsers=browsers)


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium")
def test_a_killed_run_leaves_no_browser(site: Site, tmp_path: Path) -> None:
    """Within seconds of SIGKILL to its process alone nothing of it is left, also where a script does not end.

    While it is there it knows nothing of the run's environment, in which secrets are.
    """
    command = [sys.executable, "-m", "tests.ingest.test_browsers", site.url, str(tmp_path)]
    with subprocess.Popen(command, env={**os.environ, "SHOP_TOKEN": "SECRET"}) as run:
        deadline = time.monotonic() + 60
        while "chromium" not in (names := {name_of(pid) for pid in descendants(run.pid)}) or not site.seen:
            assert time.monotonic() < deadline, names
            time.sleep(0.05)
        time.sleep(0.5)
        below = descendants(run.pid)
        known = {Path(f"/proc/{pid}/environ").read_bytes() for pid in below if name_of(pid) == "chromium"}
        run.kill()
    deadline = time.monotonic() + 10
    while any(map(is_running, below)) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert [pid for pid in below if is_running(pid)] == []
    assert not any(b"SHOP_TOKEN" in environment for environment in known)


def test_what_is_missing_is_told_before_a_run(site: Site, tmp_path: Path) -> None:
    """The check of a file names the browser that is not there, and a selector that is none; a form may name no browser."""
    source = pages(site, "/page-3").model_dump(mode="json", exclude_defaults=True)
    source |= {"kind": "pages", "render": {"wait_for": "a::text", "browser": "/no/such"}}
    file = tmp_path / "shop.yaml"
    with pytest.raises(ValueError, match=r"'/no/such' is run from a pipeline file on disk alone; give the path"):
        Pipeline(name="shop", sources={"rows": source})
    file.write_text(json.dumps({"name": "shop", "sources": {"rows": source}}))

    assert find_mistakes(load_pipeline(file), tmp_path / "data", RunOptions()) == [
        "sources.rows.render.wait_for: 'a::text' selects a text, not an element; end it in the element that is a row",
        "sources.rows.render.browser: '/no/such' is no program, and none on PATH; correct it, or take it out",
    ]


def test_an_extra_that_is_missing_is_told(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check says what to install."""
    monkeypatch.setitem(sys.modules, "playwright", None)  # as Python says that there is none
    config = Pipeline(name="shop", sources={"rows": pages(site, "/page-3", render=True)})

    assert find_mistakes(config, tmp_path, RunOptions()) == [
        "sources.rows.render: needs Playwright, which is not installed; pip install 'tidemill[render]'"
    ]


if __name__ == "__main__":
    asyncio.run(land_in_browser(sys.argv[1], Path(sys.argv[2])))
