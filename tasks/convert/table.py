"""A table: which of its files are to be converted, and how its parts are committed together."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from tasks.convert.duplicates import drop_rows, find_duplicates
from tasks.convert.files import ConvertedFile, InputFile, Target, Types
from tasks.convert.inputs import list_files, list_raw
from tasks.convert.manifest import (
    TableManifest,
    commit_table_manifest,
    is_current,
    is_whole,
    read_table_manifest,
    widen_all,
)
from tasks.convert.types import TypeName, widen_table
from tasks.errors import TableError
from tasks.spec import FilesSource, PagesSource, Source
from tasks.store import DataFolder, commit, fingerprint, sweep_leftovers

_STAGED = ".staged"  # within the table's folder: readers of Parquet folders pass over names that begin with a dot


@dataclass(frozen=True)
class TableJob:
    """One source's table to be made of `inputs`."""

    name: str
    source: Source
    inputs: tuple[InputFile, ...]
    parts: Path
    rejects: Path

    @property
    def target(self) -> Target:
        """Return where the parts are staged, and what is declared of their columns."""
        return Target(
            self.name,
            self.parts / _STAGED,
            self.rejects / _STAGED,
            dict(self.source.columns),
            typed=not isinstance(self.source, PagesSource),
        )

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of what is declared of the table: a change makes all of it anew."""
        return fingerprint([{k: c.type for k, c in self.source.columns.items()}, self.source.key, self.target.typed])

    @property
    def keeps_vanished(self) -> bool:
        """Return whether rows of a file that is gone stay: an inbox may be emptied, a partition was taken out on purpose."""
        return isinstance(self.source, FilesSource)


@dataclass(frozen=True)
class CommittedTable:
    """A table as it stands after a run; `files_read` counts the files converted in this one."""

    source: str
    rows_received: int
    rows_table: int
    rows_rejected: int
    rows_duplicate: int
    files: int
    files_read: int
    types: Mapping[str, str]
    reasons: Mapping[str, int]


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
    return TableJob(name, source, tuple(inputs), folder.table(name), folder.rejects(name))


def open_table(job: TableJob, *, fresh: bool) -> TableManifest:
    """Return what the table holds that is still good; leftovers of a killed run are swept away.

    When all is to be made anew, these are an inbox's files that are gone: their
    rows cannot be read again.

    Raises:
        TableError: what is declared of the table has changed, and such rows have the old types.

    """
    for folder in (job.parts, job.rejects):
        sweep_leftovers(folder)
        shutil.rmtree(folder / _STAGED, ignore_errors=True)
    manifest = read_table_manifest(job.parts)
    declared_anew = manifest.fingerprint != job.fingerprint
    if not (fresh or declared_anew):
        return manifest
    listed = {file.name for file in job.inputs}
    gone = {name: file for name, file in find_kept(job, manifest).items() if name not in listed}
    if gone and declared_anew:
        raise TableError(
            f"its columns or key are declared anew, but {len(gone)} of its files are gone, the first is {next(iter(gone))}; "
            f"put them back, or delete {job.parts} to make the table without them"
        )
    return TableManifest(job.fingerprint, manifest.types, gone)


def find_changed(job: TableJob, manifest: TableManifest) -> list[InputFile]:
    """Return the files to be converted: new or changed ones, and then those that lost rows to another file's."""
    changed = [
        file for file in job.inputs if not (is_current(file, manifest, job.parts) and _has_rejects(job, file, manifest))
    ]
    if not changed and find_kept(job, manifest).keys() == manifest.files.keys():
        return []
    names = {file.name for file in changed}
    names |= {name for name, file in manifest.files.items() if file.rows_duplicate}
    return [file for file in job.inputs if file.name in names]


def find_kept(job: TableJob, manifest: TableManifest) -> dict[str, ConvertedFile]:
    """Return the files whose rows belong to the table still: those that are listed, and an inbox's that are gone."""
    names = {file.name for file in job.inputs}
    return {
        name: file
        for name, file in manifest.files.items()
        if name in names or (job.keeps_vanished and is_whole(job.parts / file.part, file))
    }


def widen_types(job: TableJob, files: Mapping[str, ConvertedFile]) -> dict[str, TypeName]:
    """Return the types of the table: those that hold the values of all of its files, in the order of the inputs."""
    types = widen_all(file.types for file in _in_order(job, files).values())
    for name, column in job.source.columns.items():
        if name in types and column.type == "timestamp":  # with and without a zone: what fits one only is a reject
            zoned = any(file.types.get(name) == "timestamp_utc" for file in files.values())
            types[name] = "timestamp_utc" if zoned else "timestamp"
    return types


