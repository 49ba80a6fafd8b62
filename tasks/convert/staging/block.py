"""A block of rows to a staged part, and its misfits to staged rejects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.formats.csv.format import CsvRecords
from tasks.convert.formats.csv.together import parse_together
from tasks.convert.formats.format import ByteBlock
from tasks.convert.parts.part import Part, find_dense, order_rows, write_part, write_places
from tasks.convert.parts.rejects import write_rejects
from tasks.convert.schema.blocks import RawBlock, Schema, TypedBlock
from tasks.convert.schema.cast import cast_block
from tasks.convert.schema.names import FILE, LINE
from tasks.convert.schema.shapes import count_shapes
from tasks.convert.schema.target import TableTarget
from tasks.convert.schema.types import Types
from tasks.convert.staging.context import ConversionContext
from tasks.convert.staging.reasons import count_reasons
from tasks.core.errors import TableError
from tasks.core.storage import fsync
from tasks.core.tables import folder_of_value


@dataclass(frozen=True)
class BlockResult:
    """What became of one block of a file; `reasons` are those of its rejects, each with how often it is, where there are any; one may stand there several times."""

    received: int
    records: int
    rejected: int
    reasons: pa.StructArray | None
    parts: tuple[Part, ...]
    rejects: str | None = None
    empty: int = 0
    warnings: Sequence[str] = ()
    taken: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    points: Mapping[str, str] = field(default_factory=dict)


def parse_block(block: ByteBlock | RawBlock, plan: ConversionContext) -> TypedBlock:
    """Return the rows of a block, typed, and its misfits."""
    names = block.names if isinstance(block, ByteBlock) else ()
    schema = _schema_of(names, plan)
    if isinstance(block, RawBlock):
        return cast_block(block, schema)
    parsed = block.parse(schema)
    _keep_types(parsed, names, plan)
    return parsed


def parse_alike(blocks: Sequence[CsvRecords], plan: ConversionContext) -> list[TypedBlock | None]:
    """Return the rows of blocks, each all records of a small file, as `parse_block` gives them; None of each that has to be parsed by itself."""
    found: list[TypedBlock | None] = [None] * len(blocks)
    alike: dict[tuple[str, ...], list[int]] = {}
    for place, block in enumerate(blocks):
        alike.setdefault(block.names, []).append(place)
    for names, places in alike.items():
        together = parse_together([blocks[place].block for place in places], _schema_of(names, plan))
        for place, parsed in zip(places, together, strict=True):
            if parsed is not None:
                found[place] = parsed
                _keep_types(parsed, names, plan)
    return found


def _schema_of(names: tuple[str, ...], plan: ConversionContext) -> Schema:
    """Return what is asked of a block of these columns."""
    target = plan.target
    return Schema(target.columns, plan.wanted, plan.guesses.get(names), target.frozen, target.provenance)


def _keep_types(parsed: TypedBlock, names: tuple[str, ...], plan: ConversionContext) -> None:
    """Have the types of a block tried first with others of the same columns."""
    known = {name: kind for name, kind in parsed.types.items() if kind != "null"}
    plan.guesses[names] = {**parsed.types, **(plan.guesses.get(names) or {}), **known}


def write_block(parsed: TypedBlock, plan: ConversionContext, name: str, rows: Mapping[str, int]) -> BlockResult:
    """Stage the part `name` of a block, or one for each of its partitions, and its rejects; `sync_parts` has the parts on the disk.

    Args:
        parsed: The rows and misfits of the block.
        plan: Where to.
        name: Name of the part's file.
        rows: How many of the rows each file has, in their order.

    """
    target = plan.target
    if plan.wanted is None:
        parsed = replace(parsed, table=parsed.table.select(plan.order.sort(parsed.types)))
    result = tell_block(parsed, name)
    if result.rejects is not None:
        write_rejects(target.staged / "rejects" / name, target.source, {next(iter(rows)): parsed.misfits})
    parts = []
    for folder, table, places in divide_rows(_with_origin(parsed, plan.target, rows), target.partition_by):
        path = f"{folder}{name}"
        _write_sorted(path, table, places, plan)
        if plan.samples is not None:
            plan.samples.keep(path, table)
        counts = dict(rows) if len(rows) > 1 else {next(iter(rows)): table.num_rows}
        shapes = count_text_shapes(table, target)
        parts.append(Part(path, counts, dict(parsed.types), dict(plan.wanted or _types_of(parsed)), shapes))
    return replace(result, parts=tuple(parts))


def tell_block(parsed: TypedBlock, name: str) -> BlockResult:
    """Return what becomes of a block whose rejects, if it has any, are those of the part `name`; its rows are in none yet."""
    return BlockResult(
        received=parsed.received,
        records=parsed.received if parsed.records is None else parsed.records,
        rejected=len(parsed.misfits),
        reasons=count_reasons(parsed.misfits["reason"]) if len(parsed.misfits) else None,
        parts=(),
        rejects=name if len(parsed.misfits) else None,
        empty=parsed.empty,
        warnings=parsed.warnings,
        taken=parsed.taken,
        points=parsed.points,
    )


def _types_of(parsed: TypedBlock) -> Types:
    """Return the types of a block's columns as they are written, in their order: where each text means null they are texts."""
    return {
        column.name: "string" if pa.types.is_string(column.type) else parsed.types[column.name]
        for column in parsed.table.schema
    }


