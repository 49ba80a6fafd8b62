"""CSV and TSV as formats: where the records of a file begin and end, and its last line, which may be totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

import numpy as np

from tasks.config import Reading
from tasks.convert.files.byte_view import ByteView
from tasks.convert.files.content import find_json, without_mark
from tasks.convert.files.encoding import SAMPLE_BYTES
from tasks.convert.formats.csv.ends import ReadCut, find_apart, hold_back, settle_blank, split_at_line, split_footer
from tasks.convert.formats.csv.header import Head, read_head
from tasks.convert.formats.csv.parse import CsvBlock, opens_quotes
from tasks.convert.formats.csv.quotes import are_paired, hold_many_lines
from tasks.convert.formats.csv.quoting import BACKSLASH, Quoting, detect_escapes
from tasks.convert.formats.csv.reader import parse_csv
from tasks.convert.formats.csv.records import BYTES_AWAITED, Records
from tasks.convert.formats.csv.tokens import Rewritten
from tasks.convert.formats.csv.totals import TOTALS, Footer, Totals, find_totals
from tasks.convert.formats.format import ByteBlock, Cut, Place, StreamedFormat, misfit_alone
from tasks.convert.schema.blocks import Guess, RawBlock
from tasks.convert.schema.names import refuse_width
from tasks.convert.schema.target import TableTarget
from tasks.core.errors import TableError

PIECE_LINES = 128 * 1024  # read quote by quote: each of them takes a hundred bytes and more meanwhile
_LINE_BYTES = 8
_JUDGED_BYTES = 64 * 1024
_PIECES, _LAST_PIECES = 1.25, 2  # of which so many are one: the last records of a file need not be told apart to be cut
_LATE_ESCAPE = (
    "a backslash before a quote is an escape, which shows only far below the header: above that two backslashes "
    "were kept as two; declare read.escape: '\\', or '' where it is none"
)


class Csv(StreamedFormat):
    """Records of fields with a delimiter between them; a quoted field may have line ends."""

    name: ClassVar[str] = "csv"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".txt")
    keys: ClassVar[frozenset[str]] = frozenset(
        {
            *("delimiter", "quote", "decimal", "escape", "comment", "encoding"),
            *("header", "header_row", "units_row", "skip_rows", "skip_footer", "skip_blank"),
        }
    )
    is_unicode: ClassVar[bool] = False

    def __init__(self, target: TableTarget) -> None:
        super().__init__(target)
        self._head: Head | None = None
        self._totals: Totals | None = None
        self._footer = Footer()
        self._blank = 0
        self._has_doubled = self._is_escaped_late = False

    @classmethod
    def find_other(cls, data: bytes) -> tuple[str, str] | None:
        """Return what a file is that begins with `data`: JSON too has commas."""
        return super().find_other(data) or find_json(without_mark(data))

    def begin(self, text: ByteView, *, final: bool) -> Place | None:
        """Return after how many lines and bytes the first record below the header begins."""
        target = self.target
        head = read_head(
            text, target.reading, self.suffixes[0], target.naming.rename, target.header_names, is_complete=final
        )
        if head.size == len(text) and not final:
            return None
        refuse_width(len(head.names))
        missing = target.find_missing(head.names)
        if head.names and missing:
            raise TableError(
                f"has no column {missing[0]!r}, which is required; its columns are {', '.join(head.names)}"
            )
        self._head = head
        return Place(head.lines, head.size)

    @property
    def head(self) -> Head:
        """Return the head of the file, once it has begun."""
        assert self._head is not None
        return self._head

    def cut(self, text: ByteView, *, final: bool) -> Cut:
        """Return the next bytes as far as their last whole record."""
        cut = cut_records(text, self.head, self.target.reading, final=final)
        if self.target.reading.escape is None and self.head.dialect.quoting.is_plain:
            self._find_escape(cut, _take_lines(text, final=final))
        return cut

    def _find_escape(self, cut: Cut, lines: ByteView) -> None:
        """Have the blocks below read by the escape that is found in one; what would have been another value above is told."""
        dialect = self.head.dialect
        found = dialect.quoting if cut.is_plain else _find_quoting(lines, self.head, self.target.reading)
        if found.escape:
            self._head = replace(self.head, dialect=replace(dialect, escape=found.escape, trims=found.trims))
            self._is_escaped_late = self._has_doubled
        backslash = BACKSLASH.encode()
        self._has_doubled = self._has_doubled or (backslash in cut.text and cut.text.find(2 * backslash) >= 0)

    def block(self, cut: Cut, place: Place) -> ByteBlock:
        """Return records as a block."""
        return self._block(self._settle_blank(cut), place)

    def _block(self, cut: Cut, place: Place) -> ByteBlock:
        block = CsvBlock(cut.plain, self.head, place.line, place.byte, None if cut.is_plain else cut.text)
        if isinstance(cut, ReadCut):
            told = cut.records.narrow(block.window, block.first_line, block.first_byte, block.raw)
            block = replace(block, told=told)
        return typed_later(block)

    def _settle_blank(self, cut: Cut) -> Cut:
        """Return records with those without any value as is declared of them."""
        skipped = self.target.reading.skip_blank
        if skipped is None or not self.head.names:
            return cut
        settled, lines = settle_blank(cut, self.head, kept=not skipped)
        self._blank += lines if skipped else 0
        return settled

    def end(self, cut: Cut, place: Place) -> Sequence[ByteBlock | RawBlock]:
        """Return the last block, and the last line where that is no row."""
        held, head = self.target.reading.skip_footer, self.head
        if held and not self.is_cut_off:
            cut, self._footer = split_footer(cut, head, held)
        rows = self._settle_blank(cut)
        self._totals = None if held == 0 else find_totals(rows.plain, head, self.target.columns)
        if self._totals is None or self._totals.kept:
            return [self._block(rows, place)]
        above, last = split_at_line(rows, self.count_lines(rows.plain.to_place(self._totals.place)))
        totals, notes = split_at_line(last, 1)
        found, below = self._after(place, above), self._after(self._after(place, above), totals)
        misfit = misfit_alone(totals.text.data.rstrip(b"\r\n"), found, head.names, TOTALS)
        blocks: list[ByteBlock | RawBlock] = [self._block(above, place), misfit]
        # Bytes of their own: where those of the rows above are, the next file may be read before the notes are parsed.
        alone = Cut(ByteView.of(notes.plain.data), ByteView.of(notes.text.data))
        return [*blocks, self._block(alone, below)] if alone.plain.data.strip(b"\r\n") else blocks

    def _after(self, place: Place, cut: Cut) -> Place:
        byte = None if place.byte is None else place.byte + len(cut.text)
        return Place(place.line + self.count_lines(cut.text), byte)

    def count_lines(self, text: ByteView) -> int:
        """Return how many lines end in `text`, be it by a carriage return alone."""
        return text.lines_of_any_end

    @property
    def names(self) -> Sequence[str]:
        """Return the columns that the header names."""
        return self._head.names if self._head else ()

    def guess(self, encoding: str) -> Guess:
        """Return how the file was read."""
        if self._head is None:
            return super().guess(encoding)
        guess = self._head.guess(self.suffixes[0], encoding)
        guess = replace(guess, footer=self._footer.records, footer_text=self._footer.text, blank=self._blank)
        totals = self._totals
        return guess if totals is None else replace(guess, totals=totals.text, totals_kept=totals.kept)

    @property
    def warnings(self) -> Sequence[str]:
        """Return what may have been another way."""
        if self._head is None:
            return ()
        asked = 0 if self.is_cut_off else self.target.reading.skip_footer or 0
        late = [_LATE_ESCAPE] if self._is_escaped_late else []
        return [*self._head.warnings, *late, *self._footer.warn(asked)]


class Tsv(Csv):
    """Records of fields with a tab between them."""

    name: ClassVar[str] = "tsv"
    suffixes: ClassVar[tuple[str, ...]] = (".tsv",)


@dataclass(frozen=True)
class CsvRecords(ByteBlock):
    """A block of CSV as one of any format."""

    block: CsvBlock = field(kw_only=True)


def typed_later(block: CsvBlock) -> CsvRecords:
    """Return a block of CSV as one of any format."""
    return CsvRecords(block.window, partial(parse_csv, block), block.head.names, block=block)


def cut_records(text: ByteView, head: Head, reading: Reading, *, final: bool) -> Cut:
    """Return the bytes of a CSV file as far as their last whole record that is none of its footer, rewritten as plain CSV where they are not, and as they are."""
    lines, held = _take_lines(text, final=final), reading.skip_footer
    size, most = _piece_bytes(lines), _LAST_PIECES if final else _PIECES
    piece = _copy_lines(lines, size) if len(lines) > most * size else None
    holds_many = piece is not None and _holds_many_lines(piece, head)
    # Then what stands below changes nothing, unless a quote of it is escaped.
    is_told = holds_many and _find_quoting(lines, head, reading).is_plain
    quoting = head.dialect.quoting if is_told else _quoting_to_read(lines, head, reading)
    if piece is not None and (holds_many or quoting is not None):
        cut = _cut_piece(piece, head, quoting or head.dialect.quoting, held)
        if cut.text:
            # Too few others to be a piece wait for those below them: without these a quote of theirs may be open or not.
            return replace(cut, is_followed=final or len(lines) - len(cut.text) > most * size)
        quoting = _quoting_to_read(lines, head, reading) if is_told else quoting
    cut, views = (Cut(lines, lines), ()) if quoting is None else _cut_lines(lines, head, quoting, final=final)
    return hold_back(cut, head, held, views) if held and not final else cut


def _piece_bytes(text: ByteView) -> int:
    """Return how many bytes so many lines have as are told apart at once."""
    least = PIECE_LINES * _LINE_BYTES
    return least * PIECE_LINES // min(PIECE_LINES, max(1, text.to_place(least).lines_of_any_end))


def _copy_lines(text: ByteView, size: int) -> ByteView:
    """Return the first lines as bytes of their own: those around them are used again once their block is parsed."""
    return ByteView.of(_take_lines(text.to_place(size), final=False).data)


def _holds_many_lines(piece: ByteView, head: Head) -> bool:
    """Return whether each quote of lines that are plain is of a field, and many of them end in one, to judge by the first: it takes many times their memory to tell their records."""
    quoting = head.dialect.quoting
    if not quoting.is_plain or not quoting.quote or quoting.quote.encode() not in piece:
        return False
    first = _take_lines(piece.to_place(_JUDGED_BYTES), final=False)
    is_paired = are_paired(first.to_numpy(), quoting.quote, quoting.delimiter, may_be_open=True)
    return is_paired and hold_many_lines(first, quoting.quote)


def _cut_piece(piece: ByteView, head: Head, quoting: Quoting, held: int | None) -> Cut:
    """Return lines that are followed by others as far as their last whole record, without so many that are `held` back."""
    cut, views = _cut_lines(piece, head, quoting, final=False, is_followed=True)
    return hold_back(cut, head, held, views, len(cut.text)) if held else cut


def _quoting_to_read(block: ByteView, head: Head, reading: Reading) -> Quoting | None:
    """Return how lines are quoted of which only a reader can tell the records, as a quote is open, or stands where it quotes nothing, or which are not plain; None where each line, or each quote, tells them."""
    quoting = head.dialect.quoting
    if not quoting.is_plain:
        return quoting
    quote, delimiter = quoting.quote, quoting.delimiter
    if not quote or quote.encode() not in block or are_paired(block.to_numpy(), quote, delimiter):
        return None
    found = _find_quoting(block, head, reading)
    opens = not found.is_plain or opens_quotes(block, found.quote, delimiter)
    return found if opens or block.has_blank_line else None


def _cut_lines(
    block: ByteView, head: Head, quoting: Quoting, *, final: bool, is_followed: bool = False
) -> tuple[Cut, Sequence[Rewritten]]:
    """Return lines as far as their last whole record, and all of them in each way that they were rewritten.

    A quote that nothing closes in lines that are `is_followed` by others may be closed there, however many bytes are below it.
    """
    awaited_bytes = len(block) if is_followed else BYTES_AWAITED
    views = [] if quoting.is_plain else [quoting.rewrite_lines(block, may_be_open=not final)]
    plain = views[0].plain if views else block
    if final or (views and views[0].is_paired(quoting.delimiter)):
        return Cut(plain, block), views
    raw, width = block if views else None, len(head.names)
    records = Records(plain, head.dialect, raw=raw, width=width)
    if settled := records.laid.settled:
        apart = find_apart(plain, np.flatnonzero(records.laid.is_first), settled, views, awaited_bytes)
        return split_at_line(ReadCut(plain, block, records), apart)[0], views
    end = records.find_unclosed(awaited_bytes)
    if views and not is_followed:
        # The last quote is either open, or stray: what is below it are records then.
        closed, above = (
            quoting.rewrite_lines(block, may_be_open=False),
            b"" if end is None else plain.data[: records.lines.place_of(end)],
        )
        if closed.plain.data != plain.data and (end is None or not closed.plain.data.startswith(above)):
            views.append(closed)
            records = Records(closed.plain, head.dialect, raw=raw, width=width)
            end = records.find_unclosed(awaited_bytes)
    return _cut_at(records, end, views, awaited_bytes), views


def _cut_at(records: Records, end: int | None, views: Sequence[Rewritten], awaited_bytes: int) -> ReadCut:
    """Return the lines before the one at which a record may begin that ends below, or as far as the last whole record."""
    if end is None:
        end = len(records.lines) if len(records.unclosed) else int(records.whole[1].max(initial=0))
    end = find_apart(records.lines.text, records.begins, end, views, awaited_bytes) if views else end
    plain, raw = (lines.text.to_line(end) for lines in (records.lines, records.raw))
    return ReadCut(plain, plain if records.raw is records.lines else raw, records)


def _take_lines(text: ByteView, *, final: bool) -> ByteView:
    """Return the whole lines of a text, of which the last may have no end where it is the file's."""
    return text if final else text.to_place(_last_line_end(text))


def _find_quoting(block: ByteView, head: Head, reading: Reading) -> Quoting:
    """Return how fields are quoted by what stands around the doubtful quotes of a block."""
    quoting = head.dialect.quoting
    return detect_escapes(_around(block, quoting.quote.encode()), quoting, reading.escape)


def _last_line_end(text: ByteView) -> int:
    end = text.rfind(b"\n") + 1
    return end or text.to_place(len(text) - 1).rfind(b"\r") + 1  # the last one may be the half of a line end


def _around(block: ByteView, quote: bytes) -> str:
    """Return the lines from the first quote that may be escaped on, and those from the first after a blank."""
    texts = []
    for doubtful in (b"\\" + quote, b" " + quote):
        if doubtful[:1] in block and (place := block.find(doubtful)) >= 0:
            start = block.to_place(place).rfind(b"\n") + 1
            texts.append(block.from_place(start).to_place(SAMPLE_BYTES).data)
    return b"\n".join(texts).decode("utf-8", "replace")
