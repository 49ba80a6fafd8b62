"""Columns of Arrow in the types that tables have; what has no such type becomes a text."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.schema.types import TypeName, arrow_type, name_decimal
from tasks.convert.schema.written import cast_to_texts, write_json, write_texts

_UUID = "arrow.uuid"
_KINDS: tuple[tuple[Callable[[pa.DataType], bool], TypeName], ...] = (
    (pa.types.is_boolean, "bool"),
    (pa.types.is_integer, "int"),
    (pa.types.is_floating, "float"),
    (pa.types.is_date, "date"),
)


def plain_column(column: pa.ChunkedArray) -> tuple[TypeName, pa.ChunkedArray]:
    """Return a column as one of the types of tables."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain_column(pc.cast(column, kind.value_type))
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name != _UUID:
        return plain_column(pc.cast(column, kind.storage_type))
    if pa.types.is_null(kind):
        return "null", pc.cast(column, pa.string())
    name = _name_of(column)
    if name is None:
        return "string", _texts(column)
    try:
        return name, pc.cast(column, arrow_type(name))
    except pa.ArrowInvalid:  # beyond 64 bits, or finer than a microsecond
        return "string", _texts(column)


def _name_of(column: pa.ChunkedArray) -> TypeName | None:
    """Return the type of tables that a column has; None where it has none."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return "timestamp_utc" if kind.tz else "timestamp"
    if pa.types.is_decimal(kind):
        return _name_of_decimals(column)
    return next((name for is_kind, name in _KINDS if is_kind(kind)), None)


def _name_of_decimals(column: pa.ChunkedArray) -> TypeName | None:
    """Return the type of decimals; of those with more digits than most readers know, by what they need, if they do."""
    try:
        return name_decimal(column.type) or name_decimal(pc.cast(column, pa.decimal128(38, column.type.scale)).type)
    except pa.ArrowInvalid:
        return None


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    # Of a duration a cast tells the number, and not of what; of a UUID its bytes, where they happen to be letters.
    if not pa.types.is_duration(column.type) and not isinstance(column.type, pa.BaseExtensionType):
        try:
            return cast_to_texts(column)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pass
    if pa.types.is_nested(column.type):
        return pa.chunked_array(map(write_json, column.chunks), pa.string())
    return pa.chunked_array(map(write_texts, column.chunks), pa.string())
