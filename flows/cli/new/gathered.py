"""A table that a query makes of records and of the lists in them: a row for each record, and what its elements come to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import pyarrow.compute as pc

from flows.cli.new.draft import Drafted, Owner, free_name, name_of
from flows.cli.new.text import Text
from tasks.convert.proposal import ColumnProposal, is_id
from tasks.core.tables import quote_name

_MOST_VALUES = 12  # of a text whose values are counted each
_ROWS_A_VALUE = 5  # at the head, on average: a text of more values tells too little of each
_MOST_CHARACTERS = 40


def gather(tables: Sequence[Drafted], text: Text) -> list[tuple[Drafted, str]]:
    """Write a table for each that has lists with tables of their own, and return these tables, and what is said of each."""
    made: list[tuple[Drafted, str]] = []
    for parent in tables:
        lists = [each for each in tables if each.owner is not None and each.owner.table == parent.name]
        if lists:
            table = _gather(parent, lists, [*(each.name for each in tables), *(each.name for each, _ in made)], text)
            parts = " and ".join(each.name for each in (parent, *lists))
            made.append((table, f"{table.name}: a table that a query makes of {parts}"))
    return made


def _gather(parent: Drafted, lists: Sequence[Drafted], names: Collection[str], text: Text) -> Drafted:
    owners = [each.owner for each in lists if each.owner is not None]
    own = [column for column in parent.columns if column.name not in {owner.list for owner in owners}]
    taken = [column.name for column in own]
    table, key = quote_name(parent.name), quote_name(owners[0].key)
    without = ", ".join(quote_name(owner.list) for owner in owners)
    lines, joins = [f"SELECT {table}.* EXCLUDE ({without}),"], [f"FROM {table}"]
    made: list[ColumnProposal] = []
    for each, owner in zip(lists, owners, strict=True):
        columns = list(_aggregates(each, owner, taken))
        alias, by = quote_name(f"of_{owner.list}"), quote_name(owner.column)
        lines += [f"  {_outer(alias, column, sql)}," for column, sql in columns]
        joins += [
            "LEFT JOIN (",
            f"  SELECT {by},",
            *(f"    {sql} AS {quote_name(column.name)}," for column, sql in columns),
            f"  FROM {quote_name(each.name)}",
            f"  GROUP BY {by}",
            f") AS {alias} ON {alias}.{by} = {table}.{key}",
        ]
        made += [column for column, _ in columns]
        taken += [column.name for column, _ in columns]
    lines[-1] = lines[-1].removesuffix(",")
    name = free_name(name_of(f"{parent.name}_with_{'_and_'.join(owner.list for owner in owners)}", "rows"), names)
    inner = text.inner()
    inner.note(
        f"A row for each of {parent.name}, and beside it what its rows in {' and '.join(each.name for each in lists)} "
        "come to: their number, sums and means of numbers, and how many have each of a few values that the head shows."
    )
    inner.key(name)
    body = inner.inner()
    body.query([*lines, *joins])
    body.key("key", [owners[0].key])
    body.key("sort_by", [owners[0].key])
    inner.below(body)
    text.below(inner)
    return Drafted(name, [*own, *made], parent.rows, made={column.name for column in made})


def _outer(alias: str, column: ColumnProposal, sql: str) -> str:
    """Return a column of what is joined: of a row without elements numbers and sums are 0, and means are not known."""
    name = quote_name(column.name)
    return f"{alias}.{name}" if sql.startswith("avg(") else f"coalesce({alias}.{name}, 0) AS {name}"


def _aggregates(table: Drafted, owner: Owner, taken: Collection[str]) -> Iterator[tuple[ColumnProposal, str]]:
    """Yield what the elements of a row come to, each as a column with the SQL that makes it."""
    names = [*taken]
    for word, kind, sql in (("", "int", "count(*)"), *_sums(table, owner)):
        name = free_name(f"{owner.list}_{word}" if word else owner.list, names)
        names.append(name)
        yield ColumnProposal(name, "int", "", {"type": kind}, is_certain=True), sql


def _sums(table: Drafted, owner: Owner) -> Iterator[tuple[str, str, str]]:
    for column in table.columns:
        name, kind = quote_name(column.name), table.type_of(column)
        if column.name in (owner.column, owner.element) or is_id(column.name) or not column.name.isprintable():
            continue
        if kind in ("int", "float"):
            yield f"{column.name}_sum", kind, f"sum({name})"
            yield f"{column.name}_mean", "float", f"avg({name})"
        elif kind == "bool":
            yield column.name, "int", f"count(*) FILTER (WHERE {name})"
        elif kind == "string":
            for value in _few_values(table, column.name):
                literal = value.replace("'", "''")
                yield f"{column.name}_{value}", "int", f"count(*) FILTER (WHERE {name} = '{literal}')"


def _few_values(table: Drafted, name: str) -> list[str]:
    """Return the values of a text that the head shows often enough to count each."""
    if name not in table.rows.column_names:
        return []
    values = table.rows[name].drop_null()
    found = sorted(pc.unique(values).to_pylist())
    is_few = 1 < len(found) <= min(_MOST_VALUES, len(values) // _ROWS_A_VALUE)
    is_plain = all(each.isprintable() and "${" not in each and len(each) <= _MOST_CHARACTERS for each in found)
    return found if is_few and is_plain else []
