"""An Excel sheet: the first row below its titles names the columns, every other row is a record."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from threading import Lock
from typing import Any

import pandas as pd
import pyarrow as pa

from tasks.convert.csv.head import name_columns
from tasks.convert.json.columns import NULL_WORDS, TIME_TYPES, NullsOf, nothing_declared
from tasks.convert.parsed import Record, Texts
from tasks.convert.reading.formulas import Sheet, count_unstored
from tasks.convert.reading.guess import Guess
from tasks.convert.reading.header import extent, find_header
from tasks.convert.reading.opening import BOMB_BYTES, BOMB_RATIO
from tasks.convert.types import TypeName, infer_type, take_out
from tasks.errors import TableError
from tasks.importing import import_once
from tasks.spec import Reading

_NULLS = frozenset({"", "#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"})
_JUDGED_ROWS = 50
_ONE_AT_A_TIME = Lock()  # what warnings are passed over is the process's; openpyxl takes no second core anyway
_EXACT = 2**53  # whole numbers up to here are in a float as they are


@dataclass(frozen=True)
class _Layout:
    """Where a sheet's header stands, if it has one, and where its rows begin; `title` is the first text above."""

    header: int | None
    first: int
    title: str = ""


def read_excel(data: bytes, reading: Reading, nulls_of: NullsOf = nothing_declared) -> Iterator[Texts]:
    """Yield the rows of a sheet as texts: dates in ISO 8601, whole numbers without a point, errors as null.

    A column that has a cell of text is one of texts: a sheet tells numbers apart from texts that look like them.

    Raises:
        TableError: it is no Excel file, or has no such sheet.

    """
    _refuse_bomb(data)
    frame, sheet = _parse(data, reading)
    cells = [list(row) for row in frame.itertuples(index=False)]
    rows = [[_text(value) for value in row] for row in cells]
    layout = _lay_out(rows, reading)
    names = name_columns([value or "" for value in rows[layout.header]]) if layout.header is not None else []
    if layout.header is None:
        names = [f"column_{position}" for position in range(1, frame.shape[1] + 1)]
    numbers = [n for n in range(layout.first, len(rows)) if any(value is not None for value in rows[n])]
    columns = {name: pa.chunked_array([[rows[n][p] for n in numbers]], pa.string()) for p, name in enumerate(names)}
    types = {
        name: _type_of([cells[n][p] for n in numbers], columns[name], nulls_of(name)) for p, name in enumerate(names)
    }

    def locate(chosen: Sequence[int]) -> list[Record]:
        return [Record(numbers[row] + 1, "\t".join(value or "" for value in rows[numbers[row]])) for row in chosen]

    skipped = layout.header if layout.header is not None else layout.first
    guess = Guess("xlsx", header=layout.header is not None if rows else None, skipped=skipped, title=layout.title)
    told = _tell_unstored(count_unstored(data, sheet), sheet.name, names)
    yield Texts(pa.table(columns), len(numbers), (), locate, types, guess=guess, warnings=told)


def _parse(data: bytes, reading: Reading) -> tuple[pd.DataFrame, Sheet]:
    """Return all cells of the sheet, and what it is.

    Raises:
        TableError: it is no Excel file, or has no such sheet.

    """
    try:
        import_once("openpyxl")
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of formats and extensions that have no bearing on values
            book = pd.ExcelFile(io.BytesIO(data))
            name = _find_sheet([str(name) for name in book.sheet_names], reading.sheet)
            # openpyxl tells it nowhere else.
            path = (
                str(getattr(book.book[name], "_worksheet_path", ""))
                if getattr(book, "engine", "") == "openpyxl"
                else ""
            )
            frame = pd.read_excel(book, sheet_name=name, header=None, dtype=object, keep_default_na=False, na_values=[])
            return frame, Sheet(name, path)
    except TableError:
        raise
    except ImportError as error:  # an older format, and not the file's fault
        raise TableError(f"needs a package to be read ({error}); install it, or save the file anew as .xlsx") from error
    except MemoryError as error:
        raise TableError("does not fit in memory; save it as .csv, which is read block by block") from error
    except Exception as error:  # a damaged file fails anywhere within the reader
        raise TableError(f"is not an Excel file that can be read ({error}); save it anew as .xlsx") from error


def _tell_unstored(counts: Mapping[int, int], sheet: str, names: Sequence[str]) -> list[str]:
    return [
        f"sheet {sheet}, column {names[place]!r}: {count:,} formulas have no stored result and are null; "
        "open the file in a spreadsheet program and save it, or write values"
        for place, count in sorted(counts.items())
        if place < len(names)
    ]


def _type_of(cells: Sequence[Any], texts: pa.ChunkedArray, nulls: Collection[str]) -> TypeName:
    """Return the type of a column: of texts where a cell is one, be it 1.10, unless it means null or all are times."""
    name = infer_type(take_out(texts, nulls))
    means_null = NULL_WORDS.union(nulls)
    if name in ("string", *TIME_TYPES) or all(c.strip() in means_null for c in cells if isinstance(c, str)):
        return name
    return "string"


def _lay_out(rows: Sequence[Sequence[str | None]], reading: Reading) -> _Layout:
    """Return where the table of a sheet begins.

    Raises:
        TableError: the sheet has no such row as is declared to be its header.

    """
    row = reading.header_row
    if row is not None and rows and (row > len(rows) or not any(rows[row - 1])):
        has = f"has {len(rows)} rows" if row > len(rows) else f"has nothing in row {row}"
        raise TableError(f"its sheet {has}, and read.header_row is {row}; correct it")
    begin = row - 1 if row is not None else reading.skip_rows or 0
    filled = [number for number in range(begin, len(rows)) if any(rows[number])]
    records = [[value or "" for value in rows[number]] for number in filled[:_JUDGED_ROWS]]
    declared, is_open = (True if row is not None else reading.header), row is None and reading.skip_rows is None
    found = find_header([record[: extent(record)] for record in records], declared, titled=is_open)
    if not filled:
        return _Layout(None, len(rows))
    start = filled[found.above]
    title = next((" ".join(filter(None, record)) for record in records[: found.above]), "")
    if not found.found:
        return _Layout(None, start, title)
    return _Layout(start, max(start + 1, reading.skip_rows or 0), title)


def _refuse_bomb(data: bytes) -> None:
    """Raise where a workbook, which is a .zip, would not fit in memory."""
    try:
        size = sum(info.file_size for info in zipfile.ZipFile(io.BytesIO(data)).infolist())
    except zipfile.BadZipFile:
        return  # an older format, or none
    if size > BOMB_BYTES and size > BOMB_RATIO * len(data):
        raise TableError(
            f"holds more than {BOMB_RATIO} times what it takes up, as a decompression bomb does; "
            "if it is no bomb, save it as .csv"
        )


def _find_sheet(names: list[str], asked: str | int | None) -> str:
    if asked is None:
        return names[0]
    if isinstance(asked, int) and asked < len(names):
        return names[asked]
    if asked in names:
        return str(asked)
    raise TableError(f"has no sheet {asked!r}; its sheets are {', '.join(names)}: correct read.sheet")


def _text(value: Any) -> str | None:
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN
        return None
    text = str(value)
    if isinstance(value, datetime) and value.time() == time.min:
        text = value.date().isoformat()
    elif isinstance(value, datetime | date | time):
        text = value.isoformat()
    elif isinstance(value, timedelta):  # 30:00 in a sheet
        text = pd.Timedelta(value).isoformat()
    elif isinstance(value, bool):
        text = text.lower()
    elif isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        text = str(int(value))
    return None if text in _NULLS else text
