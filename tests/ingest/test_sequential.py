"""Pages that name the next: what is asked then, of whom, and servers that lead round or nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import PermanentSourceError
from tasks.ingest.api.urls import find_link
from tests.ingest.kinds import of_kind
from tests.ingest.sources import api, land_one, list_files, read_rows
from tests.site.items import ITEMS
from tests.site.server import Site

CURSOR = {"kind": "cursor", "cursor_at": "cursor"}
NEXT_URL = {"kind": "next_url", "next_at": "next"}
LINK_HEADER = {"kind": "link_header"}
CURSORS = ["after 3/+&=%", "after 6/+&=%"]
BEARER = {"kind": "bearer", "token": {"env": "T"}}


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("cursor", lambda seen: parse_qs(seen.path.partition("?")[2]).get("cursor", [None])[0]),
        ("cursor from a header", lambda seen: parse_qs(seen.path.partition("?")[2]).get("cursor", [None])[0]),
        ("cursor in the body", lambda seen: json.loads(seen.body).get("cursor")),
        ("cursor in a header", lambda seen: seen.headers.get("x-cursor")),
        ("next address, relative", lambda seen: parse_qs(seen.path.partition("?")[2]).get("cursor", [None])[0]),
        ("link header", lambda seen: parse_qs(seen.path.partition("?")[2]).get("cursor", [None])[0]),
    ],
)
async def test_the_cursor_is_sent_as_it_was_given(site: Site, tmp_path: Path, kind: str, sent: Any) -> None:
    """A cursor with any characters comes back to the server as it was, with the first request's other parts."""
    landed = await land_one(of_kind(kind, site, "none"), tmp_path)

    assert read_rows(landed.path) == ITEMS
    assert [sent(seen) for seen in site.seen] == [None, *CURSORS]
    assert [seen.path.split("&")[1].split("&")[0] for seen in site.seen] == ["at=1"] * 3


@pytest.mark.parametrize("pagination", [NEXT_URL, LINK_HEADER])
async def test_a_next_page_elsewhere_gets_no_credentials(
    site: Site, other_site: Site, tmp_path: Path, pagination: dict[str, Any]
) -> None:
    """A next address on another host that is allowed is followed, without the token and the source's headers."""
    site.redirect_to = other_site.redirect_to = other_site.url
    source = api(
        site,
        "/paged/none?next=elsewhere",
        pagination=pagination,
        auth=BEARER,
        headers={"X-Plan": "free"},
        allow_hosts=["127.0.0.1"],
    )

    landed = await land_one(source, tmp_path, {"token": "sesame-open-7"})

    assert read_rows(landed.path) == ITEMS
    shown = [{"authorization", "x-plan"} & seen.headers.keys() for seen in [*site.seen, *other_site.seen]]
    assert shown == [{"authorization", "x-plan"}, set(), set()]


@pytest.mark.parametrize("pagination", [CURSOR, NEXT_URL, LINK_HEADER])
@pytest.mark.parametrize("kind", ["rows", "empty"])
async def test_pages_that_never_end_are_stopped(
    site: Site, tmp_path: Path, pagination: dict[str, Any], kind: str
) -> None:
    """A server that always names another page is stopped at max_pages, whether its pages have rows or not."""
    with pytest.raises(
        PermanentSourceError, match=r"pagination.max_pages \(5\): this one still names a next; raise max_pages"
    ):
        await land_one(api(site, f"/endless/{kind}", pagination=pagination | {"max_pages": 5}), tmp_path)

    assert (len(site.seen), list_files(tmp_path)) == (5, [])


@pytest.mark.parametrize("pagination", [CURSOR, NEXT_URL, LINK_HEADER])
async def test_rows_beyond_what_is_allowed_are_gone_on_from_when_more_are(
    site: Site, tmp_path: Path, pagination: dict[str, Any]
) -> None:
    """More rows than max_rows are an error; when more are allowed, only the page that was one too many is asked for again."""
    cases: list[tuple[dict[str, int], str]] = [
        ({"max_rows": 4}, r"more rows than pagination.max_rows \(4\): 5 so far"),
        ({"max_rows": 6}, r"more rows than pagination.max_rows \(6\): 7 so far"),
    ]
    for limits, sentence in cases:
        with pytest.raises(PermanentSourceError, match=sentence):
            await land_one(api(site, "/endless/rows", pagination=pagination | limits), tmp_path)

    numbers = [int(path.partition("cursor=")[2] or 0) + 1 for path in site.paths]
    assert numbers == [1, 2, 3, 4, 5, 5, 6, 7]


@pytest.mark.parametrize("pagination", [CURSOR | {"cursor_at": "cursor"}, NEXT_URL, LINK_HEADER])
@pytest.mark.parametrize(("kind", "most"), [("1", 2), ("2", 3), ("3", 4)])
async def test_pages_that_lead_round_are_one_error(
    site: Site, tmp_path: Path, pagination: dict[str, Any], kind: str, most: int
) -> None:
    """A page that names itself, or one before it, is not followed again and again; nothing is landed twice."""
    with pytest.raises(
        PermanentSourceError, match=r"which was read before; the pages go in a circle: correct pagination"
    ):
        await land_one(api(site, f"/circle/{kind}", pagination=pagination), tmp_path)

    assert int(kind) <= len(site.seen) <= most
    assert list_files(tmp_path) == []


