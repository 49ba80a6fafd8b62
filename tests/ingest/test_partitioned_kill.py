"""An ingest of children and dates killed at any moment: the next run ends with every row, once, and asks for little again."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tasks.config import Pipeline
from tasks.ingest.tasks import PARTITIONS_AT_ONCE
from tests.ingest.sources import api, read_landed
from tests.ingest.test_kill import kill
from tests.killed import PACKED, Order
from tests.site.partitioned import LIST_ROWS, item_rows, order_rows, partitioned_at, report_rows
from tests.site.server import Site
from tests.thorough import KILLS, takes_minutes
from tests.zygote import Zygote

SEED = 7
DAYS = 6
AT_ONCE = 4
LATE_S = 0.005
BLOCK_BYTES = 256
"""Of the parent's table, and so many page groups: all pages."""
CASES = [(100, KILLS, False), (8, KILLS * 2 // 5, False), (24, KILLS * 2 // 5, True)]


def pipeline(site: Site, *, early: bool) -> Pipeline:
    """Return a pipeline of orders, their items, which may begin while the list is read, and a report a day."""
    keys: dict[str, Any] = {
        "pagination": {"kind": "single"},
        "requests": {"start_in_flight": AT_ONCE, "max_in_flight": AT_ONCE, "attempts": 2, "timeout_s": 10},
    }
    chosen = {} if early else {"where": "status = 'open'", "take": {"order": "id"}}
    id_of = {"from": "orders", "column": "id", **chosen}
    day = {"from": "2024-01-01", "to": f"2024-01-{DAYS:02}", "every": "1d"}
    sources = {
        "items": api(site, "/orders/{id}/items", partitions={"id": id_of}, **keys),
        "orders": api(site, "/orders", key=["id"], requests=keys["requests"]),
        "reports": api(site, "/reports", partitions={"day": day}, **keys),
    }
    return Pipeline(name="killed", sources=sources)


def expected_rows(number: int, *, early: bool) -> dict[str, list[Any]]:
    """Return the rows of every partition of so many orders, by the name of its raw file below the raw folder."""
    orders = order_rows(number)
    items = [(row["id"], item) for row in orders if early or row["status"] == "open" for item in item_rows(row["id"])]
    found: dict[str, list[Any]] = {"orders/all": orders}
    for day in range(1, DAYS + 1):
        found[f"reports/day=2024-01-{day:02}"] = report_rows(f"2024-01-{day:02}")
    for order, item in items:
        found.setdefault(f"items/id={order}", []).append(item if early else {"order": order, **item})
    return found


def landed_rows(raw: Path) -> dict[str, list[Any]]:
    """Return the rows of every partition that counts, and whatever was begun and does not."""
    begun = [path for path in raw.rglob(".*") if ".landing" in path.name or ".part" in path.suffix]
    landed = {f"{folder.name}/{name}": rows for folder in raw.iterdir() for name, rows in read_landed(folder).items()}
    return {**landed, **{str(path): [] for path in begun}}


@pytest.mark.flow
@pytest.mark.parametrize(("orders", "kills", "early"), CASES)
@takes_minutes("ingest/test_kill.py has the like of it")
def test_children_and_dates_that_are_killed_are_finished_by_the_next(
    forked: Zygote, site: Site, tmp_path: Path, orders: int, kills: int, early: bool
) -> None:
    """After SIGKILL to the whole process group, at any moment, the next run ends with all rows, and nothing else.

    Both together ask for little more than one: what was under way, and what was not committed of each source.
    Few children have raw files of their own, and many lie in packs; those that begin early are held until their
    parent's table has them, a page group each.
    """
    partitioned_at(site).orders, partitioned_at(site).late_s = order_rows(orders), LATE_S
    config, expected = pipeline(site, early=early).model_dump_json(), expected_rows(orders, early=early)
    draw = random.Random(SEED)
    list_pages = -(-orders // LIST_ROWS)
    most_more = AT_ONCE + list_pages + 2 * (AT_ONCE if orders < PARTITIONS_AT_ONCE else PACKED + AT_ONCE)
    most_more += orders * early
    found, killed = [], []
    forked.start(Order("ingest", config, str(tmp_path / "reference"), BLOCK_BYTES))
    assert (forked.end(), landed_rows(tmp_path / "reference" / "raw")) == (0, expected)
    reference = len(site.seen)
    assert reference == len(expected) - 1 + list_pages
    packs = list((tmp_path / "reference" / "raw").rglob("pack-*.zst"))
    assert bool(packs) == (orders > PARTITIONS_AT_ONCE)
    for number in range(kills):
        order, before = Order("ingest", config, str(tmp_path / str(number)), BLOCK_BYTES), len(site.seen)
        kill(site, forked.start(order), before + draw.randint(1, reference), draw.uniform(0, 3 * LATE_S))
        killed.append(forked.end() != 0)
        forked.start(order)
        ended, more = forked.end(), len(site.seen) - before - reference
        found.append((ended, landed_rows(tmp_path / str(number) / "raw") == expected, more <= most_more))
    assert found == [(0, True, True)] * kills
    assert killed.count(True) >= kills - 2
