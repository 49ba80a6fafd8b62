"""Where pages end: by what the server tells, or by pages without rows; and what is told where these do not agree."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.errors import PermanentSourceError, SourceError, WrongPagesError
from tasks.core.escaping import count
from tasks.ingest.landing.plan import Landed
from tests.ingest.sources import QUICK, api, land_one, list_files, read_rows
from tests.site.drawn import Drawn, draw_at
from tests.site.odd import Odd, odd_at
from tests.site.server import Site, Sites

PAGE: dict[str, Any] = {"kind": "page"}
SIZED: dict[str, Any] = {"kind": "page", "size": 3}
PAGES_TOLD: dict[str, Any] = {"kind": "page", "pages_at": "total"}
ROWS_TOLD: dict[str, Any] = {"kind": "page", "total_at": "total", "size": 3}
OFFSET: dict[str, Any] = {"kind": "offset", "size": 3}
OFFSET_TOLD: dict[str, Any] = {"kind": "offset", "size": 3, "total_at": "total"}
ALL = [{"id": number} for number in range(1, 13)]
FOUR = [ALL[0:3], ALL[3:6], ALL[6:9], ALL[9:12]]


def without(*ids: int) -> list[list[dict[str, int]]]:
    """Return four pages of three rows, without some rows."""
    return [[row for row in page if row["id"] not in ids] for page in FOUR]


def rows_of(pages: list[list[Any]]) -> list[Any]:
    """Return the rows of pages, but those that are left out of an answer."""
    return [row for page in pages for row in page if row is not None]


async def land_odd(site: Site, folder: Path, pagination: dict[str, Any], **changes: Any) -> Landed:
    """Land the pages that a site has been set to, by number or by offset."""
    return await land_one(api(site, f"/odd/{pagination['kind']}", pagination=pagination, **changes), folder)


@pytest.mark.parametrize("pagination", [PAGE, SIZED])
@pytest.mark.parametrize("beyond", ["empty", "204"])
async def test_a_short_page_is_no_end(site: Site, tmp_path: Path, pagination: dict[str, Any], beyond: str) -> None:
    """Rows that are left out after paging make a page short, and the pages after it are read."""
    odd_at(site, pages=without(5), beyond=beyond)

    landed = await land_odd(site, tmp_path, pagination)

    assert (read_rows(landed.path), landed.warnings) == (rows_of(without(5)), ())


@pytest.mark.parametrize("empty", [[4, 5, 6], [1, 2, 3], [1, 2, 3, 7, 8, 9]])
async def test_an_empty_page_before_others_is_no_end(site: Site, tmp_path: Path, empty: list[int]) -> None:
    """Pages are read until two in a row are empty; one before others is told of."""
    odd_at(site, pages=without(*empty))

    landed = await land_odd(site, tmp_path, PAGE)

    assert read_rows(landed.path) == rows_of(without(*empty))
    (warning,) = landed.warnings
    assert (
        f"page={empty[0] // 3 + 1}: others with rows come after {count(len(empty) // 3, 'page')} without any" in warning
    )
    assert warning.endswith("where such an answer is an error, name what it has in error_at")


async def test_rows_that_came_behind_the_end_are_landed(site: Site, tmp_path: Path) -> None:
    """What was asked for ahead is not thrown away when two empty pages come before it."""
    odd_at(site, pages=[*FOUR[:3], [], [], FOUR[3]])

    landed = await land_odd(site, tmp_path, PAGE)

    assert read_rows(landed.path) == ALL
    assert "page=4: others with rows come after 2 pages without any" in landed.warnings[0]


async def test_a_page_is_confirmed_by_few_requests(site: Site, tmp_path: Path) -> None:
    """A partition of one page costs two more requests where nobody tells that it is the last, and none where somebody does."""
    odd_at(site, pages=FOUR[:1], told=[1])

    uncounted = await land_odd(site, tmp_path / "uncounted", PAGE)
    counted = await land_odd(site, tmp_path / "counted", PAGES_TOLD)

    assert (uncounted.requests, counted.requests) == (3, 1)


@pytest.mark.parametrize("status", [400, 404, 410, 422])
async def test_a_refused_page_after_a_short_or_empty_one_is_the_end(site: Site, tmp_path: Path, status: int) -> None:
    """Where a page is short, or empty, a server that refuses the next one says that there is none."""
    odd_at(site, pages=[*without(12), []], beside={4: {"status": status}})
    short = await land_odd(site, tmp_path / "short", SIZED)
    odd_at(site, pages=[*FOUR, [], []], beside={5: {"status": status}})
    empty = await land_odd(site, tmp_path / "empty", PAGE)

    assert [read_rows(one.path) for one in (short, empty)] == [rows_of(without(12)), ALL]
    assert short.warnings == empty.warnings == ()


async def test_a_refused_page_after_a_full_one_is_an_error(site: Site, tmp_path: Path) -> None:
    """Nothing says that a full page is the last: a refusal behind it is one, unless end_statuses have it."""
    odd_at(site, pages=FOUR, beyond="404")

    with pytest.raises(PermanentSourceError, match=r"page=5 was refused with 404 Not Found"):
        await land_odd(site, tmp_path / "error", PAGE)
    landed = await land_odd(site, tmp_path / "end", PAGE | {"end_statuses": [404]})

    assert read_rows(landed.path) == ALL


async def test_a_short_last_page_that_comes_again_is_the_last(site: Site, tmp_path: Path) -> None:
    """Some servers give the last page for any number beyond."""
    odd_at(site, pages=without(12), beyond="last")

    landed = await land_odd(site, tmp_path, SIZED)

    assert (read_rows(landed.path), landed.warnings) == (rows_of(without(12)), ())


@pytest.mark.parametrize("rows", [1, 2])
async def test_an_only_short_page_that_comes_again_is_the_last(site: Site, tmp_path: Path, rows: int) -> None:
    """It is the end as behind other pages, and told, as the number may turn no page at all."""
    odd_at(site, pages=[ALL[:rows]], beyond="last")

    landed = await land_odd(site, tmp_path, SIZED)

    assert read_rows(landed.path) == ALL[:rows]
    (warning,) = landed.warnings
    assert f"page=2 gave the {count(rows, 'record')} of the first page again, fewer than pagination.size (3)" in warning
    assert warning.endswith(f"correct pagination.param 'page' or set size: {rows}, otherwise use kind: single")


@pytest.mark.parametrize("pagination", [PAGE, SIZED])
async def test_a_full_page_that_comes_again_is_an_error(site: Site, tmp_path: Path, pagination: dict[str, Any]) -> None:
    """Nothing says that it is the last."""
    odd_at(site, pages=FOUR[:1], beyond="last")

    with pytest.raises(WrongPagesError, match="does not turn the page"):
        await land_odd(site, tmp_path, pagination)


@pytest.mark.parametrize("left_out", [[5], [1], [3], [6], [2, 5, 8], [11]])
async def test_offsets_read_on_behind_rows_that_are_left_out(site: Site, tmp_path: Path, left_out: list[int]) -> None:
    """A window with fewer rows than asked for is no end, where it is only rows left out of it."""
    pages: list[list[Any]] = [[None if row["id"] in left_out else row for row in page] for page in FOUR]
    odd_at(site, pages=pages)

    landed = await land_odd(site, tmp_path, OFFSET)

    assert (read_rows(landed.path), landed.warnings) == (rows_of(pages), ())


@pytest.mark.parametrize("refuses", [200, 400, 403, 422, 500])
async def test_an_offset_that_is_no_whole_page_may_be_refused(site: Site, tmp_path: Path, refuses: int) -> None:
    """It is asked for to find out what offsets are: of a server that takes multiples of the limit nothing is told."""
    drawn = draw_at(site, Drawn("offset", ALL, refuses=refuses))
    source = api(site, "/drawn", pagination=OFFSET, requests=QUICK | {"attempts": 2})

    landed = await land_one(source, tmp_path)

    assert (read_rows(landed.path), landed.warnings) == (drawn.rows, ())


@pytest.mark.parametrize("way", ["offset", "page"])
@pytest.mark.parametrize("key", [[], ["id"]])
async def test_rows_that_change_with_each_request_tell_by_their_key(
    site: Site, tmp_path: Path, way: Literal["offset", "page"], key: list[str]
) -> None:
    """Without one, nothing is known of the offset, and nothing is told."""
    draw_at(site, Drawn(way, ALL, stamps=True))
    param = {"param": way}

    landed = await land_one(api(site, "/drawn", pagination=OFFSET | param, key=key), tmp_path)

    assert len(landed.warnings) == (way == "page" and bool(key))


async def test_an_error_behind_an_offset_in_doubt_is_told_as_well(site: Site, tmp_path: Path) -> None:
    """One does not hide the other."""
    draw_at(site, Drawn("page", ALL, faults={3: {"items": [], "error": "quota exceeded"}}))

    warnings = (await land_one(api(site, "/drawn", pagination=OFFSET | {"param": "page"}), tmp_path)).warnings

    assert ["quota exceeded" in told for told in warnings] == [True, False]
    assert "may be the number of a page" in warnings[1]


async def test_a_page_that_is_missing_within_the_first_is_told(site: Site, tmp_path: Path) -> None:
    """A server of pages that answers 404 to those beyond the last says so of what stands in the first."""
    draw_at(site, Drawn("page", ALL[:4], size=3, beyond="404", obeys=False))

    (warning,) = (
        await land_one(api(site, "/drawn", pagination=OFFSET | {"param": "page", "size": 9}), tmp_path)
    ).warnings

    assert "may be the number of a page" in warning


@pytest.mark.parametrize("rows", [4, 6, 12, 40])
async def test_an_offset_that_is_the_number_of_a_page_is_told(site: Site, tmp_path: Path, rows: int) -> None:
    """Pages 0, 3, 6 of a server that counts pages are fewer rows than it has, which nothing else would show."""
    draw_at(site, Drawn("page", [{"id": number} for number in range(rows)]))
    source = api(site, "/drawn", pagination={"kind": "offset", "param": "page", "size": 3})

    (warning,) = (await land_one(source, tmp_path)).warnings

    assert re.search(r"page=2 gave none of the 3 rows of GET .*page=0, within which it begins", warning)
    assert "pagination.param 'page' may be the number of a page, and rows be passed over; write kind: page" in warning


@pytest.mark.parametrize(("pagination", "told"), [(PAGES_TOLD, 3), (ROWS_TOLD, 9), (ROWS_TOLD, 8)])
async def test_pages_that_count_from_0_are_an_error(
    site: Site, tmp_path: Path, pagination: dict[str, Any], told: int
) -> None:
    """Where the last page told of is empty, and page 0 has rows, the error names the start."""
    odd_at(site, pages=[FOUR[0], FOUR[1], FOUR[2][: told % 3 or 3]], told=[told], first=0)

    with pytest.raises(WrongPagesError, match=r"page=0: the server tells of .*counts from 0; set pagination.start: 0"):
        await land_odd(site, tmp_path, pagination)
    landed = await land_odd(site, tmp_path, pagination | {"start": 0})

    assert (landed.warnings, list_files(tmp_path)) == ((), ["all.json", "all.jsonl.zst"])


async def test_a_server_without_a_page_0_is_not_blamed_for_it(site: Site, tmp_path: Path) -> None:
    """Where page 0 is refused, or is page 1, an empty last page is told of and no more."""
    warnings = []
    for beyond in ("404", "last"):
        odd_at(site, pages=[*FOUR[:2], []], told=[3], beyond=beyond)
        warnings.append((await land_odd(site, tmp_path / beyond, PAGES_TOLD)).warnings)

    assert (
        warnings[0]
        == warnings[1]
        == (
            "the server tells of 3 pages, and its pages have 6 rows, none in the last 1 of these: "
            "some may be missing or double; fetch again with --fresh, or correct pagination",
        )
    )


@pytest.mark.parametrize("pagination", [ROWS_TOLD, OFFSET_TOLD, PAGES_TOLD])
@pytest.mark.parametrize("told", [[6, 9, 12], [6, 12]])
async def test_a_number_that_grows_counts_as_it_was_told_last(
    site: Site, tmp_path: Path, pagination: dict[str, Any], told: list[int]
) -> None:
    """Rows that are added while pages are read are read, too."""
    odd_at(site, pages=FOUR, told=[number // 3 for number in told] if pagination is PAGES_TOLD else told)

    landed = await land_odd(site, tmp_path, pagination)

    assert (read_rows(landed.path), landed.warnings) == (ALL, ())


@pytest.mark.parametrize("beyond", ["empty", "404", "204"])
@pytest.mark.parametrize("pagination", [ROWS_TOLD, PAGES_TOLD])
async def test_a_number_that_shrinks_is_told_of(
    site: Site, tmp_path: Path, pagination: dict[str, Any], beyond: str
) -> None:
    """Where rows went away while pages were read, the pages that are gone are no error, but others may have moved."""
    told = [4, 3] if pagination is PAGES_TOLD else [12, 9]
    odd_at(site, pages=FOUR[:3], told=told, beyond=beyond)

    landed = await land_odd(site, tmp_path, pagination, requests=QUICK | {"max_in_flight": 1, "start_in_flight": 1})

    assert read_rows(landed.path) == ALL[:9]
    (warning,) = landed.warnings
    assert f"the server told of {told[0]}, and at last of {told[1]} " in warning


@pytest.mark.parametrize("told", [0, 1, 7, 30])
async def test_a_number_of_rows_that_is_wrong_loses_none(site: Site, tmp_path: Path, told: int) -> None:
    """Pages that have more or fewer rows than the server tells of are read until two are empty, and it is told."""
    odd_at(site, pages=FOUR, told=[told])

    landed = await land_odd(site, tmp_path, ROWS_TOLD)

    assert read_rows(landed.path) == ALL
    (warning,) = landed.warnings
    assert f"the server tells of {told} rows, and its pages have 12 rows" in warning


@pytest.mark.parametrize("told", ["12", " 12 ", 12.0])
async def test_a_number_may_be_a_text(site: Site, tmp_path: Path, told: Any) -> None:
    """Digits are a number, also in quotes."""
    odd_at(site, pages=FOUR, told=[told])

    landed = await land_odd(site, tmp_path, ROWS_TOLD)

    assert (read_rows(landed.path), landed.requests, landed.warnings) == (ALL, 4, ())


async def test_an_answer_that_tells_of_an_error_instead_of_rows_is_told_of(site: Site, tmp_path: Path) -> None:
    """Without error_at a status of 200 counts, but an error that comes with no rows is quoted with the key to name."""
    odd_at(site, pages=[*FOUR[:2], []], beside={2: {"error": "rate limited"}})

    landed = await land_odd(site, tmp_path, PAGE)

    (warning,) = landed.warnings
    assert "page=3: the answer has no rows, and error: 'rate limited'; write error_at: error" in warning


@pytest.mark.parametrize("path", ["error", "meta.errors.0.code"])
async def test_an_answer_with_error_at_is_asked_for_again(site: Site, tmp_path: Path, path: str) -> None:
    """What stands at error_at makes an error of a status of 200, and the next attempt may be right."""
    said = {"items": [], "error": "rate limited", "meta": {"errors": [{"code": 17}]}}
    odd_at(site, pages=FOUR, once={2: said})

    landed = await land_odd(site, tmp_path, PAGE, error_at=path)

    assert (read_rows(landed.path), landed.retries, landed.warnings) == (ALL, 1, ())


@pytest.mark.parametrize("said", [None, "", [], {}, False, 0])
async def test_nothing_at_error_at_is_no_error(site: Site, tmp_path: Path, said: Any) -> None:
    """Null, nothing, false and 0 say that there is no error."""
    odd_at(site, pages=FOUR, beside={index: {"error": said} for index in range(4)})

    landed = await land_odd(site, tmp_path, PAGE, error_at="error")

    assert (read_rows(landed.path), landed.retries) == (ALL, 0)


async def test_an_error_that_stays_is_one_error(site: Site, tmp_path: Path) -> None:
    """After as many attempts as are allowed the partition fails, with what the answer said."""
    odd_at(site, pages=FOUR, beside={2: {"items": [], "error": "rate limited"}})

    with pytest.raises(
        SourceError, match=r"page=3 failed 3 times, at last with: 200 OK, and error_at: error is 'rate limited'; try"
    ):
        await land_odd(site, tmp_path, PAGE, error_at="error")

    assert list_files(tmp_path) == []


async def test_a_first_page_that_is_page_0_again_names_the_start(site: Site, tmp_path: Path) -> None:
    """Where a server takes 0 for 1, the error says what to set."""
    odd_at(site, pages=FOUR, beyond="last")

    with pytest.raises(WrongPagesError, match=r"gave the same 3 records as the page before.*set start: 1 where"):
        await land_odd(site, tmp_path, PAGE | {"start": 0})


rows_by_page = st.lists(st.sampled_from([0, 0, 2, 3, 3]), min_size=1, max_size=8).map(
    lambda sizes: [[{"id": 10 * index + row} for row in range(size)] for index, size in enumerate(sizes)]
)
errors = st.dictionaries(st.integers(0, 6), st.just({"items": [], "error": "not now"}), max_size=2)


@settings(max_examples=200)
@given(
    pages=rows_by_page,
    told=st.lists(st.integers(0, 20), max_size=4),
    first=st.integers(0, 1),
    beyond=st.sampled_from(["empty", "404", "204", "last"]),
    beside=errors,
    pagination=st.sampled_from([PAGE, SIZED, PAGES_TOLD, ROWS_TOLD]),
)
def test_no_row_is_lost_without_a_word(sites: Sites, **odd: Any) -> None:
    """Whatever a server does with its pages: rows that it has shown, or has before its end, are landed, or it is told, or an error."""
    pagination = odd.pop("pagination")
    if not odd["told"] and pagination in (PAGES_TOLD, ROWS_TOLD):
        pagination = PAGE
    site = sites.add()
    shown = odd_at(site, **odd)

    with tempfile.TemporaryDirectory() as folder:
        try:
            landed = asyncio.run(land_odd(site, Path(folder), pagination))
        except SourceError:
            return
        rows = read_rows(landed.path)

    expected = shown.shown + (_rows_before_end(shown) if pagination in (PAGE, SIZED) else [])
    assert landed.warnings or all(row in rows for row in expected)


def _rows_before_end(odd: Odd) -> list[Any]:
    """Return the rows that come before two empty pages in a row, from the first page that is asked for on."""
    rows, empty = list[Any](), 0
    for page in odd.pages[1 - odd.first :]:
        empty = 0 if page else empty + 1
        if empty > 1:
            break
        rows.extend(page)
    return rows
