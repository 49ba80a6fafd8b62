"""A table that is made of others: whether it stands as it would be made, and how a new version of it is committed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tasks.config import MadeTable
from tasks.convert.checks.run import CheckOutcome, raise_failed, run_checks
from tasks.convert.checks.unique import Unique
from tasks.convert.parts.part import Part, StoredPart
from tasks.convert.table.damage import is_part_intact
from tasks.convert.table.findings import TableReport
from tasks.convert.table.manifest import (
    TableManifest,
    commit_table_manifest,
    copy_table_manifest,
    read_table_manifest,
)
from tasks.convert.table.state import CommittedTable
from tasks.convert.table.versions import Versions
from tasks.core.checksums import take_checksum
from tasks.core.errors import TableError
from tasks.core.escaping import count
from tasks.core.storage import DataFolder, fingerprint, fsync, hash_file, remove_stale_temp_files
from tasks.core.tables import list_parts
from tasks.lineage.records import LINEAGE, Upstream, make_record, take_upstream, write_record
from tasks.raw.owners import explain_other_owner
from tasks.tables.function import write_function
from tasks.tables.parts import refuse_unknown, sort_rows, types_of, write_parts
from tasks.tables.query import explain_no_row, parse_query, write_query

LAYOUT = 3  # raised when parts of the same rows are written otherwise
_LOST = 2  # a table of less than the half of its rows before is told


CallFunction = Callable[[str, MadeTable, Mapping[str, Path], Path], tuple[Path, dict[str, str]]]
"""Calls a table's function, as `write_function` does."""


