"""Pages that a sitemap says are unchanged: their rows stay, and they are not asked for again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.config import PagesSource
from tasks.ingest.scraping.listing import read_listing
from tasks.ingest.scraping.unchanged import DISPUTED, is_settled
from tests.ingest.sources import QUICK, land_one, read_rows
from tests.site.landing import kept_at
from tests.site.server import Site

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def dated(site: Site, **changes: Any) -> PagesSource:
    """Return a source of the pages that a sitemap lists with the times of their changes."""
    plain = {
        "sitemap": f"{site.url}/sitemap-dated.xml",
        "rows": "li",
        "columns": {"name": "b::text"},
        "robots": "ignore",
        "requests": QUICK,
    }
    return PagesSource.model_validate(plain | changes)


def show(site: Site, **pages: tuple[str, str]) -> None:
    """Have a site list some pages: when each changed, and its text."""
    kept_at(site).rows = [{"name": name, "changed": changed, "text": text} for name, (changed, text) in pages.items()]


async def land_again(site: Site, folder: Path, *, fresh: bool = False, **changes: Any) -> tuple[list[str], list[str]]:
    """Land a source, and return its names, and the pages that were asked for."""
    before = len(site.seen)
    landed = await land_one(dated(site, **changes), folder, fresh=fresh)
    return [row["name"] for row in read_rows(landed.path)], sorted(site.paths[before:])[:-1]


async def test_what_is_unchanged_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    """Pages that are new or changed are asked for, the rows of the others stay, and those of pages that are gone go."""
    show(site, a=("2020-01-01", "a"), b=("2020-01-01T10:00:00Z", "b"), c=("2020-01-01", "c"))
    first = await land_again(site, tmp_path)
    show(site, d=("2020-01-01", "d"), b=("2020-01-02T10:00:00Z", "new"), a=("2020-01-01", "unseen"))
    second = await land_again(site, tmp_path)
    show(site, a=("2020-01-01", "unseen"), d=("2020-01-01", "unseen"))
    third = await land_again(site, tmp_path)

    assert first == (["a", "more", "b", "more", "c", "more"], ["/dated/a", "/dated/b", "/dated/c"])
    assert second == (["d", "more", "new", "more", "a", "more"], ["/dated/b", "/dated/d"])
    assert third == (["a", "more", "d", "more"], [])


@pytest.mark.parametrize("changed", ["", f"{datetime.now(UTC):%Y-%m-%d}", "2999-01-01", "yesterday"])
async def test_what_may_have_changed_is_asked_for_again(site: Site, tmp_path: Path, changed: str) -> None:
    """A page without a time, or whose day was not over when it was asked for, may have changed since."""
    show(site, a=(changed, "a"))
    await land_again(site, tmp_path)
    show(site, a=(changed, "b"))

    assert await land_again(site, tmp_path) == (["b", "more"], ["/dated/a"])


async def test_what_is_listed_twice_and_not_alike_is_asked_for_again(site: Site, tmp_path: Path) -> None:
    """One entry, or one sitemap, says that the page is as it was, and another that it has changed."""
    show(site, a=("2020-01-01", "a"), b=("2020-01-01", "b"))
    stale = f"{site.url}/sitemap-dated-stale.xml"
    both = (stale, f"{site.url}/sitemap-dated.xml")
    await land_again(site, tmp_path, sitemap=both)
    unchanged = await land_again(site, tmp_path, sitemap=both)
    show(site, a=("2020-01-02", "new"), b=("2020-01-01", "unseen"))
    changed = await land_again(site, tmp_path, sitemap=both)
    page = httpx.Response(
        200,
        text="<urlset>" + "".join(f"<url><loc>/a</loc><lastmod>{at}</lastmod></url>" for at in (1, 2)) + "</urlset>",
        request=httpx.Request("GET", stale),
    )

    assert [path for path in unchanged[1] if "/dated/" in path] == []
    assert [path for path in changed[1] if "/dated/" in path] == ["/dated/a"]
    assert changed[0] == ["new", "more", "b", "more"]
    assert read_listing(page, dated(site)).changed == {f"{site.url.rpartition('/')[0]}/a": DISPUTED}


async def test_a_sitemap_that_contradicts_itself_contradicts_others(site: Site, tmp_path: Path) -> None:
    """Another sitemap, which says that the page is as it was, is not believed."""
    both = (f"{site.url}/sitemap-dated-stale.xml", f"{site.url}/sitemap-dated.xml")
    for order in (both, both[::-1]):
        show(site, a=("2020-01-01", "a"), b=("2020-01-01", "b"))
        await land_again(site, tmp_path, sitemap=order)
        kept_at(site).rows += [{"name": "a", "changed": "2020-01-02", "text": "new"}]
        names, asked = await land_again(site, tmp_path, sitemap=order)

        assert names == ["new", "more", "b", "more"]
        assert [path for path in asked if "/dated/" in path] == ["/dated/a"]


async def test_a_fresh_run_asks_for_all(site: Site, tmp_path: Path) -> None:
    """--fresh does not ask what has changed; nor does a source of other rows."""
    show(site, a=("2020-01-01", "a"), b=("2020-01-01", "b"))
    everything = ["/dated/a", "/dated/b"]
    await land_again(site, tmp_path)

    assert (await land_again(site, tmp_path, fresh=True))[1] == everything
    assert (await land_again(site, tmp_path, rows="li + li"))[1] == everything
    assert (await land_again(site, tmp_path, rows="li + li"))[1] == []


@pytest.mark.parametrize(
    ("changed", "after", "settled"),
    [
        ("2026-03-10T11:00:00+00:00", timedelta(), False),
        ("2026-03-10T10:59:59Z", timedelta(), True),
        ("2026-03-10T12:30:00+02:00", timedelta(), True),
        ("2026-03-10T10:00:00", timedelta(), False),
        ("2026-03-10T10:00:00", timedelta(days=1), True),
        ("2026-03-10", timedelta(days=1), False),
        ("2026-03-09", timedelta(), False),
        ("2026-03-08", timedelta(hours=1), True),
        ("2026-03", timedelta(days=90), False),
        ("", timedelta(), False),
    ],
)
def test_a_change_is_settled_when_its_time_is_over(changed: str, after: timedelta, settled: bool) -> None:
    """What was asked for within the day of a change, or an hour of its moment, may lack it; a time without a zone is any's."""
    assert is_settled(changed, (NOON + after).timestamp()) is settled
