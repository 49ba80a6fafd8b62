"""What the Prefect UI shows of house-keeping."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.clean.survey import Line
from tasks.reports.artifacts import never_ends_a_run, show_table

_MB = 1_000_000


@never_ends_a_run
async def report_cleaning(lines: Sequence[Line], *, dry_run: bool) -> None:
    """Show what goes and what stays, with sizes."""
    rows = [
        {
            "what": line.kind,
            "goes": line.goes,
            "goes (MB)": round(line.goes_bytes / _MB, 3),
            "stays": line.stays,
            "stays (MB)": round(line.stays_bytes / _MB, 3),
            "stays because": line.because,
        }
        for line in lines
    ]
    said = "What would go, and stays as nothing is removed." if dry_run else "What is removed, and what stays."
    await show_table("clean", rows, said)
