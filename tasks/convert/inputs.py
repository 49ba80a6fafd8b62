"""The files a table is made of."""

from __future__ import annotations

import glob
import hashlib
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from tasks.convert.files import InputFile
from tasks.errors import TableError
from tasks.partitions import Partition, list_partitions, request_fingerprint
from tasks.raw import list_raw_files
from tasks.spec import ApiSource, PagesSource

_HASH_CHARACTERS = 8
_STEM_CHARACTERS = 48  # a name may have 255 bytes, and a character four
_SUFFIXES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".gz", ".zst"})


def list_files(pattern: str, root: Path) -> list[InputFile]:
    """Return the files a glob matches, by name; a relative one starts in the data folder `root`.

    Raises:
        TableError: no file matches.

    """
    absolute = root / Path(pattern).expanduser()
    escaped = Path(glob.escape(str(root))) / Path(pattern).expanduser()
    found = sorted(Path(name) for name in glob.glob(str(escaped), recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    files = [path for path in found if path.is_file()]
    if not files:
        raise TableError(f"no file matches {absolute}; put the files there, or correct path")
    return [name_file(path, root) for path in files]


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
            files.append((latest, replace(name_file(path, root), rows=manifest.rows)))
    if isinstance(source, ApiSource) and source.incremental is not None:
        files.sort(key=lambda file: file[0])
    return [file for _, file in files], missing


def name_file(path: Path, root: Path) -> InputFile:
    """Return a file with the name it has in rejects and manifests, and the name of its part.

    The part's name is the file's, and a hash of where it lies: two folders may
    hold files of the same name.
    """
    name = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_CHARACTERS]
    return InputFile(path, name, f"{_stem(path)}-{digest}.parquet")


def _stem(path: Path) -> str:
    """Return the file's name without its endings, and without the quoting that raw files' names have.

    Cut, so that the part's name is not too long, and without the first _ or dot:
    readers of Parquet folders pass over such files.
    """
    while path.suffix.lower() in _SUFFIXES:
        path = path.with_suffix("")
    return unquote(path.name).replace("/", "_").replace("\0", "_").lstrip("._")[:_STEM_CHARACTERS] or "file"
