"""A file of a streamed format cut into blocks of whole records, as its bytes come."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.convert.files.byte_view import BufferPool, ByteView
from tasks.convert.files.encoding import SAMPLE_BYTES, Encoding, Transcoder, detect_encoding
from tasks.convert.formats.format import ByteBlock, Cut, Place, StreamedFormat, misfit_alone
from tasks.convert.schema.blocks import Guess, RawBlock
from tasks.core.errors import TableError

_UNITS = 8  # a file of less than a block has a buffer of so many eighths: zeros cost time, and few sizes are used again
RECORD_BYTES = 64 * 1024 * 1024  # one record is in memory as a whole, ten times over


class RecordSplitter:
    """One file's blocks: as its bytes are written into `room`, it gives those that are complete."""

    def __init__(self, read_as: StreamedFormat, buffers: BufferPool, block_bytes: int, file_bytes: int) -> None:
        self._format = read_as
        self._target = read_as.target
        self._buffers = buffers
        self._has_begun = False
        self._transcoder: Transcoder | None = None
        self._block_bytes = block_bytes
        unit = block_bytes // _UNITS
        size = min(block_bytes, (file_bytes // unit + 1) * unit)
        self._buffer = bytearray(file_bytes + 1) if file_bytes < unit else buffers.acquire(size)
        self._rest = ByteView(self._buffer, 0, 0)
        self._line = 1
        self._byte: int | None = 0  # known where the file is in UTF-8
        self.encoding = Encoding()

    @property
    def guess(self) -> Guess:
        """Return what was guessed of the file, or declared."""
        return self._format.guess(self.encoding.name)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return sentences on how the file was read, where it may have been another way, or was cut off."""
        return tuple(filter(None, (self.encoding.warning, *self._format.warnings)))

    @property
    def room(self) -> memoryview:
        """Return where the next bytes belong: after those that are left of the block before, and at least as many as half a block has."""
        return memoryview(self._buffer)[len(self._rest) :]

    def feed(self, received: int, *, final: bool) -> Iterator[ByteBlock | RawBlock]:
        """Take the bytes that were written first into `room` and yield the blocks that they complete, before `room` is asked for again; with `final`, a block also of no rows.

        Mostly it is one. Of lines that take many times their memory to be told apart it is one for each piece, cut when it is asked for.

        Raises:
            TableError: the header cannot be read, or a record is too long to be one.

        """
        text = self._text(received, final=final)
        if not self._has_begun:
            first = self._format.begin(text, final=final)
            if first is None:
                self._keep(text)
                return
            self._has_begun = True
            text = text.from_place(first.byte or 0)
            self._advance(first.byte or 0, first.line)
        yield from self._cut(text, final=final)

    def _text(self, received: int, *, final: bool) -> ByteView:
        """Return what is left of the bytes before and those just received, in UTF-8."""
        new = ByteView(self._buffer, len(self._rest), len(self._rest) + received)
        if self._transcoder is None:
            if not self._target.landed:
                self._format.refuse_other(new.to_place(SAMPLE_BYTES).data)
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
        return detect_encoding(data.data, declared, is_unicode=self._format.is_unicode, is_complete=final)

    def _keep(self, rest: ByteView) -> None:
        """Put what is no whole record before the bytes that come next."""
        is_long = len(rest) > self._block_bytes // 2
        size = self._block_bytes
        self._buffer = bytearray(len(rest) + size) if is_long else self._buffers.acquire(size)
        self._rest = ByteView(self._buffer, 0, len(rest))
        self._rest.view[:] = rest.view  # a bytearray would copy what it is given once more

    def break_off(self, reason: str) -> RawBlock:
        """Return the record in which a damaged file ends, as a block that has no other; what is left is whole records."""
        self._format.is_cut_off = True
        end = self._rest.rfind(b"\n") + 1
        tail, self._rest = self._rest.from_place(end), self._rest.to_place(end)
        place = None if self._byte is None else self._byte + end
        line = self._line + self._format.count_lines(self._rest)
        return misfit_alone(tail.data, Place(line, place), self._format.names, reason)

    def _cut(self, text: ByteView, *, final: bool) -> Iterator[ByteBlock | RawBlock]:
        cut = self._format.cut(text, final=final)
        while cut.is_followed:
            yield self._take(cut)
            text = text.from_place(len(cut.text))
            cut = self._format.cut(text, final=final)
        if final:
            yield from self._format.end(cut, Place(self._line, self._byte))
            return
        self._keep(text.from_place(len(cut.text)))
        if len(self._rest) > RECORD_BYTES:
            raise TableError(
                f"the record that begins in line {self._line + self._format.count_lines(cut.text)} is longer than "
                f"{RECORD_BYTES // 1024**2} MiB; is it a text file? A quote that is not closed can also be why: declare read.quote"
            )
        if cut.text:
            yield self._take(cut)

    def _take(self, cut: Cut) -> ByteBlock:
        """Return records as a block; the next bytes stand below it."""
        made = self._format.block(cut, Place(self._line, self._byte))
        self._advance(len(cut.text), self._format.count_lines(cut.text))
        return made

    def _advance(self, size: int, lines: int) -> None:
        self._line += lines
        self._byte = None if self._byte is None else self._byte + size
