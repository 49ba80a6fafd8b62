"""Bodies packed as gzip or in a .zip, unpacked as they are read, and never beyond a size."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import IO, Any

from tasks.core.errors import PermanentSourceError, SourceError

_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_BUFFER_BYTES = 256 * 1024
_ASIDE = ("__MACOSX/", ".")  # what systems add to the files that were packed
_SHOWN = 5
_ENCRYPTED = 1


class _Room:
    """How many bytes a body may still become."""

    def __init__(self, most: int, label: str) -> None:
        self.most = most
        self._left = most
        self._label = label

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            self.refuse("it goes on")

    def refuse(self, how: str) -> None:
        raise PermanentSourceError(
            f"{self._label}: unpacked the body is larger than requests.max_body_bytes ({self.most:,}): {how}; "
            "ask for less at once, or raise max_body_bytes"
        )


class _Bounded(io.RawIOBase):
    """A stream that ends in an error where it is larger than there is room for."""

    def __init__(self, stream: IO[bytes], room: _Room) -> None:
        self._stream = stream
        self._room = room

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._stream.read(len(buffer))
        self._room.take(len(part))
        buffer[: len(part)] = part
        return len(part)


def is_packed(body: bytes) -> bool:
    """Return whether a body is gzip or a .zip, as its first bytes tell."""
    return body.startswith((_GZIP, *_ZIP))


def is_zip(body: bytes) -> bool:
    """Return whether a body is a .zip, as its first bytes tell."""
    return body.startswith(_ZIP)


def unpack(body: bytes, label: str, member: str | None, most: int) -> Iterator[IO[bytes]]:
    """Yield what a body is: itself, what gzip has packed, or each file of a .zip, which may be gzip as well.

    `member` tells which files of a .zip; what all of them become may have at most `most` bytes.

    Raises:
        PermanentSourceError: it becomes larger, or no file is one of those that are asked for.

    """
    room = _Room(most, label)
    if not is_zip(body):
        yield _unzip(io.BytesIO(body), room) if is_packed(body) else io.BytesIO(body)
        return
    with zipfile.ZipFile(io.BytesIO(body)) as packed:
        members = _choose(packed, label, member)
        if (told := sum(info.file_size for info in members)) > most:
            room.refuse(f"its files have {told:,}")
        for info in members:
            with packed.open(info) as stream:
                begin = io.BufferedReader(stream, _BUFFER_BYTES)  # type: ignore[type-var]
                yield _unzip(begin, room) if begin.peek(2).startswith(_GZIP) else _bound(begin, room)


def _unzip(stream: IO[bytes], room: _Room) -> IO[bytes]:
    return _bound(gzip.GzipFile(fileobj=stream), room)  # type: ignore[arg-type]


def _bound(stream: IO[bytes], room: _Room) -> IO[bytes]:
    return io.BufferedReader(_Bounded(stream, room), _BUFFER_BYTES)


def _choose(packed: zipfile.ZipFile, label: str, member: str | None) -> list[zipfile.ZipInfo]:
    files = [info for info in packed.infolist() if not info.is_dir() and not info.filename.startswith(_ASIDE)]
    members = [info for info in files if member is None or fnmatchcase(info.filename, member)]
    if not members:
        names = ", ".join(info.filename for info in files[:_SHOWN]) or "none"
        raise PermanentSourceError(
            f"{label}: the .zip has no file {member or ''}".rstrip() + f"; it has {names}; correct answer.member"
        )
    if encrypted := next((info.filename for info in members if info.flag_bits & _ENCRYPTED), None):
        raise PermanentSourceError(
            f"{label}: {encrypted} in the .zip is encrypted; have the server pack it without a password"
        )
    return members


@contextmanager
def explaining_damage(label: str) -> Iterator[None]:
    """Tell of what is packed and damaged in a sentence; fetched again it may be whole."""
    try:
        yield
    except (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
        raise SourceError(
            f"{label}: what is packed in the body is damaged ({error}); run again, or tell the server's owner"
        ) from error
