"""A text file cut into blocks of whole records, as its bytes come."""

from __future__ import annotations

import pyarrow as pa

from tasks.convert.csv.block import CsvBlock
from tasks.convert.csv.head import Head, read_head
from tasks.convert.csv.records import Records, are_paired
from tasks.convert.files import Plan
from tasks.convert.json.lines import JsonBlock
from tasks.convert.parsed import Misfit, Record, Texts
from tasks.convert.reading.encoding import SAMPLE_BYTES, Encoding, Transcoder, detect_encoding
from tasks.convert.window import Window
from tasks.errors import TableError

_UNITS = 8  # a file of less than a block has a buffer of so many eighths: zeros cost time, and few sizes are used again
RECORD_BYTES = 256 * 1024 * 1024  # one record is in memory as a whole

Block = CsvBlock | JsonBlock


class Cutter:
    """One file's blocks: as its bytes are written into `room`, it gives those that are complete."""

    def __init__(self, plan: Plan, suffix: str, block_bytes: int, file_bytes: int) -> None:
        self._plan = plan
        self._target = plan.target
        self._suffix = suffix
        self._is_csv = suffix in (".csv", ".tsv")
        self._transcoder: Transcoder | None = None
        self._head: Head | None = None
        self._block_bytes = block_bytes
        unit = block_bytes // _UNITS
        size = min(block_bytes, (file_bytes // unit + 1) * unit)
        self._buffer = bytearray(file_bytes + 1) if file_bytes < unit else plan.buffers.take(size)
        self._rest = Window(self._buffer, 0, 0)
        self._line = 1
        self._byte: int | None = 0  # known where the file is in UTF-8
        self.encoding = Encoding()

    @property
    def room(self) -> memoryview:
        """Return where the next bytes belong: after those that are left of the block before, and at least as many as half a block has."""
        return memoryview(self._buffer)[len(self._rest) :]

    def feed(self, received: int, *, final: bool) -> list[Block]:
        """Take the bytes that were written first into `room` and return the block that they complete; with `final`, a block also of no rows.

        Raises:
            TableError: the header cannot be read, or a record is too long to be one.

        """
        text = self._text(received, final=final)
        if self._is_csv and self._head is None:
            self._head = self._read_head(text)
            if self._head.size == len(text) and not final:
                self._head = None
                self._keep(text)
                return []
            text = text.from_place(self._head.size)
            self._advance(self._head.size, self._head.lines)
        return self._cut(text, final=final)

    def _text(self, received: int, *, final: bool) -> Window:
        """Return what is left of the bytes before and those just received, in UTF-8."""
        new = Window(self._buffer, len(self._rest), len(self._rest) + received)
        if self._transcoder is None:
            self.encoding = self._detect(new, final=final)
            self._transcoder = Transcoder(self.encoding)
            self._byte = self.encoding.mark_bytes if self.encoding.name == "utf-8" else None
            if self._transcoder.keeps:
                return new.from_place(self.encoding.mark_bytes)
        if self._transcoder.keeps:
            return Window(self._buffer, 0, new.stop)
        return Window.of(b"".join((self._rest.view, self._transcoder.to_utf8(new.data, final=final))))

    def _detect(self, data: Window, *, final: bool) -> Encoding:
        declared = self._target.reading.encoding
        if declared is None and data.is_ascii and b"\0" not in data.to_place(SAMPLE_BYTES):
            return Encoding()
        return detect_encoding(data.data, declared, is_unicode=not self._is_csv, whole=final)

    def _keep(self, rest: Window) -> None:
        """Put what is no whole record before the bytes that come next."""
        is_long = len(rest) > self._block_bytes // 2
        size = self._block_bytes
        self._buffer = bytearray(len(rest) + size) if is_long else self._plan.buffers.take(size)
        self._rest = Window(self._buffer, 0, len(rest))
        self._rest.view[:] = rest.view  # a bytearray would copy what it is given once more

    def break_off(self, reason: str) -> Texts:
        """Return the record in which a damaged file ends, as a block that has no other; what is left is whole records."""
        end = self._rest.rfind(b"\n") + 1
        tail, self._rest = self._rest.from_place(end), self._rest.to_place(end)
        place = None if self._byte is None else self._byte + end
        record = Record(self._line + self._lines(self._rest), tail.data.decode("utf-8", "backslashreplace"), place)
        names = self._head.names if self._head else ()
        table = pa.table({name: pa.array([], pa.string()) for name in names})
        return Texts(table, 1, [Misfit(record, None, reason)], lambda _: ())

    def _read_head(self, text: Window) -> Head:
        target = self._target
        head = read_head(text, target.reading, self._suffix, target.naming.rename)
        missing = [name for name, column in target.columns.items() if column.required and name not in head.names]
        if head.names and missing:
            raise TableError(
                f"has no column {missing[0]!r}, which is required; its columns are {', '.join(head.names)}"
            )
        return head

    def _cut(self, text: Window, *, final: bool) -> list[Block]:
        block = text if final else self._whole_records(text)
        if not final:
            self._keep(text.from_place(len(block)))
        if len(self._rest) > RECORD_BYTES:
            raise TableError(
                f"the record that begins in line {self._line + self._lines(block)} is longer than "
                f"{RECORD_BYTES // 1024**2} MiB; is it a text file? A quote that is not closed can also be why: declare read.quote"
            )
        if not block and not final:
            return []
        blocks = [self._block(block)]
        if not final:
            self._advance(len(block), self._lines(block))
        return blocks

    def _lines(self, text: Window) -> int:
        return text.lines_of_any_end if self._is_csv else text.lines

    def _advance(self, size: int, lines: int) -> None:
        self._line += lines
        self._byte = None if self._byte is None else self._byte + size

    def _block(self, text: Window) -> Block:
        if self._head is not None:
            return CsvBlock(text, self._head, self._line, self._byte)
        target = self._target
        return JsonBlock(
            text, self._line, self._byte, target.typed, target.explode, target.naming, nulls_of=target.nulls_of
        )

    def _whole_records(self, text: Window) -> Window:
        """Return a file's next bytes as far as their last whole record."""
        if self._head is None:
            return text.to_place(text.rfind(b"\n") + 1)
        return _whole_csv_records(text, self._head)


def _whole_csv_records(text: Window, head: Head) -> Window:
    quote = head.dialect.quote.encode()
    end = text.rfind(b"\n") + 1
    if not end:
        end = text.to_place(len(text) - 1).rfind(b"\r") + 1  # the last one may be the half of a line end
    whole_lines = text.to_place(end)
    if (
        not quote
        or quote not in whole_lines
        or are_paired(whole_lines.to_numpy(), head.dialect.quote, head.dialect.delimiter)
    ):
        return whole_lines
    # A quote is open, or stands where it quotes nothing: only a reader can tell.
    records = Records(whole_lines.data, head.dialect)
    whole = max((span.end for span in records.spans), default=0)
    unclosed = records.first_unclosed
    lines = records.lines[: whole if unclosed is None else unclosed]
    return text.to_place(len("".join(lines).encode("utf-8", "surrogateescape")))
