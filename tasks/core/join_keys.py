"""Keys of joins that have no value in common: why a query over tables may give no row."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import duckdb

from tasks.core.errors import LateQueryError
from tasks.core.sql import bounded
from tasks.core.sql_nodes import Node, parse_tree, walk_nodes

_SHOWN = 3
_LONGEST = 40  # characters of a value that is shown


@dataclass(frozen=True)
class _Key:
    """What is compared of one table, as it is called, and the SQL that selects it."""

    name: str
    sql: str


@dataclass(frozen=True)
class _Patience:
    """What may be spent to tell it."""

    time_limit_s: float = 10.0
    memory_limit_mb: int | None = None


def tell_unmatched(
    connection: duckdb.DuckDBPyConnection, query: str, key: str, stop: threading.Event | None = None
) -> str:
    """Return that keys of a query's joins have no value in common, with types and first values, to stand behind that it gives no row.

    It is empty where each has one, where what is compared is no column of two tables, or where it takes long to tell.

    Raises:
        QueryError: it was stopped.

    """
    told: list[str] = []
    with suppress(LateQueryError), bounded(connection, key, _Patience(), key, stop):
        told += _find_unmatched(connection, query)
    return "".join(f"; {each}" for each in told)


def _find_unmatched(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[str]:
    """Yield a sentence on each pair of keys that have no value in common; one that cannot be asked for by itself is passed over."""
    tree = parse_tree(query)
    common = [each for node in walk_nodes(tree) for each in node.get("cte_map", {}).get("map", ())]
    for select in walk_nodes(tree):
        if select.get("type") == "SELECT_NODE" and (select.get("from_table") or {}).get("type") == "JOIN":
            for left, right in _pairs(connection, select, common):
                if told := _compare(connection, left, right):
                    yield told


def _pairs(
    connection: duckdb.DuckDBPyConnection, select: Node, common: list[dict[str, Any]]
) -> Iterator[tuple[_Key, _Key]]:
    """Yield the keys that are to be equal."""
    sources: dict[str, Node] = {}
    equal: list[tuple[Node, Node]] = []
    for join in _joins(select["from_table"]):
        if join["type"] != "JOIN":
            sources[str(join["alias"] or join.get("table_name") or "subquery").lower()] = join
            continue
        shared = [
            {"class": "COLUMN_REF", "type": "COLUMN_REF", "column_names": [each]} for each in join["using_columns"]
        ]
        equal += [(each, each) for each in shared]
        equal += [(each["left"], each["right"]) for each in _equalities(join["condition"])]
    equal += [(each["left"], each["right"]) for each in _equalities(select["where_clause"])]
    for pair in equal:
        asked = [
            [
                _select(connection, key, name, source, common)
                for name, source in sources.items()
                if _may_be_of(key, name)
            ]
            for key in pair
        ]
        found = [[key for key in each if key] for each in asked]
        if pair[0] is pair[1]:  # USING: the two first tables that have the column
            found = [found[0][:1], found[0][1:2]]
        if all(len(each) == 1 for each in found) and found[0] != found[1]:
            yield found[0][0], found[1][0]


def _joins(node: Node) -> Iterator[Node]:
    """Yield the joins below one, and the tables and subqueries that they join."""
    yield node
    if node["type"] == "JOIN":
        yield from _joins(node["left"])
        yield from _joins(node["right"])


def _equalities(condition: Node | None) -> Iterator[Node]:
    """Yield the equalities that all have to hold."""
    if condition is None:
        return
    if condition["type"] == "COMPARE_EQUAL":
        yield condition
    elif condition["type"] == "CONJUNCTION_AND":
        for each in condition["children"]:
            yield from _equalities(each)


def _columns(key: Node) -> list[list[str]]:
    return [each["column_names"] for each in walk_nodes(key) if each.get("type") == "COLUMN_REF"]


def _may_be_of(key: Node, table: str) -> bool:
    names = _columns(key)
    return bool(names) and all(len(each) == 1 or each[-2].lower() == table for each in names)


def _select(
    connection: duckdb.DuckDBPyConnection, key: Node, table: str, source: Node, common: list[dict[str, Any]]
) -> _Key | None:
    """Return a key of a table; None where the table has no such column."""
    name = _write(connection, "SELECT 1", select_list=[key]).removeprefix("SELECT ")
    is_bare = key["type"] == "COLUMN_REF" and len(key["column_names"]) == 1
    try:
        sql = _write(connection, "SELECT 1 FROM t", select_list=[key], from_table=source, cte_map={"map": common})
        connection.execute(f"DESCRIBE {sql}")
    except (duckdb.BinderException, duckdb.CatalogException):
        return None
    return _Key(f"{table}.{name}" if is_bare else name, sql)


def _write(connection: duckdb.DuckDBPyConnection, template: str, **parts: Any) -> str:
    """Return the SQL of a query with some parts of its node replaced."""
    tree = parse_tree(template)
    tree["statements"][0]["node"] |= parts
    return str(connection.execute("SELECT json_deserialize_sql(?::JSON)", [json.dumps(tree)]).fetchall()[0][0])


def _compare(connection: duckdb.DuckDBPyConnection, left: _Key, right: _Key) -> str:
    """Return that two keys have no value in common, and what they have; an empty text where they have one, or one has none."""
    sides = f"({left.sql}) AS l(key) SEMI JOIN ({right.sql}) AS r(key) ON l.key = r.key"
    if connection.execute(f"SELECT EXISTS (FROM {sides})").fetchall()[0][0]:
        return ""
    told = [_describe(connection, key) for key in (left, right)]
    return f"no value of {' is one of '.join(told)}" if all(told) else ""


def _describe(connection: duckdb.DuckDBPyConnection, key: _Key) -> str:
    found = connection.execute(
        f"SELECT key, typeof(key) FROM ({key.sql}) AS s(key) WHERE key IS NOT NULL LIMIT {_SHOWN}"  # noqa: S608 - DuckDB's own text
    ).fetchall()
    values = ", ".join(f"{str(value)!r:.{_LONGEST}}" for value, _ in found)
    return f"{key.name} ({found[0][1]}: {values})" if found else ""
