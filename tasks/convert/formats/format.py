"""A format of files, as its kinds are derived from it: one that is read block by block, line by line, or as a whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from tasks.config import Reading
from tasks.config.formats import Format
from tasks.convert.files.byte_view import ByteView
from tasks.convert.files.content import find_other_content, without_mark
from tasks.convert.formats.json.rows import NotARowError, NullsOf, columns_of
from tasks.convert.schema.blocks import Guess, RawBlock, Schema, TypedBlock
from tasks.convert.schema.cast import cast_block
from tasks.convert.schema.misfits import cut_texts, make_misfits, make_records
from tasks.convert.schema.target import TableTarget
from tasks.core.errors import TableError


@dataclass(frozen=True)
class Extent:
    """How many bytes a file holds once they are decompressed, and how many rows, if it tells."""

    unpacked: int
    rows: int | None


class FileFormat(Format, ABC):
    """What a format says of the bytes of its files."""

    has_lists: ClassVar[bool] = False
    """Whether its records may hold lists of which each element becomes a row."""
    begins: ClassVar[bytes] = b""
    """How every file of it begins, as a pattern of bytes, where that would be taken for another format."""

    @classmethod
    def find_other(cls, data: bytes) -> tuple[str, str] | None:
        """Return what a file is that begins with `data`, and what to do; None where it may be of this format."""
        return find_other_content(without_mark(data), cls.begins)

    @classmethod
    def find_row_bytes(cls, head: bytes, reading: Reading) -> float | None:  # noqa: ARG003 - of those that ask for it
        """Return how many bytes a row takes, by the head of a file; None where it does not show."""
        return None

    @classmethod
    def refuse_other(cls, data: bytes) -> None:
        """Raise where a file that begins with `data` is not of this format, which its ending, or what is declared, tells.

        Raises:
            TableError: it is another's; the sentence says which, and what to do.

        """
        if (found := cls.find_other(data)) is not None:
            what, cure = found
            raise TableError(f"is {what}, not {cls.suffixes[0].removeprefix('.')}; {cure}")


class WholeFormat(FileFormat, ABC):
    """A format whose files are read as a whole."""

    usual_ratio: ClassVar[float] = 1.0
    """How many bytes a byte of a file mostly becomes, where the format compresses them itself."""

    @classmethod
    def held_bytes(cls, extent: Extent, reading: Reading) -> int:  # noqa: ARG003 - of those that ask for it
        """Return about how many bytes of memory a file takes while it is read, its blocks aside: ten times its own, as values of Python are."""
        return 10 * extent.unpacked

    @classmethod
    def block_bytes(cls, extent: Extent) -> int:
        """Return how many bytes of a file become rows together, in one thread."""
        return min(extent.unpacked, 4 * 2**20)

    @classmethod
    def find_extent(cls, path: Path) -> Extent | None:  # noqa: ARG003 - the same
        """Return what a file that lies here, and is not compressed, tells of itself without being read; None where it does not.

        Raises:
            TableError, OSError, ValueError: it is damaged.

        """
        return None

    @classmethod
    def read_ahead(
        cls,
        ending: str,  # noqa: ARG003 - of those that can
        files: Iterable[bytes],  # noqa: ARG003 - the same
        reading: Reading,  # noqa: ARG003 - the same
    ) -> AbstractContextManager[None]:
        """Have small files whose names have an ending known to `read` as long as the block runs, if that saves time."""
        return nullcontext()

    @abstractmethod
    def read(self, data: bytes, reading: Reading, nulls_of: NullsOf) -> Iterator[RawBlock]:
        """Yield the rows of a file, in blocks.

        `nulls_of` returns the texts that are declared to mean null in a column.

        Raises:
            TableError: the file is damaged, or not what its name says.

        """

    def blocks(self, data: bytes, target: TableTarget) -> Iterator[RawBlock | ByteBlock]:
        """Yield the rows of a file, in blocks; those of bytes are parsed as the table asks, each in a thread."""
        return self.read(data, target.reading, target.nulls_of)

    def read_in_place(self, path: Path) -> Iterator[RawBlock] | None:  # noqa: ARG002 - of those that can
        """Yield the rows of a file that lies here and is not compressed; None where it has to be read as a whole."""
        return None


@dataclass(frozen=True)
class Place:
    """Where a block begins in its file: its line, from 1, and its byte where that is known."""

    line: int
    byte: int | None


@dataclass(frozen=True)
class Cut:
    """Whole records: `plain` as they are read, and `text` as they stand in the file; mostly they are the same.

    Where they are a piece of what was to be cut, which `is_followed` by others, these are cut next.
    """

    plain: ByteView
    text: ByteView
    is_followed: bool = field(default=False, kw_only=True)

    @property
    def is_plain(self) -> bool:
        """Return whether nothing had to be rewritten."""
        return self.plain is self.text


@dataclass(frozen=True)
class ByteBlock:
    """Whole records of a file as bytes in UTF-8, and `parse`, which types them; `names` are the columns of its header."""

    window: ByteView
    parse: Callable[[Schema], TypedBlock]
    names: tuple[str, ...] = ()


class StreamedFormat(FileFormat, ABC):
    """A format whose records follow each other, and are read block by block: each ends with its line, if nothing else is said.

    An object reads one file: first `begin`, then `cut` and `block` in turn, and `cut` and `end`.
    """

    keys: ClassVar[frozenset[str]] = frozenset({"encoding"})
    is_unicode: ClassVar[bool] = True
    """Whether its texts are Unicode, unless another encoding is declared; else it is detected."""
    is_cut_off: bool = False
    """Whether the file is damaged, so that its last records are not the last ones."""

    @classmethod
    def find_row_bytes(cls, head: bytes, reading: Reading) -> float | None:  # noqa: ARG003 - as above
        """Return how many bytes a line takes."""
        lines = head.count(b"\n")
        return (head.rfind(b"\n") + 1) / lines if lines else None

    def __init__(self, target: TableTarget) -> None:
        self.target = target

    def begin(self, text: ByteView, *, final: bool) -> Place | None:  # noqa: ARG002 - of those that have a header
        """Return after how many lines and bytes of a file that begins with `text` its records begin; None where more of it is needed.

        Raises:
            TableError: it cannot be told.

        """
        return Place(0, 0)

    def cut(self, text: ByteView, *, final: bool) -> Cut:
        """Return the next bytes of a file as far as the end of their last whole record, or a piece of these; with `final` there are no more."""
        whole = text if final else text.to_place(text.rfind(b"\n") + 1)
        return Cut(whole, whole)

    @abstractmethod
    def block(self, cut: Cut, place: Place) -> ByteBlock:
        """Return whole records that begin at a place as a block."""

    def end(self, cut: Cut, place: Place) -> Sequence[ByteBlock | RawBlock]:
        """Return the last records of a file as blocks, at least one; all but the first have bytes of their own, as its buffer is used again."""
        return [self.block(cut, place)]

    def count_lines(self, text: ByteView) -> int:
        """Return how many lines end in `text`."""
        return text.lines

    @property
    def names(self) -> Sequence[str]:
        """Return the columns that a header names."""
        return ()

    def guess(self, encoding: str) -> Guess:
        """Return what was guessed of the file, or declared."""
        return Guess(self.suffixes[0].removeprefix("."), encoding)

    @property
    def warnings(self) -> Sequence[str]:
        """Return sentences on how the file was read, where it may have been another way, or was cut off."""
        return ()


class LineFormat(StreamedFormat, ABC):
    """A format of which each line that is not blank is a row."""

    @abstractmethod
    def read_line(self, line: str) -> Mapping[str, str | None]:
        """Return the values of a line by their columns: texts, of which types are told later, and None for null.

        Raises:
            ValueError: it is no row; what is said is the reason of the reject.

        """

    def block(self, cut: Cut, place: Place) -> ByteBlock:
        """Return lines as a block."""
        return ByteBlock(cut.text, partial(self._parse, cut.text, place))

    def _parse(self, text: ByteView, place: Place, schema: Schema) -> TypedBlock:
        rows: dict[int, dict[str, str | None]] = {}
        unfit: dict[int, str] = {}
        for number, line in enumerate(text.data.split(b"\n")):
            if not line.strip():
                continue
            found = self._read(line, place.line + number)
            if isinstance(found, NotARowError):
                unfit[number] = found.reason
            else:
                rows[number] = found
        table = columns_of(list(rows.values()), typed=False)[0]
        table = table.rename_columns(self.target.naming.rename(table.column_names))
        misfits = make_misfits(_locate(text, place, np.array(list(unfit), np.int64)), list(unfit.values()))
        kept = np.array(list(rows), np.int64)
        raw = RawBlock(table, len(rows) + len(unfit), misfits, lambda chosen: _locate(text, place, kept[chosen]))
        return cast_block(raw, schema)

    def _read(self, line: bytes, number: int) -> dict[str, str | None] | NotARowError:
        try:
            return dict(self.read_line(line.rstrip(b"\r").decode("utf-8")))
        except UnicodeDecodeError:
            return NotARowError("not UTF-8")
        except ValueError as error:
            return NotARowError(" ".join(str(error).split()) or "no row")
        except Exception as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise TableError(f"line {number}: {self.name} cannot read it ({said}); mend this kind of format") from error


def _locate(text: ByteView, place: Place, lines: np.ndarray) -> pa.Table:
    """Return lines of a text that begins at a place as records."""
    starts, stops = (each[lines] for each in text.line_spans)
    offsets = None if place.byte is None else place.byte + starts
    return make_records(place.line + lines, cut_texts(text.view, starts, stops), offsets)


def misfit_alone(raw: bytes, place: Place, names: Sequence[str], reason: str) -> RawBlock:
    """Return a block of no row and one misfit, which begins at a place."""
    table = pa.table({name: pa.array([], pa.string()) for name in names})
    offsets = None if place.byte is None else [place.byte]
    records = make_records([place.line], [raw.decode("utf-8", "backslashreplace")], offsets)
    return RawBlock(table, 1, make_misfits(records, reason), lambda _: records.slice(0, 0))
