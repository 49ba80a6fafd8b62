"""How much a workbook holds, by the directory of its .zip and the head of its largest sheet; no cell is read."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from tasks.convert.formats.format import Extent

_HEAD_BYTES = 256 * 1024
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_DIMENSION = re.compile(rb'<(?:\w+:)?dimension\s[^>]*ref="[A-Z]+\d+:[A-Z]+(\d+)"')
_ROW = re.compile(rb"<(?:\w+:)?row[\s>]")


def find_workbook_extent(path: Path) -> Extent | None:
    """Return the bytes of a workbook's parts, and the rows of its largest sheet; None of an .xls, which is no .zip.

    Raises:
        OSError, zipfile.BadZipFile: it cannot be read.

    """
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        sheets = [part for part in parts if _SHEET.fullmatch(part.filename)]
        largest = max(sheets, key=lambda part: part.file_size, default=None)
        rows = None if largest is None else _find_rows(archive, largest)
    return Extent(sum(part.file_size for part in parts), rows)


def _find_rows(archive: zipfile.ZipFile, sheet: zipfile.ZipInfo) -> int | None:
    """Return how many rows a sheet says that it has, else as many as its head has for its bytes."""
    with archive.open(sheet) as stream:
        head = stream.read(_HEAD_BYTES)
    if told := _DIMENSION.search(head):
        return max(int(told[1]) - 1, 0)
    rows = len(_ROW.findall(head))
    return round(rows * sheet.file_size / len(head)) if rows else None
