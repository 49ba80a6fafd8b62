"""The rows to predict: a table, a file, or a query, as a stream of batches in a fixed order."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config import QueryLimits
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.sql import (
    check_query,
    explain_sql,
    find_gone,
    opened_tables,
    plain_column,
    refuse_damaged,
    stream_result,
)
from tasks.core.sql_nodes import find_tables, parse_tree
from tasks.core.storage import fingerprint
from tasks.core.suggestions import did_you_mean
from tasks.core.tables import files_as_sql, find_alike, quote_name
from tasks.train.data.column_kinds import SQL_TYPES, differences, foreign_kinds
from tasks.train.data.query import PLAIN_TYPES, RESULT, run_query

Kind = Literal["table", "parquet", "file", "query"]

_PARQUET = (".parquet", ".pq")
_STEM_CHARACTERS = 48  # a name may have 255 bytes, and a character four
_QUERY = re.compile(r"\s*((SELECT|WITH|FROM|VALUES)\b|\()", re.IGNORECASE)
# Types that Arrow or Parquet has not; others are let through as they are.
_FOREIGN_TYPES = re.compile(r'ENUM.*|UUID|JSON|U?HUGEINT|BIGNUM|INTERVAL|"NULL"')


@dataclass(frozen=True)
class Rejects:
    """Rows of a file that did not become typed rows: how many, why most often, and the Parquet files that keep them."""

    count: int = 0
    reason: str = ""
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Input:
    """Where new rows come from."""

    kind: Kind
    text: str
    """Name of a table, path of a file, or SQL."""
    parts: tuple[Path, ...] = ()
    """The rows of a file that is no Parquet, as Parquet files in their order."""
    rejects: Rejects = Rejects()
    warnings: tuple[str, ...] = ()
    """Sentences on how a file was read, where that is in doubt."""

    @property
    def name(self) -> str:
        """Return a name for files of its predictions; the same input has the same."""
        if self.kind == "query":
            return f"query-{fingerprint(self.text)[:8]}"
        if self.kind == "table":
            return self.text
        stem = Path(self.text).name.lstrip("._").split(".")[0][:_STEM_CHARACTERS]
        return f"{stem}-{fingerprint(str(Path(self.text).absolute()))[:8]}"  # two folders may hold files of one name

    def __str__(self) -> str:
        return "the query" if self.kind == "query" else f"{'table' if self.kind == 'table' else 'file'} {self.text}"


def read_input(text: str, tables: Collection[str]) -> Input:
    """Return what the text names: a table, a file, or a query.

    Raises:
        ConfigError: when it is none of them.

    """
    if text in tables:
        return Input("table", text)
    path = Path(text)
    if os.path.isfile(text):  # noqa: PTH113 - Path.is_file raises for a text that is too long for a path
        return _file(path)
    if _QUERY.match(text):
        return _query(text)
    if os.path.isdir(text):  # noqa: PTH112 - as above
        raise ConfigError(f"{text}: is a folder; name one of its files, or make a source of it and predict its table")
    known = did_you_mean(text, sorted(tables)) if tables else "there is no table yet"
    raise ConfigError(f"{text!r} is neither a table, a file that is there, nor a query; {known}")


def tables_of(rows: Input, known: Collection[str]) -> Collection[str]:
    """Return which of the tables an input is, or names; all where a query names none, or what is none of them, as that is told with their names."""
    if rows.kind == "table":
        return (rows.text,)
    if rows.kind != "query":
        return ()
    by_lower = {name.lower(): name for name in known}
    named = {name.lower() for name in find_tables(parse_tree(rows.text))}
    return {by_lower[name] for name in named} if named and named <= by_lower.keys() else known


def _file(path: Path) -> Input:
    if path.suffix == ".sql":
        try:
            return _query(path.read_text(encoding="utf-8-sig"))
        except UnicodeDecodeError:
            raise ConfigError(f"{path}: is not UTF-8; save the query as UTF-8") from None
    if "\\" in str(path.absolute()):
        raise ConfigError(f"{path}: has a backslash in its path, and SQL reads no such path; rename it")
    return Input("parquet" if path.suffix in _PARQUET else "file", str(path.absolute()))


def _query(sql: str) -> Input:
    if mistakes := check_query(sql, "prediction.query"):
        raise ConfigError(mistakes)
    return Input("query", sql)


@dataclass(frozen=True)
class ReadLimits:
    """Rows in a batch, what a query may take, and what breaks it off."""

    batch_rows: int
    limits: QueryLimits = field(default_factory=QueryLimits)
    stop: threading.Event = field(default_factory=threading.Event)


@contextmanager
def opened(
    rows: Input, tables: Mapping[str, Path], feature_kinds: Mapping[str, str], spill: Path, bounds: ReadLimits
) -> Iterator[Any]:
    """Yield an Arrow record batch reader over the rows.

    Args:
        rows: The input.
        tables: Folder of Parquet parts by table name.
        feature_kinds: Kind of each feature that the model learnt from.
        spill: Folder for what does not fit in memory.
        bounds: Rows in a batch, and what a query may take.

    Raises:
        ConfigError: when the rows have not the features, one sentence for each that differs.
        TrainingError: when they cannot be read.

    """
    views = tables if rows.kind in {"table", "query"} else {}
    with connected(rows, views, spill, bounds.limits) as connection:
        try:
            source = _source(connection, rows, tables, bounds)
            described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()  # noqa: S608 - quoted names
            columns = {str(name): _column(str(name), str(kind), feature_kinds) for name, kind, *_ in described}
            schema = connection.sql(f"{_select(columns, source)} LIMIT 0").to_arrow_table().schema
            columns |= _typed_nulls(connection, foreign_kinds(feature_kinds, schema), source, feature_kinds)
            stream = stream_result(connection, _select(columns, source), bounds.batch_rows)
        except duckdb.Error as error:
            refuse_damaged(views, error)
            raise TrainingError(f"{rows}: {explain_sql(error)}; correct it") from None
        if mistakes := differences(feature_kinds, stream.schema, str(rows)):
            raise ConfigError(mistakes)
        yield stream


@contextmanager
def connected(
    rows: Input, tables: Mapping[str, Path], spill: Path, limits: QueryLimits
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to the tables, or for a file, which no query of the user's reads, a plain one."""
    if rows.kind in {"table", "query"}:
        with opened_tables(tables, spill, limits) as connection:
            yield connection
    else:
        with duckdb.connect(config={"temp_directory": str(spill)}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection


def read_batches(stream: Any, rows: Input) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a stream.

    Raises:
        TrainingError: when a row cannot be read, in DuckDB's words.

    """
    try:
        for batch in stream:
            if batch.num_rows:
                yield batch
    except (duckdb.Error, OSError, pa.ArrowException) as error:  # Arrow hands DuckDB's errors on as OSError
        if rows.kind in {"table", "query"} and (told := find_gone(error)):
            raise TrainingError(told) from None
        first = str(error).strip().splitlines()[0]
        raise TrainingError(f"{rows}: {first.removeprefix('Invalid Input Error: ')}") from None


def _source(connection: duckdb.DuckDBPyConnection, rows: Input, tables: Mapping[str, Path], bounds: ReadLimits) -> str:
    if rows.kind == "table":
        return quote_name(rows.text)
    if rows.kind == "query":
        run_query(connection, rows.text, tables, "prediction.query", bounds.limits, bounds.stop)
        return RESULT
    files = rows.parts or (Path(rows.text),)
    if alike := find_alike(_names_of(files[0])):
        raise ConfigError(
            f"{rows}: the columns {alike[0]!r} and {alike[1]!r} differ by case alone, and SQL takes one for the other; "
            "rename one of them"
        )
    return files_as_sql(files)


def _names_of(file: Path) -> list[str]:
    try:
        return list(pq.read_schema(file).names)
    except (pa.ArrowException, OSError) as error:
        raise TrainingError(f"{file}: is not a Parquet file that can be read ({error}); write it anew") from None


def _column(name: str, kind: str, feature_kinds: Mapping[str, str]) -> str:
    """Return the expression of a column: the features as what training had."""
    quoted = quote_name(name)
    if name in feature_kinds or _FOREIGN_TYPES.fullmatch(kind):
        return plain_column(name, kind, PLAIN_TYPES) or quoted
    return quoted


def _typed_nulls(
    connection: duckdb.DuckDBPyConnection, names: Sequence[str], source: str, feature_kinds: Mapping[str, str]
) -> dict[str, str]:
    """Return the expressions of those columns that are null in all rows: of nothing, the type says nothing."""
    if not names:
        return {}
    counts = ", ".join(f"count({quote_name(name)})" for name in names)
    known = connection.execute(f"SELECT {counts} FROM {source}").fetchall()[0]  # noqa: S608 - quoted names
    empty = [name for name, count in zip(names, known, strict=True) if not count]
    return {name: f"CAST(NULL AS {SQL_TYPES[feature_kinds[name]]}) AS {quote_name(name)}" for name in empty}


def _select(columns: Mapping[str, str], source: str) -> str:
    return f"SELECT {', '.join(columns.values())} FROM {source}"  # noqa: S608 - quoted names
