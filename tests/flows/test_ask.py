"""`check --ask` makes one request of each source, and shows what came beside what is declared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import Command, Ended, call_command
from tests.site.graphql import QUERY
from tests.site.server import Site, Sites


@pytest.fixture(scope="module")
def sites() -> Iterator[Sites]:
    """Yield a host of sites, which has no robots.txt."""
    with Sites().serving() as sites:
        yield sites


@pytest.fixture
def site(sites: Sites) -> Site:
    """Return a fresh site."""
    return sites.add()


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return the command line, in this process, in a folder of one's own."""
    monkeypatch.chdir(tmp_path)
    return partial(call_command, capsys.readouterr)


def ask(own: Command, folder: Path, **sources: dict[str, Any]) -> tuple[Ended, dict[str, list[str]]]:
    """Ask some sources; return how that ended, and the lines of each but those on time and limits."""
    (folder / "asked.yaml").write_text(json.dumps({"name": "asked", "sources": sources}))
    ended = own("check", "asked.yaml", "--ask")
    blocks = {block.partition(":")[0]: block.splitlines() for block in ended.stdout.split("\n\n")[1:]}
    return ended, {
        name: [line.strip() for line in lines[1:] if " in flight " not in line and " ms, " not in line]
        for name, lines in blocks.items()
    }


def api(site: Site, path: str, **keys: Any) -> dict[str, Any]:
    """Return an API of a site."""
    return {"kind": "api", "url": f"{site.url}{path}", "records_at": "items", **keys}


def pages(site: Site, **keys: Any) -> dict[str, Any]:
    """Return pages of a site."""
    at: dict[str, Any] = {name: f"{site.url}{keys.pop(name)}" for name in ("start", "sitemap", "feed") if name in keys}
    return {"kind": "pages", "rows": "li", "columns": {"name": "b::text"}} | at | keys


QUERIED = {"query": QUERY, "variables": {"first": 10}}
NEXT = "{kind: next_url, next_at: next}"


def test_an_api_is_asked_once_and_shown_beside_what_is_declared(own: Command, site: Site, tmp_path: Path) -> None:
    """Rows, pages and limits; what does not fit, or is not declared, is proposed as a line to paste."""
    by_page, by_offset = {"kind": "page", "pages_at": "pages"}, {"kind": "offset", "size": 3}
    since = {"field": "id", "param": "since", "start": 5}

    ended, told = ask(
        own,
        tmp_path,
        counted=api(site, "/paged/none", pagination=by_page, partitions={"x": ["a", "b"]}),
        offset=api(site, "/paged/none", pagination=by_offset, incremental=since, key=["id"]),
        single=api(site, "/paged/none"),
        bare={"kind": "api", "url": f"{site.url}/paged/none"},
        graphql=api(site, "/graphql/none", graphql=QUERIED, records_at="data.orders.nodes"),
        report=api(site, "/jobs/plain", job={"id_at": "id", "poll": {"url": f"{site.url}/jobs/plain/{{job}}"}}),
    )

    assert (ended.code, ended.stderr) == (0, "")
    assert f"\ncounted: GET {site.url}/paged/none?x=a&page=1, the first of 2 partitions\n  200 OK in " in ended.stdout
    assert ended.stdout.count(" ms, application/json, ") == 5
    assert "\nreport: not asked, as its first request would make a job on the server" in ended.stdout
    rows = "records: 3 rows at records_at: items"
    elsewhere = "records: the answer itself is the one row, where the answer seems to have them elsewhere"
    found = "pagination: none is declared, and the answer has the address of the next page in next"
    assert told == {
        "report": [],
        "counted": [rows, "pagination: page by page, as declared: 3 pages by pages"],
        "offset": [rows, "pagination: offset by offset, as declared: asked for until one has no rows"],
        "single": [rows, found, f"declare  pagination: {NEXT}"],
        "bare": [elsewhere, found, "declare  records_at: items", f"declare  pagination: {NEXT}"],
        "graphql": [
            "records: 10 rows at records_at: data.orders.nodes",
            "pagination: none is declared, and data.orders.pageInfo says that there are more",
            "declare  pagination: {kind: graphql}",
        ],
    }
    assert site.paths == [
        "/paged/none?x=a&page=1",
        "/paged/none?since=5&limit=3&offset=0",
        *["/paged/none"] * 2,
        "/graphql/none",
    ]


