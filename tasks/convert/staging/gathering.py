"""Small files of any format, each parsed by itself: the rows of those that are alike are written to one part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, repeat

import pyarrow as pa

from tasks.convert.formats.format import ByteBlock
from tasks.convert.parts.part import Part
from tasks.convert.parts.rejects import write_rejects
from tasks.convert.schema.blocks import TypedBlock
from tasks.convert.schema.misfits import NO_MISFITS
from tasks.convert.staging.block import tell_block, write_block
from tasks.convert.staging.context import ConversionContext, ConversionResult, ConvertedFile, InputFile
from tasks.convert.staging.file import Block, Progress, parse_and_release, read_small, sum_up
from tasks.core.bucket.opened import read_ahead
from tasks.core.errors import TableError

GATHERED_FILES = 100  # an interrupt waits for as many

_PART_BYTES = 16 * 1024 * 1024  # as its rows are in memory

_Kind = frozenset[tuple[str, str | None, pa.DataType | None]]


@dataclass
class _Alike:
    """The rows of files with the same columns, of the same types."""

    blocks: list[TypedBlock] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    size: int = 0

    def add(self, file: str, blocks: Sequence[TypedBlock]) -> None:
        """Take the rows of a file."""
        order = (self.blocks or blocks)[0].table.column_names
        self.blocks += [replace(block, table=block.table.select(order)) for block in blocks]
        self.size += sum(block.table.nbytes for block in blocks)
        self.rows[file] = sum(block.table.num_rows for block in blocks)

    def join(self) -> TypedBlock:
        """Return the rows of all files, as if they were one block."""
        lines = None
        if any(block.lines is not None for block in self.blocks):
            lines = [*chain.from_iterable(block.lines or repeat(None, len(block.table)) for block in self.blocks)]
        table = pa.concat_tables([block.table for block in self.blocks])
        return replace(self.blocks[0], table=table, received=len(table), misfits=NO_MISFITS, lines=lines)


def gather_files(
    files: Sequence[InputFile], plan: ConversionContext, part: str
) -> tuple[ConversionResult, list[InputFile]]:
    """Stage the rows of the files, those of a kind in one part; return also the files that have to be converted one by one."""
    read_ahead(file.path for file in files if isinstance(file.path, str))
    alike: dict[_Kind, _Alike] = {}
    parts: list[Part] = []

    def write(each: _Alike) -> None:
        name = f"{part}-{len(parts):04d}.parquet" if parts else f"{part}.parquet"
        parts.extend(write_block(each.join(), plan, name, each.rows).parts)

    converted: list[ConvertedFile] = []
    others: list[InputFile] = []
    for place, file in enumerate(files):
        found = _convert(file, plan, f"{part}-{place:04d}")
        if found is None:
            others.append(file)
            continue
        told, blocks = found
        kind = _kind_of(blocks[0])
        alike.setdefault(kind, _Alike()).add(file.name, blocks)
        converted.append(told)
        if alike[kind].size > _PART_BYTES:
            write(alike.pop(kind))
    for each in alike.values():
        write(each)
    return ConversionResult(tuple(converted), tuple(parts)), others


def _convert(
    file: InputFile, plan: ConversionContext, rejects: str
) -> tuple[ConvertedFile, Sequence[TypedBlock]] | None:
    """Return what became of a file, and its rows; None where it is not small, is damaged, or wrong in a way that is told where it stands alone."""
    progress = Progress()
    try:
        blocks = [_parse(block, plan, file) for block in read_small(file, plan, progress)]
        kept = [block for number, block in enumerate(blocks) if not number or len(block.table)]  # as of a file alone
        if len({_kind_of(block) for block in kept}) != 1:
            return None
        results = [tell_block(block, f"{rejects}-{number}.parquet") for number, block in enumerate(blocks)]
        told = sum_up(file, plan, progress, results).files[0]
    except TableError:
        return None
    for result, block in zip(results, blocks, strict=True):
        if result.rejects is not None:
            write_rejects(plan.target.staged / "rejects" / result.rejects, plan.target.source, file.name, block.misfits)
    return told, kept


def _parse(block: Block, plan: ConversionContext, file: InputFile) -> TypedBlock:
    """Return the rows of a block, typed, their columns in the order of the table as far as that is known."""
    parsed = parse_and_release(block, plan)
    if plan.wanted is not None:
        return parsed
    if isinstance(block, ByteBlock) and not block.names:
        plan.order.begin(file.name, parsed.types)
    return replace(parsed, table=parsed.table.select(plan.order.sort(parsed.types)))


def _kind_of(block: TypedBlock) -> _Kind:
    """Return the columns of rows, whatever their order, with the types of their values, and those in which they stand."""
    columns = {column.name: column.type for column in block.table.schema}
    return frozenset((name, block.types.get(name), columns.get(name)) for name in {*columns, *block.types})
