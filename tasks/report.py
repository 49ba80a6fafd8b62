"""What the Prefect UI shows of a run: artifacts, one a stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prefect import task
from prefect.artifacts import acreate_table_artifact
from prefect.cache_policies import NO_CACHE

from tasks.convert.table import CommittedTable
from tasks.ingest.tasks import LandedSource
from tasks.train.leaderboard import Leaderboard

ROWS_SHOWN = 100  # an artifact lives in Prefect's database for ever


@task(name="report ingest", cache_policy=NO_CACHE, persist_result=False)
async def report_ingest(pipeline: str, sources: Sequence[LandedSource]) -> None:
    """Show what was fetched of each source; a unit of its own so that the artifact stands in the run's graph."""
    rows = [
        {
            "source": source.source,
            "partitions": len(source.landed),
            "landed before": sum(landed.reused for landed in source.landed),
            "failed": len(source.failures),
            "rows": source.total("rows"),
            "pages": source.total("pages"),
            "requests": source.total("requests"),
            "retries": source.total("retries"),
        }
        for source in sources
    ]
    failures = [
        {"source": source.source, "partition": failure.partition, "failure": failure.cause}
        for source in sources
        for failure in source.failures
    ]
    await _show(f"{pipeline}-ingest", rows, "What was fetched of each source.")
    if failures:
        await _show(f"{pipeline}-ingest-failures", failures, "Partitions that could not be fetched.")


@task(name="report tables", cache_policy=NO_CACHE, persist_result=False)
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
    await _show(f"{pipeline}-tables", rows, "What each table holds.")
    if reasons:
        await _show(f"{pipeline}-rejects", reasons, "Why rows could not enter their table.")


@task(name="report leaderboard", cache_policy=NO_CACHE, persist_result=False)
async def report_leaderboard(pipeline: str, leaderboard: Leaderboard) -> None:
    """Show the candidates, ranked; a unit of its own so that the artifact stands in the run's graph."""
    champion = leaderboard.champion
    rows = [
        {
            "candidate": result.name,
            leaderboard.metric: result.score,
            **{name: value for name, value in (result.metrics or {}).items() if name != leaderboard.metric},
            "fit (s)": result.fit_s,
            "champion": "yes" if champion is not None and result.name == champion.name else "",
            "failure": result.error or "",
        }
        for result in leaderboard.results
    ]
    rows_said = f"{leaderboard.training_rows:,} rows to train, {leaderboard.test_rows:,} to test"
    await _show(f"{pipeline}-leaderboard", rows, f"Candidates by {leaderboard.metric}: {rows_said}.")


async def _show(key: str, rows: Sequence[Mapping[str, Any]], description: str) -> None:
    left_out = len(rows) - ROWS_SHOWN
    more = f" {left_out} further rows are not shown." if left_out > 0 else ""
    await acreate_table_artifact(
        table=[dict(row) for row in rows[:ROWS_SHOWN]], key=key.replace("_", "-"), description=description + more
    )
