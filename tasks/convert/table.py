"""A table: what it holds already, which of its files are to be converted, and with which types."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from tasks.convert.files import ConvertedFile, InputFile
from tasks.convert.job import STAGED, TableJob, in_order
from tasks.convert.json_rows import is_replaced
from tasks.convert.manifest import TableManifest, is_current, is_whole, read_table_manifest, widen_all
from tasks.convert.types import TypeName
from tasks.errors import TableError
from tasks.spec import FilesSource
from tasks.store import sweep_leftovers


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


def open_table(job: TableJob, *, fresh: bool) -> TableManifest:
    """Return what the table holds that is still good; leftovers of a killed run are swept away.

    When all is to be made anew, these are an inbox's files that are gone: their
    rows cannot be read again.

    Raises:
        TableError: what is declared of the table has changed, and such rows have the old types.

    """
    for folder in (job.parts, job.rejects):
        sweep_leftovers(folder)
        shutil.rmtree(folder / STAGED, ignore_errors=True)
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
    """Return the files to be converted: new or changed ones, and those that lost rows, if these may come back."""
    changed = [
        file for file in job.inputs if not (is_current(file, manifest, job.parts) and _has_rejects(job, file, manifest))
    ]
    names = {file.name for file in changed}
    if not _only_adds(job, manifest, names):
        names |= {name for name, file in manifest.files.items() if file.rows_duplicate}
    return [file for file in job.inputs if file.name in names]


def _only_adds(job: TableJob, manifest: TableManifest, changed: Collection[str]) -> bool:
    """Return whether the table's files are as they were, and stand in the same order before those that are new.

    Then no row that was dropped comes back: the one that is kept for it, or a newer one, is there.
    """
    listed = [file.name for file in job.inputs]
    inputs = set(listed)
    stood = [name for name in manifest.files if name in inputs]
    kept = find_kept(job, manifest)
    return (
        kept.keys() == manifest.files.keys()
        and manifest.files.keys().isdisjoint(changed)
        and listed[: len(stood)] == stood
    )


def find_kept(job: TableJob, manifest: TableManifest) -> dict[str, ConvertedFile]:
    """Return the files whose rows belong to the table still: those that are listed, and an inbox's that are gone."""
    names = {file.name for file in job.inputs}
    return {
        name: file
        for name, file in manifest.files.items()
        if name in names or (job.keeps(name) and is_whole(job.parts / file.part, file))
    }


def widen_types(job: TableJob, files: Mapping[str, ConvertedFile]) -> dict[str, TypeName]:
    """Return the types of the table: those that hold the values of all of its files, in the order of the inputs."""
    types = widen_all(file.types for file in in_order(job, files).values())
    if job.explode and is_replaced(job.explode, types) and _is_null(job.explode, files):
        types.pop(job.explode, None)
    _check_declared(job, types)
    for name, column in job.source.columns.items():
        if name in types and column.type == "timestamp":  # with and without a zone: what fits one only is a reject
            zoned = any(file.types.get(name) == "timestamp_utc" for file in files.values())
            types[name] = "timestamp_utc" if zoned else "timestamp"
    return types


def _is_null(name: str, files: Mapping[str, ConvertedFile]) -> bool:
    return all(file.types.get(name, "null") == "null" for file in files.values())


def _check_declared(job: TableJob, types: Mapping[str, TypeName]) -> None:
    """Raise when a declared column is in no file; records of an API may leave out what is null."""
    if not isinstance(job.source, FilesSource) or not types:
        return
    for name in job.source.columns:
        if name not in types:
            near = get_close_matches(name, types, n=1)
            cure = f"did you mean {near[0]}?" if near else f"the columns are {', '.join(types)}"
            raise TableError(f"columns.{name}: no file has this column; {cure}")


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


def _has_rejects(job: TableJob, file: InputFile, manifest: TableManifest) -> bool:
    converted = manifest.files[file.name]
    return not converted.rows_rejected or (job.rejects / converted.part).exists()
