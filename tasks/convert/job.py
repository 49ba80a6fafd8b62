"""The job of making a table: its inputs, where its parts go, and what is declared of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tasks.convert.files import ConvertedFile, InputFile, Target
from tasks.convert.inputs import list_files, list_raw
from tasks.errors import TableError
from tasks.partitions import Partition, list_partitions
from tasks.slices import Slice
from tasks.spec import ApiSource, FilesSource, PagesSource, Source
from tasks.store import DataFolder, fingerprint

STAGED = ".staged"  # within the table's folder: readers of Parquet folders pass over names that begin with a dot


@dataclass(frozen=True)
class TableJob:
    """One source's table to be made of `inputs`."""

    name: str
    source: Source
    inputs: tuple[InputFile, ...]
    root: Path
    parts: Path
    rejects: Path

    @property
    def target(self) -> Target:
        """Return where the parts are staged, and what is declared of their columns."""
        return Target(
            self.name,
            self.parts / STAGED,
            self.rejects / STAGED,
            dict(self.source.columns),
            typed=not isinstance(self.source, PagesSource),
            explode=self.explode,
        )

    @property
    def explode(self) -> str | None:
        """Return the column of lists whose elements are rows."""
        return self.source.explode if isinstance(self.source, ApiSource) else None

    @property
    def keeps_last(self) -> bool:
        """Return whether of the rows with one key the last is kept: an incremental source gives a row again when it changed."""
        return isinstance(self.source, ApiSource) and self.source.incremental is not None

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of what is declared of the table: a change makes all of it anew."""
        declared = [{k: c.type for k, c in self.source.columns.items()}, self.source.key, self.target.typed]
        beyond = [self.explode, self.keeps_last] if self.explode or self.keeps_last else []
        return fingerprint(declared + beyond)

    def keeps(self, name: str) -> bool:
        """Return whether the rows of a file that is not among the inputs stay.

        Those of an inbox's file that is gone do; a file that is there, and no longer
        asked for, was taken out on purpose, and so was a partition.
        """
        return isinstance(self.source, FilesSource) and not (self.root / name).exists()


def make_job(
    name: str, source: Source, folder: DataFolder, *, allow_partial: bool, only: Slice | None = None
) -> TableJob:
    """Return the job of making a source's table of what lies in a data folder now.

    With `only`, partitions that this slice does not cover may be missing.

    Raises:
        TableError: no file matches, or a partition is not landed and partial data is not allowed.

    """
    if isinstance(source, FilesSource):
        inputs = list_files(source.path, folder.root)
    else:
        inputs, missing = list_raw(source, folder.raw(name), folder.root)
        due = [partition for partition in missing if only is None or only.covers(partition)]
        if not inputs or (due and not allow_partial):
            _refuse(list_partitions(source), missing, due)
    return TableJob(name, source, tuple(inputs), folder.root, folder.table(name), folder.rejects(name))


def _refuse(partitions: Sequence[Partition], missing: Sequence[Partition], due: Sequence[Partition]) -> NoReturn:
    first = (due or missing)[0].name
    asked = f", {len(due)} of which this run asks for" if due and len(due) < len(missing) else ""
    raise TableError(
        f"{len(missing)} of {len(partitions)} partitions are not landed{asked}, the first is {first}; run ingest first"
    )


def in_order(job: TableJob, files: Mapping[str, ConvertedFile]) -> dict[str, ConvertedFile]:
    """Return the files in the order that decides: first those that are gone, then the inputs as they are listed."""
    names = [file.name for file in job.inputs if file.name in files]
    return {name: files[name] for name in [*(name for name in files if name not in set(names)), *names]}
