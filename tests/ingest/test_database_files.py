"""Queries of files of SQLite and DuckDB: values as they are, whatever type each has, and nothing is written."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tasks.core.errors import PermanentSourceError, SourceError
from tasks.ingest.http.redaction import Redactor
from tasks.ingest.http.requests import RequestStats
from tasks.ingest.landing.plan import PartitionJob, plan_landing
from tasks.ingest.landing.query import QueryAccess, land_query
from tasks.ingest.sql import sqlite
from tasks.ingest.sql.database import Database
from tasks.ingest.sql.opening import open_database
from tasks.raw.partitions import list_partitions
from tests.ingest.databases import Row, land_rows, query_of, read_raw, read_rows, types_of

SQLITE, DUCKDB = "sqlite:///shop.db", "duckdb:///shop.duckdb"


def write_sqlite(root: Path, *statements: str) -> None:
    """Carry out statements in a file of SQLite."""
    with closing(sqlite3.connect(root / "shop.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def write_duckdb(root: Path, *statements: str) -> None:
    """Carry out statements in a file of DuckDB."""
    with duckdb.connect(root / "shop.duckdb") as connection:
        for statement in statements:
            connection.execute(statement)


async def test_values_of_sqlite_keep_their_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column of whole numbers and floats holds both where that is exact, over all batches; else it is text."""
    monkeypatch.setattr(sqlite, "BATCH_ROWS", 2)
    write_sqlite(
        tmp_path,
        "CREATE TABLE t (id INTEGER, whole, part, mixed, large, text, bytes, none)",
        f"INSERT INTO t VALUES (1, 1, 1, 1, {2**53 + 1}, 'ä', x'ff00', NULL), (2, {2**63 - 1}, 2.5, 'two', 1.5, '', x'61', NULL), "  # noqa: S608 - ours
        f"(3, {-(2**63)}, 3, x'ff', {2**62}, NULL, NULL, NULL), (4, NULL, NULL, 4.5, NULL, '4', NULL, NULL)",
    )
    source = query_of(SQLITE, "SELECT * FROM t ORDER BY id")

    (landed,) = await land_rows(source, tmp_path)
    rows = await asyncio.to_thread(read_rows, source, tmp_path)

    assert landed.rows == 4
    assert types_of(tmp_path) == {
        "id": "int64",
        "whole": "int64",
        "part": "double",
        "mixed": "string",
        "large": "string",
        "text": "string",
        "bytes": "string",
        "none": "string",
    }
    assert [tuple(row.values()) for row in rows] == [
        (1, 1, 1.0, "1", "9007199254740993", "ä", "\\xff00", None),
        (2, 2**63 - 1, 2.5, "two", "1.5", "", "a", None),
        (3, -(2**63), 3.0, "\\xff", "4611686018427387904", None, None, None),
        (4, None, None, "4.5", None, "4", None, None),
    ]


async def test_types_of_duckdb_are_exact(tmp_path: Path) -> None:
    """Decimals, times and texts are what they are in the file; a struct's fields are columns, and a list is its JSON."""
    write_duckdb(
        tmp_path,
        "CREATE TABLE t AS SELECT 1::UTINYINT AS id, 12.50::DECIMAL(10, 2) AS total, '1000000000000000000000000000000'::HUGEINT AS huge, DATE '2024-01-05' AS day, "
        "TIMESTAMP '2024-01-05 10:00' AS moment, TIMESTAMPTZ '2024-01-05 10:00+02' AS moment_utc, 'a'::ENUM('a', 'b') AS mood, "
        "[1, 2] AS list, {'x': 1, 'y': 'b'} AS doc, '\\xff'::BLOB AS bytes, uuid() IS NULL AS flag, TIME '10:00' AS clock",
    )
    source = query_of(DUCKDB, "SELECT * FROM t;")

    await land_rows(source, tmp_path)
    (row,) = await asyncio.to_thread(read_rows, source, tmp_path)

    assert row == {
        "id": 1, "total": Decimal("12.50"), "huge": Decimal(10**30), "day": dt.date(2024, 1, 5),
        "moment": dt.datetime(2024, 1, 5, 10), "moment_utc": dt.datetime(2024, 1, 5, 8, tzinfo=dt.UTC),  # noqa: DTZ001 - without a zone
        "mood": "a", "list": "[1, 2]", "doc.x": 1, "doc.y": "b", "bytes": "\\xff", "flag": False, "clock": "10:00:00.000000",
    }  # fmt: skip
    assert types_of(tmp_path)["total"] == "decimal128(10, 2)"


