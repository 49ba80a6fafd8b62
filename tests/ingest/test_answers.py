"""Answers that are no JSON, or packed: pages of them, faults on the way to them, and what is told of wrong ones."""

from __future__ import annotations

import gzip
import re
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from flows.pipeline import pipeline as run_pipeline
from tasks.config import ApiSource, Pipeline
from tasks.core.errors import PermanentSourceError, SourceError
from tests.ingest.sources import QUICK, api, land_one, list_files, read_rows
from tests.site.answers import PACKINGS, zipped
from tests.site.items import ITEMS
from tests.site.server import Site

TEXTS = [{"id": str(item["id"]), "name": item["name"]} for item in ITEMS]
FORMS: dict[str, dict[str, Any]] = {
    "csv": {"answer": {"kind": "csv"}},
    "ndjson": {"answer": {"kind": "ndjson"}},
    "xml": {"answer": {"kind": "xml", "records": "//item"}},
    "json": {"records_at": "items"},
}
PAGINATIONS: dict[str, dict[str, Any]] = {
    "counted": {"kind": "page", "pages_header": "X-Total-Pages"},
    "uncounted": {"kind": "page"},
    "cursor": {"kind": "cursor", "cursor_header": "X-Next", "param": "page"},
    "link": {"kind": "link_header"},
}
ENDLESS = ("huge", "gzip-bomb")
FAULTS = ("500-once", "429-once-retry-after-seconds", "drop-once", "truncated-once")


def of_form(
    site: Site, form: str, packing: str, pagination: str = "counted", fault: str = "none", **changes: Any
) -> ApiSource:
    """Return a source of the site's items in a form."""
    path = f"/answers/{form}/{packing}?fault={fault}"
    return api(site, path, pagination=PAGINATIONS[pagination], **{"records_at": None, **FORMS[form], **changes})


def said(site: Site, body: bytes, kind: str = "text/plain", **changes: Any) -> ApiSource:
    """Return a source of one answer, which has a body."""
    site.echo, site.echo_body = kind, body
    return api(site, "/echo/typed", **{"pagination": {"kind": "single"}, "records_at": None, **changes})


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("form", FORMS)
async def test_every_form_is_landed_however_it_is_packed(site: Site, tmp_path: Path, form: str, packing: str) -> None:
    """All rows come in order, as texts where the form has no types."""
    landed = await land_one(of_form(site, form, packing), tmp_path)

    assert read_rows(landed.path) == (TEXTS if form in ("csv", "xml") else ITEMS)
    assert landed.warnings == ()


@pytest.mark.parametrize("pagination", PAGINATIONS)
async def test_pages_of_csv_are_turned_by_numbers_and_headers(site: Site, tmp_path: Path, pagination: str) -> None:
    """A page of CSV is turned as one of JSON, by all that stands in no body."""
    landed = await land_one(of_form(site, "csv", "plain", pagination), tmp_path)

    assert (read_rows(landed.path), landed.pages) == (TEXTS, 3)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("form", FORMS)
async def test_a_fault_that_passes_costs_one_request(site: Site, tmp_path: Path, form: str, fault: str) -> None:
    """A page that fails once is asked for again, and no row is lost or twice."""
    landed = await land_one(of_form(site, form, "zip", fault=fault), tmp_path)

    assert (landed.rows, landed.requests) == (len(ITEMS), 4)


@pytest.mark.parametrize(
    ("form", "fault", "sentence"),
    [
        ("csv", "html", "it is a page or XML: '<h1>Please  log in</h1>'; correct answer, or the address"),
        ("ndjson", "html", "no line of it is JSON, and the first is '<h1>Please  log in</h1>'"),
        ("xml", "html", "cannot be read as answer: xml: it has no records, and is text/html: '<h1>Please log in</h1>'"),
        ("xml", "truncated-xml", "cannot be read as answer: xml: it is no whole XML (Premature end of data"),
        *((form, endless, "larger than requests.max_body_bytes (1,048,576)") for form in FORMS for endless in ENDLESS),
    ],
)
async def test_a_page_that_is_no_such_answer_is_one_error(
    site: Site, tmp_path: Path, form: str, fault: str, sentence: str
) -> None:
    """A page of something else, or without an end, is told in a sentence, and nothing is put in place."""
    source = of_form(site, form, "plain", fault=fault, requests={**QUICK, "max_body_bytes": 2**20})

    with pytest.raises(PermanentSourceError, match=re.escape(sentence)):
        await land_one(source, tmp_path)

    assert list_files(tmp_path) == []


