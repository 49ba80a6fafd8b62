"""Addresses are asked for as they are given: by the pipeline file, by a page that names the next, by a redirect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.config import ApiSource
from tasks.ingest.http.requests import with_param
from tests.ingest.sources import QUICK, land_one, read_rows
from tests.site.raw import serving_raw

TARGETS = [
    "/a%2Fb/c%3Ad/%7euser;v=1?q=%2F%3a%7E&r=a%20b+c;d",
    "/data;page=2",
    "/x?cursor=abc%3D%3D&part=a%2Bb%2fc",
    "/x?filter=a:b,c!(d)*'e'~f",
    "/%E2%82%AC/%e2%82%ac",
    "/x?empty=&flag",
]


def answer(body: Any, status: str = "200 OK", headers: str = "") -> bytes:
    """Return an answer as it is sent."""
    content = json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n{headers}\r\n".encode() + content


def asked_for(request: bytes) -> str:
    """Return the target of a request, as it was sent."""
    return request.split(b" ")[1].decode()


def source(url: str, **changes: Any) -> ApiSource:
    """Return a source of one request, changed as said."""
    return ApiSource.model_validate({"url": url, "requests": QUICK} | changes)


@pytest.mark.parametrize("target", TARGETS)
async def test_an_address_of_the_pipeline_file_is_asked_for_as_it_is(tmp_path: Path, target: str) -> None:
    """Nothing is quoted otherwise than it stands there."""
    async with serving_raw(answer([])) as (url, asked):
        await land_one(source(f"{url}{target}"), tmp_path)

    assert list(map(asked_for, asked)) == [target]


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("kind", ["next_url", "link_header"])
@pytest.mark.parametrize("target", TARGETS)
async def test_a_next_address_is_asked_for_as_it_was_given(
    tmp_path: Path, kind: str, target: str, absolute: bool
) -> None:
    """What a signature or a cursor in it is made of is the server's own."""
    pagination = {"kind": "next_url", "next_at": "next"} if kind == "next_url" else {"kind": "link_header"}

    def first(url: str) -> bytes:
        following = f"{url}{target}" if absolute else target
        return answer({"items": [{"id": 1}], "next": following}, headers=f"Link: <{following}>; rel=next\r\n")

    async with serving_raw(first, answer({"items": [{"id": 2}], "next": None})) as (url, asked):
        landed = await land_one(source(f"{url}/first", pagination=pagination, records_at="items"), tmp_path)

    assert ([asked_for(one) for one in asked], len(read_rows(landed.path))) == (["/first", target], 2)


@pytest.mark.parametrize("target", TARGETS)
async def test_a_redirect_is_followed_as_it_was_given(tmp_path: Path, target: str) -> None:
    """A Location is an address as any other."""
    moved = answer("", "302 Found", f"Location: {target}\r\n")
    async with serving_raw(moved, answer([])) as (url, asked):
        await land_one(source(f"{url}/first"), tmp_path)

    assert [asked_for(one) for one in asked] == ["/first", target]


@pytest.mark.parametrize("target", ["/a%2Fb;c=%7e?q=%3A&page=9&r=a+b", "/x?mypage=1&q=%7e"])
async def test_a_page_number_leaves_the_rest_as_it_is(tmp_path: Path, target: str) -> None:
    """A parameter that is set in an address changes nothing else of it, also where one of its name stands there."""
    async with serving_raw(answer([])) as (url, asked):
        await land_one(source(f"{url}{target}", pagination={"kind": "page", "start": 9}), tmp_path)

    assert asked_for(asked[0]) in (target, f"{target}&page=9")


texts = st.text(st.sampled_from("ab/:~%&=+; é"), max_size=8)


@given(name=st.sampled_from(["page", "b", "a b"]), value=texts, others=st.lists(st.tuples(texts, texts), max_size=3))
def test_a_parameter_is_set_once(name: str, value: str, others: list[tuple[str, str]]) -> None:
    """Whatever stands in the query, the parameter has the value and the others have theirs."""
    url = httpx.URL("http://x/").copy_merge_params([*others, (name, "old"), *others])

    query = with_param(url, name, value).query.decode()

    pairs = [tuple(map(_read, pair.partition("=")[::2])) for pair in query.split("&")]
    kept = [pair for pair in others if pair[0] != name]
    assert sorted(pairs) == sorted([*kept, *kept, (name, value)])


def _read(text: str) -> str:
    return unquote(text.replace("+", " "))
