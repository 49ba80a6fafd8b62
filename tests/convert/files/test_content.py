"""Content that is not what a file's name says."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import sqlite3
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from backports import zstd

from tasks.convert.formats.csv.format import Csv
from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table, read_rows, write_files

CSV = b"id,x\n1,2\n"
LOGIN = "<!-- x -->\n<!DOCTYPE html>\n<html><head><title>\n Sign in </title></head><body>please</body></html>"


def parquet() -> bytes:
    """Return a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"id": [1]}), buffer)
    return buffer.getvalue()


def feather() -> bytes:
    """Return an Arrow file."""
    buffer = io.BytesIO()
    pyarrow.feather.write_feather(pa.table({"id": [1]}), buffer, compression="uncompressed")
    return buffer.getvalue()


def zipped(name: str = "a.csv") -> bytes:
    """Return an archive of one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, CSV)
    return buffer.getvalue()


def workbook() -> bytes:
    """Return an Excel file."""
    buffer = io.BytesIO()
    openpyxl.Workbook().save(buffer)
    return buffer.getvalue()


def database() -> bytes:
    """Return an SQLite file."""
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE t (x)")
        return connection.serialize()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gzip.compress(CSV, mtime=0), "is gzip, not csv; give it a name that ends in .gz"),
        (zstd.compress(CSV), "is Zstandard, not csv; give it a name that ends in .zst"),
        (bz2.compress(CSV), "is bzip2, not csv; give it a name that ends in .bz2"),
        (zipped(), "is a .zip, not csv; give it a name that ends in .zip"),
        (workbook(), "is an Excel workbook, not csv; give it a name that ends in .xlsx, or declare read.format: excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is an Excel workbook or another file of Microsoft Office"),
        (parquet(), "is Parquet, not csv; give it a name that ends in .parquet"),
        (feather(), "is Arrow, not csv; write it as .parquet"),
        (database(), "is an SQLite database, not csv"),
        (b"%PDF-1.7\n%\xe2\xe3", "is a PDF, not csv; save what it shows as .csv"),
        (b"\x89PNG\r\n\x1a\n", "is a picture, not csv; leave the file out"),
        (LOGIN.encode(), r"is an HTML page \('Sign in'\), not csv; .* fetch the file again"),
        (b"\xef\xbb\xbf  <HTML>\n<body>x,y</body>", "is an HTML page, not csv"),
        (b'<?xml version="1.0"?>\n<rows><row/></rows>', "is XML, not csv"),
        (b"<Error><Code>AccessDenied</Code></Error>", "is XML, not csv"),
        (b'{"error": "token expired", "code": 401}', "is JSON, not csv; .*declare read.format"),
        (json.dumps([{"id": 1}, {"id": 2}], indent=1).encode(), "is JSON, not csv"),
        (b'{"id": 1}\n{"id": 2}\n', "is JSON, not csv"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n",
            "is a pointer of Git LFS, not csv; fetch the file with git lfs pull",
        ),
    ],
)
@pytest.mark.parametrize("name", ["a_csv", "a_csv_gz"])
def test_what_is_no_csv_is_refused(tmp_path: Path, data: bytes, said: str, name: str) -> None:
    """The sentence says what the file is, and what to do; also within a compressed one."""
    write_files(tmp_path, **{name: data})

    with pytest.raises(TableError, match=rf"^inbox/a.csv(.gz)?: {said}"):
        make_table(tmp_path, files_source())


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a_xlsx", LOGIN.encode(), "is an HTML page .*, not xlsx"),
        ("a_xls", b"id\tx\n1\t2\n", "is text, not xlsx; give it a name that ends in .csv, or declare read.format: csv"),
        ("a_parquet_gz", CSV, "is text, not parquet; give it a name that ends in .csv"),
        ("a_json", LOGIN.encode(), "is an HTML page .*, not json"),
        ("a_jsonl", gzip.compress(b"{}\n", mtime=0), "is gzip, not jsonl"),
        ("a_json", workbook(), "is an Excel workbook, not json"),
        ("a_tsv", parquet(), "is Parquet, not tsv"),
    ],
)
def test_other_formats_are_not_mistaken_either(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    """A file of any format may have been given the name of another."""
    write_files(tmp_path, **{name: data})

    with pytest.raises(TableError, match=said):
        make_table(tmp_path, files_source())


def test_one_page_among_many_small_files_is_refused(tmp_path: Path) -> None:
    """Also where files are converted together."""
    write_files(tmp_path, **{f"a{number:03}_csv": LOGIN for number in range(120)})

    with pytest.raises(TableError, match=r"inbox/a000.csv: is an HTML page"):
        make_table(tmp_path, files_source())


@pytest.mark.parametrize(
    "data",
    [
        b"PAR1,PAR2\n1,2\n",
        b"BZh,x\n1,2\n",
        b"<5,>6\n1,2\n",
        b"a<b,c\n",
        b'{"a": 1},5\n{"a": 2},6\n',
        b"[x],y\n1,2\n",
        b"[1],y\n1,2\n",
        b"",
        b"Obj,x\n",
        b"Rar,x\n",
        b"html,body\n",
    ],
)
def test_a_csv_may_begin_with_anything(data: bytes) -> None:
    """A name of a column, or a value, that reads like the beginning of another format is none."""
    assert Csv.find_other(data) is None


def test_a_page_within_quotes_is_a_value(tmp_path: Path) -> None:
    """Only what the file itself begins with tells."""
    write_files(tmp_path, a_csv='page,n\n"<html><body>x</body></html>",1\n')

    make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == [{"page": "<html><body>x</body></html>", "n": 1}]
