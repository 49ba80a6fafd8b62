"""Texts to typed rows: the types a block has of its own, and every record with a value that does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Column
from tasks.convert.schema.alike import cast_alike
from tasks.convert.schema.blocks import RawBlock, Schema, TypedBlock
from tasks.convert.schema.cleaning import Cleaned, clean, tell_unclean
from tasks.convert.schema.expressions import find_made, find_read, make_column
from tasks.convert.schema.inference import declared_type, infer_column
from tasks.convert.schema.misfits import join_misfits, join_texts, make_misfits, repeat_text
from tasks.convert.schema.narrowing import is_narrowest, narrow_types
from tasks.convert.schema.points import find_points
from tasks.convert.schema.types import TypeName, Types
from tasks.convert.schema.values import cast_texts, take_out, tell_unfit
from tasks.core.errors import TableError

_NOWHERE = np.empty(0, np.int64)
_Columns = Mapping[str, pa.Array | pa.ChunkedArray]


def cast_known(block: RawBlock, schema: Schema) -> TypedBlock | None:
    """Return the rows that fit of a block whose columns in `types` were read in those of another block; None where it has narrower ones."""
    known = block.types or {}
    if schema.types is None and not all(is_narrowest(kind, block.table[name]) for name, kind in known.items()):
        return None
    return cast_block(block, schema)


def cast_block(block: RawBlock, schema: Schema) -> TypedBlock:
    """Return the rows that fit, in exactly the columns that are asked for, else in the block's own."""
    columns, rows, given = _with_decimal(schema.columns, block.decimal), block.table.num_rows, block.types or {}
    raw = _take_out_declared(block.table, columns)
    cleaned = {name: clean(raw[name], columns[name]) if name in columns else Cleaned(raw[name]) for name in raw}
    texts: dict[str, pa.ChunkedArray] = {}
    own: dict[str, TypeName] = {}
    for name, each in cleaned.items():
        texts[name], own[name] = _read_column(each.values, columns.get(name), given.get(name), block.decimal)
    values: dict[str, pa.Array | pa.ChunkedArray] = {}
    unfit = _Unfit(rows)
    kinds = _kinds(own, schema)
    together = cast_alike(texts, kinds, columns)
    for name, kind in kinds.items():
        if name in own and kind == "string" and block.decimal == ",":
            texts[name] = cleaned[name].values  # with the decimal commas that they have in the file
        found = texts[name] if name in own else pa.chunked_array([pa.nulls(rows)])
        cast = together.get(name) or cast_texts(found, kind, columns.get(name))
        values[name] = cast.values
        if name in own and len(unclean := unfit.find_new(cleaned[name].misfits)):
            unfit.add(name, unclean, tell_unclean(raw[name].take(pa.array(unclean)), columns[name]))
        if len(misfits := unfit.find_new(cast.misfits)):
            unfit.add(name, misfits, tell_unfit(raw.get(name, found).take(pa.array(misfits)), kind))
    made_names = find_made(columns)
    for name in made_names:
        made = make_column(name, columns[name], values, rows, (schema.types or {}).get(name))
        values[name], own[name] = made.values, made.kind
        if len(misfits := unfit.find_new(list(made.misfits))):
            unfit.add(name, misfits, pa.array([made.misfits[row] for row in misfits.tolist()], pa.string()))
    stay = _find_staying(block.table, columns)
    own = narrow_types({name: own[name] for name in stay}, values, columns)
    types = own if schema.types is None else schema.types
    for name, found, reason in _not_allowed(texts, rows, columns, values, types if schema.frozen else None):
        unfit.add(name, unfit.find_new(found), reason)
    values |= _as_written(own, texts, columns) if schema.types is None else {}
    table = pa.table({name: values[name] for name in types})
    told, kept = unfit.misfits(block), np.flatnonzero(unfit.is_fit)
    if len(kept) < rows:
        table = table.filter(pa.array(unfit.is_fit))
    lines = _lines_of(block, kept) if schema.lines else None
    other = dict.fromkeys(name for name in block.table.column_names if name not in own or name in made_names)
    taken = {name: cleaned[name].taken if name in cleaned else {} for name in [*cleaned, *other]}
    taken = {name: counts for name, counts in taken.items() if counts or name in other}
    floats = [name for name in texts if own.get(name) == "float" and name not in columns and not block.is_decided]
    points = {name: point for name in floats if (point := find_points(texts[name])) is not None}
    return TypedBlock(
        table, own, block.received, told, block.records, lines, block.empty, block.warnings, taken, points
    )


