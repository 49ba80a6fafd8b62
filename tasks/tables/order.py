"""The order in which tables are made of each other: what each is made of, and none of itself."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from tasks.config import MadeTable, Pipeline
from tasks.core.errors import ConfigError
from tasks.core.sql import check_query
from tasks.core.suggestions import did_you_mean
from tasks.tables.query import parse_query


def find_table_mistakes(config: Pipeline) -> list[str]:
    """Return a sentence for each mistake of the section tables that is seen without their rows."""
    mistakes: list[str] = []
    for name, table in config.tables.items():
        key = f"tables.{name}"
        if table.query is not None and (wrong := check_query(table.query, f"{key}.query")):
            mistakes += wrong
            continue
        mistakes += [
            f"{key}.{'inputs' if table.query is None else 'query'}: the pipeline makes no table {other!r}; "
            f"{did_you_mean(other, sorted(config.table_names))}"
            for other in _unknown(table, config)
        ]
    if mistakes:
        return mistakes
    try:
        order_tables(config)
    except ConfigError as error:
        return list(error.mistakes)
    return []


def order_tables(config: Pipeline) -> dict[str, tuple[str, ...]]:
    """Return the tables that each table is made of, those that others are made of first.

    Raises:
        ConfigError: tables are made of each other in a circle.

    """
    inputs = {name: inputs_of(table, config) for name, table in config.tables.items()}
    made = {name: [each for each in found if each in config.tables] for name, found in inputs.items()}
    try:
        return {name: inputs[name] for name in TopologicalSorter(made).static_order()}
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise ConfigError(
            f"tables: {circle} is a circle, in which each table is made of the one before; take one of them out"
        ) from None


def inputs_of(table: MadeTable, config: Pipeline) -> tuple[str, ...]:
    """Return the tables that a table is made of, by the names that the pipeline has."""
    if table.query is None:
        return table.inputs
    known = _by_lower_case(config)
    named = parse_query(table.query).tables
    return tuple(dict.fromkeys(known[each.lower()] for each in named if each.lower() in known))


def _unknown(table: MadeTable, config: Pipeline) -> list[str]:
    known = _by_lower_case(config)
    if table.query is None:
        return [name for name in table.inputs if name not in config.table_names]
    return [name for name in parse_query(table.query).tables if name.lower() not in known]


def _by_lower_case(config: Pipeline) -> Mapping[str, str]:
    return {name.lower(): name for name in config.table_names}
