"""The narrowest type that the values of a column have, which are typed already: `null` where there are none, `long` where a float would not hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Column
from tasks.convert.schema.inference import infer_column, infer_type, pattern_of_typed
from tasks.convert.schema.types import EXACT_IN_FLOAT, TypeName, Types


def narrow_types(
    own: Types, values: Mapping[str, pa.Array | pa.ChunkedArray], columns: Mapping[str, Column]
) -> dict[str, TypeName]:
    """Return the types of columns by their values, those without any as they are.

    A declared type is that of a column without values too; of a timestamp only these tell whether it has a zone.
    """
    whole = [name for name, kind in own.items() if kind == "int" and name in values and _is_whole(values[name])]
    may_be_long = whole if _are_long(values[name] for name in whole) else ()  # mostly none is: told of all at once
    long = {name for name in may_be_long if _are_long([values[name]])}
    return {
        name: _narrow("long" if name in long else kind, values.get(name), columns.get(name))
        for name, kind in own.items()
    }


def _narrow(name: TypeName, values: pa.Array | pa.ChunkedArray | None, declared: Column | None) -> TypeName:
    if values is None or values.null_count < len(values):
        return name
    return "null" if declared is None or declared.type in (None, "timestamp") else name


def _is_whole(values: pa.Array | pa.ChunkedArray) -> bool:
    return bool(pa.types.is_integer(values.type))


def _are_long(columns: Iterable[pa.Array | pa.ChunkedArray]) -> bool:
    """Return whether one of the whole numbers in columns is none that a float would hold."""
    chunks = [chunk for each in columns for chunk in (each.chunks if isinstance(each, pa.ChunkedArray) else [each])]
    if not any(map(_may_be_long, chunks)):
        return False
    extremes = pc.min_max(pa.chunked_array(chunks, pa.int64()))
    least, most = (extremes[name].as_py() or 0 for name in ("min", "max"))
    return bool(most > EXACT_IN_FLOAT or least < -EXACT_IN_FLOAT)


def _may_be_long(values: pa.Array) -> bool:
    """Return whether a whole number may be none that a float would hold: what stands in the place of nulls is asked, too, which takes half the time."""
    data = values.buffers()[1]
    if not len(values) or data is None or values.type != pa.int64():
        return bool(len(values))
    numbers = np.frombuffer(data, np.int64, len(values), values.offset * np.dtype(np.int64).itemsize)
    return bool(numbers.max() > EXACT_IN_FLOAT or numbers.min() < -EXACT_IN_FLOAT)


def is_narrowest(name: TypeName, values: pa.ChunkedArray) -> bool:
    """Return whether a type that fits a column's values is the narrowest that does; in doubt it is not.

    A type may be that of another block: a column of 1 and 2 there had 1.5 too.
    """
    if name == "float":
        return not pc.all(pc.equal(pc.floor(values), values)).as_py()
    if name == "timestamp":
        return not pc.all(pc.equal(pc.floor_temporal(values, unit="day"), values)).as_py()
    if name == "string":
        return infer_type(values) == name
    return True


def find_narrower(table: pa.Table, types: Types, edges: Sequence[int], columns: Mapping[str, Column]) -> np.ndarray:
    """Return of each group of rows, from one edge to before the next, whether a column has a narrower type in it than in all; in doubt of texts it has."""
    filled = np.flatnonzero(np.diff(edges) > 0)
    found = np.zeros(len(edges) - 1, dtype=bool)
    starts = np.asarray(edges)[filled]
    declared = {name for name, column in columns.items() if column.type is not None}
    for name, kind in types.items():
        if kind not in _TOLD or name in declared or name not in table.column_names or not len(filled):
            continue
        values = table[name]
        may_be = pc.fill_null(_TOLD[kind](values), fill_value=True).to_numpy()
        is_narrower = np.logical_and.reduceat(may_be, starts)
        is_narrower &= np.logical_or.reduceat(values.is_valid().to_numpy(), starts)
        for place in filled[is_narrower].tolist() if kind == "string" else ():
            group = values.slice(edges[place], edges[place + 1] - edges[place])
            is_narrower[np.searchsorted(filled, place)] = (
                infer_column(group, ",")[1] != kind or infer_type(group) != kind
            )
        found[filled] |= is_narrower
    return found


_MAY_BE_TYPED = pattern_of_typed(".,")  # a decimal comma too
_TOLD: dict[TypeName, Callable[[pa.ChunkedArray], pa.ChunkedArray]] = {
    "float": lambda values: pc.equal(pc.floor(values), values),
    "timestamp": lambda values: pc.equal(pc.floor_temporal(values, unit="day"), values),
    "string": lambda values: pc.match_substring_regex(values, _MAY_BE_TYPED),
}
