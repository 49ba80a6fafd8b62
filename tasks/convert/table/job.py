"""The job of making a table: its inputs in batches, where its parts go, and what is declared of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NoReturn, assert_never

from tasks.config import ApiSource, Column, ElementsSource, FilesSource, PagesSource, Reading, Source, SqlSource
from tasks.config.tabled import Fetched, Parted
from tasks.convert.formats.json.rows import is_replaced
from tasks.convert.schema.names import Naming
from tasks.convert.schema.target import TableTarget
from tasks.convert.staging.context import ConversionContext, InputFile
from tasks.convert.table.inputs import RawInputs, list_files, list_raw
from tasks.convert.table.versions import Versions
from tasks.core.errors import TableError
from tasks.core.redaction import redact
from tasks.core.storage import DataFolder, fingerprint
from tasks.lineage.records import Upstream, read_parents
from tasks.raw.children import with_kept_children
from tasks.raw.partitions import Partition, list_partitions
from tasks.raw.selection import PartitionSelection

LAYOUT = 13  # raised when parts of the same rows are made otherwise: tables are then made anew


@dataclass(frozen=True)
class TableJob:
    """One source's table to be made of `inputs`; with `lenient`, what is declared may be missing.

    `passed_over` are files that may be meant, and that no path of the source takes.
    """

    name: str
    source: Source
    inputs: tuple[InputFile, ...]
    root: Path
    versions: Versions
    lenient: bool = False
    pipeline: str = ""
    passed_over: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    """What ingest found doubtful of the rows, each with its partition."""

    @cached_property
    def target(self) -> TableTarget:
        """Return where the parts are staged, and what is declared of their columns."""
        source, options = self.source, self.source.table
        columns: dict[str, Column] = {self.naming.rename([name])[0]: column for name, column in source.columns.items()}
        return TableTarget(
            self.name,
            self.versions.staged,
            columns,
            self.naming,
            source.read if isinstance(source, FilesSource) else Reading(),
            typed=source.answer.is_typed if isinstance(source, ApiSource) else isinstance(source, FilesSource),
            explode=self.explode,
            keeps_empty=isinstance(source, ApiSource) and source.explode_empty == "keep",
            landed=not isinstance(source, FilesSource),
            provenance=options.provenance,
            partition_by=options.partition_by,
            sort_by=options.sort_by,
            keyed=bool(source.key),
        )

    @property
    def frozen_target(self) -> TableTarget:
        """Return the same where the table's columns are fixed: a row with a value in another one is a reject."""
        return replace(self.target, frozen=True)

    @cached_property
    def naming(self) -> Naming:
        """Return how columns are named in the table."""
        renames = {name: column.rename for name, column in self.source.columns.items() if column.rename}
        clean = self.source.table.clean_names
        if isinstance(self.source, ElementsSource):
            return Naming({of: name for name, of in self.source.take.items()} | renames, clean, self.source.explode)
        return Naming(renames, clean)

    @property
    def explode(self) -> str | None:
        """Return the column of lists whose elements are rows."""
        return self.source.explode if isinstance(self.source, ApiSource | ElementsSource) else None

    def has_elements(self, types: Iterable[str]) -> bool:
        """Return whether there are columns of the elements of the list that is exploded, which stand in its place."""
        if self.explode is None:
            return False
        if not isinstance(self.source, ElementsSource):
            return is_replaced(self.explode, types)
        others = self.naming.rename([self.explode, *self.source.take.values()])
        return any(name not in others for name in types)

    @property
    def keep(self) -> Literal["first", "last"]:
        """Return which of the rows with one key is kept: the last of files that come later, and of an incremental source, which gives a row again when it changed."""
        if self.source.keep is not None:
            return self.source.keep
        return "last" if isinstance(self.source, FilesSource) or self.source.grows else "first"

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of what is declared of the table: a change makes all of it anew."""
        source = self.source.model_dump(mode="json", include={"columns", "key", "read"})
        table = self.source.table.model_dump(mode="json", exclude={"contract", "max_rejects", "warn_rejects"})
        taken = [self.source.take] if isinstance(self.source, ElementsSource) else []
        rows = [self.target.typed, self.explode, self.target.keeps_empty, self.keep, LAYOUT]
        return fingerprint([source, table, *rows, *taken])

    @property
    def privacy(self) -> str:
        """Return the fingerprint of what is private of the rows; empty where nothing is."""
        found = self.source.privacy if isinstance(self.source, Fetched) else None
        return fingerprint(found.model_dump(mode="json", exclude={"hash": {"secret"}})) if found is not None else ""

    @property
    def origins(self) -> tuple[str, ...]:
        """Return where the rows are from, as declared, without secrets."""
        match self.source:
            case ApiSource(url=url):
                return (redact(url),)
            case PagesSource(addresses=addresses):
                return tuple(map(redact, addresses))
            case SqlSource(database=database):
                return (redact(database),)
            case FilesSource(path=paths):
                return tuple(redact(str(path)) for path in paths)
        assert_never(self.source)

    @property
    def parents(self) -> Upstream:
        """Return the tables whose rows told of the partitions, as they were when these were fetched."""
        if not isinstance(self.source, Parted) or not self.source.parents:
            return Upstream()
        fetched = self.source.of if isinstance(self.source, ElementsSource) else self.name
        return read_parents(DataFolder.at(self.root).raw(fetched))

    @property
    def declared(self) -> dict[str, Any]:
        """Return what is declared of how files of such rows are read, as a source of files has it."""
        if isinstance(self.source, PagesSource | ElementsSource):  # whose columns are selectors, or within a list
            return {}
        found = self.source.model_dump(mode="json", include={"columns", "read", "table"}, exclude_defaults=True)
        return {"path": ["rows"], **found}

    def keeps(self, name: str) -> bool:
        """Return whether the rows of a file that is not among the inputs stay.

        Those of an inbox's file that is gone do, unless they are to be dropped; a
        file that is there, and no longer asked for, was taken out on purpose, and so
        was a partition.
        """
        return (
            isinstance(self.source, FilesSource)
            and self.source.on_missing == "keep"
            and ("://" in name or not (self.root / name).exists())
        )


def make_job(
    name: str,
    source: Source,
    folder: DataFolder,
    *,
    allow_partial: bool,
    only: PartitionSelection | None = None,
    pipeline: str = "",
) -> TableJob:
    """Return the job of making a source's table of what lies in a data folder now.

    With `only`, partitions that this slice does not cover may be missing.

    Raises:
        TableError: no file matches, or a partition is not landed, or may lack rows, and partial data is not allowed.

    """
    versions = Versions.of(name, folder)
    if isinstance(source, FilesSource):
        passed_over: list[str] = []
        inputs = tuple(list_files(source.path, source.root(folder.root), source.allow_hosts, passed_over))
        if source.limit:
            inputs = inputs[: source.limit.number]
        return TableJob(name, source, inputs, folder.root, versions, pipeline=pipeline, passed_over=tuple(passed_over))
    fetched = source.of if isinstance(source, ElementsSource) else name
    known = with_kept_children(source, folder.raw(fetched))
    if known is None:
        raise TableError(
            "its partitions are the rows of other tables, and it was not fetched with these yet; run ingest first"
        )
    raw = list_raw(known, folder.raw(fetched), folder.root)
    due = [partition for partition in raw.missing if only is None or only.covers(partition)]
    _refuse_doubtful(raw, only, allow_partial=allow_partial)
    if (raw.missing and not raw.files) or (due and not allow_partial):
        _refuse_missing(list_partitions(known), raw.missing, due)
    doubts = (*raw.warnings, *raw.causes(raw.refused))
    return TableJob(name, known, tuple(raw.files), folder.root, versions, pipeline=pipeline, doubts=doubts)


def _refuse_doubtful(raw: RawInputs, only: PartitionSelection | None, *, allow_partial: bool) -> None:
    """Raise where partitions that may lack rows are asked for, as ingest does; with partial data the others are taken."""
    due = [each for each in raw.refused if only is None or only.covers(each.partition)]
    if raw.refused and (not raw.files or (due and not allow_partial)):
        raise TableError("\n".join(raw.causes(due or raw.refused)))


def _refuse_missing(
    partitions: Sequence[Partition], missing: Sequence[Partition], due: Sequence[Partition]
) -> NoReturn:
    first = (due or missing)[0].name
    asked = f", {len(due)} of which this run asks for" if due and len(due) < len(missing) else ""
    raise TableError(
        f"{len(missing)} of {len(partitions)} partitions are not landed{asked}, the first is {first}; run ingest first"
    )


def in_order(job: TableJob, names: Iterable[str]) -> list[str]:
    """Return names of files in the order that decides: first those that are gone, then the inputs as they are listed."""
    given = dict.fromkeys(names)
    listed = [file.name for file in job.inputs if file.name in given]
    known = set(listed)
    return [*(name for name in given if name not in known), *listed]


BATCH_BYTES = 256 * 1024 * 1024
LEAST_BATCH_BYTES = 16 * 1024 * 1024  # of less a task would cost more than its files
_BATCHES_A_WORKER = 4  # where these are other processes: the last of them end at about the same time


class Batch:
    """Units of files of one source that are converted by one task.

    No dataclass: Prefect would look for futures in each of its thousands of files.
    """

    def __init__(
        self, job: TableJob, units: Sequence[Sequence[InputFile]], plan: ConversionContext, label: str
    ) -> None:
        self.job = job
        self.units = units
        self.plan = plan
        self.label = label


def batch_bytes(files: Sequence[InputFile], width: int) -> int:
    """Return how many bytes of files a batch has: as many as may be, or, where it goes to one of so many workers, a share that keeps all of them busy."""
    if not width:
        return BATCH_BYTES
    share = sum(file.size for file in files) // (_BATCHES_A_WORKER * width)
    return min(max(share, LEAST_BATCH_BYTES), BATCH_BYTES)


def batch_units(
    job: TableJob,
    units: Iterable[Sequence[InputFile]],
    plan: ConversionContext,
    label: str,
    most_bytes: int = BATCH_BYTES,
) -> list[Batch]:
    """Return the units in batches of at most so many bytes, or one unit."""
    batches: list[list[Sequence[InputFile]]] = []
    room = 0
    for unit in units:
        size = sum(file.size for file in unit)
        if not batches or size > room:
            batches.append([])
            room = most_bytes
        batches[-1].append(unit)
        room -= size
    total, first, labelled = sum(len(unit) for batch in batches for unit in batch), 1, []
    for batch in batches:
        last = first + sum(map(len, batch)) - 1
        numbers = f"{first}-{last}" if last > first else str(first)
        labelled.append(Batch(job, batch, plan, f"{job.name} {label} {numbers} of {total}"))
        first = last + 1
    return labelled
