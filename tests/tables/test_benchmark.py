"""What the benchmark of tables compares is the same: its ways of making a table give as many rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.peers.tables import LARGE, QUERIES, measure_function, measure_large, measure_query
from tests.benchmarks.tables import write_inbox

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

_FLIGHTS = 2_000


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_gives_the_rows_that_its_peer_gives(tmp_path: Path, query: str) -> None:
    """Of flights that are joined, each is one; and each way was timed as often."""
    write_inbox(tmp_path, 1, _FLIGHTS)

    told = measure_query(query, tmp_path, 2)

    ours, theirs = told.pop("rows")
    assert ours == theirs > 0
    assert query != "joined" or ours == _FLIGHTS
    assert {way: len(seconds) for way, seconds in told.items()} == {"tidemill": 2, "duckdb": 2, "prefect": 2}


def test_a_function_gives_the_rows_that_it_gives_alone(tmp_path: Path) -> None:
    """By the flow, and by a whole run."""
    write_inbox(tmp_path, 1, _FLIGHTS)

    told = measure_function(tmp_path, 1)

    ours, theirs = told.pop("rows")
    assert ours == theirs > 0
    assert {way: len(seconds) for way, seconds in told.items()} == dict.fromkeys(told, 1)


def test_what_is_larger_than_memory_keeps_its_rows(tmp_path: Path) -> None:
    """No key comes twice, so that each way of making a table of it has all rows."""
    told = measure_large(tmp_path, 10_000)

    assert told["rows"] == dict.fromkeys(["large", *LARGE], 10_000)
