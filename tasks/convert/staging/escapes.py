"""Small CSV files in which a backslash escapes quotes: joined with others as plain ones, their rejects told as they stand in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from tasks.convert.files.byte_view import ByteView
from tasks.convert.files.encoding import SAMPLE_BYTES
from tasks.convert.formats.csv.header import Head
from tasks.convert.formats.csv.quoting import BACKSLASH, Quoting, rewrite_sample
from tasks.convert.schema.blocks import Guess
from tasks.convert.schema.misfits import cut_texts
from tasks.convert.staging.context import ConversionContext, InputFile
from tasks.convert.staging.members import Member, find_quoting, suffix_of

_ESCAPED = b'\\"'
_ODD = (b'"', BACKSLASH.encode())


class Escaped(NamedTuple):
    """The text of a file as plain CSV, and as it stands there, and how its fields are told apart."""

    text: bytes
    raw: bytes
    quoting: Quoting

    @property
    def plain_quoting(self) -> Quoting:
        """Return how the fields of the plain text are told apart."""
        return replace(self.quoting, escape="")


def find_escaped(plain: Mapping[InputFile, tuple[bytes, str]], plan: ConversionContext) -> dict[InputFile, Escaped]:
    """Return those of the files, whose texts are in UTF-8, of which all of the lines are read to tell that a backslash escapes quotes, and nothing else makes them no plain CSV."""
    may_be = ((file, text) for file, (text, _) in plain.items() if _ESCAPED in text and len(text) <= SAMPLE_BYTES)
    found = {file: _read(text, suffix_of(file, plan), plan) for file, text in may_be}
    return {file: each for file, each in found.items() if each is not None}


def _read(text: bytes, suffix: str, plan: ConversionContext) -> Escaped | None:
    quoting = find_quoting(text, suffix, plan)
    if quoting is None or quoting != Quoting(quoting.delimiter, quoting.quote, BACKSLASH):
        return None
    return Escaped(rewrite_sample(text.decode(), quoting).encode(), text, quoting)


def with_raw(members: Sequence[Member], escaped: Mapping[InputFile, Escaped], head: Head) -> list[Member]:
    """Return the files, with their lines as they stand there where they are escaped, but for those whose fields are told apart otherwise than by the head."""
    return [
        member if found is None else replace(member, raw=found.raw[member.first.byte :])
        for member in members
        if (found := escaped.get(member.file)) is None or _is_plain_but_escaped(member, found, head)
    ]


def _is_plain_but_escaped(member: Member, found: Escaped, head: Head) -> bool:
    """Return whether the rows are those of a file of such a head with an escape, read without the lines above them."""
    size, quoting = member.first.byte, found.quoting
    above = found.raw[:size]
    if found.plain_quoting != head.dialect.quoting or not found.text.startswith(above):
        return False
    return not any(odd in above for odd in _ODD) or quoting.rewrite(found.raw[size:]) == found.text[size:]


def locate_raw(members: Sequence[Member], rejects: Mapping[InputFile, pa.Table]) -> dict[InputFile, pa.Table]:
    """Return the rejects of those of the files whose escapes were taken out, each of which has one line, as they stand there."""
    found = [(member, member.raw) for member in members if member.raw is not None and member.file in rejects]
    if not found:
        return {}
    tables, raws = [rejects[member.file] for member, _ in found], [raw for _, raw in found]
    text, sizes = ByteView.of(b"\n".join(raws)), [len(table) for table in tables]
    lines_above = np.cumsum([0, *(raw.count(b"\n") + 1 for raw in raws[:-1])])
    bytes_above = np.cumsum([0, *(len(raw) + 1 for raw in raws[:-1])])
    joined = pa.concat_tables(tables)
    lines = joined["line"].to_numpy() + np.repeat(lines_above - [member.first.line for member, _ in found], sizes)
    starts, stops = (each[lines] for each in text.line_spans_of_any_end)
    begins = [(member.first.byte or 0) + (member.mark_bytes or 0) for member, _ in found]
    are_hidden = np.repeat([member.mark_bytes is None for member, _ in found], sizes)
    offsets = pa.array(starts + np.repeat(begins - bytes_above, sizes), mask=are_hidden)
    for name, values in {"raw": cut_texts(text.view, starts, stops), "byte_offset": offsets}.items():
        joined = joined.set_column(joined.column_names.index(name), name, values)
    edges = np.cumsum([0, *sizes]).tolist()
    return {
        member.file: joined.slice(start, stop - start)
        for (member, _), (start, stop) in zip(found, pairwise(edges), strict=True)
    }


def with_escape(member: Member, guess: Guess) -> Guess:
    """Return how a file was read, with the escape that was taken out of it."""
    return guess if member.raw is None else replace(guess, escape=BACKSLASH)
