"""SQL over tables by DuckDB: parsed, within limits, and with nothing in reach but these tables."""

from __future__ import annotations

import errno
import os
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.errors import LateQueryError, QueryError
from tasks.core.memory import find_memory
from tasks.core.tables import as_pattern, explain_gone, find_alike, list_parts, parts_as_sql, quote_name, quote_text

_WATCHED_EVERY_S = 0.1
_MIB = 2**20
_CTRL_C = "Query interrupted"  # what DuckDB makes of a Ctrl-C that comes within a query of the main thread
_WRITTEN = re.compile(r'file \\?"([^"\\]+)')
_GONE = re.compile(r'(?:No files found that match the pattern|Cannot open file) \\?"([^"\\]+)')
_ESCAPED = re.compile(r"\[([*?\[])\]")  # as a pattern has it
_CANDIDATES = re.compile(r"^(Candidate bindings|Did you mean).*", re.MULTILINE)


# What DuckDB's types become in a table, so that it has types that a source's table may have: no other is there in Parquet
# for every reader. A whole number that 64 bits do not hold is an error of the cast, not another number.
TABLE_TYPES = {
    r".*\[\d*\]|STRUCT.*|MAP.*|UNION.*": "CAST(to_json({}) AS VARCHAR)",
    r"U?(TINY|SMALL|HUGE|BIG)?INT|U?INTEGER|BIGNUM": "CAST({} AS BIGINT)",
    r"DOUBLE|BOOLEAN|VARCHAR|DATE|DECIMAL.*|TIMESTAMP|TIMESTAMP WITH TIME ZONE": "{}",
    r"FLOAT": "CAST({} AS DOUBLE)",
    r"TIMESTAMP_(S|MS|NS)": "CAST({} AS TIMESTAMP)",
    r'ENUM.*|UUID|JSON|TIME.*|"NULL"': "CAST({} AS VARCHAR)",
    r"INTERVAL": "epoch({})",  # seconds, as in a training set
}


class Limits(Protocol):
    """What a query may take."""

    @property
    def time_limit_s(self) -> float:
        """Return the seconds that it may take."""

    @property
    def memory_limit_mb(self) -> int | None:
        """Return the memory in MiB, beyond which it spills; None for half of what the machine has."""


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
    tables: Mapping[str, Path],
    spill: Path,
    limits: Limits,
    output: Path | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection in which each table is a view, and nothing else can be read or written.

    No file beside the tables, no network, no extension, no variable of ours;
    memory is bounded, and none of it can be set otherwise by a query.

    Args:
        tables: Folder of Parquet parts by table name; one without parts is left out.
        spill: Folder for what does not fit in memory; removed by DuckDB at the end.
        limits: The memory that a query may take.
        output: Folder that the caller's own COPY may write to; no query of a user's is one.

    """
    memory = limits.memory_limit_mb or half_of_memory()
    config: dict[str, Any] = {
        "temp_directory": str(spill),
        "memory_limit": f"{memory}MiB",
    }
    tables = {name: folder.resolve() for name, folder in tables.items()}  # of one version each, whatever runs commit
    reach = [path for folder in tables.values() for path in (folder, as_pattern(folder))]
    if output is not None:
        reach += [output.resolve(), as_pattern(output.resolve())]
    with duckdb.connect(config=config) as connection:
        for name, folder in tables.items():
            columns = _columns_of(folder)
            if alike := find_alike(columns):
                raise QueryError(
                    f"table {name!r} has the columns {alike[0]!r} and {alike[1]!r}, and SQL takes one for the other; "
                    "rename one of them in columns of its source, and convert it again"
                )
            if columns:
                _create_view(connection, name, folder)
        # Both ways to write a folder: DuckDB compares the view's pattern and each file with them, letter by letter.
        allowed = ", ".join(quote_text(f"{path}/") for path in reach)
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET allowed_directories = [{allowed}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


@contextmanager
def explained(key: str, tables: Mapping[str, Path], limits_at: str) -> Iterator[None]:
    """Turn what DuckDB refuses into a QueryError that begins with the key and names the tables, and where limits are declared.

    Raises:
        OSError: the disk is full, of which the SQL knows nothing.

    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        told = f"{key}: {explain_sql(error)}; raise {limits_at}.memory_limit_mb, or ask for less at once"
        raise QueryError(told) from None
    except duckdb.Error as error:
        raise_if_full(error)
        refuse_damaged(tables, error)
        told = f"{explain_sql(error)}; correct the SQL ({_list_tables(tables)})"
        raise QueryError(f"{key}: {told}") from None
    except RuntimeError as error:
        if str(error) == _CTRL_C:
            raise KeyboardInterrupt from None
        raise


