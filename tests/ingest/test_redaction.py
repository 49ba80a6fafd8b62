"""Secrets that servers repeat: they stand in nothing that is said, warned of or kept beside the rows, in whatever way they are written."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import SourceError
from tasks.ingest.http.redaction import Redactor
from tests.ingest.sources import QUICK, WARNED, api, land_one, read_rows
from tests.site.server import Site

CORE = "sesame7open"
SECRET = f"{CORE}/+ \"<&'%\\=: é".replace(" é", "")
QUERY = {"kind": "api_key", "name": "key", "place": "query", "key": {"env": "T"}}
BASIC = {"kind": "basic", "username": "me", "password": {"env": "T"}}
CURSOR = {"kind": "cursor", "cursor_at": "cursor"}
NEXT_URL = {"kind": "next_url", "next_at": "next"}

WAYS: list[Callable[[str], str]] = [
    str,
    quote,
    lambda text: quote(text, safe=""),
    lambda text: re.sub("%..", lambda sign: sign[0].lower(), quote(text)),
    quote_plus,
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    lambda text: json.dumps(text)[1:-1].replace("&", "\\u0026").replace("<", "\\u003C"),
    html.escape,
    lambda text: html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
    lambda text: repr(f"'\"{text}")[4:-1],
]
"""How a text is written within an address, JSON, HTML and Python; each may be within another."""

secrets = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=6, max_size=40)


def written(folder: Path) -> str:
    """Return all that stands in a folder, decompressed."""
    texts = []
    for path in folder.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        if ".zst" in path.name and data.startswith(b"\x28\xb5\x2f\xfd"):
            with pa.input_stream(str(path), compression="zstd") as stream:
                data = stream.read()
        texts.append(data.decode("utf-8", "replace"))
    return "\n".join(texts)


@pytest.mark.parametrize("secret", ["weather", SECRET])
async def test_rows_are_as_they_were_received(site: Site, tmp_path: Path, secret: str) -> None:
    """A password that is a word of the data, or that a careless server repeats in a record, changes no row."""
    said = json.dumps({"id": 1, "said": f"<{secret}> {secret}", secret: secret})
    site.echo_body = f"[{said}]".encode()

    landed = await land_one(
        api(site, "/echo/body", auth=BASIC, pagination={"kind": "single"}, records_at=None),
        tmp_path,
        {"password": secret},
    )

    assert read_rows(landed.path) == [json.loads(said)]


async def test_half_a_secret_is_not_quoted(site: Site, tmp_path: Path) -> None:
    """A value that is cut where it is quoted is first rid of the secret: its first half would not be known for one."""
    site.echo_body = json.dumps({"items": "x" * 50 + SECRET}).encode()

    with pytest.raises(SourceError, match=r"is 'x.*not a list") as error:
        await land_one(api(site, "/echo/body", auth=QUERY, pagination={"kind": "single"}), tmp_path, {"key": SECRET})

    assert SECRET[:3] not in str(error.value)


@pytest.mark.parametrize(
    ("place", "pagination", "rows"),
    [("next", NEXT_URL, 3), ("link", {"kind": "link_header"}, 3), ("location-on", {"kind": "single"}, 1)],
)
async def test_an_address_that_repeats_the_key_works_on(
    site: Site, tmp_path: Path, place: str, pagination: dict[str, Any], rows: int
) -> None:
    """A next address, or a redirect, that has the key in its query leads on, with the key once, and is kept nowhere."""
    site.echo = SECRET

    landed = await land_one(api(site, f"/echo/{place}", auth=QUERY, pagination=pagination), tmp_path, {"key": SECRET})

    assert [row["id"] for row in read_rows(landed.path)] == list(range(1, rows + 1))
    assert [path.count("key=") for path in site.paths] == [1] * len(site.paths)
    assert [CORE in path for path in site.paths] == [True] * len(site.paths)
    assert CORE not in written(tmp_path)


@pytest.mark.parametrize(
    ("place", "pagination"),
    [
        ("error", {"kind": "single"}),
        ("page", {"kind": "single"}),
        ("always-503", {"kind": "single"}),
        ("location", {"kind": "single"}),
        ("next", CURSOR | {"place": "header", "param": "X-N", "max_pages": 2}),
        ("next", NEXT_URL | {"max_pages": 2}),
        ("next", CURSOR | {"cursor_at": "items"}),
        ("next", NEXT_URL | {"next_at": "cursor", "max_rows": 1}),
    ],
)
@pytest.mark.parametrize("auth", [QUERY, BASIC, {"kind": "bearer", "token": {"env": "T"}}])
async def test_no_error_and_nothing_kept_tells_the_secret(
    site: Site, tmp_path: Path, place: str, pagination: dict[str, Any], auth: dict[str, Any]
) -> None:
    """Errors, warnings and what is kept for the next run quote the server without the secret, or the pair it was sent in."""
    site.echo = SECRET if auth is QUERY else ""
    key = {"basic": "password", "bearer": "token"}.get(auth["kind"], "key")
    requests = QUICK | {"attempts": 4, "backoff_first_s": 0.01}

    with pytest.raises(SourceError) as error:
        await land_one(
            api(site, f"/echo/{place}", auth=auth, pagination=pagination, requests=requests), tmp_path, {key: SECRET}
        )

    said = "\n".join([str(error.value), repr(error.value.__cause__), *WARNED, written(tmp_path)])
    pair = b64encode(f"me:{SECRET}".encode()).decode()
    assert [text in said for text in (CORE, pair[:12])] == [False, False]
    assert (error.value.__cause__, len(WARNED)) == (None, 1 if place == "always-503" else 0)


async def test_validators_that_repeat_the_secret_are_not_kept(site: Site, tmp_path: Path) -> None:
    """An ETag or Last-Modified without it would be another one."""
    site.echo = SECRET.replace("\\", "")
    source = api(site, "/echo/header", auth=QUERY, pagination={"kind": "single"}, records_at=None)

    await land_one(source, tmp_path, {"key": site.echo})

    manifest = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    assert (manifest["etag"], manifest["last_modified"]) == (None, None)
    assert CORE not in (tmp_path / "all.json").read_text(encoding="utf-8")


@given(
    secret=secrets,
    ways=st.lists(st.sampled_from(WAYS), max_size=2),
    around=st.sampled_from(["<{}>", "x={}&y=1", '"{}"']),
)
def test_a_secret_is_found_in_whatever_way_it_is_written(
    secret: str, ways: list[Callable[[str], str]], around: str
) -> None:
    """Quoted for an address, JSON, HTML or Python, or for one within another, a secret does not stay."""
    hiding = Redactor()
    hiding.add(secret)
    text = secret
    for way in ways:
        text = way(text)

    assert hiding.redact(around.format(text)) == around.format("***")


@given(secret=secrets, other=st.text())
def test_what_is_no_secret_stays(secret: str, other: str) -> None:
    """A text without the secret is the same after hiding it, and so are bytes that are no text."""
    hiding = Redactor()
    hiding.add(secret)
    found = {secret[:6], quote(secret[0]), html.escape(secret[0]), secret[0]}

    if not any(text in other for text in found) and "\\" not in other:
        assert hiding.redact(other) == other
    assert hiding.redact_bytes(b"\xff\xfe" + other.encode("utf-8", "replace"))[:2] == b"\xff\xfe"


def test_a_short_secret_is_not_looked_for() -> None:
    """What has fewer than six characters stands in many a text by chance."""
    hiding = Redactor()
    hiding.add("12345")

    assert (bool(hiding), hiding.redact("12345")) == (False, "12345")
