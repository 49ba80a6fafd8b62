"""The rows of small files that were joined, and of which file each of their rejects is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.formats.csv.totals import TOTALS
from tasks.convert.formats.format import misfit_alone
from tasks.convert.schema.blocks import Guess, TypedBlock
from tasks.convert.schema.misfits import NO_MISFITS, join_misfits, sort_misfits
from tasks.convert.staging.context import InputFile
from tasks.convert.staging.escapes import locate_raw
from tasks.convert.staging.members import Member, find_gaps


class Joined(NamedTuple):
    """Files, the rows of all, the rejects of those that have some, and which are odd: of these more is to be told."""

    members: Sequence[Member]
    parsed: TypedBlock
    guess: Guess
    misfits: Mapping[InputFile, pa.Table]
    odd: frozenset[InputFile]
    narrower: frozenset[InputFile] = frozenset()
    """Of which a column has a narrower type than all of its values together."""


def tell_joined(members: Sequence[Member], parsed: TypedBlock, guess: Guess) -> Joined | None:
    """Return the rows of all members, and in which line of its file each stands; None where they are not as many as records."""
    if parsed.received != sum(member.rows for member in members):
        return None
    misfits = sort_misfits(parsed.misfits)
    lines = misfits["line"].to_numpy() - 1
    begins = np.cumsum([0, *(member.lines for member in members)])
    starts = np.cumsum([0, *(len(member.body) for member in members)])
    places = np.searchsorted(begins[1:], lines, side="right")
    edges = np.searchsorted(places, np.arange(len(members) + 1)).tolist()
    in_lines, in_bytes = find_gaps(members, lines - begins[places], edges)
    moved = begins[:-1] - [member.first.line for member in members]
    told = misfits.set_column(0, "line", pa.array(lines - moved[places] + in_lines))
    moved_bytes = starts[:-1] - [(member.first.byte or 0) + (member.mark_bytes or 0) for member in members]
    are_hidden = np.array([member.mark_bytes is None for member in members], bool)[places]
    offsets = pc.subtract(misfits["byte_offset"], pa.array(moved_bytes[places] - in_bytes, mask=are_hidden))
    told = told.set_column(told.column_names.index("byte_offset"), "byte_offset", offsets)
    own = {
        member.file: told.slice(start, stop - start)
        for member, (start, stop) in zip(members, pairwise(edges), strict=True)
        if stop > start
    }
    for member in members:
        if member.totals:
            below = member.locate(member.lines, len(member.body))
            misfit = misfit_alone(member.totals, below, (), TOTALS).misfits
            own[member.file] = join_misfits([own.get(member.file, NO_MISFITS), misfit])
    are_several = pc.match_substring(told["raw"], "\n").fill_null(False).to_numpy()  # lines, of which one may be a row
    apart = {members[place].file for place in places[are_several].tolist()}
    doubted = {m.file for m in members if parsed.warnings and (m.file in own or m.records is not None)}
    own |= locate_raw(members, own)
    odd = frozenset(apart | doubted | {m.file for m in members if m.file in own and m.is_apart})
    if parsed.lines is not None and not odd:
        numbers = np.concatenate([m.number_lines(m.begins) for m in members])
        places_of = np.concatenate([begin + m.begins for begin, m in zip(begins[:-1], members, strict=True)])
        parsed = replace(parsed, lines=np.delete(numbers, np.searchsorted(places_of, lines)).tolist())
    return Joined(members, parsed, guess, own, odd)
