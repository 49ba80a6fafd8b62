"""What the Prefect UI shows of a training and of a prediction."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.config import write_label
from tasks.core.escaping import count, escape
from tasks.core.story import warn
from tasks.reports.artifacts import CELL_CHARACTERS, never_ends_a_run, show_page, show_table, warning_of_missing
from tasks.train.assessment.assess import Assessment
from tasks.train.evaluation.leaderboard import Leaderboard, Line
from tasks.train.registry import Decision

if TYPE_CHECKING:
    from tasks.train.predict.prediction import Prediction

_MOST_MARKDOWN = 450_000  # bytes; an artifact lives in Prefect's database for ever


@task(name="report leaderboard", task_run_name="report leaderboard", cache_policy=NO_CACHE, persist_result=False)
@never_ends_a_run
async def report_leaderboard(pipeline: str, leaderboard: Leaderboard) -> None:
    """Show the candidates, ranked; a unit of its own so that the artifact stands in the run's graph."""
    rows = [_row(line, leaderboard) for line in leaderboard.lines]
    training_set, split = leaderboard.training_set, leaderboard.split
    counted = f"{count(split.train, 'row')} to train in {len(split.folds)} folds, {split.test:,} held out"
    said = (
        f"Candidates by {leaderboard.training.metric}, greater is better: {counted}. Intervals are of 95 %, also in brackets; p is the chance of such "
        "a difference between equals, corrected for folds that overlap and for many comparisons."
    )
    if weights := leaderboard.training.weights:
        said += f" Each row counts by its {_sentence(weights)}, in fits and in every figure."
    if training_set.positive is not None:
        how = "the rarer one" if "positive" in training_set.guessed else "as declared"
        said += f" F1, pr_auc and their like are of the class {_sentence(write_label(training_set.positive))}, {how}."
    await show_table(f"{pipeline}-leaderboard", rows, " ".join([said, *map(_sentence, training_set.warnings)]))


def _row(line: Line, leaderboard: Leaderboard) -> dict[str, Any]:
    result, finalist, metric = line.result, line.finalist, leaderboard.training.metric
    best = leaderboard.best is not None and line.name == leaderboard.best.name
    return {
        "candidate": line.name,
        **({"failure": result.error or ""} if leaderboard.failed else {}),
        metric: _figure(line.score),
        "95 %": _interval(line.interval),
        "vs best": "best" if best else "within noise" if line.within_noise else _p(line.p_best),
        "vs dummy": _p(line.p_dummy),
        "hold-out": f"{finalist.score:.4f} ({_interval(finalist.interval) or 'unknown'})" if finalist else "",
        "fit (s)": "" if result.fit_s is None else round(result.fit_s, 1),
        "MiB": "" if result.memory_mb is None else round(result.memory_mb),
        **{name: _figure(value) for name, value in (result.metrics or {}).items() if name != metric},
    }


@task(name="report model", task_run_name="report model", cache_policy=NO_CACHE, persist_result=False)
@never_ends_a_run
async def report_model(
    pipeline: str,
    leaderboard: Leaderboard,
    assessment: Assessment | None,
    card: Path,
    decision: Decision,
    *,
    drawn: bool,
) -> None:
    """Show the finalists in pictures and the card of the best; a unit of its own to stand in the run's graph.

    Where nothing is new, and so not `drawn`, the pictures are those of the run before.
    """
    if drawn:
        await _show_pictures(pipeline, leaderboard, assessment)
    text = await asyncio.to_thread(card.read_text, encoding="utf-8")
    said = _sentence(decision.sentence)
    await _show_markdown(f"{pipeline}-model", f"> {said}\n\n{text}", said)


async def _show_pictures(pipeline: str, leaderboard: Leaderboard, assessment: Assessment | None) -> None:
    from tasks.train.plots.gallery import make_gallery  # noqa: PLC0415 - matplotlib and scikit-learn cost a second to import

    failures: list[tuple[str, Exception]] = []
    gallery = await asyncio.to_thread(make_gallery, leaderboard, assessment, failures)
    for title, error in failures:
        warn(warning_of_missing(f"the picture {title}", error))
    if gallery:
        await _show_markdown(f"{pipeline}-pictures", gallery, f"The finalists of {pipeline} on the hold-out.")


@task(name="report prediction", task_run_name="report prediction", cache_policy=NO_CACHE, persist_result=False)
@never_ends_a_run
async def report_prediction(pipeline: str, prediction: Prediction) -> None:
    """Show how far the new rows have moved from those learnt from; a unit of its own to stand in the run's graph."""
    rows = [
        {
            "feature": drift.feature,
            "PSI": round(drift.psi, 4),
            "drift": "yes" if drift.drifted else "",
            "missing": f"{drift.missing:.1%}",
            "missing in training": f"{drift.missing_before:.1%}",
        }
        for drift in prediction.drift
    ]
    said = (
        f"{count(prediction.rows, 'row')} of {prediction.source}, predicted by {prediction.version} ({prediction.candidate}) to "
        f"{prediction.path}. {''.join(f'{each}. ' for each in prediction.warnings)}A population stability index above 0.2, and above what so few rows show by chance, is drift."
    )
    await show_table(f"{pipeline}-drift", rows, said)


async def _show_markdown(key: str, text: str, description: str) -> None:
    if len(text) > _MOST_MARKDOWN:
        text = text[: text.rfind("\n## ", 0, _MOST_MARKDOWN)] + "\n\nWhat follows is too large to show."
    await show_page(key, text, description)


def _sentence(text: str) -> str:
    """Return a sentence that may hold names of columns as Markdown."""
    return escape(text, CELL_CHARACTERS, cell=False)


def _figure(value: float | None) -> Any:
    return "" if value is None else round(value, 4)


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"


def _p(value: float | None) -> str:
    return "" if value is None else "p < 0.001" if value < 0.001 else f"p = {value:.3f}"  # noqa: PLR2004 - three digits
