"""Queries of a real MariaDB: each type exact or refused, read only, in one snapshot, and again where that may help."""

from __future__ import annotations

import asyncio
import datetime as dt
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.core.errors import PermanentSourceError, SourceError
from tasks.ingest.http.redaction import Redactor
from tasks.ingest.http.requests import RequestStats
from tasks.ingest.landing.plan import PartitionJob, plan_landing
from tasks.ingest.landing.query import QueryAccess, land_query
from tasks.ingest.sql.mysql import Mysql as Database
from tasks.ingest.sql.opening import open_database
from tasks.raw.partitions import list_partitions
from tests.ingest.databases import land_rows, query_of, read_raw, read_rows, types_of
from tests.ingest.test_postgresql import wait_for
from tests.mysql import Mysql, needs_mysql
from tests.postgresql import PASSWORD

pytestmark = needs_mysql

TABLE = r"""
CREATE OR REPLACE TABLE kinds (
  id int(5) ZEROFILL, tiny tinyint(1), small smallint unsigned, middle mediumint, big bigint, free bigint unsigned, huge bigint unsigned,
  total decimal(10,2), exact decimal(38,10) unsigned, part double, day date, moment datetime(6), at timestamp(6) NULL, clock time(3), made year,
  word varchar(20), padded char(5), long_word longtext, doc json, bytes varbinary(8), large blob, flags bit(9), mood enum('a','b'), tags set('x','y')
)
"""
ROWS = r"""
INSERT INTO kinds VALUES
  (1, 1, 65535, -8388608, 9223372036854775807, 5, 18446744073709551615, 1.50, 1234567890123456789012345678.0123456789, 0.1,
   '0001-01-01', '2024-01-05 10:00:00.123456', '2024-01-05 10:00:00.5', '-838:59:59.5', 2024, 'ä"''\\', 'ab', '', '{"a": [1]}', x'ff00', 'text',
   b'100000001', 'b', 'x,y'),
  (2, -128, 0, 0, -9223372036854775808, 0, 0, -99999999.99, 0, 1.7976931348623157e308, '9999-12-31', '9999-12-31 23:59:59.999999',
   '1970-01-01 00:00:01', '23:00', 0, '', '', 'z', 'null', '', '', 0, 'a', ''),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
"""


def batches_of(mysql: Mysql, query: str) -> list[pa.RecordBatch]:
    """Return the batches of a query."""
    return list(Database(mysql.address(), PASSWORD).read(query))


