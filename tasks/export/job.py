"""A table to be written to a target: whether what stands there is what would be written, and what may be replaced."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from tasks.config import Export, FilesSource, Pipeline
from tasks.config.exports import DELTA, find_doubles
from tasks.convert.files.listing import would_list
from tasks.convert.table.manifest import read_table_manifest
from tasks.core.errors import ConfigError
from tasks.core.postgresql import PACKAGE
from tasks.core.storage import DataFolder, commit_json, fingerprint, json_reader
from tasks.core.suggestions import did_you_mean
from tasks.export import delta
from tasks.export.delta import DeltaTarget
from tasks.export.files import FileTarget
from tasks.export.postgresql import PostgresqlTarget
from tasks.export.rows import TableSource, Written
from tasks.export.sqlite import SqliteTarget

_LAYOUT = 1  # raised when the same rows are written otherwise
_PACKAGES = {"postgresql": PACKAGE, "delta": delta.PACKAGE}


class Target(Protocol):
    """Where a table is written to, as a whole or not at all."""

    @property
    def place(self) -> str:
        """Return what the target is called."""

    def state(self) -> str | None:
        """Return what each export that is written there changes; None where nothing is there."""

    def write(self, source: TableSource, promise: Callable[[str], None]) -> Written:
        """Write the table; `promise` is told the state before it is there, and all that is there is replaced."""


@dataclass(frozen=True)
class Known:
    """What is known of a target: the fingerprint of the rows written there, and the states that exports of ours left or were about to."""

    rows: str = ""
    states: tuple[str, ...] = ()


_read_known = json_reader(Known)


@dataclass(frozen=True)
class Exported:
    """A table as it stands at a target; `written` tells that this run has written it."""

    table: str
    to: str
    rows: int
    written: bool
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportJob:
    """A table of a data folder to be written to a target; a path of it is relative to `root`.

    `is_known` tells that what earlier exports wrote there is remembered, and may be replaced.
    """

    table: str
    export: Export
    folder: DataFolder
    root: Path
    is_known: bool = True

    @property
    def name(self) -> str:
        """Return the name of the table in a database."""
        return self.export.table or self.table

    @property
    def home(self) -> Path:
        """Return the folder of what is known of the target."""
        within = self.name if self.export.kind in ("sqlite", "postgresql") else ""
        return self.folder.export(fingerprint([self.export.kind, str(self.path or self.export.to), within])[:32])

    @property
    def source(self) -> TableSource:
        """Return the table, its version as it is now.

        Raises:
            ConfigError: there is none of this name.

        """
        tables = self.folder.tables([self.table])
        if self.table not in tables:
            names = self.folder.table_names()
            cure = did_you_mean(self.table, names, "run its pipeline first") if names else "run its pipeline first"
            raise ConfigError(f"{self.folder.shown} has no table {self.table!r}; {cure}")
        return TableSource(self.table, tables[self.table].resolve(), self.home / "spill")

    @cached_property
    def path(self) -> Path | None:
        """Return the path of a target that is one."""
        if self.export.kind == "postgresql":
            return None
        return (self.root / self.export.to.removeprefix(DELTA)).absolute()

    def find_mistake(self) -> str | None:
        """Return what is wrong with the target that can be seen without it, and the cure; None of a right one."""
        package = _PACKAGES.get(self.export.kind)
        if package is not None and find_spec(package.replace("-", "_")) is None:
            return f"{self.export.to} needs {package}, which is not installed; run: pip install {package}"
        guarded = self.folder.find_guarded(self.path) if self.path else None
        return f"{self.export.to} {guarded}" if guarded else None

    def open_target(self, password: str | None, states: Sequence[str]) -> Target:
        """Return the target; `states` are those that exports of ours left there.

        Raises:
            ConfigError: it is none that a table may be written to, or a package for it is missing.

        """
        if mistake := self.find_mistake():
            raise ConfigError(mistake)
        if self.path is None:
            return PostgresqlTarget(self.export.to, self.name, password)
        match self.export.kind:
            case "sqlite":
                return SqliteTarget(self.path, self.name)
            case "delta":
                return DeltaTarget(self.path)
            case _:
                return FileTarget(self.path, states)


def list_exports(config: Pipeline, folder: DataFolder) -> Iterator[ExportJob]:
    """Yield what a pipeline writes, table by table."""
    for name, targets in config.export.items():
        for target in targets:
            yield ExportJob(name, target, folder, folder.root)


def find_export_mistakes(config: Pipeline, folder: DataFolder) -> list[str]:
    """Return a sentence for each mistake of the section export that is seen without the targets."""
    found = [(job, job.find_mistake() or _find_circle(job, config)) for job in list_exports(config, folder)]
    told = [(job.table, mistake) for job, mistake in found if mistake]
    return [f"export.{table}: {mistake}" for table, mistake in (*told, *find_doubles(config.export, folder.root))]


def _find_circle(job: ExportJob, config: Pipeline) -> str | None:
    """Return that a source would read what is exported, and the table grow with each run."""
    if job.path is None:
        return None
    file = job.path / "part.parquet" if job.export.kind == "delta" else job.path
    for name, source in config.sources.items():
        if isinstance(source, FilesSource) and any(would_list(path, job.root, file) for path in source.path):
            return f"{job.export.to} is among the files of sources.{name}, which would read it; name a place elsewhere"
    return None


def export_table(job: ExportJob, password: str | None = None, *, fresh: bool = False) -> Exported:
    """Write a table to its target, unless it stands there as it would be written; return how it stands then.

    Raises:
        ConfigError: there is no such table, the target has what no export wrote, or does not hold the table.
        ExportError: the target cannot be reached, or does not take the table.
        QueryError: the table cannot be read.

    """
    start = time.monotonic()
    source = job.source
    manifest = read_table_manifest(source.folder)
    rows = fingerprint([job.table, manifest.rows, _LAYOUT])
    known = (_read_known(job.home / "known.json") if job.is_known else None) or Known()
    target = job.open_target(password, known.states)
    there = target.state()
    if not fresh and there is not None and manifest.checksums and known.rows == rows and known.states[-1:] == (there,):
        return Exported(job.table, target.place, manifest.total, written=False)
    if there is not None and there not in known.states and not job.export.overwrite:
        cure = "write overwrite: true" if job.is_known else "add --overwrite"
        raise ConfigError(
            f"{target.place} is there already, and an export replaces nothing that it has not written; "
            f"remove it, name another, or {cure}"
        )
    kept = tuple(state for state in known.states if state == there)

    def promise(state: str) -> None:
        if job.is_known:  # before it is there: a run that is killed then finds that it is ours
            commit_json(job.home / "known.json", {"rows": rows, "states": [*kept, state]})

    written = target.write(source, promise)
    made = Exported(job.table, target.place, written.rows, written=True, notes=written.notes)
    return replace(made, seconds=time.monotonic() - start)
