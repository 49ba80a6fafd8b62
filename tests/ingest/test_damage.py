"""What was landed and is damaged since: it is fetched anew, that alone, and told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.ingest.landing.plan import find_damage, find_landed
from tasks.raw.files import increment_path, list_raw_files, manifest_path, raw_path
from tests.ingest.sources import api, job_of, land_one, read_rows
from tests.ingest.test_incremental import growing
from tests.site.items import ITEMS
from tests.site.landing import kept_at
from tests.site.server import Site


def cut_off(path: Path) -> None:
    """Leave the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garble(path: Path) -> None:
    """Change a byte in the middle of a file, and not its length."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "of", "told"),
    [
        (Path.unlink, raw_path, "all.jsonl.zst, of 7 rows, was gone"),
        (cut_off, raw_path, "all.jsonl.zst, of 7 rows, was damaged or cut off"),
        (garble, raw_path, "all.jsonl.zst, of 7 rows, was damaged or cut off"),
        (Path.unlink, lambda folder, name: manifest_path(raw_path(folder, name)), "all.json was gone or damaged"),
        (cut_off, lambda folder, name: manifest_path(raw_path(folder, name)), "all.json was gone or damaged"),
    ],
)
async def test_a_damaged_raw_file_is_fetched_anew_and_told(
    site: Site, tmp_path: Path, damage: Callable[[Path], None], of: Callable[[Path, str], Path], told: str
) -> None:
    """The rows are those of the source again, and the run that fetched them says why."""
    source = api(site, "/items")
    first = await land_one(source, tmp_path)

    await asyncio.to_thread(damage, of(tmp_path, "all"))
    reused = await asyncio.to_thread(find_landed, job_of(source, tmp_path), fresh=False)
    again = await land_one(source, tmp_path)

    assert (first.warnings, reused) == ((), None)
    assert again.warnings == (f"{told}, and was fetched anew: it has 7 rows now",)
    assert read_rows(again.path) == ITEMS
    assert (await land_one(source, tmp_path)).warnings == ()


async def test_a_copy_of_a_raw_file_is_as_good(site: Site, tmp_path: Path) -> None:
    """With another time it is read once, and has its own time again; nothing is asked for."""
    source = api(site, "/items")
    landed = await land_one(source, tmp_path)
    before = landed.path.stat().st_mtime_ns

    landed.path.touch()
    reused = await asyncio.to_thread(find_landed, job_of(source, tmp_path), fresh=False)

    assert reused is not None
    assert landed.path.stat().st_mtime_ns == before


@pytest.mark.parametrize("number", [1, 2])
async def test_an_increment_that_is_lost_is_fetched_anew(site: Site, tmp_path: Path, number: int) -> None:
    """Also where nothing is due, and where a later one is there, which does not stand in for it."""
    source = growing(site, refresh={"after": "7d"})
    kept = kept_at(site)
    for moment in (1, 2, 3):
        kept.rows.append({"id": moment, "at": moment})
        await land_one(source, tmp_path)
    raw = increment_path(raw_path(tmp_path, "all"), number)
    whole = await asyncio.to_thread(find_damage, raw_path(tmp_path, "all"))

    raw.unlink()
    if number == 1:
        manifest_path(raw).unlink()
    reused = await asyncio.to_thread(find_landed, job_of(source, tmp_path), fresh=False)
    landed = await land_one(source, tmp_path)

    rows = [
        row["id"] for path, _ in await asyncio.to_thread(list_raw_files, tmp_path, "all") for row in read_rows(path)
    ]
    assert (whole, reused, set(rows), len(landed.warnings)) == (None, None, {1, 2, 3}, 1)
    assert await asyncio.to_thread(find_damage, raw_path(tmp_path, "all")) is None
