"""Blocks of JSON lines some of which are no rows: these are told by themselves, and all others read as if they stood alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import compress, repeat
from typing import Any

import msgspec
import numpy as np

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.halves import find_halves
from tasks.convert.formats.json.lines import JsonBlock, Line, read_lines
from tasks.convert.formats.json.mixed import read_but_mixed
from tasks.convert.formats.json.odd import read_but_odd
from tasks.convert.formats.json.rows import (
    HALF,
    TWICE,
    NotARowError,
    are_deep,
    decode_together,
    flatten,
    is_refusal,
    may_be_half,
    reject_of,
    rows_of_line,
)
from tasks.convert.formats.json.table import SAMPLE_LINES, read_at_once
from tasks.convert.schema.blocks import RawBlock, Schema
from tasks.convert.schema.misfits import join_misfits, sort_misfits

_Members = dict[str, msgspec.Raw]
_decode = msgspec.json.Decoder(_Members).decode
_skipper = msgspec.json.Decoder(msgspec.defstruct("Line", []))  # all keys are passed over
_EMPTY = re.compile(rb"\{\s*\}")
_DOTTED = re.compile(rb'\.[^"]*"\s*:')  # a key with a dot, or a text that looks like one


def read_but_damaged(block: JsonBlock, schema: Schema, sample_lines: int = SAMPLE_LINES) -> RawBlock | None:
    """Return the rows of all lines as `read_lines` does, those that are no rows looked at alone; None where there are none of these.

    Raises:
        TableError: the others have too many different columns.

    """
    unfit = {} if _are_fit(block) else _find_unfit(block, block.lines)
    unfit |= dict.fromkeys(_find_twice(block, unfit), TWICE)
    if not unfit:
        return None
    others = replace(block, window=block.without(unfit))
    ways = (read_at_once, read_but_odd, read_but_mixed)
    read = (found for way in ways if (found := way(others, schema, sample_lines)) is not None)
    found = next(read, None) or read_lines(others)
    misfits = reject_of(block.locate(np.array(list(unfit), np.int64)), unfit.values())
    return replace(
        found,
        received=found.received + len(unfit),
        misfits=sort_misfits(join_misfits([misfits, found.misfits])),
        records=(found.records or 0) + len(unfit),
    )


def _find_unfit(block: JsonBlock, lines: Sequence[Line]) -> dict[int, NotARowError]:
    """Return the lines that are no rows, by their places among those that are not blank: all, or some of them."""
    is_text = _is_utf8(block.window)
    halved, may_be_halved = find_halves(block) if may_be_half(block.window.data) else (set(), set())
    explode, keeps_empty, refusals = block.explode, block.keeps_empty, not block.typed
    unfit = dict.fromkeys(halved, HALF)
    for place, (_, _, line) in enumerate(lines):
        if place in halved:
            continue
        is_odd = place in may_be_halved or not (is_text or line.isascii())
        if is_odd or _is_doubtful(line, block):
            found = rows_of_line(line, explode=explode, keeps_empty=keeps_empty, refusals=refusals, is_doubtful=True)
            if isinstance(found, NotARowError):
                unfit[place] = found
    return unfit


def _are_fit(block: JsonBlock) -> bool:
    """Return whether it is sure that there is one object with keys in each line."""
    window = block.window
    if not block.typed or block.explode is not None or may_be_half(window.data) or not _is_utf8(window):
        return False
    try:
        objects = _skipper.decode_lines(window.view)
    except (msgspec.DecodeError, RecursionError):
        return False
    return block.has_object_in_each(len(objects)) and not _EMPTY.search(window.view)


def _is_doubtful(line: bytes, block: JsonBlock) -> bool:
    try:
        if block.typed and block.explode is None:
            _skipper.decode(line)
            return _EMPTY.match(line.lstrip()) is not None
        members = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return True
    return not members or _is_no_list(members, block.explode) or (not block.typed and is_refusal(members))


def _find_twice(block: JsonBlock, unfit: Collection[int]) -> list[int]:
    """Return the other lines that have two values for one column, by their places: all, or none of them.

    Whether a line has depends on its keys alone, and most have the same as others.
    """
    window = block.window
    if block.explode is not None or not (_DOTTED.search(window.view) or b"\\u002" in window):
        return []
    values = decode_together(block.without(unfit))
    others = np.delete(np.arange(len(block.numbers)), list(unfit))
    if values is None or len(values) != len(others) or set(map(type, values)) != {dict} or are_deep(window, values):
        return []
    keys = list(map(_keys_of, values))
    has_twice = {each: flatten(value) is None for each, value in dict(zip(keys, values, strict=True)).items()}
    return [place for place, each in zip(others.tolist(), keys, strict=True) if has_twice[each]]


def _keys_of(value: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the keys of an object, which of them hold objects, and the keys of these."""
    are_objects = tuple(map(isinstance, value.values(), repeat(dict)))
    if True not in are_objects:
        return tuple(value)
    return tuple(value), are_objects, tuple(map(_keys_of, compress(value.values(), are_objects)))


def _is_no_list(members: Mapping[str, msgspec.Raw], explode: str | None) -> bool:
    return explode is not None and explode in members and bytes(memoryview(members[explode])[:1]) not in (b"[", b"n")


def _is_utf8(window: ByteView) -> bool:
    try:
        str(window.view, "utf-8")
    except UnicodeDecodeError:
        return False
    return True
