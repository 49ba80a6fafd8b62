"""Queries of databases: what a source of one can be told, and what does not fit together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.config import SqlSource, load_pipeline
from tests.config.files import mistakes_of

AT = "sources.rows"


def sql(keys: str, database: str = "postgresql://me@127.0.0.1/shop", query: str = "SELECT * FROM orders") -> str:
    """Return the text of a pipeline file with one source of a database, rows, that has these keys, too."""
    return f"name: small\nsources:\n  rows:\n    kind: sql\n    database: {database!r}\n    query: {json.dumps(query)}\n    {keys}\n"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("select 1;  -- ; and :no\n", []),
        ("WITH x AS (SELECT ':no' AS a, \";:no\" FROM t) SELECT * FROM x WHERE a::text = :part /* :no */", ["part"]),
        (
            "SELECT $$ ; :no $$, $a$ $$; :no $a$, E'a\\':no', \"update\", updated FROM t WHERE replace(a, 'b') = :part",
            ["part"],
        ),
        ("(SELECT 1) UNION (SELECT :part)", ["part"]),
    ],
)
def test_a_query_is_one_select(file: Path, query: str, names: list[str]) -> None:
    """What is quoted, and remarks, are no words of it; its names are those of partitions."""
    file.write_text(sql(f"partitions: {{{', '.join(f'{name}: [1]' for name in names)}}}", query=query))

    source = load_pipeline(file).sources["rows"]

    assert isinstance(source, SqlSource)
    assert source.query == query


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT 1; SELECT 2", "holds several statements; write one SELECT"),
        ("DELETE FROM orders", "begins with DELETE, and nothing but rows is read; write one SELECT"),
        ("WITH x AS (DELETE FROM orders RETURNING *) SELECT * FROM x", "has DELETE, and nothing is written, or locked, in a source; write one SELECT"),
        ("SELECT * FROM orders FOR UPDATE", "has UPDATE, and nothing is written, or locked, in a source; write one SELECT"),
        ("-- nothing", "has no words; write one SELECT"),
        ("SELECT * FROM orders WHERE region = :region", ":region is no partition; add it to partitions, or write it with a space behind the :"),
    ],
)  # fmt: skip
def test_another_query_is_refused(file: Path, query: str, said: str) -> None:
    """In one sentence, before anything is asked."""
    (mistake,) = mistakes_of(file, sql("", query=query))

    assert mistake.endswith(said)
    assert mistake.startswith(AT)


@pytest.mark.parametrize(
    ("database", "said"),
    [
        ("oracle://me@127.0.0.1/shop", "'oracle://me@127.0.0.1/shop' is no database that is read; write postgresql://user@host/database, mysql://user@host/database, sqlite:///shop.db or duckdb:///shop.duckdb"),
        ("shop.db", "'shop.db' is no database that is read; write postgresql://"),
        ("sqlite://shop.db", "'sqlite://shop.db' names no file; write sqlite:///shop.db, or sqlite:////srv/shop.db"),
        ("postgresql://me:s3cr3t@127.0.0.1/shop", "holds a secret, and would be stored with the run; write password: {env: NAME}"),
        ("postgresql://me@127.0.0.1/shop?password=s3cr3t", "holds a secret, and would be stored with the run; write password: {env: NAME}"),
        ("mysql://me:s3cr3t@127.0.0.1/shop", "holds a secret, and would be stored with the run; write password: {env: NAME}"),
        ("mariadb://me@127.0.0.1", "'mariadb://me@127.0.0.1' is no address of a database; write mariadb://user@host:port/database, without options"),
        ("mysql://me@127.0.0.1/shop?charset=latin1", "is no address of a database; write mysql://user@host:port/database, without options"),
        ("postgresql://me@127.0.0.1:port/shop", "is no address (Port could not be cast to integer value as 'port'); write postgresql://user@host:port/database"),
    ],
)  # fmt: skip
def test_another_database_is_refused(file: Path, database: str, said: str) -> None:
    """And no password is told."""
    (mistake,) = mistakes_of(file, sql("", database=database))

    assert said in mistake
    assert "s3cr3t" not in mistake


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("incremental: {column: changed}", "incremental needs a key, by which rows that come twice are dropped; add key: [id], or what identifies a row"),
        ("incremental: {column: changed, start: soon}\n    key: [id]", "'soon' is neither a number nor a time in ISO 8601; write e.g. 0 or 2024-01-01T00:00:00Z"),
        ("incremental: {column: changed, start: 1, overlap: 1h}\n    key: [id]", "overlap goes back from values like start, 1; write a number, e.g. 100"),
        ("incremental: {column: id}\n    key: [id]\n    partitions: {day: {from: 2024-01-01, to: now, every: 1d}}", "incremental asks for what is new of each partition, and dates have none once they are over; take incremental out, lookback asks for what came late"),
        ("partitions: {id: {range: [1, 1000000]}}", "has 1,000,000 values, and a source may have 100,000 partitions; give each several by every, fetch more with each, or split the source"),
        ("partitions: {id: {range: [1, 9], every: 0}}", "every"),
        ("connections: 0", "connections"),
        ("timeout: 5", "is not a duration; write a number and s, m, h, d or w, e.g. 24h"),
        ("url: http://127.0.0.1/", "url"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_told(file: Path, keys: str, said: str) -> None:
    """With the cure."""
    (mistake,) = mistakes_of(file, sql(keys))

    assert said in mistake


def test_mysql_begins_at_a_time_in_utc(file: Path) -> None:
    """As it compares a time with a zone as if that were not there."""
    keys = "key: [id]\n    incremental: {{column: at, start: '2024-01-01T00:00:00{}'}}"
    address = "mysql://me@127.0.0.1/shop"

    (mistake,) = mistakes_of(file, sql(keys.format("+01:00"), database=address))

    assert mistake.endswith(
        "start '2024-01-01T00:00:00+01:00' is not in UTC, and MySQL compares no zones; write it in UTC"
    )
    file.write_text(sql(keys.format("Z"), database=address))
    assert load_pipeline(file).sources


def test_a_file_has_no_password(file: Path) -> None:
    """A key that would do nothing is a mistake."""
    (mistake,) = mistakes_of(file, sql("password: {env: PASSWORD}", database="sqlite:///shop.db"))

    assert mistake == f"{AT}: password is of postgresql:// and mysql://, and sqlite has none; take password out"
