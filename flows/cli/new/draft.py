"""A source, or a table of its elements, as it is proposed: the lines of the file, and the columns that a training may learn from."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from flows.cli.new.shapes import Read, combine
from flows.cli.new.text import Text, write_scalar
from tasks.convert.head import Head
from tasks.convert.proposal import ColumnProposal, KeyProposal, propose_columns
from tasks.core.escaping import count

_DECLARED_AS: Mapping[str, str] = {"long": "int", "timestamp_utc": "timestamp"}
_DECLARABLE = frozenset({"int", "float", "string", "bool", "date", "timestamp"})
_NO_NAME = re.compile(r"[^a-z0-9]+")
_MOST_CHARACTERS = 64
_MOST_LISTED = 100
_MOST_WIDTH = 40


@dataclass(frozen=True)
class Owner:
    """What the rows of a table of elements belong to: by `column` the row of `table` that has this in its `key`, in whose `list` they are."""

    table: str
    key: str
    column: str
    list: str
    element: str
    """The column that tells elements of one row apart."""


@dataclass(frozen=True)
class Drafted:
    """What is proposed of a table: its name, its columns as they are declared, and the rows at its head."""

    name: str
    columns: Sequence[ColumnProposal]
    rows: pa.Table
    owner: Owner | None = None
    made: Collection[str] = ()
    """Columns that a query makes of others: a model learns from them, however they are called."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Names that columns have in some files, with those that they have in the table."""

    def type_of(self, column: ColumnProposal) -> str:
        """Return the type that a column is going to have."""
        return str(column.declared["type"]) if column.is_certain else type_of(column)


@dataclass(frozen=True)
class Rename:
    """A column that has another name in some files: this, the one that it has in the first, a file that has it, and whether its values bear it out."""

    name: str
    own: str
    file: str
    is_certain: bool


@dataclass(frozen=True)
class Settled:
    """What is proposed for the columns of heads, the rows of all of these, and the heads as they are read with what is certain."""

    columns: list[ColumnProposal]
    rows: pa.Table
    typed: Sequence[Head]


@dataclass
class SourceDraft:
    """A source as it is proposed: its lines of the file, its tables, and what is said of it."""

    name: str
    text: Text
    said: str
    tables: list[Drafted] = field(default_factory=list)


def type_of(column: ColumnProposal) -> str:
    """Return the type of a column as a file declares it."""
    return _DECLARED_AS.get(column.type, column.type)


