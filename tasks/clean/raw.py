"""Raw files that no table is made of, and downloads that were begun and left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tasks.clean.item import Item, Place
from tasks.convert.table.manifest import read_manifest_file
from tasks.core.storage import DataFolder
from tasks.core.tables import MANIFEST
from tasks.raw.files import RAW_SUFFIX, SUFFIXES, extended_name, manifest_path, name_partition
from tasks.raw.packs import PACK, read_as_pack

_RAW = "raw"
_BEGUN = "begun downloads"
_LANDING = ".landing"


@dataclass(frozen=True)
class _Use:
    """Which raw files of a source tables are made of, by name, and when the last of these tables was made."""

    names: frozenset[str]
    made_at: float


def find_raw(folder: DataFolder, before: float, *, used: bool) -> Iterator[Place]:
    """Yield the raw folder of each source.

    Args:
        folder: The data folder.
        before: What was landed after that moment stays, in seconds since 1970.
        used: Whether also the raw goes that tables are, or may still be, made of.

    """
    for raw in sorted((folder.root / _RAW).glob("*/")):
        yield Place(partial(_look, raw, folder, before, used=used), (raw / ".lock",))


def _look(raw: Path, folder: DataFolder, before: float, *, used: bool) -> Iterator[Item]:
    use = _find_use(raw.name, folder)
    partitions: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(raw.glob("[!.]*")):
        if path.name.endswith(SUFFIXES):
            partitions[path.name if PACK.fullmatch(path.name) else name_partition(path.name)].append(path)
    for paths in partitions.values():
        kept = _why_kept(paths, use, before, used=used)
        yield Item(_RAW, f"{_RAW}/{raw.name}/{paths[0].name}", _in_order(paths), kept)
    begun: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(raw.glob(f".*{_LANDING}*"), reverse=True):  # the checkpoint, which makes the pages count, first
        begun[path.name.rpartition(_LANDING)[0]].append(path)
    for name, paths in begun.items():
        kept = None if max(path.stat().st_mtime for path in paths) < before else "younger"
        yield Item(_BEGUN, f"{_RAW}/{raw.name}/{name[1:]}", tuple(paths), kept)


def _in_order(paths: list[Path]) -> tuple[Path, ...]:
    """Return a partition's files in the order of `sweep_from`: no increment is left that could be taken for one of another file."""
    first, *increments = sorted(paths, key=lambda path: (extended_name(path.name) is not None, path.name))
    following = (each for path in reversed(increments) for each in (manifest_path(path), path))
    return (manifest_path(first), *following, first)


def _find_use(source: str, folder: DataFolder) -> _Use:
    """Return what tables are made of a source's raw; a table that is gone counts as long as a copy tells of it."""
    names: set[str] = set()
    made_at = 0.0
    manifests = [*(folder.root / "tables").glob(f"*/{MANIFEST}"), *folder.manifest("x").parent.glob("*.json")]
    for path in manifests:
        manifest = read_manifest_file(path)
        mine = {Path(name).name for name in manifest.files if name.startswith(f"{_RAW}/{source}/")} if manifest else ()
        if mine:
            names.update(mine)
            made_at = max(made_at, path.stat().st_mtime)
    return _Use(frozenset(names), made_at)


def _why_kept(paths: list[Path], use: _Use, before: float, *, used: bool) -> str | None:
    landed = max(path.stat().st_mtime for path in paths)
    if landed >= before:
        return "younger"
    if used:
        return None
    if not use.names:
        return "no table is made of its source yet"
    if not use.names.isdisjoint(_names_of(paths)):
        return "a table is made of it"
    return None if landed < use.made_at else "its table is not made yet"


def _names_of(paths: list[Path]) -> set[str]:
    """Return the names by which a table's manifest knows raw files; those of partitions in a pack are as if each had its own."""
    names = {path.name for path in paths}
    pack = read_as_pack(manifest_path(paths[0])) if PACK.fullmatch(paths[0].name) else None
    return names | {f"{name}{RAW_SUFFIX}" for name in (pack.members if pack else ())}