def commit_table(job: TableJob, types: Types, files: Mapping[str, ConvertedFile]) -> dict[str, ConvertedFile]:
    """Put the staged parts and rejects in place, and then the manifest, which makes them count.

    Returns the files with the duplicates that were dropped counted.

    Raises:
        TableError: a key names no column, or rows are not all accounted for.

    """
    _widen_vanished(job, types, files)
    files = _drop_duplicates(job, files)
    for name, file in files.items():
        _check_account(job, name, file)
    for file in files.values():
        _place(job.rejects, file.part, keep=bool(file.rows_rejected))
        _place(job.parts, file.part, keep=True)
    _remove_others(job, {file.part for file in files.values()})
    commit_table_manifest(job.parts, TableManifest(job.fingerprint, dict(types), dict(files)))
    return dict(files)


def describe(
    job: TableJob, types: Mapping[str, str], files: Mapping[str, ConvertedFile], files_read: int
) -> CommittedTable:
    """Return what the table holds, added up over its files."""
    reasons: Counter[str] = Counter()
    for file in files.values():
        reasons.update(file.reasons)
    return CommittedTable(
        source=job.name,
        rows_received=sum(file.rows_received for file in files.values()),
        rows_table=sum(file.rows_table for file in files.values()),
        rows_rejected=sum(file.rows_rejected for file in files.values()),
        rows_duplicate=sum(file.rows_duplicate for file in files.values()),
        files=len(files),
        files_read=files_read,
        types=types,
        reasons=dict(reasons),
    )


def _in_order(job: TableJob, files: Mapping[str, ConvertedFile]) -> dict[str, ConvertedFile]:
    """Return the files in the order that decides: first those that are gone, then the inputs as they are listed."""
    names = [file.name for file in job.inputs if file.name in files]
    return {name: files[name] for name in [*(name for name in files if name not in set(names)), *names]}


def _widen_vanished(job: TableJob, types: Types, files: Mapping[str, ConvertedFile]) -> None:
    """Stage the parts of files that are gone with the table's columns: the files cannot be read again."""
    inputs = {file.name for file in job.inputs}
    for part in (file.part for name, file in files.items() if name not in inputs):
        table = pq.read_table(job.parts / part)
        widened = widen_table(table, types)
        if widened.schema != table.schema:
            with commit(job.parts / _STAGED / part) as path:
                pq.write_table(widened, path, compression="zstd")


def _has_rejects(job: TableJob, file: InputFile, manifest: TableManifest) -> bool:
    converted = manifest.files[file.name]
    return not converted.rows_rejected or (job.rejects / converted.part).exists()


def _drop_duplicates(job: TableJob, files: Mapping[str, ConvertedFile]) -> dict[str, ConvertedFile]:
    if not job.source.key:
        return dict(files)
    parts = {name: _newest(job, file.part) for name, file in _in_order(job, files).items()}
    duplicates = find_duplicates(parts, job.source.key)
    counted = dict(files)
    for name, rows in duplicates.items():
        file = files[name]
        drop_rows(_newest(job, file.part), job.parts / _STAGED / file.part, rows)
        counted[name] = replace(file, rows_duplicate=file.rows_duplicate + len(rows))
    return counted


def _check_account(job: TableJob, name: str, file: ConvertedFile) -> None:
    rows = pq.read_metadata(_newest(job, file.part)).num_rows
    if rows != file.rows_table:
        raise TableError(
            f"{name}: {file.rows_received} rows received are not {rows} in the table + {file.rows_rejected} rejects "
            f"+ {file.rows_duplicate} duplicates; this is an error in Tidemill, please report it"
        )


def _newest(job: TableJob, part: str) -> Path:
    staged = job.parts / _STAGED / part
    return staged if staged.exists() else job.parts / part


def _place(folder: Path, part: str, *, keep: bool) -> None:
    """Move a staged part into its place; what stands there without `keep` goes."""
    staged = folder / _STAGED / part
    if staged.exists():
        staged.replace(folder / part)
    elif not keep:
        (folder / part).unlink(missing_ok=True)


def _remove_others(job: TableJob, parts: set[str]) -> None:
    """Remove the parts of files that no longer belong to the table, and the empty staging folders."""
    for folder in (job.parts, job.rejects):
        shutil.rmtree(folder / _STAGED, ignore_errors=True)
        for path in folder.glob("*.parquet"):
            if path.name not in parts:
                path.unlink()
