"""Children that begin while their parent is still read: the table of the parent alone decides which of them count."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from flows.pipeline import pipeline as run_pipeline
from tasks.config import Pipeline
from tasks.core.errors import StageError
from tasks.ingest import early
from tests.ingest.sources import QUICK, api, read_landed
from tests.ingest.test_parents import SINGLE, items_of, read_table
from tests.site.partitioned import order_rows, partitioned_at
from tests.site.server import Site

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

WIDE = {**QUICK, "start_in_flight": 50, "max_in_flight": 50}


def shop(site: Site, name: str, orders: int = 24, late_s: float = 0.02, **of_orders: Any) -> Pipeline:
    """Return a pipeline of orders, which are read page after page, and of the items of each."""
    partitioned_at(site).orders, partitioned_at(site).late_s = order_rows(orders), late_s
    parts = {"id": {"from": "orders", "column": "id"}}
    items = api(site, "/orders/{id}/items", partitions=parts, requests=WIDE, **SINGLE)
    listed = api(site, "/orders", **{"pagination": {"kind": "page"}, "requests": WIDE, "key": ["id"], **of_orders})
    return Pipeline(name=name, sources={"items": items, "orders": listed})


def ids_landed(data: Path) -> list[str]:
    """Return the names of the children that lie in the raw folder."""
    return sorted(read_landed(data / "raw" / "items"))


@pytest.mark.parametrize("orders", [24, 100])
async def test_children_are_asked_for_while_their_list_is_read(site: Site, tmp_path: Path, orders: int) -> None:
    """Each once, and the rows are those of the server; the next run asks for nothing."""
    config = shop(site, f"early-{orders}", orders)

    first = await run_pipeline(config, tmp_path)
    paths = list(site.paths)
    site.seen.clear()
    second = await run_pipeline(config, tmp_path)

    children = [path for path in paths if "items" in path]
    last_page = max(number for number, path in enumerate(paths) if "page" in path)
    assert [path for path in paths[:last_page] if "items" in path]
    assert sorted(children) == sorted(f"/orders/{order}/items" for order in range(1, orders + 1))
    assert read_table(tmp_path, "items") == items_of(list(range(1, orders + 1)))
    assert (first.sources["items"].requests, first.sources["items"].partitions_reused) == (orders, 0)
    assert (site.seen, second.sources["items"].partitions_reused) == ([], orders)


async def test_a_child_that_the_table_does_not_tell_of_leaves_nothing(site: Site, tmp_path: Path) -> None:
    """A record that is a reject has no child, though one was asked for as the list was read."""
    config = shop(site, "rejects", columns={"at": {"type": "timestamp"}}, table={"max_rejects": None})
    partitioned_at(site).orders[1]["at"] = "never"

    await run_pipeline(config, tmp_path)

    left = [order for order in range(1, 25) if order != 2]
    assert "/orders/2/items" in site.paths
    assert await asyncio.to_thread(ids_landed, tmp_path) == sorted(f"id={order}" for order in left)
    assert read_table(tmp_path, "items") == items_of(left)


async def test_children_of_a_list_that_fails_leave_nothing(site: Site, tmp_path: Path) -> None:
    """They are fetched by the next run, once the list is whole."""
    config = shop(site, "fails")
    partitioned_at(site).faults = {"page 5": "404-always"}

    with pytest.raises(StageError, match="its parent orders is not landed whole"):
        await run_pipeline(config, tmp_path)
    asked, landed = [path for path in site.paths if "items" in path], await asyncio.to_thread(ids_landed, tmp_path)
    partitioned_at(site).faults = {}
    await run_pipeline(config, tmp_path)

    assert (bool(asked), landed) == (True, [])
    assert read_table(tmp_path, "items") == items_of(list(range(1, 25)))


async def test_what_fails_or_is_too_much_to_be_held_is_fetched_in_its_turn(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused child is told once, by its own error, and no row of the others is lost."""
    monkeypatch.setattr(early, "MOST_BYTES", 60)
    config = shop(site, "turns").model_copy(update={"allow_partial": True})
    partitioned_at(site).faults = {"4": "gone", "5": "500-once"}

    summary = await run_pipeline(config, tmp_path)

    assert read_table(tmp_path, "items") == items_of([order for order in range(1, 25) if order != 4])
    assert [failed for failed in summary.failures if "id=4" in failed and "404" in failed] == summary.failures


def test_only_values_that_a_table_has_as_they_are_tell_of_children() -> None:
    """A whole number or a name; not what a table may take for a time, a number or nothing."""
    lines = [
        b'{"id": 7}', b'{"id": "ord_1"}', b'{"id": "2024-01-01"}', b'{"id": "12"}', b'{"id": 1.0}', b'{"id": null}',
        b'{"id": true}', b'{"id": {}}', b'{"id": " a"}', b'{"no": 1}', b"[1]", b'{"id": 9007199254740993}', b"{",
    ]  # fmt: skip

    assert [early.value_in(line, "id") for line in lines] == [7, "ord_1"] + [None] * 11
