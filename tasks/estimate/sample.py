"""How much a file holds, decompressed, and how many rows: by what it tells of itself, else by its head; it is never read to its end."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

from tasks.config import Reading
from tasks.convert.files.opening import DamagedError, Stream, suffixes
from tasks.convert.formats.format import FileFormat, WholeFormat
from tasks.convert.formats.registry import format_of
from tasks.convert.staging.context import InputFile
from tasks.core.errors import TableError

SAMPLE_BYTES = 4 * 2**20
"""Decompressed: some 20 ms, and enough for the ratio of what is read at least 128 KiB at a time."""


@dataclass(frozen=True)
class Sample:
    """What a file shows of those like it: bytes that a byte of it becomes, and bytes, as they lie, that a row takes; None where that is not known."""

    unpacked: float = 1.0
    row_bytes: float | None = None


def sample_file(file: InputFile, reading: Reading) -> Sample | None:
    """Return what a file shows; None where nothing of it can be read, which a run will tell."""
    if not file.size or not file.is_local:
        return None
    try:
        kind = format_of(file.name, reading, file.path)
        compression = suffixes(file.name)[1]
        if not compression and file.piece is None and issubclass(kind, WholeFormat):
            extent = kind.find_extent(Path(file.path))
            if extent is not None:
                return Sample(extent.unpacked / file.size, file.size / extent.rows if extent.rows else None)
        return _sample_head(file, kind, reading, compression)
    except (TableError, DamagedError, OSError, zipfile.BadZipFile, ValueError):
        return None


def _sample_head(file: InputFile, kind: type[FileFormat], reading: Reading, compression: str) -> Sample:
    with Stream(file.path, reading.member, file.piece) as stream:
        head = stream.read_some(SAMPLE_BYTES)
        taken = stream.taken_bytes
    if not compression:
        unpacked = 1.0
    elif len(head) < SAMPLE_BYTES:  # all of it
        unpacked = len(head) / file.size
    elif compression == ".zip":
        unpacked = _declared(Path(file.path), reading.member) / file.size
    else:
        unpacked = max(len(head) / max(1, min(taken, file.size)), 1.0)
    row_bytes = kind.find_row_bytes(head, reading)
    return Sample(unpacked, row_bytes / unpacked if row_bytes and unpacked else None)


def _declared(path: Path, member: str | None) -> int:
    """Return the size, decompressed, that a .zip declares of what is read of it."""
    with zipfile.ZipFile(path) as archive:
        return max(info.file_size for info in archive.infolist() if member in (None, info.filename))