def read_files(folder: Path) -> list[bytes]:
    """Return what is in each file below a folder."""
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def test_every_type_is_exact(mysql: Mysql) -> None:
    """Numbers of 64 bits without a sign are decimals where they have to be, and a TIMESTAMP is UTC wherever the server is."""
    mysql.query("SET time_zone = '+00:00'", TABLE, ROWS)

    (batch,) = batches_of(mysql, "SELECT *, NULL AS nothing FROM kinds ORDER BY id")

    assert {field.name: str(field.type) for field in batch.schema} == {
        **dict.fromkeys(("id", "tiny", "small", "middle", "big", "free", "made", "flags"), "int64"),
        "huge": "decimal128(20, 0)",
        "total": "decimal128(10, 2)",
        "exact": "decimal128(38, 10)",
        "part": "double",
        "day": "date32[day]",
        "moment": "timestamp[us]",
        "at": "timestamp[us, tz=UTC]",
        "nothing": "null",
        **dict.fromkeys(("clock", "word", "padded", "long_word", "doc", "mood", "tags"), "string"),
        **dict.fromkeys(("bytes", "large"), "binary"),
    }
    first, second, third = ([*row.values()] for row in batch.to_pylist())
    assert first == [
        *(1, 1, 65535, -8388608, 2**63 - 1, 5, Decimal(2**64 - 1), Decimal("1.50")),
        *(Decimal("1234567890123456789012345678.0123456789"), 0.1, dt.date(1, 1, 1)),
        *(dt.datetime(2024, 1, 5, 10, 0, 0, 123456), dt.datetime(2024, 1, 5, 10, 0, 0, 500000, dt.UTC)),  # noqa: DTZ001 - without a zone
        *("-838:59:59.500", 2024, "ä\"'\\", "ab", "", '{"a": [1]}', b"\xff\x00", b"text", 257, "b", "x,y", None),
    ]
    assert second == [
        *(2, -128, 0, 0, -(2**63), 0, Decimal(0), Decimal("-99999999.99"), Decimal(0), 1.7976931348623157e308),
        *(dt.date(9999, 12, 31), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)),  # noqa: DTZ001 - without a zone
        *(dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC), "23:00:00.000", 0, "", "", "z", "null", b"", b"", 0, "a", "", None),
    ]  # fmt: skip
    assert third == [3, *(None,) * (len(batch.schema) - 1)]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("float", "16777217", "of the type float, of which MySQL sends six digits, which no table has; cast it in the query: `v` + 0e0 AS `v`"),
        ("point", "point(1, 2)", "of the type geometry, which no table has; cast it in the query: ST_AsText(`v`) AS `v`"),
        ("date", "'0000-00-00'", "has the value 0000-00-00, which no day is; leave it out in the query: CASE WHEN YEAR(`v`) * MONTH(`v`) * DAY(`v`) > 0 THEN `v` END AS `v`"),
        ("date", "'2024-00-00'", "has the value 2024-00-00, which no day is"),
        ("datetime(2)", "'2024-01-00 10:00'", "has the value 2024-01-00 10:00:00.00, which no day is"),
        ("timestamp NULL", "0", "has the value 0000-00-00 00:00:00, which no day is"),
    ],
)  # fmt: skip
async def test_what_no_table_has_is_refused_with_its_cure(
    mysql: Mysql, tmp_path: Path, column: str, value: str, said: str
) -> None:
    """In one sentence that names the column, nothing is landed, and the cure helps."""
    mysql.query("SET sql_mode = ''", f"CREATE OR REPLACE TABLE odd (v {column})", f"INSERT INTO odd VALUES ({value})")  # noqa: S608 - ours

    with pytest.raises(PermanentSourceError) as raised:
        await land_rows(query_of(mysql.address(), "SELECT v FROM odd"), tmp_path)

    assert said in str(raised.value)
    assert ("\n" in str(raised.value), read_raw(tmp_path)) == (False, [])
    cured = str(raised.value).rpartition("in the query: ")[2]
    expected = {"float": 16777216.0, "point": "POINT(1 2)"}.get(column)
    (batch,) = await asyncio.to_thread(batches_of, mysql, f"SELECT {cured} FROM odd")  # noqa: S608 - ours
    assert batch.to_pylist() == [{"v": expected}]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"query": "SELECT * FROM nowhere"}, "Table 'shop.nowhere' doesn't exist; correct the name of the table"),
        ({"query": "SELECT nothing FROM mysql.user"}, "Unknown column 'nothing' in 'SELECT'; correct the name of the column"),
        ({"query": "SELECT 1 AS a, 2 AS a"}, "Duplicate column name 'a'; give one of them another name, with AS"),
        ({"query": "SELECT nextval(numbers) AS v"}, "Cannot execute statement in a READ ONLY transaction; nothing is written in a source"),
        ({"query": "SELECT sleep(60) AS v", "timeout": "0.5s"}, "was not done within timeout, 0.5s; raise it"),
    ],
)  # fmt: skip
async def test_what_the_database_refuses_is_one_sentence(
    mysql: Mysql, tmp_path: Path, keys: dict[str, Any], said: str
) -> None:
    """Asked once, as another attempt would not help; a query that takes too long is ended on the server, too."""
    mysql.query("CREATE OR REPLACE SEQUENCE numbers")
    stats = RequestStats()

    with pytest.raises(PermanentSourceError) as raised:
        await land_rows(query_of(mysql.address(), **keys), tmp_path, stats)

    assert said.lower() in str(raised.value).lower()
    assert (stats.requests, "\n" in str(raised.value), PASSWORD in str(raised.value)) == (1, False, False)
    assert await asyncio.to_thread(mysql.running, "sleep(60)") == []


async def test_a_wrong_password_and_a_server_that_is_not_there(mysql: Mysql, tmp_path: Path) -> None:
    """The first is said once, the second asked for as often as is declared; neither says the password."""
    source, stats = query_of(mysql.address("mariadb"), "SELECT 1 AS id", attempts=2), RequestStats()
    (partition,) = list_partitions(source)
    plan = await asyncio.to_thread(
        plan_landing, PartitionJob("rows", source, partition, tmp_path / "raw" / "rows"), fresh=False
    )
    wrong = partial(open_database, source, tmp_path, f"{PASSWORD}x")

    with pytest.raises(PermanentSourceError, match="correct the user or the password") as refused:
        await land_query(plan, QueryAccess(wrong, stats, Redactor()))
    asked = stats.requests
    away = query_of(mysql.address().replace(str(mysql.port), "1"), "SELECT 1 AS id", attempts=2)
    with pytest.raises(SourceError, match="Connection refused; see that the address is right"):
        await land_rows(away, tmp_path, stats)

    assert (asked, stats.requests, PASSWORD in str(refused.value)) == (1, 3, False)


