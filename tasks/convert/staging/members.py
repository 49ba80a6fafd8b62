"""Small files that may be joined: their lines, and of CSV the bytes in UTF-8, and what each alone tells of how it is written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np

from tasks.convert.files.byte_view import ByteView
from tasks.convert.files.encoding import Transcoder, detect_encoding
from tasks.convert.formats.csv.dialect import RECORDS
from tasks.convert.formats.csv.header import Head, read_head
from tasks.convert.formats.csv.quotes import are_inside, are_paired
from tasks.convert.formats.csv.together import kind_of_head, line_without_values
from tasks.convert.formats.csv.totals import find_totals
from tasks.convert.formats.format import Place
from tasks.convert.formats.header import PLAIN_NAME
from tasks.convert.formats.registry import format_of
from tasks.convert.formats.units import are_units, may_be_units
from tasks.convert.schema.blocks import Guess
from tasks.convert.staging.context import ConversionContext, InputFile
from tasks.core.errors import TableError

_ODD = (b"'", b"\0", b"\xef\xbb\xbf", b"\xff")
_QUOTE = b'"'
_OTHER_DELIMITERS = (b";", b"\t", b"|")
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

    @classmethod
    def of(cls, file: InputFile, body: bytes) -> Member:
        """Return a file each line of which is a record."""
        whole = body if not body or body.endswith(b"\n") else body + b"\n"
        return cls(file, whole, ByteView.of(whole).lines)

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


def decode_plain(data: bytes) -> tuple[bytes, str] | None:
    """Return a small file of CSV in UTF-8, and its encoding; None where that is not sure, or it holds what a line of values may not."""
    encoding = "utf-8"
    if not data.isascii():
        if any(odd in data for odd in _ODD):
            return None
        found = detect_encoding(data, None, is_unicode=False, is_complete=True)
        if found.warning or found.mark_bytes:
            return None
        encoding, data = found.name, Transcoder(found).to_utf8(data, final=True)
        if len(ByteView.of(data).undecodable):
            return None
    is_odd = any(odd in data for odd in _ODD) or data.count(b"\r") != data.count(b"\r\n")
    return None if is_odd else (data, encoding)


def find_records(body: bytes, quote: str) -> np.ndarray | None:
    """Return in which line of a text whose quotes are paired each record begins; None where each line is one."""
    if quote.encode() not in body:
        return None
    view = ByteView.of(body).to_numpy()
    are_in_quotes = are_inside(view == ord(quote))[view == ord("\n")]
    return np.flatnonzero(np.insert(~are_in_quotes, 0, values=True)[:-1]) if are_in_quotes.any() else None


def read_own_head(name: str, text: bytes, plan: ConversionContext) -> Head:
    """Return the head of a file of this name that holds `text`."""
    target = plan.target
    suffix = format_of(name, target.reading).suffixes[0]
    return read_head(ByteView.of(text), target.reading, suffix, target.naming.rename, target.header_names)


def find_head_alike(name: str, text: bytes, head: Head, plan: ConversionContext) -> Head | None:
    """Return the head of a file that is written as others with this head, whatever its values tell; else None."""
    own = find_own_head(name, text, plan)
    if own is None or kind_of_head(own) != kind_of_head(head):
        return None
    return own if (own.size, own.lines, own.units) == (head.size, head.lines, head.units) else None


def find_own_head(name: str, text: bytes, plan: ConversionContext) -> Head | None:
    """Return the head of a file of which nothing more is to be told, and that says how its decimals are written; else None."""
    try:
        head = read_own_head(name, text, plan)
    except TableError:  # which is told where the file is read by itself
        return None
    if len(head.names) < 2 or head.warnings or head.dialect.doubts or not head.dialect.quoting.is_plain:  # noqa: PLR2004 - of one column the values tell what is the header again
        return None
    return head if head.dialect.is_decided or not _MAY_BE_THOUSANDS.search(text) else None


def find_doubtful(header: bytes, head: Head) -> re.Pattern[bytes] | None:
    """Return what makes it doubtful, below a header, how the file is divided, or whether that is its header: one of its first names as a value; None where every file is."""
    others = any(each in header for each in _OTHER_DELIMITERS)
    if head.dialect.delimiter != "," or others or not all(map(PLAIN_NAME.fullmatch, head.fields)):
        return None
    names = b"|".join(re.escape(field).encode() for field in head.fields[:2])
    return re.compile(rb"(?:^|,)(?:%b)(?:,|\r?$)" % names, re.MULTILINE)


def is_doubted(body: bytes, head: Head, doubtful: re.Pattern[bytes]) -> bool:
    """Return whether a file has a quote, or one of the first names of its header as a value."""
    if _QUOTE in body:
        return True
    return any(field.encode() in body for field in head.fields[:2]) and doubtful.search(body) is not None


def has_odd_records(body: bytes, head: Head) -> bool:
    """Return whether any record has no value, as below it the header of another table may be, or a stray quote."""
    text, dialect = ByteView.of(body), head.dialect
    if _QUOTE in body and not (dialect.quote and are_paired(text.to_numpy(), dialect.quote, dialect.delimiter)):
        return True  # whose records only a reader can tell
    begins = f"{dialect.delimiter}{dialect.quote} \t\v\f\r\n".encode()
    may_be_empty = body[:1] in begins or any(
        b"\n%c" % each in body for each in begins
    )  # a tenth of what a pattern costs
    return bool(may_be_empty and line_without_values(dialect.delimiter, dialect.quote).search(body))


def may_begin_with_units(body: bytes, head: Head, plan: ConversionContext) -> bool:
    """Return whether the first row may be one of units."""
    dialect = head.dialect
    first, *below = body.decode().replace("\r\n", "\n").split("\n", RECORDS)[: RECORDS - 1]
    if plan.target.reading.units_row is False or not head.fields or not may_be_units(first.split(dialect.delimiter)):
        return False
    return are_units(
        first.split(dialect.delimiter), [line.split(dialect.delimiter) for line in filter(None, below)][:-1]
    )
