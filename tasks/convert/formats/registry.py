"""Formats of files: by declaration or ending, and the readers of those that are not lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tasks.config import Reading
from tasks.convert.files.content import refuse_other_content
from tasks.convert.files.opening import COMPRESSIONS, KNOWN, SAME, SUFFIXES, DamagedError, Stream, suffixes
from tasks.convert.formats.excel import read_excel
from tasks.convert.formats.json import read_document
from tasks.convert.formats.json_rows import NullsOf, nothing_declared
from tasks.convert.formats.parquet import read_parquet
from tasks.convert.schema.blocks import RawBlock
from tasks.core.errors import ConfigError, TableError

LINES = frozenset({".csv", ".tsv", ".jsonl"})

# A document is in memory as a whole, several times over.
DOCUMENT_BYTES = 512 * 1024 * 1024


def suffix_of(name: str, reading: Reading, path: Path | str | None = None) -> str:
    """Return the ending of a file's format: as declared, else its own, else that of the member of its .zip.

    With `path` a .zip whose name does not tell is opened, to see what its only member is called.

    Raises:
        TableError: it is that of no format, or it cannot be told which member is meant.

    """
    suffix, compression = suffixes(name)
    if reading.format is not None:
        suffix = f".{reading.format}"
    elif compression == ".zip" and suffix not in SUFFIXES:
        suffix = suffixes(reading.member or _member_of(path))[0] or ".csv"
    suffix = SAME.get(suffix, suffix)
    if suffix not in KNOWN:
        raise TableError(
            f"{suffix or 'no ending'} is not a format; known are {', '.join(KNOWN)}, each plain, "
            f"{', '.join(sorted(COMPRESSIONS))}; declare read.format where names do not tell"
        )
    return suffix


def check_format(file: Path) -> None:
    """Check that a file's name tells its format.

    Raises:
        ConfigError: it does not.

    """
    try:
        suffix_of(file.name, Reading(), file)
    except TableError as error:
        raise ConfigError(f"{file}: {error}") from None


def _member_of(path: Path | str | None) -> str:
    if path is None:
        return ""
    with Stream(path) as stream:
        return stream.member or ""


def read_whole(
    path: Path | str, suffix: str, reading: Reading, nulls_of: NullsOf = nothing_declared
) -> Iterator[RawBlock]:
    """Yield the rows of a file that is not made of lines.

    Raises:
        TableError: the file is damaged, or not what its name says.

    """
    if suffix == ".parquet" and isinstance(path, Path) and not suffixes(path.name)[1]:
        return read_parquet(path)
    data = _read_all(path, reading)
    refuse_other_content(data, suffix)
    match suffix:
        case ".json":
            return read_document(data, reading, nulls_of)
        case ".xlsx":
            return read_excel(data, reading, nulls_of)
    return read_parquet(data)


def _read_all(path: Path | str, reading: Reading) -> bytes:
    stream = Stream(path, reading.member)
    try:
        data = stream.read_some(DOCUMENT_BYTES + 1)
        if not stream.is_whole:
            stream.read_some(1)
    except DamagedError as error:
        raise TableError(f"{error}; fetch the file again") from error
    finally:
        stream.close()
    if len(data) > DOCUMENT_BYTES:
        raise TableError(
            f"is larger than {DOCUMENT_BYTES // 1024**2} MiB, and its format is read as a whole; "
            "write it as .jsonl, .csv or plain .parquet, which are read block by block"
        )
    return data
