"""What the Prefect UI shows of a run: artifacts, one a stage."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, ParamSpec
from uuid import UUID

from prefect import Task, get_client, task
from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_table_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort

from tasks.convert.table.state import CommittedTable
from tasks.core.escaping import count, escape
from tasks.core.story import warn
from tasks.export.job import Exported
from tasks.ingest.landing.plan import Landed
from tasks.ingest.results import FailedPartition, LandedSource

Shown = ParamSpec("Shown")

ROWS_SHOWN = 100  # an artifact lives in Prefect's database for ever
CELL_CHARACTERS = 2_000

_listed: ContextVar[dict[str, tuple[UUID, str]]] = ContextVar("what the stages of a run show")
"""By their keys: artifacts, and what each is."""


@contextmanager
def artifacts_listed() -> Iterator[None]:
    """Have what is shown in the block listed by the report of the run; a block within another adds to its list."""
    token = None if _listed.get(None) is not None else _listed.set({})
    try:
        yield
    finally:
        if token is not None:
            _listed.reset(token)


def never_ends_a_run(show: Callable[Shown, Coroutine[Any, Any, None]]) -> Callable[Shown, Coroutine[Any, Any, None]]:
    """Return what shows a thing, and where that fails, for whatever reason, warns of it: the run goes on without."""

    @functools.wraps(show)
    async def shown(*args: Shown.args, **kwargs: Shown.kwargs) -> None:
        try:
            await show(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a picture, a profile or Prefect's API fails in many ways
            warn(warning_of_missing(show.__name__.strip("_").replace("_", " "), error))

    return shown


def as_task(report: Task[Shown, Coroutine[Any, Any, Any]], *, changed: bool) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return what a task does as a task, or where nothing has changed without one: a task run takes 20 kB of Prefect's database."""
    return report if changed else report.fn


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


@never_ends_a_run
async def report_run(pipeline: str, page: str) -> None:
    """Show the report of a run on its own page, where people look first, and below it what its stages show, each with a link."""
    shown = _listed.get({})
    lines = [f"- [{key}](/artifacts/artifact/{number}): {said}" for key, (number, said) in shown.items()]
    if lines:
        page = "\n\n".join([page, "## What its stages show", "\n".join(lines)])
    await acreate_markdown_artifact(markdown=page, key=key_of(f"{pipeline}-run"), description="What this run came to.")


async def show_table(key: str, rows: Sequence[Mapping[str, Any]], description: str) -> None:
    """Show rows, at most 100 of them, as a table artifact; the UI takes its texts for Markdown, so they are escaped.

    The `description` is Markdown: what stands in it of a user's data its caller escapes.
    """
    left_out = len(rows) - ROWS_SHOWN
    more = f" Not shown: {count(left_out, 'further row')}." if left_out > 0 else ""
    shown = [{name: _cell(value) for name, value in row.items()} for row in rows[:ROWS_SHOWN]]
    await _show("table", key, shown, description + more)


async def show_page(key: str, page: str, description: str) -> None:
    """Show a page of Markdown as an artifact."""
    await _show("markdown", key, page, description)


async def _show(kind: Literal["table", "markdown"], key: str, data: Any, description: str) -> None:
    """Show something, unless it is the last that was shown under its key: a run that changes nothing adds nothing."""
    key = key_of(key)
    async with get_client() as client:
        asked = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        latest = await client.read_artifacts(artifact_filter=asked, sort=ArtifactSort.CREATED_DESC, limit=1)
    if latest and latest[0].description == description and _same(latest[0].data, data):
        number = latest[0].id
    elif kind == "table":
        number = await acreate_table_artifact(table=data, key=key, description=description)
    else:
        number = await acreate_markdown_artifact(markdown=data, key=key, description=description)
    _listed.get({})[key] = (number, description)


def _same(stored: Any, data: Any) -> bool:
    """Return whether an artifact has stored what would be shown; a table it stores as JSON."""
    return bool(stored == (data if isinstance(data, str) else json.dumps(data)))


def _cell(value: Any) -> Any:
    return escape(value, CELL_CHARACTERS, cell=False) if isinstance(value, str) else value


def key_of(name: str) -> str:
    """Return a name as artifacts' keys are written."""
    return name.replace("_", "-")
