"""Files opened wherever they lie, and their bytes decompressed as they are read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import pyarrow as pa

from tasks.errors import TableError

COMPRESSIONS = frozenset({".gz", ".zst", ".bz2", ".zip"})

# Deflate expands a thousandfold at most, and honest data seldom a hundredfold.
BOMB_BYTES = 1024**3
BOMB_RATIO = 500

_DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_PIECE_BYTES = 1024 * 1024


class DamagedError(Exception):
    """A file's compressed bytes are damaged or cut off; all that came before has been read."""


def suffixes(name: str) -> tuple[str, str]:
    """Return the endings that tell a file's format and its compression, in lower case; empty where it has none."""
    path = PurePosixPath(name)
    compression = path.suffix.lower()
    if compression not in COMPRESSIONS:
        return compression, ""
    return PurePosixPath(path.stem).suffix.lower(), compression


class Stream:
    """The decompressed bytes of a file; opened where it is made, to be closed."""

    def __init__(self, path: Path | str, member: str | None = None) -> None:
        self._stack = ExitStack()
        self._compression = suffixes(str(path))[1]
        self._received = 0
        self._damage: DamagedError | None = None
        try:
            self._source = self._stack.enter_context(_open(path))
            self._file = self._decompress(member)
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    @property
    def is_whole(self) -> bool:
        """Return whether no damage has been met so far."""
        return self._damage is None

    def read_some(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end or where the next ones are damaged.

        Raises:
            DamagedError: the compressed bytes are damaged; what came out before was returned.
            TableError: the file cannot be read, or is a decompression bomb.

        """
        if self._damage is not None:
            raise self._damage
        if not self._compression:
            return self._read_plain(size)
        pieces, got = [], 0
        try:
            while got < size and (piece := self._read_piece(min(size - got, _PIECE_BYTES))):
                pieces.append(piece)
                got += len(piece)
        except _DAMAGE as error:
            said = f"its {self._compression} compression is damaged or cut off ({error})"
            self._damage = DamagedError(said)
            if not pieces:
                raise self._damage from error
        self._received += got
        self._refuse_bomb()
        return b"".join(pieces)

    def _read_plain(self, size: int) -> bytes:
        try:
            return bytes(self._source.read(size))
        except OSError as error:
            raise TableError(
                f"cannot be read ({error.strerror or error}); check the file and its permissions"
            ) from error

    def _read_piece(self, size: int) -> bytes:
        """Return what one step of decompression gives: no more is lost where the next one fails."""
        read = getattr(self._file, "read1", self._file.read)
        return bytes(read(size))

    def _refuse_bomb(self) -> None:
        if self._received < BOMB_BYTES:
            return
        size = self._source.tell() if self._compression != ".zip" else max(1, self._member_bytes)
        if self._received > BOMB_RATIO * max(1, size):
            raise TableError(
                f"holds more than {BOMB_RATIO} times what it takes up, as a decompression bomb does; "
                "if it is no bomb, decompress it first"
            )

    def _decompress(self, member: str | None) -> Any:
        match self._compression:
            case ".gz":
                return self._stack.enter_context(gzip.GzipFile(fileobj=self._source))
            case ".bz2":
                return self._stack.enter_context(bz2.BZ2File(self._source))
            case ".zst":
                return pa.CompressedInputStream(pa.PythonFile(self._source, mode="r"), "zstd")
            case ".zip":
                return self._open_member(member)
        return self._source

    def _open_member(self, member: str | None) -> Any:
        try:
            archive = self._stack.enter_context(zipfile.ZipFile(self._source))
        except _DAMAGE as error:
            raise TableError(f"is not a whole .zip ({error}); fetch the file again") from error
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        if member is None and len(names) != 1:
            raise TableError(f"holds {len(names)} files ({_listed(names)}); name one as read.member")
        chosen = names[0] if member is None else member
        if chosen not in names:
            raise TableError(f"holds no file {chosen!r} but {_listed(names)}; correct read.member")
        info = archive.getinfo(chosen)
        self._member_bytes = info.compress_size
        try:
            return self._stack.enter_context(archive.open(info))
        except (RuntimeError, NotImplementedError, *_DAMAGE) as error:
            raise TableError(f"its member {chosen!r} cannot be read ({error}); decompress it first") from error


def _open(path: Path | str) -> Any:
    """Return a file opened for reading.

    Raises:
        TableError: it is not there, not a file or not allowed, or its kind of address needs a package.

    """
    try:
        return path.open("rb") if isinstance(path, Path) else fsspec.open(path, "rb").open()
    except FileNotFoundError as error:
        raise TableError("is gone since it was listed; run again") from error
    except ImportError as error:
        raise TableError(f"cannot be read: {error}; install that package beside Tidemill") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TableError(f"cannot be read ({reason}); check the file and its permissions") from error


def _listed(names: list[str]) -> str:
    more = [f"{len(names) - 5} more"] if len(names) > 5 else []  # noqa: PLR2004 - enough to choose from
    return ", ".join([*names[:5], *more]) or "none"
