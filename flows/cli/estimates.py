"""What `check` tells of the size of a run: a table of its parts, what spills, and what will not fit."""

from __future__ import annotations

from rich.console import Console

from flows.cli.console import print_line, print_table
from tasks.estimate.estimate import Estimate, write_bytes
from tasks.estimate.pipeline import Estimates

_TITLE = "What a run would read and take, estimated by its inputs; ? is known once it runs"
_HEADS = ("part", "inputs", "bytes", "unpacked", "rows", "memory", "task runs")


def print_estimates(console: Console, estimates: Estimates) -> None:
    """Print what each part of a run would take, what spills, and what will not fit."""
    print_table(console, _TITLE, _HEADS, [_cells(part) for part in estimates.parts])
    for spill in estimates.spills:
        print_line(console, spill)
    for shortage in estimates.shortages:
        print_line(console, f"warning: {shortage}")


def _few_digits(rows: int) -> str:
    """Return a number of rows with three digits that count: more are not known of what is estimated."""
    return f"{round(rows, 3 - len(str(rows))):,}" if rows >= 1000 else str(rows)  # noqa: PLR2004 - the same three


def _cells(part: Estimate) -> tuple[str, ...]:
    runs = "?" if part.task_runs is None else f"{part.task_runs:,}"
    rows = "?" if part.rows is None else _few_digits(part.rows)
    sizes = ("?" if size is None else write_bytes(size) for size in (part.read_bytes, part.unpacked_bytes))
    memory = "?" if part.memory_bytes is None else write_bytes(part.memory_bytes)
    return (f"{part.stage} {part.part}", part.inputs, *sizes, rows, memory, runs)
