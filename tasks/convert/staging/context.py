"""What is converted, to where, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tasks.convert.files.byte_view import BufferPool
from tasks.convert.parts.part import Part
from tasks.convert.parts.sample import Samples
from tasks.convert.schema.blocks import Guess
from tasks.convert.schema.target import TableTarget
from tasks.convert.schema.types import Types
from tasks.raw.packs import Piece

TEXTS_KEPT = 20  # taken off the numbers of a column, the commonest
REASONS_KEPT = 20  # kinds of misfit a file's report counts; its rejects hold every one


@dataclass(frozen=True)
class InputFile:
    """One file of a source: where it lies, and what it is called in rejects and manifests.

    `rows` is how many records it holds, where that is known from when it was
    landed; `version` is what a remote store knows its content by. `ctime_ns` is when
    a file of an inbox last changed in any way, which no program sets as it likes.
    """

    path: Path | str
    name: str
    size: int
    mtime_ns: int
    version: str = ""
    rows: int | None = None
    ctime_ns: int = 0
    piece: Piece | None = None
    """Where in a pack its bytes lie, if they do: `path` then has only the name that it would have."""

    def __hash__(self) -> int:
        """Return what tells it apart in a set, mostly: its name, as the hash of a path takes ten times as long."""
        return hash(self.name)

    @property
    def is_local(self) -> bool:
        """Return whether it lies in this machine's file system."""
        return isinstance(self.path, Path)


@dataclass(frozen=True)
class ConvertedFile:
    """What became of one input file; `content` is the hash of its bytes once decompressed, where that is known."""

    name: str
    rows_received: int
    rows_rejected: int
    reasons: dict[str, int] = field(default_factory=dict)
    rows_duplicate: int = 0
    size: int = 0
    mtime_ns: int = 0
    digest: str = ""
    encoding: str = "utf-8"
    rejects: tuple[str, ...] = ()
    """Names of the parts of its rejects."""
    records_empty: int = 0
    """Records that gave no row: their list of rows is empty."""
    warnings: tuple[str, ...] = ()
    """Sentences on what was read, which every run with this file in its table tells."""
    guess: Guess | None = None
    content: str = ""
    ctime_ns: int = 0
    taken: dict[str, dict[str, int]] = field(default_factory=dict)
    """How often each text was taken off the numbers of a column; a column that is dropped has none."""

    @property
    def content_id(self) -> str:
        """Return what its content is known by, under whatever name; of an address of which none is known, nothing."""
        return self.content or ("" if "://" in self.name else self.digest)

    @property
    def rows_table(self) -> int:
        """Return the rows that stand in the table."""
        return self.rows_received - self.rows_rejected - self.rows_duplicate


def add_taken(each: Iterable[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """Return how often each text was taken off the numbers of each column, blocks or files together."""
    total: dict[str, Counter[str]] = {}
    for taken in each:
        for column, counts in taken.items():
            total.setdefault(column, Counter()).update(counts)
    return {column: dict(counts.most_common(TEXTS_KEPT)) for column, counts in total.items()}


@dataclass(frozen=True)
class ConversionResult:
    """What a unit of work came to: its files, and the parts that hold their rows."""

    files: tuple[ConvertedFile, ...]
    parts: tuple[Part, ...]


@dataclass
class ColumnOrder:
    """The order in which a table is going to have its columns, as far as that is known: parts that are written in it need not be written again.

    It is that of the parts that are there, or else of the `first` file's first block.
    """

    names: Sequence[str] = ()
    first: str = ""

    def begin(self, file: str, names: Iterable[str]) -> None:
        """Take the order of a file's first block, if it is the first of all."""
        if file == self.first and not self.names:
            self.names = tuple(names)

    def sort(self, names: Collection[str]) -> list[str]:
        """Return the names in this order; those that it has not are the last."""
        known = [name for name in self.names if name in names] if self.names != tuple(names) else ()
        return [*dict.fromkeys((*known, *names))]


@dataclass(frozen=True)
class ConversionContext:
    """How the blocks of a unit are typed: as is wanted, else first as blocks before were.

    `guesses` are the types of blocks by their columns: files of one source are mostly
    alike. They, and the `order` of the columns, save time, and change no byte of a part.
    `samples` keeps some rows of each part, `buffers` are where blocks are read to.
    """

    target: TableTarget
    wanted: Types | None
    samples: Samples | None = None
    guesses: dict[tuple[str, ...], Types] = field(default_factory=dict)
    buffers: BufferPool = field(default_factory=BufferPool)
    order: ColumnOrder = field(default_factory=ColumnOrder)