CSV: list[tuple[bytes, dict[str, Any], list[dict[str, Any]]]] = [
    (b'\xef\xbb\xbfa,b\r\n1,"x, ""y""\nz"\r\n\r\n,2\r\n', {}, [{"a": "1", "b": 'x, "y"\nz'}, {"a": None, "b": "2"}]),
    ("a;b\n1,5;caf\xe9\n".encode("cp1252"), {"delimiter": ";", "encoding": "cp1252"}, [{"a": "1,5", "b": "caf\xe9"}]),
    (b"1\t'2\n", {"delimiter": "\t", "quote": "", "header": False, "names": ["a", "b"]}, [{"a": "1", "b": "'2"}]),
    (b"Report of May\n\na,\n1,2\n", {"skip_rows": 2}, [{"a": "1", "col1": "2"}]),
    (b"x,y\n1,2\n", {"names": ["a", "b"]}, [{"a": "1", "b": "2"}]),
    (b"", {}, []),
]


@pytest.mark.parametrize(("body", "keys", "rows"), CSV)
async def test_csv_is_read_as_it_is_declared(
    site: Site, tmp_path: Path, body: bytes, keys: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    """Delimiter, quote, header, titles and encoding are those that the source says."""
    landed = await land_one(said(site, body, answer={"kind": "csv", **keys}), tmp_path)

    assert read_rows(landed.path) == rows


async def test_records_that_cannot_be_read_become_rejects(site: Site, tmp_path: Path) -> None:
    """A record of CSV with a field too many, too few, a stray quote or another encoding stays, with its reason and its text."""
    body = b'a,b\n1,2,3\n1\na,b\n1,"2"3\ncaf\xe9,1\n"5",6'

    landed = await land_one(said(site, body, answer={"kind": "csv"}), tmp_path)

    assert read_rows(landed.path) == [
        {"$reject": "3 fields where there are 2 columns", "text": "1,2,3"},
        {"$reject": "1 field where there are 2 columns", "text": "1"},
        {"$reject": "repeats the header", "text": "a,b"},
        {"$reject": "',' expected after '\"'", "text": '1,"2"3'},
        {"$reject": "not in the answer's encoding", "text": "caf\\xe9,1"},
        {"a": "5", "b": "6"},
    ]


@pytest.mark.parametrize(
    ("body", "answer", "sentence"),
    [
        (b"a;b\n1;2", {"kind": "csv"}, "its header is one column 'a;b'; write delimiter: ';'"),
        (b'{"error": "no"}', {"kind": "csv"}, 'it is JSON: \'{"error": "no"}\''),
        (b"a,a\n1,2", {"kind": "csv"}, "its header has 'a' twice; name the columns in answer.names"),
        (b"a,b\n1,2", {"kind": "csv", "names": ["a"]}, "its header has 2 columns, and names has 1; correct names"),
        (b'a,b\n1,2\n1,"2\n3,4', {"kind": "csv"}, "a quote that opens in line 3 is not closed"),
        (zipped({"a.txt": b""}), {"kind": "csv", "member": "*.csv"}, "the .zip has no file *.csv; it has a.txt"),
        (
            zipped({"a": bytes(2**21)}),
            {"kind": "csv"},
            "larger than requests.max_body_bytes (1,048,576): its files have",
        ),
        (
            gzip.compress(bytes(2**21), mtime=0),
            {"kind": "ndjson"},
            "larger than requests.max_body_bytes (1,048,576): it goes on",
        ),
        (
            gzip.compress(bytes(2**21), mtime=0),
            {"kind": "json"},
            "larger than requests.max_body_bytes (1,048,576): it goes on",
        ),
        (gzip.compress(b"<html>", mtime=0), {"kind": "json"}, "is not JSON: '<html>'"),
    ],
)
async def test_what_is_wrong_with_an_answer_is_told(
    site: Site, tmp_path: Path, body: bytes, answer: dict[str, Any], sentence: str
) -> None:
    """One sentence has what is there, and the cure; nothing is put in place."""
    source = said(site, body, answer=answer, requests={**QUICK, "max_body_bytes": 2**20})

    with pytest.raises(PermanentSourceError, match=re.escape(sentence)):
        await land_one(source, tmp_path)

    assert list_files(tmp_path) == []


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b"[1]" * 99, mtime=0)[:-9],
        zipped({"a": b"[1]" * 99})[:-9],
        gzip.compress(b"[1]", mtime=0)[:-4] + b"abcd",
    ],
)
async def test_what_is_packed_and_damaged_may_be_fetched_again(site: Site, tmp_path: Path, body: bytes) -> None:
    """A packed body that is cut off, or has another checksum, is an error that another attempt may mend."""
    with pytest.raises(SourceError, match="what is packed in the body is damaged") as caught:
        await land_one(said(site, body), tmp_path)

    assert not isinstance(caught.value, PermanentSourceError)


