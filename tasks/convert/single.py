"""One file as rows of its own, read as the files of a source are: for those who do not want a table of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from tasks.config import Column, ColumnType, FilesSource, Reading
from tasks.convert.formats.registry import format_of
from tasks.convert.schema.expressions import find_read
from tasks.convert.schema.names import Naming
from tasks.convert.table.account import warn_of_reading
from tasks.convert.table.conversion import Convert, draft_table
from tasks.convert.table.draft import Draft
from tasks.convert.table.guesses import warn_of_guesses
from tasks.convert.table.job import make_job
from tasks.convert.table.manifest import TableManifest, read_manifest_file
from tasks.convert.tasks import convert_files
from tasks.core.accounting import Account, RejectLimits, audit, errors_of
from tasks.core.errors import ConfigError, TableError
from tasks.core.escaping import count
from tasks.core.storage import DataFolder

_NAME = "rows"
_READING = Reading(header=True)  # columns are asked for by name


@dataclass(frozen=True)
class SingleFile:
    """The Parquet files of a file's rows and of its rejects, each in the order of its lines, how many these are, and what is told of them."""

    parts: tuple[Path, ...]
    rejects: tuple[Path, ...]
    received: int
    rejected: int
    reason: str
    """The most frequent one of its rejects."""
    warnings: tuple[str, ...] = ()


def find_like(tables: Iterable[bytes], pipeline: str, types: Mapping[str, ColumnType]) -> FilesSource | None:
    """Return what is declared of the one source of a pipeline whose table, by its manifest, has all of these columns; None where several have, or none.

    Raises:
        ConfigError: it is declared in a way that is not known, as by an extension that is not there.

    """
    found = [
        manifest
        for manifest in map(read_manifest_file, tables)
        if manifest is not None
        and manifest.declared
        and manifest.pipeline in ("", pipeline)
        and types.keys() <= manifest.types.keys()
    ]
    if len(found) != 1:
        return None
    try:
        return FilesSource.model_validate(found[0].declared)
    except ValidationError as error:
        mistake = error.errors()[0]
        key = ".".join(map(str, mistake["loc"]))
        raise ConfigError(
            f"the source that its rows came from says {key}, which is not known here ({mistake['msg']}); "
            "give the pipeline's file in place of its name, or install the extension"
        ) from None


async def convert_single(
    file: Path,
    types: Mapping[str, ColumnType],
    folder: Path,
    convert: Convert = convert_files,
    like: FilesSource | None = None,
) -> SingleFile:
    """Convert a file to Parquet in `folder`, its columns of the types given where it has them, and read as one of the source `like` is.

    Raises:
        TableError: the file cannot be read, or most of its rows do not fit.

    """
    source = await asyncio.to_thread(_source_of, file, types, like)
    job = await asyncio.to_thread(make_job, _NAME, source, DataFolder(folder), allow_partial=False)
    job = replace(job, lenient=True)
    draft = await draft_table(job, TableManifest(), job.inputs, convert)
    if not draft.types or not any(file.size for file in job.inputs):  # of an empty file the types are those of training
        raise TableError(f"{file}: has no column; see whether it is the right file")
    single, reasons = _sum_up(draft)
    limits = RejectLimits(source.table.warn_rejects, source.table.max_rejects)
    account = Account(single.received, single.received - single.rejected, single.rejected, reasons, limits)
    if errors := errors_of(audit(account)):
        raise TableError("\n".join(f"{file}: {error}" for error in errors))
    return single


def _source_of(file: Path, types: Mapping[str, ColumnType], like: FilesSource | None) -> FilesSource:
    """Return a source of one file: what is not declared of the columns asked for has their types, other columns have none."""
    if like is None:
        columns = {name: Column(type=kind) for name, kind in types.items()}
        return FilesSource(path=(str(file),), read=_READING, columns=columns)
    renames = {name: column.rename for name, column in like.columns.items() if column.rename}
    naming = Naming(renames, like.table.clean_names)
    named = {naming.rename([name])[0]: name for name in like.columns}
    declared = {new: like.columns[name] for new, name in named.items()}
    wanted = _with_read(declared, types)
    columns = {named[new]: _required(column, types.get(new), is_read=new in wanted) for new, column in declared.items()}
    known = set(naming.rename(list(columns)))
    columns |= {name: Column(type=kind) for name, kind in types.items() if name not in known}
    options = like.table.model_copy(update={"partition_by": (), "sort_by": (), "provenance": False})
    return FilesSource(path=(str(file),), read=_reading_of(file, like.read), columns=columns, table=options)


def _with_read(declared: Mapping[str, Column], names: Iterable[str]) -> set[str]:
    """Return the columns with those that their expressions read, and so on."""
    wanted = set(names)
    while not (read := find_read({name: declared[name] for name in declared if name in wanted}, declared)) <= wanted:
        wanted |= read
    return wanted


def _required(column: Column, kind: ColumnType | None, *, is_read: bool) -> Column:
    """Return what is declared of a column, which of new rows only those asked for, or that their expressions read, must have values of a type."""
    if kind is None and not is_read:
        return Column(rename=column.rename, nulls=column.nulls)
    return column.model_copy(update={"required": False, "type": column.type or kind})


def _reading_of(file: Path, read: Reading) -> Reading:
    """Return how a file is read: as is declared, unless that is of another format."""
    if read.format is not None and _is_of_another(file, read):
        return _READING
    return read if read.header is not None or read.header_row else read.model_copy(update={"header": True})


def _is_of_another(file: Path, read: Reading) -> bool:
    try:
        return format_of(file.name, Reading(), file) is not format_of(file.name, read, file)
    except TableError:  # its name tells of none
        return False


def _sum_up(draft: Draft) -> tuple[SingleFile, Counter[str]]:
    """Return what a file came to, and why its rejects are none of its rows."""
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
        warnings=(*warn_of_guesses(draft.files, draft.types, draft.job.target.columns), *warn_of_reading(draft.files)),
    )
    held = sum(part.total for part in draft.parts.values())
    if held + single.rejected != single.received:
        raise TableError(
            f"{count(single.received, 'row')} received are not {held} read + {single.rejected} rejects; "
            "this is an error in Tidemill, please report it"
        )
    return single, reasons
