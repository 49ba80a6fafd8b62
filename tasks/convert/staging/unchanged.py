"""A file as it was listed: read as it was then, and known by its content; where it is another one by now, that is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xxhash

from tasks.convert.staging.context import InputFile
from tasks.core.errors import TableError

_HASHED_BYTES = 8 * 1024 * 1024  # at once


@contextmanager
def told_failures() -> Iterator[None]:
    """Raise a TableError where a file cannot be read."""
    try:
        yield
    except FileNotFoundError as error:
        raise TableError("is gone since it was listed; run again") from error
    except OSError as error:
        raise TableError(f"cannot be read ({error.strerror}); check the file and its permissions") from error


def content_digest(file: InputFile) -> str:
    """Return what tells a file's content: its hash, or what a remote store knows it by."""
    if not isinstance(file.path, Path):
        return file.version
    digest = xxhash.xxh3_128()
    with told_failures(), file.path.open("rb") if file.piece is None else file.piece.open() as stream:
        while data := stream.read(_HASHED_BYTES):
            digest.update(data)
    return digest.hexdigest()


def check_unchanged(file: InputFile) -> None:
    """Raise where a file is no longer as it was listed.

    Raises:
        TableError: it is gone, or another one.

    """
    if not isinstance(file.path, Path) or file.piece is not None:  # no pack is written to
        return
    try:
        status = file.path.stat()
    except FileNotFoundError as error:
        raise TableError("is gone since it was listed; run again") from error
    if (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns):
        raise TableError("changed while it was read; run again when it is whole")