class _Unfit:
    """The rows of a block that do not fit, each told once, for the first reason that is found."""

    def __init__(self, rows: int) -> None:
        self.is_fit = np.ones(rows, dtype=bool)
        self._rows = [np.empty(0, np.int64)]
        self._told: list[tuple[str, pa.Array]] = []

    def find_new(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return those of the rows that are not told yet, each once."""
        if not len(rows):  # of most columns none
            return _NOWHERE
        found = np.array(rows, np.int64)
        found = found[self.is_fit[found]]
        if (np.diff(found) > 0).all():
            return found
        _, first = np.unique(found, return_index=True)
        return found if len(first) == len(found) else found[np.sort(first)]

    def add(self, column: str, rows: np.ndarray, reasons: str | pa.Array) -> None:
        """Have new rows told, each with its reason, or all with one."""
        self.is_fit[rows] = False
        self._rows.append(rows)
        self._told.append((column, repeat_text(reasons, len(rows)) if isinstance(reasons, str) else reasons))

    def misfits(self, block: RawBlock) -> pa.Table:
        """Return the misfits of a block, those that its rows are the last."""
        if not self._told:
            return block.misfits
        names = dict.fromkeys(name for name, _ in self._told)
        places = {name: place for place, name in enumerate(names)}
        of_rows = np.repeat([places[name] for name, _ in self._told], [len(each) for _, each in self._told])
        columns = pa.DictionaryArray.from_arrays(of_rows.astype(np.int32), [*names])
        records, reasons = block.locate(np.concatenate(self._rows)), join_texts([each for _, each in self._told])
        return join_misfits([block.misfits, make_misfits(records, reasons, columns)])


def _kinds(own: Types, schema: Schema) -> Types:
    """Return the types in which what is read is cast: those that are asked for, but of what expressions make of others, and read alone."""
    if schema.types is None:
        return own
    made = set(find_made(schema.columns))
    asked = {name: kind for name, kind in schema.types.items() if name in own or name not in made}
    return asked | {name: own[name] for name in own if name in schema.columns and schema.columns[name].drop}


def _as_written(own: Types, texts: Mapping[str, pa.ChunkedArray], columns: Mapping[str, Column]) -> _Columns:
    """Return the columns whose texts all mean null as texts: that is what they are in a table where no other block has values."""
    read = find_read(columns, texts)
    return {
        name: texts[name]
        for name, kind in own.items()
        if kind == "null" and name in texts and name not in read and pa.types.is_string(texts[name].type)
        if name not in columns or columns[name].type is None
    }


def _take_out_declared(table: pa.Table, columns: Mapping[str, Column]) -> dict[str, pa.ChunkedArray]:
    """Return the columns that stay as they are read, or that expressions read, without the values that are declared to mean null."""
    read = find_read(columns, table.column_names)
    return {
        name: take_out(values, columns[name].nulls) if name in columns else values
        for name, values in zip(table.column_names, table.columns, strict=True)
        if name not in columns or name in read or not (columns[name].drop or columns[name].expression)
    }


def _find_staying(table: pa.Table, columns: Mapping[str, Column]) -> list[str]:
    """Return the columns that the rows of a block have in the table, those that are made of others last.

    Raises:
        TableError: none stays.

    """
    every = dict.fromkeys((*table.column_names, *find_made(columns)))
    stay = [name for name in every if name not in columns or not columns[name].drop]
    if every and not stay:
        raise TableError("has no column that is not dropped; take drop out of one of its columns")
    return stay


def _read_column(
    texts: pa.ChunkedArray, declared: Column | None, given: TypeName | None, decimal: str
) -> tuple[pa.ChunkedArray, TypeName]:
    """Return what there is to be cast of a column, and the type it has of its own: as is declared, `given` by its format, or inferred."""
    if declared is not None and declared.type is not None:
        return texts, declared_type(texts, declared)
    is_given = given is not None and (declared is None or declared.pattern is None)
    return (texts, given) if given is not None and is_given else infer_column(texts, decimal)


def _lines_of(block: RawBlock, kept: np.ndarray) -> Sequence[int]:
    if block.lines is None:
        lines: list[int] = block.locate(kept)["line"].to_pylist()
        return lines
    return block.lines if len(kept) == len(block.lines) else [block.lines[row] for row in kept.tolist()]


def _with_decimal(columns: Mapping[str, Column], decimal: str) -> Mapping[str, Column]:
    """Return what is declared, with the file's decimal comma where a column of numbers has none of its own."""
    if decimal != ",":
        return columns
    return {
        name: column.model_copy(update={"decimal": ","})
        if column.decimal is None and (column.type in ("int", "float") or column.counts_time)
        else column
        for name, column in columns.items()
    }


def _not_allowed(
    texts: Mapping[str, pa.ChunkedArray],
    rows: int,
    columns: Mapping[str, Column],
    values: Mapping[str, pa.ChunkedArray],
    allowed: Types | None,
) -> Iterator[tuple[str, np.ndarray, str]]:
    """Yield by column the rows without a value that is required, or with one in a column that the table's contract has not."""
    for name, column in columns.items():
        if column.required:
            empty = values[name].is_null() if name in values else pa.array(np.ones(rows, dtype=bool))
            yield name, pc.indices_nonzero(empty).to_numpy(), "is empty, but required"
    for name, column_texts in texts.items():
        if allowed is not None and name not in allowed and not (name in columns and columns[name].drop):
            rows_with = pc.indices_nonzero(column_texts.is_valid()).to_numpy()
            yield name, rows_with, "is not a column of the table, whose contract is freeze"
