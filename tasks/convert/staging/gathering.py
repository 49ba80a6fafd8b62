"""Small files of any format, each parsed by itself: the rows of those that are alike are written to one part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from itertools import chain, repeat

import pyarrow as pa

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.format import CsvRecords, typed_later
from tasks.convert.formats.csv.together import may_be_joined
from tasks.convert.formats.format import ByteBlock, WholeFormat
from tasks.convert.formats.registry import format_of, read_ahead
from tasks.convert.parts.part import Part
from tasks.convert.parts.rejects import SharedRejects
from tasks.convert.schema.blocks import RawBlock, TypedBlock
from tasks.convert.schema.misfits import NO_MISFITS, join_misfits
from tasks.convert.staging.block import parse_alike, tell_block, write_block
from tasks.convert.staging.context import ConversionContext, ConversionResult, ConvertedFile, InputFile
from tasks.convert.staging.file import Block, Progress, parse_and_release, read_small, sum_up
from tasks.core.bucket import opened
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
    opened.read_ahead(file.path for file in files if isinstance(file.path, str))
    alike: dict[_Kind, _Alike] = {}
    parts: list[Part] = []

    def write(each: _Alike) -> None:
        name = f"{part}-{len(parts):04d}.parquet" if parts else f"{part}.parquet"
        try:
            parts.extend(write_block(each.join(), plan, name, each.rows).parts)
        except TableError as error:  # of their columns, which all of them have
            raise TableError(f"{next(iter(each.rows))}: {error}") from error

    converted: list[ConvertedFile] = []
    with _read_ahead(files, plan):
        for file, told, blocks in _convert(files, plan, part):
            kind = _kind_of(blocks[0])
            alike.setdefault(kind, _Alike()).add(file.name, blocks)
            converted.append(told)
            if alike[kind].size > _PART_BYTES:
                write(alike.pop(kind))
    for each in alike.values():
        write(each)
    done = {file.name for file in converted}
    return ConversionResult(tuple(converted), tuple(parts)), [file for file in files if file.name not in done]


def _read_ahead(files: Sequence[InputFile], plan: ConversionContext) -> AbstractContextManager[None]:
    """Have files that are all of one ending known to what reads them as a whole, as long as the block runs."""
    reading = plan.target.reading
    with suppress(TableError):  # of no known format, which is told where each is opened
        if issubclass(kind := format_of(files[0].name, reading, files[0].path), WholeFormat):
            return read_ahead([file.path for file in files if file.piece is None], kind, reading)
    return nullcontext()


@dataclass(frozen=True)
class _Read:
    """A file as it is read: its blocks, of which those of CSV are not typed yet."""

    file: InputFile
    progress: Progress
    blocks: Sequence[CsvRecords | TypedBlock]


def _convert(
    files: Sequence[InputFile], plan: ConversionContext, part: str
) -> Iterator[tuple[InputFile, ConvertedFile, Sequence[TypedBlock]]]:
    """Yield what became of each file, and its rows, but of one that is not small, is damaged, or wrong in a way that is told where it stands alone."""
    rejects = SharedRejects(plan.target.staged / "rejects", part, plan.target.source)
    waiting: list[_Read] = []
    size = 0
    for file in files:
        with suppress(TableError):
            waiting.append(_read(file, plan))
            size += sum(
                len(block.window) if isinstance(block, CsvRecords) else block.table.nbytes
                for block in waiting[-1].blocks
            )
        if size > _PART_BYTES or file is files[-1]:
            yield from _settle(waiting, plan, rejects)
            waiting, size = [], 0
    rejects.write()


def _read(file: InputFile, plan: ConversionContext) -> _Read:
    progress = Progress()
    blocks = enumerate(read_small(file, plan, progress))
    return _Read(file, progress, [_hold(block, plan, file, is_first=not number) for number, block in blocks])


def _hold(block: Block, plan: ConversionContext, file: InputFile, *, is_first: bool) -> CsvRecords | TypedBlock:
    """Return a block to be parsed with those of other files, its bytes its own; one that may not be is parsed."""
    if not is_first and isinstance(block, RawBlock) and block.received == len(block.misfits):  # a line of totals
        return TypedBlock(block.table, {}, block.received, block.misfits, block.records, empty=block.empty)
    if not isinstance(block, CsvRecords) or not may_be_joined(block.block):
        return _parse(block, plan, file)
    held = typed_later(replace(block.block, window=ByteView.of(block.window.data)))
    plan.buffers.release(block.window.buffer)
    return held


def _settle(
    waiting: Sequence[_Read], plan: ConversionContext, rejects: SharedRejects
) -> Iterator[tuple[InputFile, ConvertedFile, Sequence[TypedBlock]]]:
    """Yield what became of files whose blocks wait to be parsed: those that are alike together."""
    held = [block for read in waiting for block in read.blocks if isinstance(block, CsvRecords)]
    parsed = iter(parse_alike(held, plan))
    for read in waiting:
        known = [next(parsed) or block if isinstance(block, CsvRecords) else block for block in read.blocks]
        with suppress(TableError):
            blocks = [
                _ordered(block, plan) if isinstance(block, TypedBlock) else _parse(block, plan, read.file)
                for block in known
            ]
            if (told := _tell(read, blocks, plan, rejects)) is not None:
                yield read.file, *told


def _tell(
    read: _Read, blocks: Sequence[TypedBlock], plan: ConversionContext, rejects: SharedRejects
) -> tuple[ConvertedFile, Sequence[TypedBlock]] | None:
    """Return what became of a file, and those of its blocks that have rows; None where they differ in their columns."""
    kept = [block for number, block in enumerate(blocks) if not number or len(block.table)]  # as of a file alone
    if len({_kind_of(block) for block in kept}) != 1:
        return None
    told = sum_up(read.file, plan, read.progress, [tell_block(block, rejects.part) for block in blocks]).files[0]
    if told.rejects:
        rejects.add(read.file.name, join_misfits(block.misfits for block in blocks))
    return replace(told, rejects=told.rejects[:1]), kept


def _parse(block: Block, plan: ConversionContext, file: InputFile) -> TypedBlock:
    """Return the rows of a block, typed, their columns in the order of the table as far as that is known."""
    parsed = parse_and_release(block, plan)
    if plan.wanted is None and isinstance(block, ByteBlock) and not block.names:
        plan.order.begin(file.name, parsed.types)
    return _ordered(parsed, plan)


def _ordered(parsed: TypedBlock, plan: ConversionContext) -> TypedBlock:
    if plan.wanted is not None:
        return parsed
    return replace(parsed, table=parsed.table.select(plan.order.sort(parsed.types)))


def _kind_of(block: TypedBlock) -> _Kind:
    """Return the columns of rows, whatever their order, with the types of their values, and those in which they stand."""
    columns = {column.name: column.type for column in block.table.schema}
    return frozenset((name, block.types.get(name), columns.get(name)) for name in {*columns, *block.types})
