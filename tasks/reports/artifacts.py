"""What the Prefect UI shows of a run: artifacts, one a stage."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ParamSpec
from uuid import UUID

from prefect import get_client, get_run_logger, task
from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_table_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId

from tasks.convert.table.state import CommittedTable
from tasks.core.escaping import escape
from tasks.export.job import Exported
from tasks.ingest.landing.plan import Landed
from tasks.ingest.results import FailedPartition, LandedSource

Shown = ParamSpec("Shown")

ROWS_SHOWN = 100  # an artifact lives in Prefect's database for ever
CELL_CHARACTERS = 2_000


def never_ends_a_run(show: Callable[Shown, Coroutine[Any, Any, None]]) -> Callable[Shown, Coroutine[Any, Any, None]]:
    """Return what shows a thing, and where that fails, for whatever reason, warns of it: the run goes on without."""

    @functools.wraps(show)
    async def shown(*args: Shown.args, **kwargs: Shown.kwargs) -> None:
        try:
            await show(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a picture, a profile or Prefect's API fails in many ways
            get_run_logger().warning("%s", warning_of_missing(show.__name__.strip("_").replace("_", " "), error))

    return shown


def warning_of_missing(what: str, error: Exception) -> str:
    """Return the warning that something is not shown."""
    reason = (str(error).strip().splitlines() or [""])[0][:300].rstrip(".")
    return f"{what}: could not be shown ({type(error).__name__}: {reason}); the run goes on without it"


@never_ends_a_run
async def report_ingest(pipeline: str, sources: Sequence[LandedSource]) -> None:
    """Show what was fetched of each source's partitions, and which could not be."""
    asked = [(source.source, landed) for source in sources for landed in source.landed if not landed.reused]
    slowest = sorted(asked, key=lambda pair: -pair[1].seconds)
    failed = [_failure_row(source.source, failure) for source in sources for failure in source.failures]
    partitions, kept = sum(len(source.landed) for source in sources), sum(source.total("reused") for source in sources)
    said = f"What was fetched, the slowest first; {kept:,} of {partitions:,} partitions were landed before."
    shown = [show_table(f"{pipeline}-ingest", [_partition_row(*pair) for pair in slowest], said)] if sources else []
    if failed:
        shown.append(show_table(f"{pipeline}-not-fetched", failed, "Partitions that could not be fetched."))
    warned = [{"source": source.source, "warning": warning} for source in sources for warning in source.warnings]
    if warned:
        shown.append(show_table(f"{pipeline}-ingest-warnings", warned, "What was fetched, and may not be right."))
    await asyncio.gather(*shown)


def _partition_row(source: str, landed: Landed) -> dict[str, Any]:
    return {
        "source": source,
        "partition": landed.partition,
        "rows": landed.rows,
        "pages": landed.pages,
        "requests": landed.requests,
        "retries": landed.retries,
        "429s": landed.refused,
        "bytes": landed.body_bytes,
        "seconds": round(landed.seconds, 2),
        "resumed from page": landed.resumed_from or "",
    }


def _failure_row(source: str, failure: FailedPartition) -> dict[str, Any]:
    return {
        "source": source,
        "partition": failure.partition,
        "requests": failure.requests,
        "retries": failure.retries,
        "429s": failure.refused,
        "failure": failure.message,
    }


@task(name="report tables", task_run_name="report tables", cache_policy=NO_CACHE, persist_result=False)
@never_ends_a_run
async def report_tables(pipeline: str, tables: Sequence[CommittedTable]) -> None:
    """Show what each table holds; a unit of its own so that the artifact stands in the run's graph."""
    rows = [
        {
            "source": table.source,
            "rows received": table.rows_received,
            "in the table": table.rows_table,
            "rejects": table.rows_rejected,
            "duplicates": table.rows_duplicate,
            "files": table.files,
            "files read": table.files_read,
            "columns": len(table.types),
        }
        for table in tables
    ]
    reasons = [
        {"source": table.source, "reason": reason, "rows": count}
        for table in tables
        for reason, count in table.reasons.items()
    ]
    await show_table(f"{pipeline}-tables", rows, "What each table holds.")
    if reasons:
        await show_table(f"{pipeline}-rejects", reasons, "Why rows could not enter their table.")


