"""Columns of a table in the SQL of checks: as texts, as times, and values to compare them with."""

from __future__ import annotations

from datetime import UTC, datetime

from tasks.core.tables import is_decimal, quote_name

EXAMPLES = 5
SHOWN_CHARACTERS = 80
TIMES = ("date", "timestamp", "timestamp_utc")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_NUMBERS = ("int", "long", "float")
_SQL_TYPES = {"bool": "BOOLEAN", "int": "BIGINT", "long": "BIGINT", "float": "DOUBLE", "date": "DATE"}
_SQL_TYPES |= {"timestamp": "TIMESTAMP", "timestamp_utc": "TIMESTAMPTZ"}


def is_number(kind: str) -> bool:
    """Return whether a type is one of numbers."""
    return kind in _NUMBERS or is_decimal(kind)


def as_text(name: str) -> str:
    """Return a column as text, cut one character above what is shown of it, which tells that it is cut."""
    return f"substr(CAST({quote_name(name)} AS VARCHAR), 1, {SHOWN_CHARACTERS + 1})"


def as_time(name: str, kind: str) -> str:
    """Return a column of times as microseconds since 1970 in UTC; a text that is no time is null."""
    column = quote_name(name) if kind in TIMES else f"TRY_CAST({quote_name(name)} AS TIMESTAMP)"
    return f"epoch_us({column})"


def as_null(kind: str) -> str:
    """Return null as a value of a column's type."""
    return f"CAST(NULL AS {kind if is_decimal(kind) else _SQL_TYPES.get(kind, 'VARCHAR')})"


def microseconds_of(text: str) -> int:
    """Return a time in ISO 8601 as microseconds since 1970; without a zone it is in UTC.

    Raises:
        ValueError: it is no time.

    """
    moment = datetime.fromisoformat(text)
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
