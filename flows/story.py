"""What a run tells of its parts: a sentence each, with its figures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence

from flows.recorder import TableBefore
from flows.summary import RunOptions, RunSummary
from tasks.config import Pipeline
from tasks.convert.table.state import CommittedTable
from tasks.core.escaping import count
from tasks.core.outcome import Failed, Outcome
from tasks.core.storage import DataFolder
from tasks.core.story import tell, warn
from tasks.export.job import Exported
from tasks.ingest.results import LandedSource
from tasks.train.evaluation.leaderboard import Leaderboard, Line
from tasks.train.truth.scores import Judged, WeekOfVersion, write_figure

_LISTED = 10
"""Parts of a stage that have a sentence each; what there is beyond is counted."""
_CAUSES = 3


class PartStory:
    """Tells what became of the parts of a stage as they end, of the first ones singly, and of those that are as they were in one line."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._told = 0
        self._left = 0
        self._same: list[str] = []

    def tell(self, sentence: str, *, is_new: bool = True) -> None:
        """Tell of a part that has ended."""
        if self._told == _LISTED:
            self._left += 1
            return
        self._told += 1
        if is_new:
            tell(f"{self._stage} {sentence}")
        else:
            self._same.append(sentence)

    def end(self) -> None:
        """Tell of the parts that are as they were, and how many there were that were not told of singly."""
        if self._same:
            tell(f"{self._stage} {'; '.join(self._same)}")
        if self._left:
            tell(f"{self._stage}: and {self._left:,} more; the artifacts of the stage list them")
        self._same, self._left = [], 0


def begin_pipeline(pipeline: Pipeline, root: str, options: RunOptions) -> str:
    """Return the first sentence of a run: what it is to do, and where."""
    kinds = [f"{name} ({source.kind})" for name, source in list(pipeline.sources.items())[:_LISTED]]
    more = f" and {len(pipeline.sources) - _LISTED} more" if len(pipeline.sources) > _LISTED else ""
    parts = [f"{count(len(pipeline.sources), 'source')}: {', '.join(kinds)}{more}"]
    if pipeline.tables:
        parts.append(f"{count(len(pipeline.tables), 'table')} made of others")
    if pipeline.training:
        parts.append(f"{count(len(pipeline.training.candidates), 'candidate')} for {pipeline.training.target}")
    if pipeline.export:
        parts.append(f"{count(sum(map(len, pipeline.export.values())), 'export')}")
    asked = [
        *([f"{options.only} alone"] if options.only else []),
        *(["done again what is done"] if options.fresh else []),
        *([f"the slice {options.partitions}"] if options.partitions else []),
        *([f"at most {options.limit:,} of each source's pages and files"] if options.limit else []),
    ]
    said = f" Asked for: {', '.join(asked)}." if asked else ""
    return f"The pipeline {pipeline.name} begins, in {root}: {'; '.join(parts)}.{said}"


async def warn_of_size(pipeline: Pipeline, folder: DataFolder, options: RunOptions) -> None:
    """Tell what of a run may not fit in the memory or on the disk that there is; files in stores are not looked at."""
    from tasks.estimate.pipeline import estimate_pipeline  # noqa: PLC0415 - a run alone estimates

    try:
        estimates = await asyncio.to_thread(estimate_pipeline, pipeline, folder, options.runs, in_stores=False)
    except Exception as lost:  # noqa: BLE001 - what is wrong with files and tables their stages tell; an estimate ends no run
        tell(f"how much this takes is not known: {lost}", logging.DEBUG)
        return
    for shortage in estimates.shortages:
        warn(shortage)


def is_fetched(source: LandedSource) -> bool:
    """Return whether anything of a source was fetched, or could not be."""
    return bool(source.total("reused") < len(source.landed) or source.failures or source.total("requests"))


def landed(source: LandedSource) -> str:
    """Return what came of a source that is fetched: rows, bytes, requests, retries and why."""
    partitions, reused, failed = len(source.landed), source.total("reused"), len(source.failures)
    rows, requests, retries = source.total("rows"), source.total("requests"), source.total("retries")
    of = f" of {count(partitions, 'partition')}" if partitions + failed > 1 else ""
    if not is_fetched(source):
        return f"{source.source}: nothing to fetch, {count(rows, 'row')}{of} landed before"
    cost = f"{count(requests, 'request')}, {source.total('body_bytes'):,} bytes"
    told = [
        f"{count(rows, 'row')}{of} by {cost}",
        *([f"{reused:,} of the partitions landed before"] if reused else []),
        *([f"{source.resumed:,} went on where a run before had stopped"] if source.resumed else []),
        *([f"{count(retries, 'request')} made again{_why(source)}"] if retries else []),
        *([f"{count(failed, 'partition')} could not be fetched"] if failed else []),
    ]
    return f"{source.source}: {'; '.join(told)}"


def _why(source: LandedSource) -> str:
    causes = [f"{number:,} times {cause}" if number > 1 else cause for cause, number in source.causes[:_CAUSES]]
    return f" ({'; '.join(causes)})" if causes else ""


