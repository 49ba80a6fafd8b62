"""A run: what of a pipeline it does, and its summary, which the command line prints at the end and `runs/` keeps."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from tasks.config import Limit, Pipeline
from tasks.core.storage import DataFolder, commit_json, commit_link, read_json
from tasks.train.evaluation.leaderboard_file import KeptLine

Stage = Literal["ingest", "convert", "tables", "train", "export"]


@dataclass(frozen=True)
class RunOptions:
    """The one stage that is run, what is done again, and which partitions are fetched; by default all, none, all."""

    only: Stage | None = None
    fresh: bool = False
    partitions: str | None = None
    limit: int | None = None
    """How many pages of a partition, and files of a source, are taken; None of all."""

    def runs(self, stage: Stage) -> bool:
        """Return whether a stage is run."""
        return self.only in (None, stage) and not (stage == "export" and self.limit)

    def folder(self, data: Path) -> DataFolder:
        """Return the data folder that is written to."""
        folder = DataFolder.at(data)
        return folder.limited(self.limit) if self.limit else folder

    def take(self, pipeline: Pipeline, data: Path) -> tuple[Pipeline, DataFolder]:
        """Return what is taken of a pipeline, and the data folder that is written to."""
        taken = pipeline.limited(Limit(self.limit, DataFolder.at(data).root)) if self.limit else pipeline
        return taken, self.folder(data)


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
    partitions_ignored: list[str] = field(default_factory=list)
    """Those that there are not, by an answer that `requests.ignore` passes over."""
    guesses: dict[str, Any] | None = None
    """How its files were read, which texts are null, and the columns on whose type they differ; None where it has no files."""
    rows_before: int | None = None
    """Of its table before this run; None where there was none."""
    rejects_before: int | None = None
    columns_changed: list[str] = field(default_factory=list)
    """What was added, removed or has another type than before this run, a few words each."""
    why_again: list[tuple[str, int]] = field(default_factory=list)
    """Why requests were made again, and how often."""
    error: str | None = None
    """What it failed of in this run."""


@dataclass(frozen=True)
class TableSummary:
    """What became of a table that is made of others; `made` tells that this run has made it, and not found it as it would be."""

    rows: int
    columns: int
    made: bool
    rows_before: int | None = None
    """What it had before this run; None where there was none."""
    columns_changed: list[str] = field(default_factory=list)
    """As of a source."""


@dataclass(frozen=True)
class ExportSummary:
    """A table as it stands at a target; `written` tells that this run has written it, and not found it as it would be."""

    table: str
    to: str
    rows: int
    written: bool
    notes: list[str]
    """What is to be told of columns, as that one is text there."""


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
    positive: bool | int | float | str | None
    """The positive one of two classes, of which f1, pr_auc and their like are."""
    guessed: list[str]


@dataclass(frozen=True)
class RunSummary:
    """What became of a run.

    `status` is `partial` when it came to its end but some of its parts failed,
    which `failures` lists; `error` says what ended a failed one. `seconds` are
    wall-clock by stage; `leaderboard` is that of the train stage, and
    `best` its best candidate. `champion` is what serves after the train stage,
    which may be of an earlier run.
    """

    pipeline: str
    status: Literal["completed", "partial", "failed"]
    error: str | None
    failures: list[str]
    warnings: list[str]
    sources: dict[str, SourceSummary]
    leaderboard: list[KeptLine]
    metric: str | None
    best: KeptLine | None
    champion: ChampionSummary | None
    seconds: dict[str, float]
    flow_run_id: str | None
    target: TargetSummary | None = None
    tables: dict[str, TableSummary] = field(default_factory=dict)
    exports: list[ExportSummary] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        """Return the summary as plain JSON-able data."""
        return asdict(self)


def keep_summary(folder: DataFolder, summary: RunSummary) -> None:
    """Keep the summary of a run that has ended: as its own, the last one of its pipeline, and the last one of all."""
    path = folder.run_summary(str(summary.flow_run_id))
    commit_json(path, summary.as_data())
    for link in (folder.last_summary(summary.pipeline), folder.summary):
        commit_link(link, path)


def read_summary(folder: DataFolder, flow_run_id: str) -> RunSummary | None:
    """Return the summary that a flow run left; None where it left none."""
    data = read_json(folder.run_summary(flow_run_id))
    return msgspec.convert(data, RunSummary) if isinstance(data, dict) else None
