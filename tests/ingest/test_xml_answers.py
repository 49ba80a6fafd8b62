"""Answers of XML: what elements become, where pages are named in them, and what is refused."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.config import ApiSource
from tasks.core.errors import PermanentSourceError
from tasks.ingest.api.answers.xml import XmlAnswer
from tests.ingest.sources import api, land_one, read_rows
from tests.site.items import ITEMS
from tests.site.server import Site

TWO_SPACES = b'<f xmlns="u:1" xmlns:g="u:2"><item><id>1</id><g:id>2</g:id></item></f>'


def read(body: bytes, **keys: Any) -> tuple[list[Any], Any]:
    """Return the records of a body, and what stands around them."""
    records, around = XmlAnswer.model_validate({"records": "//item", **keys}).read(io.BytesIO(body), None)
    return list(map(json.loads, records)), json.loads(around)


@pytest.mark.parametrize(
    ("element", "keys", "row"),
    [
        (b"<item id='1'><a>x</a><b> y </b></item>", {}, {"@id": "1", "a": "x", "b": " y "}),
        (b"<item><t>x</t><t>y</t></item>", {}, {"t": ["x", "y"]}),
        (b"<item><t>x</t></item>", {"lists": ["t"]}, {"t": ["x"]}),
        (b"<item><a><b>x</b><c/></a></item>", {}, {"a": {"b": "x", "c": None}}),
        (b"<item><p currency='EUR'>1.50</p></item>", {}, {"p": {"@currency": "EUR", "#text": "1.50"}}),
        (b"<item>one <b>two</b> three<!-- no --></item>", {}, {"b": "two", "#text": "one  three"}),
        (b"<item><![CDATA[<x>&]]></item>", {}, {"#text": "<x>&"}),
        (b"<item xmlns:i='http://www.w3.org/2001/XMLSchema-instance'><a i:nil='true'>x</a></item>", {}, {"a": None}),
        (b"<item xmlns='u:1'><a>x</a></item>", {}, {"a": "x"}),
        (b"<item xmlns:o='u:1'><o:a>x</o:a><b/></item>", {"namespaces": {"g": "u:1"}}, {"g:a": "x", "b": None}),
    ],
)
def test_an_element_becomes_an_object_of_texts(element: bytes, keys: dict[str, Any], row: dict[str, Any]) -> None:
    """Attributes, elements within, several of one name, texts among them and namespaces each have their place."""
    assert read(b"<answer>" + element + b"</answer>", **keys)[0] == [row]


def test_what_stands_around_the_records_has_none_of_them() -> None:
    """It is what the root element becomes, in which a path leads to counts and cursors."""
    body = b"<answer next='2'><meta><n>7</n></meta><items><item>1</item></items></answer>"

    assert read(body)[1] == {"@next": "2", "meta": {"n": "7"}, "items": None}


@pytest.mark.parametrize(
    "pagination",
    [
        {"kind": "page", "pages_at": "meta.@pages"},
        {"kind": "page", "size": 3, "total_at": "meta.total"},
        {"kind": "cursor", "cursor_at": "meta.next", "param": "page"},
        {"kind": "cursor", "cursor_at": "meta.last", "has_more_at": "meta.more", "param": "page"},
        {"kind": "next_url", "next_at": "meta.link"},
    ],
)
async def test_pages_of_xml_are_turned_by_what_stands_in_them(
    site: Site, tmp_path: Path, pagination: dict[str, Any]
) -> None:
    """A path leads to an attribute, or to the text of an element, within the root."""
    source = api(
        site, "/answers/xml/plain", answer={"kind": "xml", "records": "//item"}, records_at=None, pagination=pagination
    )

    landed = await land_one(source, tmp_path)

    assert (landed.pages, landed.requests) == (3, 3)
    assert [row["id"] for row in read_rows(landed.path)] == [str(item["id"]) for item in ITEMS]


@pytest.mark.parametrize(
    ("body", "keys", "sentence"),
    [
        (
            b'<!DOCTYPE a [<!ENTITY x "y">]><a><item>&x;</item></a>',
            {},
            "declares the entity 'x', and entities are not read",
        ),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///x">]><a b="1"/>', {}, "declares the entity 'x'"),
        (b"<a><item>1</item>", {}, "it is no whole XML (Premature end of data"),
        (b"<a>&x;</a>", {}, "it is no whole XML"),
        (
            b'<!DOCTYPE a SYSTEM "a.dtd"><a><item>A&nbsp;B</item></a>',
            {},
            "it has &nbsp;, an entity that its document type declares elsewhere",
        ),
        (b'{"a": 1}', {}, "it is no whole XML (Start tag expected"),
        (b"<error><code>5</code><message>no</message></error>", {}, "it is <error> without //item: '5 no'"),
        (TWO_SPACES, {}, "stand beside each other, and both would be id; declare the namespace of one"),
        (b"<a/>", {"records": "//g:item"}, "Undefined namespace prefix); declare its prefixes in namespaces"),
        (b"<a/>", {"records": "count(//item)"}, "selects no elements, but texts or a number"),
    ],
)
def test_what_is_wrong_with_a_document_is_told(body: bytes, keys: dict[str, Any], sentence: str) -> None:
    """An entity, a document that is not whole, an error in place of records, and a path that fits nothing are refused."""
    with pytest.raises(ValueError, match=re.escape(sentence)):
        read(body, **keys)


@pytest.mark.parametrize(
    ("items", "told"),
    [
        (
            b"<entry><id>1</id></entry><entry><id>2</id></entry>",
            "no element is a record by answer.records, and items.entry",
        ),
        (b"", None),
    ],
)
async def test_a_path_that_passes_over_elements_is_told(
    site: Site, tmp_path: Path, items: bytes, told: str | None
) -> None:
    """An answer without records is one unless it has several elements of one name elsewhere."""
    site.echo, site.echo_body = "text/xml", b"<answer><items>" + items + b"</items></answer>"
    single = {"pagination": {"kind": "single"}, "records_at": None}
    source = api(site, "/echo/typed", answer={"kind": "xml", "records": "//item"}, **single)

    landed = await land_one(source, tmp_path)

    assert [told is not None and told in warning for warning in landed.warnings] == [True] * (told is not None)


async def test_an_entity_is_an_error_of_the_source(site: Site, tmp_path: Path) -> None:
    """The sentence names the request and the cure."""
    site.echo, site.echo_body = "text/xml", b'<!DOCTYPE a [<!ENTITY x "y">]><a/>'
    single = {"pagination": {"kind": "single"}, "records_at": None}
    source = api(site, "/echo/typed", answer={"kind": "xml", "records": "//a"}, **single)

    with pytest.raises(PermanentSourceError, match=r"^GET http.* as answer: xml: its document type .*; correct answer"):
        await land_one(source, tmp_path)


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        ("//item[", "'//item[' is no XPath (Invalid expression)"),
        ("//item/@id", "'//item/@id' is of texts or attributes; write one of the elements"),
        ("", "at least 1 character"),
    ],
)
def test_a_path_that_selects_no_element_is_refused(records: str, sentence: str) -> None:
    """It is told before anything is asked."""
    with pytest.raises(ValidationError, match=re.escape(sentence)):
        ApiSource.model_validate({"url": "http://h/", "answer": {"kind": "xml", "records": records}})