class TableStory(PartStory):
    """Tells what became of tables: their rows now and before, and what could not enter them and where it lies."""

    def __init__(self, stage: str, folder: DataFolder, before: Mapping[str, TableBefore]) -> None:
        super().__init__(stage)
        self._folder = folder
        self._before = before

    async def follow(self, work: Awaitable[Outcome[CommittedTable]]) -> Outcome[CommittedTable]:
        """Return what becomes of a table, and tell it; a failure is told by its stage."""
        outcome = await work
        if not isinstance(outcome, Failed):
            is_new = outcome.findings.changed or outcome.rows_rejected > 0
            self.tell(f"{outcome.source}: {self._describe(outcome)}", is_new=is_new)
        return outcome

    def _describe(self, table: CommittedTable) -> str:
        rows, before = count(table.rows_table, "row"), self._before.get(table.source)
        if not table.findings.changed:
            return f"nothing new, {rows}{self._rejected(table)}"
        was = "a new table" if before is None else f"{before.rows:,} before"
        read = f"{count(table.files_read, 'file')} read" if table.files_read else "made of others"
        again = (
            f"; {count(table.rows_duplicate, 'row')} came again, and the key keeps one" if table.rows_duplicate else ""
        )
        columns = count(len(table.types), "column")
        return f"{rows} ({was}) of {columns}, {read} in {table.findings.seconds:,.1f} s{again}{self._rejected(table)}"

    def _rejected(self, table: CommittedTable) -> str:
        """Return what could not enter a table, most often why, and where it lies; nothing where a warning says so."""
        where = str(self._folder.rejects(table.source))
        if not table.rows_rejected or any(where in warning for warning in table.warnings):
            return ""
        reason, number = max(table.reasons.items(), key=lambda item: item[1], default=("", 0))
        why = f", most often because {reason} ({number:,})" if reason else ""
        return f"; {count(table.rows_rejected, 'row')} rejected{why}, in {where}"


def candidate(line: Line, metric: str) -> str:
    """Return what became of a candidate."""
    result = line.result
    score = "no score" if line.score is None else f"{metric} {line.score:.4f}"
    within = "" if line.interval is None else f" ({line.interval[0]:.4f} to {line.interval[1]:.4f})"
    judged = f", {line.finalist.score:.4f} on the hold-out" if line.finalist else ""
    how = "as fitted before" if result.reused else f"fitted in {result.fit_s or 0.0:,.1f} s"
    return f"{line.name}: {score}{within}{judged}, {how}"


def exported(each: Exported) -> str:
    """Return what became of a table that is written for others."""
    done = f"written in {each.seconds:,.1f} s" if each.written else "as it was"
    return f"{each.table} to {each.to}: {count(each.rows, 'row')}, {done}"


def sum_up_ingest(sources: Sequence[LandedSource]) -> str:
    """Return what an ingest came to."""
    rows = sum(source.total("rows") for source in sources)
    requests, retries = (sum(source.total(of) for source in sources) for of in ("requests", "retries"))
    again = f", {retries:,} of them again" if retries else ""
    return f"{count(rows, 'row')} of {count(len(sources), 'source')}, {count(requests, 'request')}{again}."


def sum_up_tables(outcomes: Sequence[Outcome[CommittedTable]]) -> str:
    """Return what the tables of a stage came to."""
    tables = [each for each in outcomes if not isinstance(each, Failed)]
    rows, new = sum(each.rows_table for each in tables), sum(each.findings.changed for each in tables)
    return f"{count(rows, 'row')} in {count(len(tables), 'table')}, {new:,} of them new or changed."


def sum_up_training(board: Leaderboard) -> str:
    """Return what a training came to."""
    if board.best is None or board.best.score is None:
        return "No candidate has a score."
    number = sum(1 for _ in board.training.candidates)
    return f"{board.best.name} is the best of {count(number, 'candidate')}: {board.training.metric} {board.best.score:.4f}."


def sum_up_exports(outcomes: Sequence[Outcome[Exported]]) -> str:
    """Return what the exports came to."""
    done = [each for each in outcomes if not isinstance(each, Failed)]
    return f"{count(len(done), 'target')}, {sum(each.written for each in done):,} written."


def scored_week(week: WeekOfVersion) -> str:
    """Return what the predictions of a version in a week have come to."""
    score, holdout = week.score, week.figures["hold-out"]
    counted = f"{week.number('scored'):,} of {count(week.number('predicted'), 'prediction')} known by now"
    told = "too few or too much alike to score" if score is None else f"{week.metric} {write_figure(score)}"
    fallen = ", surely less" if week.has_fallen else ""
    return f"week of {week.week}, {week.version}: {told}{fallen}, {write_figure(holdout)} on its hold-out; {counted}"


def sum_up_truth(judged: Judged) -> str:
    """Return what judging past predictions came to."""
    if not judged.kept:
        return "No prediction is kept yet; from now on predict keeps those that have the columns of truth.key."
    young = f", {judged.young:,} of {count(judged.kept, 'prediction file')} too young to count" if judged.young else ""
    if not judged.is_new:
        return f"Nothing new: {count(len(judged.weeks), 'week')} as scored before{young}."
    return f"{len(judged.scored):,} of {count(len(judged.weeks), 'week')} scored anew{young}."


def sum_up_run(summary: RunSummary) -> str:
    """Return the message of a run that came to its end: what failed in it, its warnings, and what there is now."""
    failed, warned = len(summary.failures), len(summary.warnings)
    problems = [
        *([f"{count(failed, 'failure')}: {summary.failures[0]}"] if failed else []),
        *([f"{count(warned, 'warning')}: {summary.warnings[0]}"] if warned else []),
    ]
    if problems:
        return f"Completed with {'; '.join(problems)}"
    tables = [
        *(source.rows_table or 0 for source in summary.sources.values()),
        *(made.rows for made in summary.tables.values()),
    ]
    is_told = bool({"convert", "tables"} & summary.seconds.keys())
    now = [f"{count(sum(tables), 'row')} in {count(len(tables), 'table')}"] if is_told else []
    now += [f"{summary.champion.version} ({summary.champion.candidate}) serves"] if summary.champion else []
    return f"Completed without a warning{': ' if now else ''}{', '.join(now)}"
