"""The files a table is made of."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

from tasks.config import PartedSource
from tasks.convert.files.listing import list_local, list_remote
from tasks.convert.files.opening import is_ending
from tasks.convert.staging.context import InputFile
from tasks.core.bucket.opened import bucket_of
from tasks.core.errors import TableError
from tasks.core.redaction import name_address, redact
from tasks.core.remote_storage import RemoteAddress
from tasks.raw.completeness import group_messages, is_certain, is_next_known
from tasks.raw.files import RawManifest, suffix_of
from tasks.raw.folder import RawFolder
from tasks.raw.packs import Piece
from tasks.raw.partitions import Partition, list_partitions, list_values, read_name, request_fingerprint

_NUMBER = re.compile(r"([0-9]+)")
_HASH_CHARACTERS = 8
_STEM_CHARACTERS = 48  # a name may have 255 bytes, and a character four


@dataclass(frozen=True)
class LandedPartition:
    """A partition's raw files with their manifests, in landing order."""

    partition: Partition
    files: Sequence[tuple[Path, RawManifest]]
    piece: Piece | None = None
    """Where in a pack it lies, if it does."""

    @property
    def rows(self) -> int:
        """Return how many rows the files have."""
        return sum(manifest.rows for _, manifest in self.files)

    @property
    def unproven(self) -> str | None:
        """Return why these may not be all."""
        return next((manifest.unproven for _, manifest in self.files if manifest.unproven), None)

    @property
    def has_turned(self) -> bool:
        """Return whether there was a page after another."""
        return any(manifest.pages > 1 for _, manifest in self.files)

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """Return what ingest found doubtful of its rows, with its name."""
        return [(self.partition.name, warning) for _, manifest in self.files for warning in manifest.warnings]

    @property
    def doubts(self) -> list[tuple[str, str]]:
        """Return why its rows may not be all, with its name."""
        return [(self.partition.name, self.unproven)] if self.unproven else []


@dataclass(frozen=True)
class RawInputs:
    """The raw files that a table is made of, and the partitions that are not landed, or refused as they may lack rows."""

    files: Sequence[InputFile]
    missing: Sequence[Partition]
    refused: Sequence[LandedPartition] = ()
    warnings: Sequence[str] = ()
    """What ingest found doubtful of the rows, each with its partition."""

    def causes(self, refused: Sequence[LandedPartition]) -> list[str]:
        """Return why partitions are refused, each cause with its partitions."""
        return group_messages((each.partition.name, str(each.unproven)) for each in refused)


def list_files(
    paths: Sequence[str], root: Path, allow_hosts: Sequence[str] = (), passed_over: list[str] | None = None
) -> list[InputFile]:
    """Return the files of globs, folders, single files and URLs, by name, numbers in it by value; relative paths start in the data folder `root`.

    Added to `passed_over` are the names of files that none of the paths takes, and that may be meant.

    Raises:
        TableError: no file matches one of them, with a line for each, a store cannot be reached, or it redirects to
            a host that is not one of `allow_hosts`; or two addresses differ in a secret alone.

    """
    found: dict[str, InputFile] = {}
    others: list[str] = []
    unmatched: list[str] = []
    for path in paths:
        files = sorted(_list(path, root, allow_hosts, others), key=lambda file: _by_value(file.name))
        if not files:
            bucket = "" if "://" in path else bucket_of(root, path)
            where = redact(path) if "://" in path else f"{bucket}/{path}" if bucket else root / Path(path).expanduser()
            unmatched.append(f"no file matches {where}; put the files there, or correct path")
        for file in files:
            if found.setdefault(file.name, file).path != file.path:
                raise TableError(
                    f"{file.name}: two addresses differ in nothing but what proves who asks, which no file is known by; "
                    "list one of them, or make a source of each"
                )
    if unmatched:
        raise TableError("\n".join(unmatched))
    if passed_over is not None:
        passed_over += sorted(set(others) - found.keys())
    return list(found.values())


def _by_value(name: str) -> tuple[list[int | str], str]:
    """Return what names are sorted by: day 9 comes before day 10."""
    return [int(piece) if piece.isascii() and piece.isdigit() else piece for piece in _NUMBER.split(name)], name


def _list(path: str, root: Path, allow_hosts: Sequence[str], passed_over: list[str]) -> Iterator[InputFile]:
    others: list[str] = []
    bucket = "" if "://" in path else bucket_of(root, path)
    if bucket or "://" in path:
        url = f"{bucket}/{path}" if bucket else path
        for remote in list_remote(RemoteAddress(url, allow_hosts), others):
            address = RemoteAddress(remote.url, allow_hosts)
            yield InputFile(address, _name_remote(remote.url, bucket), remote.size, 0, remote.version)
        passed_over += (_name_remote(other, bucket) for other in others)
        return
    above, base, within = _leave_missing(path, root)
    for entry in list_local(within, base, others):
        name = above + name_file(entry.path, base)
        yield InputFile(Path(entry.path), name, entry.size, entry.mtime_ns, ctime_ns=entry.ctime_ns)
    passed_over += (above + name_file(name, base) for name in others)


