"""The commit of a table: its parts given one set of columns, duplicates dropped, and all of it put in place together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.convert.parts.part import Part, read_part, read_places, remove_places, rewrite_part, write_part
from tasks.convert.parts.rejects import keep_rejects
from tasks.convert.staging.block import count_text_shapes
from tasks.convert.staging.context import ConvertedFile
from tasks.convert.table.account import audit_table
from tasks.convert.table.draft import Draft
from tasks.convert.table.findings import check_draft
from tasks.convert.table.hints import find_spellings
from tasks.convert.table.job import in_order
from tasks.convert.table.manifest import (
    TableManifest,
    commit_table_manifest,
    copy_table_manifest,
    read_table_manifest,
)
from tasks.convert.table.versions import ALONE, KEPT
from tasks.core.checksums import Checksum, take_checksum
from tasks.core.errors import TableError
from tasks.core.escaping import count
from tasks.core.storage import fsync
from tasks.core.tables import list_parts
from tasks.lineage.records import LINEAGE, make_record, write_record


def commit_table(draft: Draft) -> dict[str, ConvertedFile]:
    """Make the draft the table's current version; return its files, duplicates that were dropped counted.

    Raises:
        TableError: a key names no column, rows are not all accounted for, the audit found an error, or a check failed; the table is as it was.

    """
    job, versions = draft.job, draft.job.versions
    before = read_table_manifest(versions.current / "table")
    draft.files = {name: draft.files[name] for name in in_order(job, draft.files)}
    _shrink(draft)
    yielded = _drop_duplicates(draft, before)
    _check_account(draft)
    draft.spellings = dict(find_spellings(draft.files, draft.parts.values(), draft.types, job.target))
    audited = audit_table(job, draft.files, draft.types, before, draft.parts.values(), draft.spellings)
    draft.warnings += (*audited, *yielded)
    check_draft(draft)
    rejects = _shrink_rejects(draft)
    _remove_others(versions.staged / "table", set(draft.parts))
    _remove_others(versions.staged / "rejects", rejects)
    anew = {path.relative_to(versions.staged).as_posix() for path in list_parts(versions.staged)}
    versions.keep("table", draft.parts)
    versions.keep("rejects", rejects)
    number = versions.next_number(draft.number)
    parents = job.parents
    manifest = TableManifest(
        job.fingerprint,
        draft.types,
        draft.files,
        draft.parts,
        _checksums(draft, anew, rejects),
        job.pipeline,
        number,
        job.declared,
        parents.inputs,
        spellings=draft.spellings,
        privacy=job.privacy,
        made=make_record(job.source.kind, job.origins),
    )
    if parents.inputs:
        write_record(versions.staged / LINEAGE, parents)
    commit_table_manifest(versions.staged / "table", manifest)
    is_bared = bool(job.privacy) and job.privacy != before.privacy
    versions.commit(number, ALONE if is_bared else KEPT)
    copy_table_manifest(versions.current / "table", versions.copy)
    return draft.files


def _checksums(draft: Draft, rewritten: Collection[str], rejects: Collection[str]) -> dict[str, Checksum]:
    """Return the checksums of all files of the draft; those of files that stay are known."""
    names = [*(f"table/{name}" for name in draft.parts), *(f"rejects/{name}" for name in rejects)]
    known = {name: checksum for name, checksum in draft.checksums.items() if name not in rewritten}
    staged = draft.job.versions.staged
    return {name: known.get(name) or take_checksum(staged / name) for name in names}


def widen_part(draft: Draft, part: Part) -> Part:
    """Stage a part with the columns and types of the table, its rows as they are."""
    source = draft.job.versions.find_part("table", part.name)
    before = draft.shrunk.pop(part.name, None)
    kept = {name: name in part.rows for name in (before or part).rows}
    table = rewrite_part(source, draft.job.versions.staged / "table" / part.name, before or part, draft.types, kept)
    shapes = part.shapes
    if before is not None:  # those of the rows that are gone are not to be told of
        shapes = {name: told for name, told in count_text_shapes(table, draft.job.target).items() if name in shapes}
    return replace(part, columns=dict(draft.types), shapes=shapes)


def _shrink(draft: Draft) -> None:
    """Stage the parts that lose files."""
    for name in list(draft.shrunk):
        if name in draft.parts:
            draft.parts[name] = widen_part(draft, draft.parts[name])


def _shrink_rejects(draft: Draft) -> set[str]:
    """Stage the parts of rejects that lose files; return the names of all that the draft has."""
    versions, owners = draft.job.versions, dict[str, set[str]]()
    for file in draft.files.values():
        for name in file.rejects:
            owners.setdefault(name, set()).add(file.name)
    for name, files in owners.items():
        if not draft.rejected[name] <= files:
            keep_rejects(versions.find_part("rejects", name), versions.staged / "rejects" / name, files)
    return set(owners)


def _drop_duplicates(draft: Draft, before: TableManifest) -> tuple[str, ...]:
    """Stage the parts without the rows whose key another one has; return what is to be told of it."""
    key = draft.job.source.key
    if not key:
        return ()
    from tasks.convert.table.duplicates import find_duplicates  # noqa: PLC0415 - pandas: a second, only where there is a key

    versions = draft.job.versions
    paths = {name: (part, versions.find_part("table", name)) for name, part in draft.parts.items()}
    order = in_order(draft.job, draft.files)
    late = _find_late(draft, order, before)
    places = {name: found for name in paths if (found := read_places(versions.staged, name)) is not None}
    duplicates = find_duplicates(paths, order, key, draft.job.keep, late, places)
    remove_places(versions.staged)
    for name, rows in duplicates.rows.items():
        part, path = paths[name]
        owners = np.repeat(list(part.rows), list(part.rows.values()))
        lost = Counter(owners[rows].tolist())
        _write_without(path, versions.staged / "table" / name, rows)
        draft.parts[name] = replace(part, rows={file: count - lost[file] for file, count in part.rows.items()})
        for file, number in lost.items():
            draft.files[file] = replace(draft.files[file], rows_duplicate=draft.files[file].rows_duplicate + number)
    return tuple(
        f"{file} is new, but {count:,} of its rows gave way to rows with the same key in files that stand after it by "
        "name; name files so that the newest is the last, or declare keep"
        for file, count in duplicates.yielded.items()
    )


def _find_late(draft: Draft, order: Sequence[str], before: TableManifest) -> set[str]:
    """Return the files that are new in the table and stand before others, where nothing tells that this is meant."""
    old = [place for place, name in enumerate(order) if name in before.files]
    if draft.job.source.keep is not None or draft.job.keep == "first" or not old:
        return set()
    return {name for name in order[: old[-1]] if name not in before.files}


def _write_without(source: Path, target: Path, rows: np.ndarray) -> None:
    table = read_part(source)
    kept = np.ones(table.num_rows, dtype=bool)
    kept[rows] = False
    write_part(target, table.filter(pa.array(kept)))
    fsync(target)


def _check_account(draft: Draft) -> None:
    """Raise unless every row that was received is in a part, a reject or a duplicate, file by file."""
    held: Counter[str] = Counter()
    for part in draft.parts.values():
        rows = pq.read_metadata(draft.job.versions.find_part("table", part.name)).num_rows
        if rows != part.total:
            raise TableError(
                f"{part.name} holds {count(rows, 'row')}, not {part.total}; this is an error in Tidemill, please report it"
            )
        held.update(part.rows)
    for name, file in draft.files.items():
        if held[name] != file.rows_table:
            raise TableError(
                f"{name}: {count(file.rows_received, 'row')} received are not {held[name]} in the table + {file.rows_rejected} "
                f"rejects + {file.rows_duplicate} duplicates; this is an error in Tidemill, please report it"
            )


def _remove_others(folder: Path, names: set[str]) -> None:
    """Remove what was staged and then staged again under another name."""
    for path in list_parts(folder):
        if path.relative_to(folder).as_posix() not in names:
            path.unlink()
