"""The raw folder of a source: where each partition lies that is landed, in files of its own or in a pack."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock

from tasks.core.escaping import count
from tasks.core.storage import commit
from tasks.raw.files import (
    MANIFEST_SUFFIX,
    RAW_SUFFIX,
    SUFFIXES,
    RawManifest,
    commit_manifest,
    list_raw_files,
    manifest_path,
    name_partition,
    raw_path,
    read_as_manifest,
    sweep_from,
)
from tasks.raw.packs import PACK, PackInput, Packs, Piece, read_as_pack


class RawFolder:
    """What a raw folder has, looked at once: of thousands of partitions to look for files of each takes longer than all else.

    A partition that has a file of its own and lies in a pack, as a killed run may leave it, has the file.
    """

    def __init__(self, folder: Path, suffix: str = RAW_SUFFIX) -> None:
        self._folder = folder
        self._suffix = suffix
        self._names = frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()
        self._packs = Packs(folder, self._names)
        self._lock = Lock()

    @property
    def partitions(self) -> Collection[str]:
        """Return the names of the partitions of which there is a raw file, or a place in a pack."""
        files = (name for name in self._names if name.endswith(self._suffix) and not name.startswith("."))
        return {*(name_partition(name) for name in files if not PACK.fullmatch(name)), *self._packs.partitions}

    def is_new(self, partition: str) -> bool:
        """Return whether nothing is there of a partition, nor was begun."""
        raw = self._raw_path(partition)
        own = (raw.name, manifest_path(raw).name, f".{raw.name}.landing", f".{raw.name}.landing.json")
        return partition not in self._packs.partitions and self._names.isdisjoint(own)

    def list_files(self, partition: str) -> list[tuple[Path, RawManifest]]:
        """Return a partition's raw files with their manifests, as `list_raw_files` does; what lies in a pack is one, by the name that its own would have."""
        if self._has_own(partition):
            return list_raw_files(self._folder, partition, self._suffix)
        found = self._packs.find(partition)
        return [] if found is None else [(self._raw_path(partition), found[1])]

    def find_piece(self, partition: str) -> Piece | None:
        """Return where a partition lies in a pack; None where it does not."""
        found = None if self._has_own(partition) else self._packs.find(partition)
        return None if found is None else found[0]

    def read_piece(self, partition: str) -> bytes:
        """Return the bytes of a partition that lies in a pack."""
        piece = self.find_piece(partition)
        assert piece is not None, "it was found there"
        return piece.open().read()

    def find_damage(self, partition: str) -> str | None:
        """Return what is wrong with the pack that a partition lies in; None where nothing is, or it lies in none."""
        return None if self._has_own(partition) else self._packs.find_damage(partition)

    def pack(self, inputs: Sequence[PackInput]) -> None:
        """Put partitions into a pack; from then on they have no file of their own."""
        with self._lock:
            self._packs.add(inputs)
        for each in inputs:
            raw = self._raw_path(each.partition)
            if raw.name in self._names or self._has_own(each.partition):
                sweep_from(raw)
                raw.unlink(missing_ok=True)

    def put(self, each: PackInput) -> RawManifest:
        """Give a partition a file of its own, as it would lie in a pack; return its manifest."""
        raw = self._raw_path(each.partition)
        with commit(raw) as part:
            part.write_bytes(each.frame)
        manifest = replace(each.manifest, mtime_ns=raw.stat().st_mtime_ns)
        commit_manifest(raw, manifest)
        return manifest

    def unpack(self, partition: str) -> None:
        """Leave a partition out of the packs, if it has a file of its own now."""
        if manifest_path(self._raw_path(partition)).exists():
            with self._lock:
                self._packs.forget([partition])

    def sweep(self) -> None:
        """Remove from packs what does not count, as killed runs leave it."""
        with self._lock:
            self._packs.forget([each for each in self._packs.partitions if self._has_own(each)])

    def _raw_path(self, partition: str) -> Path:
        return raw_path(self._folder, partition, self._suffix)

    def _has_own(self, partition: str) -> bool:
        return manifest_path(self._raw_path(partition)).name in self._names


def find_altered(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each raw file of a source that is not as its manifest says, and what is wrong with it; told by sizes alone."""
    for path in sorted(folder.glob("[!.]*.json")):
        paths = [raw_path(folder, path.name.removesuffix(MANIFEST_SUFFIX), suffix) for suffix in SUFFIXES]
        raw = next(filter(Path.exists, paths), paths[0])
        manifest = read_as_manifest(path) or read_as_pack(path)
        if manifest is None:
            yield raw, f"its manifest {path.name} is damaged"
        elif not raw.is_file():
            yield raw, "it is gone"
        elif (size := raw.stat().st_size) != manifest.file_bytes:
            yield raw, f"it has {count(size, 'byte')} and was written with {manifest.file_bytes:,}"
