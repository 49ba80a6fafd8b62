"""SQL as DuckDB parses it: its nodes, and which of them give another result at another time."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping
from functools import cache
from typing import Any

import duckdb

Node = Mapping[str, Any]

# Functions that SQL writes as a column, and those of the time that DuckDB lists among the lasting.
_WITHOUT_PARENTHESES = {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
_OF_THE_TIME = {"current_localtime", "current_localtimestamp"}
_OF_COMMON = ("", "recurring")  # what stands before the name of a common table expression


def parse_tree(query: str) -> dict[str, Any]:
    """Return a query as the JSON that DuckDB makes of it."""
    with duckdb.cursor() as connection:  # of the database that parses for all: a new one takes 10 ms
        found = connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()
    tree: dict[str, Any] = json.loads(found[0][0])
    return tree


def parse_nodes(query: str) -> list[dict[str, Any]]:
    """Return every node of a query, those that hold others first."""
    return list(walk_nodes(parse_tree(query)))


def walk_nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the nodes within a value of JSON, itself first."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from walk_nodes(each)


def find_tables(tree: Any, common: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the names of tables in a part of a query, in which `common` are names of common table expressions, in lower case."""
    if isinstance(tree, list):
        for each in tree:
            yield from find_tables(each, common)
    if not isinstance(tree, dict):
        return
    is_table = tree.get("type") == "BASE_TABLE"
    if is_table and (tree["schema_name"] not in _OF_COMMON or tree["table_name"].lower() not in common):
        yield tree["table_name"]
    for entry in tree.get("cte_map", {}).get("map", ()):  # each knows those before it
        yield from find_tables(entry["value"], common)
        common |= {entry["key"].lower()}
    again = {tree["cte_name"].lower()} if tree.get("type") == "RECURSIVE_CTE_NODE" else set()
    for key, each in tree.items():
        if key != "cte_map":
            yield from find_tables(each, common | again if key == "right" else common)


@cache
def changing_functions() -> frozenset[str]:
    """Return the names of the functions that give another result at another time, or in another session."""
    with duckdb.cursor() as connection:
        found = connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"
        ).fetchall()
    return frozenset(_OF_THE_TIME | {str(name) for (name,) in found})


def is_changing(node: Node, functions: Container[str]) -> bool:
    """Return whether a node gives another result each time, of which `functions` are those that do."""
    name = str(node.get("function_name", "")).lower()
    arguments = node.get("arguments") or node.get("children") or ()
    columns = [str(each).lower() for each in node.get("column_names", ())]
    sample = node.get("sample")
    return (
        name in functions
        or (name == "age" and len(arguments) == 1)  # until today
        or (len(columns) == 1 and columns[0] in _WITHOUT_PARENTHESES)
        or (isinstance(sample, dict) and not sample.get("repeatable"))
    )
