"""Records without objects within, of which each has few of many keys: what they have is told by its places in the bytes, and no dictionary is made of any."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.cells import spread
from tasks.convert.formats.json.halves import find_escapes
from tasks.convert.formats.json.lines import JsonBlock
from tasks.convert.formats.json.rows import NULL_WORDS, TIME_TYPES, are_deep, column_of
from tasks.convert.formats.json.shape import InDoubtError
from tasks.convert.formats.json.types import ColumnTypes, are_sure, find_wanted, is_plain
from tasks.convert.schema.blocks import RawBlock, Schema
from tasks.convert.schema.misfits import NO_MISFITS
from tasks.convert.schema.names import refuse_width
from tasks.convert.schema.types import TypeName
from tasks.convert.schema.values import infer_type

_QUOTE, _COLON, _COMMA, _CLOSING, _ENDING, _BLANK, _TAB, _RETURN, _MINUS, _ZERO, _POINT, _POWER, _SMALL = (
    b'":,}] \t\r-0.e '
)
_NUMBER, _TEXT, _TRUTH, _NULL, _LIST, _WHOLE = 1, 2, 4, 8, 16, 32
_BETWEEN = '","'
_FIRST = 3
_DIGITS = re.compile(r"-?[0-9]+")
_MOST_DIGITS = 18  # of a whole number that 64 bits hold, whatever they are
_KINDS = np.zeros(256, np.uint8)  # of a value, by its first byte; none of objects and blanks
for _bytes, _kind in ((b"-0123456789", _NUMBER), (b'"', _TEXT), (b"tf", _TRUTH), (b"n", _NULL), (b"[", _LIST)):
    _KINDS[list(_bytes)] = _kind


class _Object(msgspec.Struct, gc=False):
    """An object whose members are passed over: whether they are JSON is told."""


_pass_over = msgspec.json.Decoder(_Object).decode_lines
_decode, _decode_texts = msgspec.json.Decoder(list[Any]).decode, msgspec.json.Decoder(list[str]).decode


@dataclass(frozen=True)
class _Members:
    """The members of records: where the values stand, of which kinds they are, and whose; `order` sorts those that are not null by their keys, those of each from one bound to the next."""

    window: ByteView
    names: Sequence[str]
    bounds: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    kinds: np.ndarray
    are_escaped: np.ndarray
    records: np.ndarray

    @cached_property
    def texts(self) -> pa.StringArray:
        """Return the values by their keys, as they stand, but texts without their quotes and escapes: of all columns at once, as to ask for each takes as long as a hundred values.

        Raises:
            InDoubtError: one may be half a surrogate pair.

        """
        is_text = self.kinds == _TEXT
        texts = _cut(self.window, self.starts + is_text, self.stops - is_text, self.order)
        are_escaped = pa.array((self.are_escaped & is_text)[self.order])
        if not pc.any(are_escaped).as_py():
            return texts
        try:
            decoded = _decode_texts(f'["{_join(texts.filter(are_escaped), _BETWEEN)}"]')
        except msgspec.DecodeError as error:
            raise InDoubtError from error
        return pc.replace_with_mask(texts, are_escaped, pa.array(decoded, pa.string()))

    @cached_property
    def wholes(self) -> pa.Int64Array:
        """Return the same as whole numbers of 64 bits, null for what is none: of all columns at once, as texts are."""
        are_whole = pa.array((self.kinds == _WHOLE)[self.order])
        return pc.cast(pc.if_else(are_whole, self.texts, None), pa.int64())

    def columns(self) -> Iterator[tuple[str, int, slice]]:
        """Yield the name, the kinds and the place of the values of each key."""
        kinds = np.bitwise_or.reduceat(np.append(self.kinds[self.order], 0), self.bounds[:-1])
        kinds[self.bounds[1:] == self.bounds[:-1]] = 0
        places = (slice(*bounds) for bounds in pairwise(self.bounds.tolist()))
        yield from zip(self.names, kinds.tolist(), places, strict=True)

    def decode(self, place: slice) -> list[Any]:
        """Return the values of a key as Python has them.

        Raises:
            InDoubtError: one may be half a surrogate pair.

        """
        some = self.order[place]
        text = f"[{_join(_cut(self.window, self.starts[some], self.stops[some]), ',')}]"
        try:
            return _decode(text)
        except msgspec.DecodeError as error:  # a number that is none of 64 bits
            if "\\" in text:
                raise InDoubtError from error
            values: list[Any] = json.loads(text)
            return values


def read_members(block: JsonBlock, schema: Schema) -> RawBlock:
    """Return the rows of all lines as `read_lines` does, but numbers, times and truths in their types.

    Raises:
        InDoubtError: a line may be no flat object, has a key twice, or blanks where most have none.
        TableError: they have too many different columns.

    """
    members, numbers = _find_members(block), block.numbers
    refuse_width(len(members.names), len(numbers))
    renamed = block.naming.rename(members.names)
    read = _Reading(block, schema, members)
    rows, records = len(numbers), members.records[members.order]
    columns: list[pa.Array] = []
    types: dict[str, TypeName] = {}
    for new, (name, kinds, place) in zip(renamed, members.columns(), strict=True):
        values, types[new] = read.column(name, new, kinds, place)
        columns.append(spread(values, records[place], rows))
    table = pa.table(columns, renamed)
    lines = numbers.tolist() if schema.lines else None
    return RawBlock(table, rows, NO_MISFITS, block.locate, types, rows, lines=lines)


@dataclass(frozen=True)
class _Reading:
    """The members of a block, and what is asked of its columns."""

    block: JsonBlock
    schema: Schema
    members: _Members

    def column(self, name: str, new: str, kinds: int, place: slice) -> tuple[pa.Array, TypeName]:
        """Return the values of a column, whose name in the table is `new`, and their type."""
        texts = self.members.texts[place]
        is_free = is_plain(self.schema, new)
        found = None
        if kinds in (0, _TEXT):
            found = self._typed.read_texts(texts, new)
        elif kinds == _TRUTH and is_free:
            found = pc.equal(texts, "true"), "bool"
        elif kinds == _WHOLE and is_free:
            found = self.members.wholes[place], "int"
        elif kinds in (_NUMBER, _NUMBER | _WHOLE) and is_free:
            found = self._numbers(texts, new)
        elif kinds == _WHOLE | _TEXT and is_free:
            found = texts, _type_of_mixed(texts, self.members.kinds[self.members.order[place]] == _TEXT)
        if found is not None:
            return found
        decoded = self.members.decode(place)
        if kinds & _LIST and are_deep(self.block.window, [decoded]):
            raise InDoubtError
        values, kind = column_of(decoded, self.block.nulls_of(name))
        return values.chunk(0), kind

    @property
    def _typed(self) -> ColumnTypes:
        return ColumnTypes(self.block, self.schema, all_records=True)

    def _numbers(self, texts: pa.StringArray, name: str) -> tuple[pa.Array, TypeName] | None:
        """Return numbers of 64 bits, and their type; None where these may not be what stands there."""
        if (whole := _whole(texts)) is not None:
            return whole, "int"
        floats = pc.cast(texts, pa.float64())
        is_asked = find_wanted(self.schema, name, "float") == "float"
        return (floats, "float") if is_asked and are_sure(floats.to_numpy()) else None


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


def _find_members(block: JsonBlock) -> _Members:
    """Return the members of all records.

    Raises:
        InDoubtError: as `read_members`.

    """
    try:
        objects = len(_pass_over(block.window.view))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InDoubtError from error
    if not block.has_object_in_each(objects):
        raise InDoubtError
    window, data = block.window, block.window.to_numpy()
    escapes = find_escapes(data) if b"\\" in window else np.empty(0, np.int64)
    opens, closes = _find_keys(data, escapes)
    first, ends = _find_records(block, data, opens)
    records = np.repeat(np.arange(len(first)), np.diff(first, append=len(opens)))
    starts, stops = _find_values(data, opens, closes, first, ends)
    kinds = _KINDS[data[starts]]
    if not kinds.all():
        raise InDoubtError
    kinds[_are_whole(data, starts, stops, kinds == _NUMBER)] = _WHOLE
    counts = (
        np.searchsorted(escapes, stops) - np.searchsorted(escapes, starts) if len(escapes) else np.zeros_like(starts)
    )
    if counts.sum() < len(escapes):
        raise InDoubtError  # a key may be written in two ways
    keys = _cut(window, opens + 1, closes).dictionary_encode()
    numbers = keys.indices.to_numpy().astype(np.min_scalar_type(len(keys.dictionary)))
    order = np.argsort(numbers, kind="stable")  # of two bytes they are sorted in a fifth of the time
    numbers, met, is_known = numbers[order], records[order], kinds[order] != _NULL
    if ((numbers[1:] == numbers[:-1]) & (met[1:] == met[:-1])).any():
        raise InDoubtError
    names = keys.dictionary.to_pylist()
    bounds = np.searchsorted(numbers[is_known], np.arange(len(names) + 1))
    return _Members(window, names, bounds, order[is_known], starts, stops, kinds, counts > 0, records)


def _find_keys(data: np.ndarray, escapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the quotes that open keys, and of those that close them."""
    quotes = np.flatnonzero(data == _QUOTE)
    escaped = escapes[data[escapes + 1] == _QUOTE] + 1
    if len(escaped):
        quotes = np.delete(quotes, np.searchsorted(quotes, escaped))
    opens, closes = quotes[::2], quotes[1::2]
    after = data[closes + 1]
    is_key = after == _COLON
    if not is_key.all():
        others = after[~is_key]
        if not np.isin(others, (_COMMA, _CLOSING, _ENDING)).all():
            raise InDoubtError
    return opens[is_key], closes[is_key]


