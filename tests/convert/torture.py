"""The torture folder: files as they come from elsewhere, and what exactly is to become of each."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from typing import Any

Rows = Sequence[dict[str, Any]]

WIDE = 5_000
LONG_FIELD = "x" * (64 * 1024 * 1024)


@dataclass(frozen=True)
class Case:
    """A file, and its rows and rejects (line, reason), or the one sentence that it ends in."""

    name: str
    content: bytes
    rows: Rows = ()
    rejects: Sequence[tuple[int, str]] = ()
    error: str | None = None
    columns: dict[str, Any] | None = None
    read: dict[str, Any] | None = None


def zipped(**members: bytes) -> bytes:
    """Return a .zip of these members; `a_csv` becomes `a.csv`."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


def bomb(size: int) -> bytes:
    """Return the .gz of `size` bytes of nothing but one short record, over and over."""
    piece = gzip.compress(b"1,2\n" * (4 * 1024 * 1024), compresslevel=9)
    return gzip.compress(b"a,b\n") + piece * (size // (16 * 1024 * 1024))


CUT = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(20_000)), mtime=0)

CASES: Sequence[Case] = (
    Case(
        "ragged.csv",
        b"a,b\n1,2\n3\n4,5,6\n7,8\n",
        [{"a": 1, "b": 2}, {"a": 7, "b": 8}],
        [(3, "1 field, the header has 2"), (4, "3 fields, the header has 2")],
    ),
    Case(
        "unclosed.csv", b'a,b\n1,2\n3,"4\n5,6\n', [{"a": 1, "b": 2}, {"a": 5, "b": 6}], [(3, "a quote is not closed")]
    ),
    Case(
        "stray.csv", b'a,b\n1,5" pipe\n2,6" pipe and 7"\n', [{"a": 1, "b": '5" pipe'}, {"a": 2, "b": '6" pipe and 7"'}]
    ),
    Case("nul.csv", b"a,b\n1,x\0y\n2,\0\n", [{"a": 1, "b": "x\0y"}, {"a": 2, "b": "\0"}]),
    Case("ends.csv", b"a,b\r\n1,x\n2,y\r3,z\r\n", [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 3, "b": "z"}]),
    Case("bom.csv", b"\xef\xbb\xbfa,b\n1,\xc3\xa9\n", [{"a": 1, "b": "é"}]),
    Case("utf16.csv", "a,b\n1,é\n2,☃\n".encode("utf-16"), [{"a": 1, "b": "é"}, {"a": 2, "b": "☃"}]),
    Case("utf16-unmarked.csv", "aa,bb\n1,xx\n".encode("utf-16-be"), [{"aa": 1, "bb": "xx"}]),
    Case(
        "latin.csv",
        "name,town\nJosé,Málaga\nZoë,Köln\n".encode("latin-1"),
        [{"name": "José", "town": "Málaga"}, {"name": "Zoë", "town": "Köln"}],
    ),
    Case(
        "one-bad-line.csv",
        "n,t\n1,é\n2,ü\n".encode() + b"3,\xff\n4,z\n",
        [{"n": 1, "t": "é"}, {"n": 2, "t": "ü"}, {"n": 4, "t": "z"}],
        [(4, "not in the file's encoding")],
    ),
    Case("empty.csv", b""),
    Case("header-only.csv", b"a,b\n"),
    Case(
        "names.csv",
        b"a,a,, b ,a_2\n1,2,3,4,5\n",
        [{"a": 1, "a_2": 2, "column_3": 3, "b": 4, "a_2_5": 5}],
    ),
    Case(
        "wide.csv",
        ",".join(f"c{n}" for n in range(WIDE)).encode() + b"\n" + ",".join(map(str, range(WIDE))).encode() + b"\n",
        [{f"c{n}": n for n in range(WIDE)}],
    ),
    Case("long-field.csv", f'a,b\n1,"{LONG_FIELD}"\n2,y\n'.encode(), [{"a": 1, "b": LONG_FIELD}, {"a": 2, "b": "y"}]),
    Case(
        "thousands.csv",
        b'n,t\n"1,234",x\n"1,234,567.5",y\n',
        [{"n": "1,234", "t": "x"}, {"n": "1,234,567.5", "t": "y"}],
    ),
    Case(
        "thousands-declared.csv",
        b'n,t\n"1,234",x\n"1,234,567.5",y\n"1,5",z\n',
        [{"n": 1234.0, "t": "x"}, {"n": 1234567.5, "t": "y"}],
        [(4, "'1,5' is not a float")],
        columns={"n": {"type": "float", "thousands": ","}},
    ),
    Case(
        "commas.csv",
        b"n;t\n1,5;x\n-2,25;y\n3;z\n",
        [{"n": 1.5, "t": "x"}, {"n": -2.25, "t": "y"}, {"n": 3.0, "t": "z"}],
    ),
    Case(
        "dates.csv",
        b"iso,day_first,us\n2013-01-31,31/01/2013,01/31/2013 05:06\n2013-02-01,01/02/2013,02/01/2013 17:00\n",
        [
            {"iso": date(2013, 1, 31), "day_first": date(2013, 1, 31), "us": datetime(2013, 1, 31, 5, 6)},  # noqa: DTZ001 - without a zone
            {"iso": date(2013, 2, 1), "day_first": date(2013, 2, 1), "us": datetime(2013, 2, 1, 17)},  # noqa: DTZ001 - the same
        ],
        columns={
            "day_first": {"type": "date", "format": "%d/%m/%Y"},
            "us": {"type": "timestamp", "format": "%m/%d/%Y %H:%M"},
        },
    ),
    Case(
        "beyond-64-bits.csv",
        b"n,m\n1,9223372036854775807\n18446744073709551616,2\n",
        [{"n": "1", "m": 9223372036854775807}, {"n": "18446744073709551616", "m": 2}],
    ),
    Case(
        "nulls.csv",
        b'n,t\n1,NA\nNA,null\n,""\nnull,x\n',
        [{"n": 1, "t": "NA"}, {"n": None, "t": "null"}, {"n": None, "t": None}, {"n": None, "t": "x"}],
    ),
    Case("padded.csv", b"zip,n\n01234,1\n99999,2\n", [{"zip": "01234", "n": 1}, {"zip": "99999", "n": 2}]),
    Case("no-header.csv", b"1,2.5\n2,3.5\n", [{"column_1": 1, "column_2": 2.5}, {"column_1": 2, "column_2": 3.5}]),
    Case("pipes.csv", b"a|b\n1|x, y\n2|z\n", [{"a": 1, "b": "x, y"}, {"a": 2, "b": "z"}]),
    Case("single-quotes.csv", b"a,b\n1,'x, y'\n2,'z'\n", [{"a": 1, "b": "x, y"}, {"a": 2, "b": "z"}]),
    Case("tabs.tsv", b"a\tb\n1\tx, y\n", [{"a": 1, "b": "x, y"}]),
    Case(
        "lines.jsonl",
        b'{"a": 1}\n{"a": \n[2]\n{"a": 3, "b": {"c": true}}\n{"a": "\xff"}\n',
        [{"a": 1, "b.c": None}, {"a": 3, "b.c": True}],
        [
            (2, "not JSON: Expecting value: line 1 column 7 (char 6)"),
            (3, "not a JSON object"),
            (5, "not UTF-8"),
        ],
    ),
    Case(
        "document.json",
        b'{"meta": {}, "data": {"items": [{"a": 1}, 2, {"a": 3}]}}',
        [{"a": 1}, {"a": 3}],
        [(2, "not a JSON object")],
        read={"records_at": "data.items"},
    ),
    Case("cut.csv.gz", CUT[: len(CUT) // 2]),  # what is left of it is asserted by its own test
    Case(
        "two.csv.zip",
        zipped(a_csv=b"a\n1\n", b_csv=b"a\n2\n"),
        error="holds 2 files (a.csv, b.csv); name one as read.member",
    ),
    Case("member.zip", zipped(a_csv=b"a\n1\n", b_csv=b"a\n2\n"), [{"a": 2}], read={"member": "b.csv"}),
    Case(
        "not-gzip.csv.gz",
        b"a,b\n1,2\n",
        error="its .gz compression is damaged or cut off (Not a gzipped file (b'a,')); fetch the file again",
    ),
    Case(
        "header-cut.csv",
        b'"a,b\n1,2\n',
        error="the quote of its header is not closed; mend the header, or declare read.quote",
    ),
)
