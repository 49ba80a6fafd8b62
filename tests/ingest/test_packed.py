"""Many small children lie in packs: each is fetched again, lost, kept and dropped by itself, and tables are as of files of their own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.pipeline import pipeline as run_pipeline
from tasks.config import Pipeline
from tasks.ingest.tasks import PARTITIONS_AT_ONCE
from tests.ingest.sources import api, read_landed
from tests.ingest.test_parents import SINGLE, items_of, read_table, shop
from tests.site.landing import kept_at
from tests.site.partitioned import order_rows, partitioned_at
from tests.site.server import Site

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

ORDERS = 100
IDS = [row["id"] for row in order_rows(ORDERS) if row["status"] == "open"]


def raw_names(data: Path) -> list[str]:
    """Return the names of the raw files of the children."""
    return sorted(path.name for path in (data / "raw" / "items").glob("[!.]*.zst"))


def lose_raw(data: Path) -> list[str]:
    """Delete the raw files of the children; return their names."""
    names = raw_names(data)
    for name in names:
        (data / "raw" / "items" / name).unlink()
    return names


def asked_for(site: Site) -> list[str]:
    """Return the children that were asked for since the site's list was cleared."""
    found = [path for path in site.paths if "items" in path]
    site.seen.clear()
    return found


def many_orders(site: Site) -> None:
    """Have the site list so many orders that their items lie in packs."""
    assert len(IDS) > PARTITIONS_AT_ONCE
    partitioned_at(site).orders = order_rows(ORDERS)


async def test_a_child_in_a_pack_is_fetched_again_by_itself(site: Site, tmp_path: Path) -> None:
    """By what was taken of its parent, by a slice, and where its pack is lost; the others are not asked for."""
    many_orders(site)
    config = shop(site, {"take": {"at": "at"}})

    await run_pipeline(config, tmp_path)
    first, landed = asked_for(site), await asyncio.to_thread(read_landed, tmp_path / "raw" / "items")
    await run_pipeline(config, tmp_path)
    second = asked_for(site)
    partitioned_at(site).orders[1]["at"] = "2024-03-01T00:00:00Z"
    (tmp_path / "raw" / "orders" / "all.jsonl.zst").unlink()
    await run_pipeline(config, tmp_path)
    changed, rows = asked_for(site), read_table(tmp_path, "items")
    await run_pipeline(config, tmp_path, partitions="id=4", fresh=True)
    chosen, names = asked_for(site), await asyncio.to_thread(lose_raw, tmp_path)
    summary = await run_pipeline(config, tmp_path)

    assert (len(first), second) == (len(IDS), [])
    assert sorted(landed) == sorted(f"id={order}" for order in IDS)
    assert all(name.startswith("pack-") for name in names)
    assert (changed, chosen) == (["/orders/2/items"], ["/orders/4/items"])
    assert {str(row["at"])[:10] for row in rows if row["item"].startswith("2-")} == {"2024-03-01"}
    assert len(rows) == len(items_of(IDS))
    assert len(asked_for(site)) == len(IDS)
    assert any("was gone, and was fetched anew" in warning for warning in summary.warnings)
    assert read_table(tmp_path, "items") == rows


@pytest.mark.parametrize("on_missing", ["keep", "drop"])
async def test_rows_of_a_child_in_a_pack_stay_or_go(site: Site, tmp_path: Path, on_missing: str) -> None:
    """The rows of the others in its pack stay either way."""
    many_orders(site)
    config = shop(site, {"on_missing": on_missing}, name=f"packed-{on_missing}")
    await run_pipeline(config, tmp_path)
    partitioned_at(site).orders[1]["status"] = "closed"
    (tmp_path / "raw" / "orders" / "all.jsonl.zst").unlink()

    await run_pipeline(config, tmp_path)

    left = IDS if on_missing == "keep" else [order for order in IDS if order != 2]
    assert read_table(tmp_path, "items") == items_of(left)


async def test_what_has_not_changed_stays_in_its_pack(site: Site, tmp_path: Path) -> None:
    """An answer of 304 leaves its rows as they are, and notes when it was asked."""
    kept_at(site).rows = [{"id": 1}]
    parts = {"n": {"range": [1, PARTITIONS_AT_ONCE + 1]}}
    config = Pipeline(
        name="kept", sources={"items": api(site, "/kept", partitions=parts, refresh={"after": "0s"}, **SINGLE)}
    )

    await run_pipeline(config, tmp_path)
    before = await asyncio.to_thread(read_landed, tmp_path / "raw" / "items")
    again = await run_pipeline(config, tmp_path)

    assert await asyncio.to_thread(read_landed, tmp_path / "raw" / "items") == before
    assert list(before.values()) == [[{"id": 1}]] * (PARTITIONS_AT_ONCE + 1)
    assert await asyncio.to_thread(raw_names, tmp_path) == ["pack-000002.jsonl.zst"]
    assert (again.sources["items"].rows_new, len(site.seen)) == (0, 2 * (PARTITIONS_AT_ONCE + 1))


async def test_a_reject_names_its_child(site: Site, tmp_path: Path) -> None:
    """A row in a pack is known by its partition and its line in it, as of a file of its own."""
    many_orders(site)
    config = shop(site, columns={"qty": {"type": "bool"}}, table={"max_rejects": None})

    await run_pipeline(config, tmp_path)

    rejects = pq.read_table(tmp_path / "rejects" / "items").to_pylist()
    assert [(row["file"], row["line"]) for row in rejects if row["file"] == "raw/items/id=5.jsonl.zst"] == [
        ("raw/items/id=5.jsonl.zst", 1),
        ("raw/items/id=5.jsonl.zst", 2),
    ]
