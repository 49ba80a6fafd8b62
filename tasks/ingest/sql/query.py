"""The query of a partition: its values in the query's placeholders, or as conditions on its columns, and what is new alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from tasks.config import Scalar, SqlSource
from tasks.core.errors import PermanentSourceError
from tasks.core.placeholders import fill, literal_of, names_in, without_end
from tasks.core.tables import quote_name
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
        filled = fill(without_end(source.query), partition.placeholders, literal_of)
        conditions = [*_conditions(source, partition, database)]
        if since is not None and source.incremental is not None:
            conditions.append(f"{_column(source.incremental.column)} >= {database.literal(_plain(since, source))}")
    except ValueError as error:
        raise PermanentSourceError(str(error)) from None
    where = f"\nWHERE {' AND '.join(conditions)}" if conditions else ""
    limit = f"\nLIMIT {most}" if most is not None else ""
    return f"SELECT * FROM (\n{filled}\n) AS {_ALIAS}{where}{limit}"  # noqa: S608 - what it does not hold itself is quoted


def _conditions(source: SqlSource, partition: Partition, database: Database) -> Iterator[str]:
    """Yield what the values without a placeholder ask of the columns of their names."""
    written, beside = {*names_in(source.query)}, dict(partition.beside)
    for name, value in partition.values:
        if written & {name, f"{name}_end", f"{name}_last"}:
            continue
        column = _column(name)
        if (end := beside.get(f"{name}_end")) is None:
            yield f"{column} = {database.literal(value)}"
        else:
            yield f"{column} >= {database.literal(value)} AND {column} < {database.literal(end)}"


def _column(name: str) -> str:
    # SQLite takes a quoted name that no column has for a text, unless it says whose column it is.
    return f"{_ALIAS}.{quote_name(name)}"


def _plain(since: Scalar, source: SqlSource) -> Scalar:
    """Return a time as DuckDB reads it without an extension: that of no zone but UTC is as it stands."""
    if source.dialect == "duckdb" and isinstance(since, str) and since.endswith("Z"):
        return datetime.fromisoformat(since).astimezone(UTC).isoformat(" ")
    return since
