"""Rows whose values are known, the files they are written to, and what of them a table may hold."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.convert.schema.types import NULL_TEXTS

NULLS = frozenset(NULL_TEXTS)
ERRORS = frozenset({"#N/A", "#DIV/0!", "#REF!"})
"""What a sheet shows where it has no value, be it the text of a cell."""
COMPRESSED: Mapping[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}
_WHOLE = re.compile(r"[+-]?\d+(\.0*)?|[+-]?\d*\.?\d+[eE][+-]?\d+")
_MOMENT = re.compile(r"(\.\d{6})0+")

Row = dict[str, Any]


@dataclass(frozen=True)
class File:
    """One file of rows and how it is written; `ragged` are the rows that lack a field in CSV, `blank` those below an empty line."""

    format: str
    rows: Sequence[Row]
    compression: str = ""
    delimiter: str = ","
    quote_all: bool = False
    line_end: str = "\n"
    mark: bool = False
    ends: bool = True
    ragged: frozenset[int] = frozenset()
    blank: frozenset[int] = frozenset()

    @property
    def names(self) -> list[str]:
        """Return the columns in the order in which they are met."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    @property
    def misfits(self) -> set[int]:
        """Return the ids of the rows that are no rows, whatever is declared."""
        if self.format != "csv" or len(self.names) < 2:
            return set()
        return {row["id"] for place, row in enumerate(self.rows) if place in self.ragged}

    def text_of(self, value: Any) -> str | None:
        """Return the text of a value in this format; None where it is null there."""
        if self.format == "xlsx" and value in ERRORS:
            return None
        if value is None or isinstance(value, str):
            return value or None if self.format in ("csv", "xlsx") else value
        if self.format == "xlsx" and not isinstance(value, bool):
            return str(in_sheet(value))
        return json.dumps(value)

    def write(self, folder: Path, number: int) -> None:
        """Write the file."""
        compression = self.compression if self.format in ("csv", "jsonl", "json") else ""
        data = COMPRESSED[compression](getattr(self, f"_as_{self.format}")())
        (folder / f"{number}.{self.format}{compression}").write_bytes(data)

    def _as_csv(self) -> bytes:
        buffer, end = io.StringIO(), self.line_end
        quoting: Literal[0, 1] = csv.QUOTE_ALL if self.quote_all else csv.QUOTE_MINIMAL
        writer = csv.writer(buffer, delimiter=self.delimiter, quoting=quoting, lineterminator=end)
        writer.writerow(self.names)
        for place, row in enumerate(self.rows):
            fields = [self.text_of(row.get(name)) for name in self.names]
            if place in self.blank:
                buffer.write(end)
            writer.writerow(fields[:-1] if row["id"] in self.misfits else fields)
        text = buffer.getvalue() if self.ends else buffer.getvalue().removesuffix(end)
        return text.encode("utf-8-sig" if self.mark else "utf-8")

    def _as_jsonl(self) -> bytes:
        lines = [json.dumps(row, ensure_ascii=self.quote_all) for row in self.rows]
        spaced = [f"\n{line}" if place in self.blank else line for place, line in enumerate(lines)]
        return ("\n".join(spaced) + ("\n" if self.ends else "")).encode()

    def _as_json(self) -> bytes:
        return json.dumps(self.rows, indent=2 if self.quote_all else None).encode()

    def _as_xlsx(self) -> bytes:
        book, buffer = openpyxl.Workbook(), io.BytesIO()
        sheet = book.active
        assert sheet is not None
        sheet.append(self.names)
        for row in self.rows:
            values = [row.get(name) for name in self.names]
            sheet.append([in_sheet(value) for value in values])
        for cell in (cell for cells in sheet.iter_rows() for cell in cells if isinstance(cell.value, str)):
            cell.data_type = "s"  # also of what looks like a formula, or an error
        book.save(buffer)
        return buffer.getvalue()

    def _as_parquet(self) -> bytes:
        buffer = io.BytesIO()
        columns = {name: [row.get(name) for row in self.rows] for name in self.names}
        arrays = {n: v if n == "id" else [self.text_of(value) for value in v] for n, v in columns.items()}
        pq.write_table(
            pa.table({n: pa.array(v, pa.int64() if n == "id" else pa.string()) for n, v in arrays.items()}), buffer
        )
        return buffer.getvalue()


def in_sheet(value: Any) -> Any:
    """Return a value as a sheet holds it: numbers have 15 digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    number = float(f"{value:.15g}")
    return int(number) if number.is_integer() else number


def may_be(text: str | None, nulls: Sequence[str], type_name: str) -> bool:
    """Return whether a text may be a value of a type, or null in it."""
    return is_null(text, nulls, type_name) or any(True for _ in _values(text or "", type_name))


def is_null(text: str | None, nulls: Sequence[str], type_name: str) -> bool:
    """Return whether a text means null in a column of a type."""
    if text is None or text.strip() in nulls:
        return True
    return text == "" if type_name == "string" else text.strip() in NULLS


def is_kept(text: str | None, found: Any, nulls: Sequence[str], type_name: str) -> bool:
    """Return whether a value of a table is what was written."""
    if found is None:
        return is_null(text, nulls, type_name) or (text or "").endswith(("NaN", "nan"))
    return text is not None and any(found == value for value in _values(text, type_name))


def _values(text: str, type_name: str) -> list[Any]:
    """Return what a text may be in a type: nothing where it is no value of it."""
    if type_name == "string":
        return [text]
    text = text.strip()
    if type_name == "bool":
        return {"true": [True], "1": [True], "false": [False], "0": [False]}.get(text.lower(), [])
    try:
        return _numbers(text, type_name) if type_name in ("int", "float") else _moments(text, type_name)
    except (ValueError, InvalidOperation):
        return []


def _numbers(text: str, type_name: str) -> list[Any]:
    if type_name == "float":
        return [float(text)] if "_" not in text else []
    is_hex = re.fullmatch("0[xX][0-9a-fA-F]+", text)
    number = Decimal(int(text, 16) if is_hex else text if _WHOLE.fullmatch(text) else "0.5")
    return [int(number)] if number == number.to_integral_value() and -(2**63) <= number < 2**63 else []


def _moments(text: str, type_name: str) -> list[Any]:
    moment = datetime.fromisoformat(_MOMENT.sub(r"\1", text))
    if type_name == "date":
        return [moment.date()] if moment.time() == time.min else []
    return [moment, moment.astimezone(UTC)] if moment.tzinfo else [moment]
