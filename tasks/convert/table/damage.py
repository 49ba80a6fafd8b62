"""What of a table is gone or damaged, and the table as it was last committed, made again of all that is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tasks.config import FilesSource
from tasks.convert.staging.context import InputFile
from tasks.convert.staging.unchanged import content_digest
from tasks.convert.table.job import TableJob
from tasks.convert.table.manifest import (
    TableManifest,
    commit_table_manifest,
    copy_table_manifest,
    has_all_rows,
    read_manifest_file,
)
from tasks.convert.table.versions import Versions
from tasks.core.checksums import is_as_written, link_file
from tasks.core.errors import TableError
from tasks.core.escaping import count
from tasks.core.tables import MANIFEST
from tasks.raw.files import extended_name
from tasks.raw.owners import explain_other_owner


def restore_table(job: TableJob) -> TableManifest:
    """Return the manifest of the table as it was last committed; what is damaged of it comes from another version that has it.

    A manifest that is gone is read from its copy, and a version that is gone made again
    where all of its files are left. What is found of a table of which files are lost is
    staged.

    Raises:
        TableError: the table is another pipeline's, whose run has come between this one's check and its lock.

    """
    versions = job.versions
    if job.pipeline and (foreign := explain_other_owner(job.name, job.pipeline, job.root, versions.copy)):
        raise TableError(foreign)
    versions.restore_link()
    manifest, is_current = _read_latest(versions)
    if not manifest.files:
        return manifest
    lost = _stage_copies(versions, manifest) if manifest.checksums else False
    if not lost and (not is_current or versions.staged.exists()):
        _commit_again(versions, manifest)
    if is_current or not lost:
        _keep(job, manifest)
    return manifest


def is_part_intact(versions: Versions, manifest: TableManifest, name: str) -> bool:
    """Return whether a part is there as it was written."""
    path, checksum = versions.find_part("table", name), manifest.checksums.get(f"table/{name}")
    return is_as_written(path, checksum) if checksum else has_all_rows(path, manifest.parts[name])


def is_reject_intact(versions: Versions, manifest: TableManifest, name: str) -> bool:
    """Return whether a file of rejects is there as it was written."""
    path, checksum = versions.find_part("rejects", name), manifest.checksums.get(f"rejects/{name}")
    return is_as_written(path, checksum) if checksum else path.is_file()


def _read_latest(versions: Versions) -> tuple[TableManifest, bool]:
    """Return the manifest of the latest version that anything tells of, and whether it is the current one's."""
    current = read_manifest_file(versions.current / "table" / MANIFEST)
    found = [current, read_manifest_file(versions.copy)]
    if current is None:
        found += [read_manifest_file(folder / "table" / MANIFEST) for folder in versions.numbered]
    there = [manifest for manifest in found if manifest is not None]
    latest = max(there, key=lambda manifest: manifest.number, default=TableManifest())
    return latest, latest is current


def _stage_copies(versions: Versions, manifest: TableManifest) -> bool:
    """Stage the files that the current version lacks and another has; return whether any is lost."""
    lost = False
    for name, checksum in manifest.checksums.items():
        if is_as_written(versions.current / name, checksum):
            continue
        copies = (folder / name for folder in versions.numbered)
        copy = next((path for path in copies if is_as_written(path, checksum)), None)
        if copy is None:
            lost = True
        else:
            link_file(copy, versions.staged / name)
    return lost


def _commit_again(versions: Versions, manifest: TableManifest) -> None:
    for kind, names in (("table", manifest.parts), ("rejects", _rejects(manifest))):
        versions.keep(kind, names)
    commit_table_manifest(versions.staged / "table", manifest)
    versions.commit(versions.next_number(manifest.number))


def _rejects(manifest: TableManifest) -> Iterator[str]:
    return (name for file in manifest.files.values() for name in file.rejects)


def _keep(job: TableJob, manifest: TableManifest) -> None:
    """Let the table be found where it is looked for, and its manifest's copy be there."""
    folder = job.versions.current / "table"
    job.versions.show()
    if manifest.pipeline != job.pipeline and job.pipeline:
        commit_table_manifest(folder, replace(manifest, pipeline=job.pipeline))
    copy_table_manifest(folder, job.versions.copy)


