"""What is only shown never ends a run."""

from __future__ import annotations

import logging

import pytest
from prefect import flow

from tasks.reports.artifacts import never_ends_a_run

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


async def test_what_cannot_be_shown_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Of any failure; the flow goes on."""

    @never_ends_a_run
    async def report_profile(name: str) -> None:
        raise ValueError(f"Too many bins for {name}\nand more")

    @flow
    async def run() -> str:
        await report_profile("rows")
        return "ended"

    with caplog.at_level(logging.WARNING):
        assert await run() == "ended"

    told = "report profile: could not be shown (ValueError: Too many bins for rows); the run goes on without it"
    assert told in [record.getMessage() for record in caplog.records]
