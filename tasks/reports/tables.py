"""What the Prefect UI shows of single tables: checks, profiles and changed columns, as artifacts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.convert.profile.page import profile_source, write_schema_change
from tasks.convert.table.findings import read_outcomes
from tasks.convert.table.state import CommittedTable
from tasks.convert.table.versions import Versions
from tasks.core.storage import DataFolder
from tasks.core.story import warn
from tasks.reports.artifacts import never_ends_a_run, show_page, show_table

_WORST_FIRST = ("failed", "warned", "passed")


@task(name="report findings", task_run_name="report findings", cache_policy=NO_CACHE, persist_result=False)
@never_ends_a_run
async def report_findings(
    pipeline: str, tables: Sequence[CommittedTable], checked: Sequence[str], folder: DataFolder
) -> None:
    """Show the checks of the sources that are `checked`, and the profiles of tables that changed.

    A unit of its own because the tables stand already: it takes the time of
    reading some of them, and what it cannot show is no failure.
    """
    await _report_checks(pipeline, checked, folder)
    for table in tables:
        for warning in table.warnings:
            warn(warning)
        change = write_schema_change(table.source, table.findings.types_before, table.types)
        if change is not None:
            await show_page(
                f"{pipeline}-schema-{table.source}", change, f"What changed in the columns of {table.source}."
            )
        if table.findings.changed:
            await _report_profile(pipeline, table, folder)


@never_ends_a_run
async def _report_profile(pipeline: str, table: CommittedTable, folder: DataFolder) -> None:
    try:
        page = await asyncio.to_thread(profile_source, table, _versions(table.source, folder))
    except (OSError, pa.ArrowException) as error:  # another run may have replaced the table twice meanwhile
        warn(f"source {table.source}: its profile is not shown: {error}")
        return
    await show_page(f"{pipeline}-profile-{table.source}", page, f"What the table {table.source} holds.")


@never_ends_a_run
async def _report_checks(pipeline: str, sources: Sequence[str], folder: DataFolder) -> None:
    """Show what the checks of every source came to, those that failed first."""
    rows: list[dict[str, Any]] = []
    for source in sources:
        checked = await asyncio.to_thread(read_outcomes, _versions(source, folder))
        rows += [
            {
                "source": source,
                "check": outcome.check,
                "columns": ", ".join(outcome.columns),
                "expected": outcome.expected,
                "status": outcome.status,
                "rows failed": outcome.rows_failed,
                "what": outcome.sentence,
                "checked": checked.checked_at,
            }
            for outcome in checked.outcomes
        ]
    if not rows:
        return
    rows.sort(key=lambda row: _WORST_FIRST.index(row["status"]))
    counts = ", ".join(f"{sum(row['status'] == s for row in rows):,} {s}" for s in _WORST_FIRST)
    await show_table(f"{pipeline}-checks", rows, f"What was declared of the tables: {counts}.")


def _versions(source: str, folder: DataFolder) -> Versions:
    return Versions.of(source, folder)
