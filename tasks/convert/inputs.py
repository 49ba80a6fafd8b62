"""The files a table is made of."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from tasks.convert.files import InputFile
from tasks.convert.reading.formats import SUFFIXES
from tasks.convert.reading.listing import list_local, list_remote
from tasks.errors import TableError
from tasks.partitions import Partition, list_partitions, request_fingerprint
from tasks.raw import list_raw_files
from tasks.redaction import name_address, redact
from tasks.spec import ApiSource, PagesSource
from tasks.stores import RemoteAddress

_NUMBER = re.compile(r"([0-9]+)")
_HASH_CHARACTERS = 8
_STEM_CHARACTERS = 48  # a name may have 255 bytes, and a character four


def list_files(
    paths: Sequence[str], root: Path, allow_hosts: Sequence[str] = (), passed_over: list[str] | None = None
) -> list[InputFile]:
    """Return the files of globs, folders, single files and URLs, by name, numbers in it by value; relative paths start in the data folder `root`.

    Added to `passed_over` are the names of files that none of the paths takes, and that may be meant.

    Raises:
        TableError: no file matches one of them, a store cannot be reached, or it redirects to
            a host that is not one of `allow_hosts`; or two addresses differ in a secret alone.

    """
    found: dict[str, InputFile] = {}
    others: list[str] = []
    for path in paths:
        files = sorted(_list(path, root, allow_hosts, others), key=lambda file: _by_value(file.name))
        if not files:
            where = redact(path) if "://" in path else root / Path(path).expanduser()
            raise TableError(f"no file matches {where}; put the files there, or correct path")
        for file in files:
            if found.setdefault(file.name, file).path != file.path:
                raise TableError(
                    f"{file.name}: two addresses differ in nothing but what proves who asks, which no file is known by; "
                    "list one of them, or make a source of each"
                )
    if passed_over is not None:
        passed_over += sorted(set(others) - found.keys())
    return list(found.values())


def _by_value(name: str) -> tuple[list[int | str], str]:
    """Return what names are sorted by: day 9 comes before day 10."""
    return [int(piece) if piece.isascii() and piece.isdigit() else piece for piece in _NUMBER.split(name)], name


def _list(path: str, root: Path, allow_hosts: Sequence[str], passed_over: list[str]) -> Iterator[InputFile]:
    others: list[str] = []
    if "://" in path:
        for remote in list_remote(RemoteAddress(path, allow_hosts), others):
            address = RemoteAddress(remote.url, allow_hosts)
            yield InputFile(address, name_address(remote.url), remote.size, 0, remote.version)
        passed_over += map(name_address, others)
        return
    for entry in list_local(path, root, others):
        yield InputFile(Path(entry.path), name_file(entry.path, root), entry.size, entry.mtime_ns)
    passed_over += (name_file(name, root) for name in others)


def list_raw(source: ApiSource | PagesSource, folder: Path, root: Path) -> tuple[list[InputFile], list[Partition]]:
    """Return the raw files of a source's landed partitions, and the partitions that are not landed.

    Those of an incremental source are in the order in which they were landed: the
    same row may be in several partitions, and the newest counts.
    """
    files: list[tuple[str, InputFile]] = []
    missing = []
    for partition in list_partitions(source):
        landed = list_raw_files(folder, partition.name)
        asked = request_fingerprint(source, partition)
        if not landed or any(manifest.fingerprint != asked for _, manifest in landed):
            missing.append(partition)
            continue
        latest = ""
        for path, manifest in landed:
            # An increment is newer than what it extends, also by a clock that was put back.
            latest = max(latest, manifest.landed_at)
            files.append((latest, replace(find_file(path, root), rows=manifest.rows)))
    if isinstance(source, ApiSource) and source.incremental is not None:
        files.sort(key=lambda file: file[0])
    return [file for _, file in files], missing


def find_file(path: Path, root: Path) -> InputFile:
    """Return a local file as it is now."""
    status = path.stat()
    return InputFile(path, name_file(str(path), root), status.st_size, status.st_mtime_ns)


def name_file(path: str, root: Path) -> str:
    """Return the name of a file in rejects and manifests: its path, from the data folder on where it lies there."""
    return path.removeprefix(f"{root}/")


def name_part(files: Sequence[str]) -> str:
    """Return the name, without an ending, of the part that holds the rows of these files.

    It is the first file's name, and a hash of where they lie: two folders may
    hold files of the same name.
    """
    digest = hashlib.sha256("\n".join(files).encode("utf-8", "surrogateescape")).hexdigest()[:_HASH_CHARACTERS]
    more = f"-and-{len(files) - 1}-more" if len(files) > 1 else ""
    return f"{_stem(files[0])}{more}-{digest}"


def _stem(name: str) -> str:
    """Return the file's name without its endings, and without the quoting that raw files' names have.

    Cut, so that the part's name is not too long, and without the first _ or dot:
    readers of Parquet folders pass over such files.
    """
    path = Path(name)
    while path.suffix.lower() in SUFFIXES:
        path = path.with_suffix("")
    plain = unquote(path.name).encode("utf-8", "replace").decode()
    return plain.replace("/", "_").replace("\0", "_").lstrip("._")[:_STEM_CHARACTERS] or "file"
