"""A table's query: the tables that it names, whether its result may change with time alone, and its rows as Parquet."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import duckdb

from tasks.config import MadeTable
from tasks.core.errors import TableError
from tasks.core.join_keys import tell_unmatched
from tasks.core.sql import TABLE_TYPES, bounded, explained, opened_tables, plain_column
from tasks.core.sql_nodes import changing_functions, find_tables, is_changing, parse_tree, walk_nodes
from tasks.core.tables import quote_text
from tasks.tables.parts import PARQUET, order_by, refuse_unknown


class ParsedQuery:
    """A query, as DuckDB parses it."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _tree(self) -> dict[str, Any]:
        return parse_tree(self._text)

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """Return the names of tables, in the order of the text; a name that is there of a common table expression is none."""
        return tuple(dict.fromkeys(find_tables(self._tree)))

    @cached_property
    def bare(self) -> str:
        """Return the text without the semicolons that end it, so that it can stand within another."""
        text = bytearray(self._text, "utf-8")
        for start, _ in duckdb.tokenize(self._text):
            if text[start : start + 1] == b";":
                text[start : start + 1] = b" "
        return text.decode()

    @cached_property
    def is_lasting(self) -> bool:
        """Return whether the same tables give the same result at another time: not of now(), random() or a sample."""
        changing = changing_functions()
        return not any(is_changing(node, changing) for node in walk_nodes(self._tree))


@cache
def parse_query(text: str) -> ParsedQuery:
    """Return a query as DuckDB parses it; each is parsed once."""
    return ParsedQuery(text)


def write_query(
    name: str,
    table: MadeTable,
    tables: Mapping[str, Path],
    staged: Path,
    stop: threading.Event | None = None,
    *,
    is_draft: bool = False,
) -> Path:
    """Run a table's query over other tables and return the Parquet file of its rows, in `staged`.

    What does not fit in memory spills beside it. A draft has the columns and no row, and
    what else is declared of the table is not looked at.

    Raises:
        TableError: the query does not run, takes more than its limits, or gives what no table holds.

    """
    assert table.query is not None
    key, at, rows, spill = f"tables.{name}.query", f"tables.{name}", staged / "rows.parquet", staged / "spill"
    staged.mkdir(parents=True, exist_ok=True)
    parsed = parse_query(table.query)
    try:
        with (
            opened_tables(tables, spill, table, output=staged) as connection,
            explained(key, tables, at),
            bounded(connection, key, table, at, stop),
        ):
            columns = plain_columns(connection, key, parsed.bare)
            if not is_draft:
                refuse_unknown(name, table, list(columns))
            order = " LIMIT 0" if is_draft else order_by(table, columns)
            plain = f"SELECT {', '.join(columns.values())} FROM ({parsed.bare}\n){order}"  # noqa: S608 - one SELECT, as checked
            connection.execute(f"COPY ({plain}) TO {quote_text(str(rows))} {PARQUET}")
    finally:
        shutil.rmtree(spill, ignore_errors=True)
    return rows


def explain_no_row(
    name: str, table: MadeTable, tables: Mapping[str, Path], spill: Path, stop: threading.Event | None = None
) -> str:
    """Return what a table's query, which gave no row, joins by keys that have no value in common; an empty text where there is none."""
    assert table.query is not None
    with opened_tables(tables, spill, table) as connection:
        return tell_unmatched(connection, parse_query(table.query).bare, f"tables.{name}.query", stop)


def plain_columns(connection: duckdb.DuckDBPyConnection, key: str, query: str) -> dict[str, str]:
    """Return the SQL of each of the query's columns in a type that tables have.

    Raises:
        TableError: two columns have one name, or one is of a type that none becomes.

    """
    found = connection.execute(f"DESCRIBE {query}").fetchall()
    names = [str(name) for name, *_ in found]
    for name in names:
        if [each.lower() for each in names].count(name.lower()) > 1:
            raise TableError(
                f"{key}: gives two columns {name!r}; name one of them otherwise: AS, or SELECT * EXCLUDE ({name})"
            )
    return {str(name): _as_plain(key, str(name), str(kind)) for name, kind, *_ in found}


def _as_plain(key: str, name: str, kind: str) -> str:
    if plain := plain_column(name, kind, TABLE_TYPES):
        return plain
    raise TableError(
        f"{key}: column {name!r} is {kind}, which no table holds; leave it out, or make a text of it: hex({name})"
    )