async def test_a_connection_that_is_killed_within_a_query_begins_anew(mysql: Mysql, tmp_path: Path) -> None:
    """The rows are those of the second attempt alone, and no file has the password."""
    query = (
        "SELECT seq AS id, md5(seq) AS text, CASE WHEN seq % 20000 = 0 THEN sleep(0.2) END AS slept FROM seq_1_to_60000"
    )
    stats = RequestStats()

    def kill() -> bool:
        found = mysql.running("slept")
        for number in found:
            mysql.query(f"KILL {number}")
        return bool(found)

    killing = asyncio.create_task(asyncio.to_thread(wait_for, kill))
    (landed,) = await land_rows(query_of(mysql.address(), query), tmp_path, stats)
    await killing

    assert (landed.rows, stats.retries > 0) == (60_000, True)
    assert not any(PASSWORD.encode() in held for held in read_files(tmp_path))


async def test_partitions_are_of_numbers_and_of_any_texts(mysql: Mysql, tmp_path: Path) -> None:
    """Quotes, backslashes and names of columns are what they are, in a placeholder as in a condition; numbers are exact."""
    shops = ["it's", 'a"b', "back\\slash", "\\' OR 1=1 -- ", "5"]
    first = 2**53 + 1
    mysql.query("CREATE OR REPLACE TABLE sales (id bigint, `a``b` varchar(20) COLLATE utf8mb4_bin)")
    for number, shop in enumerate([*shops, "5 pieces"]):
        written = shop.replace("\\", "\\\\").replace("'", "''")
        mysql.query(f"INSERT INTO sales VALUES ({first + number}, '{written}')")  # noqa: S608 - ours
    ids = {"id": {"range": [first, first + 5], "every": 2}}
    beside = query_of(mysql.address(), "SELECT id, `a``b` AS shop FROM sales", partitions={"shop": [*shops[:4], 5]})
    placed = query_of(mysql.address(), "SELECT id, `a``b` FROM sales WHERE `a``b` = :shop", partitions={"shop": shops})
    ranged = query_of(mysql.address(), "SELECT * FROM sales", partitions=ids)

    counts = [
        [each.rows for each in await land_rows(source, tmp_path / str(number))]
        for number, source in enumerate((beside, placed, ranged))
    ]
    rows = await asyncio.to_thread(read_rows, placed, tmp_path / "1")

    assert counts == [[1] * 5, [1] * 5, [2] * 3]
    assert [(row["id"] - first, row["a`b"]) for row in rows] == [*enumerate(shops)]


async def test_what_is_new_is_asked_for_from_the_newest_on(mysql: Mysql, tmp_path: Path) -> None:
    """Of times in UTC to the microsecond; ids beyond 64 bits with a sign and others are one column."""
    mysql.query(
        "SET time_zone = '+00:00'",
        "CREATE OR REPLACE TABLE orders (id bigint unsigned, total decimal(10,2), changed timestamp(6) NULL)",
        "INSERT INTO orders VALUES (1, 1, '2024-01-01 09:00'), (2, 2, '2024-01-02 09:00:00.000001'), (9, 9, NULL)",
    )
    grows = {"column": "changed", "start": "2024-01-01T09:00:00Z"}
    source = query_of(mysql.address(), "SELECT * FROM orders", key=["id"], incremental=grows)

    (first,) = await land_rows(source, tmp_path)
    mysql.query(
        "SET time_zone = '+00:00'",
        "INSERT INTO orders VALUES (18446744073709551615, 3, '2024-01-03'), (4, 4, '2024-01-02 09:00')",
    )
    (second,) = await land_rows(source, tmp_path)
    rows = await asyncio.to_thread(read_rows, source, tmp_path)

    assert [each.rows for each in (first, second)] == [2, 4]
    assert {int(row["id"]): row["total"] for row in rows} == {1: 1, 2: 2, 2**64 - 1: 3}
    assert types_of(tmp_path)["changed"] == "timestamp[us, tz=UTC]"


async def test_a_run_that_is_ended_ends_its_query(mysql: Mysql, tmp_path: Path) -> None:
    """On the server, too, and leaves nothing."""
    landing = asyncio.create_task(land_rows(query_of(mysql.address(), "SELECT sleep(61) AS v"), tmp_path))
    await asyncio.to_thread(wait_for, lambda: mysql.running("sleep(61)"))

    landing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await landing

    await asyncio.to_thread(wait_for, lambda: not mysql.running("sleep(61)"))
    assert read_raw(tmp_path) == []
