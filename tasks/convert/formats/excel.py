"""An Excel sheet: the first row below its titles names the columns, every other row is a record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from tasks.config import Reading
from tasks.convert.files.content import find_text, without_mark
from tasks.convert.formats.format import WholeFormat
from tasks.convert.formats.header import (
    REPEATED,
    extent,
    find_header,
    find_repeats,
    find_second,
    warn_of_repeats,
    warn_of_second_header,
)
from tasks.convert.formats.json_rows import NULL_WORDS, TIME_TYPES, NullsOf, nothing_declared
from tasks.convert.formats.workbook import Grid, Sheet, count_unstored, read_grid
from tasks.convert.schema.blocks import EXAMPLE, Guess, RawBlock, Record, Rejection
from tasks.convert.schema.names import name_columns
from tasks.convert.schema.types import TypeName
from tasks.convert.schema.values import infer_type, take_out
from tasks.core.errors import TableError

_JUDGED_ROWS = 50
_NAMED = 5


@dataclass(frozen=True)
class _Layout:
    """Where a sheet's header stands, if it has one, and where its rows begin; `title` is the first text above."""

    header: int | None
    first: int
    title: str = ""


def read_excel(data: bytes, reading: Reading, nulls_of: NullsOf = nothing_declared) -> Iterator[RawBlock]:
    """Yield the rows of a sheet as texts: dates in ISO 8601, whole numbers without a point, errors as null.

    A column that has a cell of text is one of texts: a sheet tells numbers apart from texts that look like them.

    Raises:
        TableError: it is no Excel file, has no such sheet, or would not fit in memory.

    """
    grid, sheet = read_grid(data, lambda names, visible: _find_sheet(names, visible, reading.sheet))
    layout = _lay_out(grid, reading)
    names = [f"column_{position}" for position in range(1, grid.width + 1)]
    if layout.header is not None:
        names = name_columns([value or "" for value in grid.row(layout.header)])
    numbers, repeats = _without_repeats(grid, layout)
    columns = {name: pa.chunked_array([grid.column(p, numbers)], pa.string()) for p, name in enumerate(names)}

    def types_of(chosen: Sequence[int]) -> dict[str, TypeName]:
        values = {name: columns[name].slice(0, len(chosen)) for name in names}
        return {n: _type_of(grid.written(p, chosen), values[n], nulls_of(n)) for p, n in enumerate(names)}

    def locate(chosen: Sequence[int]) -> list[Record]:
        return [_record(grid, numbers[n]) for n in chosen]

    skipped = layout.header if layout.header is not None else layout.first
    guess = Guess("xlsx", header=layout.header is not None if grid.rows else None, skipped=skipped, title=layout.title)
    told = _warn_of_formulas(count_unstored(data, sheet), sheet.name, names)
    if reading.sheet is None and sheet.others:
        told.append(_warn_of_other_sheets(sheet))
    told += warn_of_repeats([number + 1 for number in repeats], f"sheet {sheet.name}, row")
    told += _warn_of_second_header(grid, numbers, sheet.name)
    misfits = [Rejection(_record(grid, number), None, REPEATED) for number in repeats]
    received = len(numbers) + len(repeats)
    yield RawBlock(
        pa.table(columns),
        received,
        misfits,
        locate,
        types_of(numbers),
        guess=guess,
        warnings=told,
        types_above=lambda: types_of(numbers[:-1]),
    )


def _record(grid: Grid, number: int) -> Record:
    return Record(number + 1, "\t".join(value or "" for value in grid.row(number)))


def _without_repeats(grid: Grid, layout: _Layout) -> tuple[list[int], list[int]]:
    """Return the numbers of the rows below the header, and of those that are the header once more."""
    numbers = [number for number in grid.rows if number >= layout.first]
    if layout.header is None:
        return numbers, []
    rows = [[value or "" for value in grid.row(number)] for number in numbers]
    places = find_repeats([value or "" for value in grid.row(layout.header)], rows)
    return [number for place, number in enumerate(numbers) if place not in places], [numbers[n] for n in sorted(places)]


