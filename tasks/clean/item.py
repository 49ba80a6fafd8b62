"""One thing that may be removed, and how it is: in one step, so that what reads the folder meanwhile, or after a kill, finds all of it or nothing."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

HELD = "a run holds it"


@dataclass(frozen=True)
class Item:
    """Files and folders that go together, or stay.

    They are removed in their order: what makes the others count comes first.
    """

    kind: str
    name: str
    paths: tuple[Path, ...]
    kept: str | None
    """Why it stays; None of what goes."""
    bytes: int = 0
    """How much it takes; of what goes how much room is made, which a file that is also elsewhere does not."""


@dataclass(frozen=True)
class Place:
    """A part of the data folder that a run holds as a whole, and what of it may be removed: asked again once it is held."""

    look: Callable[[], Iterable[Item]]
    locks: tuple[Path, ...] = ()
    """Of a folder all of its locks."""


def survey(places: Iterable[Place]) -> list[Item]:
    """Return all items with their sizes; those of a place that a run holds stay."""
    return [_measured(item) for place in places for item in _looked_at(place)]


def _looked_at(place: Place) -> Iterator[Item]:
    with _holding(place) as is_ours:
        for item in place.look():
            yield item if is_ours or item.kept else replace(item, kept=HELD)


def remove(places: Iterable[Place]) -> list[Item]:
    """Remove what nothing keeps, each place held meanwhile; return it with its sizes. What a run holds stays."""
    removed = []
    for place in places:
        with _holding(place) as is_ours:
            for item in place.look() if is_ours else ():
                if item.kept is None:
                    removed.append(_measured(item))
                    _discard(item)
    return removed


def _discard(item: Item) -> None:
    for path in item.paths:
        if path.is_dir() and not path.is_symlink():
            gone = path.with_name(f".{path.name}.{os.getpid()}.part")  # which the next run, or clean, sweeps
            path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _holding(place: Place) -> Iterator[bool]:
    """Hold a place while the block runs; yield whether nobody else does."""
    with ExitStack() as held:
        try:
            for path in place.locks:
                for lock in sorted(path.rglob(".*lock")) if path.is_dir() else (path,):
                    if lock.parent.is_dir():
                        held.enter_context(FileLock(lock).acquire(blocking=False))
        except Timeout:
            held.close()
            yield False
            return
        yield True


def _measured(item: Item) -> Item:
    return replace(item, bytes=_size_of(item.paths, freed=item.kept is None))


def _size_of(paths: Iterable[Path], *, freed: bool) -> int:
    """Return the bytes of files and of what is in folders; with `freed` without those of files that have a name elsewhere, too."""
    names: Counter[tuple[int, int]] = Counter()
    files: dict[tuple[int, int], tuple[int, int]] = {}
    for path in paths:
        for each in (path, *path.rglob("*")) if path.is_dir() and not path.is_symlink() else (path,):
            with suppress(FileNotFoundError):
                status = each.lstat()
                if not each.is_dir() or each.is_symlink():
                    names[status.st_dev, status.st_ino] += 1
                    files[status.st_dev, status.st_ino] = status.st_nlink, status.st_size
    return sum(size for key, (links, size) in files.items() if names[key] == links or not freed)


def last_change(path: Path) -> float:
    """Return when something at a path was written last, in seconds since 1970."""
    every = (path, *path.rglob("*")) if path.is_dir() else (path,)
    return max((each.lstat().st_mtime for each in every), default=0.0)
