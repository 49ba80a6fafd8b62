"""Many small files converted together: as one block to one part, where all are alike and none is in any way odd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import xxhash

from tasks.config import Reading
from tasks.convert.files.byte_view import ByteView
from tasks.convert.files.opening import Stream, suffixes
from tasks.convert.formats.csv.dialect import RECORDS
from tasks.convert.formats.csv.format import Csv, typed_later
from tasks.convert.formats.csv.header import Head, read_head
from tasks.convert.formats.csv.parse import CsvBlock
from tasks.convert.formats.csv.totals import find_totals
from tasks.convert.formats.format import WholeFormat
from tasks.convert.formats.registry import format_of
from tasks.convert.formats.units import are_units, may_be_units
from tasks.convert.schema.blocks import TypedBlock
from tasks.convert.staging.block import parse_block, write_block
from tasks.convert.staging.context import ConversionContext, ConversionResult, ConvertedFile, InputFile
from tasks.convert.staging.gathering import GATHERED_FILES
from tasks.core.bucket.opened import is_below, read_ahead
from tasks.core.errors import TableError

SMALL_BYTES = 256 * 1024  # a Parquet file of less costs more to make and to open than its rows are worth
BUNDLE_BYTES = 16 * 1024 * 1024
MANY_FILES = 100  # fewer are converted each to a part of its own, which a change of the file then replaces

_USUAL_RATIO = 10  # of compressed files

_ODD = (b'"', b"'", b"\r", b"\0", b"\n\n")


@dataclass(frozen=True)
class _Member:
    """One small file: its bytes without the header, and how many rows these are."""

    file: InputFile
    body: bytes
    rows: int
    digest: str


def bundle_files(files: Sequence[InputFile], plan: ConversionContext) -> list[list[InputFile]]:
    """Return the files in units that are converted together: small ones of a format many at once, each other one alone."""
    if len(files) < MANY_FILES:
        return [[file] for file in files]
    units: list[list[InputFile]] = []
    open_units: dict[str, tuple[list[InputFile], float]] = {}
    for file in files:
        kind = _kind(file, plan)
        if kind is None:
            units.append([file])
            continue
        unit, size = open_units.get(kind.name, ([], 0.0))
        more = kind.ratio * file.size
        if not unit or size + more > BUNDLE_BYTES or (not kind.is_joined and len(unit) >= GATHERED_FILES):
            unit, size = [], 0.0
            units.append(unit)
        unit.append(file)
        open_units[kind.name] = unit, size + more
    return units


class _Kind(NamedTuple):
    """Files that may be converted together: how many bytes a byte of them mostly becomes, and whether they are joined first."""

    name: str
    ratio: float
    is_joined: bool


def _kind(file: InputFile, plan: ConversionContext) -> _Kind | None:
    """Return of what kind a file is; None where it is converted alone."""
    target = plan.target
    if not (file.is_local or is_below(file.path)) or target.partition_by or target.sort_by:
        return None
    try:
        found = format_of(file.name, target.reading)
    except TableError:  # which is told when it is opened
        return None
    suffix, compression = suffixes(file.name)
    ratio = (_USUAL_RATIO if compression else 1) * (found.usual_ratio if issubclass(found, WholeFormat) else 1)
    if ratio * file.size > SMALL_BYTES:
        return None
    return _Kind(f"{suffix}{compression}", ratio, may_be_joined(file, plan))


def may_be_joined(file: InputFile, plan: ConversionContext) -> bool:
    """Return whether a small file may be joined with others before they are parsed: plain CSV is, of which each line is a record."""
    target = plan.target
    if file.rows is not None or any(
        column.strip for column in target.columns.values()
    ):  # what is taken off is told of each file
        return False
    suffix, compression = suffixes(file.name)
    if compression or not _is_usual(target.reading) or target.reading.format not in (None, "csv", "tsv"):
        return False
    return bool(target.reading.format) or suffix in (".csv", ".tsv")


def _is_usual(reading: Reading) -> bool:
    """Return whether nothing is declared by which files have lines that are no records, or are no UTF-8."""
    declared = (reading.encoding, reading.comment, reading.escape, reading.header_row, reading.skip_rows)
    return (
        not any(declared) and reading.units_row in (None, False) and reading.skip_footer is reading.skip_blank is None
    )


def join_files(
    files: Sequence[InputFile], plan: ConversionContext, part: str
) -> tuple[ConversionResult | None, list[InputFile]]:
    """Stage the part of the files that are alike; return also those that are not, to be parsed one by one."""
    texts = _read_all(files)
    header = texts[0][: texts[0].find(b"\n") + 1]
    if not header:  # of a file that is nothing but a header, which may be the beginning of another's
        return None, list(files)
    members, others = [], []
    for file, data in zip(files, texts, strict=True):
        member = _take(file, data, header)
        if member is None:
            others.append(file)
        else:
            members.append(member)
    head = _read_head(members, header, plan) if members else None
    parsed = _parse(members, head, plan) if head is not None else None
    if head is None or parsed is None:
        return None, list(files)
    rows = {member.file.name: member.rows for member in members}
    written = write_block(parsed, plan, f"{part}.parquet", rows)
    guess = head.guess(format_of(members[0].file.name, plan.target.reading).suffixes[0])
    taken = {name: dict(counts) for name, counts in parsed.taken.items()}  # no texts, but the names of columns
    converted = tuple(
        ConvertedFile(
            name=m.file.name,
            rows_received=m.rows,
            rows_rejected=0,
            size=m.file.size,
            mtime_ns=m.file.mtime_ns,
            digest=m.digest if m.file.is_local else m.file.version,
            content="" if m.file.is_local else m.digest,
            guess=guess,
            ctime_ns=m.file.ctime_ns,
            taken=taken,
        )
        for m in members
    )
    return ConversionResult(converted, written.parts), others


def _read_head(members: Sequence[_Member], header: bytes, plan: ConversionContext) -> Head | None:
    """Return the head that all members have; None where it is more than a line, or each file's values tell some of it."""
    target = plan.target
    suffix = format_of(members[0].file.name, target.reading).suffixes[0]
    text = ByteView.of(header + max(members, key=lambda member: member.rows).body)  # of one without rows little is told
    head = read_head(text, target.reading, suffix, target.naming.rename, target.header_names)
    if not head.names or head.size != len(header):
        return None
    if head.dialect.warnings or (head.dialect.delimiter != "," and target.reading.decimal is None):
        return None
    if any(_has_ends(member, head, plan) for member in members):
        return None
    return head


