"""Lists within records as tables of their own, of what was fetched once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flows.pipeline import pipeline as run_pipeline
from tasks.config import Pipeline
from tasks.core.errors import StageError
from tests.site.server import Site

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

ITEMS = {"explode": "items", "take": {"order_id": "id"}, "key": ["order_id", "sku"], "columns": {"sku": "string"}}


def shop(site: Site, items: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a pipeline of the site's orders and their items."""
    orders = {
        "kind": "api",
        "url": f"{site.url}/orders-with-items",
        "records_at": "data",
        "pagination": {"kind": "cursor", "cursor_at": "next", "param": "cursor"},
        "key": ["id"],
        "tables": {"order_items": items or ITEMS},
        **more,
    }
    return {"name": "elements", "sources": {"orders": orders}}


def rows_of(root: Path, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    rows: list[dict[str, Any]] = pq.read_table(root / "tables" / table).to_pylist()
    return rows


async def test_orders_and_their_items_are_fetched_once(site: Site, tmp_path: Path) -> None:
    """Each order is a row of one table, each item one of the other; an order without items gives none, a wrong list is a reject."""
    summary = await run_pipeline(Pipeline.model_validate(shop(site)), tmp_path)

    assert site.paths == ["/orders-with-items", "/orders-with-items?cursor=2"]
    assert [(row["id"], row["status"]) for row in rows_of(tmp_path, "orders")] == [
        *((1, "paid"), (2, "open"), (3, "open"), (4, "open"))
    ]
    assert rows_of(tmp_path, "order_items") == [
        {"order_id": 1, "sku": "007", "status": "sent", "qty": 2},
        {"order_id": 1, "sku": "8", "status": "open", "qty": 1},
        {"order_id": 4, "sku": "007", "status": None, "qty": 3},
    ]
    orders, items = summary.sources["orders"], summary.sources["order_items"]
    assert (orders.rows_received, orders.rows_table, orders.rows_rejected, orders.requests) == (4, 4, 0, 2)
    assert (items.rows_received, items.rows_table, items.rows_rejected, items.rows_duplicate) == (5, 3, 1, 1)
    assert (items.records_empty, items.requests) == (1, 0)
    (reject,) = pq.read_table(tmp_path / "rejects" / "order_items").to_pylist()
    assert (reject["source"], reject["column"], reject["reason"]) == ("order_items", "items", "'none' is not a list")


async def test_a_table_that_is_added_asks_for_nothing(site: Site, tmp_path: Path) -> None:
    """What is landed is enough for another table of it."""
    await run_pipeline(Pipeline.model_validate(shop(site, tables={})), tmp_path)
    await run_pipeline(Pipeline.model_validate(shop(site)), tmp_path)

    assert site.paths == ["/orders-with-items", "/orders-with-items?cursor=2"]
    assert len(rows_of(tmp_path, "order_items")) == 3


async def test_records_that_came_twice_are_told(site: Site, tmp_path: Path) -> None:
    """Which of two copies of an order has the right items nobody knows: they are warned of."""
    summary = await run_pipeline(Pipeline.model_validate(shop(site, key=["status"])), tmp_path)

    assert summary.sources["orders"].rows_duplicate == 2
    assert any(warning.startswith("source order_items: 2 records of orders came again") for warning in summary.warnings)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"explode": "itmes"}, "source order_items: explode: no record has a column 'itmes'"),
        ({"take": {"order_id": "nr"}}, "source order_items: take.order_id: no record has a column 'nr'"),
        ({"take": {"sku": "id"}}, "the columns 'id' and 'items.sku' would both be 'sku' in the table"),
    ],
)
async def test_a_slip_is_told(site: Site, tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    """No record has such a list, or such a column; or an element has one of the same name."""
    config = Pipeline.model_validate(shop(site, {**ITEMS, **changes}))

    with pytest.raises(StageError, match=told):
        await run_pipeline(config, tmp_path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"incremental": {"field": "at", "param": "since", "start": 0}},
            "incremental replaces a record by a later one",
        ),
        ({"keep": "last"}, "keep: last replaces a record by a later one"),
        ({"tables": {"orders": ITEMS}}, "there is a table orders already"),
        ({"tables": {"order_items": {**ITEMS, "key": []}}}, r"tables.order_items has no key.*\[order_id, line\]"),
    ],
)
def test_what_would_mix_elements_is_refused(site: Site, changes: dict[str, Any], told: str) -> None:
    """Elements of an older copy of a record would stay beside the newer ones; a name is that of one table."""
    with pytest.raises(ValueError, match=told):
        Pipeline.model_validate(shop(site, **changes))
