"""What of a source's inputs is to be told: files passed over, renamed or fetched again, and folders that name a column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config import FilesSource
from tasks.convert.parts.part import Part
from tasks.convert.schema.types import Types
from tasks.convert.staging.context import ConvertedFile, InputFile
from tasks.convert.table.draft import Draft
from tasks.convert.table.job import TableJob
from tasks.convert.table.manifest import TableManifest
from tasks.core.escaping import count
from tasks.core.imports import import_once

_PARTITION = re.compile(r"(?P<column>[^=/]+)=[^/]*")  # as Hive, Spark and others name folders


def warn_of_unlisted_files(job: TableJob) -> tuple[str, ...]:
    """Return a sentence on the files that may be meant, and that no path of the source takes."""
    if not job.passed_over:
        return ()
    first, count = job.passed_over[0], len(job.passed_over)
    some = f"1 file is passed over: {first}" if count == 1 else f"{count} files are passed over, the first is {first}"
    folder, slash, name = first.rpartition("/")
    suffix = PurePath(name).suffix
    likes = f"{folder}{slash}*{suffix}" if suffix else first
    return (
        f"{some}; if they are data, name them in path too, as {likes}, with read.format where their ending tells "
        "no format, else move them out",
    )


def warn_of_partition_folders(job: TableJob, types: Types) -> tuple[str, ...]:
    """Return a sentence on folders like year=2023 whose values the table has in no column."""
    if not isinstance(job.source, FilesSource):
        return ()
    declared = {part for path in job.source.path for part in path.split("/")}
    folders = dict.fromkeys(part for file in job.inputs if "=" in file.name for part in file.name.split("/")[:-1])
    found: dict[str, str] = {}
    for folder in folders:
        if folder not in declared and (match := _PARTITION.fullmatch(folder)):
            found.setdefault(match["column"], folder)
    return tuple(
        f"the folders {column}=... are no column, such as {folder}: the table has no {column}; set table.provenance "
        f"and take the value from the column _file, or write {column} into the files"
        for column, folder in found.items()
        if job.naming.rename([column])[0] not in types
    )


def find_renamed(job: TableJob, stay: Mapping[str, ConvertedFile], new: Iterable[ConvertedFile]) -> dict[str, str]:
    """Return, by the name of each file that is gone, that of a new one which has its very bytes, compressed or not."""
    listed = {file.name for file in job.inputs}
    gone: dict[str, list[str]] = {}
    for name, file in stay.items():
        if name not in listed and file.rows_received and file.content_id:
            gone.setdefault(file.content_id, []).append(name)
    came = [file for file in new if file.name not in stay and file.content_id in gone]
    found: dict[str, str] = {}
    for file in sorted(came, key=lambda file: file.name):
        if names := gone[file.content_id]:  # of equal files each takes the place of one
            found[names.pop(0)] = file.name
    return found


def warn_of_renamed_files(renamed: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence on the files that take the place of others."""
    if not renamed:
        return ()
    name, other = next(iter(renamed.items()))
    more = f", and so with {count(len(renamed) - 1, 'more file')}" if len(renamed) > 1 else ""
    return (f"{other} has the very bytes of {name}, which is gone, and takes its place{more}",)


def warn_of_copied_files(job: TableJob, files: Mapping[str, ConvertedFile]) -> tuple[str, ...]:
    """Return a sentence on files that are there twice, whose rows count twice unless a key tells them apart."""
    if not isinstance(job.source, FilesSource) or job.source.key:
        return ()
    first: dict[str, str] = {}
    copies: list[tuple[str, str]] = []
    for name, file in files.items():
        if file.content_id and file.rows_received:
            other = first.setdefault(file.content_id, name)
            copies += [(name, other)] if other != name else []
    if not copies:
        return ()
    (name, other), *others = copies
    more = f", and so with {count(len(others), 'more file')}" if others else ""
    return (f"{name} has the very bytes of {other}{more}: their rows count twice; delete one, or declare a key",)


def warn_of_changed_rows(draft: Draft, manifest: TableManifest, changed: Sequence[InputFile]) -> tuple[str, ...]:
    """Return a sentence on raw files that hold other rows than when the table was made of them.

    A source with neither `refresh` nor dates is asked again only where what was landed is gone, or
    is asked for in another way: its table mixes rows of then and now.
    """
    source = draft.job.source
    if isinstance(source, FilesSource) or source.refresh is not None or source.has_dates:
        return ()
    names = [file.name for file in changed if _is_other(manifest.files.get(file.name), draft.files.get(file.name))]
    if not names:
        return ()
    versions = draft.job.versions
    before = _hashes({versions.current / "table" / part.name: part for part in manifest.parts.values()}, names)
    now = _hashes({versions.find_part("table", part.name): part for part in draft.parts.values()}, names)
    gone, new = _count_beyond(before, now), _count_beyond(now, before)
    if not (gone or new):
        return ()
    more = f" and {count(len(names) - 1, 'more raw file')}" if len(names) > 1 else ""
    return (
        f"{names[0]}{more} came anew and the source has changed meanwhile: {gone:,} of {len(before):,} rows are no longer "
        f"as they were, and {new:,} are new; what was fetched at another time stands beside them",
    )


def _is_other(before: ConvertedFile | None, now: ConvertedFile | None) -> bool:
    return before is not None and now is not None and bool(before.digest) and before.digest != now.digest


def _hashes(parts: Mapping[Path, Part], names: Sequence[str]) -> np.ndarray:
    """Return a hash of each row that is of one of the files."""
    wanted = set(names)
    found = [_hash_rows(path, part, wanted) for path, part in parts.items() if part.rows.keys() & wanted]
    return np.concatenate(found) if found else np.array([], dtype=np.uint64)


def _hash_rows(path: Path, part: Part, names: set[str]) -> np.ndarray:
    """Return a hash of each row, whatever types and order its columns have; of a part that cannot be read, nothing."""
    pd = import_once("pandas")  # a second, and a run with nothing new has no rows to compare
    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException):
        return np.array([], dtype=np.uint64)
    kept = np.repeat([name in names for name in part.rows], list(part.rows.values()))
    frame = table.filter(pa.array(kept)).to_pandas()
    numbers = frame.select_dtypes("number").columns  # 1 is 1.0, where a value that is new has widened the type
    plain = frame.astype(dict.fromkeys(numbers, "float64")).astype(str)
    texts = plain.where(frame.notna(), "")[sorted(frame.columns)]
    hashes: np.ndarray = pd.util.hash_pandas_object(texts, index=False).to_numpy()
    return hashes


def _count_beyond(some: np.ndarray, others: np.ndarray) -> int:
    """Return how many of some values have no partner among others."""
    values, counts = np.unique(some, return_counts=True)
    other_values, other_counts = np.unique(others, return_counts=True)
    partners = dict(zip(other_values.tolist(), other_counts.tolist(), strict=True))
    return int(sum(max(0, n - partners.get(v, 0)) for v, n in zip(values.tolist(), counts.tolist(), strict=True)))
