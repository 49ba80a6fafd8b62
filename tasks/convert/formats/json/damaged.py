"""Blocks of JSON lines some of which are no rows: these are told by themselves, and all others parsed at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.lines import JsonBlock
from tasks.convert.formats.json.rows import NotARowError, is_refusal, may_be_half, reject_of, rows_of_line
from tasks.convert.formats.json.table import SAMPLE_LINES, read_at_once
from tasks.convert.schema.blocks import RawBlock, Schema

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_but_damaged(block: JsonBlock, schema: Schema, sample_lines: int = SAMPLE_LINES) -> RawBlock | None:
    """Return the rows of all lines as `read_lines` does, those that are no rows looked at alone; None where others are in doubt.

    Raises:
        TableError: they have too many different columns.

    """
    unfit = _find_unfit(block)
    if not unfit:
        return None
    found = read_at_once(replace(block, window=_without(block, unfit)), schema, sample_lines)
    if found is None:
        return None
    return replace(
        found,
        received=found.received + len(unfit),
        misfits=reject_of(block.locate(list(unfit)), unfit.values()),
        records=(found.records or 0) + len(unfit),
    )


def _find_unfit(block: JsonBlock) -> dict[int, NotARowError]:
    """Return the lines that are no rows, by their places among those that are not blank: all, or some of them."""
    is_text = _is_utf8(block.window)
    unfit = {}
    for place, (_, _, line) in enumerate(block.lines()):
        if _is_doubtful(line, block) or not (is_text or line.isascii()):
            found = rows_of_line(line, explode=block.explode, keeps_empty=block.keeps_empty, refusals=not block.typed)
            if isinstance(found, NotARowError):
                unfit[place] = found
    return unfit


def _is_doubtful(line: bytes, block: JsonBlock) -> bool:
    try:
        members = _members(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return True
    return (
        not members
        or may_be_half(line)
        or _is_no_list(members, block.explode)
        or (not block.typed and is_refusal(members))
    )


def _is_no_list(members: Mapping[str, msgspec.Raw], explode: str | None) -> bool:
    return explode is not None and explode in members and bytes(memoryview(members[explode])[:1]) not in (b"[", b"n")


def _is_utf8(window: ByteView) -> bool:
    try:
        str(window.view, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _without(block: JsonBlock, unfit: Mapping[int, NotARowError]) -> ByteView:
    """Return the bytes of a block with blanks in place of some lines, so that all others stand where they stood."""
    data = bytearray(block.window.data)
    for place, (_, start, line) in enumerate(block.lines()):
        if place in unfit:
            data[start : start + len(line)] = b" " * len(line)
    return ByteView.of(data)
