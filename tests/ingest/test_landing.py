"""When a landed partition counts, and that one which is cut off leaves nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.config import ApiSource, PagesSource
from tasks.ingest.landing.plan import Landed, find_landed
from tests.ingest.sources import api, job_of, land_one, list_files, pages
from tests.site.server import Site

PARTED: dict[str, Any] = {"partitions": {"part": ["a", "b"]}}


async def find(source: ApiSource | PagesSource, folder: Path) -> Landed | None:
    """Return a source's first partition if it is landed in `folder`."""
    return await asyncio.to_thread(lambda: find_landed(job_of(source, folder), fresh=False))


async def test_a_landed_partition_is_found(site: Site, tmp_path: Path) -> None:
    """What was landed is found again, as it was landed, without a request."""
    source = api(site, "/items", **PARTED)
    landed = await land_one(source, tmp_path)

    found = await find(source, tmp_path)

    assert found == replace(landed, requests=0, body_bytes=0, seconds=0.0, reused=True)
    assert len(site.seen) == 3


async def test_a_partition_that_is_not_landed_is_not_found(site: Site, tmp_path: Path) -> None:
    """In an empty folder, and in none, nothing is found."""
    source = api(site, "/items")

    assert [await find(source, folder) for folder in (tmp_path, tmp_path / "none")] == [None, None]


@pytest.mark.parametrize("damage", ["shorter", "longer", "gone", "manifest gone", "manifest broken", "manifest older"])
async def test_a_damaged_partition_does_not_count(site: Site, tmp_path: Path, damage: str) -> None:
    """A raw file of another length than its manifest says, or a manifest that cannot be read, is landed again."""
    source = api(site, "/items")
    raw = (await land_one(source, tmp_path)).path
    manifest = tmp_path / "all.json"

    match damage:
        case "shorter":
            raw.write_bytes(raw.read_bytes()[:-1])
        case "longer":
            raw.write_bytes(raw.read_bytes() + b"\0")
        case "gone":
            raw.unlink()
        case "manifest gone":
            manifest.unlink()
        case "manifest broken":
            manifest.write_bytes(manifest.read_bytes()[:-3])
        case "manifest older":
            manifest.write_text('{"rows": 7}', encoding="utf-8")

    assert await find(source, tmp_path) is None


@pytest.mark.parametrize(
    "change",
    [
        {"requests": {"max_in_flight": 1, "attempts": 2}},
        {"key": ["id"]},
        {"columns": {"id": "float"}},
        {"auth": {"kind": "bearer", "token": {"env": "OTHER"}}},
        {"partitions": {"part": ["a", "b", "c"]}},
    ],
)
async def test_what_changes_no_answer_fetches_nothing_again(site: Site, tmp_path: Path, change: dict[str, Any]) -> None:
    """How an API is asked, what is declared of its columns, and further partitions leave what is landed."""
    await land_one(api(site, "/items", **PARTED), tmp_path)

    assert await find(api(site, "/items", **PARTED | change), tmp_path) is not None


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/items-until-empty", {}),
        ("/items", {"params": {"order": "id"}}),
        ("/items", {"headers": {"Accept-Language": "de"}}),
        ("/items", {"records_at": "pages"}),
        ("/items", {"pagination": {"kind": "single"}}),
    ],
)
async def test_another_request_fetches_again(site: Site, tmp_path: Path, path: str, change: dict[str, Any]) -> None:
    """What changes the requests, or what is taken from the answers, makes a landed partition stale."""
    await land_one(api(site, "/items", **PARTED), tmp_path)

    assert await find(api(site, path, **PARTED | change), tmp_path) is None


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({"columns": {"name": {"select": "b::text", "type": "int"}}}, True),
        ({"key": ["name"]}, True),
        ({"columns": {"name": "a::text"}}, False),
        ({"columns": {"title": "b::text"}}, False),
        ({"rows": "ul li"}, False),
        ({"follow": None}, False),
    ],
)
async def test_another_selector_fetches_pages_again(
    site: Site, tmp_path: Path, change: dict[str, Any], counts: bool
) -> None:
    """A page's selectors decide what is landed; its columns' types do not."""
    await land_one(pages(site, "/page-1"), tmp_path)

    assert (await find(pages(site, "/page-1", **change), tmp_path) is not None) == counts


async def test_another_value_of_the_same_name_is_another_partition(site: Site, tmp_path: Path) -> None:
    """A manifest that was put under another partition's name does not count for it."""
    source = api(site, "/items", **PARTED)
    landed = await land_one(source, tmp_path)
    for path in (landed.path, tmp_path / "part=a.json"):
        path.rename(path.with_name(path.name.replace("part=a", "part=b")))

    assert await find(api(site, "/items", partitions={"part": ["b"]}), tmp_path) is None


def sources_that_never_end(site: Site) -> list[ApiSource | PagesSource]:
    """Return sources whose first page comes at once, and that go on for ever, or wait for ever."""
    return [
        pages(site, "/endless/1", max_pages=10**9),
        pages(site, "/page-1", "/slow"),
        api(site, "/slow", requests={"timeout_s": 60}),
    ]


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.1])
async def test_a_landing_that_is_cut_off_leaves_nothing(
    site: Site, tmp_path: Path, number: int, seconds: float
) -> None:
    """Cancelled at any moment, a landing removes its part file and ends."""
    landing = asyncio.create_task(land_one(sources_that_never_end(site)[number], tmp_path))
    await asyncio.sleep(seconds)

    landing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await landing

    assert list_files(tmp_path) == []
