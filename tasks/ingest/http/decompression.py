"""Bodies decompressed as they come, in parts so small that a bomb is seen before it has gone off."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

_PART_BYTES = 64 * 1024
_GZIP = b"\x1f\x8b"
_WINDOW_BITS = {
    "gzip": 16 + zlib.MAX_WBITS,
    "x-gzip": 16 + zlib.MAX_WBITS,
    "deflate": zlib.MAX_WBITS,
}


class Decompression:
    """What a Content-Encoding header says was done to a body, undone; codings that are none of compression are let pass.

    Its methods raise zlib.error where the body is not what the header says.
    """

    def __init__(self, encoding: str) -> None:
        codings = [coding.strip().lower() for coding in encoding.split(",")]
        self._streams = [_Stream(coding) for coding in reversed(codings) if coding in _WINDOW_BITS]

    def feed(self, data: bytes) -> Iterable[bytes]:
        """Return what the next part of the body becomes."""
        parts: Iterable[bytes] = (data,)
        for stream in self._streams:
            parts = stream.feed(parts)
        return parts

    def end(self) -> None:
        """Raise where the body has ended too early."""
        for stream in self._streams:
            stream.end()


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

    def end(self) -> None:
        if self._stream is not None or (self._head and not self._members):
            raise zlib.error("it ends too early")

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
