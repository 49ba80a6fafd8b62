"""What is declared to clean a column's texts: what stands around its numbers, the part that is the value, and words for truths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Column
from tasks.convert.schema.affixes import strip_numbers
from tasks.convert.schema.misfits import show
from tasks.convert.schema.moments import as_moments, tell_no_moment
from tasks.convert.schema.types import NULL_TEXTS


@dataclass(frozen=True)
class Cleaned:
    """A column as it is to be cast; the rows at `misfits` are not what is declared, and `taken` counts what was taken off numbers."""

    values: pa.ChunkedArray
    misfits: Sequence[int] = ()
    taken: Mapping[str, int] = field(default_factory=dict)


def clean(values: pa.ChunkedArray, declared: Column) -> Cleaned:
    """Return a column cleaned as is declared; numbers and truths that are typed already have nothing around them."""
    misfits: Sequence[int] = ()
    if declared.pattern is not None:
        values, misfits = _extract(values, declared.pattern, is_text=declared.type in (None, "string"))
    if declared.true or declared.false:
        return _as_bools(values, declared, misfits)
    if declared.counts_time:
        moments, others = as_moments(values, declared)
        return Cleaned(moments, [*misfits, *others])
    if declared.strip and pa.types.is_string(values.type):
        stripped, taken = strip_numbers(values.combine_chunks(), declared)
        return Cleaned(pa.chunked_array([stripped]), misfits, taken)
    return Cleaned(values, misfits)


def tell_unclean(values: pa.ChunkedArray, declared: Column) -> pa.Array:
    """Return why values are not what is declared: no words of a bool, or nothing that the pattern matches."""
    if pa.types.is_string(values.type):
        texts = values.combine_chunks()
        shown = show(texts)
    elif pa.types.is_integer(values.type):
        texts = shown = pc.cast(values, pa.string()).combine_chunks()
    else:
        texts, shown = (pa.array(map(write, values.to_pylist()), pa.string()) for write in (str, "{!r:.60}".format))
    words = " is none of the words that are declared true or false"
    said = pa.repeat(f" {tell_no_moment(declared)}" if declared.counts_time else words, len(texts))
    if declared.pattern is not None:
        is_matched = pc.match_substring_regex(texts, _whole(declared.pattern))
        said = pc.if_else(is_matched, said, " does not match the pattern")
    return pc.binary_join_element_wise(shown, said, "")


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"


def _extract(values: pa.ChunkedArray, pattern: str, *, is_text: bool) -> tuple[pa.ChunkedArray, Sequence[int]]:
    """Return the texts of a pattern's group, and the rows that it does not match."""
    texts = values if pa.types.is_string(values.type) else pc.cast(values, pa.string())
    if not is_text:
        texts = pc.if_else(pc.is_in(pc.utf8_trim_whitespace(texts), pa.array(NULL_TEXTS)), None, texts)
    found = pc.extract_regex(texts, pattern=_whole(_name_group(pattern)))
    groups = pa.chunked_array([pc.struct_field(each, [0]) for each in found.chunks], pa.string())
    misfits = pc.indices_nonzero(pc.and_(pc.is_valid(texts), pc.is_null(found))).to_pylist()
    return pc.if_else(pc.equal(groups, ""), None, groups), misfits


@cache
def _name_group(pattern: str) -> str:
    """Return a pattern with a name for its one group, by which Arrow gives it."""
    in_class, place = False, 0
    while place < len(pattern):
        character = pattern[place]
        if character == "\\":
            place += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
            place += 2 if pattern[place + 1 : place + 3] == "^]" else pattern[place + 1 : place + 2] == "]"
        elif character == "(" and pattern[place + 1] != "?":
            return f"{pattern[: place + 1]}?P<value>{pattern[place + 1 :]}"
        place += 1
    return pattern


def _as_bools(values: pa.ChunkedArray, declared: Column, misfits: Sequence[int]) -> Cleaned:
    """Return words as what they mean."""
    if pa.types.is_boolean(values.type):
        return Cleaned(values, misfits)
    texts = pc.utf8_trim_whitespace(values if pa.types.is_string(values.type) else pc.cast(values, pa.string()))
    words = pc.utf8_lower(texts)
    is_true, is_false = (
        pc.is_in(words, pa.array([word.strip().lower() for word in each], pa.string()))
        for each in (declared.true, declared.false)
    )
    is_word = pc.or_(is_true, is_false)
    unknown = pc.invert(pc.or_(is_word, pc.is_in(texts, pa.array([None, *NULL_TEXTS]))))
    return Cleaned(pc.if_else(is_word, is_true, None), [*misfits, *pc.indices_nonzero(unknown).to_pylist()])
