"""An Excel sheet: its first row names the columns, every other row is a record."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

import pandas as pd
import pyarrow as pa

from tasks.convert.csv.head import name_columns
from tasks.convert.parsed import Record, Texts
from tasks.errors import TableError
from tasks.spec import Reading


def read_excel(data: bytes, reading: Reading) -> Iterator[Texts]:
    """Yield the rows of a sheet as texts: dates in ISO 8601, whole numbers without a point, errors as null.

    Raises:
        TableError: it is no Excel file, or has no such sheet.

    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of formats and extensions that have no bearing on values
            book = pd.ExcelFile(io.BytesIO(data))
            sheet = _find_sheet([str(name) for name in book.sheet_names], reading.sheet)
            frame = book.parse(sheet, header=None, dtype=object, keep_default_na=False, na_values=[])
    except TableError:
        raise
    except Exception as error:  # a damaged file fails anywhere within the reader
        raise TableError(f"is not an Excel file that can be read ({error}); save it anew as .xlsx") from error
    rows = [[_text(value) for value in row] for row in frame.itertuples(index=False)]
    first = next((number for number, row in enumerate(rows) if any(row)), len(rows))
    has_header = reading.header is not False and first < len(rows)
    names = name_columns([value or "" for value in rows[first]]) if has_header else []
    if not has_header:
        names = [f"column_{position}" for position in range(1, frame.shape[1] + 1)]
    numbered = [(number, row) for number, row in enumerate(rows[first + has_header :], start=first + has_header + 1)]
    kept = [(number, row) for number, row in numbered if any(value is not None for value in row)]
    columns = {name: pa.array([row[place] for _, row in kept], pa.string()) for place, name in enumerate(names)}

    def locate(chosen: Sequence[int]) -> list[Record]:
        return [Record(kept[row][0], "\t".join(value or "" for value in kept[row][1])) for row in chosen]

    yield Texts(pa.table(columns), len(kept), (), locate)


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
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time.min else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    text = str(value)
    return None if text in ("", "#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!") else text