def name_of(text: str, otherwise: str) -> str:
    """Return a text as the name of a source.

    >>> name_of("Orders 2024", "rows")
    'orders_2024'
    >>> name_of("2024", "rows")
    'rows_2024'

    """
    name = _NO_NAME.sub("_", text.lower()).strip("_")
    name = name if name[:1].isalpha() else f"{otherwise}_{name}".strip("_")
    return name[:_MOST_CHARACTERS]


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a name that is not taken: itself, or with a number.

    >>> free_name("orders", ["orders"])
    'orders_2'

    """
    numbered = (f"{name}_{number}" for number in range(2, len(taken) + 3))
    return next(each for each in (name, *numbered) if each not in taken)


def settle(heads: Sequence[Head], read: Read, renames: Mapping[str, str] | None = None) -> Settled:
    """Return the proposals for the columns of heads; those by which a row would be a reject that was none are not certain.

    `read` reads the heads again with what is declared of columns. `renames` are columns of some heads that are, under
    another name, one of others.
    """
    same = renames or {}
    combined, signs = combine(heads, read, same)
    proposals = {each.name: each for each in propose_columns(combined, signs)}
    totals = {head.guess.totals for head in heads if head.guess is not None and head.guess.totals}
    known_lines = {(head.file, line) for head in heads for line in head.misfits["line"].to_pylist()}
    names = {name: same.get(name, name) for head in heads for name in head.types}
    typed = heads
    while certain := {name: each.declared for name, each in proposals.items() if each.is_certain}:
        typed = read({name: certain[own] for name, own in names.items() if own in certain})
        wrong = {
            names.get(str(misfit["column"]), str(misfit["column"])): misfit["reason"]
            for head in typed
            for misfit in head.misfits.to_pylist()
            if misfit["raw"] not in totals and (head.file, misfit["line"]) not in known_lines
        }
        if not wrong.keys() & certain.keys():
            break
        for name in wrong.keys() & certain.keys():
            proposals[name] = replace(proposals[name], why=f"{wrong[name]}, and other values are", is_certain=False)
    return Settled(list(proposals.values()), combined.rows, typed)


def write_columns(
    text: Text,
    columns: Sequence[ColumnProposal],
    selectors: Mapping[str, Any] | None = None,
    renames: Sequence[Rename] = (),
) -> None:
    """Write the section on columns: what is certain as keys, guesses and inferred types as comments.

    `selectors` are those of a page, by their columns, each of which is a key. `renames` are other names that columns
    have, or may have, in other files.
    """
    inner = text.inner()
    for each in columns:
        _write_declared(inner, each, None if selectors is None else selectors[each.name])
        for rename in renames:
            if rename.own == each.name:
                _write_rename(inner, each, rename)
    plain = [each for each in columns if not each.declared]
    if plain and selectors is None:
        _write_plain(inner, plain)
    has_keys = any(not line.lstrip().startswith("#") for line in inner.lines)
    text.key("columns") if has_keys else text.note("columns:")
    text.below(inner)


def _write_declared(text: Text, column: ColumnProposal, selector: Any) -> None:
    """Write what is to be declared of a column, and the guess about it."""
    selected = {"select": selector} if isinstance(selector, str) else dict(selector or {})
    declared = {**selected, **column.declared}
    if column.is_certain or selected:
        value = declared if column.is_certain else selected
        said = (
            column.why if column.is_certain else f"{type_of(column)}, e.g. {column.example}" if column.example else ""
        )
        text.key(column.name, value["select"] if [*value] == ["select"] else value, said)
    if column.declared and not column.is_certain:
        text.doubt(column.name, declared, f"{column.name}: {column.why}")


def _write_rename(text: Text, column: ColumnProposal, rename: Rename) -> None:
    """Write that a column of some files is one that has another name in others, or that it may be."""
    declared = {**(column.declared if column.is_certain else {}), "rename": rename.own}
    where = f"in {rename.file} it stands where {rename.own} does in the first file"
    if rename.is_certain:
        text.key(rename.name, declared, f"{where}, with values like those")
    else:
        text.doubt(rename.name, declared, f"{where}, but its values are not like those: it may be the same")


def _write_plain(text: Text, columns: Sequence[ColumnProposal]) -> None:
    """Write the types of columns of which nothing is to be declared."""
    text.note("Others have the types that all of their values fit, at the head these; one without its # is law:")
    shown = columns[:_MOST_LISTED]
    width = max(len(f"{write_scalar(each.name)}: {type_of(each)}") for each in shown)
    for each in shown:
        kind, example = type_of(each), f"e.g. {each.example}" if each.example else ""
        said = ", ".join(filter(None, (each.why, example)))
        if kind in _DECLARABLE:
            text.choice(each.name, kind, said, min(width, _MOST_WIDTH))
        else:
            text.note(", ".join(filter(None, (f"{each.name}: {'empty' if kind == 'null' else kind}", said))))
    if len(columns) > _MOST_LISTED:
        text.note(f"… and {count(len(columns) - _MOST_LISTED, 'column')} more")


def write_key(
    text: Text, key: KeyProposal | None, *, dropped: str = "further rows with it are dropped, and counted"
) -> None:
    """Write the key: as one where it is certain, else as a comment."""
    if key is None:
        return
    if key.is_certain:
        text.key("key", [key.column], f"of its own in each row of the head; {dropped}")
    else:
        text.doubt("key", [key.column], f"{key.column} is another in each row of the head; {dropped}")
