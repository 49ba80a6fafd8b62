"""Expressions of columns: which columns of their source they may read, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tasks.config.columns import Column
from tasks.core.suggestions import did_you_mean
from tasks.core.tables import clean_name


def find_mistakes(columns: Mapping[str, Column], *, clean: bool, all_known: bool) -> Iterator[str]:
    """Yield what is wrong with the expressions of a source's columns, and with those that are dropped, by their keys.

    With `clean` names are made plain; with `all_known` there are no columns but these.
    """
    made = {key: column.expression for key, column in columns.items() if column.expression is not None}
    named = {column.rename or (clean_name(key) if clean else key): key for key, column in columns.items()}
    read: set[str] = set()
    for key, expression in made.items():
        for written, name in _reads(expression, list(named)).items():
            other = None if name is None else named[name]
            if other is not None:
                read.add(other)
            elif all_known:
                cure = did_you_mean(written, named, f"the columns are {', '.join(named)}")
                yield f"columns.{key}.expression: reads {written!r}, which is no column; {cure}"
            if mistake := _find_misread(key, other, columns):
                yield f"columns.{key}.expression: reads {written!r}, {mistake}"
    for key, column in columns.items():
        others = sorted(column.model_fields_set - {"drop", "select", "all", "default"})
        if column.drop and others and key not in read:
            yield f"columns.{key}: drop leaves the column out, and {others[0]} is of one that stays; take one of them out"


def _reads(expression: str, names: list[str]) -> dict[str, str | None]:
    from tasks.core.expressions import parse_expression  # noqa: PLC0415 - 0.1 s, for none but an expression

    return parse_expression(expression).find_read(names)


def _find_misread(key: str, other: str | None, columns: Mapping[str, Column]) -> str | None:
    """Return why the expression of one column cannot read another, and the cure."""
    if other is None:
        return None
    if other == key:
        unsaid = "its own column, whose type is not declared; add type, which its values have before and after"
        return unsaid if columns[key].type is None else None
    if columns[other].drop and columns[other].type is None:
        return f"which is dropped, and whose type is not declared; add it, as columns: {{{other}: {{type: float, drop: true}}}}"
    is_later = list(columns).index(other) > list(columns).index(key)
    if columns[other].expression is not None and is_later:
        return "whose expression is written below; write it above"
    return None
