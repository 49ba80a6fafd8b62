"""Small files that may be joined: their lines, and of CSV the bytes in UTF-8, and what each alone tells of how it is written."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from tasks.convert.files.byte_view import ByteView
from tasks.convert.files.content import MARK
from tasks.convert.files.encoding import SAMPLE_BYTES, Transcoder, detect_encoding
from tasks.convert.formats.csv.dialect import detect_quoting
from tasks.convert.formats.csv.header import Head, read_head
from tasks.convert.formats.csv.known import KnownHead, is_told_whatever_its_widths
from tasks.convert.formats.csv.quotes import are_paired
from tasks.convert.formats.csv.quoting import Quoting
from tasks.convert.formats.csv.totals import find_totals, may_end_with_totals
from tasks.convert.formats.format import Place
from tasks.convert.formats.registry import format_of
from tasks.convert.formats.units import may_be_units
from tasks.convert.schema.blocks import Guess
from tasks.convert.staging.context import ConversionContext, InputFile
from tasks.convert.staging.record_lines import Gaps, has_blank_line, has_odd_line, take_out_blank
from tasks.core.errors import TableError

_MAY_BE_QUOTES = re.compile(rb"(?:^|[,;\t|])'", re.MULTILINE)  # only what a field begins with may be one
_ODD = (MARK, b"\xff")
_QUOTE = b'"'
_MAY_BE_THOUSANDS = re.compile(rb"\d\.\d{3}(?!\d)")


@dataclass(frozen=True)
class Member:
    """One small file: the text of its rows, and how many lines that has."""

    file: InputFile
    body: bytes
    lines: int
    is_apart: bool = False
    """Whether more, or otherwise, is told of its rejects where it is read by itself."""
    encoding: str = "utf-8"
    first: Place = Place(1, 0)  # noqa: RUF009 - a tuple in all but its name
    """Where its first record begins."""
    guess: Guess | None = None
    """How it was read, where that is not as the others were."""
    records: np.ndarray | None = field(default=None, compare=False)
    """In which of its lines each record begins; None where each line is one."""
    totals: bytes = b""
    """The line below its rows, which is none."""
    has_own_head: bool = True
    """Whether its head was read, and not told by that of another."""
    gaps: Gaps | None = field(default=None, compare=False)
    """Where blank lines were taken out of `body`; None where there were none."""
    mark_bytes: int | None = 0
    """How many bytes of the file stand above its text; None where it is no UTF-8, and its places are not told."""
    raw: bytes | None = None
    """Its lines as they stand in the file, where escapes were taken out of them."""

    @classmethod
    def of(
        cls,
        file: InputFile,
        body: bytes,
        encoding: str = "utf-8",
        first: Place = Place(1, 0),  # noqa: B008 - as above
        guess: Guess | None = None,
        *,
        has_own_head: bool = True,
    ) -> Member:
        """Return a file each line of which is a record."""
        whole = body if not body or body.endswith(b"\n") else body + b"\n"
        return cls(
            file, whole, whole.count(b"\n"), encoding=encoding, first=first, guess=guess, has_own_head=has_own_head
        )

    @property
    def rows(self) -> int:
        """Return how many records it has."""
        return self.lines if self.records is None else len(self.records)

    @property
    def received(self) -> int:
        """Return how many records it has, with a line of totals."""
        return self.rows + bool(self.totals)

    @property
    def begins(self) -> np.ndarray:
        """Return in which of its lines each record begins."""
        return np.arange(self.lines) if self.records is None else self.records

    @property
    def most_lines(self) -> int:
        """Return how many lines the longest record has."""
        return 1 if self.records is None else int(np.diff(self.records, append=self.lines).max(initial=0))

    def number_lines(self, lines: np.ndarray) -> np.ndarray:
        """Return the numbers in the file of lines of its rows, or of the one below these."""
        numbers: np.ndarray = self.first.line + lines
        return numbers if self.gaps is None else numbers + self.gaps.lines[lines]

    def locate(self, line: int, place: int) -> Place:
        """Return where what begins in this line of its rows, at this place among their bytes, stands in the file."""
        lines, size = (0, 0) if self.gaps is None else (int(each[line]) for each in self.gaps)
        above = None if self.mark_bytes is None else (self.first.byte or 0) + self.mark_bytes
        return Place(self.first.line + line + lines, None if above is None else above + place + size)

    @property
    def is_plain(self) -> bool:
        """Return whether its lines are ASCII, and end with a line feed alone."""
        return self.body.isascii() and b"\r" not in self.body


def suffix_of(file: InputFile, plan: ConversionContext) -> str:
    """Return the first ending of a file's format."""
    return format_of(file.name, plan.target.reading).suffixes[0]