@contextmanager
def bounded(
    connection: duckdb.DuckDBPyConnection, key: str, limits: Limits, limits_at: str, stop: threading.Event | None
) -> Iterator[None]:
    """End the block's queries at their time limit, or when told to stop.

    Raises:
        QueryError: when they were ended.

    """
    stopped, end = stop or threading.Event(), time.monotonic() + limits.time_limit_s
    try:
        with _interrupting(connection, lambda: stopped.is_set() or time.monotonic() > end):
            yield
    except duckdb.InterruptException:
        if stopped.is_set():
            raise _stopped(key) from None
        raise LateQueryError(
            f"{key}: was ended after {limits.time_limit_s:g} s; make it cheaper, or raise {limits_at}.time_limit_s"
        ) from None


@contextmanager
def stoppable(connection: duckdb.DuckDBPyConnection, key: str, stop: threading.Event) -> Iterator[None]:
    """End the block's queries when told to stop, however long they take.

    Raises:
        QueryError: when they were ended.

    """
    try:
        with _interrupting(connection, stop.is_set):
            yield
    except duckdb.InterruptException:
        raise _stopped(key) from None


@contextmanager
def _interrupting(connection: duckdb.DuckDBPyConnection, is_over: Callable[[], bool]) -> Iterator[None]:
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_WATCHED_EVERY_S):
            if is_over():
                connection.interrupt()  # again and again: one that comes between two statements ends none

    watcher = threading.Thread(target=watch, name="query watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _stopped(key: str) -> QueryError:
    return QueryError(f"{key}: was stopped; run it again")


def stream_result(connection: duckdb.DuckDBPyConnection, query: str, rows: int) -> pa.RecordBatchReader:
    """Return the result of a query in batches of rows, read as they are asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # DuckDB 2 advises another call, which DuckDB 1 lacks
        result = connection.sql(query)
        return (getattr(result, "to_arrow_reader", None) or result.fetch_arrow_reader)(rows)


def half_of_memory() -> int:
    """Return half of the memory that there is, in MiB: DuckDB's own default, four fifths, leaves fits beside it too little."""
    return find_memory().total // (2 * _MIB)


def plain_column(name: str, kind: str, plain: Mapping[str, str]) -> str | None:
    """Return the SQL of a column by the expression of the first pattern that its type matches; None where none does."""
    quoted = quote_name(name)
    found = plain_sql(quoted, kind, plain)
    return None if found is None else f"{found} AS {quoted}"


def plain_sql(sql: str, kind: str, plain: Mapping[str, str]) -> str | None:
    """Return the SQL of a value by the expression of the first pattern that its type matches; None where none does."""
    found = next((expression for pattern, expression in plain.items() if re.fullmatch(pattern, kind)), None)
    return None if found is None else found.format(sql)


def raise_if_full(error: duckdb.Error) -> None:
    """Raise an error of DuckDB as that of the disk, where this is full."""
    full = os.strerror(errno.ENOSPC)
    if full in str(error):
        path = _WRITTEN.search(str(error))
        raise OSError(errno.ENOSPC, full, path[1] if path else None) from None


def explain_sql(error: duckdb.Error) -> str:
    """Return DuckDB's own message on one line, with the names it proposes."""
    text = str(error)
    proposals = [match[0] for match in _CANDIDATES.finditer(text)]
    return " ".join([text.strip().splitlines()[0], *proposals]).rstrip(".")


def _create_view(connection: duckdb.DuckDBPyConnection, name: str, folder: Path) -> None:
    parts = parts_as_sql(folder)
    try:
        connection.execute(f"CREATE VIEW {quote_name(name)} AS SELECT * FROM {parts}")  # noqa: S608 - quoted names
    except duckdb.Error as error:
        refuse_damaged({name: folder}, error)
        raise QueryError(f"table {name!r} cannot be read: {explain_sql(error)}; convert its source again") from None


def _list_tables(tables: Mapping[str, Path]) -> str:
    full = sorted(name for name, folder in tables.items() if _columns_of(folder))
    empty = sorted(set(tables) - set(full))
    there = f"its tables are {', '.join(full)}" if full else "it has no table yet"
    return there + (f"; without rows yet: {', '.join(empty)}" if empty else "")


def refuse_damaged(tables: Mapping[str, Path], error: Exception) -> None:
    """Raise where a part of a table is damaged, or gone, as the error of a query of them tells: then no SQL is to be corrected.

    Raises:
        QueryError: one is.

    """
    if tables and (told := find_gone(error)):
        raise QueryError(told)
    for folder in tables.values():
        for part in list_parts(folder):
            _read_names(part)


def find_gone(error: Exception) -> str:
    """Return the sentence for an error of a query of which a part is gone since its table was opened; nothing for another."""
    found = _GONE.search(str(error))
    return explain_gone(_ESCAPED.sub(r"\1", found[1])) if found else ""


def _columns_of(folder: Path) -> list[str]:
    """Return the columns of a table; one of empty files alone has none, and no query can name it.

    Raises:
        QueryError: a part is damaged.

    """
    return next(filter(None, map(_read_names, list_parts(folder))), [])


def _read_names(part: Path) -> list[str]:
    try:
        return list(pq.read_schema(part).names)
    except (pa.ArrowException, OSError) as error:
        said = (str(error).splitlines() or [""])[0].rstrip(".")
        raise QueryError(f"{part}: cannot be read ({said}); run convert again: it makes it anew") from None
