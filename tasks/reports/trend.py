"""What the Prefect UI shows of a pipeline's runs, one beside the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pyarrow as pa

from tasks.core.escaping import escape
from tasks.reports.artifacts import CELL_CHARACTERS, never_ends_a_run, show_page

RUNS_SHOWN = 100
SERIES_SHOWN = 6
_PANELS = {
    "Champion on its hold-out": (("champion",), None),
    "Rows of tables": (("source", "table"), "rows"),
    "Rejects": (("source",), "rejects"),
    "Seconds of stages": (("stage",), "seconds"),
}
"""Title of a panel: the kinds that it has, and the figure of them; None for the champion's metric, whichever it is."""


@never_ends_a_run
async def report_trend(pipeline: str, figures: pa.Table, sentences: Sequence[str]) -> None:
    """Show a pipeline's last runs in pictures, and how the last one lies beside those before it.

    Args:
        pipeline: Its name.
        figures: Rows (ended, flow_run, kind, name, figure, value), the oldest first.
        sentences: What is to be told above the pictures.

    """
    runs = figures["flow_run"].unique().to_pylist()[-RUNS_SHOWN:]
    picture = await asyncio.to_thread(_draw, figures, runs)
    told = [f"- {escape(sentence, CELL_CHARACTERS, cell=False)}" for sentence in sentences]
    page = "\n".join(
        [f"# The last {len(runs)} runs of {escape(pipeline, cell=False)}", "", *told, "", f"![Runs]({picture})"]
    )
    await show_page(f"{pipeline}-history", page, f"The last {len(runs)} runs of {pipeline}: is it getting worse?")


def _draw(figures: pa.Table, runs: Sequence[str]) -> str:
    from tasks.train.plots.plots import draw_runs  # noqa: PLC0415 - matplotlib: half a second

    places = {run: place for place, run in enumerate(runs, start=1)}
    panels = {}
    rows = [row for row in figures.to_pylist() if row["flow_run"] in places]
    for title, (kinds, figure) in _PANELS.items():
        series: dict[str, list[tuple[int, float]]] = {}
        for row in rows:
            if row["kind"] in kinds and figure in (None, row["figure"]):
                name = row["figure"] if figure is None else row["name"]
                series.setdefault(name, []).append((places[row["flow_run"]], row["value"]))
        largest = sorted(series.items(), key=lambda item: -max(abs(value) for _, value in item[1]))
        panels[title] = dict(largest[:SERIES_SHOWN])
    return draw_runs({title: series for title, series in panels.items() if series})
