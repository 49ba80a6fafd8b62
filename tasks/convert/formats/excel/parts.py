"""The parts of a workbook, looked at before they are read: what would need too much memory, or asks for a careful reader."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from posixpath import join, normpath, split
from typing import NoReturn
from xml.etree import ElementTree as ET

from tasks.convert.files.decompression import PIECE_BYTES, Inflate
from tasks.convert.files.opening import BOMB_BYTES, BOMB_RATIO
from tasks.convert.formats.excel import cells
from tasks.core.errors import TableError

MAX_ELEMENTS = 4 * cells.MAX_CELLS
_MAX_UNBROKEN = 64 * 1024 * 1024  # bytes without the end of an element
_END, _END_BYTES = b"PK\5\6", 22 + 2**16  # of the directory of a .zip; of two ends a reader may take either
_OTHER_BOOKS = ("xl/workbook.bin", "content.xml")
_BOOK, _LINKS = "xl/workbook.xml", "_rels/.rels"

_FAR_CELL = re.compile(rb'<c(?! r="[A-Z]\d{1,5}")[\s/>]')  # or one that does not begin with its place
_NEAR_CELLS = 26 * 99_999
# The first group is a cell's column and its row in thousands; it is empty where the cell does not begin with its place.
_CELL = re.compile(rb'<c(?: r="([A-Z]{1,3}(?:\d{1,4}(?=\d{3}"))?)\d{1,3}")?[\s/>]')
_PREFIXED_CELL = re.compile(rb":c[\s/>]")
_CLAIM = re.compile(rb'uniqueCount(?!="(?:\d{1,7}|1[0-6]\d{6})")')
_PADDED = re.compile(rb'<t(?:\s(?![^>]*"preserve")[^>]*)?>(?:\s|&#|[^<]*(?:\s|&#\w+;)</t>)')
_BEFORE_VALUE = (b"<v> ", b"<v>\t", b"<v>\n", b"<v>\r")
_PADDED_NUMBER = re.compile(rb'<c\b(?![^>]*t="str")[^>]*>(?:(?!</c>).)*?<v>\s+[-+.\d]', re.DOTALL)
_REFERRED = re.compile(rb"<(?:\w+:)?v(?:\s[^>]*)?>[^<]*&#")
_FORMULA_BEGIN = re.compile(b"<f|:f")
_VALUE = re.compile(rb"<(?:\w+:)?[vt](?:\s[^>]*)?>\s*[^<\s]")
_1904 = re.compile(rb"date1904\s*=\s*.(?!0|false)")
DOUBT = re.compile(rb"v(?:\s[^>]*)?>\s*(?:[-+]|\d{16})")
"""A number that is negative, and may be a date before 1900, or of more digits than a float."""

# Readers of values give null for such a cell. Where the result is an empty text, Excel says so: t="str".
_FORMULA = rb"<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)"
_NO_VALUE = rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?"
_UNSTORED = re.compile(rb"<(?:\w+:)?c\b([^>]*)>\s*" + _FORMULA + rb"\s*" + _NO_VALUE + rb"\s*</(?:\w+:)?c>")
_COLUMN = re.compile(rb'\br="([A-Z]+)\d+"')
_TEXT = b't="str"'
_CELL_BEGIN = b'<c r="'
_LAST_ELEMENT = re.compile(rb".*(<[^/])", re.DOTALL)
_TAIL_BYTES = 2**18  # more than a text of a cell takes, of 32,767 characters
_BLANKS = b"\xef\xbb\xbf \t\r\n"
_MARKS = (b"\xff\xfe", b"\xfe\xff")  # of UTF-16
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass
class Part:
    """What was seen of a part: whether it asks for the careful reader, holds a value, and a formula."""

    is_odd: bool = False
    has_value: bool = False
    has_formula: bool = False


class Archive:
    """The parts of a workbook, which is a .zip.

    Raises:
        TableError: it would not fit in memory.
        zipfile.BadZipFile: it is damaged.

    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        listed = zipfile.ZipFile(io.BytesIO(data)).infolist()
        size = sum(info.file_size for info in listed)
        if size > BOMB_BYTES and size > BOMB_RATIO * len(data):
            raise TableError(
                f"holds more than {BOMB_RATIO} times what it takes up, as a decompression bomb does; "
                "if it is no bomb, save it as .csv"
            )
        self._infos = {info.filename: info for info in listed}
        self._is_ambiguous = len(self._infos) < len(listed) or data.count(_END, max(0, len(data) - _END_BYTES)) != 1
        self._parts = {name: self._examine(name) for name in self._infos}

    @property
    def is_odd(self) -> bool:
        """Return whether a part is written as few are, so that only the careful reader reads it right."""
        return self._is_ambiguous or any(part.is_odd for part in self._parts.values())

    @property
    def is_apart(self) -> bool:
        """Return whether it is no .xlsx but an .xlsb or .ods."""
        return _BOOK not in self._infos and any(name in self._infos for name in _OTHER_BOOKS)

    @cached_property
    def paths(self) -> Mapping[str, str]:
        """Return the parts of the sheets by their names."""
        folder, name = split(self._book)
        links = {each.get("Id"): each.get("Target", "") for each in self._links}
        found = {}
        for element in self._elements(f"{folder}/{name}"):
            if element.tag.endswith("}sheet"):
                link = next((value for key, value in element.items() if key.endswith("}id")), "")
                found[element.get("name", "")] = _within(f"/{folder}", links.get(link, ""))
        return found

    @cached_property
    def _book(self) -> str:
        kinds = {each.get("Type", "").rpartition("/")[2]: each.get("Target", "") for each in self._elements(_LINKS)}
        return _within("/", kinds.get("officeDocument", _BOOK))

    @cached_property
    def _links(self) -> Sequence[ET.Element]:
        folder, name = split(self._book)
        return list(self._elements(f"{folder}/_rels/{name}.rels"))

    def styles(self) -> Iterator[ET.Element]:
        """Yield all elements of the part that tells how cells are shown."""
        for link in self._links:
            if link.get("Type", "").endswith("/styles"):
                yield from self._elements(_within(f"/{split(self._book)[0]}", link.get("Target", "")))

    @cached_property
    def is_1904(self) -> bool:
        """Return whether days may be counted from 1904 on, as Excel for the Macintosh did."""
        return self._book not in self._infos or _1904.search(self.text(self._book)) is not None

    def _elements(self, name: str) -> Iterator[ET.Element]:
        """Yield all elements of a part; none where there is no such part."""
        name = name.removeprefix("/")
        return ET.fromstring(self.text(name)).iter() if name in self._infos else iter(())  # noqa: S314 - it has no DOCTYPE

    def holds_rows(self, sheet: str) -> bool:
        """Return whether a cell of a sheet has a value."""
        part = self._parts.get(self.paths.get(sheet, ""))
        return part is not None and part.has_value

    def count_unstored(self, sheet: str) -> Mapping[int, int]:
        """Return, by column from 0, how many formulas of a sheet have no stored result."""
        path = self.paths.get(sheet, "")
        counts: Counter[int] = Counter()
        if path in self._parts and self._parts[path].has_formula:
            for piece in self._pieces(path, _behind_row):
                found = (match[1] for match in _UNSTORED.finditer(piece) if _TEXT not in match[1])
                counts.update(place_of(column[1]) for each in found if (column := _COLUMN.search(each)))
        return counts

    def bears_out(self, sheet: str, doubtful: Collection[int]) -> bool:
        """Return whether one of these columns, from 0, has numbers of more digits than a float, or negative ones, which may be dates before 1900."""
        path = self.paths.get(sheet, "")
        if not doubtful or path not in self._parts:
            return bool(doubtful)
        pieces = self.rows_of(sheet)
        return any(_column_at(piece, match.start()) in doubtful for piece in pieces for match in DOUBT.finditer(piece))

    def rows_of(self, sheet: str) -> Iterator[bytes]:
        """Yield the part of a sheet, some rows at a time."""
        return self._pieces(self.paths[sheet], _behind_row)

    def text(self, name: str) -> bytes:
        """Return a part."""
        return b"".join(self._pieces(name, _before_element))

    def _examine(self, name: str) -> Part:
        """Return what a part is like.

        Raises:
            TableError: it would become very much larger as it is parsed, or defines entities.

        """
        part, tags, places = Part(), 0, set[bytes]()
        for number, piece in enumerate(self._pieces(name, _before_element)):
            if not number and not piece.lstrip(_BLANKS).startswith(b"<"):
                part.is_odd = piece[:4].replace(b"\0", b"").startswith((b"<", *_MARKS))
                return part  # no UTF-8, or a picture
            tags += piece.count(b"<")
            if tags > 2 * MAX_ELEMENTS:
                raise TableError(f"has more cells than fit in memory; {cells.CURE}")
            if b"<!DOCTYPE" in piece:
                refuse_doctype()
            if self.is_apart:  # whose cells are written in other ways
                continue
            if cells.MAX_CELLS < _NEAR_CELLS or _FAR_CELL.search(piece):
                places.update(_CELL.findall(piece))
            _see(part, piece)
        part.is_odd = part.is_odd or b"" in places or _reach(places) > cells.MAX_CELLS
        return part

    def _pieces(self, name: str, find_end: Callable[[bytes], int]) -> Iterator[bytes]:
        """Yield a part piece by piece, each as far as the end that is found, 0 where there is none yet."""
        kept = b""
        for piece in self._decompress(self._infos[name]):
            kept += piece
            if end := find_end(kept):
                yield kept[:end]
                kept = kept[end:]
            if len(kept) > _MAX_UNBROKEN:
                raise TableError(f"has more in one place than fits in memory; {cells.CURE}")
        if kept:
            yield kept

    def _decompress(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Yield the bytes of a part, which are as many as the directory says."""
        begin = info.header_offset + 30
        begin += sum(int.from_bytes(self._data[at : at + 2], "little") for at in (begin - 4, begin - 2))
        packed = self._data[begin : begin + info.compress_size]
        if info.compress_type == zipfile.ZIP_STORED:
            yield packed
            return
        if info.compress_type != zipfile.ZIP_DEFLATED or info.flag_bits & 1:
            _refuse(info)
        inflate, given = Inflate(-15, careful=False), 0
        while not inflate.eof:
            piece = inflate.decompress(packed if not given else b"", PIECE_BYTES)
            given += len(piece)
            if given > info.file_size or not (piece or inflate.eof):
                _refuse(info)
            yield piece
        if given != info.file_size:
            _refuse(info)


def _before_element(text: bytes) -> int:
    """Return where the last element begins: what stands in it may go on."""
    tail = text[-_TAIL_BYTES:]
    match = _LAST_ELEMENT.match(tail)
    return len(text) - len(tail) + match.start(1) if match else 0


def _behind_row(text: bytes) -> int:
    whole, found, _ = text.rpartition(b"row>")
    return len(whole) + len(found)


def _column_at(text: bytes, place: int) -> int:
    """Return the column, from 0, of the cell that a place is in."""
    column = _COLUMN.search(text, text.rfind(_CELL_BEGIN, 0, place))
    return place_of(column[1]) if column else 0


def _within(folder: str, path: str) -> str:
    """Return a path that is told from a folder, as a name in the archive."""
    return normpath(join(folder, path)).removeprefix("/")


def _refuse(info: zipfile.ZipInfo) -> NoReturn:
    raise zipfile.BadZipFile(f"its part {info.filename} is damaged")


def refuse_doctype() -> NoReturn:
    """Raise TableError of a part that defines entities."""
    raise TableError("has a DOCTYPE, which no workbook has and which may expand without end; save it anew as .xlsx")


def _see(part: Part, piece: bytes) -> None:
    """Note what a piece of a part has."""
    if b"!" in piece and b"<!" in piece:
        part.is_odd = True  # CDATA, which calamine passes over
    if b"\0" in piece or (b":" in piece and _PREFIXED_CELL.search(piece)):
        part.is_odd = True
    if b"uniqueCount" in piece and _CLAIM.search(piece):
        part.is_odd = True  # more texts than a sheet has cells
    if _PADDED.search(piece):
        part.is_odd = True  # blanks that calamine, and Excel, take away
    if any(blank in piece for blank in _BEFORE_VALUE) and _PADDED_NUMBER.search(piece):
        part.is_odd = True  # a number with blanks before it, which calamine takes for a text
    if b"&#" in piece and _REFERRED.search(piece):
        part.is_odd = True  # a digit written by its number, which calamine takes for none
    part.has_value = part.has_value or _VALUE.search(piece) is not None
    part.has_formula = part.has_formula or (b"f" in piece and _FORMULA_BEGIN.search(piece) is not None)


def _reach(places: set[bytes]) -> int:
    """Return how many cells there are as far as the last row and column of some."""
    if not places:
        return 0
    columns = max(place_of(place.rstrip(b"0123456789")) for place in places) + 1
    rows = max(int(b"0" + place.lstrip(_LETTERS)) for place in places) + 1
    return columns * 1000 * rows if rows > cells.MAX_ROWS // 1000 + 1 else columns * min(1000 * rows, cells.MAX_ROWS)


def place_of(letters: bytes) -> int:
    """Return the place of a column from 0: A is 0, AA is 26."""
    place = 0
    for letter in letters:
        place = place * 26 + letter - ord("A") + 1
    return place - 1