def find_damaged(job: TableJob, manifest: TableManifest) -> dict[str, Path]:
    """Return the files of which a part, or the rejects, are no longer there as they were written, and where that was."""
    versions = job.versions
    damaged = {name for name in {*_rejects(manifest)} if not is_reject_intact(versions, manifest, name)}
    rejects = {
        name: versions.rejects / reject
        for name, file in manifest.files.items()
        for reject in file.rejects
        if reject in damaged
    }
    parts = {
        file: versions.table / part.name
        for part in manifest.parts.values()
        if not is_part_intact(versions, manifest, part.name)
        for file in part.rows
    }
    return rejects | parts


def look_for_damage(versions: Versions, manifest: TableManifest) -> list[Path]:
    """Return the files of a table, and of its rejects, that are gone, of another size, or without their footer; nothing is read but that."""
    places = {"table": versions.table, "rejects": versions.rejects}
    kinds = {name: name.partition("/") for name in manifest.checksums}
    sizes = {places[kinds[name][0]] / kinds[name][2]: each.size for name, each in manifest.checksums.items()}
    parts = {versions.table / name: part for name, part in manifest.parts.items()}
    return [
        path
        for path in dict.fromkeys((*parts, *sizes))
        if (path in sizes and not _has_size(path, sizes[path]))
        or (path in parts and not has_all_rows(path, parts[path]))
    ]


def find_gone(job: TableJob, manifest: TableManifest) -> list[str]:
    """Return the files that are gone, and whose rows stay."""
    listed = {file.name for file in job.inputs}
    return [name for name in manifest.files if name not in listed and job.keeps(name)]


def find_lost_rejects(job: TableJob, manifest: TableManifest) -> list[str]:
    """Return the files that are gone, and whose rejects are too."""
    versions = job.versions
    return [
        name
        for name in find_gone(job, manifest)
        if any(not versions.find_part("rejects", reject).exists() for reject in manifest.files[name].rejects)
    ]


def warn_of_lost_rejects(job: TableJob, manifest: TableManifest) -> tuple[str, ...]:
    """Return a sentence on the rejects that are gone, and cannot be made again."""
    lost = find_lost_rejects(job, manifest)
    if not lost:
        return ()
    more = f" and {count(len(lost) - 1, 'more file')}" if len(lost) > 1 else ""
    return (f"the rejects of {lost[0]}{more} are gone, and so is the file; put it back to have them made again",)


def refuse_lost(job: TableJob, manifest: TableManifest, damaged: Mapping[str, Path]) -> None:
    """Raise where rows that belong to the table can be made of nothing that is left.

    Rejects that are gone are no reason: the table has all of its rows.
    """
    without = set(find_lost_rejects(job, manifest))
    lost = [n for n in find_gone(job, manifest) if n in damaged and not (n in without and _is_reject(damaged[n], job))]
    if lost:
        place, more = damaged[lost[0]], f" and {count(len(lost) - 1, 'more file')}" if len(lost) > 1 else ""
        cure = (
            f"delete {place} to go on without these rejects"
            if _is_reject(place, job)
            else "say on_missing: drop to make the table without the files that are gone"
        )
        raise TableError(
            f"{place} is gone or damaged, and so is what it was made of, {lost[0]}{more}; put that back, or {cure}"
        )
    _refuse_lost_increments(job, manifest)


def is_current(file: InputFile, manifest: TableManifest) -> bool:
    """Return whether a file was converted as it is now: told by size and times, and where one differs by its hash.

    A program that copies a file may give it the time of another, as cp -p does, but not the time of its last change.
    """
    converted = manifest.files.get(file.name)
    if converted is None or converted.size != file.size:
        return False
    same = converted.ctime_ns in (0, file.ctime_ns)  # of a table that was made before it was kept, or of a raw file
    if file.is_local and converted.mtime_ns == file.mtime_ns and same:
        return True
    return content_digest(file) == converted.digest


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _is_reject(path: Path, job: TableJob) -> bool:
    return path.is_relative_to(job.versions.rejects)


def _refuse_lost_increments(job: TableJob, manifest: TableManifest) -> None:
    """Raise where an increment is gone, though what it was added to is as it was."""
    if isinstance(job.source, FilesSource) or not job.source.grows:
        return
    inputs = {file.name: file for file in job.inputs}
    for name in manifest.files.keys() - inputs.keys():
        first = extended_name(name)
        if first is not None and first in inputs and is_current(inputs[first], manifest):
            raise TableError(
                f"{name}, which was added to {first}, is gone; put it back, or delete {first}, so that all of it is "
                "fetched anew"
            )
