"""A file's bytes, read without blocking the loop, and the reader that its name asks for."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import aiofiles
import pyarrow as pa

from tasks.convert.csv_reader import parse_csv
from tasks.convert.jsonl_reader import parse_jsonl
from tasks.convert.parsed import Parsed
from tasks.errors import TableError

BLOCK_BYTES = 8 * 1024 * 1024  # aiofiles hands every call to a thread: few large blocks, never lines

Reader = Callable[[bytes], Parsed]


async def read_bytes(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        TableError: the file cannot be read.

    """
    blocks = bytearray()
    try:
        async with aiofiles.open(path, "rb") as file:
            while block := await file.read(BLOCK_BYTES):
                blocks += block
    except OSError as error:
        raise TableError(f"cannot be read ({error.strerror}); check the file and its permissions") from error
    return bytes(blocks)


def decompress(data: bytes, path: Path) -> bytes:
    """Return the bytes within a .gz or .zst file; others as they are.

    Raises:
        TableError: the compressed bytes are damaged or cut off.

    """
    try:
        match path.suffix.lower():
            case ".gz":
                return gzip.decompress(data)
            case ".zst":
                return bytes(pa.CompressedInputStream(pa.BufferReader(data), "zstd").read())
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(
            f"its {path.suffix} compression is damaged or cut off ({error}); fetch the file again"
        ) from error
    return data


def choose_reader(path: Path, *, typed: bool, explode: str | None = None) -> Reader:
    """Return the reader for a file's name.

    `typed` is false where JSON values are texts of unknown type; `explode` is the
    column of JSON lists whose elements are rows.

    Raises:
        TableError: no reader knows the name's ending.

    """
    match Path(path.stem if path.suffix.lower() in (".gz", ".zst") else path.name).suffix.lower():
        case ".csv":
            return parse_csv
        case ".tsv":
            return lambda data: parse_csv(data, "\t")
        case ".jsonl" | ".ndjson":
            return lambda data: parse_jsonl(data, typed=typed, explode=explode)
        case suffix:
            raise TableError(
                f"{suffix or 'no ending'} is not a format; known are .csv, .tsv, .jsonl, .ndjson, each plain, .gz or .zst"
            )
