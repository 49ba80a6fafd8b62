"""Sources whose partitions are rows of another source's table: fetched once it is made, each by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flows.ingest import ingest
from flows.pipeline import pipeline as run_pipeline
from tasks.config import Pipeline
from tasks.core.errors import StageError
from tasks.core.storage import DataFolder
from tasks.raw.parents import find_parent_mistakes
from tests.ingest.sources import api
from tests.site.partitioned import item_rows, order_rows, partitioned_at
from tests.site.server import Site

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

SINGLE: dict[str, Any] = {"pagination": {"kind": "single"}}
OPEN = {"from": "orders", "column": "id", "where": "status = 'open'"}
IDS = [row["id"] for row in order_rows(8) if row["status"] == "open"]


def shop(site: Site, parent: dict[str, Any] | None = None, name: str = "shop", **more: Any) -> Pipeline:
    """Return a pipeline of orders, and of the items of those that are open."""
    items = api(site, "/orders/{id}/items", partitions={"id": {**OPEN, **(parent or {})}}, **SINGLE, **more)
    return Pipeline(name=name, sources={"items": items, "orders": api(site, "/orders", key=["id"])})


def read_table(data: Path, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table, sorted."""
    rows: list[dict[str, Any]] = pq.read_table(data / "tables" / name).to_pylist()
    return sorted(rows, key=str)


def items_of(orders: list[int]) -> list[dict[str, Any]]:
    """Return the items of some orders, sorted."""
    return sorted((row for order in orders for row in item_rows(order)), key=str)


async def test_each_row_of_the_parent_has_a_partition(site: Site, tmp_path: Path) -> None:
    """The items of each open order are fetched once the orders are a table; a second run asks for nothing."""
    config = shop(site)

    first = await run_pipeline(config, tmp_path)
    asked = len(site.seen)
    second = await run_pipeline(config, tmp_path)

    assert read_table(tmp_path, "items") == items_of(IDS)
    assert [path for path in site.paths if "page" in path] == [f"/orders?page={page}" for page in (1, 2, 3)]
    assert (asked, len(site.seen)) == (3 + len(IDS), 3 + len(IDS))
    assert (first.sources["orders"].rows_new, second.sources["orders"].rows_new) == (8, 0)
    assert (second.sources["items"].partitions_reused, first.warnings, second.warnings) == (len(IDS), [], [])


async def test_what_is_taken_stands_in_addresses_and_rows(site: Site, tmp_path: Path) -> None:
    """Columns of the parent's row are in each row of its child, and where a request names them; a change fetches the child again."""
    config = shop(site, {"take": {"order_id": "id", "ordered_at": "at"}}, params={"since": "{ordered_at}"})

    await run_pipeline(config, tmp_path)
    rows, paths = read_table(tmp_path, "items"), sorted(path for path in site.paths if "since" in path)
    site.seen.clear()
    partitioned_at(site).orders[1]["at"] = "2024-03-01T00:00:00Z"
    (tmp_path / "raw" / "orders" / "all.jsonl.zst").unlink()
    await run_pipeline(config, tmp_path)

    assert [(row["order_id"], str(row["ordered_at"])) for row in rows if row["item"].startswith("2-")] == [
        (2, "2024-01-03 00:00:00+00:00")
    ]
    assert len(paths) == len(IDS)
    assert paths[0] == "/orders/1/items?since=2024-01-02T00%3A00%3A00Z"
    assert [path for path in site.paths if "since" in path] == ["/orders/2/items?since=2024-03-01T00%3A00%3A00Z"]
    assert {str(row["ordered_at"]) for row in read_table(tmp_path, "items") if row["order_id"] == 2} == {
        "2024-03-01 00:00:00+00:00"
    }


async def test_a_child_may_be_a_parent(site: Site, tmp_path: Path) -> None:
    """Two levels: each item of each order, whose order stands in its rows as its parent took it."""
    config = shop(site, {"take": {"order": "id"}}, key=["order", "item"])
    item = {"from": "items", "column": "item", "take": {"order_id": "order"}}
    each = api(site, "/orders/{order_id}/items/{item}", partitions={"item": item}, **SINGLE)
    config = config.model_copy(update={"sources": {"each": each, **config.sources}})

    await run_pipeline(config, tmp_path)

    assert read_table(tmp_path, "each") == sorted(
        ({"order_id": order, "of": row["item"], "order": order} for order in IDS for row in item_rows(order)), key=str
    )


