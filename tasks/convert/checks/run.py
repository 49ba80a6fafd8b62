"""Declared checks on a table: each run over its parts by DuckDB, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

import duckdb

from tasks.config import Check
from tasks.config.checks import CheckFailure, Condition, RowCheck, TableCheck
from tasks.convert.checks.columns import EXAMPLES, SHOWN_CHARACTERS, as_null, as_text
from tasks.convert.parts.part import StoredPart
from tasks.core.errors import TableError
from tasks.core.escaping import one_line
from tasks.core.scratch import scratch
from tasks.core.suggestions import did_you_mean
from tasks.core.tables import files_as_sql, quote_name

MEMORY = "256MB"  # a key that does not fit goes to the disk


@dataclass(frozen=True)
class CheckedRows:
    """The rows of all parts, as DuckDB reads them."""

    connection: duckdb.DuckDBPyConnection

    @cached_property
    def count(self) -> int:
        """Return how many rows there are."""
        return int(self.fetch("SELECT count(*) FROM rows")[0][0])

    def count_each(self, conditions: Sequence[Condition]) -> list[int]:
        """Return how many rows do not fulfil each condition, in one scan."""
        if not conditions:
            return []
        counts = ", ".join(f"count(*) FILTER (WHERE NOT ({condition.sql}))" for condition in conditions)
        values = [value for condition in conditions for value in condition.values]
        return list(self.fetch(f"SELECT {counts} FROM rows", values)[0])  # noqa: S608 - made of quoted names

    def examples(self, condition: Condition, shown: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return the first rows that do not fulfil a condition."""
        columns = ", ".join(map(as_text, shown))
        query = f"SELECT {columns} FROM rows WHERE NOT ({condition.sql}) LIMIT {EXAMPLES}"  # noqa: S608 - the same
        return self.fetch(query, condition.values)

    def fetch(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the result of a query, in which each ? stands for a value."""
        return self.connection.execute(query, list(values)).fetchall()


@contextmanager
def open_rows(parts: Sequence[StoredPart], types: Mapping[str, str]) -> Iterator[CheckedRows]:
    """Yield the rows of all parts, which have the same columns, as one table."""
    with scratch("checks") as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "temp_directory": str(spill),
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
EXPECTED_CHARACTERS = 200

_OF_SQL = (duckdb.ProgrammingError, duckdb.DataError)

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
    if types:
        if mistakes := find_check_mistakes(checks, types):
            raise TableError("\n".join(mistakes))
    else:  # nothing but empty files has no column at all
        parts, types = (), {name: "string" for check in checks for name in check.columns}
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
    """Return what each check came to; all that are of single rows take one scan."""
    conditions = {}
    for place, check in enumerate(checks):
        if isinstance(check, RowCheck):
            with _named(check):
                conditions[place] = check.condition(types)
    failed = _count_failed(checks, conditions, table)
    outcomes = []
    for place, check in enumerate(checks):
        finding = None
        if isinstance(check, TableCheck):
            with _named(check):
                finding = check.find(table, types, now)
        elif failed[place]:
            finding = _find_rows(table, conditions[place], failed[place], _shown(check, types, key))
        outcomes.append(_sum_up(check, finding))
    return outcomes


def _count_failed(checks: Sequence[Check], conditions: Mapping[int, Condition], table: CheckedRows) -> dict[int, int]:
    """Return how many rows do not fulfil each condition, by the place of its check."""
    try:
        return dict(zip(conditions, table.count_each(list(conditions.values())), strict=True))
    except _OF_SQL:
        for place, condition in conditions.items():  # one of them is to blame
            with _named(checks[place]):
                table.count_each([condition])
        raise


@contextmanager
def _named(check: Check) -> Iterator[None]:
    """Name the check of which the SQL is wrong, as one that was added may have it."""
    try:
        yield
    except _OF_SQL as error:
        said = str(error).splitlines()[0]
        raise TableError(f"check {check.name}: its SQL cannot be run: {said}; mend this kind of check") from error
    except (TableError, duckdb.Error):
        raise
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise TableError(f"check {check.name}: cannot be run ({said}); mend this kind of check") from error


def _find_rows(table: CheckedRows, condition: Condition, failed: int, shown: Sequence[str]) -> CheckFailure:
    """Return how many rows do not fulfil a condition, and what is shown of some."""
    examples = tuple(dict(zip(shown, row, strict=True)) for row in table.examples(condition, shown))
    return CheckFailure(f"{failed:,} of {table.count:,} rows {condition.reason}", failed, examples)


def raise_failed(outcomes: Iterable[CheckOutcome]) -> None:
    """Raise a TableError with the sentence of every check that failed, if any did."""
    failed = [outcome.sentence for outcome in outcomes if outcome.status == "failed"]
    if failed:
        raise TableError("\n".join(failed))


def find_check_mistakes(checks: Sequence[Check], types: Mapping[str, str]) -> list[str]:
    """Return a sentence for each check of columns that are not there, or of a type that it cannot be told of."""
    mistakes = []
    for number, check in enumerate(checks):
        said = [_no_column(name, types) for name in check.columns if name not in types]
        if not said:
            try:
                check.refuse(types)
            except ValueError as error:
                said = [str(error)]
        mistakes += [f"checks.{number}.{check.name}: {each}" for each in said]
    return mistakes


def _no_column(name: str, types: Mapping[str, str]) -> str:
    cure = did_you_mean(name, types, f"the columns are {', '.join(types)}")
    return f"{name!r} is not a column of the table; {cure}"


def _sum_up(check: Check, finding: CheckFailure | None) -> CheckOutcome:
    name, columns, expected = check.name, check.columns, _cut(check.expected, EXPECTED_CHARACTERS)
    if finding is None:
        return CheckOutcome(name, columns, "passed", expected)
    examples = tuple(_as_example(row) for row in finding.examples)
    shown = "; ".join(" ".join(f"{k}={'null' if v is None else v}" for k, v in row.items()) for row in examples)
    where = f"check {name} of {', '.join(columns)}" if columns else f"check {name}"
    such = f", e.g. {shown}" if shown else ""
    status: Literal["failed", "warned"] = "failed" if check.on_fail == "fail" else "warned"
    sentence = one_line(f"{where}: {finding.message}{such}; expected {expected}; {_CURES[status]}")
    return CheckOutcome(name, columns, status, expected, finding.rows_failed, examples, sentence)


def _shown(check: Check, types: Mapping[str, str], key: Sequence[str]) -> list[str]:
    """Return the columns of which an example shows the values: those of the check, then such as tell rows apart."""
    columns = list(dict.fromkeys(check.columns))
    others = [name for name in (key or types) if name in types and name not in columns]
    return columns + others[: CONTEXT_COLUMNS if not key else len(key)]


def _as_example(row: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the values of a row as texts that can be shown."""
    return {name: None if value is None else _cut(str(value), SHOWN_CHARACTERS) for name, value in row.items()}


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[:characters]}…"
