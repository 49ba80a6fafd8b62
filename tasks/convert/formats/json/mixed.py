"""Blocks of JSON lines of which some keys have values of several kinds: these columns are read line by line, and all others at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.lines import JsonBlock, read_lines
from tasks.convert.formats.json.names import SAMPLE_BYTES
from tasks.convert.formats.json.rows import (
    Row,
    are_deep,
    column_of,
    columns_of,
    decode_together,
    flat_rows,
    flatten,
    rows_of_line,
)
from tasks.convert.formats.json.shape import InDoubtError, Shape
from tasks.convert.formats.json.table import SAMPLE_LINES, NamedBlock, read_named
from tasks.convert.schema.blocks import RawBlock, Schema
from tasks.convert.schema.names import Naming, refuse_width
from tasks.convert.schema.types import TypeName
from tasks.core.errors import TableError

_SAMPLE = 200
_RARE = 30  # of so many lines less than one has a key of few lines
_NOBODYS = "\0"
_NONE = {_NOBODYS: None}
_NOTHING = {_NOBODYS: msgspec.Raw(b"null")}  # of a line that has none of the keys: without one it were no row

_Columns = dict[str, tuple[pa.ChunkedArray, TypeName]]
_Members = dict[str, msgspec.Raw]
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode_lines
_write_lines = msgspec.json.Encoder().encode_lines


def read_but_mixed(block: JsonBlock, schema: Schema, sample_lines: int = SAMPLE_LINES) -> RawBlock | None:
    """Return the rows of all lines as `read_lines` does, some of their keys read by themselves; None where others are in doubt, or a line is no row.

    Which keys these are is a guess: `read_at_once` still refuses all others of which one is in doubt.
    """
    if not block.typed:
        return None
    try:
        head, others = _sample(block, sample_lines)
        found = _find_mixed(head, others)
        if block.explode is not None and block.explode.partition(".")[0] in {*found.keys, *found.rare}:
            return None
        named, alone = _read_flat(block, schema, sample_lines, found) or _divide(block, schema, sample_lines, found)
        if named is None or named.block.records != len(block.numbers) or (named.exploded and named.block.empty):
            return None
        names = _names(block, head, list(named.columns), list(alone))
        return _put_together(block, schema, named, alone, names)
    except (ValueError, RecursionError, TableError, InDoubtError):
        return None  # told of all lines


@dataclass(frozen=True)
class _Mixed:
    """The shape of some lines, the keys of the first, those whose values pyarrow does not read as Python does, those that come twice in a line, and those of few lines, of whose values little is known."""

    shape: Shape
    first: frozenset[str]
    keys: Collection[str]
    twice: Collection[str]
    rare: Collection[str]

    @property
    def apart(self) -> set[str]:
        """Return the keys that are read by themselves."""
        return {*self.keys, *self.twice, *self.rare}


def _has_objects(shape: Shape) -> bool:
    return dict in shape.kinds or (shape.elements is not None and _has_objects(shape.elements))


def _put_together(
    block: JsonBlock, schema: Schema, named: NamedBlock, alone: _Columns, names: Sequence[str]
) -> RawBlock:
    """Return the columns that were read at once, and those that were read by themselves, as rows.

    Raises:
        InDoubtError: two of the columns would have the same name.
        TableError: there are too many.

    """
    records = None if named.exploded is None else named.exploded.records
    rows = len(named.block.table)
    refuse_width(len(names), rows)
    renamed = block.naming.rename(names)
    taken, table, types = dict(zip(names, renamed, strict=True)), named.block.table, named.block.types or {}
    if [taken[name] for name in named.columns] != table.column_names:
        raise InDoubtError
    read = {name: (table[taken[name]], types[taken[name]]) for name in named.columns}
    read |= {
        name: (values if records is None else values.take(records), kind) for name, (values, kind) in alone.items()
    }
    return replace(
        named.block,
        table=pa.table([read[name][0] for name in names], renamed),
        locate=lambda chosen: block.locate(chosen if records is None else records.to_numpy()[chosen]),
        types={taken[name]: read[name][1] for name in names},
        lines=(block.numbers if records is None else block.numbers[records.to_numpy()]).tolist()
        if schema.lines
        else None,
    )


def _sample(block: JsonBlock, first: int) -> tuple[list[bytes], list[bytes]]:
    """Return the first lines, and some of the others: of long lines fewer."""
    lines = block.numbers - block.first_line
    starts, stops = (each[lines] for each in block.window.line_spans)
    first = min(first, int(np.searchsorted(starts, SAMPLE_BYTES)))
    step = max(len(lines) // _SAMPLE, len(block.window) // SAMPLE_BYTES, 1)
    spans = list(zip(starts.tolist(), stops.tolist(), strict=True))
    head, others = ([bytes(block.window.view[a:b]) for a, b in some] for some in (spans[:first], spans[first::step]))
    return head, others


def _read_flat(
    block: JsonBlock, schema: Schema, sample_lines: int, found: _Mixed
) -> tuple[NamedBlock | None, _Columns] | None:
    """Return the columns of keys that are read at once, and those of keys that are read by themselves; None where values of the former may have keys of their own.

    By their keys alone it is sure then that pyarrow passes nothing over but what is read by itself.
    """
    taken = found.apart
    shapes = {key: inner for key, inner in found.shape.keys.items() if key not in taken}
    if not shapes or any(map(_has_objects, shapes.values())):
        return None
    columns = _take_columns(block, found)
    values = list(chain.from_iterable(columns.values()))
    kinds = set(map(type, values))
    if columns and dict not in kinds and len(values) == len(columns) * len(block.numbers):
        if list in kinds and are_deep(block.window, values):
            return None
        named = read_named(block, schema, sample_lines, Shape({dict}, shapes))
        return named, {name: column_of(_filled(found), block.nulls_of(name)) for name, found in columns.items()}
    members = _take_any(block, shapes)
    if members is None or len(members) != len(block.numbers):
        return None
    apart = list(dict.fromkeys(chain.from_iterable(members)))
    kinds = set(map(type, chain.from_iterable(map(dict.values, members))))
    rows: list[Row] | None = members
    if dict in kinds:
        rows = flat_rows(block.window, [each or _NONE for each in members])
    elif list in kinds and are_deep(block.window, members):
        rows = None
    if rows is None:
        return None
    named = read_named(block, schema, sample_lines, Shape({dict}, shapes))
    table, types = columns_of(rows, nulls_of=block.nulls_of, names=None if dict in kinds else apart)
    names = [name for name in table.column_names if name != _NOBODYS]
    return named, {name: (table[name], (types or {})[name]) for name in names}


def _take_columns(block: JsonBlock, found: _Mixed) -> dict[str, list[Any]]:
    """Return the values by the keys that are read by themselves; nothing where a line has a key that is not known, or is in doubt.

    Where each key has a place of its own no dictionaries are made of all others, which takes a fifth of the time.
    """
    places = {key: f"f{place}" for place, key in enumerate(found.shape.keys)}
    apart = {key: place for key, place in places.items() if key in found.apart}
    if not found.first.issuperset(apart):  # in which order these are met is not known
        return {}
    with suppress(ValueError, msgspec.DecodeError, RecursionError):  # a key with a quote; a line in doubt
        fields = [(place, Any, msgspec.UNSET) for place in places.values()]
        told = {place: key for key, place in places.items()}
        line = msgspec.defstruct("Line", fields, rename=told, forbid_unknown_fields=True, gc=False)
        lines = msgspec.json.Decoder(line).decode_lines(block.window.view)
        return {key: list(map(attrgetter(place), lines)) for key, place in apart.items()}
    return {}


def _filled(values: list[Any]) -> list[Any]:
    """Return values with null where a line has none."""
    return [None if value is msgspec.UNSET else value for value in values] if msgspec.UNSET in values else values


def _take_any(block: JsonBlock, known: Mapping[str, Shape]) -> list[Row] | None:
    """Return the members of lines with any keys but those that are known; None where a line is no object."""
    values = decode_together(block.window)
    if values is None or set(map(type, values)) != {dict}:
        return None
    apart = [key for key in dict.fromkeys(chain.from_iterable(values)) if key not in known]
    return [{key: each[key] for key in apart if key in each} for each in values]


def _divide(block: JsonBlock, schema: Schema, sample_lines: int, found: _Mixed) -> tuple[NamedBlock | None, _Columns]:
    """Return the same of lines that are written anew, some without what is read by itself.

    Raises:
        InDoubtError: a line is no object, or no others are left.

    """
    members = _decode_members(block.window.view)
    mixed = {*found.keys, *found.rare}
    if len(members) != len(block.numbers) or not mixed < set().union(*members) - {_NOBODYS}:
        raise InDoubtError
    apart = [{key: each.pop(key) for key in [*filter(mixed.__contains__, each)]} or _NOTHING for each in members]
    named = read_named(replace(block, window=_write(members)), schema, sample_lines)
    return named, _read_alone(block, apart) if mixed else {}


def _read_alone(block: JsonBlock, apart: Sequence[_Members]) -> _Columns:
    """Return the columns of keys that are read by themselves, and their types.

    Raises:
        InDoubtError: a line of these is no row.

    """
    found = read_lines(replace(block, window=_write(apart), naming=Naming(), explode=None))
    if len(found.misfits) or len(found.table) != len(apart):
        raise InDoubtError
    names = [name for name in found.table.column_names if name != _NOBODYS]
    return {name: (found.table[name], (found.types or {})[name]) for name in names}


def _write(lines: Sequence[_Members]) -> ByteView:
    """Return lines of these members, as they stood there."""
    return ByteView.of(_write_lines(lines))


def _find_mixed(head: Sequence[bytes], others: Sequence[bytes]) -> _Mixed:
    """Return what the first lines, and others, have that pyarrow does not read as Python does.

    Where no value is of several kinds, lists may have some that were not seen.

    Raises:
        InDoubtError: a line is no object, or no row, or nothing tells.

    """
    shape, twice = Shape(), set[str]()

    def unite(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            twice.update(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        return members

    values = [json.loads(line, object_pairs_hook=unite) for line in (*head, *others)]
    for value in values:
        if not isinstance(value, dict):
            raise InDoubtError
        shape.add(value)
    first = frozenset[str]().union(*values[: len(head)])
    meeting = _find_meeting(shape)
    if meeting and any(flatten(value) is None for value in values):
        raise InDoubtError
    mixed = {key for key, inner in shape.keys.items() if _is_mixed(inner)} | meeting
    lists = {key for key, inner in shape.keys.items() if list in inner.kinds}
    times = Counter(chain.from_iterable(values))
    rare = {key for key in shape.keys if times[key] * _RARE < len(values)}
    if not mixed and not lists and not twice and not rare:
        raise InDoubtError
    return _Mixed(shape, first, mixed or lists, twice, rare)


def _find_meeting(shape: Shape) -> set[str]:
    """Return the keys of which two may give columns of one name: one with a dot, and one with objects within."""
    names = {key: {key, *inner.names(f"{key}.")} for key, inner in shape.keys.items() if inner.is_object or "." in key}
    times = Counter(chain.from_iterable(names.values()))
    return {key for key, own in names.items() if any(times[name] > 1 for name in own)}


def _is_mixed(shape: Shape) -> bool:
    try:
        shape.arrow(lambda _: None)
    except InDoubtError:
        return True
    return False


def _names(block: JsonBlock, head: Iterable[bytes], others: Sequence[str], apart: Sequence[str]) -> list[str]:
    """Return the names in the order of the lines, of which the first are read for it.

    Raises:
        InDoubtError: that cannot be told, or a name is of both.

    """
    met: Row = {}
    for line in head:
        found = rows_of_line(line, explode=block.explode, keeps_empty=block.keeps_empty)
        for row in found if isinstance(found, list) else ():
            met |= row
    if set(others) & set(apart) or not (set(others) <= met.keys() or set(apart) <= met.keys()):
        raise InDoubtError
    known = {*others, *apart}
    return [name for name in met | dict.fromkeys(others) | dict.fromkeys(apart) if name in known]
