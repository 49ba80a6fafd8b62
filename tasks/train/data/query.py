"""The training query: parsed, put in a fixed row order, and run over the tables alone."""

from __future__ import annotations

import json
import os
import re
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config import QueryLimits
from tasks.core.errors import TrainingError
from tasks.core.tables import as_pattern, find_alike, list_parts, parts_as_sql, quote_name, quote_text

RESULT = "training_set"  # the temporary table of `run_query`
_WATCHED_EVERY_S = 0.1
_MIB = 2**20
_CANDIDATES = re.compile(r"^(Candidate bindings|Did you mean).*", re.MULTILINE)

# What DuckDB's types become, so that every column is a number, a truth, a time or a text.
PLAIN_TYPES = {
    r'U?HUGEINT|BIGNUM|DECIMAL.*|"NULL"': "CAST({} AS DOUBLE)",  # sum() of whole numbers is a HUGEINT; Arrow has no such type
    r"ENUM.*|UUID|JSON": "CAST({} AS VARCHAR)",
    r"TIME|TIME_NS|INTERVAL": "epoch({})",  # seconds
    r"TINYINT|SMALLINT|INTEGER|BIGINT|UTINYINT|USMALLINT|UINTEGER|UBIGINT": "{}",
    r"FLOAT|DOUBLE|BOOLEAN|VARCHAR|DATE|TIMESTAMP.*": "{}",
}


class LateQueryError(TrainingError):
    """A query took longer than it may."""


def check_query(query: str, key: str = "training.query") -> list[str]:
    """Return what is wrong with a query that can be seen without its tables; empty when it is one SELECT."""
    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error as error:
        return [f"{key}: {explain_sql(error)}; correct the SQL"]
    if len(statements) != 1:
        return [f"{key}: holds {len(statements)} statements; write one SELECT"]
    kind = statements[0].type.name
    if kind == "MULTI":
        return [f"{key}: this PIVOT is several statements; name its values: PIVOT ... ON column IN (...)"]
    return [] if kind == "SELECT" else [f"{key}: is a {kind}, which {key.partition('.')[0]} refuses; write one SELECT"]


