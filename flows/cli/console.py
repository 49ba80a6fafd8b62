"""What the terminal shows: progress while a run works, and its summary."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TaskID, TextColumn
from rich.table import Table

from flows.summary import RunSummary, SourceSummary, TargetSummary
from tasks.core.escaping import count, printable
from tasks.core.progress import ProgressEvent
from tasks.core.storage import DataFolder
from tasks.core.unread_output import end_output, let_consoles_end

PLAIN_WIDTH = 100  # where the output is no terminal
_BAR_FROM = 80  # columns of a terminal; in a narrower one a bar would take the room of its counts
_NOTES_WIDTH = 12  # of a last column, whose words may stand below each other
_BETWEEN_CELLS = 3
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


def print_table(console: Console, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below their heads, words to the left and numbers to the right; what has no head may be of several lines.

    No value is cut: where the terminal is too narrow for a table, each row is a line of its heads and values.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, cells)) for cells in zip(heads, *rows, strict=True)]
    notes = not heads[-1]
    if notes:
        widths[-1] = min(widths[-1], _NOTES_WIDTH)
    if sum(widths) + _BETWEEN_CELLS * len(widths) + 1 > console.width:
        print_line(console, title)
        for name, *cells in rows:
            told = ", ".join(f"{head} {cell}".strip() for head, cell in zip(heads[1:], cells, strict=True) if cell)
            print_line(console, f"  {name}: {told}")
        return
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for place, head in enumerate(heads):
        words = place == 0 or any(row[place][:1].isalpha() for row in rows)
        table.add_column(head, justify="left" if words else "right", no_wrap=bool(head))
    for row in rows:
        table.add_row(*row)
    console.print(table)


class ProgressView:
    """Shows steps: live bars in a terminal, else plain lines, at most one a part in a while."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: dict[str, TaskID] = {}
        self._printed_at: dict[str, float] = {}
        bar: list[ProgressColumn] = [BarColumn(bar_width=24)] if console.width >= _BAR_FROM else []
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            *bar,
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
        self._progress.update(self._bars[label], completed=step.done, total=step.total, detail=printable(detail))

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
        _print_sources(console, summary.sources)
    for name, table in summary.tables.items():
        done = "made" if table.made else "as it was"
        print_line(
            console, f"table {name:<12} {count(table.rows, 'row'):>17}, {count(table.columns, 'column')}, {done}"
        )
    for export in summary.exports:
        done = "written" if export.written else "as it was"
        print_line(console, f"export {export.table:<11} {count(export.rows, 'row'):>17} to {export.to}, {done}")
        for note in export.notes:
            print_line(console, f"  {note}")
    if summary.leaderboard:
        _print_leaderboard(console, summary)
    seconds = "   ".join(f"{stage} {seconds:.1f} s" for stage, seconds in summary.seconds.items())
    made = [name for name in _OUTPUTS if (data / name).exists()]
    where = {"time": seconds, "outputs": f"{DataFolder(data).shown}: {', '.join(made)}"}
    if summary.champion:
        where["champion"] = f"{data / summary.champion.model} ({summary.champion.candidate})"
        where["decided"] = summary.champion.decision
    if summary.target:
        where["target"] = _target_line(summary.target)
    for name, text in {**where, "Prefect UI": ui}.items():
        print_line(console, f"{name:<10}  {text}")
    for warning in summary.warnings:
        print_line(console, f"warning: {warning}")


def _print_sources(console: Console, sources: dict[str, SourceSummary]) -> None:
    rows = []
    for name, source in sources.items():
        counts = (
            source.rows_received,
            source.rows_table,
            source.rows_rejected,
            source.rows_duplicate,
            source.requests,
            source.retries,
        )
        rows.append((name, *("-" if count is None else f"{count:,}" for count in counts)))
    heads = ("source", "received", "in table", "rejects", "duplicates", "requests", "retries")
    print_table(console, "Rows by source, of all runs; requests of this one", heads, rows)


def _print_leaderboard(console: Console, summary: RunSummary) -> None:
    metric, rows = summary.metric or "score", []
    for line in summary.leaderboard:
        interval = "-" if line.interval is None else "{:.4f} to {:.4f}".format(*line.interval)
        fit = "-" if line.fit_s is None else f"{line.fit_s:.1f} s"
        notes = [
            line.error or "",
            "best" if line == summary.best else "",
            "within noise of the best" if line.within_noise else "",
            "kept" if line.reused else "",
        ]
        told = ", ".join(note for note in notes if note)
        rows.append((line.name, _score(line.score), interval, _score(line.holdout), fit, told))
    title = f"Leaderboard by {metric}: mean of the folds, 95 % interval, hold-out"
    print_table(console, title, ("candidate", metric, "interval", "hold-out", "fit", ""), rows)


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
