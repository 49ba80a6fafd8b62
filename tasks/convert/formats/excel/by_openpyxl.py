"""Sheets of an .xlsx read by openpyxl: ten times as slow as calamine, and right where calamine is not, or needs all memory.

That is where whole numbers have more digits than a float, dates are before 1900,
texts are CDATA or padded, cells stand far from each other or name no place, an
error is one of Excel 365's (#SPILL!), or the XML is no UTF-8.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import IO, Any
from xml.parsers import expat

from tasks.convert.files.decompression import PIECE_BYTES
from tasks.convert.formats.excel import cells, parts
from tasks.core.errors import TableError
from tasks.core.imports import import_once

MAX_NESTED = 262_144  # elements of a row: Excel's 16,384 cells, each with its parts
_ROW_DEPTH = 3
_ONE_AT_A_TIME = Lock()  # what warnings are passed over is the process's; openpyxl takes no second core anyway


class CarefulWorkbook:
    """A workbook, read by openpyxl."""

    def __init__(self, data: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                with archive.open(info) as part:
                    _Elements().count(part)
        with _in_silence():
            book = import_once("openpyxl").load_workbook(
                io.BytesIO(data), read_only=True, data_only=True, keep_links=False
            )
        self._sheets = {str(sheet.title): sheet for sheet in book.worksheets}

    @property
    def names(self) -> list[str]:
        """Return the names of its sheets of cells."""
        return list(self._sheets)

    @property
    def visible(self) -> list[str]:
        """Return those that are shown."""
        return [name for name, sheet in self._sheets.items() if sheet.sheet_state == "visible"]

    def read(self, name: str) -> cells.Grid:
        """Return the cells of a sheet.

        Raises:
            TableError: it would not fit in memory.

        """
        sheet, builder = self._sheets[name], cells.GridBuilder()
        sheet.reset_dimensions()  # what a sheet tells of its size may be wrong
        with _in_silence():
            builder.add([_value(cell) for cell in row] for row in sheet.iter_rows())  # a gap comes as empty rows
            return builder.build()


@contextmanager
def _in_silence() -> Iterator[None]:
    """Pass over warnings of formats and extensions that have no bearing on values, one thread at a time."""
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _value(cell: Any) -> Any:
    """Return the value of a cell, None for an error; in a text _x000D_ is the character of that number."""
    if cell.data_type == "e":
        return None
    return _unescaped()(cell.value) if isinstance(cell.value, str) else cell.value


@cache
def _unescaped() -> Callable[[str], str]:
    unescape: Callable[[str], str] = import_once("openpyxl.utils.escape").unescape
    return unescape


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
        parts.refuse_doctype()

    def _begin(self, *_: object) -> None:
        self._depth += 1
        self._all += 1
        self._nested = self._nested + 1 if self._depth > _ROW_DEPTH else 0
        if self._all > parts.MAX_ELEMENTS or self._nested > MAX_NESTED:
            raise TableError(f"has more cells than fit in memory; {cells.CURE}")

    def _end(self, _: object) -> None:
        self._depth -= 1
