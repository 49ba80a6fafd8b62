"""A snapshot: the files of a unit that count, each with the object that holds its bytes.

It is the one object of a unit that is ever replaced, and only where it is still the one
that was read: of two writers one wins, and readers see all of one snapshot or of the next.
"""

from __future__ import annotations

import os
import posixpath
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec

from tasks.core.bucket.units import Unit
from tasks.core.checksums import Checksum, take_checksum

SNAPSHOTS = ".tidemill"
_PLAIN = re.compile(r"[^A-Za-z0-9_=,.+-]")
_NAME_CHARACTERS = 120
_UNCOMMITTED = "staged"


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file of a unit, a link to another, by the path that it leads to, or a folder in which nothing is.

    `key` is that of the object that holds a file's bytes; of what is not committed there is none.
    """

    size: int = 0
    mtime_ns: int = 0
    digest: str = ""
    link: str = ""
    key: str = ""

    @property
    def is_file(self) -> bool:
        """Return whether it has bytes of its own."""
        return bool(self.digest)

    @property
    def content(self) -> tuple[int, str, str]:
        """Return what makes it another one; a file that was touched is the same."""
        return self.size, self.digest, self.link


Files = Mapping[str, Entry]
"""By their paths in the data folder."""


@dataclass(frozen=True)
class Snapshot:
    """The files of a unit, and who committed them: `commit` is another one each time."""

    files: dict[str, Entry] = field(default_factory=dict)
    commit: str = field(default_factory=lambda: uuid4().hex)
    host: str = field(default_factory=socket.gethostname)
    written_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())


@dataclass(frozen=True)
class Version:
    """A snapshot as it was read from its store, or written; `e_tag` and `number` tell the store which one it is."""

    snapshot: Snapshot = field(default_factory=lambda: Snapshot(commit=""))
    e_tag: str | None = None
    number: str | None = None

    @property
    def is_stored(self) -> bool:
        """Return whether there is one."""
        return self.e_tag is not None or self.number is not None


def find_foreign(unit: Unit, files: Files) -> str | None:
    """Return a path of a snapshot that leads out of its unit, or whose link does: who may write to a bucket writes nowhere else here."""
    for name, entry in files.items():
        leads_to = posixpath.join(posixpath.dirname(name), entry.link) if entry.link else name
        if any(not _is_within(unit, path) for path in (name, leads_to)):
            return name
    return None


def _is_within(unit: Unit, path: str) -> bool:
    plain = posixpath.normpath(path)
    return any(plain == place or plain.startswith(f"{place}/") for place in unit.places)


def snapshot_key(unit: Unit) -> str:
    """Return the key of the object that holds a unit's snapshot."""
    return f"{SNAPSHOTS}/{unit}.json"


def with_key(unit: Unit, path: str, entry: Entry) -> Entry:
    """Return a file with the key that its object is going to have: another one each time, so that what no snapshot names is never named again."""
    name = _PLAIN.sub("_", path.rpartition("/")[2])
    return msgspec.structs.replace(entry, key=f"{unit}/{uuid4().hex}/{name[-_NAME_CHARACTERS:]}")


def scan(root: Path, unit: Unit, known: Files) -> dict[str, Entry]:
    """Return what is there of a unit; a file of the size and time of a known one is that one, and not read."""
    found: dict[str, Entry] = {}
    for path, status in _walk_unit(root, unit):
        name = path.relative_to(root).as_posix()
        if status is None:
            found[name] = Entry(link=str(path.readlink())) if path.is_symlink() else Entry()
            continue
        before = known.get(name)
        if before is not None and (before.size, before.mtime_ns) == (status.st_size, status.st_mtime_ns):
            found[name] = before
        else:
            found[name] = _entry(take_checksum(path))
    return found


def is_there(root: Path, unit: Unit) -> bool:
    """Return whether anything is there of a unit; what is gone as a whole was lost, and is no change of a run's."""
    return any(True for _ in _walk_unit(root, unit))


def _entry(taken: Checksum) -> Entry:
    return Entry(taken.size, taken.mtime_ns, taken.digest)


def _walk_unit(root: Path, unit: Unit) -> Iterator[tuple[Path, os.stat_result | None]]:
    for place in (root / each for each in unit.places):
        for path, status in _walk(place):
            if path != place or status is not None or place.is_symlink():  # else a folder that waits for its first file
                yield path, status


def _walk(place: Path) -> Iterator[tuple[Path, os.stat_result | None]]:
    """Yield files with their status, and links and empty folders, below a place; what is hidden is no run's result."""
    if place.is_symlink():
        yield place, None
    elif place.is_file():
        yield place, place.stat()
    elif place.is_dir():
        inside = [path for path in sorted(place.iterdir()) if not _is_passed_over(path)]
        if not inside:
            yield place, None
        for path in inside:
            yield from _walk(path)


def _is_passed_over(path: Path) -> bool:
    return path.name.startswith(".") or (path.name == _UNCOMMITTED and path.parent.parent.name == ".tables")


def changes(before: Files, after: Files) -> dict[str, Entry | None]:
    """Return what is new or other in `after`, and None of each that is gone."""
    anew: dict[str, Entry | None] = {
        name: entry for name, entry in after.items() if name not in before or before[name].content != entry.content
    }
    return anew | dict.fromkeys(before.keys() - after.keys())


def apply_changes(files: Files, made: Mapping[str, Entry | None]) -> dict[str, Entry]:
    """Return files with changes made."""
    merged = {name: entry for name, entry in files.items() if name not in made}
    return merged | {name: entry for name, entry in made.items() if entry is not None}


def find_conflict(mine: Mapping[str, Entry | None], theirs: Mapping[str, Entry | None]) -> str | None:
    """Return a file that two have changed, each in another way; None where there is none."""
    for name in sorted(mine.keys() & theirs.keys()):
        one, other = mine[name], theirs[name]
        if (one and one.content) != (other and other.content):
            return name
    return None
