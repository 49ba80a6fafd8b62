"""A text file cut into blocks of whole records, as its bytes come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from tasks.config import Reading
from tasks.convert.files.byte_view import BufferPool, ByteView
from tasks.convert.files.content import refuse_other_content
from tasks.convert.files.encoding import SAMPLE_BYTES, Encoding, Transcoder, detect_encoding
from tasks.convert.formats.csv.header import Head, find_hints, read_head
from tasks.convert.formats.csv.parse import CsvBlock
from tasks.convert.formats.csv.quoting import detect_escapes
from tasks.convert.formats.csv.records import Records, are_paired
from tasks.convert.formats.csv.totals import TOTALS, Totals, find_totals
from tasks.convert.formats.jsonl import JsonBlock, tell_cut_off
from tasks.convert.schema.blocks import Guess, RawBlock, Record, Rejection
from tasks.convert.schema.names import refuse_width
from tasks.convert.schema.target import TableTarget
from tasks.core.errors import TableError

_UNITS = 8  # a file of less than a block has a buffer of so many eighths: zeros cost time, and few sizes are used again
RECORD_BYTES = 64 * 1024 * 1024  # one record is in memory as a whole, ten times over

Block = CsvBlock | JsonBlock


class RecordSplitter:
    """One file's blocks: as its bytes are written into `room`, it gives those that are complete."""

    def __init__(
        self, target: TableTarget, buffers: BufferPool, suffix: str, block_bytes: int, file_bytes: int
    ) -> None:
        self._target = target
        self._buffers = buffers
        self._suffix = suffix
        self._is_csv = suffix in (".csv", ".tsv")
        self._expected = target.header_names
        self._transcoder: Transcoder | None = None
        self._head: Head | None = None
        self._block_bytes = block_bytes
        unit = block_bytes // _UNITS
        size = min(block_bytes, (file_bytes // unit + 1) * unit)
        self._buffer = bytearray(file_bytes + 1) if file_bytes < unit else buffers.acquire(size)
        self._rest = ByteView(self._buffer, 0, 0)
        self._line = 1
        self._byte: int | None = 0  # known where the file is in UTF-8
        self._totals: Totals | None = None
        self._cut_off = ""
        self.encoding = Encoding()

    @property
    def guess(self) -> Guess:
        """Return what was guessed of the file, or declared."""
        if self._head is None:
            return Guess(self._suffix.removeprefix("."), self.encoding.name)
        hints = find_hints(self._head, self._target.columns)
        guess = replace(self._head.guess(self._suffix, self.encoding.name), hints=hints)
        totals = self._totals
        return guess if totals is None else replace(guess, totals=totals.text, totals_kept=totals.kept)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return sentences on how the file was read, where it may have been another way, or was cut off."""
        head = () if self._head is None else self._head.dialect.warnings
        return tuple(filter(None, (self._cut_off, self.encoding.warning, *head)))

    @property
    def room(self) -> memoryview:
        """Return where the next bytes belong: after those that are left of the block before, and at least as many as half a block has."""
        return memoryview(self._buffer)[len(self._rest) :]

    def feed(self, received: int, *, final: bool) -> list[Block | RawBlock]:
        """Take the bytes that were written first into `room` and return the block that they complete; with `final`, a block also of no rows.

        Raises:
            TableError: the header cannot be read, or a record is too long to be one.

        """
        text = self._text(received, final=final)
        if self._is_csv and self._head is None:
            self._head = self._read_head(text, final=final)
            if self._head.size == len(text) and not final:
                self._head = None
                self._keep(text)
                return []
            text = text.from_place(self._head.size)
            self._advance(self._head.size, self._head.lines)
        return self._cut(text, final=final)

    def _text(self, received: int, *, final: bool) -> ByteView:
        """Return what is left of the bytes before and those just received, in UTF-8."""
        new = ByteView(self._buffer, len(self._rest), len(self._rest) + received)
        if self._transcoder is None:
            if not self._target.landed:
                refuse_other_content(new.to_place(SAMPLE_BYTES).data, self._suffix)
            self.encoding = self._detect(new, final=final)
            self._transcoder = Transcoder(self.encoding)
            self._byte = self.encoding.mark_bytes if self.encoding.name == "utf-8" else None
            if self._transcoder.keeps:
                return new.from_place(self.encoding.mark_bytes)
        if self._transcoder.keeps:
            return ByteView(self._buffer, 0, new.stop)
        return ByteView.of(b"".join((self._rest.view, self._transcoder.to_utf8(new.data, final=final))))

    def _detect(self, data: ByteView, *, final: bool) -> Encoding:
        declared = self._target.reading.encoding
        if declared is None and data.is_ascii and b"\0" not in data.to_place(SAMPLE_BYTES):
            return Encoding()
        return detect_encoding(data.data, declared, is_unicode=not self._is_csv, whole=final)

    def _keep(self, rest: ByteView) -> None:
        """Put what is no whole record before the bytes that come next."""
        is_long = len(rest) > self._block_bytes // 2
        size = self._block_bytes
        self._buffer = bytearray(len(rest) + size) if is_long else self._buffers.acquire(size)
        self._rest = ByteView(self._buffer, 0, len(rest))
        self._rest.view[:] = rest.view  # a bytearray would copy what it is given once more

    def break_off(self, reason: str) -> RawBlock:
        """Return the record in which a damaged file ends, as a block that has no other; what is left is whole records."""
        end = self._rest.rfind(b"\n") + 1
        tail, self._rest = self._rest.from_place(end), self._rest.to_place(end)
        place = None if self._byte is None else self._byte + end
        record = Record(self._line + self._lines(self._rest), tail.data.decode("utf-8", "backslashreplace"), place)
        return _misfit_alone(record, self._head.names if self._head else (), reason)

    def _read_head(self, text: ByteView, *, final: bool) -> Head:
        target = self._target
        head = read_head(text, target.reading, self._suffix, target.naming.rename, self._expected, whole=final)
        if head.size == len(text) and not final:
            return head
        refuse_width(len(head.names))
        missing = [name for name, column in target.columns.items() if column.required and name not in head.names]
        if head.names and missing:
            raise TableError(
                f"has no column {missing[0]!r}, which is required; its columns are {', '.join(head.names)}"
            )
        return head

    def _cut(self, text: ByteView, *, final: bool) -> list[Block | RawBlock]:
        plain, block = self._whole_records(text, final=final)
        if final and self._head is not None and plain is block:
            return self._end(block, self._head)
        if not final:
            self._keep(text.from_place(len(block)))
        if len(self._rest) > RECORD_BYTES:
            raise TableError(
                f"the record that begins in line {self._line + self._lines(block)} is longer than "
                f"{RECORD_BYTES // 1024**2} MiB; is it a text file? A quote that is not closed can also be why: declare read.quote"
            )
        if not block and not final:
            return []
        if final and self._head is None and not self._target.landed:
            self._cut_off = tell_cut_off(block)
        made = self._block(plain, block)
        if not final:
            self._advance(len(block), self._lines(block))
        return [made]

    def _end(self, text: ByteView, head: Head) -> list[Block | RawBlock]:
        """Return a CSV file's last block, and its last line where that is no row of it."""
        self._totals = find_totals(text, head, self._target.columns)
        if self._totals is None or self._totals.kept:
            return [self._block(text, text)]
        text, last = text.to_place(self._totals.place), text.from_place(self._totals.place)
        place = None if self._byte is None else self._byte + len(text)
        record = Record(self._line + self._lines(text), last.data.decode("utf-8", "backslashreplace").rstrip(), place)
        return [self._block(text, text), _misfit_alone(record, head.names, TOTALS)]

    def _lines(self, text: ByteView) -> int:
        return text.lines_of_any_end if self._is_csv else text.lines

    def _advance(self, size: int, lines: int) -> None:
        self._line += lines
        self._byte = None if self._byte is None else self._byte + size

    def _block(self, plain: ByteView, text: ByteView) -> Block:
        if self._head is not None:
            return CsvBlock(plain, self._head, self._line, self._byte, None if plain is text else text)
        target = self._target
        return JsonBlock(
            text,
            self._line,
            self._byte,
            target.typed,
            target.explode,
            target.keeps_empty,
            target.naming,
            target.nulls_of,
        )

    def _whole_records(self, text: ByteView, *, final: bool) -> tuple[ByteView, ByteView]:
        """Return a file's next bytes as far as their last whole record, as they are read and as they stand in the file."""
        if self._head is not None:
            return whole_csv_records(text, self._head, self._target.reading, final=final)
        block = text if final else text.to_place(text.rfind(b"\n") + 1)
        return block, block


def _misfit_alone(record: Record, names: Sequence[str], reason: str) -> RawBlock:
    """Return a block of no row and one misfit."""
    table = pa.table({name: pa.array([], pa.string()) for name in names})
    return RawBlock(table, 1, [Rejection(record, None, reason)], lambda _: ())


def whole_csv_records(text: ByteView, head: Head, reading: Reading, *, final: bool) -> tuple[ByteView, ByteView]:
    """Return the bytes of a CSV file as far as their last whole record, rewritten as plain CSV where they are not, and as they are."""
    block = text if final else text.to_place(_last_line_end(text))
    quoting = head.dialect.quoting
    quote, delimiter = quoting.quote.encode(), quoting.delimiter
    is_plain = quoting.is_plain
    if is_plain and (not quote or quote not in block or are_paired(block.to_numpy(), quoting.quote, delimiter)):
        return block, block
    # A quote is open, or stands where it quotes nothing: only a reader can tell.
    if is_plain:
        quoting = detect_escapes(_around(block, quote), quoting, reading.escape)
    plain = block if quoting.is_plain else ByteView.of(quoting.rewrite(block.data))
    if final or (plain is not block and (not quote or are_paired(plain.to_numpy(), quoting.quote, delimiter))):
        return plain, block
    records = Records(plain.data, head.dialect, raw=block.data, width=len(head.names))
    whole = max((span.end for span in records.spans), default=0)
    unclosed = records.first_unclosed
    end = (len(records.lines) if records.broken else whole) if unclosed is None else unclosed
    if plain is block:
        cut = block.to_place(records.place_of(end))
        return cut, cut
    lines = "".join(records.lines[:end]).encode("utf-8", "surrogateescape")
    return ByteView.of(lines), block.to_place(records.place_of(end))


def _last_line_end(text: ByteView) -> int:
    end = text.rfind(b"\n") + 1
    return end or text.to_place(len(text) - 1).rfind(b"\r") + 1  # the last one may be the half of a line end


def _around(block: ByteView, quote: bytes) -> str:
    """Return the lines from the first quote that may be escaped on, and those from the first after a blank."""
    texts = []
    for doubtful in (b"\\" + quote, b" " + quote):
        if (place := block.find(doubtful)) >= 0:
            start = block.to_place(place).rfind(b"\n") + 1
            texts.append(block.from_place(start).to_place(SAMPLE_BYTES).data)
    return b"\n".join(texts).decode("utf-8", "replace")
