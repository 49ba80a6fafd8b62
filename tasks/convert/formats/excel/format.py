"""An Excel sheet: the first row below its titles names the columns, every other row is a record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Reading
from tasks.convert.files.content import find_text, without_mark
from tasks.convert.formats.csv.totals import Footer
from tasks.convert.formats.excel.by_calamine import Sheet
from tasks.convert.formats.excel.cells import Grid, Numbers, Row
from tasks.convert.formats.excel.extent import find_workbook_extent
from tasks.convert.formats.excel.workbook import read_sheet, read_sheets_ahead
from tasks.convert.formats.format import Extent, WholeFormat
from tasks.convert.formats.header import (
    REPEATED,
    extent,
    find_header,
    find_repeats,
    find_second,
    is_like_rows,
    warn_of_repeats,
    warn_of_second_header,
    warn_of_skipped_row,
)
from tasks.convert.formats.json.rows import NULL_WORDS, TIME_TYPES, NullsOf, nothing_declared
from tasks.convert.formats.units import are_units, units_of, warn_of_row_of_units
from tasks.convert.schema.blocks import EXAMPLE, Guess, RawBlock
from tasks.convert.schema.inference import infer_columns, infer_type
from tasks.convert.schema.misfits import make_misfits, make_records
from tasks.convert.schema.names import name_columns
from tasks.convert.schema.types import TypeName
from tasks.convert.schema.values import take_out
from tasks.core.errors import TableError
from tasks.core.escaping import count

_OTHERS = (".xls", ".xlsb", ".ods")
_JUDGED_ROWS = 50
_SPAN = 65_536  # rows looked at together
_NAMED = 5
_FEW_ROWS, _FEW_BYTES = 1000, 2**26
_READER_BYTES = 25 * 2**20


@dataclass(frozen=True)
class _Layout:
    """Where a sheet's header stands among its rows, if it has one, and where its others begin.

    `skipped` is how many rows of the sheet stand above; `title` is the first text there.
    `units` is where the row of units is, if there is one, and `rows` are the first of the others.
    """

    header: int | None
    first: int
    skipped: int
    title: str = ""
    units: int | None = None
    rows: Sequence[Row] = ()


def read_excel(data: bytes, reading: Reading, nulls_of: NullsOf = nothing_declared) -> Iterator[RawBlock]:
    """Yield the rows of a sheet as texts: dates in ISO 8601, whole numbers without a point, errors as null.

    A column that has a cell of text is one of texts: a sheet tells numbers apart from texts that look like them.

    Raises:
        TableError: it is no Excel file, has no such sheet, or would not fit in memory.

    """
    sheet = read_sheet(data, reading.sheet)
    grid = sheet.grid
    layout = _lay_out(grid, reading)
    grid, blank = _settle_blank(grid, layout.first, reading.skip_blank)
    names = [f"column_{position}" for position in range(1, grid.width + 1)]
    if layout.header is not None:
        names = name_columns(grid.rows(layout.header, layout.header + 1)[0])
    stop = _find_stop(grid, layout.first, reading.skip_footer or 0)
    footer = _footer_of(grid, layout, stop)
    places, repeats = _without_repeats(grid, layout, stop)
    columns, written = _taken(grid.columns, places), _taken(grid.written, places)

    def types_of(rows: int) -> dict[str, TypeName]:
        own = {n: values.slice(0, rows) for n, values in zip(names, columns, strict=True)}
        told = _infer(pa.table({n: take_out(values, nulls_of(n)) for n, values in own.items()}))
        texts = {n: values.slice(0, rows) for n, values in zip(names, written, strict=True)}
        return {n: _type_of(told[n], values, texts[n], nulls_of(n)) for n, values in own.items()}

    def locate(chosen: np.ndarray) -> pa.Table:
        return _records(grid, places[chosen])

    (units,) = [()] if layout.units is None else grid.rows(layout.units, layout.units + 1)
    guess = Guess(
        Excel.name,
        header=None if grid.is_empty else layout.header is not None,
        skipped=layout.skipped,
        title=layout.title,
        has_units=layout.units is not None,
        units=units_of(names, units),
        units_text="" if reading.units_row else ", ".join(filter(None, units)),
        footer=footer.records,
        footer_text=footer.text,
        blank=blank,
    )
    told = [*footer.warn(reading.skip_footer or 0), *warn_of_row_of_units(units, layout.rows)]
    told += [*_warn_of_skipped_row(grid, layout, reading)]
    told += _warn_of_formulas(sheet.unstored, sheet.name, names)
    if reading.sheet is None and sheet.others:
        told.append(_warn_of_other_sheets(sheet))
    told += warn_of_repeats([grid.number(place) + 1 for place in repeats], f"sheet {sheet.name}, row")
    told += _warn_of_second_header(grid, places, sheet.name)
    yield RawBlock(
        pa.table(columns, names),
        len(places) + len(repeats),
        make_misfits(_records(grid, repeats), REPEATED),
        locate,
        types_of(len(places)),
        guess=guess,
        warnings=told,
        types_above=types_of,
    )


def _taken(columns: Sequence[pa.ChunkedArray], places: Numbers) -> list[pa.ChunkedArray]:
    """Return some rows of columns; mostly they are the last."""
    first = int(places[0]) if len(places) else 0
    if len(places) and int(places[-1]) - first + 1 == len(places):
        return [column.slice(first, len(places)) for column in columns]
    return [column.take(pa.array(places)) for column in columns]


def _records(grid: Grid, places: Sequence[int] | Numbers) -> pa.Table:
    chosen = np.array(places, np.int64)
    if not len(chosen):
        return make_records([], [])
    texts = [column.take(pa.array(chosen)).combine_chunks().fill_null("") for column in grid.columns]
    return make_records(grid.numbers[chosen] + 1, pc.binary_join_element_wise(*texts, "\t"))


def _settle_blank(grid: Grid, first: int, skipped: bool | None) -> tuple[Grid, int]:
    """Return a sheet whose rows from a place on are with those that have no value, or also without blank texts, and how many these are."""
    if skipped is None or first >= len(grid.numbers):
        return grid, 0
    if not skipped:
        return grid.with_blank_rows(first), 0
    is_filled = grid.find_filled() | (np.arange(len(grid.numbers)) < first)
    return grid.take(np.flatnonzero(is_filled)), int((~is_filled).sum())


def _find_stop(grid: Grid, first: int, footer: int) -> int:
    """Return the place after the last row above so many that are not blank."""
    filled = np.flatnonzero(grid.find_filled()) if footer else np.empty(0, np.int64)
    filled = filled[filled >= first]
    if not len(filled):
        return len(grid.numbers)
    return int(filled[-footer]) if len(filled) > footer else first


def _footer_of(grid: Grid, layout: _Layout, stop: int) -> Footer:
    """Return the rows of a sheet that are its footer, from a place on."""
    rows = grid.rows(stop, len(grid.numbers))
    found = [("\t".join(row), row) for row in rows if any(map(str.strip, row))]
    return Footer.of(len(found), found[0][0] if found else "", found, layout.rows)


def _warn_of_skipped_row(grid: Grid, layout: _Layout, reading: Reading) -> Iterator[str]:
    """Yield a sentence where a row that is declared to be skipped looks like those below."""
    if reading.header_row is not None or reading.skip_rows is not None:
        skipped = grid.rows(0, min(layout.first, _JUDGED_ROWS))
        alike = next((row for row in skipped if is_like_rows(row, layout.rows)), None)
        yield from [] if alike is None else [warn_of_skipped_row("\t".join(alike))]


def _without_repeats(grid: Grid, layout: _Layout, stop: int) -> tuple[Numbers, list[int]]:
    """Return the places of the rows below the header, and of those that are the header once more."""
    places = np.arange(layout.first, stop)
    if layout.header is None:
        return places, []
    (header,) = grid.rows(layout.header, layout.header + 1)
    alike = grid.find_alike(header, layout.first)
    alike = alike[alike < stop]
    if not len(alike):
        return places, []
    # In a table of one column what the others are tells whether they are repeats.
    if len(header) > 1:
        return np.setdiff1d(places, alike), alike.tolist()
    repeats = sorted(find_repeats(header, list(map(list, grid.rows(layout.first, stop)))))
    return np.delete(places, repeats), [layout.first + place for place in repeats]


def _warn_of_second_header(grid: Grid, places: Numbers, sheet: str) -> list[str]:
    """Return a sentence on a row that looks like the header of another table, if one does."""
    gaps = np.flatnonzero(np.diff(grid.numbers) > 1) + 1
    below = gaps[np.isin(gaps, places[1:])]
    for begin in range(0, int(below[-1]) + 1 if len(below) else 0, _SPAN):
        inside = below[(below >= begin) & (below < begin + _SPAN)] - begin
        rows = grid.rows(begin, begin + _SPAN + _JUDGED_ROWS) if len(inside) else []
        if (place := find_second(rows, inside.tolist())) is not None:
            return [warn_of_second_header(f"sheet {sheet}, row {grid.number(begin + place) + 1:,}")]
    return []


def _warn_of_other_sheets(sheet: Sheet) -> str:
    others = f"{', '.join(sheet.others[:_NAMED])}{' and more' if len(sheet.others) > _NAMED else ''}"
    return (
        f"only its sheet {sheet.name} is read, and others hold rows too{EXAMPLE}{others}; declare read.sheet, and a "
        "source for each sheet whose rows are wanted"
    )


def _warn_of_formulas(counts: Mapping[int, int], sheet: str, names: Sequence[str]) -> list[str]:
    return [
        f"sheet {sheet}, column {names[place]!r}: {count(number, 'formula')} without a stored result, null; "
        "open the file in a spreadsheet program and save it, or write values"
        for place, number in sorted(counts.items())
        if place < len(names)
    ]


def _infer(table: pa.Table) -> dict[str, TypeName]:
    """Return the narrowest type of each column: of few rows that of all columns at once, of which a sheet may have thousands."""
    if table.num_rows <= _FEW_ROWS and table.nbytes <= _FEW_BYTES:
        return infer_columns(table, ".")
    return {name: infer_type(table[name]) for name in table.column_names}


def _type_of(name: TypeName, texts: pa.ChunkedArray, written: pa.ChunkedArray, nulls: Collection[str]) -> TypeName:
    """Return the type of a column, of which `name` is told by the texts alone: of texts where a cell is one, be it 1.10, unless it means null or all are times."""
    if name in ("string", *TIME_TYPES) or not pc.any(written).as_py():
        return name
    words = pc.unique(texts.filter(written)).to_pylist()
    others = [word for word in words if word is not None and word.strip() not in NULL_WORDS]
    words = pa.chunked_array([pa.array(others, pa.string())])
    return name if take_out(words, nulls).null_count == len(words) else "string"


def _lay_out(grid: Grid, reading: Reading) -> _Layout:
    """Return where the table of a sheet begins.

    Raises:
        TableError: the sheet has no such row as is declared to be its header.

    """
    row = reading.header_row
    if row is not None and not grid.is_empty and row - 1 not in grid.numbers:
        has = f"has {count(grid.height, 'row')}" if row > grid.height else f"has nothing in row {row}"
        raise TableError(f"its sheet {has}, and read.header_row is {row}; correct it")
    begin = grid.place(row - 1 if row is not None else reading.skip_rows or 0)
    end = min(begin + _JUDGED_ROWS, max(begin, _find_stop(grid, begin, reading.skip_footer or 0)))
    records = grid.rows(begin, end)
    declared, is_open = (True if row is not None else reading.header), row is None and reading.skip_rows is None
    found = find_header([record[: extent(record)] for record in records], declared, titles=None if is_open else 0)
    if not records:
        return _Layout(None, begin, grid.height)
    start = begin + found.above
    title = next((" ".join(filter(None, record)) for record in records[: found.above]), "")
    if not found.is_found:
        return _Layout(None, start, grid.number(start), title, rows=records[found.above :])
    is_told = row is not None and reading.skip_rows is not None
    units = _find_units(grid, start, records[found.above + 1 :], reading, is_open=not is_told)
    first = max((start if units is None else units) + 1, grid.place(reading.skip_rows or 0))
    return _Layout(start, first, grid.number(start), title, units, records[first - begin :])


def _find_units(grid: Grid, header: int, below: Sequence[Row], reading: Reading, *, is_open: bool) -> int | None:
    """Return the place of the row of units below a header, if it has one.

    Raises:
        TableError: the row that is declared to be it is none, or not below the header.

    """
    row = reading.units_row
    if row is None:
        return header + 1 if is_open and below and are_units(below[0], below[1:]) else None
    if row is False or row is True:
        return header + 1 if row and header + 1 < len(grid.numbers) else None
    if row - 1 <= grid.number(header):
        raise TableError(f"its header is row {grid.number(header) + 1}, and read.units_row is {row}; correct it")
    if row - 1 not in grid.numbers:
        raise TableError(f"its sheet has nothing in row {row}, and read.units_row is that; correct it")
    return grid.place(row - 1)


class Excel(WholeFormat):
    """A sheet of a workbook: of Excel, or an OpenDocument spreadsheet."""

    name: ClassVar[str] = "excel"
    suffixes: ClassVar[tuple[str, ...]] = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".excel")
    keys: ClassVar[frozenset[str]] = frozenset(
        {"header", "header_row", "units_row", "skip_rows", "skip_footer", "skip_blank", "sheet"}
    )
    begins: ClassVar[bytes] = rb"PK\x03\x04|\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    usual_ratio: ClassVar[float] = 6.5

    @classmethod
    def find_extent(cls, path: Path) -> Extent | None:
        """Return the bytes of its parts, and the rows of its largest sheet."""
        return find_workbook_extent(path)

    @classmethod
    def held_bytes(cls, extent: Extent, reading: Reading) -> int:  # noqa: ARG003 - the same in every layout
        """Return what a reader and the cells of a sheet take: 7 MiB of XML took 43 MiB, and 50 MiB 143."""
        return _READER_BYTES + round(2.5 * extent.unpacked)

    @classmethod
    def find_other(cls, data: bytes) -> tuple[str, str] | None:
        """Return what a file is that begins with `data`: a text is none."""
        return super().find_other(data) or find_text(without_mark(data))

    @classmethod
    def read_ahead(cls, ending: str, files: Iterable[bytes], reading: Reading) -> AbstractContextManager[None]:
        """Have the sheets of workbooks that are no .xlsx read in one process: to start one for each took ten times as long as to read it."""
        return read_sheets_ahead(files, reading.sheet) if ending in _OTHERS else nullcontext()

    def read(self, data: bytes, reading: Reading, nulls_of: NullsOf) -> Iterator[RawBlock]:
        """Yield the rows of a sheet."""
        return read_excel(data, reading, nulls_of)