@pytest.mark.parametrize(
    ("database", "query", "said"),
    [
        (SQLITE, "SELECT * FROM nowhere", "no such table: nowhere; correct the query, or database"),
        (SQLITE, "WITH x AS (SELECT 1 AS id) SELECT nix FROM x", "no such column: nix"),
        ("sqlite:///none.db", "SELECT 1", "none.db is no file; put it there, or correct the path"),
        ("sqlite:///text.db", "SELECT 1 FROM t", "file is not a database; correct the query, or database"),
        (DUCKDB, "SELECT * FROM nowhere", "Table with name nowhere does not exist"),
        (DUCKDB, "SELECT * FROM read_csv('/etc/passwd')", "disabled by configuration"),
        (
            DUCKDB,
            "SELECT INTERVAL 1 DAY AS v",
            'of the type INTERVAL, which no table has; cast it in the query: epoch("v")',
        ),
        (DUCKDB, "SELECT 'infinity'::TIMESTAMP AS v", "infinite, or in no year from 1 to 9999"),
        ("duckdb:///none.duckdb", "SELECT 1", "none.duckdb is no file"),
        ("duckdb:///text.db", "SELECT 1", "not a valid DuckDB database file"),
    ],
)
async def test_what_a_file_refuses_is_one_sentence(tmp_path: Path, database: str, query: str, said: str) -> None:
    """And nothing of it is left."""
    write_sqlite(tmp_path, "CREATE TABLE t AS SELECT 1 AS id")
    write_duckdb(tmp_path, "CREATE TABLE t AS SELECT 1 AS id")
    (tmp_path / "text.db").write_text("no database " * 1000)

    with pytest.raises(PermanentSourceError) as raised:
        await land_rows(query_of(database, query), tmp_path)

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("database", [SQLITE, DUCKDB])
async def test_each_run_takes_what_is_new(tmp_path: Path, database: str) -> None:
    """And once more what is as new as the newest, of which the key drops what is there; a run without news leaves no file."""
    write = write_sqlite if database == SQLITE else write_duckdb
    write(tmp_path, "CREATE TABLE t (id INTEGER, seen VARCHAR, v INTEGER)")
    write(tmp_path, "INSERT INTO t VALUES (1, '2024-01-01 10:00:00', 1), (2, '2024-01-02 10:00:00', 1), (3, NULL, 1)")
    query = "SELECT id, seen, v FROM t ORDER BY id"
    if database == DUCKDB:
        query = "SELECT id, seen::TIMESTAMPTZ AS seen, v FROM t ORDER BY id"
    source = query_of(database, query, key=["id"], incremental={"column": "seen"})
    counts: list[int] = []

    async def run() -> list[Row]:
        (landed,) = await land_rows(source, tmp_path)
        counts.append(landed.rows)
        return await asyncio.to_thread(read_rows, source, tmp_path)

    first = await run()
    again = [await run() for _ in range(2)][-1]
    write(
        tmp_path,
        "UPDATE t SET seen = '2024-01-03 10:00:00', v = 2 WHERE id = 1",
        "INSERT INTO t VALUES (4, '2024-01-02 10:00:00', 1)",
    )
    last = await run()

    assert (
        [(row["id"], row["v"]) for row in first] == [(row["id"], row["v"]) for row in again] == [(1, 1), (2, 1), (3, 1)]
    )
    assert [(row["id"], row["v"]) for row in last] == [(1, 2), (2, 1), (3, 1), (4, 1)]
    assert counts == [3, 4, 4, 7]  # with the newest once more, and then it, the changed one and the new one
    assert read_raw(tmp_path) == [
        "all+000001.arrows",
        "all+000001.json",
        "all+000002.arrows",
        "all+000002.json",
        "all.arrows",
        "all.json",
    ]


async def test_texts_that_grow_are_written_alike(tmp_path: Path) -> None:
    """Two forms of times are refused: as texts the later one may be the smaller."""
    write_sqlite(
        tmp_path, "CREATE TABLE t AS SELECT 1 AS id, '2024-01-02T10:00' AS at UNION SELECT 2, '2024-01-03 10:00'"
    )
    source = query_of(SQLITE, "SELECT * FROM t", key=["id"], incremental={"column": "at"})

    with pytest.raises(
        PermanentSourceError, match=r"incremental.column: 'at' is a text, written as .* otherwise, .* in the query"
    ):
        await land_rows(source, tmp_path)


