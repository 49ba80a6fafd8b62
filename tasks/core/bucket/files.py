"""The files of units on this machine: brought to be those of a snapshot, and written to the store."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

from msgspec.structs import replace

from tasks.core.bucket.snapshot import Entry, Files, changes, entry_of, snapshot_key, with_key
from tasks.core.bucket.store import Store, all_at_once
from tasks.core.bucket.units import Unit
from tasks.core.checksums import give_time, link_file, take_checksum
from tasks.core.errors import StoreError

KEPT = ".bucket"
"""The folder of a mirror in which is what it knows of its bucket."""


@dataclass(frozen=True)
class MirroredFiles:
    """The files of a mirror in a folder."""

    root: Path
    store: Store

    def become(self, unit: Unit, local: Files, target: Files) -> None:
        """Have the files here that are to be: new bytes first, then what tells of them, and links; last goes what is not."""
        made = changes(local, target)
        for name, entry in target.items():
            if name not in made and entry.is_file and entry.mtime_ns != local[name].mtime_ns:
                give_time(self.root / name, entry.mtime_ns)  # else it is read each time, as one that may have changed
        wanted = [(name, entry) for name, entry in made.items() if entry is not None]
        for told in (False, True):
            part = [pair for pair in wanted if pair[1].is_file and pair[0].endswith(".json") is told]
            all_at_once([partial(self._download, unit, *pair) for pair in part])
        for name, entry in wanted:
            if entry.link:
                self._link(self.root / name, entry.link)
            elif not entry.is_file:
                (self.root / name).mkdir(parents=True, exist_ok=True)
        for name in (name for name, entry in made.items() if entry is None):
            self.remove(unit, name)

    def _download(self, unit: Unit, name: str, entry: Entry) -> None:
        part, path = self.incoming(), self.root / name
        try:
            self.store.download(entry.key, part)
            if take_checksum(part).digest != entry.digest:
                raise StoreError(
                    f"{self.store.address}/{entry.key}: is not what was written there; put it back "
                    f"from a copy, or remove {snapshot_key(unit)} from the bucket to begin {unit} anew"
                )
            give_time(part, entry.mtime_ns)
            path.parent.mkdir(parents=True, exist_ok=True)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _link(self, path: Path, target: str) -> None:
        part = self.incoming()
        part.symlink_to(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        part.replace(path)

    def remove(self, unit: Unit, name: str) -> None:
        """Remove a file of a unit, and the folders in which nothing is left then."""
        path = self.root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        place = next(self.root / place for place in unit.places if name.startswith(place))
        for folder in path.parents:
            if folder == place or not folder.is_relative_to(place):
                break
            with suppress(OSError):  # it holds something else
                folder.rmdir()

    def upload(self, unit: Unit, found: Mapping[str, Entry | None], known: Files) -> dict[str, Entry | None]:
        """Write the objects of what has changed; return it with their keys. Bytes that the unit has already, as a hard link, are there.

        Of what is merged all is written: what the snapshot here names, the one that is there by now may not.
        """
        keys = {} if unit.is_merged else {(each.size, each.digest): each.key for each in known.values()}
        mine = dict(found)
        uploads = {}
        for name, entry in found.items():
            if entry is None or not entry.is_file:
                continue
            if key := keys.get((entry.size, entry.digest)):
                mine[name] = replace(entry, key=key)
            else:
                uploads[name] = partial(self._upload_one, unit, name, entry)
        mine |= zip(uploads, all_at_once(list(uploads.values())), strict=True)
        return mine

    def _upload_one(self, unit: Unit, name: str, entry: Entry) -> Entry:
        """Write a file's object; return the file as it was written, which another process may have replaced since it was looked at."""
        part = self.incoming()
        try:
            link_file(self.root / name, part)
            made = with_key(unit, name, entry_of(part, entry))
            self.store.upload(made.key, part)
        finally:
            part.unlink(missing_ok=True)
        return made

    def incoming(self) -> Path:
        """Return a path at which nothing is, for what is then renamed to its place."""
        folder = self.root / KEPT / "incoming"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f".{uuid4().hex}.{os.getpid()}.part"
