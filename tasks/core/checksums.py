"""Files told apart from damaged ones, by size and time, and where these differ by their hash; and kept in two places."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import xxhash

_BLOCK_BYTES = 2**20


@dataclass(frozen=True)
class Checksum:
    """A file as it was written."""

    size: int
    mtime_ns: int
    digest: str


def take_checksum(path: Path) -> Checksum:
    """Return the checksum of a file."""
    status = path.stat()
    return Checksum(status.st_size, status.st_mtime_ns, _hash(path))


def is_as_written(path: Path, checksum: Checksum) -> bool:
    """Return whether a file is there, can be read, and is the one of which the checksum was taken.

    A file with another time, as a copy has it, is read; if its bytes are right it gets
    the time back, so that it is read once.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size != checksum.size or not os.access(path, os.R_OK):
            return False
        if status.st_mtime_ns == checksum.mtime_ns:
            return True
        if _hash(path) != checksum.digest:
            return False
    except OSError:
        return False
    give_time(path, checksum.mtime_ns)
    return True


def give_time(path: Path, mtime_ns: int) -> None:
    """Give a file the time at which its bytes were written, where that is allowed."""
    with suppress(OSError):
        os.utime(path, ns=(mtime_ns, mtime_ns))


def link_file(source: Path, target: Path) -> None:
    """Have a file in a second place, without a copy of its bytes where the file system can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)


def _hash(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
