"""The place where a page names the next: wrong where no answer of a source has it, and left out on a last page by some servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.ingest import ingest
from flows.recorder import RunRecorder
from tasks.config import Pipeline
from tasks.core.errors import StageError, WrongPagesError
from tasks.ingest.results import FailedPartition, LandedSource, resolve_unproven
from tests.ingest.sources import api, job_of, land_with, open_quietly, read_rows
from tests.site.odd import odd_at
from tests.site.server import Site

ROWS = [[{"id": 1}, {"id": 2}, {"id": 3}], [{"id": 4}, {"id": 5}, {"id": 6}], [{"id": 7}]]
CURSOR: dict[str, Any] = {"kind": "cursor", "cursor_at": "meta.next"}
WRONG: dict[str, Any] = {"kind": "cursor", "cursor_at": "meta.nxt"}
NEXT_URL: dict[str, Any] = {"kind": "next_url", "next_at": "links.next"}
LINK: dict[str, Any] = {"kind": "link_header"}


async def land_parts(site: Site, folder: Path, parts: int = 1, **changes: Any) -> LandedSource:
    """Return what becomes of the partitions of a source that names the next page."""
    source = api(site, "/odd/cursor", **{"partitions": {"part": list(range(parts))}, "params": {}} | changes)
    async with open_quietly(source) as client:
        landed = [await land_with(client, job_of(source, folder, number)) for number in range(parts)]
    settled = resolve_unproven(source, landed)
    failures = tuple(outcome for outcome in settled if isinstance(outcome, FailedPartition))
    return LandedSource("rows", tuple(o for o in settled if not isinstance(o, FailedPartition)), failures)


@pytest.mark.parametrize(
    ("pagination", "sentence"),
    [
        (WRONG, "pagination.cursor_at: 'meta.nxt' is in no answer, 'nxt' meets the keys next; correct cursor_at"),
        (NEXT_URL, "pagination.next_at: 'links.next' is in no answer, 'links' meets the keys items, meta; correct"),
    ],
)
async def test_a_place_that_is_in_no_answer_is_an_error(
    site: Site, tmp_path: Path, pagination: dict[str, Any], sentence: str
) -> None:
    """A path that the only answer of each partition lacks is as wrong as a records_at that it lacks."""
    odd_at(site, pages=ROWS)

    source = await land_parts(site, tmp_path, parts=2, pagination=pagination)

    assert (source.landed, len(source.failures)) == ((), 2)
    assert source.failed[0].message.startswith("source rows, partition part=0 and 1 more: GET ")
    assert sentence in source.failed[0].message


async def test_null_says_that_there_is_no_next(site: Site, tmp_path: Path) -> None:
    """A path that is there, with null, is right."""
    odd_at(site, pages=ROWS[:1])

    source = await land_parts(site, tmp_path, pagination=CURSOR)

    assert (source.failures, source.warnings) == ((), [])


@pytest.mark.parametrize(
    ("rows", "changes", "is_wrong"),
    [
        (ROWS[0], {"pagination": CURSOR}, True),
        (ROWS[0], {"pagination": CURSOR | {"size": 4}}, False),
        (ROWS[0], {"pagination": CURSOR | {"size": 3}}, True),
        (ROWS[0], {"pagination": CURSOR, "params": {"limit": 4}}, False),
        (ROWS[0], {"pagination": CURSOR, "params": {"$top": "4"}}, False),
        (ROWS[0], {"pagination": CURSOR, "params": {"pageSize": 3}}, True),
        (ROWS[0], {"pagination": CURSOR, "params": {"year": 2024}}, True),
        ([], {"pagination": CURSOR}, False),
    ],
)
async def test_an_only_page_may_leave_out_the_place_where_it_is_not_full(
    site: Site, tmp_path: Path, rows: list[Any], changes: dict[str, Any], is_wrong: bool
) -> None:
    """Fewer rows than a full page, as the source tells or asks for, are the last; so are none."""
    odd_at(site, pages=[rows], last_names="nothing")

    source = await land_parts(site, tmp_path, **changes)

    assert (len(source.failures), source.warnings) == (int(is_wrong), [])


async def test_another_partition_shows_that_the_place_is_right(site: Site, tmp_path: Path) -> None:
    """Where a partition of several pages has the path, those of one page have left it out."""
    odd_at(site, pages=ROWS[:1], last_names="nothing")
    source = api(site, "/odd/cursor/{part}", pagination=CURSOR, partitions={"part": [0, 1]})
    async with open_quietly(source) as client:
        only = await land_with(client, job_of(source, tmp_path, 0))
        odd_at(site, pages=ROWS)
        several = await land_with(client, job_of(source, tmp_path, 1))

    assert [isinstance(one, FailedPartition) for one in resolve_unproven(source, [only])] == [True]
    assert resolve_unproven(source, [only, several]) == [only, several]
    assert read_rows(several.path) == [row for page in ROWS for row in page]


async def test_a_small_partition_shows_nothing_of_a_full_one(site: Site, tmp_path: Path) -> None:
    """That a page which is not full lacks the path does not make it right for one that is full."""
    odd_at(site, pages=[ROWS[2]])
    source = api(site, "/odd/cursor/{part}", pagination=WRONG | {"size": 3}, partitions={"part": [0, 1]})
    async with open_quietly(source) as client:
        small = await land_with(client, job_of(source, tmp_path, 0))
        odd_at(site, pages=ROWS)
        full = await land_with(client, job_of(source, tmp_path, 1))

    settled = resolve_unproven(source, [small, full])

    assert [isinstance(one, FailedPartition) for one in settled] == [False, True]


@pytest.mark.parametrize(
    ("rows", "pagination", "is_doubted"), [(3, LINK, False), (25, LINK, True), (3, LINK | {"size": 3}, True)]
)
async def test_a_header_that_is_left_out_of_a_full_page_is_told_of(
    site: Site, tmp_path: Path, rows: int, pagination: dict[str, Any], is_doubted: bool
) -> None:
    """Servers send no Link header with an only page; where it has the rows of a full one, that is a warning."""
    odd_at(site, pages=[[{"id": number} for number in range(rows)]])

    source = await land_parts(site, tmp_path, pagination=pagination)

    assert source.failures == ()
    assert [
        f"no answer has the header 'Link', and its {rows} rows may be a full page" in w for w in source.warnings
    ] == ([True] if is_doubted else [])


async def test_a_page_that_comes_again_under_another_cursor_is_an_error(site: Site, tmp_path: Path) -> None:
    """A cursor that does not turn the page is not followed until the end of days."""
    odd_at(site, pages=[ROWS[0], ROWS[0], ROWS[0]])

    with pytest.raises(WrongPagesError, match=r"cursor=1 gave the same 3 records as the page before"):
        await land_parts(site, tmp_path, pagination=CURSOR)


async def test_a_named_page_without_a_body_is_told_of(site: Site, tmp_path: Path) -> None:
    """204 cannot name a next page: what follows is not there, and the run says so."""
    odd_at(site, pages=ROWS, beside={1: {"status": 204}})

    source = await land_parts(site, tmp_path, pagination=CURSOR)

    (warning,) = source.warnings
    assert "cursor=1: the page before named this one, and it answered 204" in warning


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
async def test_a_run_fails_and_a_further_one_does_not_take_it_for_landed(site: Site, tmp_path: Path) -> None:
    """The run that met a wrong path fails, the next one too without asking, and with the right path all rows come."""
    odd_at(site, pages=ROWS)

    def pipeline(pagination: dict[str, Any]) -> Pipeline:
        return Pipeline(name="p", sources={"rows": api(site, "/odd/cursor", pagination=pagination)})

    failures = []
    for _ in range(2):
        record = RunRecorder("p", tmp_path)
        with pytest.raises(StageError, match=r"'meta\.nxt' is in no answer") as error:
            await record.add("ingest", ingest, pipeline(WRONG), tmp_path)
        failures.append(record.summary(error.value).failures)
    asked = len(site.paths)
    (landed,) = await ingest(pipeline(CURSOR), tmp_path)

    assert (failures[0] == failures[1], asked, landed.total("rows")) == (True, 1, 7)
