"""Each kind of check in words and in SQL: what it expects, and what is wrong with a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, assert_never

from tasks.config import Allowed, Check, Fresh, InRange, Matches, MinRows, NotNull, Unique, write_duration
from tasks.convert.schema.types import is_decimal
from tasks.core.tables import quote_name

_SHOWN_CHARACTERS = 200


def name_check(check: Check) -> str:
    """Return the key by which a check is declared."""
    return next(name for name in type(check).model_fields if name != "on_fail")


def columns_of(check: Check) -> tuple[str, ...]:
    """Return the columns that a check is of."""
    match check:
        case NotNull():
            return check.not_null
        case Unique():
            return check.unique
        case MinRows():
            return ()
        case InRange(range=named) | Allowed(allowed=named) | Matches(matches=named) | Fresh(fresh=named):
            return (named.column,)
    assert_never(check)


def expected_of(check: Check) -> str:
    """Return what a check asks for, in few words."""
    match check:
        case NotNull():
            said = "a value in every row"
        case Unique():
            said = "no two rows alike"
        case InRange(range=bounds):
            said = " and ".join(
                f"{word} {bound}"
                for word, bound in (("at least", bounds.min), ("at most", bounds.max))
                if bound is not None
            )
        case Allowed(allowed=allowed):
            said = f"one of {', '.join(map(str, allowed.values))}"
        case Matches(matches=pattern):
            said = pattern.regex
        case MinRows(min_rows=rows):
            said = f"at least {rows:,} rows"
        case Fresh(fresh=fresh):
            said = f"a row of the last {write_duration(fresh.within)}"
        case _:
            assert_never(check)
    return said if len(said) <= _SHOWN_CHARACTERS else f"{said[:_SHOWN_CHARACTERS]}…"


TIMES = ("date", "timestamp", "timestamp_utc")
NUMBERS = ("int", "long", "float")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SQL_TYPES = {"bool": "BOOLEAN", "int": "BIGINT", "long": "BIGINT", "float": "DOUBLE", "date": "DATE"}
_SQL_TYPES |= {"timestamp": "TIMESTAMP", "timestamp_utc": "TIMESTAMPTZ"}

Value = bool | int | float | str


@dataclass(frozen=True)
class Condition:
    """Which rows a check fails on: a SQL condition, its parameters, and what `said` tells of these rows."""

    sql: str
    values: tuple[Any, ...]
    said: str


def find_condition(check: Check, types: Mapping[str, str]) -> Condition | None:
    """Return the condition of rows that fail a check; None of a check that is not of single rows, or of a table without columns.

    Raises:
        ValueError: the check cannot be told of a column of this type.

    """
    match check:
        case NotNull(not_null=columns):
            return _empty([name for name in columns if name in types]) if columns[0] in types else None
        case InRange(range=bounds):
            return _outside(check, types[bounds.column]) if bounds.column in types else None
        case Allowed(allowed=allowed):
            return _not_allowed(check, types[allowed.column]) if allowed.column in types else None
        case Matches(matches=pattern):
            return _unlike(pattern.column, pattern.regex) if pattern.column in types else None
        case Unique() | MinRows() | Fresh():
            return None
    assert_never(check)


def as_text(name: str, characters: int) -> str:
    """Return a column as text, cut at so many characters and one more, which tells that it is cut."""
    return f"substr(CAST({quote_name(name)} AS VARCHAR), 1, {characters + 1})"


def as_time(name: str, kind: str) -> str:
    """Return a column of times as microseconds since 1970 in UTC; a text that is no time is null."""
    column = quote_name(name) if kind in TIMES else f"TRY_CAST({quote_name(name)} AS TIMESTAMP)"
    return f"epoch_us({column})"


def _is_number(kind: str) -> bool:
    return kind in NUMBERS or is_decimal(kind)


def as_null(kind: str) -> str:
    """Return null as a value of a column's type."""
    return f"CAST(NULL AS {kind if is_decimal(kind) else _SQL_TYPES.get(kind, 'VARCHAR')})"


def microseconds_of(text: str) -> int:
    """Return a time in ISO 8601 as microseconds since 1970; without a zone it is in UTC.

    Raises:
        ValueError: it is no time.

    """
    moment = datetime.fromisoformat(text)
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _empty(columns: Sequence[str]) -> Condition:
    """Return the condition of rows without a value in one of the columns."""
    empty = " OR ".join(f"{quote_name(name)} IS NULL" for name in columns)
    return Condition(f"({empty})", (), f"have no value in {' or '.join(columns)}")


def _unlike(column: str, regex: str) -> Condition:
    """Return the condition of rows whose value is not of a form."""
    sql = f"NOT regexp_full_match(CAST({quote_name(column)} AS VARCHAR), ?)"
    return Condition(sql, (regex,), f"have a value in {column} that does not match {regex}")


def _outside(check: InRange, kind: str) -> Condition:
    """Return the condition of values that are out of range; of a text, also where it is no number, or no time."""
    name, low, high = check.range.column, check.range.min, check.range.max
    timed = isinstance(low, str) or isinstance(high, str)
    if not (kind in TIMES if timed else _is_number(kind)) and kind != "string":
        given = f"a {'time' if timed else 'number'}"
        raise ValueError(
            f"{name!r} is of type {kind}, and {low if low is not None else high} is {given}; write another"
        )
    number = quote_name(name) if kind != "string" else f"TRY_CAST({quote_name(name)} AS DOUBLE)"
    value = as_time(name, kind) if timed else number
    # A text that is no number, and a NaN, is in no range.
    wrong = [f"({value} IS NULL AND {quote_name(name)} IS NOT NULL)"] if kind == "string" else []
    wrong += [f"isnan({value})"] if kind == "float" or (kind == "string" and not timed) else []
    values = []
    for bound, sign in ((low, "<"), (high, ">")):
        if bound is not None:
            wrong.append(f"{value} {sign} ?")
            values.append(microseconds_of(bound) if isinstance(bound, str) else bound)
    said = " or ".join(f"{word} {bound}" for word, bound in (("below", low), ("above", high)) if bound is not None)
    return Condition(f"({' OR '.join(wrong)})", tuple(values), f"have a value in {name} {said}")


def _not_allowed(check: Allowed, kind: str) -> Condition:
    name, allowed = check.allowed.column, check.allowed.values
    values = tuple(_as_value(name, value, kind) for value in allowed)
    column = as_time(name, kind) if kind in TIMES else quote_name(name)
    marks = ", ".join("?" for _ in values)
    shown = ", ".join(map(str, allowed[:10])) + (f" and {len(allowed) - 10} more" if len(allowed) > 10 else "")  # noqa: PLR2004
    return Condition(f"({column} NOT IN ({marks}))", values, f"have a value in {name} that is not one of {shown}")


def _as_value(name: str, value: Value, kind: str) -> Value:
    """Return a value that is allowed as the column has it: 7 among texts is the text 7."""
    try:
        if kind in TIMES:
            return microseconds_of(str(value))
        if _is_number(kind) and not isinstance(value, bool):
            return float(value) if isinstance(value, str) else value
        if kind == "bool":
            return {"true": True, "false": False}[str(value).lower()]
        if kind == "string":
            return str(value)
    except (ValueError, KeyError):
        pass
    raise ValueError(f"{value!r:.80} is no value of {name!r}, which is of type {kind}; take it out")
