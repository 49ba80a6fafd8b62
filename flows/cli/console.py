"""What the terminal shows: progress while a run works, and its summary."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from flows.summary import RunSummary, SourceSummary, TargetSummary
from tasks.core.escaping import printable
from tasks.core.progress import ProgressEvent
from tasks.core.unread_output import end_output, let_consoles_end

PLAIN_WIDTH = 100  # where the output is no terminal
_PLAIN_EVERY_S = 2.0
_OUTPUTS = ("raw", "tables", "rejects", "models", "summary.json")


def make_console() -> Console:
    """Return the console of standard output; one that is no terminal has a fixed width.

    Nothing is markup: [/] in a column's name, or in a check's pattern, is text.
    """
    let_consoles_end()
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=PLAIN_WIDTH)


def print_line(console: Console, text: str) -> None:
    """Print a text on one line, however narrow the terminal is: an address or a path in it stays whole."""
    console.print(printable(text), soft_wrap=True, markup=False, highlight=False)


class ProgressView:
    """Shows steps: live bars in a terminal, else plain lines, at most one a part in a while."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: dict[str, TaskID] = {}
        self._printed_at: dict[str, float] = {}
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=console,
            disable=not console.is_terminal,
        )

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show steps while the block runs; the bars stay when it ends."""
        with self._progress:
            yield

    def show(self, step: ProgressEvent) -> None:
        """Show one step."""
        if self._console.is_terminal:
            self._show_bar(step)
        else:
            self._show_line(step)

    def _show_bar(self, step: ProgressEvent) -> None:
        # The candidates of train share one bar: each is one step of it.
        together = step.stage in ("train", "judge")
        part, detail = ("", f"{step.name} {step.detail}") if together else (step.name, step.detail)
        label = f"{step.stage:<8} {part}"
        if label not in self._bars:
            self._bars[label] = self._progress.add_task(f"{label:<24}", total=step.total, detail="")
        self._progress.update(
            self._bars[label], completed=step.done, total=step.total, detail=escape(printable(detail))
        )

    def _show_line(self, step: ProgressEvent) -> None:
        key = f"{step.stage} {step.name}"
        now = time.monotonic()
        if step.done == step.total or now - self._printed_at.get(key, 0.0) >= _PLAIN_EVERY_S:
            self._printed_at[key] = now
            clock = time.strftime("%H:%M:%S")
            line = f"{clock}  {step.stage:<8} {step.name:<12} {step.done:>4}/{step.total:<4} {step.detail}"
            try:
                print(printable(line)[:PLAIN_WIDTH].rstrip(), flush=True)
            except BrokenPipeError:  # the stage that tells of a step would take it for a failure of its own
                end_output(sys.stdout)


def print_summary(console: Console, summary: RunSummary, data: Path, ui: str) -> None:
    """Print what a run came to: rows by source, the leaderboard, seconds, where the outputs are."""
    if summary.sources:
        console.print(_sources_table(summary.sources))
    for name, table in summary.tables.items():
        done = "made" if table.made else "as it was"
        print_line(console, f"table {name:<12} {table.rows:>12,} rows, {table.columns} columns, {done}")
    if summary.leaderboard:
        console.print(_leaderboard_table(summary))
    seconds = "   ".join(f"{stage} {seconds:.1f} s" for stage, seconds in summary.seconds.items())
    made = [name for name in _OUTPUTS if (data / name).exists()]
    where = {"time": seconds, "outputs": f"{data}: {', '.join(made)}"}
    if summary.champion:
        where["champion"] = f"{data / summary.champion.model} ({summary.champion.candidate})"
        where["decided"] = summary.champion.decision
    if summary.target:
        where["target"] = _target_line(summary.target)
    for name, text in {**where, "Prefect UI": ui}.items():
        print_line(console, f"{name:<10}  {text}")
    for warning in summary.warnings:
        print_line(console, f"warning: {warning}")


def _sources_table(sources: dict[str, SourceSummary]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="Rows by source, of all runs; requests of this one", title_justify="left")
    table.add_column("source")
    for name in ("received", "in table", "rejects", "duplicates", "requests", "retries"):
        table.add_column(name, justify="right")
    for name, source in sources.items():
        counts = (
            source.rows_received,
            source.rows_table,
            source.rows_rejected,
            source.rows_duplicate,
            source.requests,
            source.retries,
        )
        table.add_row(name, *("-" if count is None else f"{count:,}" for count in counts))
    return table


def _leaderboard_table(summary: RunSummary) -> Table:
    title = f"Leaderboard by {summary.metric}: mean of the folds, 95 % interval, hold-out"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    table.add_column("candidate")
    table.add_column(summary.metric or "score", justify="right")
    table.add_column("interval", justify="right")
    table.add_column("hold-out", justify="right")
    table.add_column("fit", justify="right")
    table.add_column("")
    for line in summary.leaderboard:
        interval = "-" if line.interval is None else "{:.4f} to {:.4f}".format(*line.interval)
        fit = "-" if line.fit_s is None else f"{line.fit_s:.1f} s"
        notes = [
            line.error or "",
            "best" if line == summary.best else "",
            "within noise of the best" if line.within_noise else "",
            "kept" if line.reused else "",
        ]
        told = escape(printable(", ".join(note for note in notes if note)))
        table.add_row(line.name, _score(line.score), interval, _score(line.holdout), fit, told)
    return table


def _target_line(target: TargetSummary) -> str:
    """Return what was predicted, and which of it was a guess."""
    told = f"{target.name}: {target.task}{_by_guess('task', target)}"
    if target.positive is None:
        return told
    from tasks.config import write_label  # noqa: PLC0415 - a run's server is to start before the models are imported

    return f"{told}, positive class {write_label(target.positive)}{_by_guess('positive', target)}"


def _by_guess(key: str, target: TargetSummary) -> str:
    return f" (a guess; training.{key} declares it)" if key in target.guessed else ""


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.4f}"
