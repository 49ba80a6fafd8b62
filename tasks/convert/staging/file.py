"""One file to its parts: read without blocking the loop, cut into blocks, and each block written in a thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor, wait
from contextlib import aclosing, nullcontext, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import aiofiles
import xxhash

from tasks.convert.files.opening import DamagedError, Stream, suffixes
from tasks.convert.formats.csv.totals import take_totals
from tasks.convert.formats.format import ByteBlock, StreamedFormat, WholeFormat
from tasks.convert.formats.registry import format_of, is_read_whole, read_whole
from tasks.convert.formats.splitter import RecordSplitter
from tasks.convert.schema.blocks import DECIMAL_COMMA, Guess, Hint, RawBlock, TypedBlock
from tasks.convert.schema.points import add_points
from tasks.convert.staging.block import BlockResult, parse_block, sync_parts, write_block
from tasks.convert.staging.context import (
    ConversionContext,
    ConversionResult,
    ConvertedFile,
    InputFile,
    add_taken,
)
from tasks.convert.staging.reasons import most_common
from tasks.convert.staging.unchanged import check_unchanged, content_digest, told_failures
from tasks.core.errors import TableError
from tasks.core.escaping import count
from tasks.raw.files import fetch_again

BLOCK_BYTES = 8 * 1024 * 1024  # aiofiles hands every call to a thread: few large blocks, never lines
_FEW_BLOCKS = 2  # of a small file
_FEW_BYTES = 4 * 1024 * 1024  # of which a file's blocks are all in memory at once
MOST_BYTES = 512 * 1024  # of a small file, decompressed: of more, a hundred would be in memory, and gain nothing by it

Block = ByteBlock | RawBlock
Value = TypeVar("Value")


@dataclass(frozen=True)
class ConversionThreads:
    """The threads that convert, how many blocks may be in memory for all of them, and how many files that are read as a whole."""

    threads: Executor
    blocks: asyncio.Semaphore
    whole: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(os.cpu_count() or 1))

    async def run(self, call: Callable[..., Value], *arguments: Any) -> Value:
        """Return what a call gives in one of the threads; one that has begun is waited for, also where nobody wants its value."""
        begun = self.threads.submit(call, *arguments)
        try:
            return await asyncio.wrap_future(begun)
        finally:
            if not begun.done() and not begun.cancel():
                await asyncio.to_thread(wait, [begun])


@dataclass
class Progress:
    """What has become of a file's blocks so far."""

    converting: list[asyncio.Task[BlockResult]] = field(default_factory=list)
    written: list[asyncio.Task[BlockResult]] = field(default_factory=list)
    digest: str = ""
    content: str = ""
    encoding: str = "utf-8"
    guess: Guess | None = None
    damage: str = ""
    is_read_at_once: bool = False
    warnings: tuple[str, ...] = ()
    first: str = ""
    """The part that the first block becomes."""
    is_ordered: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether it is known in which order the first block has its columns, or that this will not be."""

    def tell(self, opened: RecordSplitter) -> None:
        """Take what was found of a file that is cut into blocks, once it is read."""
        self.encoding, self.guess, self.warnings = opened.encoding.name, opened.guess, opened.warnings


async def convert_file(
    file: InputFile, plan: ConversionContext, part: str, workers: ConversionThreads
) -> ConversionResult:
    """Stage the parts of a file, and its rejects where it has any.

    The parts are named `part`.parquet and, for the blocks after the first,
    `part`-0001.parquet and so on.

    Raises:
        TableError: the file cannot be read, is of no known format, or changed meanwhile.

    """
    progress = Progress()
    try:
        async with aclosing(_read_blocks(file, plan, progress, workers)) as blocks:
            async for block in blocks:
                await workers.blocks.acquire()
                name = f"{part}-{len(progress.written):04d}.parquet" if progress.written else f"{part}.parquet"
                progress.first = progress.first or name
                converting = asyncio.create_task(_convert(block, plan, progress, name, file.name, workers))
                converting.add_done_callback(lambda _: workers.blocks.release())
                progress.converting.append(converting)
                progress.written.append(asyncio.create_task(_sync(converting, plan)))
        written = await asyncio.gather(*progress.written)
        if not progress.is_read_at_once:
            await asyncio.to_thread(check_unchanged, file)
        return sum_up(file, plan, progress, written)
    except TableError as error:
        raise TableError(f"{file.name}: {error}") from error
    finally:
        begun = [*progress.converting, *progress.written]
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)


async def _sync(converting: asyncio.Task[BlockResult], plan: ConversionContext) -> BlockResult:
    """Have what a block becomes on the disk; other blocks have the threads meanwhile."""
    written = await converting
    await asyncio.to_thread(sync_parts, written.parts, plan.target)
    return written


async def _convert(
    block: Block, plan: ConversionContext, progress: Progress, name: str, file: str, workers: ConversionThreads
) -> BlockResult:
    """Return what becomes of a block; where no header tells the order of its columns, it is written once the first block has."""
    is_first = name == progress.first
    try:
        if plan.wanted is not None or file != plan.order.first or isinstance(block, RawBlock) or block.names:
            return await workers.run(lambda: _write(parse_and_release(block, plan), plan, name, file))
        parsed = await workers.run(parse_and_release, block, plan)
        if is_first:
            plan.order.begin(file, parsed.types)
    finally:
        if is_first:
            progress.is_ordered.set()
    await progress.is_ordered.wait()
    return await workers.run(_write, parsed, plan, name, file)


def parse_and_release(block: Block, plan: ConversionContext) -> TypedBlock:
    """Return the rows of a block, typed; another may be read to where it was."""
    parsed = parse_block(block, plan)
    if not isinstance(block, RawBlock):
        plan.buffers.release(block.window.buffer)
    return parsed


def _write(parsed: TypedBlock, plan: ConversionContext, name: str, file: str) -> BlockResult:
    return write_block(parsed, plan, name, {file: parsed.table.num_rows})


async def _read_blocks(
    file: InputFile, plan: ConversionContext, progress: Progress, workers: ConversionThreads
) -> AsyncGenerator[Block]:
    """Yield the blocks of a file, at least one: an empty file too has a part."""
    opened, found = await asyncio.to_thread(_begin, file, plan, progress)
    async for block in _each(found):
        yield block
    if isinstance(opened, WholeFormat):
        is_held = is_read_whole(type(opened), suffixes(file.name)[1], is_local=file.is_local)
        async with workers.whole if is_held else nullcontext():
            progress.digest = await asyncio.to_thread(content_digest, file)
            blocks = await asyncio.to_thread(read_whole, file.path, opened, plan.target)
            async for block in _each(blocks):
                yield _take(block, opened, plan, progress)
        return
    if not progress.is_read_at_once:
        async for received, final in _read_bytes(file, plan, progress, opened):
            async for block in _each(opened.feed(received, final=final)):
                yield block
    progress.tell(opened)
    if progress.damage:
        progress.warnings += (f"{progress.damage}; what follows is in no row: fetch the file again",)
        broken = opened.break_off(progress.damage)
        async for block in _each(opened.feed(0, final=True)):
            yield block
        yield broken


async def _each(blocks: Sequence[Block] | Iterator[Block]) -> AsyncGenerator[Block]:
    """Yield blocks, those that are not made yet when they are asked for, in a thread."""
    if isinstance(blocks, Sequence):
        for block in blocks:
            yield block
        return
    while (made := await asyncio.to_thread(next, blocks, None)) is not None:
        yield made


def _begin(
    file: InputFile, plan: ConversionContext, progress: Progress
) -> tuple[WholeFormat | RecordSplitter, Sequence[Block] | Iterator[Block]]:
    """Open a file, and return also the blocks of one that is small, which are made, or to be made: to go from thread to thread for each step took as long as these."""
    opened = open_format(file, plan)
    if isinstance(opened, WholeFormat) or not _is_plain(file) or file.size >= len(opened.room):
        return opened, ()
    blocks = _feed_whole(file, plan, progress, opened)
    check_unchanged(file)
    return opened, [*blocks] if file.size < _FEW_BYTES else blocks


def read_small(file: InputFile, plan: ConversionContext, progress: Progress) -> Sequence[Block]:
    """Return the blocks of a file that is small, read at once; none where it is not once it is decompressed, or is damaged.

    Raises:
        TableError: it cannot be read, is of no known format, or changed meanwhile.

    """
    opened = open_format(file, plan)
    if isinstance(opened, WholeFormat):
        progress.digest = content_digest(file)
        read = islice(read_whole(file.path, opened, plan.target), _FEW_BLOCKS + 1)
        blocks = [_take(block, opened, plan, progress) for block in read]
        blocks = blocks if len(blocks) <= _FEW_BLOCKS else []
    else:
        blocks = [*_feed_whole(file, plan, progress, opened, MOST_BYTES)]
        progress.tell(opened)
    check_unchanged(file)
    return blocks


def _feed_whole(
    file: InputFile, plan: ConversionContext, progress: Progress, opened: RecordSplitter, most: int = _FEW_BYTES
) -> Iterator[Block]:
    """Return the blocks of a file for which there is room as a whole, which are to be made; none where there is not, or it is damaged, or holds so many bytes once it is decompressed."""
    room = opened.room
    if _is_plain(file):
        with told_failures(), Path(file.path).open("rb") as plain:
            received = plain.readinto(room)
        progress.digest = xxhash.xxh3_128_hexdigest(room[:received])
    else:
        with Stream(file.path, plan.target.reading.member, file.piece) as stream, suppress(DamagedError):
            received = stream.read_into(room)
        if not stream.is_intact or received >= min(most, len(room)):
            return iter(())
        progress.digest, progress.content = content_digest(file), xxhash.xxh3_128_hexdigest(room[:received])
    progress.is_read_at_once = True
    return opened.feed(received, final=True)


def _take(block: Block, opened: WholeFormat, plan: ConversionContext, progress: Progress) -> Block:
    """Return a block of a file that is read as a whole, as its table has it."""
    if isinstance(block, RawBlock):
        block = take_whole(block, plan)
        progress.guess = progress.guess or block.guess
    progress.guess = progress.guess or Guess(opened.suffixes[0].removeprefix("."))
    return block


def _is_plain(file: InputFile) -> bool:
    """Return whether a file lies here and its bytes are those of its records."""
    return file.is_local and not suffixes(file.name)[1]


def open_format(
    file: InputFile, plan: ConversionContext, block_bytes: int | None = None
) -> WholeFormat | RecordSplitter:
    """Return what reads a file as a whole, or cuts it into blocks, as its format is.

    Raises:
        TableError: it is of no known format.

    """
    kind = format_of(file.name, plan.target.reading, file.path)
    if plan.target.explode is not None and not kind.has_lists:
        raise TableError(
            f"is {kind.name}, and tables are of the lists in records of JSON; take tables out, or give its files a source of their own"
        )
    if issubclass(kind, WholeFormat):
        return kind()
    if not issubclass(kind, StreamedFormat):
        raise TableError(f"{kind.__name__} reads no file; derive it from LineFormat, StreamedFormat or WholeFormat")
    # How long a file is tells neither its compressed size nor a store, which may not know: the beginning tells its format.
    block = block_bytes or BLOCK_BYTES
    return RecordSplitter(kind(plan.target), plan.buffers, block, file.size if _is_plain(file) else block)


def take_whole(block: RawBlock, plan: ConversionContext) -> RawBlock:
    """Return a block of a file that is read as a whole, its columns named as in the table, and a line of totals marked."""
    renamed = _renamed(block, plan)
    return renamed if plan.target.reading.skip_footer == 0 else take_totals(renamed, plan.target.columns)


def _renamed(texts: RawBlock, plan: ConversionContext) -> RawBlock:
    before = texts.table.column_names
    names = plan.target.naming.rename(before)
    renames, guess = dict(zip(before, names, strict=True)), texts.guess
    if guess is not None and guess.units:
        guess = replace(guess, units=tuple((renames[name], unit) for name, unit in guess.units))
    types = None if texts.types is None else dict(zip(names, texts.types.values(), strict=True))
    return replace(texts, table=texts.table.rename_columns(names), types=types, guess=guess)


async def _read_bytes(
    file: InputFile, plan: ConversionContext, progress: Progress, cutter: RecordSplitter
) -> AsyncIterator[tuple[int, bool]]:
    """Read a file's bytes, decompressed, into the cutter's room; yield how many, and whether they are the last.

    Where they are damaged, those before it are read.
    """
    if _is_plain(file):
        async for found in _read_plain(Path(file.path), progress, cutter):
            yield found
        return
    progress.digest = await asyncio.to_thread(content_digest, file)
    stream = await asyncio.to_thread(Stream, file.path, plan.target.reading.member, file.piece)
    try:
        total, more, content = 0, True, xxhash.xxh3_128()
        while more:
            room = cutter.room
            received = await asyncio.to_thread(stream.read_into, room)
            content.update(room[:received])
            total, more = total + received, received == len(room)
            yield received, not more and stream.is_intact
        if not stream.is_intact:
            await asyncio.to_thread(stream.read_some, 1)  # tells of the damage
        progress.content = content.hexdigest()
    except DamagedError as error:
        if not total:
            raise TableError(
                f"{error}; {fetch_again(file.name) if plan.target.landed else 'fetch the file again'}"
            ) from error
        progress.damage = str(error)
    finally:
        await asyncio.to_thread(stream.close)


async def _read_plain(path: Path, progress: Progress, cutter: RecordSplitter) -> AsyncIterator[tuple[int, bool]]:
    """Do the same with the bytes as they stand in the file."""
    digest = xxhash.xxh3_128()
    with told_failures():
        async with aiofiles.open(path, "rb") as file:
            more = True
            while more:
                room = cutter.room
                received = await file.readinto(room) or 0
                more = received == len(room)
                digest.update(room[:received])
                progress.digest = digest.hexdigest()
                yield received, not more


def _judge(guess: Guess, written: Sequence[BlockResult]) -> Guess:
    """Return what was guessed of a file, its doubts by all of its values, where nothing at its head told its decimal."""
    if not any(block.points for block in written):
        return guess
    points = add_points(block.points for block in written)
    return replace(guess, doubts=tuple(Hint(name, value, DECIMAL_COMMA) for name, value in points.items()))


def sum_up(
    file: InputFile, plan: ConversionContext, progress: Progress, written: Sequence[BlockResult]
) -> ConversionResult:
    """Return what became of a file, its blocks together.

    Raises:
        TableError: a landed file does not hold what was landed.

    """
    records = sum(block.records for block in written)
    if plan.target.landed and progress.damage:
        raise TableError(f"{progress.damage}; {fetch_again(file.name)}")
    if file.rows is not None and records != file.rows:
        raise TableError(f"holds {count(records, 'row')}, but {file.rows} were landed; {fetch_again(file.name)}")
    first = written[0].parts[0].name if written[0].parts else ""  # also of a file without rows
    converted = ConvertedFile(
        name=file.name,
        rows_received=sum(block.received for block in written),
        rows_rejected=sum(block.rejected for block in written),
        reasons=most_common([block.reasons for block in written if block.reasons is not None]),
        size=file.size,
        mtime_ns=file.mtime_ns,
        ctime_ns=file.ctime_ns,
        digest=progress.digest,
        content=progress.content,
        encoding=progress.encoding,
        guess=None if plan.target.landed or progress.guess is None else _judge(progress.guess, written),
        rejects=tuple(block.rejects for block in written if block.rejects),
        records_empty=sum(block.empty for block in written),
        warnings=tuple(dict.fromkeys((*progress.warnings, *(each for block in written for each in block.warnings)))),
        taken=add_taken(block.taken for block in written),
    )
    return ConversionResult(
        (converted,), tuple(part for block in written for part in block.parts if part.total or part.name == first)
    )
