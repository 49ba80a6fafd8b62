"""Files listed: below folders and by globs on this machine, and in stores that fsspec knows."""

from __future__ import annotations

import glob
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import fsspec

from tasks.config.formats import FORMATS
from tasks.convert.files.content import is_litter
from tasks.convert.files.opening import COMPRESSIONS, suffixes
from tasks.core.errors import TableError
from tasks.core.imports import import_store
from tasks.core.redaction import redact
from tasks.core.remote_storage import explain_store_failure, failure_of, http_options, is_http, missing_package

_WILD = frozenset("*?[")
_CURE = "check the address and the credentials"
_LITTER_FOLDER = "__MACOSX"
_ENDING = re.compile(r"(\.[A-Za-z0-9]+)+$")
# What people keep beside data, and nobody takes for it.
_NO_DATA = frozenset(
    {".md", ".rst", ".pdf", ".html", ".htm", ".doc", ".docx", ".png", ".jpg", ".jpeg", ".py", ".sh", ".sql"}
    | {".yml", ".yaml", ".toml", ".md5", ".sha256", ".crc"}
)
_VERSIONS = ("ETag", "etag", "Content-MD5", "Digest", "Last-Modified")


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine, as it was when it was listed."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True)
class RemoteFile:
    """A file in a store; `version` changes when its content does."""

    url: str
    size: int
    version: str


def list_local(path: str, root: Path, passed_over: list[str] | None = None) -> Iterator[LocalFile]:
    """Yield the files of a glob, of a folder with all below it, or the one file; a relative path starts in `root`.

    Added to `passed_over` are files that may be meant: those of a folder whose endings are
    of no format, and those that a glob would match were its ending written in another case.

    Whoever may write into a folder may put a link there: one that leads out of it
    would have us read what they may not.

    Raises:
        TableError: a folder cannot be listed, or a link leads nowhere, or out of what `path` names.

    """
    expanded = Path(path).expanduser()
    place = root / expanded
    passed_over = [] if passed_over is None else passed_over
    if place.is_dir():
        yield from _below(str(place), set(), os.path.realpath(place), passed_over)
        return
    is_named = place.is_file()
    home = os.path.realpath(_fixed(place))
    pattern = glob.escape(str(place)) if is_named else str(Path(glob.escape(str(root))) / expanded)
    ending = "" if is_named or (written := _ENDING.search(place.name)) is None else written[0]
    folders: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    for name in glob.iglob(_in_any_case(pattern, ending), recursive=True):  # noqa: PTH207 - Path.glob takes no absolute pattern
        folder, own = os.path.split(name)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
            _refuse_way_out(folder, home)
        if (folders[folder], own) in seen:  # by a link to a folder above
            continue
        seen.add((folders[folder], own))
        if not is_named and (is_litter(own) or (_LITTER_FOLDER in folder and _LITTER_FOLDER not in path)):
            continue
        if not own.endswith(ending):
            _pass_over(name, passed_over)
            continue
        if not is_named and os.path.islink(name):  # noqa: PTH114 - as below
            _refuse_way_out(name, home)
        if (file := _stat(name)) is not None:
            yield file


def would_list(path: str, root: Path, file: Path) -> bool:
    """Return whether a glob, a folder or a file would list a file, were it there."""
    place = root / Path(path).expanduser()
    if not _WILD & set(path):
        return file.is_relative_to(place)
    return _is_matched(file.parts, place.parts)