@pytest.mark.parametrize("pagination", [CURSOR, CURSOR | {"cursor_at": None, "cursor_header": "X-Cursor"}, NEXT_URL])
async def test_an_empty_page_that_names_itself_is_the_last(
    site: Site, tmp_path: Path, pagination: dict[str, Any]
) -> None:
    """Some servers give the last cursor again, for what may come later: with no rows that is the end."""
    landed = await land_one(api(site, "/circle/at-end", pagination=pagination), tmp_path)

    assert (read_rows(landed.path), len(site.seen)) == ([{"id": 1}, {"id": 2}], 3)


@pytest.mark.parametrize(
    ("body", "pagination", "sentence"),
    [
        ({"cursor": [1]}, CURSOR, r"the next page's cursor is \[1\], not a text or a number; correct its place"),
        ({"cursor": True}, CURSOR, r"the next page's cursor is True, not a text or a number"),
        ({"cursor": "\ud83d"}, CURSOR, r"the next page's cursor is '\\ud83d', not a text or a number"),
        ({"cursor": float("nan")}, CURSOR, r"the next page's cursor is nan, not a text or a number"),
        (
            {"cursor": "\xe9"},
            CURSOR | {"place": "header"},
            r"'\xe9', which a header cannot carry \(it is not printable A",
        ),
        ({"cursor": "a\nb"}, CURSOR | {"place": "header"}, r"'a\\nb', which a header cannot carry"),
        ({"cursor": "x" * 70_000}, CURSOR, r"which an address cannot carry \(.* too long\); correct pagination"),
        ({"next": "mailto:me"}, NEXT_URL, r"pagination.next_at: 'mailto:me' is no address; correct next_at"),
        ({"next": "http://x:port/"}, NEXT_URL, r"pagination.next_at: 'http://x:port/' is no address"),
        ({"next": 5}, NEXT_URL, r"pagination.next_at: 5 is no address"),
        ({"next": {"href": "x"}}, NEXT_URL, r"pagination.next_at: \{'href': 'x'\} is no address"),
    ],
)
async def test_a_next_page_that_cannot_be_asked_for_is_one_error(
    site: Site, tmp_path: Path, body: dict[str, Any], pagination: dict[str, Any], sentence: str
) -> None:
    """What a server names as the next page, and is none, is quoted with its request and the cure."""
    site.echo_body = json.dumps({"items": [], **body}).encode()

    with pytest.raises(PermanentSourceError, match=rf"^GET {site.url}/echo/body.*{sentence}"):
        await land_one(api(site, "/echo/body", pagination=pagination), tmp_path)

    assert (len(site.seen), list_files(tmp_path)) == (1, [])


@pytest.mark.parametrize(
    ("body", "pagination"),
    [
        ({}, CURSOR),
        ({"cursor": None}, CURSOR),
        ({"cursor": ""}, CURSOR),
        ({"cursor": False}, CURSOR),
        ({"cursor": {"next": 1}}, CURSOR | {"cursor_at": "cursor.after"}),
        ({}, NEXT_URL),
        ({"next": None}, NEXT_URL),
        ({"next": ""}, NEXT_URL),
        ({"next": False}, NEXT_URL),
        ({}, LINK_HEADER),
    ],
)
async def test_a_page_that_names_no_next_is_the_last(
    site: Site, tmp_path: Path, body: dict[str, Any], pagination: dict[str, Any]
) -> None:
    """Nothing, null, an empty text and false name no page."""
    site.echo_body = json.dumps({"items": ITEMS, **body}).encode()

    landed = await land_one(api(site, "/echo/body", pagination=pagination), tmp_path)

    assert (read_rows(landed.path), len(site.seen)) == (ITEMS, 1)


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<http://x/?p=2>; rel="next", <http://x/?p=9>; rel="last"', "http://x/?p=2"),
        ('<x;a=1,2?p=2>; title="a, <b>; rel=\\"next\\""; rel=next', "x;a=1,2?p=2"),
        ('</x?p=2>;rel="prev NEXT"', "/x?p=2"),
        ("<p=1>; rel=prev,<p=2> ; REL = 'next'", "p=2"),
        ("<a>; rel=next; anchor='#x', <b>; rel=next", "b"),
        ("<a>; rel=last; rel=next, <b>;;rel=next", "b"),
        ('<a>; rel="nextpage", <b>; rel=next-page', None),
        ("<a>", None),
        ("<a; rel=next", None),
        ("rubbish", None),
        ("", None),
    ],
)
def test_a_link_header_is_read_as_rfc_8288_has_it(header: str, target: str | None) -> None:
    """Several links, quoted parameters with what looks like links, several relations, other contexts."""
    assert find_link(httpx.Headers([("Link", "<up>; rel=up"), ("link", header)]), "Next") == target


@given(
    target=st.from_regex(r"[!#-;=?-~]*", fullmatch=True),
    title=st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    rels=st.lists(st.sampled_from(["first", "prev", "last", "item"])),
)
def test_any_link_is_found_behind_any_other(target: str, title: str, rels: list[str]) -> None:
    """Whatever stands in the quoted title of one link, the next one is found."""
    quoted = title.replace("\\", "\\\\").replace('"', '\\"')
    header = f'<x>; title="{quoted}"; rel="{" ".join(rels)}", <{target}>; rel="{" ".join([*rels, "next"])}"; title="{quoted}"'

    assert find_link(httpx.Headers({"Link": header}), "next") == target
