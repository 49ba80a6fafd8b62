"""A text file cut into blocks of whole records, as its bytes come."""

from __future__ import annotations

import pyarrow as pa

from tasks.convert.csv.block import CsvBlock
from tasks.convert.csv.head import SAMPLE_BYTES, Head, read_head
from tasks.convert.csv.records import Records, are_paired, count_lines
from tasks.convert.files import Plan
from tasks.convert.json.lines import JsonBlock
from tasks.convert.parsed import Misfit, Record, Texts
from tasks.convert.reading.encoding import Encoding, Transcoder, detect_encoding
from tasks.errors import TableError

RECORD_BYTES = 256 * 1024 * 1024  # one record is in memory as a whole

Block = CsvBlock | JsonBlock


class Cutter:
    """One file's blocks: fed with its bytes, it gives those that are complete."""

    def __init__(self, plan: Plan, suffix: str) -> None:
        self._plan = plan
        self._target = plan.target
        self._suffix = suffix
        self._is_csv = suffix in (".csv", ".tsv")
        self._transcoder: Transcoder | None = None
        self._head: Head | None = None
        self._rest = b""
        self._line = 1
        self._byte: int | None = 0  # known where the file is in UTF-8
        self.encoding = Encoding()

    def feed(self, data: bytes, *, final: bool) -> list[Block]:
        """Take the next bytes and return the block that they complete; with `final`, a block also of no rows.

        Raises:
            TableError: the header cannot be read, or a record is too long to be one.

        """
        if self._transcoder is None:
            self.encoding = detect_encoding(
                data, self._target.reading.encoding, is_unicode=not self._is_csv, whole=final
            )
            self._transcoder = Transcoder(self.encoding)
            self._byte = self.encoding.mark_bytes if self.encoding.name == "utf-8" else None
        text = self._transcoder.to_utf8(data, final=final)
        buffer = self._rest + text if self._rest else text
        if self._is_csv and self._head is None:
            self._head = self._read_head(buffer)
            if self._head.size == len(buffer) and not final:
                self._head, self._rest = None, buffer
                return []
            buffer = buffer[self._head.size :]
            self._advance(self._head.size, self._head.lines)
        return self._cut(buffer, final=final)

    def break_off(self, reason: str) -> Texts:
        """Return the record in which a damaged file ends, as a block that has no other; what is left is whole records."""
        end = self._rest.rfind(b"\n") + 1
        tail, self._rest = self._rest[end:], self._rest[:end]
        place = None if self._byte is None else self._byte + len(self._rest)
        record = Record(self._line + count_lines(self._rest), tail.decode("utf-8", "backslashreplace"), place)
        names = self._head.names if self._head else ()
        table = pa.table({name: pa.array([], pa.string()) for name in names})
        return Texts(table, 1, [Misfit(record, None, reason)], lambda _: ())

    def _read_head(self, data: bytes) -> Head:
        target = self._target
        line = data[: data.find(b"\n") + 1]
        quotes = b"".join(quote for quote in (b'"', b"'") if quote in data[:SAMPLE_BYTES])
        if line + quotes in self._plan.heads:
            return self._plan.heads[line + quotes]
        head = read_head(data, target.reading, self._suffix, target.naming.rename)
        missing = [name for name, column in target.columns.items() if column.required and name not in head.names]
        if head.names and missing:
            raise TableError(
                f"has no column {missing[0]!r}, which is required; its columns are {', '.join(head.names)}"
            )
        # Of a delimiter other than the comma, the values decide what separates decimals.
        if head.lines == 1 and head.size == len(line) and head.dialect.delimiter == ",":
            self._plan.heads[line + quotes] = head
        return head

    def _cut(self, buffer: bytes, *, final: bool) -> list[Block]:
        end = len(buffer) if final else self._find_cut(buffer)
        block, self._rest = (buffer, b"") if end == len(buffer) else (buffer[:end], buffer[end:])
        if len(self._rest) > RECORD_BYTES:
            raise TableError(
                f"the record that begins in line {self._line + count_lines(block)} is longer than "
                f"{RECORD_BYTES // 1024**2} MiB; is it a text file? A quote that is not closed can also be why: declare read.quote"
            )
        if not block and not final:
            return []
        blocks = [self._block(block)]
        if not final:
            self._advance(len(block), count_lines(block))
        return blocks

    def _advance(self, size: int, lines: int) -> None:
        self._line += lines
        self._byte = None if self._byte is None else self._byte + size

    def _block(self, data: bytes) -> Block:
        if self._head is not None:
            return CsvBlock(data, self._head, self._line, self._byte)
        return JsonBlock(data, self._line, self._byte, self._target.typed, self._target.explode, self._target.naming)

    def _find_cut(self, data: bytes) -> int:
        """Return where the last whole record ends."""
        if self._head is None:
            return data.rfind(b"\n") + 1
        return find_cut(data, self._head)


def find_cut(data: bytes, head: Head) -> int:
    """Return where the last record ends that is whole in a file's next bytes; 0 where none is."""
    quote = head.dialect.quote.encode()
    end = data.rfind(b"\n") + 1
    if not end:
        end = data.rfind(b"\r", 0, -1) + 1  # the last one may be the half of a line end
    if not quote or quote not in data or are_paired(data[:end], head.dialect.quote, head.dialect.delimiter):
        return end
    # A quote is open, or stands where it quotes nothing: only a reader can tell.
    records = Records(data[:end], head.dialect)
    whole = max((span.end for span in records.spans), default=0)
    unclosed = records.first_unclosed
    lines = records.lines[: whole if unclosed is None else unclosed]
    return len("".join(lines).encode("utf-8", "surrogateescape"))
