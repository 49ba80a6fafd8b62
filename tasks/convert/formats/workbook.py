"""The cells of a sheet of a workbook, which may be small and yet tell of more than fits in memory; formulas without results."""

from __future__ import annotations

import io
import math
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import islice
from threading import Lock
from typing import IO, Any
from xml.parsers import expat

from tasks.convert.files.decompression import PIECE_BYTES
from tasks.convert.files.opening import BOMB_BYTES, BOMB_RATIO
from tasks.core.errors import TableError
from tasks.core.imports import import_once

# Readers of values give null for such a cell. Where the result is an empty text, Excel says so: t="str".
_FORMULA = rb"<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)"
_NO_VALUE = rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?"
_UNSTORED = re.compile(rb"<(?:\w+:)?c\b([^>]*)>\s*" + _FORMULA + rb"\s*" + _NO_VALUE + rb"\s*</(?:\w+:)?c>")
_COLUMN = re.compile(rb'\br="([A-Z]+)\d+"')
_TEXT = b't="str"'


@dataclass(frozen=True)
class Sheet:
    """A sheet's name, and its file within the workbook, empty where it has none, as in older formats.

    `others` are the visible sheets beside it that hold a value.
    """

    name: str
    path: str
    others: Sequence[str] = ()


def count_unstored(data: bytes, sheet: Sheet) -> Mapping[int, int]:
    """Return, by column from 0, how many formulas of a sheet have no stored result."""
    if not sheet.path:
        return {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        cells = archive.read(sheet.path.lstrip("/"))
    if b"<f" not in cells and b":f" not in cells:
        return {}
    found = (match[1] for match in _UNSTORED.finditer(cells) if _TEXT not in match[1])
    return Counter(_place_of(column[1]) for each in found if (column := _COLUMN.search(each)))


def _place_of(letters: bytes) -> int:
    """Return the place of a column from 0: A is 0, AA is 26."""
    place = 0
    for letter in letters:
        place = place * 26 + letter - ord("A") + 1
    return place - 1


_MAX_ROWS = 1_048_576  # Excel's own
_MAX_CELLS = 16 * 1024 * 1024  # each of some 130 bytes
_MAX_ELEMENTS = 4 * _MAX_CELLS
_MAX_NESTED = 262_144  # elements of a row: Excel's 16,384 cells, each with its parts
_ROW_DEPTH = 3
_NULLS = frozenset({"", "#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"})
_ONE_AT_A_TIME = Lock()  # what warnings are passed over is the process's; openpyxl takes no second core anyway
_PEEKED_ROWS = 1000
_CURE = "save the sheet as .csv, which is read piece by piece"

Choose = Callable[[Sequence[str], Sequence[str]], str]
"""Returns the name of a sheet, given those of all and those of the visible ones."""


@dataclass
class Grid:
    """The rows of a sheet that hold a value, by their numbers from 0, and how far they reach."""

    rows: dict[int, Sequence[str | None]] = field(default_factory=dict)
    height: int = 0
    width: int = 0
    _written: dict[int, frozenset[int]] = field(default_factory=dict)
    _patterns: dict[frozenset[int], frozenset[int]] = field(default_factory=dict)

    def row(self, number: int) -> list[str | None]:
        """Return a row, as wide as the sheet."""
        row = self.rows[number]
        return [*row, *[None] * (self.width - len(row))]

    def column(self, position: int, numbers: Sequence[int]) -> list[str | None]:
        """Return the values of a column in some rows."""
        rows = (self.rows[number] for number in numbers)
        return [row[position] if position < len(row) else None for row in rows]

    def written(self, position: int, numbers: Sequence[int]) -> Iterator[str]:
        """Yield those values of a column in some rows that are texts in the sheet too."""
        for number in numbers:
            if position in self._written[number]:
                yield self.rows[number][position] or ""

    def add(self, number: int, values: Sequence[Any]) -> None:
        """Add a row.

        Raises:
            TableError: the sheet would not fit in memory.

        """
        values = _trim(values)
        self.height, self.width = number + 1 if values else self.height, max(self.width, len(values))
        row = [_text(value) for value in values]
        if not any(text is not None for text in row):
            return
        written = frozenset(position for position, value in enumerate(values) if isinstance(value, str))
        self.rows[number] = row
        self._written[number] = self._patterns.setdefault(written, written)
        if len(self.rows) * self.width > _MAX_CELLS:
            raise TableError(
                f"its sheet reaches over more than {_MAX_CELLS:,} cells: delete what stands far from its table, or {_CURE}"
            )


def read_grid(data: bytes, choose: Choose) -> tuple[Grid, Sheet]:
    """Return the cells of the sheet that is chosen by the names, and what it is.

    Raises:
        TableError: it is no Excel file, or would not fit in memory.

    """
    _refuse_bomb(data)
    try:
        import_once("openpyxl" if data.startswith(b"PK") else "pandas")
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of formats and extensions that have no bearing on values
            return _read(data, choose) if data.startswith(b"PK") else _read_older(data, choose)
    except TableError:
        raise
    except ImportError as error:  # an older format, and not the file's fault
        raise TableError(f"needs a package to be read ({error}); install it, or save the file anew as .xlsx") from error
    except MemoryError as error:
        raise TableError("does not fit in memory; save it as .csv, which is read block by block") from error
    except Exception as error:  # a damaged file fails anywhere within the reader
        raise TableError(f"is not an Excel file that can be read ({error}); save it anew as .xlsx") from error


def _read(data: bytes, choose: Choose) -> tuple[Grid, Sheet]:
    _examine(data)
    book = import_once("openpyxl").load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    sheets: dict[str, Any] = {str(sheet.title): sheet for sheet in book.worksheets}
    visible = [name for name, sheet in sheets.items() if sheet.sheet_state == "visible"]
    name = choose(list(sheets), visible)
    path = str(getattr(sheets[name], "_worksheet_path", ""))  # openpyxl tells it nowhere else
    others = [other for other in visible if other != name and _holds_rows(sheets[other])]
    return _fill(sheets[name]), Sheet(name, path, others)


def _holds_rows(sheet: Any) -> bool:
    """Return whether one of a sheet's first rows has a value."""
    sheet.reset_dimensions()
    rows = islice(sheet.iter_rows(values_only=True), _PEEKED_ROWS)
    return any(value not in (None, "") for row in rows for value in row)


def _read_older(data: bytes, choose: Choose) -> tuple[Grid, Sheet]:
    """Return the same of a format whose sheets have 65,536 rows and 256 columns at most."""
    pandas = import_once("pandas")
    book = pandas.ExcelFile(io.BytesIO(data))
    names = [str(name) for name in book.sheet_names]
    sheets: dict[str, Any] = {name: book.book.sheet_by_name(name) for name in names}
    visible = [name for name in names if not sheets[name].visibility]
    name = choose(names, visible)
    frame = pandas.read_excel(book, sheet_name=name, header=None, dtype=object, keep_default_na=False, na_values=[])
    grid = Grid()
    for number, row in enumerate(frame.itertuples(index=False)):
        grid.add(number, list(row))
    return grid, Sheet(name, "", [other for other in visible if other != name and sheets[other].nrows])


def _fill(sheet: Any) -> Grid:
    sheet.reset_dimensions()  # what a sheet tells of its size may be wrong
    grid = Grid()
    # A gap comes as empty rows, one by one.
    for number, row in enumerate(sheet.iter_rows()):
        if number >= _MAX_ROWS:
            raise TableError(f"its sheet has a row beyond {_MAX_ROWS:,}, the last of Excel's; save it anew as .xlsx")
        if row:
            grid.add(number, [_value(cell) for cell in row])
    return grid


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


def _examine(data: bytes) -> None:
    """Raise where a part of a workbook would become very much larger as it is parsed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            with archive.open(info) as part:
                _Elements().count(part)


class _Elements:
    """Counts the elements of a part, without keeping them."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._depth = self._all = self._nested = 0

    def count(self, part: IO[bytes]) -> None:
        """Count to the end of a part; one that is no XML ends where that shows.

        Raises:
            TableError: there are too many, or it defines entities.

        """
        try:
            while piece := part.read(PIECE_BYTES):
                self._parser.Parse(piece)
        except expat.ExpatError:
            return  # a picture, or damaged: whoever reads it tells

    def _refuse_doctype(self, *_: object) -> None:
        raise TableError("has a DOCTYPE, which no workbook has and which may expand without end; save it anew as .xlsx")

    def _begin(self, *_: object) -> None:
        self._depth += 1
        self._all += 1
        self._nested = self._nested + 1 if self._depth > _ROW_DEPTH else 0
        if self._all > _MAX_ELEMENTS or self._nested > _MAX_NESTED:
            raise TableError(f"has more cells than fit in memory; {_CURE}")

    def _end(self, _: object) -> None:
        self._depth -= 1


def _trim(values: Sequence[Any]) -> Sequence[Any]:
    """Return a row's values up to the last."""
    filled = next((n for n in range(len(values), 0, -1) if values[n - 1] not in (None, "")), 0)
    return values[:filled]


def _value(cell: Any) -> Any:
    """Return the value of a cell; NaN for an error."""
    if cell.data_type == "e":
        return math.nan
    value = cell.value
    return int(value) if type(value) is float and value.is_integer() else value


def _text(value: Any) -> str | None:
    """Return a value as a text; None where it is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    text = str(value)
    if isinstance(value, datetime) and value.time() == time.min:
        text = value.date().isoformat()
    elif isinstance(value, datetime | date | time):
        text = value.isoformat()
    elif isinstance(value, timedelta):  # 30:00 in a sheet
        text = str(import_once("pandas").Timedelta(value).isoformat())
    elif isinstance(value, bool):
        text = text.lower()
    return None if text in _NULLS else text
