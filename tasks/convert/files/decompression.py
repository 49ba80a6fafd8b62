"""Compressed bytes decompressed piece by piece, so that all that stands before a damage is had."""

from __future__ import annotations

import bz2
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

from isal import isal_zlib

from tasks.core.errors import TableError


class Section:
    """So many bytes of a file from a place on, or all that are left; positions are counted from that place."""

    def __init__(self, file: Any, start: int = 0, size: int | None = None) -> None:
        self._file = file
        self._start = start
        self._size = size
        self.position = 0
        if start:
            file.seek(start)

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end.

        Raises:
            TableError: the file, or the store it lies in, fails.

        """
        if self._size is not None:
            size = min(size, self._size - self.position)
        pieces: list[bytes] = []
        # A store gives what has come so far: less than was asked for is not the end.
        while size > 0 and (piece := self._read_once(size)):
            pieces.append(piece)
            size -= len(piece)
            self.position += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def return_to(self, position: int) -> bool:
        """Go back to a position; return whether the file can."""
        try:
            self._file.seek(self._start + position)
        except (OSError, ValueError):  # what is streamed can not, whatever its seekable() says
            return False
        self.position = position
        return True

    def _read_once(self, size: int) -> bytes:
        try:
            return bytes(self._file.read(size))
        except Exception as error:  # a store fails in its own ways
            reason = getattr(error, "strerror", None) or error
            raise TableError(f"cannot be read ({reason}); check the file and its permissions") from error


if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE_BYTES = 1024 * 1024
_INPUT_BYTES = 128 * 1024

CUT = "Compressed file ended before the end-of-stream marker was reached"


class DamagedError(Exception):
    """A file's compressed bytes are damaged or cut off; all that came before has been read.

    `offset` is how many of the compressed bytes had been taken when that showed.
    """

    def __init__(self, sentence: str, offset: int = 0) -> None:
        super().__init__(sentence)
        self.offset = offset


class Decoder(Protocol):
    """What decompresses one frame."""

    @property
    def eof(self) -> bool:
        """Return whether the frame has ended."""

    @property
    def needs_input(self) -> bool:
        """Return whether nothing more comes without further bytes."""

    @property
    def unused_data(self) -> bytes:
        """Return the bytes after the frame's end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most so many of the bytes that come next."""


class Inflate:
    """zlib as the other decoders are; `window` tells whether a gzip header and checksum are around the data.

    With `careful` every letter that the bytes tell comes out, also before a cut; without it three times as fast.
    """

    def __init__(self, window: int, *, careful: bool) -> None:
        self._object = zlib.decompressobj(window) if careful else isal_zlib.decompressobj(window)
        self._holds_more = False

    @property
    def eof(self) -> bool:
        """Return whether the data has ended, and its checksum is right."""
        return self._object.eof

    @property
    def needs_input(self) -> bool:
        """Return whether nothing more comes without further bytes."""
        return not self._holds_more and not self._object.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        """Return the bytes after the data."""
        return self._object.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most so many of the bytes that come next."""
        piece = self._object.decompress(self._object.unconsumed_tail + data, max_length)
        self._holds_more = len(piece) == max_length
        return piece


@dataclass(frozen=True)
class Compression:
    """What decompresses a frame, what each begins with, where that is one thing, and what such a file is called.

    With `in_order` what comes out before a damage is as it was; bzip2 shuffles a
    block as a whole, so that one damaged byte makes all of its block another text.
    """

    decoder: Callable[[], Decoder]
    magic: bytes = b""
    called: str = ""
    in_order: bool = True
    careful: Callable[[], Decoder] | None = None
    """What decompresses a frame that is known to be damaged, where that is another."""


def inflate(window: int, magic: bytes = b"", called: str = "") -> Compression:
    """Return the compression of zlib with this window."""
    return Compression(
        partial(Inflate, window, careful=False), magic, called, careful=partial(Inflate, window, careful=True)
    )


COMPRESSIONS: Mapping[str, Compression] = {
    ".gz": inflate(31, b"\x1f\x8b", "gzipped"),
    ".bz2": Compression(bz2.BZ2Decompressor, b"BZh", "bzip2", in_order=False),
    ".zst": Compression(zstd.ZstdDecompressor),
}
_ERRORS: tuple[type[Exception], ...] = (
    zlib.error,
    cast("type[Exception]", isal_zlib.error),
    OSError,
    EOFError,
    zstd.ZstdError,
    ValueError,
)


class Decompressed:
    """The bytes of frames that stand one after the other, decompressed."""

    def __init__(self, source: Section, compression: Compression) -> None:
        self._source = source
        self._compression = compression
        self._decoder: Decoder | None = None
        self._ahead = b""
        self._frame_start: int | None = None
        self._frame_given = 0
        self._last_input = 0
        self._damage: DamagedError | None = None
        self._saved = b""

    def read(self, size: int) -> bytes:
        """Return some bytes, at most `size`, or none at the end.

        Raises:
            DamagedError: nothing more can be had.
            TableError: the file cannot be read.

        """
        if self._damage is None:
            try:
                return self._read(size)
            except _ERRORS as error:
                self._damage = DamagedError(str(error), self._source.position)
                self._saved = self._salvage() if self._compression.in_order else b""
        if not self._saved:
            raise self._damage
        piece, self._saved = self._saved[:size], self._saved[size:]
        return piece

    def _read(self, size: int) -> bytes:
        while self._decoder is not None or self._begin():
            assert self._decoder is not None
            piece = self._step(self._decoder, size)
            self._frame_given += len(piece)
            if self._decoder.eof:
                self._ahead, self._decoder = self._decoder.unused_data, None
            if piece:
                return piece
        return b""

    def _begin(self) -> bool:
        """Begin the next frame; return whether there is one."""
        magic = self._compression.magic
        ahead = self._ahead or self._source.read(_INPUT_BYTES)
        if magic and self._frame_start is not None:
            while ahead and not (ahead := ahead.lstrip(b"\0")):  # tapes fill their blocks so
                ahead = self._source.read(_INPUT_BYTES)
        if len(ahead) < len(magic):
            ahead += self._source.read(_INPUT_BYTES)
        self._ahead = ahead
        if not ahead:
            return False
        if not ahead.startswith(magic[: len(ahead)]):
            raise ValueError(f"Not a {self._compression.called} file ({ahead[: len(magic)]!r})")
        self._frame_start = self._source.position - len(self._ahead)
        self._frame_given = 0
        self._decoder = self._compression.decoder()
        return True

    def _step(self, decoder: Decoder, size: int) -> bytes:
        data = b""
        if decoder.needs_input:
            data, self._ahead = self._ahead or self._source.read(_INPUT_BYTES), b""
            self._last_input = self._source.position - len(data)
            if not data:
                raise EOFError(CUT)
        return decoder.decompress(data, size)

    def _salvage(self) -> bytes:
        """Return what the frame gives before its damage: the call that met it kept that to itself.

        The frame is read again, from the input that failed on byte by byte.
        """
        if self._decoder is None or self._frame_start is None or not self._source.return_to(self._frame_start):
            return b""
        decoder = (self._compression.careful or self._compression.decoder)()
        given = self._frame_given
        saved: list[bytes] = []
        try:
            while not decoder.eof:
                size = min(_INPUT_BYTES, max(1, self._last_input - self._source.position))
                data = self._source.read(size) if decoder.needs_input else b""
                if not data and decoder.needs_input:
                    break
                piece = decoder.decompress(data, PIECE_BYTES)
                saved.append(piece[given:])
                given -= min(given, len(piece))
        except _ERRORS:
            pass
        return b"".join(saved)
