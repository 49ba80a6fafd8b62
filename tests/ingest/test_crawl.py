"""Crawls: links that lead on, round, away or never end; and what is not fetched again after a stop."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest

from tasks.core.errors import PermanentSourceError
from tasks.ingest.scraping.frontier import Frontier, read_crawl_state
from tests.ingest.fetching import crawl_from, crawl_names, crawl_rows, pages, read_rows, state_of, with_states
from tests.site.pages import FAN
from tests.site.server import Site

LISTS = {"links": "a:not([rel])::attr(href)", "follow": "a[rel=next]::attr(href)"}
ITEMS = ["item 1", "item 2", "item 3"]


async def test_pages_are_read_along_their_links(site: Site) -> None:
    """The rows of a page and of those it leads to come in order, a group a page, and the last has no state."""
    groups = await crawl_from(pages(site, "/page-1"))

    assert read_rows(groups) == [{"name": name} for name in ("a", "b", "c", "d", None)]
    assert [(group.pages, group.state is None) for group in groups] == [(1, False), (1, False), (1, True)]
    assert site.paths == ["/page-1", "/page-2", "/page-3"]


async def test_a_line_is_compact_json(site: Site) -> None:
    """Lines are as they go to the raw file: no spaces, and nothing escaped that need not be."""
    groups = await crawl_from(pages(site, "/latin-1", columns={"name": "b::text", "more": "a::text"}))

    assert groups[0].lines == ['{"name":"caf\xe9","more":"more"}'.encode()]


async def test_several_pages_may_be_the_first(site: Site) -> None:
    """All start addresses are read, a page that several lead to only once."""
    names = await crawl_names(pages(site, "/page-2", "/page-3", "/page-1", "/page-2#again"))

    assert names == ["c", "d", None, "a", "b"]
    assert sorted(site.paths) == ["/page-1", "/page-2", "/page-3"]


async def test_pages_that_lead_round_are_read_once(site: Site) -> None:
    """Two pages that link to each other are two requests."""
    assert (await crawl_names(pages(site, "/loop-1")), site.paths) == (["a", "b"], ["/loop-1", "/loop-2"])


async def test_an_address_is_fetched_once_however_it_is_written(site: Site) -> None:
    """Fragments, detours and repetitions make no other page."""
    names = await crawl_names(pages(site, "/same-page-twice"))

    assert (names, site.paths) == (["a", "d", None], ["/same-page-twice", "/page-3"])


async def test_a_page_is_landed_once_however_many_redirects_lead_to_it(site: Site) -> None:
    """A page that was reached by a redirect is not landed again under its own address."""
    names = await crawl_names(pages(site, "/same-page-moved", requests={"max_in_flight": 1}))

    assert names == ["a", "d", None]
    assert site.paths == ["/same-page-moved", "/moved-to-page-3", "/page-3", "/moved-to-page-3?again", "/page-3"]


async def test_a_redirect_to_a_page_that_was_read_gives_nothing(site: Site) -> None:
    """Neither rows nor a reject: its rows are there."""
    assert await crawl_names(pages(site, "/page-3", "/moved-to-page-3", "/page-2")) == ["d", None, "c"]


async def test_rows_come_in_the_order_of_discovery(site: Site) -> None:
    """Pages are fetched side by side, and their rows do not come as the answers do, but as the links stood."""
    names = await crawl_names(pages(site, "/fan", requests={"max_in_flight": 4}))

    assert names == ["all", *map(str, range(FAN))]
    assert site.most_in_flight == 4


async def test_large_pages_are_fetched_one_by_one(site: Site) -> None:
    """Where one page fills the room for all of them, the next is asked for when it has been read."""
    names = await crawl_names(pages(site, "/fan", requests={"max_in_flight_bytes": 1}))

    assert names == ["all", *map(str, range(FAN))]
    assert site.most_in_flight == 1


async def test_links_that_never_end_are_stopped(site: Site) -> None:
    """A page that always leads to a new one is an error at max_pages, and nothing beyond is fetched."""
    with pytest.raises(PermanentSourceError, match=r"/endless/6: more pages than max_pages \(5\); raise max_pages"):
        await crawl_from(pages(site, "/endless/1", max_pages=5))

    assert len(site.seen) == 5


async def test_links_are_followed_to_the_depth_allowed(site: Site) -> None:
    """A start page has depth 0."""
    deep = {depth: await crawl_names(pages(site, "/page-1", max_depth=depth)) for depth in range(4)}

    assert deep == {0: ["a", "b"], 1: ["a", "b", "c"], 2: ["a", "b", "c", "d", None], 3: ["a", "b", "c", "d", None]}


async def test_a_link_that_is_no_page_is_the_end(site: Site) -> None:
    """A link to a script, as a last page's next often is, is not followed."""
    assert (await crawl_names(pages(site, "/page-that-links-nowhere")), len(site.seen)) == (["a"], 1)