def _name_remote(url: str, bucket: str) -> str:
    """Return what a file in a store is known by; below a data folder in a bucket, by its path there, as on a disk."""
    place, _, within = url.partition("://")[2].partition(bucket.partition("://")[2] + "/")
    return within if bucket and not place else name_address(url)


def _leave_missing(path: str, root: Path) -> tuple[str, Path, str]:
    """Return the dots by which a path leads out of the data folder, where they lead to, and the rest of it.

    No system finds ../a.csv from a folder that is not there, as the data folder before the first run. Where it is
    there, or no dots lead out of it, the path is left to the system.
    """
    parts = Path(path).parts
    dots = next((place for place, part in enumerate(parts) if part != ".."), len(parts))
    if not dots or root.exists():
        return "", root, path
    return "../" * dots, root.parents[dots - 1], str(Path(*parts[dots:]))


def list_raw(source: PartedSource, folder: Path, root: Path) -> RawInputs:
    """Return the raw files of a source's landed partitions, and the partitions of which none is taken.

    Those of an incremental source are in the order in which they were landed: the
    same row may be in several partitions, and the newest counts.
    """
    raw = RawFolder(folder, suffix_of(source))
    found = [_find(raw, each, each.name) for each in list_partitions(source)]
    left = [each.partition for each in found if not _is_landed(source, each)]
    left_out = set(left)
    later = _find_later(left, found)
    landed = [each for each in found if each.partition not in left_out]
    landed += _list_gone(source, raw, [each.partition.name for each in found])
    is_doubted = not is_next_known(source, landed)
    is_wrong = is_doubted and is_certain(source)
    refused = [each for each in landed if is_wrong and each.unproven]
    taken = [each for each in landed if each.files and not (is_wrong and each.unproven)]
    files = [pair for each in taken for pair in _by_time(each, root)]
    if source.grows:
        files.sort(key=lambda pair: pair[0])
    told = [pair for each in taken for pair in dict.fromkeys([*each.warnings, *(each.doubts if is_doubted else ())])]
    return RawInputs(
        [file for _, file in files],
        [each for each in left if each not in later],
        refused,
        [*group_messages(told), *_tell_later(later)],
    )


def _find(raw: RawFolder, partition: Partition, name: str) -> LandedPartition:
    return LandedPartition(partition, raw.list_files(name), raw.find_piece(name))


def _list_gone(source: PartedSource, raw: RawFolder, listed: Sequence[str]) -> list[LandedPartition]:
    """Return the partitions that are landed and not listed, as their parents have gone, and whose rows stay."""
    if not any(parent.on_missing == "keep" for parent in source.parents.values()):
        return []
    there = set(raw.partitions) - set(listed)
    gone = [(name, read_name(name)) for name in sorted(there, key=_by_value)]
    others = {key: list_values(key, each) for key, each in source.partitions.items() if key not in source.parents}
    texts = {key: {str(each.value) for each in values} for key, values in others.items()}
    return [
        _find(raw, partition, name)
        for name, partition in gone
        if [key for key, _ in partition.values] == [*source.partitions][: len(partition.values)]
        and all(key not in texts or value in texts[key] for key, value in partition.values)
    ]


def _find_later(left: Sequence[Partition], found: Sequence[LandedPartition]) -> list[Partition]:
    """Return the partitions that have begun since their source was fetched last: no run could have landed them."""
    latest = max((manifest.landed_at for each in found for _, manifest in each.files), default="")
    return [each for each in left if latest and each.begins_at and each.begins_at > datetime.fromisoformat(latest)]


def _tell_later(later: Sequence[Partition]) -> list[str]:
    if not later:
        return []
    more = f" and {len(later) - 1} more" if len(later) > 1 else ""
    return [
        f"partition {later[0].name}{more}: has begun since the source was fetched last, and is not in the table; run ingest"
    ]


def _is_landed(source: PartedSource, partition: LandedPartition) -> bool:
    asked = request_fingerprint(source, partition.partition)
    return bool(partition.files) and all(manifest.fingerprint == asked for _, manifest in partition.files)


def _by_time(landed: LandedPartition, root: Path) -> Iterator[tuple[str, InputFile]]:
    """Yield the time at which each raw file was landed, and the file."""
    latest = ""
    for path, manifest in landed.files:
        # An increment is newer than what it extends, also by a clock that was put back.
        latest = max(latest, manifest.landed_at)
        if landed.piece is None:
            yield latest, replace(find_file(path, root), rows=manifest.rows)
        else:
            name, size, mtime_ns = name_file(str(path), root), manifest.file_bytes, manifest.mtime_ns
            yield latest, InputFile(path, name, size, mtime_ns, rows=manifest.rows, piece=landed.piece)


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
    while is_ending(path.suffix.lower()):
        path = path.with_suffix("")
    plain = unquote(path.name).encode("utf-8", "replace").decode()
    return plain.replace("/", "_").replace("\0", "_").lstrip("._")[:_STEM_CHARACTERS] or "file"
