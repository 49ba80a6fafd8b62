"""A block of a file parsed into typed columns, and what was guessed of its file: what every reader gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tasks.config import Column
from tasks.convert.schema.misfits import NO_MISFITS
from tasks.convert.schema.types import Types

EXAMPLE = ", e.g. "
"""What stands in a warning before what is of this file alone: files with the same before it are told once."""


DECIMAL_COMMA = "decimal: ','"


@dataclass(frozen=True)
class Hint:
    """What may be declared of a column, e.g. of values like the example."""

    column: str
    example: str
    declare: str


@dataclass(frozen=True)
class Guess:
    """How a file was read: what does not apply to its format is empty.

    `skipped` lines stand above the header, or the first record; `title` is what
    the first of them says, unless they were declared. `totals` is the last line
    where that looks like one, and a reject unless `totals_kept`. `footer` lines at
    the end are declared to be no rows, the first of which is `footer_text`, and `blank` ones without any value.
    """

    format: str
    encoding: str = ""
    delimiter: str = ""
    quote: str = ""
    escape: str = ""
    decimal: str = ""
    header: bool | None = None
    skipped: int = 0
    title: str = ""
    totals: str = ""
    totals_kept: bool = False
    doubts: tuple[Hint, ...] = ()
    """By column a number that is another one by the other decimal, where nothing tells which the file has."""
    has_units: bool = False
    """Whether the row below the header is one of units."""
    units: tuple[tuple[str, str], ...] = ()
    """By column the unit that stands there."""
    units_text: str = ""
    """That row, unless it was declared."""
    footer: int = 0
    footer_text: str = ""
    blank: int = 0


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
class RawBlock:
    """Rows as they are read: every value a text or null, or typed where the format itself is.

    `received` counts the rows and the `misfits`. `locate` returns the records of
    rows, by their indices in `table`: asked only for rows that turn out not to
    fit. `types` are those of the columns that the format gives them (JSON), or that they
    have been read in; of any other they are inferred, from numbers with this `decimal`. `records` is how many records were read, where one may be several rows,
    or none: `empty` are those. `guess` is what was guessed of the file, `warnings` are
    sentences on what was read. `types_above` returns the types of so many first rows,
    below which totals may be. Where the decimal `is_decided` some value of the file tells it, or it is declared. `lines` are the lines of the rows, where these are known without their records.
    """

    table: pa.Table
    received: int
    misfits: pa.Table
    locate: Callable[[np.ndarray], pa.Table]
    types: Types | None = None
    records: int | None = None
    guess: Guess | None = None
    empty: int = 0
    warnings: Sequence[str] = ()
    types_above: Callable[[int], Types] | None = None
    decimal: str = "."
    is_decided: bool = True
    lines: Sequence[int] | None = None


@dataclass(frozen=True)
class TypedBlock:
    """The rows of a block that fit their types, with these, and the records that are no such rows."""

    table: pa.Table
    types: Types
    received: int
    misfits: pa.Table = field(default_factory=lambda: NO_MISFITS)
    records: int | None = None
    lines: Sequence[int | None] | None = None
    """The line of each row, where it was asked for, and is known."""
    empty: int = 0
    warnings: Sequence[str] = ()
    taken: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """How often each text was taken off the numbers of a column; a column that is dropped has none."""
    points: Mapping[str, str] = field(default_factory=dict)
    """By column of decimals where nothing told what separates them a number that may be one of thousands; none where a value tells that it is not."""
