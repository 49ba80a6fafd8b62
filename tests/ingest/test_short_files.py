"""What REST and GraphQL sources are mostly asked for, each a pipeline file of a few lines, and its rows those of the server and of dlt."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flows.pipeline import pipeline as run_pipeline
from tasks.config import ApiSource, load_pipeline
from tests.ingest.sources import land_one, read_rows
from tests.ingest.test_incremental import rows_at
from tests.site.graphql import ORDERS
from tests.site.landing import kept_at
from tests.site.pokemon import NAMES, detail_of, listed_rows
from tests.site.server import Site

MOST_LINES = 20
ISSUES = """
name: issues
sources:
  issues:
    kind: api
    url: SITE/since
    pagination: {kind: page, pages_at: pages}
    records_at: items
    incremental: {field: at, param: since, start: 2024-01-01T00:00:00Z, format: iso}
    key: [id]
"""
GRAPHQL = """
name: orders
sources:
  orders:
    kind: api
    url: SITE/graphql/none
    graphql:
      query: |
        query($after: String, $region: String) {
          orders(first: 4, after: $after, region: $region) {
            nodes { id total }
            pageInfo { hasNextPage endCursor }
          }
        }
    partitions: {region: [eu]}
    pagination: {kind: graphql}
    records_at: data.orders.nodes
"""

POKEMON = """
name: pokemon
sources:
  pokemon:
    kind: api
    url: SITE/api/v2/pokemon?limit=3
    pagination: {kind: next_url, next_at: next}
    records_at: results
  berry:
    kind: api
    url: SITE/api/v2/berry?limit=1000
    pagination: {kind: next_url, next_at: next}
    records_at: results
  details:
    kind: api
    url: SITE/api/v2/pokemon/{name}
    partitions: {name: {from: pokemon, column: name}}
    pagination: {kind: single}
"""


def source_of(text: str, site: Site, folder: Path) -> ApiSource:
    """Return the one source of a pipeline file, which is short."""
    assert len(text.strip().splitlines()) <= MOST_LINES
    path = folder / "pipeline.yaml"
    path.write_text(text.replace("SITE", site.url))
    (source,) = load_pipeline(path).sources.values()
    assert isinstance(source, ApiSource)
    return source


def rows_of_dlt(example: str, site: Site, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return what dlt lands of one of its examples, by resource."""
    command = [sys.executable, "-m", "tests.ingest.by_dlt", example, site.url, str(folder)]
    environment = {**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


async def test_issues_that_were_updated_since(site: Site, tmp_path: Path) -> None:
    """All come first, by pages, and then those alone that are as new as the newest."""
    source = await asyncio.to_thread(source_of, ISSUES, site, tmp_path)
    first = rows_at(*(f"2024-01-{day:02d}T00:00:00Z" for day in range(1, 9)))
    kept_at(site).rows = first
    before = await land_one(source, tmp_path / "raw")
    by_dlt = (await asyncio.to_thread(rows_of_dlt, "issues", site, tmp_path / "dlt"))["issues"]
    kept_at(site).rows = [*first, *rows_at("2024-02-01T00:00:00Z", first=9)]
    after = await land_one(source, tmp_path / "raw")

    increment = tmp_path / "raw" / "all+000001.jsonl.zst"
    assert await asyncio.to_thread(read_rows, before.path) == first
    assert [row["id"] for row in await asyncio.to_thread(read_rows, increment)] == [8, 9]
    assert (before.rows, after.rows) == (8, 10)
    assert [{**row, "at": dt.datetime.fromisoformat(row["at"])} for row in by_dlt] == [
        {**row, "at": dt.datetime.fromisoformat(row["at"])} for row in first
    ]


async def test_a_query_of_a_connection(site: Site, tmp_path: Path) -> None:
    """Its nodes are the rows, of every page."""
    source = await asyncio.to_thread(source_of, GRAPHQL, site, tmp_path)
    landed = await land_one(source, tmp_path / "raw")

    eu = [{"id": row["id"], "total": row["total"]} for row in ORDERS if row["region"] == "eu"]
    assert (await asyncio.to_thread(read_rows, landed.path), landed.pages) == (eu, 4)
    assert await asyncio.to_thread(rows_of_dlt, "orders", site, tmp_path / "dlt") == {"orders": eu}


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
async def test_a_list_with_the_detail_of_each(site: Site, tmp_path: Path) -> None:
    """The rows of both, and of another list, are those of the server, names with signs too; each is asked for once."""
    assert len(POKEMON.strip().splitlines()) <= MOST_LINES
    path = tmp_path / "pipeline.yaml"
    await asyncio.to_thread(path.write_text, POKEMON.replace("SITE", site.url))

    await run_pipeline(await asyncio.to_thread(load_pipeline, path), tmp_path / "data")

    details = pq.read_table(tmp_path / "data" / "tables" / "details").to_pylist()
    expected = [detail_of("pokemon", name) for name in NAMES["pokemon"]]
    assert sorted((row["id"], row["name"], row["weight"], json.loads(row["types"])) for row in details) == [
        tuple(row.values()) for row in expected
    ]
    assert len(site.seen) == 3 + 1 + len(NAMES["pokemon"])
    by_dlt = await asyncio.to_thread(rows_of_dlt, "pokemon", site, tmp_path / "dlt")
    in_order = sorted(
        (row | {"types": json.loads(row["types"])} for row in by_dlt["details"]), key=lambda row: row["id"]
    )
    assert in_order == expected
    for kind in NAMES:
        assert by_dlt[kind] == listed_rows(site.url, kind)
        assert pq.read_table(tmp_path / "data" / "tables" / kind).to_pylist() == listed_rows(site.url, kind)
