"""Blocks of JSON lines of which some keys have values of several kinds: these columns are read line by line, and all others at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pyarrow as pa

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.lines import JsonBlock, read_flat, read_lines
from tasks.convert.formats.json.rows import Row, rows_of_line
from tasks.convert.formats.json.shape import InDoubtError, Shape
from tasks.convert.formats.json.table import SAMPLE_LINES, NamedBlock, read_named
from tasks.convert.schema.blocks import RawBlock, Schema
from tasks.convert.schema.names import Naming, refuse_width
from tasks.convert.schema.types import TypeName
from tasks.core.errors import TableError

_SAMPLE = 200
_NOBODYS = "\0"
_NOTHING = {_NOBODYS: msgspec.Raw(b"null")}  # of a line that has none of the keys: without one it were no row

_Columns = dict[str, tuple[pa.ChunkedArray, TypeName]]
_Members = dict[str, msgspec.Raw]
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode_lines
_write_lines = msgspec.json.Encoder().encode_lines


def read_but_mixed(block: JsonBlock, schema: Schema, sample_lines: int = SAMPLE_LINES) -> RawBlock | None:
    """Return the rows of all lines as `read_lines` does, some of their keys read by themselves; None where others are in doubt, or a line is no row.

    Which keys these are is a guess: `read_at_once` still refuses all others of which one is in doubt. Records without objects within
    are decoded together in less time than they are divided.
    """
    if not block.typed:
        return None
    lines = [line for _, _, line in block.lines]
    try:
        shape, mixed = _find_mixed([*lines[:sample_lines], *lines[sample_lines :: max(len(lines) // _SAMPLE, 1)]])
        if not any(dict in inner.kinds for inner in shape.keys.values()) and (flat := read_flat(block)) is not None:
            return flat
        if block.explode is not None and block.explode.partition(".")[0] in mixed:
            return None
        members, apart = _divide(block.window, len(lines), mixed)
        named = read_named(replace(block, window=_write(members)), schema, sample_lines)
        if named is None or named.block.records != len(lines) or (named.exploded and named.block.empty):
            return None
        alone = _read_alone(block, apart)
        names = _names(block, lines[:sample_lines], list(named.columns), list(alone))
        return _put_together(block, schema, named, alone, names)
    except (ValueError, RecursionError, TableError, InDoubtError):
        return None  # told of all lines


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


def _divide(window: ByteView, lines: int, mixed: set[str]) -> tuple[list[_Members], list[_Members]]:
    """Return the members of each line that are read with those of the others, and those that are read by themselves.

    Raises:
        InDoubtError: a line is no object, or no others are left.

    """
    members = _decode_members(window.view)
    if len(members) != lines or not mixed < set().union(*members) - {_NOBODYS}:
        raise InDoubtError
    if not mixed:
        return members, []
    return members, [
        {key: each.pop(key) for key in [*filter(mixed.__contains__, each)]} or _NOTHING for each in members
    ]


def _read_alone(block: JsonBlock, apart: Sequence[_Members]) -> _Columns:
    """Return the columns of keys that are read by themselves, and their types.

    Raises:
        InDoubtError: a line of these is no row.

    """
    if not apart:
        return {}
    found = read_lines(replace(block, window=_write(apart), naming=Naming(), explode=None))
    if len(found.misfits) or len(found.table) != len(apart):
        raise InDoubtError
    names = [name for name in found.table.column_names if name != _NOBODYS]
    return {name: (found.table[name], (found.types or {})[name]) for name in names}


def _write(lines: Sequence[_Members]) -> ByteView:
    """Return lines of these members, as they stood there."""
    return ByteView.of(_write_lines(lines))


def _find_mixed(lines: Iterable[bytes]) -> tuple[Shape, set[str]]:
    """Return the shape of lines, and the keys whose values pyarrow does not read as Python does; none where it is that one comes twice.

    Where no value is of several kinds, lists may have some that were not seen.

    Raises:
        InDoubtError: a line is no object, or nothing tells.

    """
    shape, twice = Shape(), list[int]()

    def unite(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        twice.extend([1] * (len(members) < len(pairs)))
        return members

    for line in lines:
        value = json.loads(line, object_pairs_hook=unite)
        if not isinstance(value, dict):
            raise InDoubtError
        shape.add(value)
    mixed = {key for key, inner in shape.keys.items() if _is_mixed(inner)}
    lists = {key for key, inner in shape.keys.items() if list in inner.kinds}
    if not mixed and not lists and not twice:
        raise InDoubtError
    return shape, mixed or lists


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