@pytest.mark.parametrize("on_missing", ["keep", "drop"])
async def test_rows_of_what_is_gone_stay_or_go(site: Site, tmp_path: Path, on_missing: str) -> None:
    """An order that is closed meanwhile: its items stay in the table, also when it is made anew, or are dropped."""
    config = shop(site, {"on_missing": on_missing}, refresh={"after": "24h"}, name=f"shop-{on_missing}")
    await run_pipeline(config, tmp_path)
    partitioned_at(site).orders[1]["status"] = "closed"
    (tmp_path / "raw" / "orders" / "all.jsonl.zst").unlink()
    site.seen.clear()

    await run_pipeline(config, tmp_path)
    again = await run_pipeline(config, tmp_path, only="convert", fresh=True)

    left = IDS if on_missing == "keep" else [order for order in IDS if order != 2]
    assert read_table(tmp_path, "items") == items_of(left)
    assert [path for path in site.paths if "items" in path] == []
    assert again.sources["items"].rows_table == len(items_of(left))


async def test_a_parent_without_a_row_has_no_child(site: Site, tmp_path: Path) -> None:
    """Nothing is fetched, which is told; the table is there, and has no row."""
    config = shop(site, {"where": "status = 'lost'"})

    summary = await run_pipeline(config, tmp_path)

    assert summary.status == "completed"
    assert [path for path in site.paths if "items" in path] == []
    assert (
        "source items: partitions.id: no row of orders tells of a partition, so that nothing was fetched"
        in summary.warnings
    )
    assert summary.sources["items"].rows_table == 0


async def test_a_file_and_a_list_in_records_may_be_parents(site: Site, tmp_path: Path) -> None:
    """Rows of files say which partitions there are, and so do elements of a list; rows without a value are told."""
    (tmp_path / "ids.csv").write_text("order;note\n1;a\n;b\n2;c\n2;d\n;e\n")
    by_file = api(site, "/orders/{id}/items", partitions={"id": {"from": "ids", "column": "order"}}, **SINGLE)
    listed = api(
        site,
        "/orders-with-items?cursor=0",
        records_at="data",
        tables={"skus": {"explode": "items", "take": {"id": "id"}}},
        **SINGLE,
    )
    by_element = api(site, "/orders/{id}/items", partitions={"id": {"from": "skus", "column": "id"}}, **SINGLE)
    files = {"kind": "files", "path": str(tmp_path / "ids.csv")}
    config = Pipeline.model_validate(
        {"name": "p", "sources": {"by_file": by_file, "ids": files, "listed": listed, "by_element": by_element}}
    )

    summary = await run_pipeline(config, tmp_path / "data")

    assert read_table(tmp_path / "data", "by_file") == items_of([1, 2])
    assert read_table(tmp_path / "data", "by_element") == items_of([1])
    assert "source by_file: partitions.id: 2 rows of ids without order, and so without a partition" in summary.warnings


async def test_a_slice_is_of_children_too(site: Site, tmp_path: Path) -> None:
    """Which there are is told by the table alone; a slice of them is fetched alone, and again."""
    config = shop(site)

    await run_pipeline(config, tmp_path, partitions="id=2..4")
    first = [path for path in site.paths if "items" in path]
    await run_pipeline(config, tmp_path, partitions="id=4,99", fresh=True)

    assert sorted(first) == ["/orders/2/items", "/orders/4/items"]
    assert [path for path in site.paths if "items" in path][2:] == ["/orders/4/items"]
    assert read_table(tmp_path, "items") == items_of([2, 4])


