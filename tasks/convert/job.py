"""The job of making a table: its inputs, where its parts go, and what is declared of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.convert.files import ConvertedFile, InputFile, Target
from tasks.convert.inputs import list_files, list_raw
from tasks.errors import TableError
from tasks.spec import FilesSource, PagesSource, Source
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
        )

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of what is declared of the table: a change makes all of it anew."""
        return fingerprint([{k: c.type for k, c in self.source.columns.items()}, self.source.key, self.target.typed])

    def keeps(self, name: str) -> bool:
        """Return whether the rows of a file that is not among the inputs stay.

        Those of an inbox's file that is gone do; a file that is there, and no longer
        asked for, was taken out on purpose, and so was a partition.
        """
        return isinstance(self.source, FilesSource) and not (self.root / name).exists()


def make_job(name: str, source: Source, folder: DataFolder, *, allow_partial: bool) -> TableJob:
    """Return the job of making a source's table of what lies in a data folder now.

    Raises:
        TableError: no file matches, or a partition is not landed and partial data is not allowed.

    """
    if isinstance(source, FilesSource):
        inputs = list_files(source.path, folder.root)
    else:
        inputs, missing = list_raw(source, folder.raw(name), folder.root)
        if not inputs or (missing and not allow_partial):
            raise TableError(
                f"{len(missing)} of {len(missing) + len(inputs)} partitions are not landed, the first is {missing[0]}; "
                "run ingest first"
            )
    return TableJob(name, source, tuple(inputs), folder.root, folder.table(name), folder.rejects(name))


def in_order(job: TableJob, files: Mapping[str, ConvertedFile]) -> dict[str, ConvertedFile]:
    """Return the files in the order that decides: first those that are gone, then the inputs as they are listed."""
    names = [file.name for file in job.inputs if file.name in files]
    return {name: files[name] for name in [*(name for name in files if name not in set(names)), *names]}
