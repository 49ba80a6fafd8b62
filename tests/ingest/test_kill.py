"""An ingest killed at any moment: the next run ends with every row, once, and asks for little again."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tasks.config import Pipeline
from tests.ingest.sources import api, pages, read_rows
from tests.killed import Order
from tests.site.landing import LONG, kept_at, long_rows
from tests.site.maps import long_picture
from tests.site.server import Site
from tests.thorough import KILLS
from tests.zygote import Zygote

AT_THE_END = KILLS // 4
SEED = 20
PAGES = 24
LATE_S = 0.005
GROUP_PAGES = 4
AT_ONCE = 4
AHEAD = {"page": ["a", "b", "c"], "page-until-short": ["a"], "offset": ["a", "b"]}
"""Sources whose pages are asked for ahead, and their partitions."""
PICTURED = [f"/long-pictured/{number}" for number in range(1, 9)]
DOWNLOAD = {"select": "img::attr(src)", "into": "picture"}
ONE_BY_ONE = {"cursor": ["a"], "link-header": ["a"]}
END_S = 0.15
"""How long an ingest goes on after its last answer: the last files are renamed, and what came of it is told."""


def pipeline(site: Site) -> Pipeline:
    """Return a pipeline of every kind of pages: some that are asked for ahead, some that follow each other."""
    requests = {"start_in_flight": AT_ONCE, "max_in_flight": AT_ONCE, "attempts": 2, "timeout_s": 10}
    sources: dict[str, Any] = {
        kind: api(site, f"/long/{kind}", pagination=LONG[kind], requests=requests, partitions={"part": parts})
        for kind, parts in (AHEAD | ONE_BY_ONE).items()
    }
    html = {
        "html": pages(site, "/long/html/1", requests=requests),
        "pictured": pages(site, *PICTURED, requests=requests, follow=None, download=DOWNLOAD),
        "listed": pages(site, start=(), sitemap=f"{site.url}/sitemap-long.xml", follow=None, requests=requests),
    }
    return Pipeline(name="killed", sources=sources | html)


def expected_files(site: Site) -> dict[str, list[Any]]:
    """Return the rows of every partition, by its raw file's name below the raw folder; a manifest has none, a picture its text."""
    rows: dict[str, list[Any]] = {
        f"{kind}/part={part}": long_rows(part, PAGES) for kind, parts in (AHEAD | ONE_BY_ONE).items() for part in parts
    }
    kept = {f"pictured/picture/{name}.png": [text] for name, text in map(named_picture, range(len(PICTURED) + 1))}
    known = {f"pictured/picture/.known/{_hash(f'{site.url}/long-picture/{n}.png'.encode())}" for n in range(len(kept))}
    rows["pictured/all"] = [
        {"name": str(page), **picture_columns(picture)} for page in range(1, len(kept)) for picture in (page, 0)
    ]
    rows["html/all"] = [{"name": str(row["id"])} for row in long_rows(None, PAGES)]
    rows["listed/all"] = [{"name": str(number)} for number in range(1, PAGES + 1)]
    manifests: dict[str, list[Any]] = {f"{name}.json": [] for name in rows}
    return {f"{name}.jsonl.zst": rows[name] for name in rows} | manifests | kept | {name: [] for name in known}


def named_picture(number: int) -> tuple[str, str]:
    """Return the name by which a picture is kept, which is its hash, and what is in it."""
    return _hash(long_picture(number)), long_picture(number).decode()


def picture_columns(number: int) -> dict[str, Any]:
    """Return the columns of a row that leads to a picture."""
    name, text = named_picture(number)
    return {"picture_path": f"picture/{name}.png", "picture_bytes": len(text), "picture_type": "image/png"}


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def landed_files(raw: Path) -> dict[str, list[Any]]:
    """Return the rows of every file below the raw folder, hidden ones too; those that are no raw file have none.

    What is kept of a sitemap's pages may be lost: all are asked for then.
    """
    files = [path for path in raw.rglob("*") if path.is_file() and path.name != ".lock" and path.suffix != ".pages"]
    return {str(path.relative_to(raw)): _read(path) for path in files}


def _read(path: Path) -> list[Any]:
    if path.suffix == ".png":
        return [path.read_text(encoding="utf-8")]
    return read_rows(path) if path.suffix == ".zst" else []


def draw_moments(requests: int) -> list[tuple[int, float]]:
    """Return the moments of the kills: seconds after so many requests; some of them at the very end."""
    draw = random.Random(SEED)
    within = [(draw.randint(1, requests), draw.uniform(0, LATE_S)) for _ in range(KILLS - AT_THE_END)]
    return [*within, *((requests, draw.uniform(0, END_S)) for _ in range(AT_THE_END))]


def kill(site: Site, group: int, requests: int, seconds: float) -> None:
    """Kill a process group some seconds after a site has been asked so often, unless it has ended by then."""
    deadline = time.monotonic() + 60
    while len(site.seen) < requests and time.monotonic() < deadline:
        time.sleep(0.0002)
    time.sleep(seconds)
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


@pytest.mark.flow
def test_an_ingest_that_is_killed_is_finished_by_the_next(forked: Zygote, site: Site, tmp_path: Path) -> None:
    """After SIGKILL to the whole process group, at any moment, the next run ends with all rows, in order, and nothing else.

    Both together ask for little more than one: what was under way, and a page group of each partition.
    """
    kept_at(site).pages, kept_at(site).late_s = PAGES, LATE_S
    config, expected = pipeline(site).model_dump_json(), expected_files(site)
    partitions = sum(name.endswith(".zst") for name in expected)
    ahead = sum(map(len, AHEAD.values())) + 3  # and the sitemap's, the pages with pictures, and the pictures
    found, killed = [], []
    forked.start(Order("ingest", config, str(tmp_path / "reference"), GROUP_PAGES))
    assert (forked.end(), landed_files(tmp_path / "reference" / "raw")) == (0, expected)
    reference = len(site.seen)
    most = ahead * AT_ONCE + (partitions - ahead + 1) + partitions * GROUP_PAGES
    for number, (requests, seconds) in enumerate(draw_moments(reference)):
        order, before = Order("ingest", config, str(tmp_path / str(number)), GROUP_PAGES), len(site.seen)
        kill(site, forked.start(order), before + requests, seconds)
        killed.append(forked.end() != 0)
        forked.start(order)
        ended, more = forked.end(), len(site.seen) - before - reference
        found.append((ended, landed_files(tmp_path / str(number) / "raw") == expected, more <= most))

    assert found == [(0, True, True)] * KILLS
    assert killed.count(True) >= KILLS - AT_THE_END
