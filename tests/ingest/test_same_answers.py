"""Partitions that the server does not tell apart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tasks.core.accounting import same_answers
from tasks.ingest.landing.plan import find_landed
from tests.ingest.sources import api, job_of, land_with, open_quietly
from tests.site.server import Site

SAME = "the server gave the same rows for part=eu and part=us; is the parameter right?"


@pytest.mark.parametrize(("path", "said"), [("/items?as={part}", [SAME]), ("/items", [])])
async def test_a_parameter_that_the_server_ignores_is_told(
    site: Site, tmp_path: Path, path: str, said: list[str]
) -> None:
    """By the hash of the rows as they came, also where a run before landed them."""
    source = api(site, path, partitions={"part": ["eu", "us"]})
    jobs = [job_of(source, tmp_path, number) for number in (0, 1)]
    async with open_quietly(source) as client:
        landed = [await land_with(client, job) for job in jobs]
    found = [await asyncio.to_thread(find_landed, job, fresh=False) for job in jobs]
    reused = [each for each in found if each is not None]

    for outcomes in (landed, reused):
        pairs = zip(jobs, outcomes, strict=True)
        assert same_answers([(job.partition.values, each.rows, each.digest) for job, each in pairs]) == said
