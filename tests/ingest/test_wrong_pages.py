"""Pages that are not what was asked for: nothing of them is kept, and what changed between two runs is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import PermanentSourceError, SourceError, WrongPagesError
from tests.ingest.sources import QUICK, api, land_one, pages, read_rows
from tests.site.items import ITEMS
from tests.site.landing import LONG, kept_at, long_rows
from tests.site.server import Site

ONCE: dict[str, Any] = QUICK | {"attempts": 1}


def everything_in(folder: Path) -> list[str]:
    """Return the names of all files below a folder, those of a landing under way too."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("run", [1, 2])
@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("/same-page-counted", {}),
        ("/circle/2", {"pagination": {"kind": "next_url", "next_at": "next"}}),
    ],
)
async def test_pages_that_come_again_are_not_gone_on_from(
    site: Site, tmp_path: Path, kind: str, changes: dict[str, Any], run: int
) -> None:
    """However often it is run, a server that repeats its pages is the same error, and leaves nothing."""
    for _ in range(run):
        with pytest.raises(WrongPagesError, match=r"the same 7 records as the page before|go in a circle"):
            await land_one(api(site, kind, **changes), tmp_path)

    assert everything_in(tmp_path) == []


async def test_pages_without_rows_are_not_gone_on_from(site: Site, tmp_path: Path) -> None:
    """When a site is out of order all of its pages are fetched again in the next run."""
    with pytest.raises(WrongPagesError, match="rows: 'li' matches nothing on any of 2 pages"):
        await land_one(pages(site, "/no-match", "/blank", requests=ONCE | {"max_in_flight": 1}), tmp_path)

    assert everything_in(tmp_path) == []


async def test_a_count_that_grew_since_it_was_told_is_asked_for_again(site: Site, tmp_path: Path) -> None:
    """A partition that is gone on with has the pages that its server has now."""
    source = api(site, "/long/page", pagination=LONG["page"], requests=ONCE | {"max_in_flight": 1})
    kept_at(site).pages, kept_at(site).broken_from = 6, 4
    with pytest.raises(SourceError):
        await land_one(source, tmp_path)

    kept_at(site).pages, kept_at(site).broken_from = 9, 99
    landed = await land_one(source, tmp_path)

    assert (landed.resumed_from, landed.pages, read_rows(landed.path)) == (3, 9, long_rows(pages=9))


async def test_a_page_that_is_missing_amid_counted_ones_is_an_error(site: Site, tmp_path: Path) -> None:
    """A status that means the end is no end where more pages are counted."""
    kept_at(site).broken_from = 4
    pagination = LONG["page"] | {"end_statuses": [404, 500]}

    with pytest.raises(
        WrongPagesError, match="the server told of 12 pages, and now that there is no page 4; run again"
    ):
        await land_one(
            api(site, "/long/page", pagination=pagination, requests=ONCE | {"retry_statuses": [503]}), tmp_path
        )


async def test_a_dead_link_is_a_reject(site: Site, tmp_path: Path) -> None:
    """A page that is gone, behind a link, does not keep the others from being landed; a start page has to be there."""
    source = pages(site, "/page-3", follow="a::attr(href)")

    landed = await land_one(source, tmp_path)

    rows = read_rows(landed.path)
    assert {"name": "d"} in rows
    dead = [row for row in rows if "$reject" in row]
    assert [row["$reject"] for row in dead] == ["this link is dead: 404 Not Found"] * len(dead)
    assert dead
    with pytest.raises(PermanentSourceError, match="refused with 404"):
        await land_one(pages(site, "/gone"), tmp_path)


async def test_a_link_whose_redirects_do_not_end_is_a_reject(site: Site, tmp_path: Path) -> None:
    """Nor does one that leads out of the web end the run; a start page that is no page does."""
    source = pages(site, "/list-with-circles", links="a:not([rel])::attr(href)", follow=None)
    rows = read_rows((await land_one(source, tmp_path)).path)

    dead = "this link is dead: its redirects do not end, or lead to no web address"
    assert [row.get("$reject", row.get("name")) for row in rows] == ["item 1", dead, dead]
    with pytest.raises(PermanentSourceError, match="more than 20 redirects, one after the other; correct the address"):
        await land_one(pages(site, "/redirects-for-ever"), tmp_path / "start")


async def test_passwords_of_the_home_folder_are_sent_to_nobody(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the environment names proxies, what ~/.netrc holds stays there."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password of-the-home-folder\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    landed = await land_one(api(site, "/items"), tmp_path / "raw")

    assert read_rows(landed.path) == ITEMS
    assert [seen.headers.get("authorization") for seen in site.seen] == [None] * 3


async def test_a_proxy_of_the_environment_is_used(
    site: Site, other_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests go to the proxy, which here is another host and knows no such address."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTP_PROXY", "/".join(other_site.url.split("/")[:3]))

    with pytest.raises(SourceError):
        await land_one(api(site, "/items", requests=ONCE), tmp_path)

    assert site.seen == []


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        (
            "http://127.0.0.1:9",
            r"the proxy 127\.0\.0\.1:9, which HTTP_PROXY names, cannot be reached \(.*\); correct HTTP_PROXY",
        ),
        (
            "http://me:of-the-proxy@proxy.invalid:8080",
            r"the proxy proxy\.invalid:8080, which HTTP_PROXY names, cannot be",
        ),
    ],
)
async def test_a_proxy_that_is_not_there_is_named(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str, said: str
) -> None:
    """It is not the host's fault, which has not been asked; the proxy's password is not told."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy)

    with pytest.raises(PermanentSourceError, match=said) as error:
        await land_one(api(site, "/items", requests=ONCE), tmp_path)

    assert "of-the-proxy" not in str(error.value)
    assert site.seen == []
