"""Tables as they would be made of those that are there, without a row: what in them a run would refuse, seen before it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.config import ApiSource, ElementsSource, PagesSource, Pipeline, Source
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
from tasks.tables.parts import explain_unknown, find_unknown, types_of
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
        if is_table(folder.table(name)) and (name in doubtful or is_current(name, source, folder)):
            drafted.tables[name] = folder.table(name)
            if types := read_table_manifest(folder.table(name)).types:
                drafted.mistakes += _source_mistakes(name, source, types)
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


def is_current(name: str, source: Source, folder: DataFolder) -> bool:
    """Return whether a source's table has the columns that it will have by what is declared of it now.

    It has where it was made by the same, where all of its columns are declared, and where rows are read and
    named as they were: what is declared beside that may be another key.
    """
    manifest = read_table_manifest(folder.table(name))
    job = TableJob(name, source, (), folder.root, Versions.of(name, folder))
    named = {*job.naming.rename([*source.columns])}
    if manifest.fingerprint in ("", job.fingerprint) or manifest.types.keys() <= named:
        return True
    if isinstance(source, PagesSource | ElementsSource) or _naming(manifest.declared) != _naming(job.declared):
        return False
    if not isinstance(source, ApiSource):
        return True
    # A table does not tell by which of these it was made; a list that was exploded left columns with a dot, as objects do.
    is_plain = (source.explode, source.shape, source.names) == (None, "records", None)
    return is_plain and not any("." in column for column in manifest.types)


def _naming(declared: Mapping[str, Any]) -> list[Any]:
    """Return what of a declaration decides which columns there are."""
    table = declared.get("table", {})
    return [declared.get("columns"), declared.get("read"), table.get("clean_names"), table.get("provenance")]


def _source_mistakes(name: str, source: Source, types: Types) -> Iterator[str]:
    """Yield what is declared of a source's table and does not fit its columns."""
    if isinstance(source, ElementsSource):  # whose key has the names of a record's list
        key = f"sources.{source.of}.tables.{name}"
    else:
        key, options = f"sources.{name}", source.table
        yield from explain_unknown(
            {
                f"{key}.key": source.key,
                f"{key}.table.partition_by": options.partition_by,
                f"{key}.table.sort_by": options.sort_by,
            },
            list(types),
        )
    yield from (f"{key}.{each}" for each in find_check_mistakes(source.checks, types))


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