async def test_a_page_that_is_missing_is_one_error(site: Site) -> None:
    """What was read before it is there."""
    with pytest.raises(PermanentSourceError, match="/nowhere was refused with 404"):
        await crawl_from(pages(site, "/page-1", "/nowhere"))

    assert len(await crawl_from(pages(site, "/page-1", "/nowhere"), stop_after=1)) == 1


async def test_a_placeholder_takes_the_quoted_value(site: Site) -> None:
    """A partition's value stands in the address as it must, and comes back as it was."""
    part = "a/b=c, d?&#\xfc%+"

    names = await crawl_names(pages(site, "/part/{part}", partitions={"part": [part]}))

    assert names == [part]
    assert [unquote(path) for path in site.paths] == [f"/part/{part}"]


async def test_values_that_make_no_address_are_one_error(site: Site) -> None:
    """A partition may decide on the host."""
    source = pages(site, "/", start="http://{host}/", partitions={"host": ["xn--"]})

    with pytest.raises(PermanentSourceError, match=r"the partition's values make no address: .*; correct them"):
        await crawl_from(source)


async def test_lists_lead_to_details(site: Site) -> None:
    """With links the rows are those of the detail pages, each once, and their own links are not followed."""
    names = await crawl_names(pages(site, "/list-1", **LISTS))

    assert names == ITEMS
    assert sorted(site.paths) == ["/item/1", "/item/2", "/item/3", "/list-1", "/list-2"]


async def test_a_list_without_links_is_a_reject(site: Site) -> None:
    """The lists after it are read."""
    rows = await crawl_rows(pages(site, "/list-without-links", **LISTS))

    miss = f"links: {LISTS['links']!r} matches nothing on this page"
    assert rows == [
        {"$reject": miss, "url": f"{site.url}/list-without-links"},
        *({"name": name} for name in ITEMS),
    ]


@pytest.mark.parametrize(
    ("path", "changes", "sentence"),
    [
        (
            "/list-without-links",
            {"follow": None},
            r"links: 'a:not\(\[rel\]\)::attr\(href\)' matches nothing on http://.*/list-without-links; correct",
        ),
        (
            "/list-1",
            {"max_depth": 0},
            "links: .* matches 2 links on http://.*/list-1, and none may be followed: correct .*, or raise max_depth",
        ),
        (
            "/list-1",
            {"rows": "tr"},
            "rows: 'tr' matches nothing on any of 3 pages from http://.*/item/1; correct the selector",
        ),
    ],
)
async def test_lists_without_details_are_one_error(
    site: Site, path: str, changes: dict[str, Any], sentence: str
) -> None:
    """It is said which of the two selectors is wrong."""
    with pytest.raises(PermanentSourceError, match=sentence):
        await crawl_from(pages(site, path, **{**LISTS, **changes}))


async def test_links_to_other_hosts_are_left_out(site: Site, other_site: Site) -> None:
    """Another port is another host."""
    names = await crawl_names(pages(site, f"/page-that-links-on?to={other_site.url}/page-3&to=page-2"))

    assert (names, other_site.paths) == (["a", "c", "d", None], [])


async def test_a_link_that_was_left_out_is_told(site: Site, other_site: Site) -> None:
    """A next page on another host, as with www. before the name, is no end of the pages without a word."""
    other = other_site.url.removeprefix("http://").split("/")[0]
    to = f"{other_site.url}/page-3"

    groups = await crawl_from(pages(site, f"/page-that-links-on?to={to}&to=http://b.invalid/&to=page-2"))

    assert [warning for group in groups for warning in group.warnings] == [
        f"follow or links lead to {to}, and to 1 other host, and were left out; "
        f"add {other} to allow_hosts if its pages are the source's, or have the selector leave it out"
    ]


