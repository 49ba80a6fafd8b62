"""The columns of records without objects within, of which each has few of many keys: as many of them at once as are of one kind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.formats.json.canonical import are_canonical
from tasks.convert.formats.json.cells import spread
from tasks.convert.formats.json.lines import JsonBlock
from tasks.convert.formats.json.members import (
    FLOAT,
    LIST,
    NULL,
    NUMBER,
    TEXT,
    TRUTH,
    WHOLE,
    Members,
    find_members,
    join,
)
from tasks.convert.formats.json.rows import NULL_WORDS, TIME_TYPES, are_deep, column_of
from tasks.convert.formats.json.shape import InDoubtError
from tasks.convert.formats.json.types import ColumnTypes, are_sure, find_unsure, find_wanted, is_plain
from tasks.convert.schema.blocks import RawBlock, Schema
from tasks.convert.schema.inference import MAY_BE_TYPED, infer_type
from tasks.convert.schema.misfits import NO_MISFITS
from tasks.convert.schema.names import refuse_width
from tasks.convert.schema.types import TypeName

_FIRST = 3
_DIGITS = re.compile(r"-?[0-9]+")

_decode = msgspec.json.Decoder(list[Any]).decode

Read = tuple[pa.Array, TypeName]
"""The values of a column, and their type."""


def read_members(block: JsonBlock, schema: Schema) -> RawBlock:
    """Return the rows of all lines as `read_lines` does, but numbers, times and truths in their types.

    Raises:
        InDoubtError: a line may be no flat object, has a key twice, or blanks where most have none.
        TableError: they have too many different columns.

    """
    members = find_members(block)
    refuse_width(len(members.names), members.rows)
    renamed = block.naming.rename(members.names)
    read = dict(_Reading(block, schema, members, renamed).columns())
    columns = [read[number] for number in range(len(renamed))]
    table = pa.table([values for values, _ in columns], renamed)
    types = dict(zip(renamed, (kind for _, kind in columns), strict=True))
    lines = block.numbers.tolist() if schema.lines else None
    return RawBlock(table, members.rows, NO_MISFITS, block.locate, types, members.rows, lines=lines)


@dataclass(frozen=True)
class _Reading:
    """The members of a block, what is asked of its columns, and their names in the table."""

    block: JsonBlock
    schema: Schema
    members: Members
    renamed: list[str]

    def columns(self) -> Iterator[tuple[int, Read]]:
        """Yield the number of each name, the values of its column, and their type."""
        members, kinds = self.members, self._free_kinds
        usual = NUMBER | WHOLE if members.are_all_whole else WHOLE
        are_whole = (kinds > 0) & (kinds & ~usual == 0)
        are_floats, are_truths = self._find_floats(), kinds == TRUTH
        yield from self._spread(are_whole, members.wholes, "int")
        if are_floats.any():
            yield from self._spread(are_floats, members.floats, "float")
        if are_truths.any():
            yield from self._spread(are_truths, members.truths, "bool")
        others = ~(are_whole | are_floats | are_truths)
        if others.any():
            yield from _Texts(self, others).columns()

    @cached_property
    def are_free(self) -> np.ndarray:
        """Return of which names nothing is declared of how the values are written."""
        declared = self.schema.columns
        return np.array([name not in declared or is_plain(self.schema, name) for name in self.renamed], bool)

    @cached_property
    def _free_kinds(self) -> np.ndarray:
        return np.where(self.are_free, self.members.kinds_of_names, 0)

    def _find_floats(self) -> np.ndarray:
        """Return which names have numbers that are floats, and what stands there."""
        kinds, members = self._free_kinds, self.members
        are_floats: np.ndarray = (kinds & FLOAT > 0) & (kinds & ~(FLOAT | NUMBER | WHOLE) == 0)
        for number in np.flatnonzero(are_floats).tolist():
            are_floats[number] = find_wanted(self.schema, self.renamed[number], "float") == "float"
        if are_floats.any():
            are_floats[members.numbers[find_unsure(members.floats)]] = False
        return are_floats

    def _spread(self, are_chosen: np.ndarray, values: np.ndarray, kind: TypeName) -> Iterator[tuple[int, Read]]:
        """Yield the columns of some names, which have values of one kind."""
        if are_chosen.all() and not self._has_nulls:
            spaced = spread(pa.array(values), self.members.cells, self.cells(are_chosen))
        else:
            some = self.find(are_chosen)
            spaced = spread(pa.array(values[some]), self.places(are_chosen, some), self.cells(are_chosen))
        yield from self.divide(are_chosen, spaced, kind)

    @cached_property
    def _has_nulls(self) -> bool:
        return bool((self.members.kinds == NULL).any())

    def find(self, are_chosen: np.ndarray) -> np.ndarray:
        """Return the members of some names, but for nulls."""
        are_known = self.members.kinds != NULL
        return np.flatnonzero(are_known if are_chosen.all() else are_known & are_chosen[self.members.numbers])

    def cells(self, are_chosen: np.ndarray) -> int:
        """Return how many values the columns of some names have, nulls too."""
        return int(np.count_nonzero(are_chosen)) * self.members.rows

    def places(self, are_chosen: np.ndarray, some: np.ndarray) -> np.ndarray:
        """Return where members of some names stand where the columns of these are one."""
        places: np.ndarray = self.members.cells[some]
        if not are_chosen.all():
            places -= ((~are_chosen).cumsum() * self.members.rows)[self.members.numbers[some]]
        return places

    def divide(self, are_chosen: np.ndarray, values: pa.Array, kind: TypeName) -> Iterator[tuple[int, Read]]:
        """Yield the columns of some names, which are one."""
        rows = self.members.rows
        for place, number in enumerate(np.flatnonzero(are_chosen).tolist()):
            yield number, (values.slice(place * rows, rows), kind)


class _Texts:
    """The columns of some names, of which all may be texts; their members are sorted by these."""

    def __init__(self, reading: _Reading, are_chosen: np.ndarray) -> None:
        self._reading, self._members, self._are_chosen = reading, reading.members, are_chosen
        members, some = self._members, reading.find(are_chosen)
        numbers = members.numbers[some].astype(np.min_scalar_type(len(members.names)))
        order = np.argsort(numbers, kind="stable")  # of two bytes they are sorted in a fifth of the time
        self._order = some[order]
        self._bounds = np.searchsorted(numbers[order], np.arange(len(members.names) + 1))
        self._kinds = members.kinds[self._order]
        self._texts = members.texts(self._order)

    def columns(self) -> Iterator[tuple[int, Read]]:
        """Yield the number of each name, the values of its column, and their type."""
        are_texts = self._are_chosen & self._reading.are_free & self._find_texts()
        if are_texts.any():
            yield from self._reading.divide(are_texts, self._spread(are_texts), "string")
        rows, records = self._members.rows, self._members.records[self._order]
        for number in np.flatnonzero(self._are_chosen & ~are_texts).tolist():
            place = slice(*self._bounds[number : number + 2].tolist())
            values, kind = self._read(number, place)
            yield number, (spread(values, records[place], rows), kind)

    def _spread(self, are_texts: np.ndarray) -> pa.Array:
        are_some, texts, order = are_texts[self._members.numbers[self._order]], self._texts, self._order
        if not are_some.all():
            texts, order = texts.filter(pa.array(are_some)), order[are_some]
        return spread(texts, self._reading.places(are_texts, order), self._reading.cells(are_texts))

    def _find_texts(self) -> np.ndarray:
        """Return which names are sure to have texts, lists, or some of these beside others, all of which stand there as in a table."""
        kinds, members = self._members.kinds_of_names, self._members
        are_texts: np.ndarray = (kinds & LIST > 0) | self._begin_with_words()
        are_texts &= kinds & NUMBER == 0
        in_doubt = self._order[self._find_unlike()]
        are_texts[members.numbers[in_doubt]] = False
        return are_texts

    def _find_unlike(self) -> np.ndarray:
        """Return which lists and floats may not stand there as Python writes them."""
        are_unlike: np.ndarray = (self._kinds == LIST) & self._members.are_escaped[self._order]
        places = np.flatnonzero((self._kinds & (LIST | FLOAT) > 0) & ~are_unlike)
        if len(places):
            are_unlike[places] = ~are_canonical(self._texts.take(pa.array(places)))
        return are_unlike

    def _begin_with_words(self) -> np.ndarray:
        """Return of which names the first text is none that may be of another type: they are columns of texts."""
        begin = np.zeros(len(self._members.names), dtype=bool)
        places = np.flatnonzero(self._kinds == TEXT)
        first = np.searchsorted(places, self._bounds[:-1])
        some = np.flatnonzero(first < np.searchsorted(places, self._bounds[1:]))
        texts = self._texts.take(pa.array(places[first[some]])).to_pylist()
        begin[some] = [not MAY_BE_TYPED.match(text) for text in texts]
        return begin

    def _read(self, number: int, place: slice) -> Read:
        """Return the values of a column by itself."""
        texts, kinds = self._texts[place], int(self._members.kinds_of_names[number])
        is_free, new = bool(self._reading.are_free[number]), self._reading.renamed[number]
        found = None
        if kinds in (0, TEXT):
            found = self._typed.read_texts(texts, new)
        elif not kinds & ~(NUMBER | WHOLE | FLOAT) and is_free:
            found = self._numbers(texts, new)
        elif kinds == WHOLE | TEXT and is_free:
            found = texts, _type_of_mixed(texts, self._kinds[place] == TEXT)
        if found is not None:
            return found
        decoded = self._decode(place)
        if kinds & LIST and are_deep(self._members.window, [decoded]):
            raise InDoubtError
        values, kind = column_of(decoded, self._reading.block.nulls_of(self._members.names[number]))
        return values.chunk(0), kind

    @property
    def _typed(self) -> ColumnTypes:
        return ColumnTypes(self._reading.block, self._reading.schema, all_records=True)

    def _numbers(self, texts: pa.StringArray, name: str) -> Read | None:
        """Return numbers of 64 bits, and their type; None where these may not be what stands there."""
        if (whole := _whole(texts)) is not None:
            return whole, "int"
        floats = pc.cast(texts, pa.float64())
        is_asked = find_wanted(self._reading.schema, name, "float") == "float"
        return (floats, "float") if is_asked and are_sure(floats.to_numpy()) else None

    def _decode(self, place: slice) -> list[Any]:
        """Return values as Python has them.

        Raises:
            InDoubtError: one may be half a surrogate pair.

        """
        text = f"[{join(self._members.as_they_stand(self._order[place]), ',')}]"
        try:
            return _decode(text)
        except msgspec.DecodeError as error:  # a number that is none of 64 bits
            if "\\" in text:
                raise InDoubtError from error
            values: list[Any] = json.loads(text)
            return values


def _whole(texts: pa.StringArray) -> pa.Array | None:
    """Return numbers as whole ones of 64 bits; None where one is none: the first are looked at, as each that is none takes as long as many that are."""
    if not all(map(_DIGITS.fullmatch, texts[:_FIRST].to_pylist())):
        return None
    try:
        return pc.cast(texts, pa.int64())
    except pa.ArrowInvalid:
        return None


def _type_of_mixed(texts: pa.StringArray, is_text: np.ndarray) -> TypeName:
    """Return the type of whole numbers and texts."""
    if texts[int(is_text.argmax())].as_py() in NULL_WORDS and NULL_WORDS.issuperset(texts.filter(is_text).to_pylist()):
        return "int"
    kind = infer_type(pa.chunked_array([texts]))
    return kind if kind in TIME_TYPES else "string"
