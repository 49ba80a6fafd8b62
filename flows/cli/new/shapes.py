"""Several files as one: the values of a column from all of them, and the names that it had over the years."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.head import Head
from tasks.convert.schema.types import TypeName, widen, widen_table

Read = Callable[[Mapping[str, Any]], Sequence[Head]]
"""Reads heads again, with what is declared of columns."""
_FEW_VALUES = 50  # distinct ones, that two columns have in common where they are one
_SHARED = 0.5
_NEAR = 3  # times as large, at most, are the numbers of one column under two names


def differing(head: Head, other: Head) -> list[str]:
    """Return the columns of a head that another one has not."""
    return [name for name in head.types if name not in other.types]


def find_renames(heads: Sequence[Head]) -> dict[str, str]:
    """Return the columns of other files that stand where the first has one of another name, and this."""
    found: dict[str, str] = {}
    for head in heads[1:]:
        if len(head.types) == len(heads[0].types):
            here, there = differing(head, heads[0]), differing(heads[0], head)
            pairs = zip(head.types, heads[0].types, strict=True)
            found |= {name: own for name, own in pairs if name in here and own in there}
    return {name: own for name, own in found.items() if not any({name, own} <= {*head.types} for head in heads)}


def combine(heads: Sequence[Head], read: Read, renames: Mapping[str, str]) -> tuple[Head, set[str]]:
    """Return heads as one, with columns by the names that `renames` give them, and what separates decimals in the files.

    A column that is of several types in the files is one of texts, as they are written.
    """
    if len(heads) == 1:
        return heads[0], set()
    kinds: dict[str, list[TypeName]] = {}
    for head in heads:
        for name, kind in head.types.items():
            kinds.setdefault(renames.get(name, name), []).append(kind)
    types = {name: reduce(widen, each) for name, each in kinds.items()}
    mixed = {name for name, kind in types.items() if kind == "string" and {*kinds[name]} - {"string", "null"}}
    written = {name: {"type": "string"} for head in heads for name in head.types if renames.get(name, name) in mixed}
    read_anew = read(written) if written else heads
    rows = pa.concat_tables(widen_table(_renamed(head.rows, renames), types) for head in read_anew)
    guesses = [head.guess for head in heads if head.guess is not None]
    signs = {guess.decimal for guess in guesses if guess.decimal}
    guess = None
    if guesses:
        doubts = {(name, hint.example): replace(hint, column=name) for each in guesses for hint in each.doubts if (name := renames.get(hint.column, hint.column))}  # fmt: skip
        guess = replace(guesses[0], decimal="," if "," in signs else guesses[0].decimal, doubts=tuple(doubts.values()))
    are_two = "," in signs and any(
        head.guess is not None and head.guess.decimal == "." and "float" in head.types.values() for head in heads
    )
    received = sum(head.received for head in heads)
    whole = Head(heads[0].file, rows, types, (), received, guess, (), all(head.is_whole for head in heads))
    return whole, {"."} if are_two else set()


def _renamed(rows: pa.Table, renames: Mapping[str, str]) -> pa.Table:
    return rows.rename_columns([renames.get(name, name) for name in rows.column_names])


def find_unlike(renames: Mapping[str, str], heads: Sequence[Head]) -> Iterator[str]:
    """Yield the columns whose values are not like those of the column that they may be; `heads` are read as is declared."""
    for name, own in renames.items():
        if not _are_alike(_values(heads, name), _values(heads, own)):
            yield name


def _values(heads: Sequence[Head], name: str) -> pa.ChunkedArray | None:
    found = [head.rows[name].drop_null() for head in heads if name in head.types and head.types[name] != "null"]
    if not found or len({str(each.type) for each in found}) > 1:
        return None
    return pa.chunked_array([chunk for each in found for chunk in each.chunks], found[0].type)


def _are_alike(one: pa.ChunkedArray | None, other: pa.ChunkedArray | None) -> bool:
    if one is None or other is None or not len(one) or not len(other) or one.type != other.type:
        return False
    fewer, more = sorted(({*pc.unique(each).to_pylist()} for each in (one, other)), key=len)
    if len(fewer) <= _FEW_VALUES and (pa.types.is_string(one.type) or pa.types.is_integer(one.type)):
        if len(fewer & more) >= _SHARED * len(fewer):
            return True
        if pa.types.is_string(one.type):
            return False
    if not (pa.types.is_integer(one.type) or pa.types.is_floating(one.type)):
        return not pa.types.is_string(one.type)
    means = sorted(abs(pc.mean(each).as_py()) for each in (one, other))
    overlap = min(pc.max(one).as_py(), pc.max(other).as_py()) - max(pc.min(one).as_py(), pc.min(other).as_py())
    return bool(overlap > 0 and means[1] <= _NEAR * means[0])