@pytest.mark.parametrize(
    ("parent", "sentence"),
    [
        (
            {"column": "number"},
            "sources.items.partitions.id.column: orders has no column 'number'; there are id, status, at",
        ),
        (
            {"take": {"x": "stat"}},
            "sources.items.partitions.id.take.x: orders has no column 'stat'; did you mean status?",
        ),
        (
            {"where": "state = 1"},
            'sources.items.partitions.id.where: Binder Error: Referenced column "state" not found',
        ),
        ({"where": "status ="}, "sources.items.partitions.id.where: Parser Error: syntax error at or near"),
        (
            {"column": "status", "take": {"day": "id"}},
            "rows of orders with the status 'open' have different id, 1 and 2; take day out",
        ),
    ],
)
async def test_a_wrong_parent_is_told(site: Site, tmp_path: Path, parent: dict[str, Any], sentence: str) -> None:
    """One sentence with the key and the cure; check tells all that is known without the rows, and the run fails with the same."""
    config = shop(site, parent)

    with pytest.raises(StageError) as caught:
        await ingest(config, tmp_path)
    folder, source = DataFolder.at(tmp_path), config.fetched["items"]
    checked = await asyncio.to_thread(lambda: [*find_parent_mistakes("items", source, folder, {"orders"})])

    assert str(caught.value).startswith("source items, partition all: ")
    assert sentence in str(caught.value)
    assert [sentence in each for each in checked] == ([] if "different" in sentence else [True])
    assert [path for path in site.paths if "items" in path] == []


async def test_a_parent_that_is_not_whole_has_no_children(site: Site, tmp_path: Path) -> None:
    """Its table would tell of too few partitions, and so of rows to drop, also where partial data is allowed."""
    partitioned_at(site).faults = {"page 3": "404-always"}
    config = shop(site)
    dropping = shop(site, {"on_missing": "drop"}, "dropping").model_copy(update={"allow_partial": True})

    with pytest.raises(StageError, match="source items, partition all: its parent orders is not landed whole"):
        await ingest(config, tmp_path)
    items, _ = await ingest(dropping, tmp_path / "dropping")

    assert "tells of too few partitions, so that on_missing: drop would take out rows" in items.failed[0].message
    assert [path for path in site.paths if "items" in path] == []


async def test_faults_of_children_cost_no_row(site: Site, tmp_path: Path) -> None:
    """What passes is asked for again; what is refused, or never ends, fails alone, and is all that the next run asks for."""
    faults = ["429-once-retry-after-seconds", "500-once", "drop-once", "truncated-once", "html", "huge"]
    partitioned_at(site).faults = {str(order): fault for order, fault in zip(IDS, faults, strict=True)} | {
        "page 2": "500-once"
    }
    config = shop(site, requests={"attempts": 3, "backoff_first_s": 0.02, "max_body_bytes": "1MiB"})

    with pytest.raises(StageError, match=r"(?s)partition id=7: .*partition id=8: .*max_body_bytes"):
        await ingest(config, tmp_path)
    asked = sum("items" in path for path in site.paths)
    partitioned_at(site).faults = {}
    site.seen.clear()
    await run_pipeline(config, tmp_path)

    assert asked == len(IDS) + 4
    assert sorted(site.paths) == ["/orders/7/items", "/orders/8/items"]
    assert read_table(tmp_path, "items") == items_of(IDS)


async def test_a_child_that_is_not_there_may_be_passed_over(site: Site, tmp_path: Path) -> None:
    """A status of requests.ignore is told, counted, and no failure; it is not asked for again until that is no longer said."""
    partitioned_at(site).faults = {"4": "gone", "7": "gone"}
    config, strict = shop(site, requests={"ignore": [404]}), shop(site)

    first = await run_pipeline(config, tmp_path)
    site.seen.clear()
    second = await run_pipeline(config, tmp_path)
    asked_again = site.paths
    with pytest.raises(StageError, match="was refused with 404"):
        await ingest(strict, tmp_path)

    for summary in (first, second):
        assert summary.sources["items"].partitions_ignored == ["id=4", "id=7"]
        assert summary.warnings == [
            f"source items, partition id=4 and 1 more: GET {site.url}/orders/4/items was answered with 404 Not Found: "
            "'no such thing', which requests.ignore passes over: there is no row of it"
        ]
    assert asked_again == []
    assert sorted(site.paths) == ["/orders/4/items", "/orders/7/items"]
    assert read_table(tmp_path, "items") == items_of([order for order in IDS if order not in (4, 7)])
