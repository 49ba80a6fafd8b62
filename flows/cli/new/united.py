"""Tables that may be rows of one kind, from two systems: a query of both, as a comment."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from flows.cli.new.draft import Drafted
from flows.cli.new.text import DOUBT, Text
from tasks.core.tables import quote_name

_LEAST_COLUMNS = 4
_LEAST_TYPES = 3


def write_unions(tables: Sequence[Drafted], text: Text) -> None:
    """Write a query of each two tables whose columns have the same types in the same order; the query is a comment."""
    for one, other in combinations([each for each in tables if each.owner is None and not each.made], 2):
        kinds = [one.type_of(column) for column in one.columns]
        if len(kinds) < _LEAST_COLUMNS or len({*kinds}) < _LEAST_TYPES:
            continue
        if kinds == [other.type_of(column) for column in other.columns]:
            _write_union(one, other, text)


def _write_union(one: Drafted, other: Drafted, text: Text) -> None:
    pairs = list(zip(one.columns, other.columns, strict=True))
    if not all(f"{first.name}{second.name}".isprintable() for first, second in pairs):
        return
    first = ", ".join(quote_name(column.name) for column, _ in pairs)
    second = ", ".join(f"{quote_name(same.name)} AS {quote_name(column.name)}" for column, same in pairs)
    inner = text.inner()
    inner.note(
        f"{DOUBT} {one.name} and {other.name} have columns of the same types in the same order, and may be rows of one "
        "kind; types alone do not prove it. Where they are, take away the # of the lines below (and of tables: above, if "
        "it has one), and let the training read FROM this table."
    )
    inner.doubts += 1
    for line in (
        f"{one.name}_and_{other.name}:",
        "  query: |",
        f"    SELECT {first}, '{one.name}' AS \"source\" FROM {quote_name(one.name)}",  # noqa: S608 - quoted names
        "    UNION ALL",
        f"    SELECT {second}, '{other.name}' FROM {quote_name(other.name)}",  # noqa: S608 - the same
    ):
        inner.item(f"# {line}")
    text.below(inner)