@contextmanager
def opened_tables(
    tables: Mapping[str, Path], spill: Path, limits: QueryLimits | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection in which each table is a view, and nothing else can be read or written.

    No file beside the tables, no network, no extension, no variable of ours;
    memory is bounded, and none of it can be set otherwise by a query.

    Args:
        tables: Folder of Parquet parts by table name; one without parts is left out.
        spill: Folder for what does not fit in memory; removed by DuckDB at the end.
        limits: The memory that a query may take.

    """
    memory = (limits or QueryLimits()).memory_limit_mb or _half_of_memory()
    config: dict[str, Any] = {"temp_directory": str(spill), "memory_limit": f"{memory}MiB"}
    with duckdb.connect(config=config) as connection:
        for name, folder in tables.items():
            columns = _columns_of(folder)
            if alike := find_alike(columns):
                raise TrainingError(
                    f"table {name!r} has the columns {alike[0]!r} and {alike[1]!r}, and SQL takes one for the other; "
                    "rename one of them in columns of its source, and convert it again"
                )
            if columns:
                _create_view(connection, name, folder)
        # Both ways to write a folder: DuckDB compares the view's pattern and each file with them, letter by letter.
        allowed = ", ".join(
            quote_text(f"{path}/") for f in tables.values() for path in (f.resolve(), as_pattern(f.resolve()))
        )
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET allowed_directories = [{allowed}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


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
    with explained(key, tables), bounded(connection, key, limits or QueryLimits(), stop):
        columns = connection.sql(query).columns
        connection.execute(f"CREATE TEMP TABLE {RESULT} AS {_in_fixed_order(connection, query, len(columns))}")
        rows = connection.execute(f"SELECT count(*) FROM {RESULT}").fetchall()  # noqa: S608 - our own name
        return int(rows[0][0])


@contextmanager
def explained(key: str, tables: Mapping[str, Path]) -> Iterator[None]:
    """Turn what DuckDB refuses into a TrainingError that begins with the key and names the tables."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        told = f"{key}: {explain_sql(error)}; raise training.query_limits.memory_limit_mb, or ask for less at once"
        raise TrainingError(told) from None
    except duckdb.Error as error:
        refuse_damaged(tables)
        told = f"{explain_sql(error)}; correct the SQL ({_list_tables(tables)})"
        raise TrainingError(f"{key}: {told}") from None


@contextmanager
def bounded(
    connection: duckdb.DuckDBPyConnection, key: str, limits: QueryLimits, stop: threading.Event | None
) -> Iterator[None]:
    """End the block's queries at their time limit, or when told to stop.

    Raises:
        TrainingError: when they were ended.

    """
    done, stopped, end = threading.Event(), stop or threading.Event(), time.monotonic() + limits.time_limit_s

    def watch() -> None:
        while not done.wait(_WATCHED_EVERY_S):
            if stopped.is_set() or time.monotonic() > end:
                connection.interrupt()  # again and again: one that comes between two statements ends none

    watcher = threading.Thread(target=watch, name="query watch", daemon=True)
    watcher.start()
    try:
        yield
    except duckdb.InterruptException:
        if stopped.is_set():
            raise TrainingError(f"{key}: was stopped; run it again") from None
        raise LateQueryError(
            f"{key}: was ended after {limits.time_limit_s:g} s; make it cheaper, or raise "
            "training.query_limits.time_limit_s"
        ) from None
    finally:
        done.set()
        watcher.join()


def _half_of_memory() -> int:
    """Return half of the machine's memory, in MiB: DuckDB's own default, four fifths, leaves fits beside it too little."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (2 * _MIB)


def read_result(connection: duckdb.DuckDBPyConnection, batch_rows: int) -> Any:
    """Return the result of `run_query` as an Arrow record batch reader, in its row order.

    Raises:
        TrainingError: for a column that is neither a number, a truth, a time nor a text.

    """
    described = connection.execute(f"DESCRIBE {RESULT}").fetchall()
    columns = ", ".join(as_plain(str(name), str(kind)) for name, kind, *_ in described)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # DuckDB 2 advises another call, which DuckDB 1 lacks
        result = connection.sql(f"SELECT {columns} FROM {RESULT}")  # noqa: S608 - our own names
        stream = getattr(result, "to_arrow_reader", None) or result.fetch_arrow_reader
        return stream(batch_rows)


def explain_sql(error: duckdb.Error) -> str:
    """Return DuckDB's own message on one line, with the names it proposes."""
    text = str(error)
    proposals = [match[0] for match in _CANDIDATES.finditer(text)]
    return " ".join([text.strip().splitlines()[0], *proposals]).rstrip(".")


def _create_view(connection: duckdb.DuckDBPyConnection, name: str, folder: Path) -> None:
    parts = parts_as_sql(folder.resolve())
    try:
        connection.execute(f"CREATE VIEW {quote_name(name)} AS SELECT * FROM {parts}")  # noqa: S608 - quoted names
    except duckdb.Error as error:
        refuse_damaged({name: folder})
        raise TrainingError(f"table {name!r} cannot be read: {explain_sql(error)}; convert its source again") from None


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
    quoted = quote_name(name)
    for pattern, expression in PLAIN_TYPES.items():
        if re.fullmatch(pattern, kind):
            return f"{expression.format(quoted)} AS {quoted}"
    raise TrainingError(
        f"training.query: column {name!r} is {kind}, which no estimator takes; leave it out or make plain columns of it"
    )


def _list_tables(tables: Mapping[str, Path]) -> str:
    full = sorted(name for name, folder in tables.items() if _columns_of(folder))
    empty = sorted(set(tables) - set(full))
    there = f"its tables are {', '.join(full)}" if full else "it has no table yet"
    return there + (f"; without rows yet: {', '.join(empty)}" if empty else "")


def refuse_damaged(tables: Mapping[str, Path]) -> None:
    """Raise where a part of a table is damaged: then no SQL is to be corrected.

    Raises:
        TrainingError: one is.

    """
    for folder in tables.values():
        for part in list_parts(folder):
            _read_names(part)


def _columns_of(folder: Path) -> list[str]:
    """Return the columns of a table; one of empty files alone has none, and no query can name it.

    Raises:
        TrainingError: a part is damaged.

    """
    return next(filter(None, map(_read_names, list_parts(folder))), [])


def _read_names(part: Path) -> list[str]:
    try:
        return list(pq.read_schema(part).names)
    except (pa.ArrowException, OSError) as error:
        said = (str(error).splitlines() or [""])[0].rstrip(".")
        raise TrainingError(f"{part}: cannot be read ({said}); run convert again: it makes it anew") from None