@task(name="report made tables", task_run_name="report made tables", cache_policy=NO_CACHE, persist_result=False)
@never_ends_a_run
async def report_made_tables(
    pipeline: str, tables: Sequence[CommittedTable], inputs: Mapping[str, Sequence[str]]
) -> None:
    """Show what each table holds that is made of others; a unit of its own so that the artifact stands in the run's graph."""
    rows = [
        {
            "table": table.source,
            "made of": ", ".join(inputs[table.source]),
            "rows": table.rows_table,
            "columns": len(table.types),
            "this run": "made" if table.findings.changed else "as it was",
            "seconds": round(table.findings.seconds, 2),
        }
        for table in tables
    ]
    await show_table(
        f"{pipeline}-made-tables", rows, "Tables made of other tables, in the order in which they are made."
    )


@task(name="report exports", task_run_name="report exports", cache_policy=NO_CACHE, persist_result=False)
@never_ends_a_run
async def report_exports(pipeline: str, exports: Sequence[Exported]) -> None:
    """Show what each target holds; a unit of its own so that the artifact stands in the run's graph."""
    rows = [
        {
            "table": each.table,
            "to": each.to,
            "rows": each.rows,
            "this run": "written" if each.written else "as it was",
            "seconds": round(each.seconds, 2),
            "columns": "; ".join(each.notes),
        }
        for each in exports
    ]
    await show_table(f"{pipeline}-exports", rows, "Tables that are written for others to read.")


async def report_run(pipeline: str, flow_run_id: str, warnings: Sequence[str]) -> None:
    """Show on a run's own page, where people look first, what it found to be doubtful, and where its stages show what."""
    await _report_warnings(pipeline, warnings)
    await _report_pages(pipeline, flow_run_id)


@never_ends_a_run
async def _report_warnings(pipeline: str, warnings: Sequence[str]) -> None:
    if warnings:
        rows = [{"warning": warning} for warning in warnings]
        await show_table(f"{pipeline}-warnings", rows, "What this run found to be doubtful, and what to do.")


@never_ends_a_run
async def _report_pages(pipeline: str, flow_run_id: str) -> None:
    stages = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[UUID(flow_run_id)]))
    async with get_client() as client:
        shown = await client.read_artifacts(flow_run_filter=stages)
    lines = [
        f"- [{artifact.key}](/artifacts/artifact/{artifact.id}): {artifact.description}"
        for artifact in sorted(shown, key=lambda artifact: str(artifact.created))
        if artifact.type != "progress"
    ]
    if lines:
        description = "What the stages of this run show."
        await acreate_markdown_artifact(
            markdown="\n".join(lines), key=key_of(f"{pipeline}-run"), description=description
        )


async def show_table(key: str, rows: Sequence[Mapping[str, Any]], description: str) -> None:
    """Show rows, at most 100 of them, as a table artifact; the UI takes its texts for Markdown, so they are escaped.

    The `description` is Markdown: what stands in it of a user's data its caller escapes.
    """
    left_out = len(rows) - ROWS_SHOWN
    more = f" {left_out} further rows are not shown." if left_out > 0 else ""
    shown = [{name: _cell(value) for name, value in row.items()} for row in rows[:ROWS_SHOWN]]
    await acreate_table_artifact(table=shown, key=key_of(key), description=description + more)


def _cell(value: Any) -> Any:
    return escape(value, CELL_CHARACTERS, cell=False) if isinstance(value, str) else value


def key_of(name: str) -> str:
    """Return a name as artifacts' keys are written."""
    return name.replace("_", "-")
