"""Bodies decompressed as they come, in parts so small that a bomb is seen before it has gone off."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

import pyarrow as pa

_PART_BYTES = 64 * 1024
_GZIP = b"\x1f\x8b"
_WINDOW_BITS = {
    "gzip": 16 + zlib.MAX_WBITS,
    "x-gzip": 16 + zlib.MAX_WBITS,
    "deflate": zlib.MAX_WBITS,
}


_BY_ARROW = {"br": "brotli", "zstd": "zstd", "x-zstd": "zstd"}
"""Codings that some servers send to whoever asks, and pyarrow's names for them."""
_UNKNOWN = frozenset({"compress", "x-compress", "bzip2", "x-bzip2", "xz", "lzma", "lz4", "snappy", "dcb", "dcz"})


class UnknownCodingError(Exception):
    """A body is compressed in a way that is not known here."""


class Decompression:
    """What a Content-Encoding header says was done to a body, undone; codings that are none of compression are let pass.

    Its methods raise zlib.error where the body is not what the header says.

    Raises:
        UnknownCodingError: the header names a compression that cannot be undone.

    """

    def __init__(self, encoding: str) -> None:
        codings = [coding.strip().lower() for coding in encoding.split(",")]
        if unknown := _UNKNOWN.intersection(codings):
            raise UnknownCodingError(
                f"Content-Encoding is {encoding!r:.80}, and {min(unknown)} is not known here; have the server send gzip"
            )
        self._streams = [_open(coding) for coding in reversed(codings) if coding in _WINDOW_BITS or coding in _BY_ARROW]

    def feed(self, data: bytes) -> Iterable[bytes]:
        """Return what the next part of the body becomes."""
        parts: Iterable[bytes] = (data,)
        for stream in self._streams:
            parts = stream.feed(parts)
        return parts

    def end(self) -> Iterable[bytes]:
        """Return what is left when the body has ended; raise where it did too early."""
        parts: Iterable[bytes] = ()
        for stream in self._streams:
            parts = chain(stream.feed(parts), stream.end())
        return parts


def _open(coding: str) -> _Stream | _Whole:
    return _Stream(coding) if coding in _WINDOW_BITS else _Whole(_BY_ARROW[coding])


class _Whole:
    """One compression that is undone when all of the body is there: pyarrow reads from a file, and is fed by none."""

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._body = bytearray()

    def feed(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        for data in parts:
            self._body += data
        yield from ()

    def end(self) -> Iterator[bytes]:
        if not self._body:
            return
        try:
            with pa.CompressedInputStream(pa.BufferReader(bytes(self._body)), self._codec) as stream:
                while part := stream.read(_PART_BYTES):
                    yield part
        except OSError as error:
            raise zlib.error(str(error)) from error


class _Stream:
    """One compression; of gzip there may be several members, one after the other."""

    def __init__(self, coding: str) -> None:
        self._is_gzip = coding != "deflate"
        self._bits = _WINDOW_BITS[coding]
        self._head = b""
        self._stream: zlib._Decompress | None = None
        self._members = 0
        self._is_over = False

    def feed(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        for data in parts:
            yield from self._feed(data)

    def end(self) -> Iterator[bytes]:
        if self._stream is not None or (self._head and not self._members):
            raise zlib.error("it ends too early")
        yield from ()

    def _feed(self, data: bytes) -> Iterator[bytes]:
        while not self._is_over:
            if self._stream is None:
                self._head += data
                if len(self._head) < len(_GZIP):
                    return
                self._begin()
                data, self._head = self._head, b""
                continue
            part = self._stream.decompress(data, _PART_BYTES)
            if part:
                yield part
            if self._stream.eof:
                data = self._stream.unused_data
                self._members += 1
                self._stream = None
                continue
            data = self._stream.unconsumed_tail
            if not data and len(part) < _PART_BYTES:
                return

    def _begin(self) -> None:
        """Begin with what the first bytes tell: that deflate has, as some have it, no frame, or that padding follows."""
        if self._members and not (self._is_gzip and self._head.startswith(_GZIP)):
            self._is_over = True
            return
        bare = self._head[0] & 15 != zlib.DEFLATED or int.from_bytes(self._head[:2], "big") % 31 != 0
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS if bare and not self._is_gzip else self._bits)