def _has_ends(member: _Member, head: Head, plan: ConversionContext) -> bool:
    """Return whether the first row of a file may be one of units, or the last one of totals."""
    if find_totals(ByteView.of(member.body), head, plan.target.columns):
        return True
    first, *below = member.body.decode().split("\n", RECORDS)[: RECORDS - 1]
    delimiter = head.dialect.delimiter
    if plan.target.reading.units_row is False or not head.fields or not may_be_units(first.split(delimiter)):
        return False
    return are_units(first.split(delimiter), [line.split(delimiter) for line in filter(None, below)][:-1])


def _parse(members: Sequence[_Member], head: Head, plan: ConversionContext) -> TypedBlock | None:
    """Return the rows of all members, typed; None where a single one does not fit, or is no row."""
    target = plan.target
    data = b"".join(member.body for member in members)
    parsed = parse_block(typed_later(CsvBlock(ByteView.of(data), head, 2)), plan)
    if (
        target.find_missing(head.names)
        or len(parsed.misfits)
        or parsed.received != sum(member.rows for member in members)
    ):
        return None
    if parsed.lines is None:
        return parsed
    lines = [line for member in members for line in range(2, 2 + member.rows)]
    return TypedBlock(parsed.table, parsed.types, parsed.received, lines=lines, taken=parsed.taken)


def _read_all(files: Sequence[InputFile]) -> list[bytes]:
    """Return the bytes of the files.

    Raises:
        TableError: one cannot be read.

    """
    read_ahead(file.path for file in files if isinstance(file.path, str))
    return [_read(file) for file in files]


def _read(file: InputFile) -> bytes:
    try:
        if isinstance(file.path, Path):
            return file.path.read_bytes()
        with Stream(file.path) as stream:
            return stream.read_some(SMALL_BYTES + 1)  # more than it had when it was listed is another file
    except FileNotFoundError as error:
        raise TableError(f"{file.name}: is gone since it was listed; run again") from error
    except TableError as error:
        raise TableError(f"{file.name}: {error}") from error
    except OSError as error:
        raise TableError(
            f"{file.name}: cannot be read ({error.strerror}); check the file and its permissions"
        ) from error


def _take(file: InputFile, data: bytes, header: bytes) -> _Member | None:
    """Return a file that begins with `header` and holds nothing that a line may not."""
    if not header.strip() or not data.startswith(header) or not data.isascii() or len(data) != file.size:
        return None
    if any(odd in data for odd in _ODD) or Csv.find_other(data) is not None:
        return None
    body = data[len(header) :]
    if body and not body.endswith(b"\n"):
        body += b"\n"
    return _Member(file, body, ByteView.of(body).lines, xxhash.xxh3_128_hexdigest(data))
