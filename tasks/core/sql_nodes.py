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


def parse_nodes(query: str) -> list[dict[str, Any]]:
    """Return every node of a query, those that hold others first."""
    with duckdb.connect() as connection:
        found = connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()
    return list(walk_nodes(json.loads(found[0][0])))


def walk_nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the nodes within a value of JSON, itself first."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from walk_nodes(each)


@cache
def changing_functions() -> frozenset[str]:
    """Return the names of the functions that give another result at another time, or in another session."""
    with duckdb.connect() as connection:
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
