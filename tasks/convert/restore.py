"""A table as it was last committed, taken together again from all that is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tasks.checksums import is_as_written
from tasks.convert.job import TableJob
from tasks.convert.manifest import (
    TableManifest,
    commit_table_manifest,
    copy_table_manifest,
    is_whole,
    read_manifest_file,
)
from tasks.convert.versions import Versions, link_file
from tasks.errors import TableError
from tasks.owners import tell_foreign
from tasks.tables import MANIFEST


def restore_table(job: TableJob) -> TableManifest:
    """Return the manifest of the table as it was last committed; what is damaged of it comes from another version that has it.

    A manifest that is gone is read from its copy, and a version that is gone made again
    where all of its files are left. What is found of a table of which files are lost is
    staged.

    Raises:
        TableError: the table is another pipeline's, whose run has come between this one's check and its lock.

    """
    versions = job.versions
    if job.pipeline and (foreign := tell_foreign(job.name, job.pipeline, job.root, versions.copy)):
        raise TableError(foreign)
    versions.settle()
    manifest, is_current = _read_latest(versions)
    if not manifest.files:
        return manifest
    lost = _stage_copies(versions, manifest) if manifest.checksums else False
    if not lost and (not is_current or versions.staged.exists()):
        _commit_again(versions, manifest)
    if is_current or not lost:
        _keep(job, manifest)
    return manifest


def is_part_whole(versions: Versions, manifest: TableManifest, name: str) -> bool:
    """Return whether a part is there as it was written."""
    path, checksum = versions.find_part("table", name), manifest.checksums.get(f"table/{name}")
    return is_as_written(path, checksum) if checksum else is_whole(path, manifest.parts[name])


def is_reject_whole(versions: Versions, manifest: TableManifest, name: str) -> bool:
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
