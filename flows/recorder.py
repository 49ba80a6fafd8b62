"""The recorder of a run: what it came to, gathered stage by stage."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict, cast

from prefect.client.schemas.objects import State, StateDetails
from prefect.states import Completed
from prefect.utilities.engine import link_state_to_task_run_result

from flows.lineage import named_run
from flows.summary import ChampionSummary, ExportSummary, RunSummary, SourceSummary, Stage, TableSummary, TargetSummary
from flows.telemetry import Telemetry, spanned
from flows.watch import Watch
from tasks.convert.table.manifest import read_table_manifest
from tasks.convert.table.state import CommittedTable, shown_types
from tasks.core.errors import StageError, TrainingError
from tasks.core.outcome import Failed, Outcome
from tasks.core.storage import DataFolder
from tasks.export.job import Exported
from tasks.ingest.results import Count, LandedSource
from tasks.train.evaluation.leaderboard import Leaderboard

_INGEST_COUNTS: tuple[Count, ...] = ("requests", "retries", "refused", "pages", "elements_skipped")
_TABLE_COUNTS = ("rows_received", "rows_table", "rows_rejected", "rows_duplicate", "rows_new", "records_empty")


@dataclass(frozen=True)
class TableBefore:
    """What a table held before a run."""

    rows: int
    rejects: int
    types: Mapping[str, str]


def read_tables_before(names: Iterable[str], folder: DataFolder) -> dict[str, TableBefore]:
    """Return what each of the tables holds that are there."""
    manifests = {name: read_table_manifest(folder.table(name)) for name in names}
    return {
        name: TableBefore(
            manifest.total, sum(file.rows_rejected for file in manifest.files.values()), shown_types(manifest.types)
        )
        for name, manifest in manifests.items()
        if manifest.number
    }


class _Outcomes(TypedDict, total=False):
    """What each stage came to, by its name."""

    ingest: Sequence[LandedSource]
    convert: Sequence[Outcome[CommittedTable]]
    tables: Sequence[Outcome[CommittedTable]]
    train: Leaderboard
    export: Sequence[Outcome[Exported]]


@dataclass
class RunRecorder:
    """The outcomes of a run's stages so far, and their seconds."""

    pipeline: str
    models: Path
    """Folder of the pipeline's models."""
    flow_run_id: str | None = None
    warnings: Sequence[str] = ()
    """What is to be told of the run beside what its stages tell."""
    before: Mapping[str, TableBefore] = field(default_factory=dict)
    """What the tables held before the run."""
    watch: Watch | None = None
    """What tells, after each stage, of changes that an alert waits for."""
    telemetry: Telemetry | None = None
    """What sends, after each stage, the spans that have ended."""
    outcomes: _Outcomes = field(default_factory=_Outcomes)
    seconds: dict[str, float] = field(default_factory=dict)

    async def add(self, stage: Stage, flow: Any, *asked: Any) -> None:
        """Run a stage after those before it, in the run's graph too; when it fails, what its other parts came to is kept."""
        start = time.monotonic()
        try:
            with spanned(stage, {"tidemill.stage": stage}):
                async with named_run():
                    state = await flow(*asked, wait_for=[*self.outcomes.values()][-1:], return_state=True)
                    self.outcomes[stage] = await state.aresult()
                _draw_next_after(state, self.outcomes[stage])
        except StageError as error:
            self.outcomes[stage] = cast("Any", error.outcome)
            raise
        finally:
            self.seconds[stage] = round(time.monotonic() - start, 2)
            if self.watch is not None:
                await self.watch.tell()
            if self.telemetry is not None:
                await self.telemetry.send_spans()

    def summary(self, error: BaseException | None) -> RunSummary:
        """Return the summary of what has come so far; `error` is what ended the run, if anything did."""
        landed, converted = self.outcomes.get("ingest", ()), self.outcomes.get("convert", ())
        tables = [outcome for outcome in converted if not isinstance(outcome, Failed)]
        made = [outcome for outcome in self.outcomes.get("tables", ()) if not isinstance(outcome, Failed)]
        board = self.outcomes.get("train")
        failures = [failed.message for source in landed for failed in source.failed]
        failures += [outcome.message for outcome in converted if isinstance(outcome, Failed)]
        failures += [each.message for each in self.outcomes.get("tables", ()) if isinstance(each, Failed)]
        failures += [f"candidate {result.name}: {result.error}" for result in board.failed] if board else []
        failures += [each.message for each in self.outcomes.get("export", ()) if isinstance(each, Failed)]
        return RunSummary(
            pipeline=self.pipeline,
            status="failed" if error else "partial" if failures else "completed",
            error=(str(error) or type(error).__name__) if error else None,
            failures=failures,
            warnings=list(dict.fromkeys((*self.warnings, *_warnings_of_rows(landed, tables, made), *_warnings(board)))),
            sources=_summarize(landed, converted, self.before),
            tables={each.source: _summarize_made(each, self.before.get(each.source)) for each in made},
            exports=[
                ExportSummary(each.table, each.to, each.rows, each.written, list(each.notes))
                for each in self.outcomes.get("export", ())
                if not isinstance(each, Failed)
            ],
            leaderboard=[line.kept for line in board.lines] if board else [],
            metric=board.training.metric if board else None,
            best=board.best.kept if board and board.best else None,
            champion=_summarize_champion(self.models) if "train" in self.seconds else None,
            target=_summarize_target(board) if board else None,
            seconds=self.seconds,
            flow_run_id=self.flow_run_id,
        )


