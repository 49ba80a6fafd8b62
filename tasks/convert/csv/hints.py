"""Columns of a CSV file that stay texts until it is declared how their numbers or dates are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tasks.convert.csv.head import Head
from tasks.convert.reading.guess import Hint
from tasks.spec import Column

_GROUPED = r"\s*[+-]?[1-9]\d{{0,2}}(\{0}\d{{3}})+({1}\d+)?\s*"
_ANY = r"\s*[+-]?([1-9]\d{{0,2}}(\{0}\d{{3}})+|\d+)({1}\d+)?\s*"
_DATES = (
    (re.compile(r"\s*\d{1,2}\.\d{1,2}\.\d{4}\s*"), 'type: date, format: "%d.%m.%Y"'),
    (re.compile(r"\s*(1[3-9]|2\d|3[01])/\d{1,2}/\d{4}\s*"), 'type: date, format: "%d/%m/%Y"'),
    (re.compile(r"\s*\d{1,2}/(1[3-9]|2\d|3[01])/\d{4}\s*"), 'type: date, format: "%m/%d/%Y"'),
)
_SLASHED = re.compile(r"\s*\d{1,2}/\d{1,2}/\d{4}\s*")
_NUMBERS = {
    decimal: (
        re.compile(_GROUPED.format(thousands, re.escape(decimal))),
        re.compile(_ANY.format(thousands, re.escape(decimal))),
        f'type: float, thousands: "{thousands}", decimal: "{decimal}"',
    )
    for decimal, thousands in ((",", "."), (".", ","))
}
_MAY_BE_HINTED = re.compile(r"\s*[+-]?\d+[.,/\d]*\s*")


def find_hints(head: Head, columns: Mapping[str, Column]) -> tuple[Hint, ...]:
    """Return what may be declared of the columns of a file of which nothing is, judged by its first rows."""
    rows = [row for row in head.dialect.rows if len(row) == len(head.names)]
    hints = []
    for place, name in enumerate(head.names):
        if not rows or not _MAY_BE_HINTED.fullmatch(rows[0][place]) or (name in columns and columns[name].type):
            continue
        values = [row[place] for row in rows if row[place].strip()]
        hints += [Hint(name, example, declared) for example, declared in _hints(values, head.dialect.decimal)]
    return tuple(hints)


def _hints(values: list[str], decimal: str) -> Iterator[tuple[str, str]]:
    """Yield an example of the values, and what to declare, where they are grouped numbers or dates."""
    grouped, number, declared = _NUMBERS[decimal]
    if all(map(number.fullmatch, values)) and (example := next(filter(grouped.fullmatch, values), None)):
        yield example.strip(), declared
        return
    for pattern, declared in _DATES:
        like = pattern if pattern is _DATES[0][0] else _SLASHED
        if all(map(like.fullmatch, values)) and (example := next(filter(pattern.fullmatch, values), None)):
            yield example.strip(), declared
            return
