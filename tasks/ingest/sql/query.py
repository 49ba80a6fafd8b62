"""The query of a partition: its values in the query's placeholders, or as conditions on its columns, and what is new alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from tasks.config import Range, Scalar, SqlSource
from tasks.core.errors import PermanentSourceError
from tasks.core.placeholders import fill, names_in, without_end
from tasks.ingest.sql.database import Database
from tasks.raw.partitions import Partition

_ALIAS = "source"


def write_query(
    source: SqlSource, partition: Partition, since: Scalar | None, database: Database, most: int | None = None
) -> str:
    """Return the query of a partition's rows: of those that are no older than a value, and at most so many.

    Raises:
        PermanentSourceError: a value is one that no query can carry.

    """
    try:
        filled = fill(without_end(source.query), partition.placeholders, database.placed)
        conditions = [*_conditions(source, partition, database)]
        if since is not None and source.incremental is not None:
            conditions.append(
                f"{_column(source.incremental.column, database)} >= {database.literal(_plain(since, source))}"
            )
    except ValueError as error:
        raise PermanentSourceError(str(error)) from None
    where = f"\nWHERE {' AND '.join(conditions)}" if conditions else ""
    limit = f"\nLIMIT {most}" if most is not None else ""
    return f"SELECT * FROM (\n{filled}\n) AS {_ALIAS}{where}{limit}"  # noqa: S608 - what it does not hold itself is quoted


def write_outside(source: SqlSource, partition: Partition, database: Database) -> Iterator[tuple[str, str]]:
    """Yield, of each range that a partition is the first of, its name and a query of how many rows are in no partition of it."""
    filled = fill(without_end(source.query), partition.placeholders, database.placed)
    for name, value in partition.values:
        values = source.partitions[name]
        if not isinstance(values, Range) or values.every == 1 or value != values.range[0] or _is_placed(name, source):
            continue
        column, (first, last) = _column(name, database), map(database.literal, values.range)
        outside = f"({column} < {first} OR {column} > {last} OR {column} IS NULL)"
        where = " AND ".join((outside, *_conditions(source, partition, database, but=name)))
        yield name, f"SELECT count(*) AS number FROM (\n{filled}\n) AS {_ALIAS}\nWHERE {where}"  # noqa: S608 - as above


def _is_placed(name: str, source: SqlSource) -> bool:
    """Return whether a partition's value stands in the query."""
    return not {name, f"{name}_end", f"{name}_last"}.isdisjoint(names_in(source.query))


def _conditions(source: SqlSource, partition: Partition, database: Database, but: str | None = None) -> Iterator[str]:
    """Yield what the values without a placeholder ask of the columns of their names, one name left out."""
    beside = dict(partition.beside)
    for name, value in partition.values:
        if name == but or _is_placed(name, source):
            continue
        column = _column(name, database)
        if (end := beside.get(f"{name}_end")) is None:
            yield f"{column} = {database.literal(value)}"
        else:
            yield f"{column} >= {database.literal(value)} AND {column} < {database.literal(end)}"


def _column(name: str, database: Database) -> str:
    # SQLite takes a quoted name that no column has for a text, unless it says whose column it is.
    return f"{_ALIAS}.{database.name(name)}"


def _plain(since: Scalar, source: SqlSource) -> Scalar:
    """Return a time as DuckDB reads it without an extension, and MySQL, to which a zone is unknown: that of no zone but UTC is as it stands."""
    if source.dialect in ("duckdb", "mysql") and isinstance(since, str) and since.endswith("Z"):
        moment = datetime.fromisoformat(since).astimezone(UTC)
        return (moment.replace(tzinfo=None) if source.dialect == "mysql" else moment).isoformat(" ")
    return since