def _warn_of_second_header(grid: Grid, numbers: Sequence[int], sheet: str) -> list[str]:
    """Return a sentence on a row that looks like the header of another table, if one does."""
    below = {place for place in range(1, len(numbers)) if numbers[place - 1] + 1 not in grid.rows}
    if not below:
        return []
    place = find_second([[value or "" for value in grid.row(number)] for number in numbers], below)
    return [] if place is None else [warn_of_second_header(f"sheet {sheet}, row {numbers[place] + 1:,}")]


def _warn_of_other_sheets(sheet: Sheet) -> str:
    others = f"{', '.join(sheet.others[:_NAMED])}{' and more' if len(sheet.others) > _NAMED else ''}"
    return (
        f"only its sheet {sheet.name} is read, and others hold rows too{EXAMPLE}{others}; declare read.sheet, and a "
        "source for each sheet whose rows are wanted"
    )


def _warn_of_formulas(counts: Mapping[int, int], sheet: str, names: Sequence[str]) -> list[str]:
    return [
        f"sheet {sheet}, column {names[place]!r}: {count:,} formulas have no stored result and are null; "
        "open the file in a spreadsheet program and save it, or write values"
        for place, count in sorted(counts.items())
        if place < len(names)
    ]


def _type_of(written: Iterable[str], texts: pa.ChunkedArray, nulls: Collection[str]) -> TypeName:
    """Return the type of a column: of texts where a cell is one, be it 1.10, unless it means null or all are times."""
    name = infer_type(take_out(texts, nulls))
    if name in ("string", *TIME_TYPES):
        return name
    words = pa.chunked_array([pa.array([text for text in written if text.strip() not in NULL_WORDS], pa.string())])
    return name if take_out(words, nulls).null_count == len(words) else "string"


def _lay_out(grid: Grid, reading: Reading) -> _Layout:
    """Return where the table of a sheet begins.

    Raises:
        TableError: the sheet has no such row as is declared to be its header.

    """
    row = reading.header_row
    if row is not None and grid.rows and row - 1 not in grid.rows:
        has = f"has {grid.height} rows" if row > grid.height else f"has nothing in row {row}"
        raise TableError(f"its sheet {has}, and read.header_row is {row}; correct it")
    begin = row - 1 if row is not None else reading.skip_rows or 0
    filled = [number for number in grid.rows if number >= begin][:_JUDGED_ROWS]
    records = [[value or "" for value in grid.row(number)] for number in filled]
    declared, is_open = (True if row is not None else reading.header), row is None and reading.skip_rows is None
    found = find_header([record[: extent(record)] for record in records], declared, titled=is_open)
    if not filled:
        return _Layout(None, grid.height)
    start = filled[found.above]
    title = next((" ".join(filter(None, record)) for record in records[: found.above]), "")
    if not found.is_found:
        return _Layout(None, start, title)
    return _Layout(start, max(start + 1, reading.skip_rows or 0), title)


def _find_sheet(names: Sequence[str], visible: Sequence[str], sheet: str | int | None) -> str:
    if sheet is None:
        return next(iter([*visible, *names]))
    if isinstance(sheet, int) and sheet < len(names):
        return names[sheet]
    if sheet in names:
        return str(sheet)
    raise TableError(f"has no sheet {sheet!r}; its sheets are {', '.join(names)}: correct read.sheet")


class Excel(WholeFormat):
    """A sheet of a workbook."""

    name: ClassVar[str] = "excel"
    suffixes: ClassVar[tuple[str, ...]] = (".xlsx", ".xlsm", ".xls", ".excel")
    keys: ClassVar[frozenset[str]] = frozenset({"header", "header_row", "skip_rows", "sheet"})
    begins: ClassVar[bytes] = rb"PK\x03\x04|\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

    @classmethod
    def find_other(cls, data: bytes) -> tuple[str, str] | None:
        """Return what a file is that begins with `data`: a text is none."""
        return super().find_other(data) or find_text(without_mark(data))

    def read(self, data: bytes, reading: Reading, nulls_of: NullsOf) -> Iterator[RawBlock]:
        """Yield the rows of a sheet."""
        return read_excel(data, reading, nulls_of)
