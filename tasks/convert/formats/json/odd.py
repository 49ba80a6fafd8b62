"""Blocks of JSON lines a few of which have values of another kind than all others: these are read by themselves, and the others at once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.lines import JsonBlock, Line
from tasks.convert.formats.json.rows import (
    NotARowError,
    Row,
    json_type,
    reject_of,
    rows_of_line,
    texts_of,
)
from tasks.convert.formats.json.shape import InDoubtError
from tasks.convert.formats.json.table import SAMPLE_LINES, NamedBlock, read_named
from tasks.convert.formats.json.types import are_sure
from tasks.convert.schema.blocks import RawBlock, Schema
from tasks.convert.schema.names import refuse_width
from tasks.convert.schema.narrowing import is_narrowest
from tasks.convert.schema.types import LEAST_INT, MOST_INT, TypeName
from tasks.core.errors import TableError

_MOST_ODD = 20  # of so many lines one, or more are read as well line by line
_RARE = 30  # of so many lines one has a key, or a float among integers, that others are not expected to have
_SAMPLE, _TOGETHER = 200, 50
_FIRST_TEXTS = 100

_decode = msgspec.json.Decoder().decode
_Int64 = Annotated[int, msgspec.Meta(ge=LEAST_INT, le=MOST_INT)]


@dataclass
class _Apart:
    """Lines that are read by themselves, by their places: those that are no rows, and the rows of the others."""

    unfit: dict[int, NotARowError] = field(default_factory=dict)
    odd: dict[int, Row] = field(default_factory=dict)

    def add(self, line: bytes, place: int) -> None:
        """Have a line read."""
        found = rows_of_line(line)
        if isinstance(found, NotARowError):
            self.unfit[place] = found
        elif isinstance(found, list):
            self.odd[place] = found[0]


def read_but_odd(block: JsonBlock, schema: Schema, sample_lines: int = SAMPLE_LINES) -> RawBlock | None:
    """Return the rows of all lines as `read_lines` does, the few of other kinds read by themselves; None where others are in doubt.

    Which lines these are is a guess: `read_at_once` still refuses all others of which one is in doubt.
    """
    if not block.typed or block.explode is not None:
        return None
    lines = block.lines
    try:
        apart = _set_apart(block.window, lines, sample_lines)
        if not apart.odd and not apart.unfit:
            return None
        window = block.without([*apart.unfit, *apart.odd])
        named = read_named(replace(block, window=window), schema, sample_lines)
        names = None if named is None else _names(lines[:sample_lines], apart, list(named.columns))
        if named is None or names is None:
            return None
        kept = np.delete(np.arange(len(lines)), list(apart.unfit))
        if named.block.table.num_rows + len(apart.odd) != len(kept):
            return None
        is_odd = np.isin(kept, list(apart.odd))
        merged = _Merged(replace(block, window=window), named, list(apart.odd.values()), is_odd)
        found = _put_together(block, apart, merged, names, kept)
        return replace(found, lines=[lines[place][0] for place in kept.tolist()] if schema.lines else None)
    except (InDoubtError, TableError):
        return None  # told of all lines


def _set_apart(window: ByteView, lines: Sequence[Line], first: int) -> _Apart:
    """Return the lines that are not like most others, as far as these are known by some of them.

    Raises:
        InDoubtError: they are too many.

    """
    apart = _Apart()
    decoder = _decoder_of([*lines[:first], *lines[first :: max(len(lines) // _SAMPLE, 1)]])
    for chunk in range(0, len(lines), _TOGETHER):
        some = lines[chunk : chunk + _TOGETHER]
        _, last, text = some[-1]
        if _is_plain(window.view[some[0][1] : last + len(text)], decoder.decode_lines):
            continue
        for place, (_, _, line) in enumerate(some, start=chunk):
            if not _is_plain(line, decoder.decode):
                apart.add(line, place)
        if len(apart.odd) * _MOST_ODD > len(lines):
            raise InDoubtError
    return apart


def _is_plain(text: bytes | memoryview, decode: Callable[[Any], object]) -> bool:
    try:
        decode(text)  # which passes nothing over, and refuses half a surrogate pair
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _decoder_of(lines: Sequence[Line]) -> msgspec.json.Decoder[Any]:
    """Return a decoder that refuses lines with other keys, or values of another kind, than most of these have."""
    kinds: defaultdict[str, Counter[type]] = defaultdict(Counter)
    for _, _, line in lines:
        for key, value in (_object_of(line) or {}).items():
            kinds[key][type(value)] += 1
    usual = {key: _usual_kind(seen) for key, seen in kinds.items() if seen.total() * _RARE > len(lines)}
    fields = [(f"f{n}", kind, None) for n, kind in enumerate(usual.values())]
    try:
        usual_line = msgspec.defstruct(
            "Line", fields, rename={f"f{n}": key for n, key in enumerate(usual)}, forbid_unknown_fields=True, gc=False
        )
    except ValueError as error:  # a key with a quote
        raise InDoubtError from error
    return msgspec.json.Decoder(usual_line)


def _object_of(line: bytes) -> dict[str, Any] | None:
    """Return the object of a line; None where it is none, or in doubt."""
    try:
        value = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _usual_kind(seen: Counter[type]) -> Any:
    others = Counter({kind: count for kind, count in seen.items() if kind is not type(None)})
    if not others:
        return None
    numbers = others[int] + others[float]
    kind, count = others.most_common(1)[0]
    if numbers < count or kind not in (int, float):
        return kind | None
    return float | None if others[float] * _RARE > numbers else _Int64 | None


def _names(head: Sequence[Line], apart: _Apart, others: Sequence[str]) -> list[str] | None:
    """Return the names in the order of the lines, of which the first are read for it; None where it cannot be told."""
    met: Row = {}
    for place, (_, _, line) in enumerate(head):
        found = rows_of_line(line)
        if isinstance(found, list) and place not in apart.unfit:
            met |= dict.fromkeys(found[0])
    odd = dict.fromkeys(name for place, row in apart.odd.items() if place >= len(head) for name in row)
    if not (set(others) <= set(met) or set(odd) <= set(met)):
        return None
    return list(met | dict.fromkeys(others) | odd)


def _put_together(block: JsonBlock, apart: _Apart, merged: _Merged, names: Sequence[str], kept: np.ndarray) -> RawBlock:
    """Return the rows that were read at once, and between them those that were not; `kept` are the places of their lines."""
    refuse_width(len(names), len(kept))
    read = [merged.column(name) for name in names]
    renamed = block.naming.rename(names)
    table = pa.table([pa.chunked_array([values]) for values, _ in read], renamed)
    types = dict(zip(renamed, (kind for _, kind in read), strict=True))

    def locate(rows: np.ndarray) -> pa.Table:
        return block.locate(kept[rows])

    misfits = reject_of(block.locate(np.array(list(apart.unfit), np.int64)), apart.unfit.values())
    received = len(kept) + len(misfits)
    return RawBlock(table, received, misfits, locate, types, received)


@dataclass(frozen=True)
class _Merged:
    """A block of which some rows were read at once, the odd ones by themselves."""

    block: JsonBlock
    named: NamedBlock
    odd: Sequence[Row]
    is_odd: np.ndarray

    def column(self, name: str) -> tuple[pa.Array, TypeName]:
        """Return the values of a column in the order of the lines, and their type: as they were read, or as `read_lines` has them."""
        odd = [row.get(name) for row in self.odd]
        nulls = self.block.nulls_of(name)
        if name in self.named.columns:
            table, types = self.named.block.table, self.named.block.types or {}
            place = list(self.named.columns).index(name)
            values, kind = table.column(place).combine_chunks(), types[table.column_names[place]]
            if _fits(values, kind, odd, is_plain=not nulls):
                return self._merge(values, pa.array(odd, values.type)), kind
            exact = self._merge_exact(self._exact(name), odd)
            texts = texts_of(exact)
            return texts, json_type(exact, pa.chunked_array([texts]), nulls)
        texts = texts_of(odd)
        nothing = pa.nulls(self.named.block.table.num_rows, pa.string())
        return self._merge(nothing, texts), json_type(odd, pa.chunked_array([texts]), nulls)

    def _exact(self, name: str) -> Sequence[Any]:
        column = self.named.columns[name]
        exact = column.exact(self.block.window)
        return [{} if value == {} else None for value in exact] if column.shape.is_object else exact

    def _merge(self, values: pa.Array, odd: pa.Array) -> pa.Array:
        if not len(odd):
            return values
        places = np.cumsum(~self.is_odd) - 1
        places[self.is_odd] = len(values) + np.arange(len(odd))
        return pa.concat_arrays([values, odd]).take(pa.array(places))

    def _merge_exact(self, values: Sequence[Any], odd: Sequence[Any]) -> list[Any]:
        others, apart = iter(values), iter(odd)
        return [next(apart if is_odd else others) for is_odd in self.is_odd.tolist()]


def _fits(values: pa.Array, kind: TypeName, odd: Sequence[Any], *, is_plain: bool) -> bool:
    """Return whether other values of a column change neither its type nor how it is given."""
    others = [value for value in odd if value is not None]
    if not others:
        return True
    kinds = set(map(type, others))
    if pa.types.is_integer(values.type):
        return kinds == {int} and all(LEAST_INT <= value <= MOST_INT for value in others)
    if pa.types.is_boolean(values.type):
        return kinds == {bool}
    if pa.types.is_floating(values.type):
        return (
            kinds <= {int, float}
            and all(abs(value) <= MOST_INT for value in others)
            and are_sure(np.array(others, float))
        )
    if kind != "string" or kinds != {str} or not is_plain:
        return False
    return is_narrowest("string", pa.chunked_array([values.slice(0, _FIRST_TEXTS)]))
