"""A table: what it holds already, and which of its files are to be converted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from tasks.config import ElementsSource, FilesSource
from tasks.convert.formats.json.rows import NOT_A_LIST, is_replaced
from tasks.convert.parts.part import Part
from tasks.convert.schema.expressions import find_made, find_unread
from tasks.convert.schema.names import FILE, LINE
from tasks.convert.schema.types import Types
from tasks.convert.staging.context import ConvertedFile, InputFile
from tasks.convert.table.damage import (
    find_damaged,
    find_gone,
    find_lost_rejects,
    is_current,
    refuse_lost,
    restore_table,
)
from tasks.convert.table.findings import TableReport
from tasks.convert.table.job import TableJob
from tasks.convert.table.manifest import TableManifest
from tasks.core.errors import TableError
from tasks.core.storage import remove_stale_temp_files
from tasks.core.suggestions import did_you_mean
from tasks.core.tables import find_alike

_SHOWN: Mapping[str, str] = {"long": "int"}


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
    records_empty: int = 0
    """Records that gave no row, as their list of rows was empty."""
    findings: TableReport = field(default_factory=TableReport, compare=False)
    rows_new: int = field(default=0, compare=False)
    """Of the rows received, those that were read in this run."""

    @property
    def warnings(self) -> list[str]:
        """Return what is told of the table: what ingest found of its rows, as ingest says it, and what this stage did."""
        found = self.findings
        told = [f"source {self.source}, {doubt}" for doubt in found.doubts]
        return [*told, *(f"source {self.source}: {warning}" for warning in found.warnings)]


def open_table(job: TableJob, *, fresh: bool) -> TableManifest:
    """Return what the table holds that is still good; leftovers of a killed run are swept away.

    When all is to be made anew, these are an inbox's files that are gone: their
    rows cannot be read again.

    Raises:
        TableError: what is declared of the table has changed, and such rows have the old types.

    """
    versions = job.versions
    versions.sweep()
    remove_stale_temp_files(versions.home)
    manifest = restore_table(job)
    declared_anew = manifest.fingerprint != job.fingerprint
    if not (fresh or declared_anew):
        return manifest
    gone = {name: manifest.files[name] for name in find_gone(job, manifest)}
    if gone and declared_anew:
        raise TableError(
            f"its columns, key or form are declared anew, but {len(gone)} of its files are gone, the first is "
            f"{next(iter(gone))}; put them back, or say on_missing: drop to make the table without them"
        )
    parts = {name: part for name, part in manifest.parts.items() if part.rows.keys() & gone.keys()}
    return replace(manifest, fingerprint=job.fingerprint, files=gone, parts=parts)


def find_changed(job: TableJob, manifest: TableManifest) -> list[InputFile]:
    """Return the files to be converted: new or changed ones, those that are damaged in the table, and those that lost rows, if these may come back.

    Raises:
        TableError: rows are damaged in the table, and the file that they are from is gone.

    """
    damaged = find_damaged(job, manifest)
    refuse_lost(job, manifest, damaged)
    names = {file.name for file in job.inputs if file.name in damaged or not is_current(file, manifest)}
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
    """Return the files whose rows belong to the table still: those that are listed, and an inbox's that are gone.

    Of the latter the rejects may be lost, as `find_lost_rejects` tells.
    """
    lost = find_lost_rejects(job, manifest)
    kept = {*find_gone(job, manifest), *(file.name for file in job.inputs)}
    return {
        name: replace(file, rejects=()) if name in lost else file
        for name, file in manifest.files.items()
        if name in kept
    }


def check_declared(job: TableJob, types: Types, files: Iterable[ConvertedFile]) -> None:
    """Raise when a declared column is in no file, or no record of an API."""
    options = job.source.table
    for key, names in (("table.partition_by", options.partition_by), ("table.sort_by", options.sort_by)):
        for name in names:
            if types and name not in types:
                raise TableError(f"{key}: {name!r} is not a column; the columns are {', '.join(types)}")
    kind = "file" if isinstance(job.source, FilesSource) else "record"
    taken = {name for file in files for name in file.taken}
    met = {*types, *taken, *find_made(job.target.columns)}
    for key, name, cure in find_unread(job.target.columns, met, taken) if types else ():
        raise TableError(f"{key} no {kind} has a column {name!r}; {cure}")
    if job.lenient:
        return
    for name in job.source.columns if types else ():
        if job.naming.rename([name])[0] not in met and not _is_of_no_element(job, name, types):
            key = _key_of(job, name)
            cure = did_you_mean(key, types, f"the columns are {', '.join(types)}")
            raise TableError(f"columns.{key}: no {kind} has this column; {cure}")


def _key_of(job: TableJob, name: str) -> str:
    """Return the key under which a column is declared: of the elements of a list, their own name for it."""
    return job.naming.rename([name])[0] if isinstance(job.source, ElementsSource) else name


def check_letter_case(job: TableJob, types: Types, parts: Iterable[Part]) -> None:
    """Raise when two columns differ by case alone, in one file or in several."""
    alike = find_alike([*types, *((FILE, LINE) if job.target.provenance else ())])
    if alike is None:
        return
    first = {name: next(iter(part.rows)) for part in reversed(list(parts)) for name in part.types if part.rows}
    told = " and ".join(f"{name!r} (in {first[name]})" if name in first else repr(name) for name in alike)
    raise TableError(
        f"the columns {told} differ by case alone, and SQL takes one for the other; rename one of them, as columns: "
        f"{{{alike[1]}: {{rename: …}}}}, to a name of its own, or to {alike[0]} where both are one column"
    )


def _is_of_no_element(job: TableJob, name: str, types: Types) -> bool:
    """Return whether a column is of the elements of a list, none of which came."""
    return job.explode is not None and name.startswith(f"{job.explode}.") and job.explode in types


def check_exploded(job: TableJob, types: Types, files: Iterable[ConvertedFile]) -> None:
    """Raise when records came, and none of them has the column that is exploded."""
    counted = list(files)
    has_rows = any(f.rows_received > f.rows_rejected for f in counted)
    if job.explode is None or not (has_rows or any(f.records_empty for f in counted)) or (has_rows and job.lenient):
        return
    if not _has_exploded(job, job.explode, types) and not any(_may_reject_list(f) for f in counted):
        cure = did_you_mean(job.explode, types, f"the columns are {', '.join(types)}")
        raise TableError(f"explode: no record has a column {job.explode!r}; {cure}")
    if isinstance(job.source, ElementsSource):
        _check_taken(job, job.source.take, types)


def _check_taken(job: TableJob, take: Mapping[str, str], types: Types) -> None:
    """Raise when no record has a column that its elements are to have too."""
    for name, of in take.items():
        if job.naming.rename([of])[0] not in types:
            raise TableError(f"take.{name}: no record has a column {of!r}; correct it, or take it out")


def _has_exploded(job: TableJob, explode: str, types: Types) -> bool:
    """Return whether there is a column of the list that is exploded, or of its elements, by whatever name."""
    if isinstance(job.source, ElementsSource):
        return job.naming.rename([explode])[0] in types or job.has_elements(types)
    renamed = (new for name, new in job.naming.renames.items() if is_replaced(explode, [name]))
    own, of_element = job.naming.rename([explode, f"{explode}.x"])
    return own in types or any(name.startswith(of_element[:-1]) for name in types) or any(n in types for n in renamed)


def _may_reject_list(file: ConvertedFile) -> bool:
    """Return whether a record of a file may have the column that is exploded, and be a reject as it holds no list."""
    reasons = file.reasons
    return sum(reasons.values()) < file.rows_rejected or any(reason.endswith(NOT_A_LIST) for reason in reasons)


def shown_types(types: Mapping[str, str]) -> dict[str, str]:
    """Return the types of columns as they are shown and declared."""
    return {name: _SHOWN.get(kind, kind) for name, kind in types.items()}


def state_of_table(
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
        types=shown_types(types),
        reasons=dict(reasons),
        records_empty=sum(file.records_empty for file in files.values()),
    )
