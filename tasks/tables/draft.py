"""Tables as they would be made of those that are there, without a row: what in them a run would refuse, seen before it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tasks.config import ElementsSource, Pipeline, Source
from tasks.convert.checks.run import find_check_mistakes
from tasks.convert.schema.types import Types
from tasks.convert.table.job import TableJob
from tasks.convert.table.manifest import read_table_manifest
from tasks.convert.table.versions import Versions
from tasks.core.errors import LateQueryError, TableError
from tasks.core.storage import DataFolder
from tasks.core.tables import is_table
from tasks.tables.made import MadeTableJob, is_of_same_text
from tasks.tables.order import find_query_mistakes, inputs_of
from tasks.tables.parts import find_unknown, types_of
from tasks.tables.query import write_query

_TIME_S = 5.0  # a query that takes longer without a row is left to the run


@dataclass
class DraftedTables:
    """The tables whose columns are known, and what is wrong with what is declared of them."""

    tables: dict[str, Path] = field(default_factory=dict)
    """The folder of each: that of the table, where it has the columns that a run would give it, else of a draft."""
    rowless: set[str] = field(default_factory=set)
    """Those that are drafts."""
    mistakes: list[str] = field(default_factory=list)


def draft_tables(config: Pipeline, folder: DataFolder, scratch: Path, doubtful: Collection[str]) -> DraftedTables:
    """Return the tables of a pipeline as a run would find or make them, as far as that is known before it.

    Args:
        config: The pipeline.
        folder: The data folder, in which tables are as the last run left them.
        scratch: An empty folder for drafts.
        doubtful: The tables of which nothing is known, because what is declared of them is wrong.

    """
    drafted = DraftedTables()
    for name, source in config.converted.items():
        if is_table(folder.table(name)) and (name in doubtful or _is_current(name, source, folder)):
            drafted.tables[name] = folder.table(name)
            if types := read_table_manifest(folder.table(name)).types:
                key = f"sources.{source.of}.tables.{name}" if isinstance(source, ElementsSource) else f"sources.{name}"
                drafted.mistakes += [f"{key}.{each}" for each in find_check_mistakes(source.checks, types)]
    waiting = {
        name: inputs_of(table, config)
        for name, table in config.tables.items()
        if name not in doubtful and not find_query_mistakes(name, table, config)
    }
    while ready := [name for name, inputs in waiting.items() if drafted.tables.keys() >= {*inputs}]:
        for name in ready:
            job = MadeTableJob(name, config.tables[name], waiting.pop(name), folder, config.name)
            drafted.mistakes += _draft(job, drafted, scratch / name)
    return drafted


def _is_current(name: str, source: Source, folder: DataFolder) -> bool:
    """Return whether a source's table was made by what is declared of it now, and so has the columns that it will have."""
    manifest = read_table_manifest(folder.table(name))
    job = TableJob(name, source, (), folder.root, Versions.of(name, folder))
    return manifest.fingerprint in ("", job.fingerprint)


def _draft(job: MadeTableJob, drafted: DraftedTables, staged: Path) -> Iterator[str]:
    """Add a table to those that are known; yield what is wrong with what is declared of it."""
    there = job.folder.table(job.name)
    known = read_table_manifest(there)
    if job.table.query is None:
        if not is_of_same_text(job, known):  # what a function returns is known once it has run
            return
        types: Types = known.types
    else:
        limits = {"time_limit_s": min(_TIME_S, job.table.time_limit_s)}
        tables = {name: drafted.tables[name] for name in job.inputs}
        try:
            rows = write_query(job.name, job.table.model_copy(update=limits), tables, staged, is_draft=True)
        except LateQueryError:
            return
        except TableError as error:
            yield from str(error).splitlines()
            return
        types = types_of(rows)
    is_there = types == known.types and is_table(there) and not drafted.rowless & {*job.inputs}
    drafted.tables[job.name] = there if is_there else staged
    if not is_there:
        drafted.rowless.add(job.name)
    yield from find_unknown(job.name, job.table, list(types))
    yield from (f"tables.{job.name}.{each}" for each in find_check_mistakes(job.table.checks, types))
