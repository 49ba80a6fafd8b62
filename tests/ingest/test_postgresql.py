"""Queries of a real PostgreSQL: each type exact or refused, read only, in one snapshot, and again where that may help."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tasks.config import Column
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.ingest.http.requests import RequestStats
from tests.ingest.databases import empty, land_rows, query_of, read_raw, read_rows, types_of
from tests.postgresql import PASSWORD, Postgresql, needs_postgresql

pytestmark = needs_postgresql

UTC = dt.UTC
VALUES = """
SELECT * FROM (VALUES
  (1, 2::smallint, 9223372036854775807, true, 0.5::float8, 1.5::real, 1.50::numeric(10,2), 'ä"''\\'::text, 'ab'::text,
   date '0001-01-01', timestamp '2024-01-05 10:00:00.123456', timestamptz '2024-01-05 10:00:00+02', time '10:00',
   '00000000-0000-0000-0000-000000000001'::uuid, '{"a": [1]}'::jsonb, '\\xff00'::bytea, 'b'::mood, 12345678901234567890.5::numeric),
  (2, -2, -9223372036854775808, false, '-infinity', 'infinity', -99999999.99, '', '', date '9999-12-31',
   timestamp '9999-12-31 23:59:59.999999', timestamptz '0001-01-01 00:00:00+00', time '23:59:59.999999',
   NULL, 'null', 'text', 'a', -0.000000001),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
) AS t(id, small, big, flag, part, narrow, total, word, padded, day, moment, moment_utc, clock, uuid, doc, bytes, mood, free)
"""


@pytest.fixture(scope="module", autouse=True)
def _schema(postgresql: Postgresql) -> None:
    """Have an empty schema, with a type of words."""
    empty(postgresql)
    postgresql.query("CREATE TYPE mood AS ENUM ('a', 'b')")
    postgresql.query("CREATE SEQUENCE numbers_of")


def wait_for(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    while not holds():
        time.sleep(0.02)


async def test_every_type_is_exact(postgresql: Postgresql, tmp_path: Path) -> None:
    """Decimals are decimals, times that name a zone are UTC, and nothing is a float that was none."""
    source = query_of(postgresql, VALUES)

    (landed,) = await land_rows(source, tmp_path)
    rows = await asyncio.to_thread(read_rows, source, tmp_path)

    assert (landed.rows, landed.requests, landed.warnings) == (3, 1, ())
    assert types_of(tmp_path) == {
        "id": "int64",
        "small": "int64",
        "big": "int64",
        "flag": "bool",
        "part": "double",
        "narrow": "double",
        "total": "decimal128(18, 2)",
        "word": "string",
        "padded": "string",
        "day": "date32[day]",
        "moment": "timestamp[us]",
        "moment_utc": "timestamp[us, tz=UTC]",
        "clock": "string",
        "uuid": "string",
        "doc": "string",
        "bytes": "string",
        "mood": "string",
        "free": "decimal128(29, 9)",
    }
    assert [tuple(row.values()) for row in rows] == [
        (
            *(1, 2, 2**63 - 1, True, 0.5, 1.5, Decimal("1.50"), "ä\"'\\", "ab", dt.date(1, 1, 1)),
            *(dt.datetime(2024, 1, 5, 10, 0, 0, 123456), dt.datetime(2024, 1, 5, 8, tzinfo=UTC), "10:00:00.000000"),  # noqa: DTZ001 - without a zone
            *("00000000-0000-0000-0000-000000000001", '{"a": [1]}', "\\xff00", "b", Decimal("12345678901234567890.5")),
        ),
        (
            *(2, -2, -(2**63), False, float("-inf"), float("inf"), Decimal("-99999999.99"), "", ""),
            *(dt.date(9999, 12, 31), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)),  # noqa: DTZ001 - without a zone
            *(dt.datetime(1, 1, 1, tzinfo=UTC), "23:59:59.999999", None, "null", "text", "a", Decimal("-1E-9")),
        ),
        (3, *(None,) * 17),
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("interval '1 day'", 'of the type interval, which no table has; cast it in the query: extract(epoch FROM "v")'),
        ("ARRAY[[1], [2]]", 'an array of int4, which no table has; cast it in the query: to_json("v") AS "v"'),
        ("12.5::money", 'of the type money, which no table has; cast it in the query: "v"::numeric AS "v"'),
        ("4000000000::oid", '"v"::bigint AS "v"'),
        ("current_time", 'of the type timetz, which no table has; cast it in the query: "v"::text'),
        ("'1.2.3.4'::inet", "of the type inet"),
        ("point(1, 2)", "of the type point"),
        ("int4range(1, 2)", "of the type unnamed, which no table has"),
        ("row(1, 'a')", "of the type record"),
        ("'NaN'::numeric", "has the value nan, which no decimal is; leave it out with NULLIF(\"v\", 'nan')"),
        ("'NaN'::numeric(5,2)", "has the value nan, which no decimal is"),
        ("'infinity'::numeric", "has the value inf, which no decimal is"),
        ("'infinity'::timestamp", "has a time that is infinite, or in no year from 1 to 9999; leave it out"),
        ("'-infinity'::timestamptz", "has a time that is infinite"),
        ("'infinity'::date", 'CASE WHEN isfinite("v") THEN "v" END'),
        ("date '0001-01-01 BC'", "has a time that is infinite, or in no year from 1 to 9999"),
        ("timestamp '294276-01-01'", "has a time that is infinite"),
        ("time '24:00'", 'a time of 24:00, which no table has; cast it in the query: "v"::text'),
    ],
)
async def test_what_no_table_has_is_refused_with_its_cure(
    postgresql: Postgresql, tmp_path: Path, value: str, said: str
) -> None:
    """In one sentence that names the column, and nothing is landed."""
    with pytest.raises(PermanentSourceError) as raised:
        await land_rows(query_of(postgresql, f"SELECT 1 AS id, {value} AS v"), tmp_path)

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert read_raw(tmp_path) == []


async def test_decimals_of_any_size_are_exact(postgresql: Postgresql, tmp_path: Path) -> None:
    """Of more digits than a decimal has, they are texts."""
    source = query_of(
        postgresql, f"SELECT 1 AS id, {'9' * 45}.1 AS large, 0.1::numeric(3,2) AS small, 1200::numeric(3,-2) AS round"
    )

    await land_rows(source, tmp_path)
    rows = await asyncio.to_thread(read_rows, source, tmp_path)

    assert [*types_of(tmp_path).values()] == ["int64", "string", "decimal128(3, 2)", "decimal128(5, 0)"]
    assert rows == [{"id": 1, "large": f"{'9' * 45}.1", "small": Decimal("0.10"), "round": Decimal(1200)}]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"query": "SELECT * FROM nowhere"}, 'relation "nowhere" does not exist; correct the name of the table'),
        ({"query": "SELECT nothing FROM pg_class"}, 'column "nothing" does not exist; correct the name of the column'),
        ({"query": "SELECT 1 AS a, 2 AS a"}, "the query has two columns 'a'; give one of them another name, with AS"),
        ({"query": "SELECT 1 / (x - 9) AS v FROM generate_series(1, 9) AS x"}, "division by zero; correct the query"),
        ({"query": "SELECT nextval('numbers_of') AS v"}, "nextval() in a read-only transaction; nothing is written in a source"),
        ({"query": "SELECT 1 AS id FROM (SELECT set_config('transaction_read_only', 'off', false)) AS x"}, "read-write mode"),
        ({"query": "SELECT 1 AS id", "partitions": {"part": [1]}}, "column source.part does not exist"),
        ({"query": "SELECT 1 AS id", "incremental": {"column": "at"}, "key": ["id"]}, "the query has no column 'at'"),
        ({"query": "SELECT 1 AS id, 2 AS idx", "incremental": {"column": "idy", "start": 1}, "key": ["id"]}, "column source.idy does not exist"),
        ({"query": "SELECT 1 AS id, true AS at", "incremental": {"column": "at"}, "key": ["id"]}, "neither a number nor a time"),
        ({"query": "SELECT pg_sleep(60)::text AS v", "timeout": "0.5s"}, "was not done within timeout, 0.5s; raise it"),
    ],
)  # fmt: skip
async def test_what_the_database_refuses_is_one_sentence(
    postgresql: Postgresql, tmp_path: Path, keys: dict[str, Any], said: str
) -> None:
    """Asked once, as another attempt would not help."""
    stats = RequestStats()

    with pytest.raises(PermanentSourceError) as raised:
        await land_rows(
            query_of(postgresql, keys["query"], **{k: v for k, v in keys.items() if k != "query"}), tmp_path, stats
        )

    assert said in str(raised.value)
    assert (stats.requests, "\n" in str(raised.value), PASSWORD in str(raised.value)) == (1, False, False)


async def test_what_may_pass_is_asked_again(postgresql: Postgresql, tmp_path: Path) -> None:
    """A server that nobody answers at is asked as often as is declared."""
    address, stats = postgresql.address().replace(str(postgresql.port), "1"), RequestStats()

    with pytest.raises(SourceError, match="Connection refused; see that the address") as raised:
        await land_rows(query_of(address, "SELECT 1", attempts=2), tmp_path, stats)

    assert (stats.requests, stats.retries, isinstance(raised.value, PermanentSourceError)) == (2, 1, False)


@pytest.mark.parametrize("how", ["terminate", "crash"])
async def test_a_connection_that_is_cut_within_a_query_begins_anew(
    postgresql: Postgresql, tmp_path: Path, how: str
) -> None:
    """The rows are those of the second attempt alone, whether the server ends the connection or starts anew."""
    postgresql.query("DROP TABLE IF EXISTS large")
    postgresql.query("CREATE TABLE large AS SELECT x AS id, md5(x::text) AS text FROM generate_series(1, 200000) AS x")
    source, stats = (
        query_of(postgresql, "SELECT *, CASE WHEN id % 50000 = 0 THEN pg_sleep(0.2)::text END AS slept FROM large"),
        RequestStats(),
    )

    cutting = asyncio.create_task(asyncio.to_thread(wait_for, lambda: postgresql.end_queries(how)))
    (landed,) = await land_rows(source, tmp_path, stats)
    await cutting
    rows = await asyncio.to_thread(read_rows, source, tmp_path)

    assert (landed.rows, stats.retries > 0) == (200_000, True)
    assert sum(row["id"] for row in rows) == 200_000 * 200_001 // 2


async def test_a_query_sees_one_moment(postgresql: Postgresql, tmp_path: Path) -> None:
    """What others commit while it is read is in the next run."""
    postgresql.query("CREATE TABLE numbers AS SELECT x AS id FROM generate_series(1, 3) AS x")
    query = "SELECT id, (SELECT count(*) FROM numbers) AS first FROM numbers CROSS JOIN (SELECT pg_sleep(0.5)) AS s"
    source = query_of(postgresql, query)

    reading = asyncio.create_task(land_rows(source, tmp_path))
    await asyncio.sleep(0.2)
    await asyncio.to_thread(postgresql.query, "ALTER TABLE numbers ADD COLUMN more int")
    await asyncio.to_thread(postgresql.query, "INSERT INTO numbers VALUES (4)")

    assert ((await reading)[0].rows, (await land_rows(source, tmp_path, fresh=True))[0].rows) == (3, 4)


async def test_what_is_new_is_asked_for_from_the_newest_on(postgresql: Postgresql, tmp_path: Path) -> None:
    """Of times with an overlap, which brings what was committed late; one later than now moves nothing, and is told."""
    postgresql.query("CREATE TABLE orders (id int, total numeric(10,2), changed timestamptz)")
    postgresql.query(
        "INSERT INTO orders VALUES (1, 1, '2024-01-01 10:00+01'), (2, 2, '2024-01-02 10:00+01'), (9, 9, NULL)"
    )
    grows = {"column": "changed", "start": "2024-01-01T00:00:00+01:00", "overlap": "1h"}
    source = query_of(postgresql, "SELECT * FROM orders", key=["id"], incremental=grows)

    (first,) = await land_rows(source, tmp_path)
    postgresql.query(
        "INSERT INTO orders VALUES (3, 3, '2024-01-02 09:00+01'), (4, 4, '2024-01-02 08:59+01'), (5, 5, '2999-01-01')"
    )
    postgresql.query("UPDATE orders SET total = 20, changed = '2024-01-03' WHERE id = 2")
    (second,) = await land_rows(source, tmp_path)
    postgresql.query("INSERT INTO orders VALUES (6, 6, '2024-01-03 00:00')")
    (third,) = await land_rows(source, tmp_path)
    rows = await asyncio.to_thread(read_rows, source, tmp_path)

    assert [each.rows for each in (first, second, third)] == [2, 5, 8]
    assert {row["id"]: int(row["total"]) for row in rows} == {1: 1, 2: 20, 3: 3, 5: 5, 6: 6}
    assert first.warnings == ()
    assert second.warnings == third.warnings
    assert "'2999-01-01T00:00:00Z' in a record, which is later than now: it does not move" in second.warnings[0]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bigint", ("1", "2", "3")),
        ("numeric(12,2)", ("1.50", "2.25", "2.26")),
        ("date", ("2024-01-01", "2024-01-02", "2024-01-03")),
        ("timestamp", ("2024-01-01 00:00", "2024-01-01 00:00:00.000001", "2024-01-01 00:00:00.000002")),
    ],
)
async def test_what_grows_may_be_of_many_types(
    postgresql: Postgresql, tmp_path: Path, kind: str, values: tuple[str, str, str]
) -> None:
    """To the last digit: of what is there the newest alone is asked for again."""
    postgresql.query("DROP TABLE IF EXISTS growing")
    postgresql.query(
        f"CREATE TABLE growing AS SELECT 1 AS id, '{values[0]}'::{kind} AS v UNION SELECT 2, '{values[1]}'"
    )
    source = query_of(postgresql, "SELECT * FROM growing", key=["id"], incremental={"column": "v"})

    counts = [(await land_rows(source, tmp_path))[0].rows for _ in range(3)]
    postgresql.query(f"INSERT INTO growing VALUES (3, '{values[2]}')")  # noqa: S608 - ours
    counts += [(await land_rows(source, tmp_path))[0].rows for _ in range(3)]

    assert counts == [2, 3, 3, 5, 6, 6]


async def test_a_table_that_changes_between_partitions_is_one_table(postgresql: Postgresql, tmp_path: Path) -> None:
    """A column that is gone is null, one that is new is there, one of another type holds both; a row without one that is required is a reject."""
    postgresql.query("CREATE TABLE changing AS SELECT 1 AS part, 5 AS v, 'a' AS gone")
    source = query_of(postgresql, "SELECT * FROM changing", partitions={"part": [1, 2]})

    await land_rows(source, tmp_path)
    postgresql.query("ALTER TABLE changing DROP gone, ADD come numeric(4,1), ALTER v TYPE text")
    postgresql.query("INSERT INTO changing VALUES (2, 'x', 1.5)")
    await land_rows(source, tmp_path, only="part=2")
    rows = await asyncio.to_thread(read_rows, source, tmp_path)

    assert rows == [
        {"part": 1, "v": "5", "gone": "a", "come": None},
        {"part": 2, "v": "x", "gone": None, "come": Decimal("1.5")},
    ]
    declared = source.model_copy(update={"columns": {"gone": Column(required=True)}})
    assert await asyncio.to_thread(read_rows, declared, tmp_path) == rows[:1]


async def test_a_run_that_is_ended_ends_its_query(postgresql: Postgresql, tmp_path: Path) -> None:
    """On the server, too, and leaves nothing."""
    running = "SELECT count(*)::int FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(61)%' AND pid <> pg_backend_pid()"
    landing = asyncio.create_task(land_rows(query_of(postgresql, "SELECT pg_sleep(61)::text AS v"), tmp_path))
    await asyncio.to_thread(wait_for, lambda: postgresql.query(running)[0][0])

    landing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await landing

    assert postgresql.query(running) == [(0,)]
    assert read_raw(tmp_path) == []