def _find_records(block: JsonBlock, data: np.ndarray, opens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which key is the first of each record, and where the brace stands that closes it."""
    lines = block.numbers - block.first_line
    starts, stops = (each[lines] for each in block.window.line_spans)
    ends = stops - 1
    ends -= data[ends] == _RETURN
    first = np.searchsorted(opens, starts)
    if (data[ends] != _CLOSING).any() or not np.diff(first, append=len(opens)).all():
        raise InDoubtError
    return first, ends


def _find_values(
    data: np.ndarray, opens: np.ndarray, closes: np.ndarray, first: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the value of each key begins and ends: before the comma of the next, or the brace."""
    starts = closes + 2
    starts += data[starts] == _BLANK
    stops = np.append(opens[1:] - 1, 0)
    stops -= data[stops] == _BLANK
    stops[np.append(first[1:], len(opens)) - 1] = ends
    before = data[stops - 1]
    if (
        np.count_nonzero(data[stops] == _COMMA) != len(opens) - len(ends)
        or np.isin(before, (_BLANK, _TAB, _RETURN)).any()
    ):
        raise InDoubtError
    return starts, stops


def _are_whole(data: np.ndarray, starts: np.ndarray, stops: np.ndarray, are_numbers: np.ndarray) -> np.ndarray:
    """Return which values are whole numbers of 64 bits, written as Python writes them; others may be these too."""
    places = np.flatnonzero(are_numbers)
    first, last = starts[places], stops[places]
    marks = np.append(np.flatnonzero((data == _POINT) | ((data | _SMALL) == _POWER)), len(data))
    is_whole = marks[np.searchsorted(marks, first)] >= last
    is_whole &= last - first <= _MOST_DIGITS
    is_whole &= (data[first] != _MINUS) | (data[first + 1] != _ZERO)
    whole: np.ndarray = places[is_whole]
    return whole


def _join(texts: pa.StringArray, between: str) -> str:
    """Return all texts as one."""
    joined: str = pc.binary_join(pa.ListArray.from_arrays([0, len(texts)], texts), between)[0].as_py()
    return joined


def _cut(window: ByteView, starts: np.ndarray, stops: np.ndarray, order: np.ndarray | None = None) -> pa.StringArray:
    """Return pieces of the bytes, of which none reaches into the next, as texts."""
    spans = pa.py_buffer(np.stack([starts, stops], axis=1))
    pieces = pa.Array.from_buffers(pa.large_binary(), 2 * len(starts) - 1, [None, spans, window.to_arrow()])
    return pieces.take(pa.array(2 * (np.arange(len(starts)) if order is None else order))).cast(pa.string())
