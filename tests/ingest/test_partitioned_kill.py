"""An ingest of children and dates killed at any moment: the next run ends with every row, once, and asks for little again."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tasks.config import Pipeline
from tests.ingest.sources import api, read_rows
from tests.ingest.test_kill import kill
from tests.killed import Order
from tests.site.partitioned import item_rows, order_rows, partitioned_at, report_rows
from tests.site.server import Site
from tests.zygote import zygote

KILLS = 20
SEED = 7
ORDERS, DAYS = 8, 6
LIST_PAGES = 3
AT_ONCE = 4
LATE_S = 0.005
BLOCK_BYTES = 256
"""Of the parent's table, and so many page groups: all pages."""


def pipeline(site: Site) -> Pipeline:
    """Return a pipeline of orders, their items, and a report a day."""
    keys: dict[str, Any] = {
        "pagination": {"kind": "single"},
        "requests": {"start_in_flight": AT_ONCE, "max_in_flight": AT_ONCE, "attempts": 2, "timeout_s": 10},
    }
    id_of = {"from": "orders", "column": "id", "where": "status = 'open'", "take": {"order": "id"}}
    day = {"from": "2024-01-01", "to": f"2024-01-{DAYS:02}", "every": "1d"}
    sources = {
        "items": api(site, "/orders/{id}/items", partitions={"id": id_of}, **keys),
        "orders": api(site, "/orders", key=["id"], requests=keys["requests"]),
        "reports": api(site, "/reports", partitions={"day": day}, **keys),
    }
    return Pipeline(name="killed", sources=sources)


def expected_rows() -> dict[str, list[Any]]:
    """Return the rows of every raw file, by its name below the raw folder."""
    orders = order_rows(ORDERS)
    items = [(row["id"], item) for row in orders if row["status"] == "open" for item in item_rows(row["id"])]
    found: dict[str, list[Any]] = {"orders/all": orders}
    for number in range(1, DAYS + 1):
        found[f"reports/day=2024-01-{number:02}"] = report_rows(f"2024-01-{number:02}")
    for order, item in items:
        found.setdefault(f"items/id={order}", []).append({"order": order, **item})
    return {f"{name}.jsonl.zst": rows for name, rows in found.items()}


def landed_rows(raw: Path) -> dict[str, list[Any]]:
    """Return the rows of every raw file that counts, and whatever was begun and is not."""
    files = [path for path in raw.rglob("*") if ".zst" in path.name or ".landing" in path.name]
    return {str(path.relative_to(raw)): read_rows(path) if path.suffix == ".zst" else [] for path in files}


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
def test_children_and_dates_that_are_killed_are_finished_by_the_next(site: Site, tmp_path: Path) -> None:
    """After SIGKILL to the whole process group, at any moment, the next run ends with all rows, and nothing else.

    Both together ask for little more than one: what was under way, and what was not committed of each source.
    """
    partitioned_at(site).orders, partitioned_at(site).late_s = order_rows(ORDERS), LATE_S
    config, expected, draw = pipeline(site).model_dump_json(), expected_rows(), random.Random(SEED)
    found, killed = [], []
    with zygote() as forked:
        forked.start(Order("ingest", config, str(tmp_path / "reference"), BLOCK_BYTES))
        assert (forked.end(), landed_rows(tmp_path / "reference" / "raw")) == (0, expected)
        reference = len(site.seen)
        assert reference == len(expected) - 1 + LIST_PAGES
        for number in range(KILLS):
            order, before = Order("ingest", config, str(tmp_path / str(number)), BLOCK_BYTES), len(site.seen)
            kill(site, forked.start(order), before + draw.randint(1, reference), draw.uniform(0, 3 * LATE_S))
            killed.append(forked.end() != 0)
            forked.start(order)
            ended, more = forked.end(), len(site.seen) - before - reference
            found.append((ended, landed_rows(tmp_path / str(number) / "raw") == expected, more <= MOST_MORE))
    assert found == [(0, True, True)] * KILLS
    assert killed.count(True) >= KILLS - 2


MOST_MORE = AT_ONCE + LIST_PAGES + 2 * AT_ONCE
"""Requests beyond those of one run: in flight, the page group of the list, and partitions that have come and are being committed."""
