"""Queries landed and made tables, without Prefect; and a schema of PostgreSQL to ask."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tasks.config import SqlSource
from tasks.ingest.http.redaction import Redactor
from tasks.ingest.http.requests import RequestStats
from tasks.ingest.landing.plan import Landed, PartitionJob, plan_landing
from tasks.ingest.landing.query import QueryAccess, land_query
from tasks.ingest.sql.opening import open_database
from tasks.raw.partitions import list_partitions
from tests.convert.conftest import make_table
from tests.postgresql import PASSWORD, Postgresql

Row = dict[str, Any]


def empty(server: Postgresql) -> None:
    """Leave a server with an empty schema."""
    server.query("DROP SCHEMA IF EXISTS public CASCADE")
    server.query("CREATE SCHEMA public")


def query_of(place: Postgresql | str, query: str, **keys: Any) -> SqlSource:
    """Return the source that a query of a database is."""
    database = place if isinstance(place, str) else place.address()
    return SqlSource.model_validate({"database": database, "query": query, **keys})


async def land_rows(
    source: SqlSource, root: Path, stats: RequestStats | None = None, *, fresh: bool = False, only: str = ""
) -> list[Landed]:
    """Land each partition of a source, `rows`, as a run does, or `only` the one that has this in its name."""
    landed = []
    for partition in list_partitions(source):
        if only not in partition.name:
            continue
        job = PartitionJob("rows", source, partition, root / "raw" / "rows")
        plan = await asyncio.to_thread(plan_landing, job, fresh=fresh)
        access = QueryAccess(partial(open_database, source, root, PASSWORD), stats or RequestStats(), Redactor())
        landed.append(await land_query(plan, access))
    return landed


def read_rows(source: SqlSource, root: Path) -> list[Row]:
    """Return the rows of the table that is made of what is landed, sorted by the first column."""
    make_table(root, source)
    rows: list[Row] = pq.read_table(root / "tables" / "rows").to_pylist()
    return sorted(rows, key=lambda row: str(next(iter(row.values()))))


def types_of(root: Path) -> dict[str, str]:
    """Return the types of the table's columns."""
    schema = pq.read_table(root / "tables" / "rows").schema
    return {field.name: str(field.type) for field in schema}


def read_raw(root: Path) -> list[str]:
    """Return the names of what is landed, or begun, or kept of it."""
    return sorted(path.name for path in (root / "raw").rglob("*") if path.is_file())
