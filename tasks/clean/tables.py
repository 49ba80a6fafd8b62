"""Earlier versions of tables with their rejects, and the folders of runs that took little of each source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tasks.clean.item import Item, Place, last_change
from tasks.convert.table.versions import Versions
from tasks.core.storage import DataFolder, list_leftovers
from tasks.core.tables import MANIFEST

_LIMITED = re.compile(r"limit-[1-9][0-9]*")


def find_versions(folder: DataFolder, before: float) -> Iterator[Place]:
    """Yield the versions of each table; one that was superseded after `before`, in seconds since 1970, stays for who reads it."""
    for home in sorted((folder.root / ".tables").glob("*/")):
        versions = Versions.of(home.name, folder)
        yield Place(partial(_look_at_versions, versions, before), (home / ".lock",))


def _look_at_versions(versions: Versions, before: float) -> Iterator[Item]:
    current = versions.current.resolve()
    manifest = current / "table" / MANIFEST
    if not versions.current.is_symlink() or not manifest.is_file():
        return  # the next run sees which of them counts
    superseded_at = manifest.stat().st_mtime
    for version in versions.numbered:
        kept = None if superseded_at < before else "superseded lately"
        kept = "it is the table" if version.resolve() == current else kept
        yield Item("table versions", f".tables/{version.parent.name}/{version.name}", (version,), kept)


def find_limited(folder: DataFolder, before: float) -> Iterator[Place]:
    """Yield the folders of runs with a limit; one in which something was written after `before` stays."""
    for limited in sorted(folder.root.glob("limit-*/")):
        if _LIMITED.fullmatch(limited.name):
            yield Place(partial(_look_at_limited, limited, before), (limited,))


def _look_at_limited(limited: Path, before: float) -> Iterator[Item]:
    kept = None if last_change(limited) < before else "younger"
    yield Item("looks with --limit", limited.name, (limited,), kept)


def find_unfinished(folder: DataFolder) -> Iterator[Place]:
    """Yield what killed processes left unfinished, however lately."""
    yield Place(partial(_look_at_unfinished, folder))


def _look_at_unfinished(folder: DataFolder) -> Iterator[Item]:
    for path in list_leftovers(folder.root):
        yield Item("unfinished files", str(path.relative_to(folder.root)), (path,), None)