@dataclass(frozen=True)
class MadeTableJob:
    """A table to be made of `inputs`, in the folders of a pipeline's data folder."""

    name: str
    table: MadeTable
    inputs: tuple[str, ...]
    folder: DataFolder
    pipeline: str = ""

    @property
    def versions(self) -> Versions:
        """Return the versions of the table."""
        return Versions.of(self.name, self.folder)

    @property
    def tables(self) -> dict[str, Path]:
        """Return the folder of each input."""
        return {name: self.folder.table(name) for name in self.inputs}

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of what is declared of the table, its checks aside."""
        return fingerprint([self.table.model_dump(mode="json", include=_DECLARED), LAYOUT])


_DECLARED = {"query", "python", "inputs", "frames", "partition_by", "sort_by"}


def make_table(
    job: MadeTableJob, stop: threading.Event, *, fresh: bool, call: CallFunction = write_function
) -> CommittedTable:
    """Make a table, unless it stands as it would be made; return it as it stands then. Its function is called by `call`.

    Raises:
        TableError: it cannot be made, or a check failed; the table is as it was.

    """
    start = time.monotonic()
    versions = job.versions
    if foreign := explain_other_owner(job.name, job.pipeline, job.folder.root, versions.copy):
        raise TableError(foreign)
    versions.restore_link()
    versions.sweep()
    remove_stale_temp_files(versions.home)
    before = read_table_manifest(versions.current / "table")
    inputs = {name: _state_of(job, name) for name in job.inputs}
    if not fresh and _stands(job, before, inputs):
        versions.show()
        copy_table_manifest(versions.current / "table", versions.copy)
        outcomes = _check(job, before, versions.current)
        return _committed(job, before, TableReport(warnings=_warned(outcomes)))
    staged, upstream = versions.staged, take_upstream(job.tables.values())
    texts: dict[str, str] = {}
    if job.table.query is not None:
        rows = write_query(job.name, job.table, job.tables, staged, stop)
    else:
        rows, texts = call(job.name, job.table, job.tables, staged)
        refuse_unknown(job.name, job.table, list(types_of(rows)))
        sort_rows(rows, job.table)
    types = types_of(rows)
    counts = write_parts(rows, job.table, staged / "table")
    (staged / "rejects").mkdir()
    parts = {name: Part(name, {job.name: count}, types, types) for name, count in counts.items()}
    made = TableManifest(job.fingerprint, types, {}, parts, pipeline=job.pipeline, inputs=inputs, texts=texts)
    warnings = (*_warned(_check(job, made, staged)), *_told(job, before, made, stop))
    number = versions.next_number(before.number)
    checksums = {f"table/{name}": take_checksum(staged / "table" / name) for name in parts}
    record = make_record(*_text_of(job.table))
    made = replace(made, checksums=checksums, number=number, made=record)
    write_record(staged / LINEAGE, Upstream(inputs, upstream.tables))
    commit_table_manifest(staged / "table", made)
    fsync(staged / "table")
    versions.commit(number)
    copy_table_manifest(versions.current / "table", versions.copy)
    size = sum(each.stat().st_size for folder in job.tables.values() for each in list_parts(folder))
    seconds = time.monotonic() - start
    return _committed(job, made, TableReport(True, dict(before.types), size, seconds, warnings), new=True)


def _text_of(table: MadeTable) -> tuple[str, tuple[str, ...], str]:
    """Return the kind of what makes a table, its function, and its query."""
    if table.query is not None:
        return "sql", (), table.query
    return "python", (str(table.python),), ""


def is_of_same_text(job: MadeTableJob, manifest: TableManifest) -> bool:
    """Return whether a table is there, and was made by the same query or function."""
    is_same = manifest.fingerprint == job.fingerprint and bool(manifest.parts)
    return is_same and all(_hash(Path(path)) == known for path, known in manifest.texts.items())


def _stands(job: MadeTableJob, manifest: TableManifest, inputs: Mapping[str, str]) -> bool:
    """Return whether a table is there whole, and was made of the same inputs by the same text, which gives the same at any time."""
    if not is_of_same_text(job, manifest) or manifest.inputs != inputs:
        return False
    is_lasting = job.table.query is None or parse_query(job.table.query).is_lasting
    return is_lasting and all(is_part_intact(job.versions, manifest, name) for name in manifest.parts)


def _hash(path: Path) -> str:
    return hash_file(path) if path.is_file() else ""


def _state_of(job: MadeTableJob, name: str) -> str:
    """Return what changes with the rows of a table.

    Raises:
        TableError: it is not there.

    """
    manifest = read_table_manifest(job.folder.table(name))
    if not manifest.parts:
        raise TableError(
            f"tables.{job.name}: is made of {name}, of which no row has come yet; run convert, and see what it says of {name}"
        )
    return manifest.rows


def _check(job: MadeTableJob, manifest: TableManifest, version: Path) -> list[CheckOutcome]:
    """Return what the checks of a version came to.

    Raises:
        TableError: one failed, or the key is none.

    """
    table = job.table
    parts = [StoredPart(version / "table" / name, name) for name in sorted(manifest.parts)]
    keyed = [Unique.model_validate({"unique": table.key})] if table.key else []
    try:
        outcomes = run_checks([*keyed, *table.checks], parts, manifest.types, table.key)
        raise_failed(outcomes)
    except TableError as error:
        raise TableError("\n".join(f"tables.{job.name}: {line}" for line in str(error).splitlines())) from None
    return outcomes


def _warned(outcomes: list[CheckOutcome]) -> tuple[str, ...]:
    return tuple(outcome.sentence for outcome in outcomes if outcome.status == "warned")


def _told(job: MadeTableJob, before: TableManifest, made: TableManifest, stop: threading.Event) -> tuple[str, ...]:
    """Return what is to be told of the rows: that there are none, or few of those before."""
    rows, had = made.total, before.total
    if not rows:
        spill = job.versions.staged / "spill"
        why = explain_no_row(job.name, job.table, job.tables, spill, stop) if job.table.query is not None else ""
        return (f"has no row; widen its query, or fill the tables that it is made of{why}",)
    if rows * _LOST < had:
        return (f"has {count(rows, 'row')}, and had {had:,} before; see whether that is meant",)
    return ()


def _committed(job: MadeTableJob, manifest: TableManifest, report: TableReport, *, new: bool = False) -> CommittedTable:
    rows = manifest.total
    return CommittedTable(
        source=job.name,
        rows_received=rows,
        rows_table=rows,
        rows_rejected=0,
        rows_duplicate=0,
        files=0,
        files_read=0,
        types=manifest.types,
        reasons={},
        findings=report,
        rows_new=rows if new else 0,
    )