@pytest.mark.parametrize("kind", ["csv", "ndjson", "json"])
async def test_all_files_of_a_zip_are_read(site: Site, tmp_path: Path, kind: str) -> None:
    """The files of a .zip come one after the other, each with its own header; what is no member is left out."""
    bodies = {
        "csv": (b"a,b\n1,2\n", b"b,a\n4,3\n"),
        "ndjson": (b'{"a": 1}\n', b'{"a": 3}'),
        "json": (b'[{"a": 1}]',) * 2,
    }
    one, other = bodies[kind]
    packed = zipped({"one.x": one, "sub/other.x": other, "read.me": b"-", "__MACOSX/a.x": b"-"})

    landed = await land_one(said(site, packed, answer={"kind": kind, "member": "*.x"}), tmp_path)

    assert [int(row["a"]) for row in read_rows(landed.path)] == ([1, 1] if kind == "json" else [1, 3])


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
async def test_texts_become_types_and_what_cannot_be_read_rejects(site: Site, tmp_path: Path) -> None:
    """The table of CSV tells the types of its columns as that of a file, and a record that is none is a reject with its text."""
    site.echo, site.echo_body = "text/csv", b"id,at,price\n1,2024-01-31,1.50\n2,2024-02-01,NA\n3,2024-02-02,2.25,x\n"
    source = {"kind": "api", "url": f"{site.url}/echo/typed", "answer": {"kind": "csv"}}

    await run_pipeline(Pipeline.model_validate({"name": "typed", "sources": {"rows": source}}), tmp_path)

    table = pq.read_table(tmp_path / "tables" / "rows")
    assert table.to_pylist() == [
        {"id": 1, "at": date(2024, 1, 31), "price": 1.5},
        {"id": 2, "at": date(2024, 2, 1), "price": None},
    ]
    (reject,) = pq.read_table(tmp_path / "rejects" / "rows").to_pylist()
    assert (reject["line"], reject["reason"]) == (3, "4 fields where there are 3 columns")
    assert "3,2024-02-02,2.25,x" in reject["raw"]


async def test_a_broken_line_is_a_reject_also_where_lines_are_looked_into(site: Site, tmp_path: Path) -> None:
    """A line of NDJSON that is no JSON is landed as it came, beside those whose key and newest value are read."""
    body = b'{"id": 1}\n{"id": 2\n{"id": 3}\n'
    incremental = {"field": "id", "param": "since", "start": 0}
    source = said(site, body, answer={"kind": "ndjson"}, key=["id"], incremental=incremental)

    landed = await land_one(source, tmp_path)

    with pa.input_stream(str(landed.path), compression="zstd") as stream:
        assert stream.read() == body


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"records_at": "items"}, "records_at is of JSON, and answer is csv; take records_at out"),
        ({"names": ["a"]}, "names is of JSON, and answer is csv; take names out"),
        ({"shape": "columns"}, "shape: columns is of JSON, and answer is csv"),
        (
            {"pagination": {"kind": "page", "pages_at": "pages"}},
            "pagination.pages_at is a path in the body, and answer: csv",
        ),
        ({"pagination": {"kind": "cursor", "cursor_at": "next"}}, "pagination.cursor_at is a path in the body"),
        ({"answer": {"kind": "csv", "header": False}}, "header is false, so that nothing names the columns"),
        ({"answer": {"kind": "csv", "delimiter": "tab"}}, "'tab' is not a delimiter; write a tab in double quotes"),
        ({"answer": {"kind": "csv", "encoding": "utf-9"}}, "'utf-9' is not an encoding; did you mean utf_8?"),
    ],
)
def test_a_source_is_refused_whose_answers_cannot_have_what_it_names(keys: dict[str, Any], sentence: str) -> None:
    """What is of JSON, or a place in a body that is nothing but records, is told before anything is asked."""
    with pytest.raises(ValidationError, match=re.escape(sentence)):
        ApiSource.model_validate({"url": "http://h/", "answer": {"kind": "csv"}, **keys})
