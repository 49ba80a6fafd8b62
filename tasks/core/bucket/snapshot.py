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
OBJECTS = f"{SNAPSHOTS}/objects"
"""Below it lies nothing that others have put into the bucket."""
_PLAIN = re.compile(r"[^A-Za-z0-9_=,.+-]")
_NAME_CHARACTERS = 120
_KEPT = 2  # versions of a table: the current one, and the one before
_UNCOMMITTED = "staged"
_OF_RAW = (".jsonl.zst", ".arrows", ".json")


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
    left: dict[str, Entry] = field(default_factory=dict)
    """Files on this machine that are none of it any more, which somebody may be reading."""

    @property
    def is_stored(self) -> bool:
        """Return whether there is one."""
        return self.e_tag is not None or self.number is not None


def find_foreign(unit: Unit, files: Files) -> str | None:
    """Return a path of a snapshot that leads out of its unit, or a link that no run makes: who may write to a bucket writes nowhere else here."""
    links = {name: entry.link for name, entry in files.items() if entry.link}
    for name in files:
        plain = posixpath.normpath(name) == name and any(
            name == place or name.startswith(f"{place}/") for place in unit.places
        )
        if not plain or any(name.startswith(f"{link}/") for link in links):
            return name
    own = {f"tables/{unit.name}": "table", f"rejects/{unit.name}": "rejects"} if unit.kind == "tables" else {}
    for name, leads_to in links.items():
        is_version = bool(own) and name == f".tables/{unit.name}/current" and leads_to.isdigit()
        if not is_version and (name not in own or leads_to != f"../.tables/{unit.name}/current/{own[name]}"):
            return name
    return None


def snapshot_key(unit: Unit) -> str:
    """Return the key of the object that holds a unit's snapshot."""
    return f"{SNAPSHOTS}/{unit}.json"


def with_key(unit: Unit, path: str, entry: Entry) -> Entry:
    """Return a file with the key that its object is going to have: another one each time, so that what no snapshot names is never named again."""
    name = _PLAIN.sub("_", path.rpartition("/")[2])
    return msgspec.structs.replace(entry, key=f"{OBJECTS}/{unit}/{uuid4().hex}/{name[-_NAME_CHARACTERS:]}")


def find_left(unit: Unit, before: Files, local: Files, target: Files) -> dict[str, Entry]:
    """Return the files of the version of a table that was the current one here, and is none any more: who reads it reads on.

    `before` were those until now, which stay while no other version is left. None stay where a
    table has no version beside the current one: the one before held what is private now.
    """
    home = f".tables/{unit.name}/"
    versions = {name.removeprefix(home).partition("/")[0] for name in target if name.startswith(home)} - {"current"}
    if unit.kind != "tables" or len(versions) < _KEPT:
        return {}
    current = local.get(f"{home}current", Entry()).link
    if not current or current in versions:
        return {name: entry for name, entry in before.items() if name not in target}
    return {name: entry for name, entry in local.items() if name.startswith(f"{home}{current}/")}


def scan(root: Path, unit: Unit, version: Version) -> dict[str, Entry]:
    """Return what is there of a unit; a file of the size and time of a known one is that one, and not read, and what is left for readers is none of it."""
    known, found = version.snapshot.files, dict[str, Entry]()
    for path, status in _walk_unit(root, unit):
        name = path.relative_to(root).as_posix()
        if _is_left(version.left.get(name), status):
            continue
        if status is None:
            found[name] = Entry(link=str(path.readlink())) if path.is_symlink() else Entry()
            continue
        before = known.get(name)
        if before is not None and (before.size, before.mtime_ns) == (status.st_size, status.st_mtime_ns):
            found[name] = before
        else:
            found[name] = _entry(take_checksum(path))
    return found


def _is_left(entry: Entry | None, status: os.stat_result | None) -> bool:
    if entry is None or status is None:
        return entry is not None and not entry.is_file
    return (entry.size, entry.mtime_ns) == (status.st_size, status.st_mtime_ns)


def is_there(root: Path, unit: Unit) -> bool:
    """Return whether anything is there of a unit; what is gone as a whole was lost, and is no change of a run's."""
    return any(True for _ in _walk_unit(root, unit))


def entry_of(path: Path, before: Entry) -> Entry:
    """Return a file as it is by now."""
    status = path.stat()
    is_same = (before.size, before.mtime_ns) == (status.st_size, status.st_mtime_ns)
    return before if is_same else _entry(take_checksum(path))


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


def find_conflicts(unit: Unit, mine: Mapping[str, Entry | None], theirs: Mapping[str, Entry | None]) -> set[str]:
    """Return what of `mine` must give way to what another writer has changed: what belongs together with it, of a table all of it."""
    same = {name for name in mine.keys() & theirs.keys() if _content(mine[name]) == _content(theirs[name])}
    one, other = mine.keys() - same, theirs.keys() - same
    if not unit.is_merged:
        return set(mine) if theirs and (one or other) else set()
    shared = {_group(unit, name) for name in one} & {_group(unit, name) for name in other}
    return {name for name in mine if _group(unit, name) in shared}


def _content(entry: Entry | None) -> tuple[int, str, str] | None:
    return None if entry is None else entry.content


def _group(unit: Unit, name: str) -> str:
    """Return what is the same for files that belong together: a raw file and its manifest, what lies in one folder of models."""
    if unit.kind == "models":
        return posixpath.dirname(name)
    suffix = next((each for each in _OF_RAW if name.endswith(each)), "") if unit.kind == "raw" else ""
    return name.removesuffix(suffix)
