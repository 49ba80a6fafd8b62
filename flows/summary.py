"""The summary of a run, gathered stage by stage: what the command line prints at the end, and `summary.json` holds."""

from __future__ import annotations

import time
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tasks.convert.table.state import CommittedTable
from tasks.core.errors import StageError, TrainingError
from tasks.core.storage import read_json
from tasks.ingest.results import Count, LandedSource
from tasks.train.evaluation.leaderboard import Leaderboard


@dataclass(frozen=True)
class SourceSummary:
    """What became of one source; None where its stage did not run or did not come so far.

    The `rows_` and `pages` are of all that is landed or in the table, also by runs
    before: rows that came in several runs, as a killed one's and the next one's,
    count in each. `rows_new` (of `rows_received`, those that this run read into
    the table), `requests`, `retries`, `refused` (answers of 429) and
    `bytes_received` are this run's. `records_empty` are records that gave no row, as the
    list that is exploded was empty: they are none of the rows received.
    """

    rows_received: int | None = None
    rows_table: int | None = None
    rows_rejected: int | None = None
    rows_duplicate: int | None = None
    records_empty: int | None = None
    rows_new: int | None = None
    requests: int = 0
    retries: int = 0
    refused: int = 0
    pages: int = 0
    elements_skipped: int = 0
    """Elements that the selector `rows` of web pages matches, and that are no rows, as no column matches in them."""
    bytes_received: int = 0
    partitions_reused: int = 0
    partitions_resumed: int = 0
    partitions_failed: int = 0
    guesses: dict[str, Any] | None = None
    """How its files were read, which texts are null, and the columns on whose type they differ; None where it has no files."""


@dataclass(frozen=True)
class ChampionSummary:
    """The version that serves: `model` is its file in the data folder, `decision` what was decided last."""

    version: str
    candidate: str
    model: str
    metric: str
    score: float
    since: str
    decision: str


@dataclass(frozen=True)
class TargetSummary:
    """What the train stage predicted; `guessed` names what of task and positive the pipeline file can declare."""

    name: str
    task: str
    positive: bool | float | str | None
    """The positive one of two classes, of which f1, pr_auc and their like are."""
    guessed: list[str]


@dataclass(frozen=True)
class RunSummary:
    """What became of a run.

    `status` is `partial` when it came to its end but some of its parts failed,
    which `failures` lists; `error` says what ended a failed one. `seconds` are
    wall-clock by stage; `leaderboard` is that of the train stage, as data, and
    `best` its best candidate. `champion` is what serves after the train stage,
    which may be of an earlier run.
    """

    pipeline: str
    status: Literal["completed", "partial", "failed"]
    error: str | None
    failures: list[str]
    warnings: list[str]
    sources: dict[str, SourceSummary]
    leaderboard: list[dict[str, Any]]
    metric: str | None
    best: dict[str, Any] | None
    champion: ChampionSummary | None
    seconds: dict[str, float]
    flow_run_id: str | None
    target: TargetSummary | None = None

    def as_data(self) -> dict[str, Any]:
        """Return the summary as plain JSON-able data."""
        return asdict(self)


def read_summary(path: Path, flow_run_id: str) -> RunSummary | None:
    """Return the summary that a flow run left at `path`; None where another run's, or none, is there."""
    data = read_json(path)
    if not isinstance(data, dict) or data.get("flow_run_id") != flow_run_id:
        return None
    sources = {name: SourceSummary(**source) for name, source in data["sources"].items()}
    champion = ChampionSummary(**data["champion"]) if data["champion"] else None
    target = TargetSummary(**data["target"]) if data.get("target") else None
    return RunSummary(**{**data, "sources": sources, "champion": champion, "target": target})


_INGEST_COUNTS: tuple[Count, ...] = ("requests", "retries", "refused", "pages", "elements_skipped")
_TABLE_COUNTS = ("rows_received", "rows_table", "rows_rejected", "rows_duplicate", "rows_new", "records_empty")


@dataclass
class RunRecorder:
    """The outcomes of a run's stages so far, and their seconds."""

    pipeline: str
    models: Path
    """Folder of the pipeline's models."""
    flow_run_id: str | None = None
    warnings: Sequence[str] = ()
    """What is to be told of the run beside what its stages tell."""
    outcomes: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    async def add(self, stage: str, work: Coroutine[Any, Any, Any]) -> None:
        """Run a stage; when it fails, what its other parts came to is kept."""
        start = time.monotonic()
        try:
            self.outcomes[stage] = await work
        except StageError as error:
            self.outcomes[stage] = error.outcome
            raise
        finally:
            self.seconds[stage] = round(time.monotonic() - start, 2)

    def summary(self, error: BaseException | None) -> RunSummary:
        """Return the summary of what has come so far; `error` is what ended the run, if anything did."""
        landed: Sequence[LandedSource] = self.outcomes.get("ingest") or ()
        tables: Sequence[CommittedTable] = self.outcomes.get("convert") or ()
        board: Leaderboard | None = self.outcomes.get("train")
        failures = [sentence for source in landed for sentence in source.sentences]
        failures += [f"candidate {result.name}: {result.error}" for result in board.failed] if board else []
        return RunSummary(
            pipeline=self.pipeline,
            status="failed" if error else "partial" if failures else "completed",
            error=(str(error) or type(error).__name__) if error else None,
            failures=failures,
            warnings=list(dict.fromkeys((*self.warnings, *_warnings_of_rows(landed, tables), *_warnings(board)))),
            sources=_summarize(landed, tables),
            leaderboard=board.as_data()["candidates"] if board else [],
            metric=board.metric if board else None,
            best=board.best.as_data() if board and board.best else None,
            champion=_summarize_champion(self.models) if "train" in self.seconds else None,
            target=_summarize_target(board) if board else None,
            seconds=self.seconds,
            flow_run_id=self.flow_run_id,
        )


def _warnings_of_rows(landed: Sequence[LandedSource], tables: Sequence[CommittedTable]) -> Iterator[str]:
    for source in landed:
        yield from source.warnings
    for table in tables:
        yield from table.warnings


def _summarize(landed: Sequence[LandedSource], tables: Sequence[CommittedTable]) -> dict[str, SourceSummary]:
    sources: dict[str, dict[str, Any]] = {}
    for source in landed:
        sources[source.source] = {
            **{name: source.total(name) for name in _INGEST_COUNTS},
            "rows_received": source.total("rows"),
            "bytes_received": source.total("body_bytes"),
            "partitions_reused": source.total("reused"),
            "partitions_resumed": source.resumed,
            "partitions_failed": len(source.failures),
        }
    for table in tables:
        counts = {name: getattr(table, name) for name in _TABLE_COUNTS}
        guesses = table.findings.guesses.as_data() if table.findings.guesses.shared else None
        sources[table.source] = sources.get(table.source, {}) | counts | {"guesses": guesses}
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


def _summarize_target(board: Leaderboard) -> TargetSummary | None:
    if board.target is None:
        return None
    return TargetSummary(board.target, board.task, board.positive, list(board.guessed))


def _warnings(board: Leaderboard | None) -> list[str]:
    if board is None or board.best is None:
        return []
    nothing = f"the best candidate, {board.best.name}, does not beat the dummy baseline: it has learnt nothing of use"
    return [*board.warnings, *([] if board.beats_dummy else [nothing])]