def _draw_next_after(state: State, outcome: Any) -> None:
    """Have the run's graph draw what waits for an outcome after the flow run that came to it.

    It is linked as a task's, in whose ids the graph finds flow runs too: of a link to a flow run the UI can read none
    of the task runs that it lists.
    """
    ended: State = Completed(state_details=StateDetails(task_run_id=state.state_details.flow_run_id))
    link_state_to_task_run_result(ended, outcome)


def _warnings_of_rows(
    landed: Sequence[LandedSource], tables: Sequence[CommittedTable], made: Sequence[CommittedTable]
) -> Iterator[str]:
    for source in landed:
        yield from source.warnings
    for table in tables:
        yield from table.warnings
    for table in made:
        yield from (f"table {table.source}: {warning}" for warning in table.findings.warnings)


def _summarize_made(table: CommittedTable, before: TableBefore | None) -> TableSummary:
    changed = _changed_columns(before, table)
    rows_before = before.rows if before else None
    return TableSummary(table.rows_table, len(table.types), table.findings.changed, rows_before, changed)


def _changed_columns(before: TableBefore | None, table: CommittedTable) -> list[str]:
    """Return what of a table's columns is not as it was, a few words each."""
    was, now = (before.types if before else {}), table.types
    if not was:
        return []
    return [
        *(f"{name} ({kind}) is gone" for name, kind in was.items() if name not in now),
        *(f"{name} is {kind}, and was {was[name]}" for name, kind in now.items() if was.get(name, kind) != kind),
        *(f"{name} ({kind}) is new" for name, kind in now.items() if name not in was),
    ]


def _summarize(
    landed: Sequence[LandedSource], converted: Sequence[Outcome[CommittedTable]], before: Mapping[str, TableBefore]
) -> dict[str, SourceSummary]:
    sources: dict[str, dict[str, Any]] = {}
    tables = [outcome for outcome in converted if not isinstance(outcome, Failed)]
    for source in landed:
        sources[source.source] = {
            **{name: source.total(name) for name in _INGEST_COUNTS},
            "rows_received": source.total("rows"),
            "bytes_received": source.total("body_bytes"),
            "partitions_reused": source.total("reused"),
            "partitions_resumed": source.resumed,
            "partitions_failed": len(source.failures),
            "partitions_ignored": [each.partition for each in source.landed if each.ignored],
            "why_again": list(source.causes),
            "error": "\n".join(failed.message for failed in source.failed) or None,
        }
    for failed in converted:
        if isinstance(failed, Failed) and failed.part:
            sources[failed.part] = sources.get(failed.part, {}) | {"error": failed.message}
    read = dict(pair for source in landed for pair in source.rows_of_parents.items())
    for table in tables:
        counts = {name: getattr(table, name) for name in _TABLE_COUNTS}
        counts["rows_new"] = max(table.rows_new, read.get(table.source, 0))
        guesses = table.findings.guesses.as_data() if table.findings.guesses.shared else None
        sources[table.source] = sources.get(table.source, {}) | counts | {"guesses": guesses}
        sources[table.source]["columns_changed"] = _changed_columns(before.get(table.source), table)
    for name in sources.keys() & before.keys():
        sources[name] |= {"rows_before": before[name].rows, "rejects_before": before[name].rejects}
    return {name: SourceSummary(**counts) for name, counts in sources.items()}


def _summarize_champion(models: Path) -> ChampionSummary | None:
    from tasks.train.registry import read_champion  # noqa: PLC0415 - pandas takes a moment to import

    try:
        champion = read_champion(models)
    except TrainingError:  # it has ended the stage, and is the run's error
        return None
    if champion is None:
        return None
    return ChampionSummary(
        version=champion.version,
        candidate=champion.candidate,
        model=f"{models.parent.name}/{models.name}/{champion.model}",
        metric=champion.metric,
        score=champion.score,
        since=champion.since,
        decision=champion.decisions[-1].sentence if champion.decisions else "",
    )


def _summarize_target(board: Leaderboard) -> TargetSummary:
    made = board.training_set
    return TargetSummary(board.training.target, made.task, made.positive, list(made.guessed))


def _warnings(board: Leaderboard | None) -> list[str]:
    if board is None or board.best is None:
        return []
    nothing = f"the best candidate, {board.best.name}, does not beat the dummy baseline: it has learnt nothing of use"
    return [*board.training_set.warnings, *([] if board.beats_dummy else [nothing])]
