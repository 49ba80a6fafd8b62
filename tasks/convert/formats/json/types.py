"""Which type a column of JSON has, and whether its values are given in it or as the texts that they are in JSON."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Column
from tasks.convert.formats.json.columns import JsonColumn
from tasks.convert.formats.json.lines import JsonBlock
from tasks.convert.formats.json.rows import TIME_TYPES, json_type, texts_of
from tasks.convert.schema.blocks import Schema
from tasks.convert.schema.inference import infer_type
from tasks.convert.schema.narrowing import is_narrowest
from tasks.convert.schema.types import ARROW_TYPES, SURE_IN_FLOAT, TypeName
from tasks.convert.schema.values import take_out

_FIRST_TEXTS = 100
_DAY = re.compile(r"[1-9]\d{3}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True)
class ColumnTypes:
    """What is asked of a block's columns; without `all_records` some give no row, and what is known of a value may be of those."""

    block: JsonBlock
    schema: Schema
    all_records: bool

    def read(self, column: JsonColumn, name: str) -> tuple[pa.Array, TypeName]:
        """Return the values of a column, as the block's rows have them, and their type; `name` is that in the table.

        Raises:
            InDoubtError: they cannot be told.

        """
        rows = column.rows
        if column.shape.is_object:
            return self.read_texts(
                texts_of([{} if value == {} else None for value in column.exact(self.block.window)]), name
            )
        if rows.null_count == len(rows):
            return pa.nulls(len(rows), pa.string()), "null"
        if pa.types.is_floating(rows.type):
            return self._read_floats(column, rows, name)
        if pa.types.is_integer(rows.type) or pa.types.is_boolean(rows.type):
            kind = "int" if pa.types.is_integer(rows.type) else "bool"
            if self._is_plain(name):
                return rows, kind
            texts = column.texts(self.block.window)
            return texts, kind if _has_values(take_out(texts, self._nulls(name))) else "null"
        return self.read_texts(column.texts(self.block.window), name)

    def read_texts(self, texts: pa.Array, name: str) -> tuple[pa.Array, TypeName]:
        """Return texts, or the times that they are, and their type; `name` is that in the table."""
        left = pa.chunked_array([take_out(texts, self._nulls(name))])
        if not _has_values(left):
            return texts, "null"
        if not self.block.typed:
            return texts, "string" if is_narrowest("string", left) else infer_type(left)
        if (days := self._read_days(texts, name)) is not None:
            return days, "date"
        kind = infer_type(left.slice(0, _FIRST_TEXTS))  # mostly one look at a text
        if kind not in TIME_TYPES and kind != "null":
            return texts, "string"  # others of them are times, but not all
        if kind in TIME_TYPES and self._wanted(name, kind) == kind and self._is_plain(name):
            try:
                times = pa.chunked_array([pc.cast(texts, ARROW_TYPES[kind])])
            except pa.ArrowInvalid:
                pass
            else:
                if is_narrowest(kind, times) and not _has_padded(texts):
                    return times.chunk(0), kind
        kind = infer_type(left)
        return texts, kind if kind in TIME_TYPES or kind == "null" else "string"

    def _read_days(self, texts: pa.Array, name: str) -> pa.Array | None:
        """Return texts that are all days in full, as which none is a number; None where they may be others."""
        first = texts[0].as_py()
        if (
            first is None
            or not _DAY.fullmatch(first)
            or self._wanted(name, "date") != "date"
            or not self._is_plain(name)
        ):
            return None
        try:
            days = pc.cast(texts, pa.date32())
        except pa.ArrowInvalid:
            return None
        return None if _has_padded(texts) else days

    def _read_floats(self, column: JsonColumn, rows: pa.Array, name: str) -> tuple[pa.Array, TypeName]:
        """Return numbers as floats; where these may not be what stands there, or no float at all, as Python has them."""
        values = rows.drop_null().to_numpy()
        if self._is_plain(name) and self._wanted(name, "float") == "float" and are_sure(values):
            told = self._declared(name).type is not None
            seen = float in column.shape.kinds and self.all_records
            if told or seen or bool((np.floor(values) != values).any()):
                return rows, "float"
        exact = column.exact(self.block.window)
        texts = texts_of(exact)
        chunked = pa.chunked_array([texts])
        nulls = self._nulls(name)
        return texts, json_type(exact, chunked, nulls) if self.block.typed else infer_type(take_out(chunked, nulls))

    def _declared(self, name: str) -> Column:
        return self.schema.columns.get(name, _NOTHING)

    def _nulls(self, name: str) -> Collection[str]:
        return self._declared(name).nulls

    def _wanted(self, name: str, own: TypeName) -> TypeName | None:
        return find_wanted(self.schema, name, own)

    def _is_plain(self, name: str) -> bool:
        return is_plain(self.schema, name)


_NOTHING = Column()


def is_plain(schema: Schema, name: str) -> bool:
    """Return whether nothing is declared of how the values of a column are written, by its name in the table."""
    declared = schema.columns.get(name, _NOTHING)
    return not (declared.nulls or declared.format or declared.thousands or declared.decimal or declared.reads_words)


def find_wanted(schema: Schema, name: str, own: TypeName) -> TypeName | None:
    """Return the type that a column is to have, by its name in the table; None where it is to have none."""
    return (schema.columns.get(name, _NOTHING).type or own) if schema.types is None else schema.types.get(name)


def _has_padded(times: pa.Array) -> bool:
    """Return whether a text that Arrow takes for a time begins with a zero: a padded date is a text, wherever it stands."""
    return bool(pc.any(pc.starts_with(times, "0")).as_py())


def _has_values(values: pa.Array | pa.ChunkedArray) -> bool:
    return bool(values.null_count < len(values))


def are_sure(floats: np.ndarray) -> bool:
    """Return whether no number is null to Python's reader, a whole one that a float cannot hold, or less than zero and nothing."""
    return not find_unsure(floats).any()


def find_unsure(floats: np.ndarray) -> np.ndarray:
    """Return which numbers are not sure to be what stands there."""
    unsure: np.ndarray = ~(np.abs(floats) < SURE_IN_FLOAT) | ((floats == 0) & np.signbit(floats))
    return unsure
