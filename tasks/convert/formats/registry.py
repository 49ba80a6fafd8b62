"""Formats of files: by declaration or ending, and files that are read as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import cast

from tasks.config import Reading
from tasks.config.formats import FORMATS
from tasks.convert.files.opening import COMPRESSIONS, DamagedError, Stream, suffixes
from tasks.convert.formats.format import ByteBlock, FileFormat, WholeFormat
from tasks.convert.schema.blocks import RawBlock
from tasks.convert.schema.target import TableTarget
from tasks.core.errors import ConfigError, TableError

# A document is in memory as a whole, several times over.
DOCUMENT_BYTES = 512 * 1024 * 1024
_TOO_LARGE = (
    f"is larger than {DOCUMENT_BYTES // 1024**2} MiB, and its format is read as a whole; "
    "write it as .jsonl, .csv or plain .parquet, which are read block by block"
)


def format_of(name: str, reading: Reading, path: Path | str | None = None) -> type[FileFormat]:
    """Return a file's format: as declared, else as its ending tells, else that of the member of its .zip.

    With `path` a .zip whose name does not tell is opened, to see what its only member is called.

    Raises:
        TableError: it is none, or it cannot be told which member is meant.

    """
    if reading.format is not None:
        return cast("type[FileFormat]", FORMATS.get(reading.format))
    suffix, compression = suffixes(name)
    endings = FORMATS.by_suffix
    if compression == ".zip" and suffix not in endings and suffix not in COMPRESSIONS:
        suffix = suffixes(reading.member or _member_of(path))[0] or ".csv"
    if suffix not in endings:
        raise TableError(
            f"{suffix or 'no ending'} is not a format; known are {', '.join(FORMATS.called)}, each plain, "
            f"{', '.join(sorted(COMPRESSIONS))}; declare read.format where names do not tell"
        )
    return cast("type[FileFormat]", endings[suffix])


def check_format(file: Path) -> None:
    """Check that a file's name tells its format.

    Raises:
        ConfigError: it does not.

    """
    try:
        format_of(file.name, Reading(), file)
    except TableError as error:
        raise ConfigError(f"{file}: {error}") from None


def _member_of(path: Path | str | None) -> str:
    if path is None:
        return ""
    with Stream(path) as stream:
        return stream.member or ""


def is_read_whole(kind: type[FileFormat], compression: str, *, is_local: bool) -> bool:
    """Return whether files of a format are in memory as a whole while they are read, as they lie here or in a store, compressed or not."""
    if not issubclass(kind, WholeFormat):
        return False
    return bool(compression) or not is_local or kind.read_in_place is WholeFormat.read_in_place


def find_too_large(kind: type[FileFormat], name: str, size: int, *, is_local: bool) -> str | None:
    """Return why a file of so many bytes cannot be read, told without opening it; None where it may be, as one that is compressed."""
    compression = suffixes(name)[1]
    is_too_large = size > DOCUMENT_BYTES and is_read_whole(kind, compression, is_local=is_local)
    return _TOO_LARGE if is_too_large and not compression else None


def read_whole(path: Path | str, read_as: WholeFormat, target: TableTarget) -> Iterator[RawBlock | ByteBlock]:
    """Yield the rows of a file that is not read block by block.

    Raises:
        TableError: the file is damaged, or not what its name says.

    """
    if isinstance(path, Path) and not suffixes(path.name)[1] and (rows := read_as.read_in_place(path)) is not None:
        return rows
    data = _read_all(path, target.reading)
    read_as.refuse_other(data)
    return read_as.blocks(data, target)


def read_ahead(
    paths: Iterable[Path | str], read_as: type[WholeFormat], reading: Reading
) -> AbstractContextManager[None]:
    """Have small files of a kind, all of one ending, known to what reads them as a whole as long as the block runs."""
    local = [path for path in paths if isinstance(path, Path)]
    ending = suffixes(local[0].name)[0] if local else ""
    return read_as.read_ahead(ending, _read_each(local, reading), reading)


def _read_each(paths: Iterable[Path], reading: Reading) -> Iterator[bytes]:
    for path in paths:
        with suppress(TableError, OSError):  # which is told where it is read
            yield _read_all(path, reading)


def _read_all(path: Path | str, reading: Reading) -> bytes:
    stream = Stream(path, reading.member)
    try:
        data = stream.read_some(DOCUMENT_BYTES + 1)
        if not stream.is_intact:
            stream.read_some(1)
    except DamagedError as error:
        raise TableError(f"{error}; fetch the file again") from error
    finally:
        stream.close()
    if len(data) > DOCUMENT_BYTES:
        raise TableError(_TOO_LARGE)
    return data