def _is_matched(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern or not parts:
        return not pattern and not parts
    if pattern[0] == "**":
        return any(_is_matched(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return fnmatchcase(parts[0], pattern[0]) and _is_matched(parts[1:], pattern[1:])


def _in_any_case(pattern: str, ending: str) -> str:
    """Return a pattern that takes its ending in upper and lower case: a folder is then gone through once."""
    letters = (f"[{c.lower()}{c.upper()}]" if c.isalpha() else c for c in ending)
    return pattern.removesuffix(ending) + "".join(letters)


def _pass_over(name: str, passed_over: list[str]) -> None:
    if os.path.isfile(name):  # noqa: PTH113 - as below
        passed_over.append(name)


def _may_be_data(name: str) -> bool:
    """Return whether a file whose ending is of no format may be meant to be read; _SUCCESS and its like are marks."""
    return not name.startswith("_") and os.path.splitext(name)[1].lower() not in _NO_DATA  # noqa: PTH122 - as below


def _fixed(pattern: Path) -> Path:
    """Return the folder that a pattern names without wildcards."""
    parts = pattern.parts
    wild = next((number for number, part in enumerate(parts) if _WILD & set(part)), len(parts) - 1)
    return Path(*parts[:wild])


def _refuse_way_out(name: str, home: str) -> None:
    """Raise where a link leads out of `home`; what leads nowhere is told where it is read."""
    target = os.path.realpath(name)
    if target != home and not target.startswith(home.rstrip("/") + "/") and os.path.lexists(target):
        raise TableError(
            f"{name}: is a link that leads out of {home}, to {target}; name that in path if it is meant, or delete the link"
        )


def _below(folder: str, seen: set[tuple[int, int]], home: str, passed_over: list[str]) -> Iterator[LocalFile]:
    """Yield the files below a folder that have a known ending; hidden ones are left out, and folders that were `seen`."""
    try:
        status = os.stat(folder)  # noqa: PTH116 - as below
        if (status.st_dev, status.st_ino) in seen:  # by a link to a folder above
            return
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise TableError(f"{folder}: cannot be listed ({error.strerror}); check the folder's permissions") from error
    for entry in found:
        if entry.name.startswith(".") or entry.name == _LITTER_FOLDER or is_litter(entry.name):
            continue
        if entry.is_symlink():
            _refuse_way_out(entry.path, home)
        if entry.is_dir():
            yield from _below(entry.path, seen, home, passed_over)
        elif not _is_known(entry.name):
            if _may_be_data(entry.name):
                _pass_over(entry.path, passed_over)
        elif (file := _stat(entry.path)) is not None:
            yield file


def _stat(name: str) -> LocalFile | None:
    """Return a file as it is; None where it is none, or gone since its folder was listed."""
    try:
        status = os.stat(name)  # noqa: PTH116 - a Path for each of 10,000 files costs more than its stat
    except FileNotFoundError as error:
        if os.path.islink(name):  # noqa: PTH114 - as above
            raise TableError(f"{name}: is a link to a file that is not there; mend the link, or delete it") from error
        return None
    except OSError as error:
        raise TableError(f"{name}: cannot be read ({error.strerror}); check the file and its permissions") from error
    return (
        LocalFile(name, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if stat.S_ISREG(status.st_mode)
        else None
    )


def _is_known(name: str) -> bool:
    """Return whether a name ends as that of a format does, compressed or not; a .zip may keep that to itself."""
    ending = os.path.splitext(name)[1].lower()  # noqa: PTH122 - a Path for each of 10,000 files costs more than its stat
    if ending not in COMPRESSIONS:
        return ending in FORMATS.by_suffix
    inner = suffixes(name)[0]
    return not inner or inner in FORMATS.by_suffix


def list_remote(url: str, passed_over: list[str] | None = None) -> Iterator[RemoteFile]:
    """Yield the files of a URL, of a folder with all below it, or of a glob where the store can list.

    Added to `passed_over` are the folder's files that may be meant, and whose endings are of no format.

    Raises:
        TableError: the store needs a package, or cannot be reached.

    """
    try:
        import_store(url)
        system, path = fsspec.core.url_to_fs(url, **(http_options(url) if is_http(url) else {}))
        system.invalidate_cache()  # it may know what was there a run ago
        infos = _infos(system, path, url, [] if passed_over is None else passed_over)
        for name, info in sorted(infos.items()):
            if info["type"] != "directory":
                yield RemoteFile(
                    system.unstrip_protocol(name), int(info.get("size") or 0), _version(system, name, info)
                )
    except ImportError as error:
        raise TableError(missing_package(redact(url), error)) from error
    except FileNotFoundError as error:
        if (cause := failure_of(error)) is not None:
            raise TableError(f"{redact(url)}: {explain_store_failure(cause, 'listed', _CURE)}") from error
    except Exception as error:  # a store fails in its own ways
        raise TableError(f"{redact(url)}: {explain_store_failure(error, 'listed', _CURE)}") from error


def _infos(system: Any, path: str, url: str, passed_over: list[str]) -> Mapping[str, Mapping[str, Any]]:
    if is_http(url):  # where ? begins a query, and * may be in it
        return {path: system.info(path)}
    if _WILD & set(url):
        matches: Mapping[str, Mapping[str, Any]] = system.glob(path, detail=True)
        return {name: info for name, info in matches.items() if not is_litter(name)}
    info = system.info(path)
    if info["type"] != "directory":
        return {path: info}
    below: Mapping[str, Mapping[str, Any]] = system.find(path, detail=True)
    shown = {name: name.removeprefix(path).strip("/").split("/") for name in below}
    visible = {
        name: info
        for name, info in below.items()
        if not is_litter("/".join(shown[name])) and not any(p.startswith(".") for p in shown[name])
    }
    others = (name for name in visible if not _is_known(name) and _may_be_data(shown[name][-1]))
    passed_over += (system.unstrip_protocol(name) for name in others)
    return {name: info for name, info in visible.items() if _is_known(name)}


def _version(system: Any, name: str, info: Mapping[str, Any]) -> str:
    """Return what changes when a file does; where a server does not tell, it is always another one."""
    for key in _VERSIONS:
        if info.get(key):
            return str(info[key])
    return f"read at {time.time_ns()}" if is_http(name) else str(system.ukey(name))
