"""Addresses that a server gives with a token of its own: they are used, and neither said nor kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import SourceError
from tests.ingest.sources import QUICK, api, land_one, pages, read_rows
from tests.ingest.test_redaction import written
from tests.site.secrets import SIGNED
from tests.site.server import Site

NEXT: dict[str, Any] = {"pagination": {"kind": "next_url", "next_at": "next"}, "requests": QUICK | {"attempts": 2}}


async def test_a_next_address_with_a_token_is_followed(site: Site, tmp_path: Path) -> None:
    """The token goes back to its server."""
    landed = await land_one(api(site, "/said/next-with-token", **NEXT), tmp_path)

    assert read_rows(landed.path) == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert SIGNED not in written(tmp_path)


async def test_a_failure_does_not_tell_the_token(site: Site, tmp_path: Path) -> None:
    """The error names the page that failed; what is kept for the next run has no token, and so the next run begins anew."""
    source = api(site, "/said/next-with-token?fail=1", **NEXT)

    for _ in range(2):
        with pytest.raises(
            SourceError, match=r"GET .*/next-with-token\?page=3&access_token=\*\*\*&fail=1 failed"
        ) as error:
            await land_one(source, tmp_path)
        assert SIGNED not in str(error.value)
        assert SIGNED not in written(tmp_path)

    assert [path.partition("&")[0] for path in site.paths] == [
        "/said/next-with-token?fail=1",
        "/said/next-with-token?page=2",
        "/said/next-with-token?page=3",
        "/said/next-with-token?page=3",
    ] * 2


async def test_a_rejected_page_is_named_without_the_token(site: Site, tmp_path: Path) -> None:
    """The reject says which page gave nothing."""
    landed = await land_one(pages(site, "/said/page-with-token"), tmp_path)

    assert read_rows(landed.path) == [
        {"name": "a"},
        {
            "$reject": "rows: 'li' matches nothing on this page",
            "url": f"{site.url}/no-match?access_token=***",
        },
    ]
    assert SIGNED not in written(tmp_path)


async def test_a_redirect_elsewhere_is_named_without_the_token(site: Site, tmp_path: Path) -> None:
    """Neither is one that is refused."""
    to = f"http://elsewhere.invalid/x%3Faccess_token={SIGNED}"

    with pytest.raises(
        SourceError, match=r"the redirect to 'http://elsewhere.invalid/x\?access_token=\*\*\*' leads to"
    ):
        await land_one(api(site, f"/redirect/302?to={to}", pagination={"kind": "single"}), tmp_path)