def count_text_shapes(table: pa.Table, target: TableTarget) -> dict[str, dict[str, tuple[int, str]]]:
    """Return the shapes of the texts of each column that is one of texts as nothing is declared of its type."""
    texts = (
        name for name, kind in zip(table.column_names, table.schema.types, strict=True) if pa.types.is_string(kind)
    )
    counted = count_shapes({name: table[name] for name in texts if target.is_inferred(name)})
    return {name: dict(shapes) for name, shapes in counted.items()}


def sync_parts(parts: Iterable[Part], target: TableTarget) -> None:
    """Have staged parts on the disk."""
    for part in parts:
        fsync(target.staged / "table" / part.name)


def _with_origin(parsed: TypedBlock, target: TableTarget, rows: Mapping[str, int]) -> pa.Table:
    """Return the rows with the file and the line that each came from, where that is asked for."""
    table = parsed.table
    if not target.provenance:
        return table
    for column in (FILE, LINE):
        if column in table.column_names:
            raise TableError(
                f"has a column {column} of its own, which provenance would add; rename it, or leave that out"
            )
    files = pa.array([name for name, count in rows.items() for _ in range(count)], pa.string())
    lines = pa.array(parsed.lines, pa.int64()) if parsed.lines is not None else pa.nulls(table.num_rows, pa.int64())
    return table.append_column(FILE, files).append_column(LINE, lines)


def _write_sorted(path: str, table: pa.Table, places: np.ndarray | None, plan: ConversionContext) -> None:
    """Write a part in the order of its table, and where the rows stood before, if duplicates are to be told by that."""
    target = plan.target
    order = order_rows(table, target.sort_by)
    rows = table if order is None else table.take(order)
    write_part(target.staged / "table" / path, rows, find_dense(rows))
    if target.keyed and (order is not None or places is not None):
        places = np.arange(table.num_rows) if places is None else places
        write_places(target.staged, path, places if order is None else places[order.to_numpy()])


def divide_rows(table: pa.Table, by: Sequence[str]) -> Iterator[tuple[str, pa.Table, np.ndarray | None]]:
    """Yield folder, rows and their places in the table for each combination of values of the columns `by`."""
    if not by or not table.num_rows:
        yield "", table, None
        return
    folders = {
        f"level {level}": _folders(table, column) for level, column in enumerate(by)
    }  # pyarrow takes .x for a path
    for combination in pa.table(folders).group_by(list(folders)).aggregate([]).to_pylist():
        here = (pc.equal(folders[level], folder) for level, folder in combination.items())
        places = pc.indices_nonzero(reduce(pc.and_, here))
        yield "".join(f"{folder}/" for folder in combination.values()), table.take(places), places.to_numpy()


def _folders(table: pa.Table, column: str) -> pa.ChunkedArray:
    """Return the name of the folder of each row's value in a column; of null where the rows have no such column."""
    missing = pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
    texts = pc.cast(table[column], pa.string()) if column in table.column_names else missing
    values = pc.unique(texts)
    names = pa.array([folder_of_value(column, value) for value in values.to_pylist()], pa.string())
    return pc.take(names, pc.index_in(texts, values))
