"""Files opened wherever they lie, and their bytes decompressed as they are read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import fsspec

from tasks.config.formats import FORMATS
from tasks.convert.files.decompression import COMPRESSIONS as _BY_FRAMES
from tasks.convert.files.decompression import PIECE_BYTES, DamagedError, Decompressed, Section
from tasks.convert.files.zip_member import Member, Readable
from tasks.core.bucket.opened import is_below, open_object
from tasks.core.errors import TableError
from tasks.core.imports import import_store
from tasks.core.redaction import redact
from tasks.core.remote_storage import explain_store_failure, failure_of, http_options, is_http, missing_package
from tasks.raw.packs import Piece

__all__ = [
    "BOMB_BYTES",
    "BOMB_RATIO",
    "COMPRESSIONS",
    "DamagedError",
    "Stream",
    "is_ending",
    "suffixes",
]

COMPRESSIONS = frozenset({*_BY_FRAMES, ".zip"})

# Deflate expands a thousandfold at most, and honest data seldom a hundredfold.
BOMB_BYTES = 1024**3
BOMB_RATIO = 500
_AS_IT_IS = {"Accept-Encoding": "identity"}


@lru_cache(maxsize=64)  # of one name it is asked several times in turn
def suffixes(name: str) -> tuple[str, str]:
    """Return the endings that tell a file's format and its compression, in lower case; empty where it has none."""
    last = (urlsplit(name).path if is_http(name) else name).rstrip("/").rpartition("/")[2]
    compression = _suffix(last)
    if compression not in COMPRESSIONS:
        return compression, ""
    return _suffix(last[: -len(compression)]), compression


def _suffix(name: str) -> str:
    """Return the ending of a name as a path has it, in lower case: it is asked for thrice a file, and a path takes six times as long."""
    place = name.rfind(".")
    return name[place:].lower() if 0 < place < len(name) - 1 else ""


def is_ending(suffix: str) -> bool:
    """Return whether a suffix, in lower case, tells a format or a compression."""
    return suffix in FORMATS.by_suffix or suffix in COMPRESSIONS


class Stream:
    """The decompressed bytes of a file; opened where it is made, to be closed."""

    def __init__(self, path: Path | str, member: str | None = None, piece: Piece | None = None) -> None:
        self._stack = ExitStack()
        self._is_streamed = is_http(str(path)) or is_below(path)
        self._compression = suffixes(str(path))[1]
        self._given = 0
        self._damage: DamagedError | None = None
        try:
            self._file = self._stack.enter_context(_open(path if piece is None else piece))
            self._source = Section(self._file)
            if self._compression == ".gz" and _is_decoded(self._file):
                self._compression = ""
            self._bytes = self._decompress(member)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    @property
    def is_intact(self) -> bool:
        """Return whether no damage has been met so far."""
        return self._damage is None

    @property
    def taken_bytes(self) -> int:
        """Return how many of the file's bytes were read so far; of a .zip those of its directory are none."""
        return self._source.position

    @property
    def member(self) -> str | None:
        """Return the name of the file within the .zip; None where it is none."""
        return self._bytes.name if isinstance(self._bytes, Member) else None

    def read_some(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end or where the next ones are damaged.

        Raises:
            DamagedError: the compressed bytes are damaged; what came out before was returned.
            TableError: the file cannot be read, or is a decompression bomb.

        """
        whole = BytesIO()  # gives its bytes without a copy; pieces that are joined are in memory twice
        whole.writelines(self._pieces(size))
        return whole.getvalue()

    def read_into(self, room: memoryview) -> int:
        """Fill `room` as `read_some` would, with the same errors; return how many bytes are in it."""
        filled = 0
        for piece in self._pieces(len(room)):
            room[filled : filled + len(piece)] = piece
            filled += len(piece)
        return filled

    def _pieces(self, size: int) -> Iterator[bytes]:
        if self._damage is not None:
            raise self._damage
        left = size
        try:
            while left and (piece := self._bytes.read(min(left, PIECE_BYTES))):
                left -= len(piece)
                if self._compression:
                    self._refuse_bomb(len(piece))
                yield piece
        except DamagedError as error:
            said = f"its {self._compression} compression is damaged or cut off ({error})"
            self._damage = DamagedError(said, error.offset)
            if left == size:
                raise self._damage from error

    def _refuse_bomb(self, more: int) -> None:
        self._given += more
        if self._given <= BOMB_BYTES:
            return
        taken = self._bytes.packed_bytes if isinstance(self._bytes, Member) else self._source.position
        if self._given > BOMB_RATIO * max(1, taken):
            raise TableError(
                f"holds more than {BOMB_RATIO} times what it takes up, as a decompression bomb does; "
                "if it is no bomb, decompress it first"
            )

    def _decompress(self, member: str | None) -> Readable:
        if self._compression == ".zip":
            return Member(self._seekable(), member)
        if self._compression:
            return Decompressed(self._source, _BY_FRAMES[self._compression])
        return self._source

    def _seekable(self) -> Any:
        """Return the file, or where its store gives it only from beginning to end a copy: a .zip is told by its end."""
        if not self._is_streamed:
            return self._file
        copy = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - it is closed with the stream
        while piece := self._source.read(PIECE_BYTES):
            copy.write(piece)
        return copy


def _is_decoded(file: Any) -> bool:
    """Return whether a server called a .gz the encoding of a page: then it was decoded on its way."""
    response = getattr(file, "r", None)
    return response is not None and response.headers.get("Content-Encoding") in ("gzip", "x-gzip")


def _open(path: Path | str | Piece) -> Any:
    """Return a file opened for reading.

    Raises:
        TableError: it is not there, not a file or not allowed, or its kind of address needs a package.

    """
    try:
        if isinstance(path, Piece):
            return path.open()
        if isinstance(path, Path):
            return path.open("rb")
        if is_below(path):
            return open_object(path)
        import_store(path)
        # By ranges a file would be another one half way where it changed, and not every server knows them.
        return (
            fsspec.open(path, "rb", block_size=0, headers=_AS_IT_IS, **http_options(path)).open()
            if is_http(path)
            else fsspec.open(path, "rb").open()
        )
    except FileNotFoundError as error:
        if (cause := failure_of(error)) is not None:
            raise TableError(explain_store_failure(cause, "read", "check the address and the credentials")) from error
        raise TableError("is gone since it was listed; run again") from error
    except ImportError as error:
        raise TableError(missing_package(redact(str(path)), error)) from error
    except Exception as error:  # a store fails in its own ways
        raise TableError(explain_store_failure(error, "read", "check the file and its permissions")) from error
