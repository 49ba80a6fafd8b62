"""What a file is, by its first bytes where its name says another thing, or by its name where systems left it beside those of a user."""

from __future__ import annotations

import json
import re

# Of macOS, Windows, and the owner files that Office and LibreOffice keep beside an open document.
_LITTER = re.compile(
    r"(^|.*/)(__MACOSX/.*|\._[^/]*|\.DS_Store|Thumbs\.db|ehthumbs\.db|desktop\.ini|~\$[^/]*|\.~lock\.[^/]*#)",
    re.IGNORECASE | re.DOTALL,
)


def is_litter(name: str) -> bool:
    """Return whether a file below a folder, or in an archive, is no file of a user."""
    return _LITTER.fullmatch(name.replace("\\", "/")) is not None


_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_RENAME = "give it a name that ends in {0}"
_SAVE = "save what it shows as .csv, or leave the file out"
# Where a text might begin so too, the pattern goes on to what no text has.
_SIGNATURES = (
    (rb"\x1f\x8b\x08", "gzip", _RENAME.format(".gz")),
    (rb"\x28\xb5\x2f\xfd", "Zstandard", _RENAME.format(".zst")),
    (rb"BZh[1-9]1AY&SY", "bzip2", _RENAME.format(".bz2")),
    (rb"\xfd7zXZ\0|7z\xbc\xaf\x27\x1c|Rar!\x1a\x07", "a compressed archive", "decompress it first"),
    (rb"PAR1[\0-\x08\x0e-\x1f]", "Parquet", f"{_RENAME.format('.parquet')}, or declare read.format: parquet"),
    (rb"%PDF-", "a PDF", _SAVE),
    (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a", "a picture", "leave the file out"),
    (rb"SQLite format 3\0", "an SQLite database", _SAVE),
    (rb"ARROW1\0\0|FEA1\0\0", "Arrow", "write it as .parquet"),
    (rb"\x89HDF\r\n", "HDF5", "write it as .parquet"),
    (rb"Obj\x01", "Avro", "write it as .parquet"),
    (
        rb"version https://git-lfs\.github\.com/",
        "a pointer of Git LFS",
        "fetch the file with git lfs pull",
    ),
)
_KNOWN = tuple((re.compile(pattern), what, cure) for pattern, what, cure in _SIGNATURES)
_ANY_KNOWN = re.compile(b"|".join(pattern for pattern, *_ in _SIGNATURES))
_HTML = re.compile(
    rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_TITLE = re.compile(rb"<title[^<>]*>([^<]*)</title>", re.IGNORECASE)
_XML = re.compile(rb"\s*<(\?xml\b|[A-Za-z][\w:.-]*(\s+[\w:.-]+\s*=\s*\"[^\"]*\")*\s*>)")
MARK = b"\xef\xbb\xbf"
"""Of the order of bytes, as UTF-8 has it."""
_TITLE_CHARACTERS = 60


def find_other_content(data: bytes, begins: bytes = b"") -> tuple[str, str] | None:
    """Return what a file is that begins with `data`, and the cure; None where it may be what it is called.

    `begins` is the pattern of how a file begins that is what it is called.
    """
    if begins and re.match(begins, data):
        return None
    if data.startswith((_ZIP, _OLE)):
        return _of_office(data)
    for pattern, what, cure in _KNOWN if _ANY_KNOWN.match(data) else ():
        if pattern.match(data):
            return what, cure
    if _HTML.match(data):
        title = _TITLE.search(data)
        called = f" ({title[1].decode('utf-8', 'replace').strip()[:_TITLE_CHARACTERS]!r})" if title else ""
        return f"an HTML page{called}", "a page to log in, or of an error, may stand in its place: fetch the file again"
    if _XML.match(data):
        return "XML", "save it as .csv, or leave the file out"
    return None


def without_mark(data: bytes) -> bytes:
    """Return the beginning of a file without the byte order mark of UTF-8."""
    return data.removeprefix(MARK)


def _of_office(data: bytes) -> tuple[str, str]:
    if data.startswith(_OLE):
        return (
            "an Excel workbook or another file of Microsoft Office",
            f"{_RENAME.format('.xls')}, or declare read.format: excel",
        )
    if b"opendocument.spreadsheet" in data[:200]:
        return "an OpenDocument spreadsheet", f"{_RENAME.format('.ods')}, or declare read.format: excel"
    if b"[Content_Types].xml" in data or b"xl/" in data:
        return "an Excel workbook", f"{_RENAME.format('.xlsx')}, or declare read.format: excel"
    return "a .zip", _RENAME.format(".zip")


def find_json(data: bytes) -> tuple[str, str] | None:
    """Return that a text is JSON, which a reader of lines would take apart, and the cure."""
    return ("JSON", f"{_RENAME.format('.json or .jsonl')}, or declare read.format") if _is_json(data) else None


def find_text(data: bytes) -> tuple[str, str] | None:
    """Return that a file is a text, where its format is none, and the cure."""
    if data and b"\0" not in data[:1024] and _is_text(data[:1024]):
        return "text", f"{_RENAME.format('.csv')}, or declare read.format: csv"
    return None


def _is_json(data: bytes) -> bool:
    """Return whether a text is a JSON document, or its first line one of its own, as that of JSON lines is."""
    begin = data.lstrip()[:1]
    if begin not in (b"{", b"["):
        return False
    first = data.lstrip().splitlines()[0].strip()
    if first in (b"{", b"[", b"[{"):
        return True
    return any(_is_document(text) for text in (first, data)) or bool(
        re.match(rb'\s*+\[?\s*+\{\s*+"[^"]*"\s*+:', data) and len(first) == len(data)
    )


def _is_document(data: bytes) -> bool:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) or (isinstance(found, list) and bool(found) and isinstance(found[0], dict | list))


def _is_text(data: bytes) -> bool:
    control = sum(1 for byte in data if byte < 32 and byte not in b"\t\r\n\f")  # noqa: PLR2004 - ASCII's control characters
    return control == 0
