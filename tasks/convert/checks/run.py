"""Declared checks on a table: each run over its parts by DuckDB, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from tempfile import TemporaryDirectory
from typing import Any, Literal, assert_never

import duckdb

from tasks.config import Allowed, Check, Fresh, InRange, Matches, MinRows, NotNull, Unique
from tasks.convert.checks.kinds import (
    TIMES,
    Condition,
    as_null,
    as_text,
    as_time,
    columns_of,
    expected_of,
    find_condition,
    name_check,
)
from tasks.convert.parts.part import StoredPart
from tasks.core.errors import TableError
from tasks.core.escaping import one_line
from tasks.core.tables import files_as_sql, quote_name

MEMORY = "256MB"  # a key that does not fit goes to the disk
EXAMPLES = 5
SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class CheckedRows:
    """The rows of all parts, as DuckDB reads them."""

    connection: duckdb.DuckDBPyConnection

    def count(self) -> int:
        """Return how many rows there are."""
        return int(self.fetch("SELECT count(*) FROM rows")[0][0])

    def count_each(self, conditions: Sequence[Condition]) -> list[int]:
        """Return how many rows each condition holds of, in one scan."""
        if not conditions:
            return []
        counts = ", ".join(f"count(*) FILTER (WHERE {condition.sql})" for condition in conditions)
        values = [value for condition in conditions for value in condition.values]
        return list(self.fetch(f"SELECT {counts} FROM rows", values)[0])  # noqa: S608 - made of quoted names

    def examples(self, condition: Condition, shown: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return the first rows that a condition holds of."""
        columns = ", ".join(as_text(name, SHOWN_CHARACTERS) for name in shown)
        query = f"SELECT {columns} FROM rows WHERE {condition.sql} LIMIT {EXAMPLES}"  # noqa: S608 - the same
        return self.fetch(query, condition.values)

    def fetch(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the result of a query, in which each ? stands for a value."""
        return self.connection.execute(query, list(values)).fetchall()


@contextmanager
def open_rows(parts: Sequence[StoredPart], types: Mapping[str, str]) -> Iterator[CheckedRows]:
    """Yield the rows of all parts, which have the same columns, as one table."""
    with TemporaryDirectory(prefix="tidemill-checks-") as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "temp_directory": spill,
            "autoinstall_known_extensions": "false",
        }
        with duckdb.connect(config=config) as connection:
            connection.execute(f"CREATE TEMP VIEW rows AS {_select(parts, types)}")
            yield CheckedRows(connection)


def _select(parts: Sequence[StoredPart], types: Mapping[str, str]) -> str:
    """Return the query of all rows; a view takes no parameters, so its texts are quoted."""
    if parts and types:
        return f"FROM {files_as_sql(part.path for part in parts)}"
    none = ", ".join(f"{as_null(kind)} AS {quote_name(name)}" for name, kind in types.items())
    return f"SELECT {none or 1} WHERE false"


CONTEXT_COLUMNS = 3  # shown of an example beside the columns of the check

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURES = {
    "failed": "mend the data or the check, or let it warn with on_fail: warn",
    "warned": "mend the data or the check",
}


@dataclass(frozen=True)
class CheckOutcome:
    """What a check came to; `rows_failed` is 0 where it is of the table as a whole.

    `examples` are failed rows by column: those of the check, then the key's, or
    the table's first.
    """

    check: str
    columns: tuple[str, ...]
    status: Literal["passed", "failed", "warned"]
    expected: str
    rows_failed: int = 0
    examples: tuple[dict[str, str | None], ...] = ()
    sentence: str = ""


@dataclass(frozen=True)
class _Finding:
    """How a check failed."""

    said: str
    rows: int = 0
    examples: tuple[dict[str, str | None], ...] = ()


def run_checks(
    checks: Sequence[Check],
    parts: Sequence[StoredPart],
    types: Mapping[str, str],
    key: Sequence[str] = (),
    now: datetime | None = None,
) -> list[CheckOutcome]:
    """Return what each check came to over all rows of the parts, whose columns and types are `types`.

    Raises:
        TableError: a check names no column of the table, or one of another type; there is one line for each.

    """
    if not checks:
        return []
    _refuse(checks, types)
    try:
        with open_rows(parts, types) as table:
            return _run(checks, table, types, key, now or datetime.now(UTC))
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise TableError(
            f"its checks could not be run: {said}; make room for temporary files, or check less"
        ) from error


def _run(
    checks: Sequence[Check], table: CheckedRows, types: Mapping[str, str], key: Sequence[str], now: datetime
) -> list[CheckOutcome]:
    rows = table.count()
    conditions = [find_condition(check, types) for check in checks]
    counts = table.count_each([condition for condition in conditions if condition is not None])
    outcomes = []
    for check, condition in zip(checks, conditions, strict=True):
        failed = counts.pop(0) if condition is not None else 0
        finding = None
        if condition is not None and failed:
            shown = _shown(check, types, key)
            examples = _as_examples(shown, table.examples(condition, shown))
            finding = _Finding(f"{failed:,} of {rows:,} rows {condition.said}", failed, examples)
        elif condition is None:
            finding = _find_in_table(table, check, rows, types, now)
        outcomes.append(_sum_up(check, finding))
    return outcomes


def _find_in_table(
    table: CheckedRows, check: Check, rows: int, types: Mapping[str, str], now: datetime
) -> _Finding | None:
    """Return how a check failed that is of the table as a whole, if it did; checks of rows find nothing where there is no column."""
    match check:
        case Unique():
            return _find_repeated(table, check, rows) if types else None
        case MinRows(min_rows=least):
            return _Finding(f"the table has {rows:,} rows") if rows < least else None
        case Fresh():
            return _find_stale(table, check, types, now)
        case NotNull() | InRange() | Allowed() | Matches():
            return None
    assert_never(check)


def raise_failed(outcomes: Iterable[CheckOutcome]) -> None:
    """Raise a TableError with the sentence of every check that failed, if any did."""
    failed = [outcome.sentence for outcome in outcomes if outcome.status == "failed"]
    if failed:
        raise TableError("\n".join(failed))


def _refuse(checks: Sequence[Check], types: Mapping[str, str]) -> None:
    """Raise unless every check is of columns that are there, and of a type that it can be told of."""
    mistakes = []
    for number, check in enumerate(checks):
        where = f"checks.{number}.{name_check(check)}"
        for column in columns_of(check):
            if types and column not in types:  # nothing but empty files has no column at all
                near = get_close_matches(column, types, n=1)
                cure = f"did you mean {near[0]}?" if near else f"the columns are {', '.join(types)}"
                mistakes.append(f"{where}: {column!r} is not a column of the table; {cure}")
        try:
            find_condition(check, types)
        except ValueError as error:
            mistakes.append(f"{where}: {error}")
        if isinstance(check, Fresh) and types.get(check.fresh.column, "string") not in (*TIMES, "string"):
            column = check.fresh.column
            mistakes.append(f"{where}: {column!r} is of type {types[column]}, no time; name a column of times")
    if mistakes:
        raise TableError("\n".join(mistakes))


def _find_repeated(table: CheckedRows, check: Unique, rows: int) -> _Finding | None:
    """Return how many rows share their values with another one, if any do, and such values, the most frequent first."""
    names = ", ".join(quote_name(name) for name in check.unique)
    known = " AND ".join(f"{quote_name(name)} IS NOT NULL" for name in check.unique)
    groups = f"FROM rows WHERE {known} GROUP BY {names} HAVING count(*) > 1"
    failed = table.fetch(f"SELECT coalesce(sum(size), 0) FROM (SELECT count(*) {groups}) AS sizes(size)")[0][0]  # noqa: S608 - quoted
    if not failed:
        return None
    shown = ", ".join(as_text(name, SHOWN_CHARACTERS) for name in check.unique)
    found = table.fetch(f"SELECT {shown} {groups} ORDER BY count(*) DESC, {names} LIMIT {EXAMPLES}")
    said = f"{failed:,} of {rows:,} rows share their {' and '.join(check.unique)} with another one"
    return _Finding(said, int(failed), _as_examples(check.unique, found))


def _find_stale(table: CheckedRows, check: Fresh, types: Mapping[str, str], now: datetime) -> _Finding | None:
    """Return how old the latest value is, if it is too old, or there is none."""
    column, within = check.fresh.column, check.fresh.within
    if column not in types:
        return _Finding(f"the table has no time in {column}")
    latest = table.fetch(f"SELECT max({as_time(column, types[column])}) FROM rows")[0][0]  # noqa: S608 - quoted
    if latest is None:
        return _Finding(f"the table has no time in {column}")
    if latest >= (now - within - _EPOCH) // timedelta(microseconds=1):
        return None
    return _Finding(f"the latest {column} is {_tell_time(latest)}")


def _tell_time(microseconds: int) -> str:
    try:
        return f"{_EPOCH + timedelta(microseconds=microseconds):%Y-%m-%d %H:%M} UTC"
    except OverflowError:
        return "beyond the year 9999"


def _sum_up(check: Check, finding: _Finding | None) -> CheckOutcome:
    name, columns, expected = name_check(check), columns_of(check), expected_of(check)
    if finding is None:
        return CheckOutcome(name, columns, "passed", expected)
    shown = "; ".join(" ".join(f"{k}={'null' if v is None else v}" for k, v in row.items()) for row in finding.examples)
    where = f"check {name} of {', '.join(columns)}" if columns else f"check {name}"
    such = f", e.g. {shown}" if shown else ""
    status: Literal["failed", "warned"] = "failed" if check.on_fail == "fail" else "warned"
    sentence = one_line(f"{where}: {finding.said}{such}; expected {expected}; {_CURES[status]}")
    return CheckOutcome(name, columns, status, expected, finding.rows, finding.examples, sentence)


def _shown(check: Check, types: Mapping[str, str], key: Sequence[str]) -> list[str]:
    """Return the columns of which an example shows the values: those of the check, then such as tell rows apart."""
    columns = [name for name in columns_of(check) if name in types]
    others = [name for name in (key or types) if name in types and name not in columns]
    return columns + others[: CONTEXT_COLUMNS if not key else len(key)]


def _as_examples(shown: Sequence[str], rows: Sequence[Sequence[str | None]]) -> tuple[dict[str, str | None], ...]:
    return tuple({name: _cut(value) for name, value in zip(shown, row, strict=True)} for row in rows)


def _cut(value: str | None) -> str | None:
    return value if value is None or len(value) <= SHOWN_CHARACTERS else f"{value[:SHOWN_CHARACTERS]}…"
