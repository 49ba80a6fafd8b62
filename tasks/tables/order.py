"""The order in which tables are made of each other: what each is made of, and none of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from tasks.config import MadeTable, Pipeline
from tasks.core.errors import ConfigError
from tasks.core.sql import check_query
from tasks.core.suggestions import did_you_mean
from tasks.tables.query import parse_query


def find_table_mistakes(config: Pipeline) -> list[str]:
    """Return a sentence for each mistake of the section tables that is seen without their rows."""
    mistakes = [each for name, table in config.tables.items() for each in find_query_mistakes(name, table, config)]
    try:
        order_tables(config)
    except ConfigError as error:
        mistakes += error.mistakes
    return mistakes


def find_query_mistakes(name: str, table: MadeTable, config: Pipeline) -> list[str]:
    """Return what is wrong with the query of a table, or its inputs, by itself."""
    key = f"tables.{name}"
    if table.query is not None and (wrong := check_query(table.query, f"{key}.query")):
        return wrong
    if table.query is not None:
        return find_unknown_tables(table.query, f"{key}.query", config)
    return _explain_unknown((each for each in table.inputs if each not in config.table_names), f"{key}.inputs", config)


def find_unknown_tables(query: str, key: str, config: Pipeline) -> list[str]:
    """Return a sentence for each table that a query names and the pipeline does not make."""
    known = _by_lower_case(config)
    unknown = (name for name in parse_query(query).tables if name.lower() not in known)
    return _explain_unknown(unknown, key, config)


def _explain_unknown(names: Iterable[str], key: str, config: Pipeline) -> list[str]:
    known = sorted(config.table_names)
    return [f"{key}: the pipeline makes no table {name!r}; {did_you_mean(name, known)}" for name in names]


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
    return tables_in(table.query, config)


def tables_in(query: str, config: Pipeline) -> tuple[str, ...]:
    """Return the tables that a query names, by the names that the pipeline has."""
    known = _by_lower_case(config)
    return tuple(dict.fromkeys(known[each.lower()] for each in parse_query(query).tables if each.lower() in known))


def _by_lower_case(config: Pipeline) -> Mapping[str, str]:
    return {name.lower(): name for name in config.table_names}
