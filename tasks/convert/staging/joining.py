"""Small files joined before they are parsed, and converted as one block to one part, where all are alike and none is in any way odd."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import xxhash

from tasks.convert.files.byte_view import ByteView
from tasks.convert.files.content import MARK
from tasks.convert.files.opening import DamagedError, Stream, suffixes
from tasks.convert.formats.csv.format import Csv, typed_later
from tasks.convert.formats.csv.header import Head
from tasks.convert.formats.csv.known import KnownHead
from tasks.convert.formats.csv.parse import CsvBlock
from tasks.convert.formats.csv.quoting import Quoting
from tasks.convert.formats.csv.spans import MANY_LINES
from tasks.convert.formats.format import ByteBlock, FileFormat, Place, WholeFormat
from tasks.convert.formats.json.document import Json, parse_as_lines, write_as_lines
from tasks.convert.formats.json.jsonl import Jsonl, parse_lines, warn_of_cut_off
from tasks.convert.formats.json.lines import JsonBlock
from tasks.convert.formats.parquet import Parquet, read_small_table, typed_block
from tasks.convert.formats.registry import format_of
from tasks.convert.parts.rejects import SharedRejects
from tasks.convert.schema.blocks import Guess, Schema, TypedBlock
from tasks.convert.schema.misfits import NO_MISFITS
from tasks.convert.schema.narrowing import find_narrower
from tasks.convert.staging.block import parse_block, write_block
from tasks.convert.staging.bundle import BUNDLE_BYTES
from tasks.convert.staging.context import ConversionContext, ConversionResult, ConvertedFile, InputFile
from tasks.convert.staging.escapes import find_escaped, with_escape, with_raw
from tasks.convert.staging.file import MOST_BYTES, take_whole
from tasks.convert.staging.joined import Joined, tell_joined
from tasks.convert.staging.members import (
    Member,
    decode_plain,
    find_head_alike,
    find_own_head,
    has_stray_quotes,
    is_told,
    may_begin_with_units,
    read_own_head,
    suffix_of,
    take_known,
    without_blank_lines,
    without_known_totals,
    without_totals,
)
from tasks.convert.staging.reasons import count_reasons, most_common
from tasks.convert.staging.record_lines import find_records, has_line_without_values, has_odd_line, may_have_second
from tasks.convert.staging.unchanged import check_unchanged, content_digest
from tasks.core.bucket.opened import read_ahead
from tasks.core.errors import TableError

_KNOWN_HEADS = 4  # of one source; each file is compared with all
_COLUMNS_BYTES = BUNDLE_BYTES  # of Parquet, as they are in memory
_BLANK_LINE = re.compile(rb"\n[ \t\v\f\r]*\n|\n[ \t\v\f\r]+\Z|\0")


class _Text(NamedTuple):
    """The bytes of a small file, decompressed, and what tells its content."""

    data: bytes
    digest: str
    content: str


_Texts = Mapping[InputFile, _Text]
_Found = tuple[Head | None, Sequence[Member]]


def join_files(
    files: Sequence[InputFile], plan: ConversionContext, part: str
) -> tuple[ConversionResult | None, list[InputFile]]:
    """Stage the parts of the files that are alike; return also those that are not, to be parsed one by one."""
    read_ahead(file.path for file in files if isinstance(file.path, str))
    texts: dict[InputFile, _Text] = {}
    left = 2 * BUNDLE_BYTES  # in memory together, whatever compressed files hold
    for file in files:
        if left > 0 and (text := _read(file, plan)) is not None:
            left -= len(text.data)
            texts[file] = text
    try:
        found = _join(texts, plan, format_of(files[0].name, plan.target.reading))
        results = [
            _write(joined, texts, plan, f"{part}-{place:04d}" if place else part) for place, joined in enumerate(found)
        ]
    except TableError:  # of which file it is true is told where each is read by itself
        results = []
    if not results:
        return None, list(files)
    converted = tuple(file for result in results for file in result.files)
    done = {file.name for file in converted}
    result = ConversionResult(converted, tuple(part for result in results for part in result.parts))
    return result, [file for file in files if file.name not in done]


def _join(texts: _Texts, plan: ConversionContext, kind: type[FileFormat]) -> list[Joined]:
    """Return the files that are alike, and apart from them those whose values have narrower types than those of others."""
    join = {Jsonl: _join_lines, Json: _join_documents, Parquet: _join_columns}.get(kind, _join_tables)
    joined = join(texts, plan)
    if joined is None or not joined.odd | joined.narrower:
        return [] if joined is None else [joined]
    narrower = joined.narrower - joined.odd
    groups = [texts.keys() - joined.odd - narrower, narrower]
    again = [join({file: texts[file] for file in texts if file in group}, plan) for group in groups if group]
    return [each for each in again if each is not None and not each.odd | each.narrower]


def _write(joined: Joined, texts: _Texts, plan: ConversionContext, part: str) -> ConversionResult:
    """Stage the part of files that are alike, and one of their rejects."""
    members, parsed, guess, misfits, *_ = joined
    rejects, names = SharedRejects(plan.target.staged / "rejects", part, plan.target.source), dict[InputFile, str]()
    for file, found in misfits.items():
        names[file] = rejects.part
        rejects.add(file.name, found)
    rejects.write()
    rows = {m.file.name: m.received - (len(misfits[m.file]) if m.file in misfits else 0) for m in members}
    written = write_block(replace(parsed, misfits=NO_MISFITS), plan, f"{part}.parquet", rows)
    taken = {name: dict(counts) for name, counts in parsed.taken.items()}  # no texts, but the names of columns
    guesses = {name: replace(guess, encoding=name) for name in {m.encoding for m in members}} if guess.encoding else {}
    converted = tuple(
        ConvertedFile(
            name=m.file.name,
            rows_received=m.received,
            rows_rejected=m.received - rows[m.file.name],
            reasons=most_common([count_reasons(misfits[m.file]["reason"])]) if m.file in misfits else {},
            rejects=(names[m.file],) if m.file in names else (),
            size=m.file.size,
            mtime_ns=m.file.mtime_ns,
            digest=texts[m.file].digest,
            encoding=m.encoding,
            content=texts[m.file].content,
            guess=None if plan.target.landed else with_escape(m, m.guess or guesses.get(m.encoding, guess)),
            ctime_ns=m.file.ctime_ns,
            taken=taken,
        )
        for m in members
    )
    return ConversionResult(converted, written.parts)


def _join_tables(texts: _Texts, plan: ConversionContext) -> Joined | None:
    """Return the files of CSV that are written alike, and the rows of all; None where there are none."""
    quote = plan.target.reading.quote
    decoded = {
        file: decode_plain(text.data, quote) for file, text in texts.items() if Csv.find_other(text.data) is None
    }
    plain = {file: each for file, each in decoded.items() if each is not None}
    escaped = find_escaped(plain, plan)
    plain |= {file: (each.text, plain[file][1]) for file, each in escaped.items()}
    quotings = {file: each.plain_quoting for file, each in escaped.items()}
    head, members = _take_below_header(plain, quotings, plan)
    if head is None:
        head, members = _take_below_heads(plain, quotings, plan)
    if head is None or not members or plan.target.find_missing(head.names):
        return None
    members = [m for m in (_divide(member, head) for member in members) if m.most_lines <= MANY_LINES]
    members = with_raw(members, escaped, head) if escaped else members
    members = [_with_mark(m, texts[m.file].data) for m in members]
    if any(m.gaps is not None for m in members) or has_line_without_values(b"".join(m.body for m in members), head):
        members = [m for m in members if not may_have_second(m.body, m.gaps, head.dialect)]
    if not members:
        return None
    data = b"".join(member.body for member in members)
    parsed = parse_block(typed_later(CsvBlock(ByteView.of(data), head)), plan)
    told = None if parsed.points else tell_joined(members, parsed, head.guess(suffix_of(members[0].file, plan)))
    if told is None:
        return None
    # The own rows of a file with rejects may tell another delimiter.
    rejected = [m for m in members if m.file in told.misfits]
    unlike = [m for m in rejected if not m.has_own_head and len(told.misfits[m.file]) > bool(m.totals)]
    odd = [m for m in unlike if not is_told(m, plain[m.file][0], head, plan, quotings.get(m.file))]
    narrower = frozenset[InputFile]() if plan.wanted is not None else _find_narrower(members, told, plan)
    return told._replace(odd=told.odd | {m.file for m in odd}, narrower=narrower)


def _with_mark(member: Member, data: bytes) -> Member:
    """Return a file with the place of its text in its bytes."""
    mark_bytes = None if member.encoding != "utf-8" else len(MARK) if data.startswith(MARK) else 0
    return member if mark_bytes == 0 else replace(member, mark_bytes=mark_bytes)


def _divide(member: Member, head: Head) -> Member:
    """Return a file, and in which of its lines each record begins."""
    records = find_records(member.body, head.dialect.quote)
    return member if records is None else replace(member, records=records)


def _take_below_header(
    plain: Mapping[InputFile, tuple[bytes, str]], quotings: Mapping[InputFile, Quoting], plan: ConversionContext
) -> _Found:
    """Return the files that begin with the header of the first; of some the `quotings` are known."""
    first_lines = (data[: data.find(b"\n") + 1] for data, _ in plain.values())
    header = next(filter(bytes.strip, first_lines), b"")  # one without an end may be the beginning of another's
    below = [(file, data, encoding) for file, (data, encoding) in plain.items() if data.startswith(header)]
    place = Place(1 + bool(header), len(header))
    members = [Member.of(file, data[len(header) :], name, place, has_own_head=False) for file, data, name in below]
    head = _read_head(members, header, quotings, plan) if members else None
    if head is None:
        return None, ()
    known = KnownHead.of(head, header, plan.target.reading)  # with that all rows have its fields, it tells enough
    read = (without_blank_lines(member, head) for member in members)
    members = [member for member in read if member is not None]
    are_odd = has_line_without_values(b"".join(m.body for m in members), head)  # of all at once, as none mostly is
    found: list[Member | None] = []
    for m in members:
        if has_stray_quotes(m.body, head) or (are_odd and has_odd_line(m.body, head)):
            continue
        text = plain[m.file][0]
        is_known = known is not None and known.tells(m.body, is_told_apart=m.file in quotings)
        if known is not None and is_known and not may_begin_with_units(m.body, head, plan):
            found.append(without_known_totals(m, text, known, plan))
        elif (own := find_head_alike(m.file.name, text, head, plan, quotings.get(m.file))) is not None:
            found.append(without_totals(replace(m, has_own_head=True), own, plan))
    return head, [member for member in found if member is not None]


def _take_below_heads(
    plain: Mapping[InputFile, tuple[bytes, str]], quotings: Mapping[InputFile, Quoting], plan: ConversionContext
) -> _Found:
    """Return the files whose heads are alike, but for titles and units: the kind that comes most often."""
    alike: dict[Hashable, list[tuple[Head, Member]]] = {}
    known: list[KnownHead] = []
    for file, (data, encoding) in plain.items():
        found = (
            (each.head, take_known(file, data, encoding, each, plan, is_told_apart=file in quotings)) for each in known
        )
        if (told := next(((head, member) for head, member in found if member is not None), None)) is not None:
            alike.setdefault(told[0].kind, []).append(told)
            continue
        head = find_own_head(file.name, data, plan, quotings.get(file))
        if head is None or has_stray_quotes(data[head.size :], head):
            continue
        guess = head.guess(suffix_of(file, plan), encoding)
        place = Place(head.lines + 1, head.size)
        member = without_blank_lines(Member.of(file, data[head.size :], encoding, place, guess), head)
        if member is None or has_odd_line(member.body, head):
            continue
        if (rows := without_totals(member, head, plan)) is not None:
            alike.setdefault(head.kind, []).append((head, rows))
        if len(known) < _KNOWN_HEADS and (new := KnownHead.of(head, data, plan.target.reading)) is not None:
            known += [] if any(new.is_as(each) for each in known) else [new]
    most = max(alike.values(), key=len, default=[])
    return (most[0][0], [member for _, member in most]) if most else (None, ())


def _find_narrower(members: Sequence[Member], told: Joined, plan: ConversionContext) -> frozenset[InputFile]:
    rows = [m.received - (len(told.misfits[m.file]) if m.file in told.misfits else 0) for m in members]
    edges = np.cumsum([0, *rows]).tolist()
    found = find_narrower(told.parsed.table, told.parsed.types, edges, plan.target.columns)
    odd = (members[place] for place in np.flatnonzero(found).tolist())
    is_plain = told.guess.delimiter == ","  # of plain files without rejects the types are those of all
    return frozenset(m.file for m in odd if not is_plain or m.file in told.misfits or not m.is_plain)


def _join_lines(texts: _Texts, plan: ConversionContext) -> Joined | None:
    """Return the files of JSON lines, and the rows of all; None where a single one may be odd."""
    found = (_take_lines(file, text.data) for file, text in texts.items() if Jsonl.find_other(text.data) is None)
    return _parse_lines([member for member in found if member is not None], plan, parse_lines, Guess("jsonl", "utf-8"))


def _join_documents(texts: _Texts, plan: ConversionContext) -> Joined | None:
    """Return the files of JSON whose records stand there as they are, and the rows of all; None where a single one may be odd."""
    plain = {file: text.data for file, text in texts.items() if Json.find_other(text.data) is None}
    written = {file: write_as_lines(data, plan.target.reading) for file, data in plain.items()}
    found = (_take_lines(file, lines) for file, lines in written.items() if lines is not None)
    members = [  # of several lines a reject is told as it stands there
        replace(member, is_apart=b"\n" in plain[member.file].strip()) for member in found if member is not None
    ]
    return _parse_lines(members, plan, parse_as_lines, Guess("json"))


def _parse_lines(
    members: Sequence[Member],
    plan: ConversionContext,
    parse: Callable[[JsonBlock, Schema], TypedBlock],
    guess: Guess,
) -> Joined | None:
    """Return members of which each line is a record, and the rows of all."""
    if not members:
        return None
    whole, target = ByteView.of(b"".join(member.body for member in members)), plan.target
    block = JsonBlock(
        whole,
        1,
        0 if parse is parse_lines else None,
        target.typed,
        None,
        target.keeps_empty,
        target.naming,
        target.nulls_of,
    )
    try:
        parsed = parse_block(ByteBlock(whole, partial(parse, block)), plan)
    except RecursionError:  # which one is nested too deeply is told by reading each
        return None
    plan.order.begin(members[0].file.name, parsed.types)
    return tell_joined(members, parsed, guess)


def _join_columns(texts: _Texts, plan: ConversionContext) -> Joined | None:
    """Return the files of Parquet whose columns are those of most, and the rows of all; None where not all of these fit the types that such columns have."""
    alike: dict[Hashable, list[tuple[Member, pa.Table]]] = {}
    left = _COLUMNS_BYTES  # in memory together, whatever the files hold
    for file, text in texts.items():
        table = read_small_table(text.data) if left > 0 else None
        if table is None or file.rows not in (None, len(table)):
            continue
        left -= table.nbytes
        if table.nbytes < MOST_BYTES:
            columns = tuple((column.name, column.type, column.nullable) for column in table.schema)
            alike.setdefault(columns, []).append((Member(file, b"", len(table)), table.replace_schema_metadata()))
    most = max(alike.values(), key=len, default=[])
    if not most:
        return None
    block, empty = (typed_block(t, 1) for t in (pa.concat_tables(t for _, t in most), most[0][1].slice(0, 0)))
    if block.types != empty.types:
        return None
    return tell_joined([member for member, _ in most], parse_block(take_whole(block, plan), plan), Guess("parquet"))


def _read_head(
    members: Sequence[Member], header: bytes, quotings: Mapping[InputFile, Quoting], plan: ConversionContext
) -> Head | None:
    """Return the head that all members have; None where it is more than a line, or more is to be told of it."""
    most = max(members, key=lambda member: member.rows)  # of one without rows little is told
    head = read_own_head(most.file.name, header + most.body, plan, quotings.get(most.file))
    dialect, is_line = head.dialect, bool(head.names) and head.size == len(header)
    return head if is_line and not (dialect.warnings or dialect.doubts or dialect.escape) else None


def _read(file: InputFile, plan: ConversionContext) -> _Text | None:
    """Return the text of a file; None where it is no small one any more, or only what reads it alone can tell what is wrong."""
    is_compressed, kind = bool(suffixes(file.name)[1]), format_of(file.name, plan.target.reading)
    try:
        if isinstance(file.path, Path) and not is_compressed:
            data, is_whole = file.path.read_bytes(), True
        else:
            with Stream(file.path, plan.target.reading.member, file.piece) as stream:
                data = stream.read_some(MOST_BYTES)
                is_whole = stream.is_intact and len(data) < MOST_BYTES
        check_unchanged(file)
        content = xxhash.xxh3_128_hexdigest(data)
        digest = content if file.is_local and not is_compressed else content_digest(file)
        is_known_by_content = digest is not content and not issubclass(kind, WholeFormat)  # as where it is read alone
    except (TableError, DamagedError, OSError):
        return None
    if not is_whole or not (is_compressed or len(data) == file.size):
        return None
    return _Text(data, digest, content if is_known_by_content else "")


def _take_lines(file: InputFile, lines: bytes) -> Member | None:
    """Return a file that is, or whose records are, lines of JSON without a blank one, and as many as were landed."""
    if (lines and not lines.startswith((b"{", b"["))) or _BLANK_LINE.search(lines):
        return None
    member = replace(Member.of(file, lines), is_apart=bool(warn_of_cut_off(ByteView.of(lines))))
    return member if file.rows in (None, member.rows) else None
