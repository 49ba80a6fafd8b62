"""The columns of nested records that pyarrow has read: objects flattened, lists exploded, and each as texts or in its type."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.rows import texts_of
from tasks.convert.formats.json.shape import InDoubtError, Shape
from tasks.convert.formats.json.texts import join_lists, values_at

_EMPTY = re.compile(rb"\{\s*\}")


@dataclass(frozen=True)
class Place:
    """Where a column's values stand: at a path in each record, or at one within each element of the list that is exploded."""

    path: tuple[str, ...]
    within: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """Return the column's name."""
        return ".".join((*self.path, *(self.within or ())))

    @property
    def key(self) -> str:
        """Return the key of its values."""
        return (self.within or self.path)[-1]

    def down(self, key: str) -> Place:
        """Return the place of a key's values in objects here."""
        return Place((*self.path, key)) if self.within is None else Place(self.path, (*self.within, key))


@dataclass(frozen=True)
class JsonColumn:
    """Values at a place, one for each record or element, and the places of those that the rows have."""

    place: Place
    values: pa.Array
    shape: Shape
    taken: pa.Array | None = None

    @property
    def rows(self) -> pa.Array:
        """Return the value of each row."""
        return self.values if self.taken is None else self.values.take(self.taken)

    def texts(self, window: ByteView) -> pa.Array:
        """Return the texts that rows have."""
        return self._expand(self._texts(window))

    def exact(self, window: ByteView) -> list[object]:
        """Return the values of the rows as Python has them."""
        found = [value for values in values_at(window, self.place.path, self.place.within) for value in values]
        if len(found) != len(self.values):
            raise InDoubtError
        return found if self.taken is None else [None if n is None else found[n] for n in self.taken.to_pylist()]

    def _expand(self, texts: pa.Array) -> pa.Array:
        return texts if self.taken is None else texts.take(self.taken)

    def _texts(self, window: ByteView) -> pa.Array:
        kind = self.values.type
        if pa.types.is_string(kind):
            return self.values
        if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
            return pc.cast(self.values, pa.string())
        if pa.types.is_struct(kind):
            return pc.if_else(pc.is_valid(self.values), "{}", pa.scalar(None, pa.string()))
        if pa.types.is_list(kind) and (joined := join_lists(self.values)) is not None:
            return joined
        texts = pa.concat_arrays([texts_of(values) for values in values_at(window, self.place.path, self.place.within)])
        if len(texts) != len(self.values):
            raise InDoubtError
        return texts


@dataclass(frozen=True)
class Exploded:
    """Which record each row is of, and which element it has; `empty` records are no row."""

    records: pa.Array
    elements: pa.Array
    empty: int


def explode_list(lists: pa.ListArray, *, keeps_empty: bool) -> Exploded:
    """Return the rows of a list: one for each element, and where there is none, one if that is kept."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    rows = np.maximum(lengths, 1) if keeps_empty else lengths
    records = np.repeat(np.arange(len(lists)), rows)
    is_none = lengths[records] == 0
    elements = pa.array(np.cumsum(~is_none) - 1, mask=is_none)
    return Exploded(pa.array(records), elements, 0 if keeps_empty else int((lengths == 0).sum()))


@dataclass(frozen=True)
class JsonColumns:
    """All columns: `leaves` have values of their own, `objects` would have where one is null or empty."""

    leaves: Sequence[JsonColumn]
    objects: Sequence[JsonColumn]
    exploded: Exploded | None = None


def flatten_table(table: pa.Table, shape: Shape, explode: str | None, *, keeps_empty: bool) -> JsonColumns:
    """Return the columns of records as pyarrow has read them.

    Raises:
        InDoubtError: there is no list to be exploded.

    """
    top = pa.StructArray.from_arrays([table[name].combine_chunks() for name in shape.keys], list(shape.keys))
    columns = list(_flatten(JsonColumn(Place(()), top, shape), explode))
    exploded = None
    if explode is not None:
        found = next((column for column in columns if column.place.name == explode), None)
        if found is None or found.shape.elements is None:
            raise InDoubtError
        exploded = explode_list(found.values, keeps_empty=keeps_empty)
        elements = JsonColumn(
            Place(found.place.path, ()), found.values.flatten(), found.shape.elements, exploded.elements
        )
        inner = list(_flatten(elements, None)) if elements.shape.is_object else []
        records = [JsonColumn(c.place, c.values, c.shape, exploded.records) for c in columns if c is not found]
        columns = [*records, elements, *inner]
    leaves = [column for column in columns if not column.shape.is_object]
    if not all(_is_finite(column.values) for column in leaves):
        raise InDoubtError  # of NaN, Inf and Infinity pyarrow takes more than Python does
    return JsonColumns(leaves, [column for column in columns if column.shape.is_object], exploded)


def _flatten(column: JsonColumn, explode: str | None) -> Iterator[JsonColumn]:
    """Yield the columns of an object's keys, and of theirs."""
    for (key, inner), values in zip(column.shape.keys.items(), column.values.flatten(), strict=True):
        at = column.place.down(key)
        found = JsonColumn(at, values, inner, column.taken)
        yield found
        if inner.is_object and at.name != explode:
            yield from _flatten(found, explode)


def _is_finite(values: pa.Array) -> bool:
    """Return whether all numbers of a column, or of its lists, are."""
    if pa.types.is_list(values.type):
        return _is_finite(values.flatten())
    return not pa.types.is_floating(values.type) or pc.all(pc.is_finite(values)).as_py() is not False


def may_be_empty(column: JsonColumn, window: ByteView) -> bool:
    """Return whether some objects of a column may have no keys, where pyarrow knows of no value of theirs."""
    nothing = pc.is_valid(column.values)
    for values in column.values.flatten():
        nothing = pc.and_(nothing, pc.is_null(values))
    return bool(pc.any(nothing).as_py()) and _EMPTY.search(window.view) is not None
