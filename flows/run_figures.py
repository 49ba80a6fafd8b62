"""The figures of every run of a pipeline, rows of one table: is it getting worse?"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from pyarrow.json import ParseOptions, read_json

from flows.summary import RunSummary
from tasks.core.errors import TableError
from tasks.core.escaping import count
from tasks.core.storage import DataFolder, commit

SCHEMA = pa.schema(
    {
        "ended": pa.timestamp("us", "UTC"),
        "flow_run": pa.string(),
        "pipeline": pa.string(),
        "kind": pa.string(),
        "name": pa.string(),
        "figure": pa.string(),
        "value": pa.float64(),
    }
)
"""One row a figure of a run: `kind` run, stage, source, table, candidate or champion, which of them, what, how much."""
RUNS_COMPARED = 10


@dataclass(frozen=True)
class Figure:
    """A figure of a run."""

    kind: str
    name: str
    figure: str
    value: float


def keep_figures(folder: DataFolder, summary: RunSummary) -> Path:
    """Commit the figures of a run that has ended to its pipeline's part of the table; a run that is retried replaces its own.

    Raises:
        TableError: the part cannot be read.

    """
    path = folder.history / f"{summary.pipeline}.parquet"
    folder.history.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.history / ".lock"):
        others = _without(read_figures(folder, summary.pipeline), summary.flow_run_id)
        with commit(path) as part:
            pq.write_table(pa.concat_tables([*others, _as_table(summary)]), part, compression="zstd")
    return path


def _as_table(summary: RunSummary) -> pa.Table:
    """Return the rows of a run, read as JSON: a table of Python's own values imports pandas, a second of each run."""
    run = {"ended": datetime.now(UTC), "flow_run": summary.flow_run_id, "pipeline": summary.pipeline}
    figures = [run | asdict(figure) for figure in figures_of(summary) if math.isfinite(figure.value)]
    lines = msgspec.json.Encoder().encode_lines(figures)
    return read_json(io.BytesIO(lines), parse_options=ParseOptions(explicit_schema=SCHEMA)).select(SCHEMA.names)


def _without(table: pa.Table, flow_run: str | None) -> list[pa.Table]:
    """Return the parts of a table before and after the rows of a run, which were written at once."""
    runs = table["flow_run"].to_pylist()
    number = runs.count(flow_run)
    first = runs.index(flow_run) if number else 0
    return [table.slice(0, first), table.slice(first + number)]


def read_figures(folder: DataFolder, pipeline: str) -> pa.Table:
    """Return the figures of a pipeline's runs, the oldest first; none where it has not run.

    Raises:
        TableError: the part cannot be read.

    """
    path = folder.history / f"{pipeline}.parquet"
    if not path.exists():
        return pa.Table.from_batches([], SCHEMA)
    try:
        with pq.ParquetFile(path) as file:  # `read_table` imports pandas
            table = file.read()
            return pa.Table.from_arrays([table[each.name].cast(each.type) for each in SCHEMA], schema=SCHEMA)
    except (OSError, pa.ArrowException, KeyError) as error:
        said = (str(error).splitlines() or [""])[0].rstrip(".")
        raise TableError(f"{path}: cannot be read ({said}); move it away, and the next run begins anew") from None


def read_last_figures(folder: DataFolder, pipeline: str, number: int) -> pa.Table:
    """Return the figures of a pipeline's last runs, the oldest first.

    Raises:
        TableError: the part cannot be read.

    """
    table = read_figures(folder, pipeline)
    runs = table["flow_run"].to_pylist()
    shown = list(dict.fromkeys(reversed(runs)))[:number]
    return table.slice(runs.index(shown[-1])) if shown else table


def figures_of(summary: RunSummary) -> Iterator[Figure]:
    """Yield what of a run's summary is compared with other runs."""
    yield Figure("run", summary.pipeline, "failures", len(summary.failures) + (summary.error is not None))
    for stage, seconds in summary.seconds.items():
        yield Figure("stage", stage, "seconds", seconds)
    for name, source in summary.sources.items():
        counted = {
            "rows": source.rows_table,
            "rows new": source.rows_new,
            "rejects": source.rows_rejected,
            "requests": source.requests,
            "retries": source.retries,
            "bytes": source.bytes_received,
        }
        for figure, number in counted.items():
            if number is not None:
                yield Figure("source", name, figure, number)
    for name, table in summary.tables.items():
        yield Figure("table", name, "rows", table.rows)
    for line in summary.leaderboard:
        scores = {summary.metric or "score": line.score, "hold-out": line.holdout, "fit seconds": line.fit_s}
        for figure, score in scores.items():
            if score is not None:
                yield Figure("candidate", line.name, figure, score)
    if summary.champion is not None:
        yield Figure("champion", summary.champion.candidate, summary.champion.metric, summary.champion.score)


def is_told(summary: RunSummary) -> bool:
    """Return whether a run changed anything that the picture of its pipeline's runs shows."""
    return (
        summary.status != "completed"
        or any(source.rows_new for source in summary.sources.values())
        or any(table.made for table in summary.tables.values())
        or any(not line.reused for line in summary.leaderboard)
    )


def compare_figures(table: pa.Table) -> list[str]:
    """Return sentences on how the last run's figures lie beside those of up to ten runs before it."""
    runs = table["flow_run"].unique().to_pylist()
    if len(runs) < 3:  # noqa: PLR2004 - two runs make no history
        return []
    shown = {("champion", None), ("source", "rejects"), ("source", "rows"), ("table", "rows"), ("run", "failures")}
    told = []
    series: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in table.to_pylist():
        if {(row["kind"], row["figure"]), (row["kind"], None)} & shown:
            name = "" if row["kind"] == "champion" else row["name"]  # whichever serves
            series.setdefault((row["kind"], name, row["figure"]), {})[row["flow_run"]] = row["value"]
    for (kind, name, figure), values in series.items():
        before = [values[run] for run in runs[-1 - RUNS_COMPARED : -1] if run in values]
        if runs[-1] in values and before and values[runs[-1]] != median(before):
            usual = f"{median(before):,.6g} in the median of the {count(len(before), 'run')} before it"
            told.append(f"{f'{kind} {name}'.strip()}: {figure} {values[runs[-1]]:,.6g}, {usual}")
    return told
