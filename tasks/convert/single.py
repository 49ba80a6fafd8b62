"""One file as rows of its own, read as the files of a source are: for those who do not want a table of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tasks.convert.draft import Draft
from tasks.convert.job import make_job
from tasks.convert.manifest import TableManifest
from tasks.convert.tasks import Convert, convert_files, draft_table
from tasks.errors import TableError
from tasks.spec import Column, ColumnType, FilesSource, Reading
from tasks.store import DataFolder

_NAME = "rows"
_READING = Reading(header=True)  # columns are asked for by name
_MOST_REJECTS = 0.5  # as of a table: beyond, the file is another than is thought


@dataclass(frozen=True)
class SingleFile:
    """The Parquet files of a file's rows and of its rejects, each in the order of its lines, and how many these are."""

    parts: tuple[Path, ...]
    rejects: tuple[Path, ...]
    received: int
    rejected: int
    reason: str
    """The most frequent one of its rejects."""


async def convert_single(
    file: Path, types: Mapping[str, ColumnType], folder: Path, convert: Convert = convert_files
) -> SingleFile:
    """Convert a file to Parquet in `folder`, its columns of the types given where it has them.

    Raises:
        TableError: the file cannot be read, or most of its rows do not fit.

    """
    columns = {name: Column(type=kind) for name, kind in types.items()}
    source = FilesSource(path=(str(file),), read=_READING, columns=columns)
    job = await asyncio.to_thread(make_job, _NAME, source, DataFolder(folder), allow_partial=False)
    job = replace(job, lenient=True)
    draft = await draft_table(job, TableManifest(), job.inputs, convert)
    if not draft.types or not any(file.size for file in job.inputs):  # of an empty file the types are those of training
        raise TableError(f"{file}: has no column; see whether it is the right file")
    single = _sum_up(draft)
    if single.rejected > single.received * _MOST_REJECTS:
        raise TableError(
            f"{file}: {single.rejected:,} of its {single.received:,} rows are rejects, most often because "
            f"{single.reason}; correct the file"
        )
    return single


def _sum_up(draft: Draft) -> SingleFile:
    staged, files = draft.job.versions.staged, draft.files.values()
    reasons: Counter[str] = Counter()
    for file in files:
        reasons.update(file.reasons)
    single = SingleFile(
        parts=tuple(staged / "table" / name for name in draft.parts),
        rejects=tuple(staged / "rejects" / name for file in files for name in file.rejects),
        received=sum(file.rows_received for file in files),
        rejected=sum(file.rows_rejected for file in files),
        reason=reasons.most_common(1)[0][0] if reasons else "",
    )
    held = sum(part.total for part in draft.parts.values())
    if held + single.rejected != single.received:
        raise TableError(
            f"{single.received} rows received are not {held} read + {single.rejected} rejects; "
            "this is an error in Tidemill, please report it"
        )
    return single
