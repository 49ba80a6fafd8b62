"""The head of a file as rows of its table: a bounded part of it is read, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pyarrow as pa

from tasks.config import PartedSource, Source
from tasks.convert.files.opening import DamagedError, Stream
from tasks.convert.formats.format import WholeFormat
from tasks.convert.formats.registry import read_whole
from tasks.convert.formats.splitter import RecordSplitter
from tasks.convert.parts.part import Part
from tasks.convert.schema.blocks import Guess, RawBlock, TypedBlock
from tasks.convert.schema.expressions import find_unread
from tasks.convert.schema.types import Types, widen_table
from tasks.convert.staging.block import parse_block
from tasks.convert.staging.context import ConversionContext, InputFile
from tasks.convert.staging.file import open_format, take_whole
from tasks.convert.table.draft import Draft
from tasks.convert.table.job import TableJob
from tasks.convert.table.versions import Versions
from tasks.core.errors import TableError
from tasks.core.storage import DataFolder

HEAD_BYTES = 256 * 1024  # decompressed
WHOLE_BYTES = 32 * 1024 * 1024  # of a format that is read as a whole


@dataclass(frozen=True)
class Head:
    """The rows at the head of a file, as they would stand in the table were they all: `is_whole` where they are.

    `misfits` are the records that would be rejects, of `received` in all.
    """

    file: str
    rows: pa.Table
    types: Types
    misfits: pa.Table
    received: int
    guess: Guess | None
    warnings: Sequence[str]
    is_whole: bool


def read_head(name: str, source: Source, file: InputFile, folder: DataFolder, size: int = HEAD_BYTES) -> Head:
    """Return the head of a file of a source, of so many bytes, decompressed, where it is not read as a whole.

    Raises:
        TableError: it cannot be read, or is of a format that is read as a whole and too large for that.

    """
    job = TableJob(name, source, (file,), folder.root, Versions.of(name, folder))
    plan = ConversionContext(job.target, None)
    try:
        opened = open_format(file, plan, size)
        if isinstance(opened, WholeFormat):
            return _read_whole(opened, job, plan)
        with Stream(file.path, plan.target.reading.member, file.piece) as stream:
            return _read_streamed(opened, job, plan, stream.read_into)
    except DamagedError as error:
        raise TableError(f"{file.name}: {error}; fetch the file again") from error
    except TableError as error:
        raise TableError(f"{file.name}: {error}") from error


def read_lines(name: str, source: PartedSource, lines: Sequence[bytes], folder: DataFolder) -> Head:
    """Return records as they would be landed, each a line of JSON, as rows of their table."""
    data = b"".join(line.rstrip(b"\n") + b"\n" for line in lines)
    file = InputFile(Path("first answer.jsonl"), "first answer.jsonl", len(data), 0)
    job = TableJob(name, source, (file,), folder.root, Versions.of(name, folder))
    plan = ConversionContext(job.target, None)
    opened = open_format(file, plan, max(HEAD_BYTES, len(data) + 1))
    assert isinstance(opened, RecordSplitter)
    return _read_streamed(opened, job, plan, BytesIO(data).readinto)


def _read_streamed(
    opened: RecordSplitter, job: TableJob, plan: ConversionContext, read_into: Callable[[memoryview], int]
) -> Head:
    final = False
    while True:
        room = opened.room
        received = read_into(room)
        final = received < len(room)
        if blocks := list(opened.feed(received, final=final)):
            break
    parsed = parse_block(blocks[0], plan)
    is_whole = final and len(blocks) == 1
    return _head_of(job, parsed, opened.guess, (*opened.warnings, *parsed.warnings), is_whole=is_whole)


def _read_whole(opened: WholeFormat, job: TableJob, plan: ConversionContext) -> Head:
    file = job.inputs[0]
    is_light = isinstance(file.path, Path) and opened.suffixes[0] in (".parquet", ".arrows")
    if file.size > WHOLE_BYTES and not is_light:
        raise TableError(
            f"is read as a whole, and is larger than the {WHOLE_BYTES // 1024**2} MiB that are read to show rows; "
            "run convert to see them"
        )
    blocks = read_whole(file.path, opened, plan.target)
    block = next(blocks)
    guess = Guess(opened.suffixes[0].removeprefix("."))
    if isinstance(block, RawBlock):
        block = take_whole(block, plan)
        guess = block.guess or guess
    parsed = parse_block(block, plan)
    return _head_of(job, parsed, guess, parsed.warnings, is_whole=next(blocks, None) is None)


def _head_of(job: TableJob, parsed: TypedBlock, guess: Guess, warnings: Sequence[str], *, is_whole: bool) -> Head:
    file = job.inputs[0].name
    part = Part(file, {file: parsed.table.num_rows}, dict(parsed.types), dict(parsed.types))
    draft = Draft(job, {}, {file: part})
    draft.choose_types(None)
    rows = widen_table(parsed.table, draft.types)
    landed = job.target.landed
    unread = find_unread(job.target.columns, {*parsed.types, *parsed.taken}, parsed.taken)
    warnings = [
        *warnings,
        *(f"{key} reads {name!r}, which is null in these rows; {cure}" for key, name, cure in unread),
    ]
    return Head(file, rows, draft.types, parsed.misfits, parsed.received, None if landed else guess, warnings, is_whole)