@pytest.mark.parametrize("with_port", [True, False])
async def test_other_hosts_may_be_allowed(site: Site, other_site: Site, with_port: bool) -> None:
    """A host is allowed at one port, or at any."""
    origin = other_site.url.removeprefix("http://").split("/")[0]
    allow = origin if with_port else origin.split(":")[0].upper()

    source = pages(
        site, f"/page-that-links-on?to={other_site.url}/page-3&to=http://other.invalid/", allow_hosts=[allow]
    )

    assert (await crawl_names(source), other_site.paths) == (["a", "d", None], ["/page-3"])


async def test_a_redirect_to_another_host_is_a_reject(site: Site, other_site: Site) -> None:
    """Unless the host is allowed."""
    origin = other_site.url.removeprefix("http://").split("/")[0]
    path = f"/page-that-redirects?to={other_site.url}/page-3"

    rows = await crawl_rows(pages(site, "/page-2", path, follow=None))
    allowed = await crawl_names(pages(site, "/page-2", path, follow=None, allow_hosts=[origin]))

    cure = f"this page leads on to another host; add {origin} to allow_hosts to follow it"
    assert rows == [{"name": "c"}, {"$reject": cure, "url": f"{site.url}{path}"}]
    assert allowed == ["c", "d", None]


async def test_a_redirect_is_where_links_start_from(site: Site, other_site: Site) -> None:
    """Relative links are those of the page that was come to."""
    source = pages(site, f"/page-that-redirects?to={other_site.url}/page-2", allow_hosts=["127.0.0.1"])

    assert (await crawl_names(source), other_site.paths) == (["c", "d", None], ["/page-2", "/page-3"])


async def test_a_start_that_leads_to_another_host_is_one_error(site: Site, other_site: Site) -> None:
    """As where a site has moved to www."""
    source = pages(site, f"/page-that-redirects?to={other_site.url}/page-2")

    with pytest.raises(PermanentSourceError, match=r"no page with rows could be read, .* to allow_hosts to follow it"):
        await crawl_from(source)


@pytest.mark.parametrize("ahead", [1, 4])
@pytest.mark.parametrize(
    ("paths", "changes"),
    [
        (["/page-1", "/loop-1"], {}),
        (["/fan"], {"max_depth": 1}),
        (["/list-without-links", "/list-1"], LISTS),
        (["/page-that-links-on?to=moved-to-page-3&to=page-3", "/no-match", "/page-that-links-wrongly"], {}),
    ],
)
async def test_a_crawl_goes_on_from_any_of_its_states(
    site: Site, paths: list[str], changes: dict[str, Any], ahead: int
) -> None:
    """Stopped after any group and gone on from its state, it gives the same lines, and fetches none of its pages again."""
    source = pages(site, *paths, requests={"max_in_flight": ahead}, **changes)
    whole = await crawl_from(source)

    for groups in range(1, len(whole)):
        before = await crawl_from(source, stop_after=groups)
        state = read_crawl_state(source, json.loads(json.dumps(state_of(before[-1]), default=vars)))
        assert state is not None
        site.seen.clear()
        after = await crawl_from(source, state)

        assert with_states(before + after) == with_states(whole)
        assert not {f"{site.url}{path}" for path in site.paths} & {page.url for page in state.pages[: state.done]}


async def test_what_a_stopped_crawl_had_matched_counts(site: Site) -> None:
    """A column that only the pages before the stop had is no mistake of the selector."""
    source = pages(site, "/values", "/page-3", columns={"name": "b::text", "colour": "span::text"})
    before = await crawl_from(source, stop_after=1)

    after = await crawl_from(source, state_of(before[-1]))

    assert read_rows(after) == [{"name": "d", "colour": None}, {"name": None, "colour": None}]
    with pytest.raises(PermanentSourceError, match=r"columns\.colour: 'span::text' matches nothing in any of 2 rows"):
        await crawl_from(pages(site, "/page-3", columns={"name": "b::text", "colour": "span::text"}))


async def test_what_a_crawl_knows_is_copied_where_it_is_kept_and_not_with_each_page(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100,000 pages the copies took twice as long as the pages; what one page had reached is told later as well."""
    copies: list[int] = []
    first = Frontier.first

    def counted(frontier: Frontier, *known: int) -> Any:
        copies.append(known[0])
        return first(frontier, *known)

    monkeypatch.setattr(Frontier, "first", counted)
    source = pages(site, "/page-1")
    groups = await crawl_from(source)
    assert not copies

    states = [state_of(group) for group in groups[:-1]]

    assert copies == [len(state.pages) for state in states] == [2, 3]
    assert [state.done for state in states] == [1, 2]
    assert read_rows(await crawl_from(source, states[0])) == read_rows(groups[1:])
