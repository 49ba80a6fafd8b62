"""Columns of texts that are cast to one type: together, where they are many and of few rows, as a cast costs by its columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from tasks.config import Column
from tasks.convert.schema.types import TypeName, Types
from tasks.convert.schema.values import Cast, cast_texts, cast_whole

_FEW_ROWS = 5_000
_PLAIN = Column()


def cast_alike(texts: Mapping[str, pa.ChunkedArray], kinds: Types, columns: Mapping[str, Column]) -> dict[str, Cast]:
    """Return the columns of texts that are cast together, each in its type, with the indices of values that are none."""
    groups: defaultdict[TypeName, list[str]] = defaultdict(list)
    for name, kind in kinds.items():
        if name in texts and kind not in ("string", "null") and _are_few(texts[name], columns.get(name, _PLAIN)):
            groups[kind].append(name)
    casts: dict[str, Cast] = {}
    for kind, names in groups.items():
        if len(names) > 1:
            casts |= zip(names, _cast_group([texts[name] for name in names], kind), strict=True)
    return casts


def _are_few(texts: pa.ChunkedArray, declared: Column) -> bool:
    """Return whether a column is one of few texts, of which nothing is declared that tells how its numbers and times are written."""
    is_plain = declared.format is None and declared.thousands is None and declared.decimal is None
    return is_plain and len(texts) <= _FEW_ROWS and bool(pa.types.is_string(texts.type))


def _cast_group(columns: Sequence[pa.ChunkedArray], kind: TypeName) -> Iterator[Cast]:
    """Yield columns in a type: all at once, or those that fit, and then at once the values of the others."""
    rows = len(columns[0])
    whole = cast_whole(_join(columns), kind)
    if whole is not None:
        yield from (Cast(whole.slice(n * rows, rows), np.empty(0, np.int64)) for n in range(len(columns)))
        return
    found = [cast_whole(column, kind) for column in columns]
    others = [column for column, cast in zip(columns, found, strict=True) if cast is None]
    each = cast_texts(_join(others), kind) if others else None
    place = 0
    for cast in found:
        if cast is not None or each is None:
            yield Cast(cast, np.empty(0, np.int64))
            continue
        first, last = np.searchsorted(each.misfits, [place, place + rows])
        yield Cast(each.values.slice(place, rows), each.misfits[first:last] - place)
        place += rows


def _join(columns: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    chunks = [chunk for column in columns for chunk in column.chunks]
    return pa.chunked_array([pa.concat_arrays(chunks)] if chunks else [], pa.string())  # of no rows there may be none
