"""Parents: the rows of a source's table that say which partitions another source has."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tasks.config import Child, Parent, PartedSource, QueryLimits, Scalar
from tasks.config.partitions import MOST_PARTITIONS
from tasks.core.errors import QueryError
from tasks.core.escaping import count
from tasks.core.scratch import scratch
from tasks.core.sql import bounded, check_query, explained, opened_tables
from tasks.core.storage import DataFolder
from tasks.core.suggestions import did_you_mean
from tasks.core.tables import is_table, quote_name

_LIMITS = QueryLimits(time_limit_s=600)
_LOST_FROM = 2.0**53
_NESTED = ("[", "STRUCT", "MAP", "BLOB")


def find_children(name: str, source: PartedSource, folder: DataFolder) -> tuple[PartedSource, list[str]]:
    """Return a source with the partitions that its parents' tables tell of, and what is to be told of these.

    Raises:
        QueryError: a table has no such column, a condition fails, or a value's rows do not agree on what is taken.

    """
    children: dict[str, list[Child]] = {}
    told: list[str] = []
    for key, parent in source.parents.items():
        at = f"partitions.{key}"
        rows = _read_rows(f"sources.{name}.{at}", parent, folder)
        children[key], without = _as_children(f"sources.{name}.{at}", parent, rows)
        if not children[key]:
            told.append(f"{at}: no row of {parent.from_} tells of a partition, so that nothing was fetched")
        if without:
            told.append(
                f"{at}: {count(without, 'row')} of {parent.from_} without {parent.column}, and so without a partition"
            )
    return source.with_children(children), told


def find_parent_mistakes(
    name: str, source: PartedSource, folder: DataFolder, current: Collection[str]
) -> Iterator[str]:
    """Yield one sentence for each mistake of a source's parents: in SQL, and against those tables that are as a run would make them."""
    for key, parent in source.parents.items():
        at = f"sources.{name}.partitions.{key}"
        query = f"SELECT 1 FROM {quote_name(parent.from_)} WHERE {_condition(parent)}"  # noqa: S608 - never run
        if wrong := check_query(query, f"{at}.where"):
            yield from wrong
        elif parent.from_ in current:
            try:
                _read_rows(at, parent, folder, limit=0)
            except QueryError as error:
                yield str(error)


def _read_rows(at: str, parent: Parent, folder: DataFolder, limit: int = MOST_PARTITIONS + 1) -> list[tuple[Any, ...]]:
    """Return the values of the column, and of those that are taken, of each row that the condition holds of, and of how many rows they are; each once."""
    table = folder.table(parent.from_)
    if not is_table(table):
        return []  # made of no row
    tables = {parent.from_: table}
    with (
        scratch("parents") as place,
        opened_tables(tables, place / "spill", _LIMITS) as connection,
    ):
        kinds = _kinds_of(connection, parent.from_)
        if not kinds:
            return []
        for key, column in {
            "column": parent.column,
            **{f"take.{name}": of for name, of in parent.take.items()},
        }.items():
            _check_column(f"{at}.{key}", column, kinds, parent.from_)
        names = ", ".join(quote_name(each) for each in (parent.column, *parent.take.values()))
        query = f"SELECT {names}, count(*) FROM {quote_name(parent.from_)} WHERE {_condition(parent)} GROUP BY ALL ORDER BY ALL LIMIT {limit}"  # noqa: S608 - one SELECT, in which nothing but this table can be read
        with explained(f"{at}.where", tables, at), bounded(connection, f"{at}.where", _LIMITS, at, None):
            found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    if len(found) > MOST_PARTITIONS:
        raise QueryError(
            f"{at}: {parent.from_} tells of more than {MOST_PARTITIONS:,} partitions, and a source may have no more; narrow where"
        )
    return found


def _kinds_of(connection: Any, table: str) -> dict[str, str]:
    """Return the types of a table's columns; none where it has no column."""
    if not connection.execute("SELECT 1 FROM duckdb_views() WHERE view_name = ?", [table]).fetchall():
        return {}
    return {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE {quote_name(table)}").fetchall()}


def _condition(parent: Parent) -> str:
    return f"(\n{parent.where}\n)" if parent.where else "true"


def _check_column(at: str, column: str, kinds: dict[str, str], table: str) -> None:
    if column not in kinds:
        raise QueryError(f"{at}: {table} has no column {column!r}; {did_you_mean(column, kinds)}")
    if any(sign in kinds[column] for sign in _NESTED):
        raise QueryError(
            f"{at}: {column!r} of {table} is {kinds[column]}, which no request can carry; name a plain column"
        )


def _as_children(at: str, parent: Parent, rows: Sequence[tuple[Any, ...]]) -> tuple[list[Child], int]:
    """Return the children of rows, and how many rows have no value."""
    found: dict[str, Child] = {}
    without = 0
    for value, *beside, number in rows:
        plain = _as_whole(f"{at}.column", parent, value) if isinstance(value, float) else _plain(value)
        if plain is None or plain == "":  # the address of such a one would be that of all
            without += number
            continue
        text = "true" if plain is True else "false" if plain is False else plain
        child = Child(text, tuple(zip(parent.take, map(_plain, beside), strict=True)))
        other = found.setdefault(str(text), child)
        if other != child:
            differ = next(name for (name, one), (_, two) in zip(other.taken, child.taken, strict=True) if one != two)
            raise QueryError(
                f"{at}.take: rows of {parent.from_} with the {parent.column} {text!r:.60} have different {parent.take[differ]}, "
                f"{dict(other.taken)[differ]!r:.60} and {dict(child.taken)[differ]!r:.60}; take {differ} out, or give {parent.from_} a key"
            )
    return list(found.values()), without


def _as_whole(at: str, parent: Parent, value: float) -> float | None:
    """Return a number with a point as requests have it: 1.0 is 1, and NaN no value.

    Raises:
        QueryError: it is infinite, or so large that its last digits are lost.

    """
    if math.isnan(value):
        return None
    if abs(value) >= _LOST_FROM:
        raise QueryError(
            f"{at}: {parent.column} of {parent.from_} has {value!r}, a number with a point, which so large lose their last "
            f"digits; declare columns: {{{parent.column}: {{type: int}}}} of {parent.from_}, or type: string"
        )
    return int(value) if value.is_integer() else value


def _plain(value: Any) -> Scalar | bool | None:
    """Return a value of a table as requests and rows have it: a time in ISO 8601, an exact decimal as a text."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value.tzinfo else value.isoformat()
        case date():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)
