"""A table's versions: a new one is made beside the current one and takes its place in one step.

`home` is `data/.tables/<source>`. In it `current` is a link to the version that
counts, a folder with the table's parts and its rejects; `data/tables/<source>`
and `data/rejects/<source>` are links through it, so that both change in the same
instant, whatever happens to the process. Parts that stay are hard links. The
version before is kept until the next commit, for readers that had begun on it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tasks.core.bucket.mirror import number_after
from tasks.core.checksums import link_file
from tasks.core.errors import TableError
from tasks.core.storage import DataFolder, fsync
from tasks.core.tables import MANIFEST
from tasks.runners.worker_check import remove_places

_CURRENT = "current"
KEPT = 2
"""So many versions stay: the current one, and the one before, for readers that had begun on it."""
ALONE = 1
"""So many versions stay where the one before holds what is private now."""


@dataclass(frozen=True)
class Versions:
    """The versions of one table; `table` and `rejects` are the links by which everybody else finds them.

    `copy` is where a copy of the current manifest lies, which tells what is lost when a version is.
    """

    home: Path
    table: Path
    rejects: Path
    copy: Path

    @classmethod
    def of(cls, source: str, folder: DataFolder) -> Versions:
        """Return the versions of a source's table in a data folder."""
        return cls(folder.versions(source), folder.table(source), folder.rejects(source), folder.manifest(source))

    @property
    def current(self) -> Path:
        """Return the folder of the version that counts; it need not exist."""
        return self.home / _CURRENT

    @property
    def staged(self) -> Path:
        """Return the folder in which the next version is made."""
        return self.home / "staged"

    def find_part(self, kind: str, name: str) -> Path:
        """Return where a part of the next version is: staged, or still in the current one; `kind` is table or rejects."""
        staged = self.staged / kind / name
        return staged if staged.exists() else self.current / kind / name

    @property
    def numbered(self) -> list[Path]:
        """Return the folders of the versions that are there, the latest first."""
        return [self.home / name for name in sorted(self._numbers(), key=int, reverse=True)]

    def next_number(self, after: int = 0) -> int:
        """Return the number of the next version, which is `after` another; in a bucket one that no other machine gives."""
        return number_after(max([after, *(int(folder.name) for folder in self.numbered)]), self.home)

    def restore_link(self) -> None:
        """Let `current` be a link to a version again, where it is gone, leads nowhere, or was copied as a folder."""
        if self.current.is_symlink() and self.current.is_dir():
            return
        if self.current.is_dir() and not self.current.is_symlink():
            self.current.rename(self._folder(self.next_number()))
        elif not self.numbered:
            self._take_in()
        if self.numbered:
            self._point_to(self.numbered[0])

    def sweep(self) -> None:
        """Remove what was staged and not committed, here or by workers, one of which may have gone on after its run had ended."""
        shutil.rmtree(self.staged, ignore_errors=True)
        remove_places(self.home)
        for link in self.home.glob(f".{_CURRENT}.*"):
            link.unlink()

    def keep(self, kind: str, names: Iterable[str]) -> None:
        """Take over the parts of the current version that are not staged anew, as hard links."""
        folder = self.staged / kind
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            if not (folder / name).exists():
                link_file(self.current / kind / name, folder / name)

    def commit(self, number: int, kept: int = KEPT) -> None:
        """Make the staged version the current one, under a number that no version has; so many stay, itself among them."""
        for folder in (*self.staged.rglob("*/"), self.staged):
            if folder.is_dir():
                fsync(folder)
        self.staged.rename(self._folder(number))
        self._point_to(self._folder(number))
        self.show()
        for folder in self.numbered[kept:]:
            shutil.rmtree(folder, ignore_errors=True)

    def show(self) -> None:
        """Let `table` and `rejects` lead to the current version.

        Raises:
            TableError: something is in the way that no run made.

        """
        for link, kind in ((self.table, "table"), (self.rejects, "rejects")):
            self._show(link, kind)

    def _folder(self, number: int) -> Path:
        return self.home / f"{number:06d}"

    def _numbers(self) -> list[str]:
        return [path.name for path in self.home.glob("[0-9]*") if path.name.isdigit() and path.is_dir()]

    def _point_to(self, version: Path) -> None:
        fresh = self.home / f".{_CURRENT}.{os.getpid()}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(version.name)
        fresh.replace(self.current)
        fsync(self.home)

    def _take_in(self) -> None:
        """Make a version of a table and its rejects that are folders: in a copy that has neither links nor versions."""
        for place, kind in ((self.table, "table"), (self.rejects, "rejects")):
            if not place.is_symlink() and place.is_dir() and _is_made(place):
                self.staged.mkdir(parents=True, exist_ok=True)
                place.rename(self.staged / kind)
        if self.staged.is_dir():
            self.staged.rename(self._folder(1))

    def _show(self, link: Path, kind: str) -> None:
        """Let a link in `data/tables` or `data/rejects` lead to the current version."""
        leads_to = os.path.relpath(self.current / kind, link.parent)
        if link.is_symlink() and str(link.readlink()) == leads_to:
            return
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.exists() and not link.is_symlink():
            if not _is_made(link):
                raise TableError(f"{link} is in the way of the table, and no run has made it; move it away")
            shutil.rmtree(link)  # a copy that has no links
        link.unlink(missing_ok=True)
        link.symlink_to(leads_to, target_is_directory=True)


def _is_made(folder: Path) -> bool:
    """Return whether a folder holds nothing but what a run puts into a table or its rejects."""
    return folder.is_dir() and all(
        path.is_dir() or path.suffix == ".parquet" or path.name == MANIFEST for path in folder.rglob("*")
    )
