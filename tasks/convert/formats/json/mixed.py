"""Blocks of JSON lines of which some keys have values of several kinds: these columns are read line by line, and all others at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pyarrow as pa

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.lines import JsonBlock, read_lines
from tasks.convert.formats.json.rows import Row, rows_of_line
from tasks.convert.formats.json.shape import InDoubtError, Shape
from tasks.convert.formats.json.table import SAMPLE_LINES, read_named
from tasks.convert.schema.blocks import RawBlock, Schema
from tasks.convert.schema.names import Naming, refuse_width
from tasks.convert.schema.types import TypeName
from tasks.core.errors import TableError

_SAMPLE = 200
_NOBODYS = "\0"
_NOTHING = {_NOBODYS: msgspec.Raw(b"null")}  # of a line that has none of the keys: without one it were no row

_Members = dict[str, msgspec.Raw]
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode_lines
_write_lines = msgspec.json.Encoder().encode_lines


def read_but_mixed(block: JsonBlock, schema: Schema, sample_lines: int = SAMPLE_LINES) -> RawBlock | None:
    """Return the rows of all lines as `read_lines` does, some of their keys read by themselves; None where others are in doubt, or a line is no row.

    Which keys these are is a guess: `read_at_once` still refuses all others of which one is in doubt.
    """
    if not block.typed or block.explode is not None:
        return None
    lines = [line for _, _, line in block.lines()]
    try:
        members, apart = _divide(block.window, lines, sample_lines)
        named = read_named(replace(block, window=_write(members)), schema, sample_lines)
        if named is None or len(named.block.table) != len(lines):
            return None
        alone = _read_alone(block, apart)
        names = _names(lines[:sample_lines], list(named.columns), list(alone))
        refuse_width(len(names), len(lines))
    except (TableError, InDoubtError):
        return None  # told of all lines
    renamed = block.naming.rename(names)
    taken, table, types = dict(zip(names, renamed, strict=True)), named.block.table, named.block.types or {}
    if [taken[name] for name in named.columns] != table.column_names:
        return None
    read = {name: (table[taken[name]], types[taken[name]]) for name in named.columns} | alone
    return RawBlock(
        pa.table([read[name][0] for name in names], renamed),
        len(lines),
        (),
        block.locate,
        {taken[name]: read[name][1] for name in names},
        len(lines),
        lines=[number for number, _, _ in block.lines()] if schema.lines else None,
    )


def _divide(window: ByteView, lines: Sequence[bytes], first: int) -> tuple[list[_Members], list[_Members]]:
    """Return the members of each line that are read with those of the others, and those that are read by themselves.

    Raises:
        InDoubtError: a line is no object, or nothing tells which members these are.

    """
    try:
        mixed = _find_mixed([*lines[:first], *lines[first :: max(len(lines) // _SAMPLE, 1)]])
        members = _decode_members(window.view)
    except (ValueError, RecursionError) as error:
        raise InDoubtError from error
    if len(members) != len(lines) or not mixed < set().union(*members) - {_NOBODYS}:
        raise InDoubtError
    if not mixed:
        return members, []
    return members, [
        {key: each.pop(key) for key in [*filter(mixed.__contains__, each)]} or _NOTHING for each in members
    ]


def _read_alone(block: JsonBlock, apart: Sequence[_Members]) -> dict[str, tuple[pa.Array, TypeName]]:
    """Return the columns of keys that are read by themselves, and their types.

    Raises:
        InDoubtError: a line of these is no row.

    """
    if not apart:
        return {}
    found = read_lines(replace(block, window=_write(apart), naming=Naming()))
    if found.misfits or len(found.table) != len(apart):
        raise InDoubtError
    names = [name for name in found.table.column_names if name != _NOBODYS]
    return {name: (found.table[name], (found.types or {})[name]) for name in names}


def _write(lines: Sequence[_Members]) -> ByteView:
    """Return lines of these members, as they stood there."""
    return ByteView.of(_write_lines(lines))


def _find_mixed(lines: Iterable[bytes]) -> set[str]:
    """Return the keys whose values pyarrow does not read as Python does; none where it is that one comes twice.

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
    return mixed or lists


def _is_mixed(shape: Shape) -> bool:
    try:
        shape.arrow(lambda _: None)
    except InDoubtError:
        return True
    return False


def _names(head: Iterable[bytes], others: Sequence[str], apart: Sequence[str]) -> list[str]:
    """Return the names in the order of the lines, of which the first are read for it.

    Raises:
        InDoubtError: that cannot be told, or a name is of both.

    """
    met: Row = {}
    for line in head:
        found = rows_of_line(line)
        if isinstance(found, list):
            met |= found[0]
    if set(others) & set(apart) or not (set(others) <= met.keys() or set(apart) <= met.keys()):
        raise InDoubtError
    known = {*others, *apart}
    return [name for name in met | dict.fromkeys(others) | dict.fromkeys(apart) if name in known]
