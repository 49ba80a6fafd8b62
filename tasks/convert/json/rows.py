"""A line of JSON as rows: its object flattened and its list exploded, or why it is none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

NOT_A_LIST = "is not a list"
"""How the reason ends for a record that cannot be exploded."""
_SURROGATE = b"\\ud"  # how JSON begins the escape of half a pair
_REFUSED = "$reject"  # key of the reason in the line of a page that gave no row
_REFUSAL = frozenset({_REFUSED, "url"})


@dataclass(frozen=True)
class Unfit:
    """Why a line is no row, and which column's value makes it so."""

    reason: str
    column: str | None = None


@dataclass(frozen=True)
class NoRow:
    """A record whose list has no element, and the columns that its rows would have."""

    names: tuple[str, ...]


_TWICE = Unfit("two values for one column, by a nested key and by one with a dot")


def read_rows(
    line: bytes, *, explode: str | None = None, keeps_empty: bool = False, refusals: bool = False
) -> list[Row] | Unfit | NoRow:
    """Return the rows of a line: one, or one for each element of the list in the column `explode`.

    A record without an element is none, unless it is kept. With `refusals` an object of `$reject` and `url` is the line of a page that
    gave no row, and `$reject` the reason.
    """
    try:
        value = json.loads(line.decode("utf-8"))
        rows = rows_of(value, explode, keeps_empty=keeps_empty, refusals=refusals)
        if _SURROGATE in line.lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError:
        return Unfit("not UTF-8")
    except UnicodeEncodeError:
        return Unfit("half of a surrogate pair is not a text")
    except RecursionError:
        return Unfit("nested too deeply")
    except ValueError as error:
        return Unfit(f"not JSON: {error}")
    return rows


def rows_of(
    value: Any, explode: str | None = None, *, keeps_empty: bool = False, refusals: bool = False
) -> list[Row] | Unfit | NoRow:
    """Return the rows of a JSON value, or why it is none."""
    if not isinstance(value, dict):
        return Unfit("not a JSON object")
    if not value:
        return Unfit("an object without keys")
    if refusals and value.keys() == _REFUSAL and isinstance(value[_REFUSED], str):
        return Unfit(value[_REFUSED])
    pairs = list(_flatten(value, whole=explode))
    row = dict(pairs)
    if len(row) < len(pairs):
        return _TWICE
    return [row] if explode is None else _explode(row, explode, keeps_empty=keeps_empty)


def _flatten(value: Row, prefix: str = "", whole: str | None = None) -> Iterator[tuple[str, Any]]:
    """Yield columns and values, those of nested objects as `outer.inner`; the column `whole` as it is."""
    for key, inner in value.items():
        name = f"{prefix}{key}"
        if isinstance(inner, dict) and inner and name != whole:
            yield from _flatten(inner, f"{name}.", whole)
        else:
            yield name, inner


def _explode(row: Row, column: str, *, keeps_empty: bool) -> list[Row] | Unfit | NoRow:
    """Return a row for each element of the list in `column`; where there is none, with null there if that is kept."""
    elements = row.get(column)
    if elements is None or elements == []:
        return [row | dict.fromkeys({column} & row.keys())] if keeps_empty else NoRow(tuple(row))
    if not isinstance(elements, list):
        return Unfit(f"{elements!r:.60} {NOT_A_LIST}", column)
    names = list(row)
    place = names.index(column)
    before = {name: row[name] for name in names[:place]}
    after = {name: row[name] for name in names[place + 1 :]}
    rows = []
    for element in elements:
        pairs = list(_flatten({column: element}))
        rows.append({**before, **dict(pairs), **after})
        if len(rows[-1]) < len(before) + len(pairs) + len(after):
            return _TWICE
    return rows


def is_replaced(explode: str, names: Iterable[str]) -> bool:
    """Return whether there are columns of the elements of `explode`, which stand in its place."""
    return any(name.startswith(f"{explode}.") for name in names)
