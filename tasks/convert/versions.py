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

from tasks.store import fsync

_CURRENT = "current"
_KEPT = 2


@dataclass(frozen=True)
class Versions:
    """The versions of one table; `table` and `rejects` are the links by which everybody else finds them."""

    home: Path
    table: Path
    rejects: Path

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

    def sweep(self) -> None:
        """Remove what was staged and not committed."""
        shutil.rmtree(self.staged, ignore_errors=True)
        for link in self.home.glob(f".{_CURRENT}.*"):
            link.unlink()

    def keep(self, kind: str, names: Iterable[str]) -> None:
        """Take over the parts of the current version that are not staged anew, as hard links."""
        folder = self.staged / kind
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            if not (folder / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                _link(self.current / kind / name, folder / name)

    def commit(self) -> None:
        """Make the staged version the current one."""
        for folder in (*self.staged.rglob("*/"), self.staged):
            if folder.is_dir():
                fsync(folder)
        number = max((int(name) for name in self._numbers()), default=0) + 1
        version = self.home / f"{number:06d}"
        self.staged.rename(version)
        fresh = self.home / f".{_CURRENT}.{os.getpid()}"
        fresh.symlink_to(version.name)
        fresh.replace(self.current)
        fsync(self.home)
        for link, kind in ((self.table, "table"), (self.rejects, "rejects")):
            self._show(link, kind)
        for name in sorted(self._numbers())[:-_KEPT]:
            shutil.rmtree(self.home / name, ignore_errors=True)

    def _numbers(self) -> list[str]:
        return [path.name for path in self.home.iterdir() if path.name.isdigit()]

    def _show(self, link: Path, kind: str) -> None:
        """Let a link in `data/tables` or `data/rejects` lead to the current version."""
        if link.is_symlink() and link.exists():
            return
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_dir() and not link.is_symlink():  # as older versions of Tidemill had it
            shutil.rmtree(link)
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(self.current / kind, link.parent), target_is_directory=True)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