@pytest.mark.parametrize("database", [SQLITE, DUCKDB])
async def test_rows_outside_of_a_range_are_told(tmp_path: Path, database: str) -> None:
    """Those before and behind it, and those without a value: of a range in the query itself nobody knows."""
    for write in (write_sqlite, write_duckdb):
        write(tmp_path, "CREATE TABLE t (id INTEGER)", "INSERT INTO t VALUES (1), (2), (3), (4), (5), (NULL)")
    parts = {"id": {"range": [2, 4], "every": 2}}

    (first, second) = await land_rows(query_of(database, "SELECT * FROM t", partitions=parts), tmp_path)
    placed = await land_rows(
        query_of(database, "SELECT * FROM t WHERE id BETWEEN :id AND :id_last", partitions=parts), tmp_path
    )

    assert first.warnings == (
        "partitions.id: 3 rows without id within its range, and in no partition; "
        "widen range, or leave these rows out in the query",
    )
    assert (second.warnings, [each.warnings for each in placed]) == ((), [(), ()])


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"partitions": {"part": ["a", "b'c"]}}, {"part=a": [1, 4], "part=b%27c": [2]}),
        ({"query": "SELECT * FROM t WHERE part = :part", "partitions": {"part": ["b'c"]}}, {"part=b%27c": [2]}),
        ({"partitions": {"id": {"range": [-1, 3], "every": 2}}}, {"id=-1": [], "id=1": [1, 2], "id=3": [3]}),
        (
            {
                "query": "SELECT * FROM t WHERE id BETWEEN :id AND :id_last -- :no",
                "partitions": {"id": {"range": [2, 4], "every": 2}},
            },
            {"id=2": [2, 3], "id=4": [4]},
        ),
        (
            {"partitions": {"day": {"from": "2024-01-01", "to": "2024-01-02", "every": "1d"}}},
            {"day=2024-01-01": [1, 2], "day=2024-01-02": [3]},
        ),
    ],
)
@pytest.mark.parametrize("database", [SQLITE, DUCKDB])
async def test_a_partition_has_its_rows(
    tmp_path: Path, database: str, keys: dict[str, Any], expected: dict[str, list[int]]
) -> None:
    """By the column of its name, or where the query has its placeholder; of a range from its first to its last."""
    values = "VALUES (1, 'a', '2024-01-01'), (2, 'b''c', '2024-01-01'), (3, NULL, '2024-01-02'), (4, 'a', NULL)"
    for write in (write_sqlite, write_duckdb):
        write(tmp_path, "CREATE TABLE t (id INTEGER, part VARCHAR, day DATE)", f"INSERT INTO t {values}")
    source = query_of(database, **{"query": "SELECT * FROM t", **keys})

    landed = await land_rows(source, tmp_path)
    rows = await asyncio.to_thread(read_rows, source, tmp_path)

    assert {each.partition: each.rows for each in landed} == {name: len(ids) for name, ids in expected.items()}
    assert [row["id"] for row in rows] == sorted(each for ids in expected.values() for each in ids)


@pytest.mark.parametrize("database", [SQLITE, DUCKDB])
async def test_a_query_that_is_ended_before_it_begins_lands_nothing(tmp_path: Path, database: str) -> None:
    """As by a run that is stopped while it connects: rows that nobody read are no empty partition."""
    write_sqlite(tmp_path, "CREATE TABLE t (id INTEGER)", "INSERT INTO t VALUES (1)")
    write_duckdb(tmp_path, "CREATE TABLE t AS SELECT 1 AS id")
    source = query_of(database, "SELECT * FROM t", attempts=1)

    def open_ended() -> Database:
        opened = open_database(source, tmp_path, None)
        opened.cancel()
        return opened

    job = PartitionJob("rows", source, list_partitions(source)[0], tmp_path / "raw" / "rows")
    plan = await asyncio.to_thread(plan_landing, job, fresh=False)
    with pytest.raises(SourceError, match=r"^the query was ended before its rows were there; run again$"):
        await land_query(plan, QueryAccess(open_ended, RequestStats(), Redactor()))

    assert read_raw(tmp_path) == []
    (landed,) = await land_rows(source, tmp_path)
    assert landed.rows == 1


@pytest.mark.parametrize("database", [SQLITE, DUCKDB])
async def test_a_query_that_does_not_end_is_told_once(tmp_path: Path, database: str) -> None:
    """After timeout there is one sentence, and nothing that asyncio logs of what was ended."""
    write_sqlite(tmp_path, "CREATE TABLE t (id INTEGER)")
    write_duckdb(tmp_path, "CREATE TABLE t (id INTEGER)")
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT (x + 1) % 1000 FROM c) SELECT max(x) AS x FROM c"
    logged: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context["message"]))

    with pytest.raises(PermanentSourceError, match="the query was not done within timeout, 1s"):
        await land_rows(query_of(database, endless, timeout="1s"), tmp_path)
    gc.collect()

    assert logged == []
    assert read_raw(tmp_path) == []