def without_totals(member: Member, head: Head, plan: ConversionContext) -> Member | None:
    """Return a file, its line of totals told apart; None where notes stand below that."""
    totals = find_totals(ByteView.of(member.body), head, plan.target.columns)
    if totals is None:
        return member
    guess = member.guess or head.guess(suffix_of(member.file, plan), member.encoding)
    told = replace(member, guess=replace(guess, totals=totals.text, totals_kept=totals.kept))
    if totals.kept:
        return told
    above, line = member.body[: totals.place], member.body[totals.place :].rstrip(b"\r\n")
    if b"\n" in line:
        return None
    return replace(told, body=above, lines=ByteView.of(above).lines, totals=line)


def without_blank_lines(member: Member, head: Head) -> Member | None:
    """Return a file without the blank lines between its records; None where more may be told of these where it is read by itself."""
    if not has_blank_line(member.body):
        return member
    found = take_out_blank(member.body, head)
    if found is None:
        return None
    rows, gaps = found
    return replace(member, body=rows, lines=len(gaps.lines) - 1, gaps=gaps)


def find_gaps(members: Sequence[Member], lines: np.ndarray, edges: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return how many blank lines, and how many bytes of these, were taken out above lines of the rows of each of these files, which lie between `edges`."""
    found = np.zeros((2, len(lines)), np.int64)
    for member, (start, stop) in zip(members, pairwise(edges), strict=True):
        if member.gaps is not None and stop > start:
            found[:, start:stop] = [above[lines[start:stop]] for above in member.gaps]
    return found[0], found[1]


def decode_plain(data: bytes, quote: str | None = None) -> tuple[bytes, str] | None:
    """Return a small file of CSV in UTF-8, and its encoding; None where that is not sure, or it holds what a line of values may not.

    It may have an apostrophe that quotes no field, unless that is declared to be the `quote`.
    """
    encoding = "utf-8"
    if not data.isascii():
        found = detect_encoding(data, None, is_unicode=False, is_complete=True)
        if found.warning or (not found.mark_bytes and any(odd in data for odd in _ODD)):
            return None
        encoding, data = found.name, Transcoder(found).to_utf8(data, final=True)
        if any(odd in data for odd in _ODD) or len(ByteView.of(data).undecodable):
            return None
    if b"\0" in data or (b"'" in data and (quote == "'" or _MAY_BE_QUOTES.search(data))):
        return None
    return None if b"\r" in data and data.count(b"\r") != data.count(b"\r\n") else (data, encoding)


def find_quoting(text: bytes, suffix: str, plan: ConversionContext) -> Quoting | None:
    """Return how the fields of a file that holds `text` are told apart; None where lines above its table, or its own head, tell it."""
    sample, target = text[:SAMPLE_BYTES].decode("utf-8", "replace"), plan.target
    try:
        found = detect_quoting(sample, target.reading, suffix, target.header_names)
    except TableError:  # which is told where the file is read by itself
        return None
    return None if found.begin else found.quoting


def read_own_head(name: str, text: bytes, plan: ConversionContext, quoting: Quoting | None = None) -> Head:
    """Return the head of a file of this name that holds `text`; the `quoting` of its fields may be known."""
    target = plan.target
    suffix = format_of(name, target.reading).suffixes[0]
    return read_head(
        ByteView.of(text), target.reading, suffix, target.naming.rename, target.header_names, quoting=quoting
    )


def take_known(
    file: InputFile, text: bytes, encoding: str, known: KnownHead, plan: ConversionContext, *, is_told_apart: bool
) -> Member | None:
    """Return a file whose head is told by that of another; None where its own is to be read."""
    if (place := known.find(text)) is None:
        return None
    title, head = text[:place], known.head
    first = Place(title.count(b"\n") + known.lines + 1, place + len(known.begins))
    guess = known.guess(title, suffix_of(file, plan), encoding)
    whole = Member.of(file, text[first.byte :], encoding, first, guess, has_own_head=False)
    member = None if has_stray_quotes(whole.body, head) else without_blank_lines(whole, head)
    if member is None or has_odd_line(member.body, head):
        return None
    is_told = known.tells(member.body, title, is_told_apart=is_told_apart)
    if not is_told and (is_told_apart or not known.tells(member.body, title, is_told_apart=True)):
        return None
    if not is_told and find_quoting(text, suffix_of(file, plan), plan) != head.dialect.quoting:
        return None
    if head.units is None and may_begin_with_units(member.body, head, plan):
        return None
    return without_known_totals(member, text, known, plan)


def without_known_totals(member: Member, text: bytes, known: KnownHead, plan: ConversionContext) -> Member | None:
    """Return a file whose head is told by that of another, its line of totals told apart; None where notes stand below that."""
    if not may_end_with_totals(ByteView.of(member.body), known.head):
        return member
    place = (member.first.byte or 0) - len(known.begins)
    return without_totals(member, known.with_rows(text, place, plan.target.reading), plan)


def is_told(member: Member, text: bytes, head: Head, plan: ConversionContext, quoting: Quoting | None) -> bool:
    """Return whether the head of a file, now that it is read, is what that of another, or this one, told of it."""
    is_titled, body, suffix = (
        member.guess is not None and member.guess.skipped > 0,
        member.body,
        suffix_of(member.file, plan),
    )
    if is_told_whatever_its_widths(head, body, is_titled=is_titled, is_told_apart=quoting is not None):
        return True
    may_be = quoting is None and is_told_whatever_its_widths(head, body, is_titled=is_titled, is_told_apart=True)
    if may_be and find_quoting(text, suffix, plan) == head.dialect.quoting:
        return True
    own = find_own_head(member.file.name, text, plan, quoting)
    if own is None or own.kind != head.kind or Place(own.lines + 1, own.size) != member.first:
        return False
    guess = own.guess(suffix, member.encoding)
    return (
        own.units == head.units
        if member.guess is None
        else guess == replace(member.guess, totals="", totals_kept=False)
    )


def find_head_alike(
    name: str, text: bytes, head: Head, plan: ConversionContext, quoting: Quoting | None
) -> Head | None:
    """Return the head of a file that is written as others with this head, whatever its values tell; else None."""
    own = find_own_head(name, text, plan, quoting)
    if own is None or own.kind != head.kind:
        return None
    return own if (own.size, own.lines, own.units) == (head.size, head.lines, head.units) else None


def find_own_head(name: str, text: bytes, plan: ConversionContext, quoting: Quoting | None = None) -> Head | None:
    """Return the head of a file of which nothing more is to be told, and that says how its decimals are written; else None."""
    try:
        head = read_own_head(name, text, plan, quoting)
    except TableError:  # which is told where the file is read by itself
        return None
    if len(head.names) < 2 or head.warnings or head.dialect.doubts or not head.dialect.quoting.is_plain:  # noqa: PLR2004 - of one column the values tell what is the header again
        return None
    return head if head.dialect.is_decided or not _MAY_BE_THOUSANDS.search(text) else None


def has_stray_quotes(body: bytes, head: Head) -> bool:
    """Return whether any quote opens or closes no field: of such records only a reader can tell."""
    if _QUOTE not in body:
        return False
    view, dialect = np.frombuffer(body, np.uint8), head.dialect
    return not (dialect.quote and are_paired(view, dialect.quote, dialect.delimiter))


def may_begin_with_units(body: bytes, head: Head, plan: ConversionContext) -> bool:
    """Return whether the first row may be one of units, whatever stands below it."""
    dialect = head.dialect
    if plan.target.reading.units_row is False or not head.fields:
        return False
    line = body[: body.find(b"\n") + 1].decode()
    if dialect.quote and dialect.quote in line:
        records = csv.reader(
            io.StringIO(body.decode(), newline=""), delimiter=dialect.delimiter, quotechar=dialect.quote
        )
        return may_be_units(next(records, []))
    return may_be_units(line.rstrip("\r\n").split(dialect.delimiter))
