"""What the Prefect UI shows of past predictions whose truth is known."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from tasks.core.escaping import escape, table
from tasks.reports.artifacts import CELL_CHARACTERS, never_ends_a_run, show_page
from tasks.train.assessment.threshold import COST
from tasks.train.truth.scores import Judged, WeekOfVersion, write_figure

WEEKS_SHOWN = 52


@never_ends_a_run
async def report_truth(pipeline: str, judged: Judged) -> None:
    """Show what the predictions of the last weeks have come to, beside the hold-out and what had drifted."""
    weeks = judged.weeks[-WEEKS_SHOWN:]
    drawn = [week for week in weeks if week.score is not None and week.metric == weeks[-1].metric]
    picture = await asyncio.to_thread(_draw, drawn) if drawn else ""
    fallen = [week for week in weeks if week.has_fallen]
    said = (
        f"In {len(fallen)} of the weeks shown the score is surely worse than on the hold-out, last in that of {fallen[-1].week}."
        if fallen
        else "In none of the weeks shown the score is surely worse than on the hold-out."
    )
    page = [f"# What came of predictions of {escape(pipeline, cell=False)}", "", said, ""]
    page += [f"- {escape(problem, CELL_CHARACTERS, cell=False)}" for problem in judged.problems]
    page += ["", f"![Scores by week]({picture})"] if picture else []
    heads = (
        "week",
        "version",
        "score (95 %)",
        "",
        "hold-out (95 %)",
        "known>",
        "waiting>",
        "rejects>",
        "drifted>",
        "worth (95 %)",
        "coverage (95 %)",
    )
    page += ["", table(heads, [_cells(week) for week in reversed(weeks)])]
    await show_page(f"{pipeline}-truth", "\n".join(page), said)


def _cells(week: WeekOfVersion) -> list[str]:
    known = week.figures
    worth = next((name for name in known if name == COST or name.endswith(" of decisions")), None)
    state = "**fell**" if week.has_fallen else "" if week.number("over") else "goes on"
    rejects = sum(week.number(each) for each in ("keyless", "ambiguous", "already", "disputed", "unmet"))
    return [
        str(week.week),
        escape(week.version),
        f"{escape(week.metric)} {write_figure(week.score)}",
        state,
        write_figure(known["hold-out"]),
        f"{week.number('scored'):,}",
        f"{week.number('waiting'):,}",
        f"{rejects:,}",
        f"{known['drifted']['value']:.0%}",
        f"{worth} {write_figure(known[worth])}" if worth else "",
        write_figure(known.get("coverage")) if "coverage" in known else "",
    ]


def _draw(weeks: Sequence[WeekOfVersion]) -> str:
    from tasks.train.plots.plots import draw_weeks  # noqa: PLC0415 - matplotlib: half a second

    names = sorted({str(week.week) for week in weeks})
    series: dict[str, list[tuple[int, float, float, float]]] = {}
    drifted: dict[str, list[tuple[int, float]]] = {}
    holdouts: dict[str, tuple[float, float]] = {}
    for week in weeks:
        place, score, holdout = names.index(str(week.week)), week.score, week.figures["hold-out"]
        assert score is not None
        ends = (score["low"], score["high"])
        low, high = (score["value"] if end is None or not math.isfinite(end) else end for end in ends)
        series.setdefault(week.version, []).append((place, score["value"], low, high))
        drifted.setdefault(week.version, []).append((place, week.figures["drifted"]["value"]))
        if holdout["low"] is not None and holdout["high"] is not None:
            holdouts[week.version] = (holdout["low"], holdout["high"])
    metric = weeks[-1].metric
    return draw_weeks(names, series, metric, holdouts, drifted)