def test_what_cannot_be_asked_or_answers_an_error_is_one_line_each(own: Command, site: Site, tmp_path: Path) -> None:
    """It is asked once all the same, what a run would do about it is told, and the exit code says so."""
    ended, told = ask(
        own,
        tmp_path,
        wrong=api(site, "/paged/none", records_at="data"),
        cursor=api(site, "/paged/none", pagination={"kind": "cursor", "cursor_at": "no"}),
        down=api(site, "/paged/500-always?at=0"),
        busy=api(site, "/paged/429-once-retry-after-seconds?at=0", requests={"requests_per_s": 2}),
        shut=api(site, "/guarded/shut"),
        child=api(site, "/{id}", partitions={"id": {"from": "down", "column": "id"}}),
        nobody={"kind": "api", "url": "http://127.0.0.1:1/"},
    )

    assert ended.code == 1
    assert ended.stderr.startswith(
        "error: --ask: wrong, cursor, down, busy, shut, child, nobody gave no rows as declared"
    )
    assert [path.partition("?")[0] for path in site.paths] == [
        "/paged/none",
        "/paged/none",
        "/paged/500-always",
        "/paged/429-once-retry-after-seconds",
        "/guarded/shut",
    ]
    assert (
        "rate limit: retry-after: 1; a run would wait 1 s now; a run begins with 8 requests in flight" in ended.stdout
    )
    assert " and goes up to 64, 2 a second at most, as the host bears\n" in ended.stdout
    assert (told["wrong"][0], told["cursor"][2]) == ("declare  records_at: items", f"declare  pagination: {NEXT}")
    errors = {name: next(line for line in lines if line.startswith("error: ")) for name, lines in told.items()}
    assert "records_at: 'data' is not in the body" in errors["wrong"]
    assert "pagination.cursor_at: 'no' is in no answer" in errors["cursor"]
    assert (
        "was answered with 500 Internal Server Error: 'not now', which may pass: a run asks up to 8 times"
        in errors["down"]
    )
    assert (
        "auth: none is declared, and the host asks who asks; add  auth: {kind: bearer, token: {env: TOKEN}}"
        in told["shut"]
    )
    assert errors["child"].endswith("rows of down, which has not told which there are: run the pipeline first")
    assert "the host 127.0.0.1:1 cannot be reached" in errors["nobody"]


def test_pages_and_files_are_shown_with_what_they_lead_to(own: Command, site: Site, tmp_path: Path) -> None:
    """A list of links, a page of rows, a sitemap and a feed are one request each, and files none."""
    (tmp_path / "a.csv").write_text("id\n1\n")
    follow = "a[rel=next]::attr(href)"

    ended, told = ask(
        own,
        tmp_path,
        lists=pages(site, start="/list-1", links="a:not([rel])::attr(href)", follow=follow),
        page=pages(site, start="/page-1", follow=follow, columns={"name": "b::text", "n": "i::text"}),
        map=pages(site, sitemap="/sitemap.xml", match="/leaf/", robots="ignore"),
        feed=pages(site, feed="/rss.xml"),
        files={"kind": "files", "path": f"{tmp_path}/*.csv"},
        other=pages(site, start="/table-with-spans"),
        moved=pages(site, start="/moved-to-page-3"),
    )

    allowed, names = "robots.txt: allows it", ("country", "city", '"n"')
    columns = ", ".join(f'{name}: "td:nth-child({place})::inner-text"' for place, name in enumerate(names, 1))
    assert ended.code == 1
    assert told == {
        "lists": ["rows: a list with 2 links to pages", "pages: follow leads on to 1 page", allowed],
        "page": ["rows: 2 rows; without a value in any of them: n", "pages: follow leads on to 1 page", allowed],
        "map": ["rows: a list of 5 pages of the source", "robots.txt: not asked, as robots: ignore says"],
        "feed": ["rows: a list of 3 pages of the source", allowed],
        "moved": ["rows: 2 rows", allowed],
        "files": [f"the first is {tmp_path}/a.csv, csv, 5 bytes"],
        "other": [
            'perhaps  rows: "table tr"',
            f"perhaps  columns: {{{columns}}}",
            allowed,
            "error: rows: 'li' matches nothing on this page",
        ],
    }
    moved = ["/moved-to-page-3", "/page-3"]
    assert site.paths == ["/list-1", "/page-1", "/sitemap.xml", "/rss.xml", "/table-with-spans", *moved]
    assert f" bytes, from {site.url}/page-3\n" in ended.stdout


def test_what_proves_who_asks_is_not_shown(
    own: Command, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the host repeats it; that it was refused is told."""
    site.echo = "sign4ture-of-mine"
    monkeypatch.setenv("KEY", site.echo)
    auth = {"kind": "api_key", "name": "key", "place": "query", "key": {"env": "KEY"}}

    ended, told = ask(own, tmp_path, echo=api(site, "/echo/error", auth=auth), on=api(site, "/echo/body", auth=auth))

    assert site.echo not in ended.stdout + ended.stderr
    assert site.echo in "".join(site.paths)
    assert told["echo"][0] == "auth: api_key, as declared"
    assert "was refused with 400 Bad Request: 'no: ***'" in told["echo"][1]
