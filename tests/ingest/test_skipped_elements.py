"""Elements that are no rows, as no column matches in them: counted, and told where they are many."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flows.recorder import RunRecorder
from tasks.ingest.landing.plan import Landed, find_landed
from tasks.ingest.results import LandedSource
from tests.flows.conftest import ended_with
from tests.ingest.sources import job_of, land_one, pages
from tests.site.server import Site


async def land_rows(site: Site, folder: Path, *paths: str) -> Landed:
    """Land pages whose table rows have a name in b."""
    return await land_one(pages(site, *paths, rows="tr", follow=None), folder)


async def test_elements_of_another_template_are_told(site: Site, tmp_path: Path) -> None:
    """Half of the elements have the name elsewhere: the warning has the number, the first text, its page and the cure."""
    landed = await land_rows(site, tmp_path, "/rows-of-two-templates")

    assert (landed.rows, landed.elements_skipped) == (5, 5)
    assert landed.warnings == (
        "rows: 'tr' matches 5 elements in which no column matches, the first 'other 0' on "
        f"{site.url}/rows-of-two-templates, and 5 rows: they are left out; correct the selectors of columns if they are "
        "rows, or have that of rows leave them out",
    )


async def test_few_elements_are_counted_alone(site: Site, tmp_path: Path) -> None:
    """One in twenty may be an advertisement."""
    landed = await land_rows(site, tmp_path, "/rows-with-few-of-another-template")

    assert (landed.rows, landed.elements_skipped, landed.warnings) == (40, 2, ())


async def test_headings_and_blank_rows_are_not_counted(site: Site, tmp_path: Path) -> None:
    """A row of th, and one without anything, hold no row that could be lost, however many they are beside rows."""
    landed = await land_rows(site, tmp_path, "/rows-with-many-headings", "/rows-with-few-of-another-template")

    assert (landed.rows, landed.elements_skipped, landed.warnings) == (42, 2, ())


async def test_the_count_is_of_all_pages_and_stays(site: Site, tmp_path: Path) -> None:
    """A run that uses what is landed counts, and tells, as the run that landed it."""
    source = pages(site, "/rows-of-two-templates", "/rows-with-few-of-another-template", rows="tr", follow=None)
    landed = await land_one(source, tmp_path)

    again = await asyncio.to_thread(find_landed, job_of(source, tmp_path), fresh=False)

    assert again is not None
    assert (landed.elements_skipped, again.elements_skipped, again.warnings) == (7, 7, landed.warnings)
    assert len(landed.warnings) == 1


@pytest.mark.parametrize("path", ["/rows-of-two-templates", "/rows-with-few-of-another-template"])
async def test_the_count_stands_in_the_summary(site: Site, tmp_path: Path, path: str) -> None:
    """It is one of the source's counts."""
    landed = await land_rows(site, tmp_path, path)
    record = RunRecorder("p", tmp_path)

    await record.add("ingest", ended_with, [LandedSource("news", (landed,), ())])

    assert record.summary(None).sources["news"].elements_skipped == landed.elements_skipped > 0
