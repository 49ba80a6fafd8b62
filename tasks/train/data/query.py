"""The training query: parsed, put in a fixed row order, and run over the tables alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from tasks.config import QueryLimits
from tasks.core.errors import TrainingError
from tasks.core.sql import bounded, explained, plain_column, stream_result

RESULT = "training_set"  # the temporary table of `run_query`
LIMITS_AT = "training.query_limits"

# What DuckDB's types become, so that every column is a number, a truth, a time or a text.
PLAIN_TYPES = {
    r'U?HUGEINT|BIGNUM|DECIMAL.*|"NULL"': "CAST({} AS DOUBLE)",  # sum() of whole numbers is a HUGEINT; Arrow has no such type
    r"ENUM.*|UUID|JSON": "CAST({} AS VARCHAR)",
    r"TIME|TIME_NS|INTERVAL": "epoch({})",  # seconds
    r"TINYINT|SMALLINT|INTEGER|BIGINT|UTINYINT|USMALLINT|UINTEGER|UBIGINT": "{}",
    r"FLOAT|DOUBLE|BOOLEAN|VARCHAR|DATE|TIMESTAMP.*": "{}",
}


def run_query(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    tables: Mapping[str, Path],
    key: str = "training.query",
    limits: QueryLimits | None = None,
    stop: threading.Event | None = None,
) -> int:
    """Run the query into a temporary table that keeps its row order; return the number of rows.

    Raises:
        TrainingError: when the SQL does not fit the tables, in DuckDB's words, or takes more than its limits, or is stopped.

    """
    with explained(key, tables, LIMITS_AT), bounded(connection, key, limits or QueryLimits(), LIMITS_AT, stop):
        columns = connection.sql(query).columns
        connection.execute(f"CREATE TEMP TABLE {RESULT} AS {_in_fixed_order(connection, query, len(columns))}")
        rows = connection.execute(f"SELECT count(*) FROM {RESULT}").fetchall()  # noqa: S608 - our own name
        return int(rows[0][0])


def read_result(connection: duckdb.DuckDBPyConnection, batch_rows: int) -> Any:
    """Return the result of `run_query` as an Arrow record batch reader, in its row order.

    Raises:
        TrainingError: for a column that is neither a number, a truth, a time nor a text.

    """
    described = connection.execute(f"DESCRIBE {RESULT}").fetchall()
    columns = ", ".join(as_plain(str(name), str(kind)) for name, kind, *_ in described)
    return stream_result(connection, f"SELECT {columns} FROM {RESULT}", batch_rows)  # noqa: S608 - our own names


def _in_fixed_order(connection: duckdb.DuckDBPyConnection, query: str, columns: int) -> str:
    """Return the query ordered by all of its columns, after its own ORDER BY where it has one.

    DuckDB's threads deliver rows, and rows that tie in an ORDER BY, in any
    order; the split is drawn by row, so the order has to be one.
    """
    parsed = json.loads(_scalar(connection, "SELECT json_serialize_sql(?)", query))
    modifiers = parsed["statements"][0]["node"]["modifiers"]
    own = next((m for m in modifiers if m["type"] == "ORDER_MODIFIER"), None)
    if own is None:
        plain = _scalar(connection, "SELECT json_deserialize_sql(?)", json.dumps(parsed))
        return f"SELECT * FROM ({plain}) ORDER BY ALL"  # noqa: S608 - the user's own query, checked to be one SELECT
    own["orders"] += _positions(connection, columns)
    return _scalar(connection, "SELECT json_deserialize_sql(?)", json.dumps(parsed))


def _positions(connection: duckdb.DuckDBPyConnection, columns: int) -> list[Any]:
    listed = ", ".join(str(position + 1) for position in range(columns))
    sample = ", ".join(["1"] * columns)
    parsed = json.loads(_scalar(connection, "SELECT json_serialize_sql(?)", f"SELECT {sample} ORDER BY {listed}"))
    return list(parsed["statements"][0]["node"]["modifiers"][0]["orders"])


def _scalar(connection: duckdb.DuckDBPyConnection, sql: str, value: str) -> str:
    return str(connection.execute(sql, [value]).fetchall()[0][0])


def as_plain(name: str, kind: str) -> str:
    """Return the SQL of a column as a number, a truth, a time or a text.

    Raises:
        TrainingError: when it is none of them.

    """
    if plain := plain_column(name, kind, PLAIN_TYPES):
        return plain
    raise TrainingError(
        f"training.query: column {name!r} is {kind}, which no estimator takes; leave it out or make plain columns of it"
    )
