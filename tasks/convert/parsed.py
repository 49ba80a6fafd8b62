"""A block of a file parsed into typed columns: what every reader gives, whatever the format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from tasks.convert.reading.guess import Guess
from tasks.convert.types import Types
from tasks.spec import Column


@dataclass(frozen=True)
class Schema:
    """What is asked of the columns of a block.

    `columns` is what is declared, by name. `types` are those that the columns
    have to have; without them they have those that fit all of the block's own
    values. `guess` are types that another block of the same columns had: tried
    first. With `frozen` a row with a value in another column does not fit; with
    `lines` the line of each row is asked for.
    """

    columns: Mapping[str, Column] = field(default_factory=dict)
    types: Types | None = None
    guess: Types | None = None
    frozen: bool = False
    lines: bool = False


@dataclass(frozen=True)
class Record:
    """One record as it stands in its file: the number of its first line, from 1, its text, and its first byte where known."""

    line: int
    raw: str
    offset: int | None = None


@dataclass(frozen=True)
class Misfit:
    """A record that could not become a row, or whose value in `column` could not be typed."""

    record: Record
    column: str | None
    reason: str


@dataclass(frozen=True)
class Texts:
    """Rows as they are read: every value a text or null, or typed where the format itself is.

    `received` counts the rows and the misfits. `locate` returns the records of
    rows, by their indices in `table`: asked only for rows that turn out not to
    fit. `types` are those that the format gives (JSON); without it they are
    inferred. `records` is how many records were read, where one may be several rows,
    or none: `empty` are those. `guess` is what was guessed of the file, `warnings` are
    sentences on what was read. `types_above` returns the types without the last row,
    which may be totals.
    """

    table: pa.Table
    received: int
    misfits: Sequence[Misfit]
    locate: Callable[[Sequence[int]], Sequence[Record]]
    types: Types | None = None
    records: int | None = None
    guess: Guess | None = None
    empty: int = 0
    warnings: Sequence[str] = ()
    types_above: Callable[[], Types] | None = None


@dataclass(frozen=True)
class Parsed:
    """The rows of a block that fit their types, with these, and the records that are no such rows."""

    table: pa.Table
    types: Types
    received: int
    misfits: Sequence[Misfit] = ()
    records: int | None = None
    lines: Sequence[int] | None = None
    """The line of each row, where it was asked for."""
    empty: int = 0
    warnings: Sequence[str] = ()
