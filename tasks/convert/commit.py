"""The commit of a table: its staged parts and rejects put in place together."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from tasks.convert.duplicates import drop_rows, find_duplicates
from tasks.convert.files import ConvertedFile, Types
from tasks.convert.job import STAGED, TableJob, in_order
from tasks.convert.manifest import TableManifest, commit_table_manifest
from tasks.convert.types import widen_table
from tasks.errors import TableError
from tasks.store import commit


def commit_table(job: TableJob, types: Types, files: Mapping[str, ConvertedFile]) -> dict[str, ConvertedFile]:
    """Put the staged parts and rejects in place, and then the manifest, which makes them count.

    Returns the files with the duplicates that were dropped counted.

    Raises:
        TableError: a key names no column, or rows are not all accounted for.

    """
    _widen_vanished(job, types, files)
    files = _drop_duplicates(job, files)
    for name, file in files.items():
        _check_account(job, name, file)
    for file in files.values():
        _place(job.rejects, file.part, keep=bool(file.rows_rejected))
        _place(job.parts, file.part, keep=True)
    _remove_others(job, {file.part for file in files.values()})
    commit_table_manifest(job.parts, TableManifest(job.fingerprint, dict(types), in_order(job, files)))
    return dict(files)


def _widen_vanished(job: TableJob, types: Types, files: Mapping[str, ConvertedFile]) -> None:
    """Stage the parts of files that are gone with the table's columns: the files cannot be read again."""
    inputs = {file.name for file in job.inputs}
    for part in (file.part for name, file in files.items() if name not in inputs):
        table = pq.read_table(job.parts / part)
        widened = widen_table(table, types)
        if widened.schema != table.schema:
            with commit(job.parts / STAGED / part) as path:
                pq.write_table(widened, path, compression="zstd")


def _drop_duplicates(job: TableJob, files: Mapping[str, ConvertedFile]) -> dict[str, ConvertedFile]:
    if not job.source.key:
        return dict(files)
    parts = {name: _newest(job, file.part) for name, file in in_order(job, files).items()}
    duplicates = find_duplicates(parts, job.source.key, "last" if job.keeps_last else "first")
    counted = dict(files)
    for name, rows in duplicates.items():
        file = files[name]
        drop_rows(_newest(job, file.part), job.parts / STAGED / file.part, rows)
        counted[name] = replace(file, rows_duplicate=file.rows_duplicate + len(rows))
    return counted


def _check_account(job: TableJob, name: str, file: ConvertedFile) -> None:
    rows = pq.read_metadata(_newest(job, file.part)).num_rows
    if rows != file.rows_table:
        raise TableError(
            f"{name}: {file.rows_received} rows received are not {rows} in the table + {file.rows_rejected} rejects "
            f"+ {file.rows_duplicate} duplicates; this is an error in Tidemill, please report it"
        )


def _newest(job: TableJob, part: str) -> Path:
    staged = job.parts / STAGED / part
    return staged if staged.exists() else job.parts / part


def _place(folder: Path, part: str, *, keep: bool) -> None:
    """Move a staged part into its place; what stands there without `keep` goes."""
    staged = folder / STAGED / part
    if staged.exists():
        staged.replace(folder / part)
    elif not keep:
        (folder / part).unlink(missing_ok=True)


def _remove_others(job: TableJob, parts: set[str]) -> None:
    """Remove the parts of files that no longer belong to the table, and the empty staging folders."""
    for folder in (job.parts, job.rejects):
        shutil.rmtree(folder / STAGED, ignore_errors=True)
        for path in folder.glob("*.parquet"):
            if path.name not in parts:
                path.unlink()
