"""Files listed: below folders and by globs on this machine, and in stores that fsspec knows."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fsspec

from tasks.convert.reading.formats import SUFFIXES
from tasks.errors import TableError

_WILD = frozenset("*?[")


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine, as it was when it was listed."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class RemoteFile:
    """A file in a store; `version` changes when its content does."""

    url: str
    size: int
    version: str


def list_local(path: str, root: Path) -> Iterator[LocalFile]:
    """Yield the files of a glob, of a folder with all below it, or the one file; a relative path starts in `root`."""
    expanded = Path(path).expanduser()
    place = root / expanded
    if place.is_dir() and not _WILD & set(path):
        yield from _below(str(place))
        return
    pattern = str(Path(glob.escape(str(root))) / expanded) if not place.is_file() else glob.escape(str(place))
    for name in glob.iglob(pattern, recursive=True):  # noqa: PTH207 - Path.glob takes no absolute pattern
        status = os.stat(name)  # noqa: PTH116 - a Path for each of 10,000 files costs more than its stat
        if not stat.S_ISDIR(status.st_mode):
            yield LocalFile(name, status.st_size, status.st_mtime_ns)


def _below(folder: str) -> Iterator[LocalFile]:
    """Yield the files below a folder that have a known ending; hidden ones are left out."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _below(entry.path)
            elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122 - as above
                status = entry.stat()
                yield LocalFile(entry.path, status.st_size, status.st_mtime_ns)


def list_remote(url: str) -> Iterator[RemoteFile]:
    """Yield the files of a URL, or of a glob where the store can list.

    Raises:
        TableError: the store needs a package, cannot be reached, or has no such file.

    """
    try:
        system, path = fsspec.core.url_to_fs(url)
        names = system.glob(path) if _WILD & set(url) else [path]
        for name in sorted(names):
            info = system.info(name)
            if info["type"] != "directory":
                yield RemoteFile(system.unstrip_protocol(name), int(info.get("size") or 0), str(system.ukey(name)))
    except ImportError as error:
        raise TableError(f"{url}: {error}; install that package beside Tidemill") from error
    except FileNotFoundError:
        return
    except Exception as error:  # a store fails in its own ways
        raise TableError(f"{url}: cannot be listed ({error}); check the address and the credentials") from error
