"""Packs: raw files in which many small partitions lie, each a zstd frame, with one manifest for all of them.

What is landed again is put into a new pack, whose manifest makes it count: of two
packs that have the same partition the later one does, and the older one's manifest
is then written without it. A run that is killed on the way leaves a partition at
most twice, of which one counts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from tasks.core.bucket.mirror import number_after
from tasks.core.escaping import count
from tasks.core.storage import commit, json_reader, write_json
from tasks.raw.files import MANIFEST_SUFFIX, RAW_SUFFIX, RawManifest, is_as_written, manifest_path

SMALL_PARTITIONS = 125
"""A pack of fewer is put into the one after it, so that those that come slowly do not leave a pack for each few."""
PACK = re.compile(
    rf"pack-(?P<number>[0-9]{{6,}})(?:{re.escape(RAW_SUFFIX)}|{re.escape(MANIFEST_SUFFIX)})"
)  # of one that is gone the manifest tells


class Piece(NamedTuple):
    """Where the bytes of a partition lie in a pack."""

    pack: Path
    at: int
    size: int

    def open(self) -> BytesIO:
        """Return the bytes as a file.

        Raises:
            OSError: the pack cannot be read.

        """
        with self.pack.open("rb") as file:
            file.seek(self.at)
            return BytesIO(file.read(self.size))


@dataclass(frozen=True)
class Member:
    """One partition in a pack: its manifest, as that of a raw file of its own would be, and where its bytes begin."""

    at: int
    manifest: RawManifest


@dataclass(frozen=True)
class PackManifest:
    """What is known of a pack: its file as it was written, and the partitions in it that count, by their names."""

    file_bytes: int
    sha256: str
    mtime_ns: int
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def live_bytes(self) -> int:
        """Return how many of its bytes are of partitions that count."""
        return sum(member.manifest.file_bytes for member in self.members.values())


class PackInput(NamedTuple):
    """A partition to be put into a pack: its bytes, and its manifest, which tells of these."""

    partition: str
    manifest: RawManifest
    frame: bytes


read_as_pack = json_reader(PackManifest)


class Packs:
    """The packs of a source's raw folder, as they were when this was made, and as it writes them; for one thread at a time."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folder = folder
        numbers = {int(match["number"]) for name in names if (match := PACK.fullmatch(name))}
        self._last = max(numbers, default=0)
        self._packs: dict[Path, PackManifest] = {}
        self._whole: set[Path] = set()
        self._places: dict[str, Path] = {}
        """Of each partition the pack that counts."""
        for number in sorted(numbers):
            path = self._path(number)
            manifest = read_as_pack(manifest_path(path)) or PackManifest(0, "", 0)
            self._packs[path] = manifest
            self._places |= dict.fromkeys(manifest.members, path)
            if is_as_written(path, manifest):
                self._whole.add(path)

    @property
    def partitions(self) -> Collection[str]:
        """Return the names of the partitions that packs tell of."""
        return self._places.keys()

    def find(self, partition: str) -> tuple[Piece, RawManifest] | None:
        """Return where a partition lies, and its manifest; None unless it is there as it was written."""
        path = self._places.get(partition)
        if path is None or path not in self._whole:
            return None
        member = self._packs[path].members[partition]
        return Piece(path, member.at, member.manifest.file_bytes), member.manifest

    def find_damage(self, partition: str) -> str | None:
        """Return what is wrong with the pack that a partition lies in; None where nothing is, or it lies in none."""
        path = self._places.get(partition)
        if path is None or path in self._whole:
            return None
        rows = self._packs[path].members[partition].manifest.rows
        return f"{path.name}, with {count(rows, 'row')} of it, was {'damaged or cut off' if path.exists() else 'gone'}"

    def add(self, inputs: Sequence[PackInput]) -> Path:
        """Put partitions into a new pack, with what lies in small ones, or among much that counts no more; return its path."""
        self._last = number_after(self._last, self._folder)  # that of another machine is another pack
        path = self._path(self._last)
        members: dict[str, Member] = {}
        digest, at = hashlib.sha256(), 0
        with commit(path) as part, part.open("wb") as file:
            for each in (*self._carried({each.partition for each in inputs}), *inputs):
                file.write(each.frame)
                digest.update(each.frame)
                members[each.partition] = Member(at, each.manifest)
                at += len(each.frame)
        manifest = PackManifest(at, digest.hexdigest(), path.stat().st_mtime_ns, members)
        _write(path, manifest)
        self._packs[path] = manifest
        self._whole.add(path)
        self._places |= dict.fromkeys(members, path)
        self.sweep()
        return path

    def forget(self, partitions: Iterable[str]) -> None:
        """Have partitions count no more."""
        for partition in partitions:
            self._places.pop(partition, None)
        self.sweep()

    def sweep(self) -> None:
        """Leave out of manifests what counts no more, and remove packs of which nothing does."""
        for path, manifest in list(self._packs.items()):
            members = {name: each for name, each in manifest.members.items() if self._places.get(name) == path}
            if not members:
                manifest_path(path).unlink(missing_ok=True)
                path.unlink(missing_ok=True)
                del self._packs[path]
            elif len(members) < len(manifest.members):
                self._packs[path] = replace(manifest, members=members)
                _write(path, self._packs[path])

    def _path(self, number: int) -> Path:
        return self._folder / f"pack-{number:06}{RAW_SUFFIX}"

    def _carried(self, anew: Collection[str]) -> Iterable[PackInput]:
        """Yield the partitions that are put into the next pack with others, their bytes as they are."""
        for path, manifest in self._packs.items():
            left = {
                name: member
                for name, member in manifest.members.items()
                if name not in anew and self._places.get(name) == path
            }
            live = sum(member.manifest.file_bytes for member in left.values())
            is_small = len(left) < SMALL_PARTITIONS
            if path in self._whole and left and (is_small or 2 * live < manifest.file_bytes):
                data = path.read_bytes()
                for name, member in left.items():
                    yield PackInput(name, member.manifest, data[member.at : member.at + member.manifest.file_bytes])


def _write(path: Path, manifest: PackManifest) -> None:
    members = {name: {"at": each.at, "manifest": vars(each.manifest)} for name, each in manifest.members.items()}
    with commit(manifest_path(path)) as part:
        write_json(part, {**vars(manifest), "members": members}, indent=None)
