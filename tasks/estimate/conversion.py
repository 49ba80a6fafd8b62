"""What converting a source would read and take, by the listing of its files, their heads, and the table that is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest

from tasks.config import ElementsSource, FilesSource, Reading, Source
from tasks.convert.files.opening import suffixes
from tasks.convert.formats.format import Extent, FileFormat, WholeFormat
from tasks.convert.formats.registry import format_of, is_read_whole
from tasks.convert.staging.bundle import bundle_files
from tasks.convert.staging.context import ConversionContext, InputFile
from tasks.convert.staging.file import BLOCK_BYTES
from tasks.convert.table.conversion import CORES
from tasks.convert.table.inputs import list_files, list_raw
from tasks.convert.table.job import TableJob, batch_units
from tasks.convert.table.manifest import TableManifest, read_table_manifest
from tasks.convert.table.versions import Versions
from tasks.core.bucket.opened import bucket_of
from tasks.core.escaping import count
from tasks.core.storage import DataFolder
from tasks.estimate.estimate import Estimate, Held
from tasks.estimate.sample import Sample, sample_file
from tasks.estimate.size import TableSize, find_size
from tasks.raw.children import with_kept_children

BLOCK_TIMES = 10
"""Times the bytes of the blocks that are converted at once that memory grows by: CSV 6 to 17, JSON lines 6 to 10, JSON documents 7 to 10 beside what they hold, Parquet 10 to 19, on two cores."""
ROW_BYTES, KEY_BYTES = 100, 60
"""Memory a row of the table, and a column of its key, where it has one and each row is compared with every other: a whole number took 84 to 106, with a city 144 to 161, a text of 36 letters 333."""
LEAST_BYTES = 2**20
"""What the smallest file takes."""
TABLE_SHARE = 0.4
"""Bytes of Parquet for each of a text: CSV 0.36, JSON lines 0.19."""
USUAL_RATIO = 5.0
"""Of compressed files in a store, whose heads are not read."""

_SPLIT = "split {}, or write it as JSON lines or CSV, which are read block by block"
_NO_KEY = (
    "a key has each row compared with all others: leave key out, and drop duplicates by a query of tables, which "
    "spills to the disk"
)
_MORE = "run it where there is more, or fewer cores: each converts a block of its own"


@dataclass(frozen=True)
class _Kind:
    """Files that are alike: of one format, compressed in one way, in the same place."""

    format: type[FileFormat]
    compression: str
    is_local: bool


@dataclass
class _Sized:
    """The files of a kind, and what they hold, by what one of them shows."""

    kind: _Kind
    files: list[InputFile]
    sample: Sample

    def unpacked(self, file: InputFile) -> int:
        return round(file.size * self.sample.unpacked)

    def rows(self, file: InputFile) -> int | None:
        if file.rows is not None:
            return file.rows
        return None if self.sample.row_bytes is None else round(file.size / self.sample.row_bytes)


@dataclass(frozen=True)
class Converted:
    """What converting a source would take, and how large its table would then be, if that is known."""

    estimate: Estimate
    table: TableSize | None


def estimate_conversion(name: str, source: Source, folder: DataFolder, *, in_stores: bool) -> Converted:
    """Return what converting a source would read and take; files in stores are listed only where `in_stores` says so.

    Raises:
        TableError: its files cannot be listed, which a run would tell.

    """
    manifest = read_table_manifest(folder.table(name))
    found = _find_inputs(name, source, folder, in_stores=in_stores)
    if isinstance(found, str):
        return Converted(_as_before(name, found, manifest), find_size(folder.table(name), manifest.total))
    new = [file for file in found if not _is_known(file, manifest)]
    reading = source.read if isinstance(source, FilesSource) else Reading()
    sized = list(_by_kind(new, reading, manifest))
    rows = _add(each.rows(file) for each in sized for file in each.files)
    unpacked = sum(each.unpacked(file) for each in sized for file in each.files)
    kept = sum(file.rows_received for file in manifest.files.values()) if len(new) < len(found) else 0
    total = None if rows is None else rows + kept
    held = nlargest(CORES, _held(sized, reading), key=lambda each: each.memory_bytes)
    blocks = BLOCK_TIMES * _at_once(sized)
    compared = (ROW_BYTES + KEY_BYTES * len(source.key)) * (total or 0) if source.key and new else 0
    memory = max(LEAST_BYTES, blocks + sum(each.memory_bytes for each in held), compared)
    inputs = count(len(found), "file") + (f", {len(new):,} of them new" if 0 < len(new) < len(found) else "")
    estimate = Estimate(
        "convert",
        name,
        inputs if new or not found else f"{inputs}, nothing new",
        sum(file.size for file in new),
        unpacked,
        rows,
        memory if new else 0,
        _count_tasks(name, source, new, folder),
        round(TABLE_SHARE * unpacked),
        tuple(held),
        cure=_cure(held, is_compared=compared > blocks),
    )
    before = find_size(folder.table(name), manifest.total)
    width = before.row_bytes if before else unpacked / rows if rows else None
    return Converted(estimate, TableSize(total, width) if total is not None and width is not None else before)


def _as_before(name: str, why: str, manifest: TableManifest) -> Estimate:
    """Return what is known of files that are not here: that the table has the rows of those of a run before, if it does."""
    known = manifest.files.values()
    if not known:
        return Estimate("convert", name, why)
    rows = sum(file.rows_received for file in known)
    return Estimate("convert", name, "as before", sum(file.size for file in known), rows=rows)


def _cure(held: Sequence[Held], *, is_compared: bool) -> str:
    """Return what to do where the memory for files, or for the keys of all rows, is not there."""
    if is_compared:
        return _NO_KEY
    return _SPLIT.format(held[0].name) if held else _MORE


def _find_inputs(name: str, source: Source, folder: DataFolder, *, in_stores: bool) -> Sequence[InputFile] | str:
    """Return the files of a source, or why they are not known."""
    if isinstance(source, FilesSource):
        if not in_stores and any("://" in path or bucket_of(folder.root, path) for path in source.path):
            return "in a store"
        files = list_files(source.path, source.root(folder.root), source.allow_hosts)
        return files[: source.limit.number] if source.limit else files
    if bucket_of(folder.root, "raw"):
        return "in the bucket"
    raw = folder.raw(source.of if isinstance(source, ElementsSource) else name)
    known = with_kept_children(source, raw)
    if known is None:
        return "not fetched yet"
    landed = list_raw(known, raw, folder.root)
    if landed.missing and not landed.files:
        return "not fetched yet"
    return landed.files


def _is_known(file: InputFile, manifest: TableManifest) -> bool:
    """Return whether the table has the rows of a file, told by its size and time alone."""
    known = manifest.files.get(file.name)
    return known is not None and known.size == file.size and (not file.is_local or known.mtime_ns == file.mtime_ns)


def _by_kind(files: Iterable[InputFile], reading: Reading, manifest: TableManifest) -> Iterable[_Sized]:
    kinds: dict[_Kind, list[InputFile]] = {}
    for file in files:
        kind = _Kind(format_of(file.name, reading, file.path), suffixes(file.name)[1], file.is_local)
        kinds.setdefault(kind, []).append(file)
    for kind, alike in kinds.items():
        yield _Sized(kind, alike, _sample(kind, alike, reading, manifest))


def _sample(kind: _Kind, files: Sequence[InputFile], reading: Reading, manifest: TableManifest) -> Sample:
    """Return what the largest of files shows; of a store, which is not read, what those like it held that the table has."""
    found = sample_file(max(files, key=lambda file: file.size), reading)
    if found is not None:
        return found
    usual = USUAL_RATIO if kind.compression else 1.0
    usual *= kind.format.usual_ratio if issubclass(kind.format, WholeFormat) else 1.0
    known = manifest.files.values()
    rows = sum(file.rows_received for file in known)
    return Sample(usual, sum(file.size for file in known) / rows if rows else None)


def _held(sized: Iterable[_Sized], reading: Reading) -> Iterable[Held]:
    for each in sized:
        kind = each.kind.format
        if not issubclass(kind, WholeFormat) or not is_read_whole(
            kind, each.kind.compression, is_local=each.kind.is_local
        ):
            continue
        for file in each.files:
            yield Held(file.name, kind.held_bytes(Extent(each.unpacked(file), each.rows(file)), reading))


def _at_once(sized: Iterable[_Sized]) -> int:
    """Return the bytes of the blocks that are converted at once, one in each thread."""
    most = 0
    for each in sized:
        kind, total = each.kind.format, sum(map(each.unpacked, each.files))
        block = BLOCK_BYTES
        if issubclass(kind, WholeFormat):
            block = max(kind.block_bytes(Extent(each.unpacked(file), each.rows(file))) for file in each.files)
        most = max(most, min(total, CORES * block))
    return most


def _count_tasks(name: str, source: Source, new: Sequence[InputFile], folder: DataFolder) -> int:
    """Return how many task runs convert has: one a batch of files, and one for the table."""
    if not new:
        return 0
    job = TableJob(name, source, tuple(new), folder.root, Versions.of(name, folder))
    plan = ConversionContext(job.target, None)
    return len(batch_units(job, bundle_files(new, plan), plan, "files")) + 1


def _add(numbers: Iterable[int | None]) -> int | None:
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total
