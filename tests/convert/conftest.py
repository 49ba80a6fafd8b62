"""What the tests of convert share: files written, and tables made of them without Prefect."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings

from tasks.config import ApiSource, FilesSource, PagesSource, Source
from tasks.convert.schema.target import TableTarget
from tasks.convert.schema.types import Types
from tasks.convert.staging.context import ConversionContext, ConversionResult, ConvertedFile, InputFile
from tasks.convert.staging.file import ConversionThreads, convert_file
from tasks.convert.table.account import audit_table
from tasks.convert.table.commit import commit_table
from tasks.convert.table.conversion import draft_table
from tasks.convert.table.findings import report_of
from tasks.convert.table.guesses import gather_guesses
from tasks.convert.table.inputs import find_file, name_part
from tasks.convert.table.job import make_job
from tasks.convert.table.state import CommittedTable, find_changed, find_kept, open_table, state_of_table
from tasks.convert.tasks import convert_files
from tasks.core.outcome import Failed, Outcome
from tasks.core.storage import DataFolder
from tasks.raw.files import RawManifest, commit_manifest, increment_path, raw_path, read_manifest
from tasks.raw.partitions import list_partitions, request_fingerprint
from tasks.raw.selection import PartitionSelection

if TYPE_CHECKING:
    from tests.convert.slow_paths import Flights

NO_LIMIT = {"max_rejects": None}
"""Options of a table of which the rejects alone are looked at."""
PROPERTY = settings(max_examples=50)


@pytest.fixture(scope="module")
def flights() -> Flights:
    """Return the first flights of the year."""
    from tests.convert.slow_paths import read_flights  # noqa: PLC0415 - it makes tables by what is here

    return read_flights()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what is done the slow way."""
    from tests.convert.slow_paths import count_slow  # noqa: PLC0415 - the same

    return count_slow(monkeypatch)


def texts_of(*texts: str | None) -> pa.ChunkedArray:
    """Return a column of texts as readers give it."""
    return pa.chunked_array([pa.array(texts, pa.string())])


def misfits_of(misfits: pa.Table) -> list[tuple[int, str, str]]:
    """Return line, raw text and reason of each misfit."""
    return [(misfit["line"], misfit["raw"], misfit["reason"]) for misfit in misfits.to_pylist()]


def write_files(root: Path, **files: str | bytes) -> None:
    """Write files into the inbox; `name_csv_gz` becomes `name.csv.gz`, compressed."""
    folder = root / "inbox"
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name.replace("_", ".")
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def files_source(path: str | list[str] = "inbox/*", **settings_of: Any) -> FilesSource:
    """Return a source of the inbox's files."""
    return FilesSource.model_validate({"kind": "files", "path": path, **settings_of})


def api_source(*origins: str, **settings_of: Any) -> ApiSource:
    """Return an API source with these partitions, if any."""
    partitions = {"origin": origins} if origins else {}
    settings_of = {"key": ["id"], "partitions": partitions, **settings_of}
    return ApiSource.model_validate({"kind": "api", "url": "http://127.0.0.1/rows", **settings_of})


def frames_of(*lines: str) -> bytes:
    """Return lines compressed as page groups are, each a zstd frame of its own; an empty frame where there is none."""
    return b"".join(pa.compress(f"{line}\n".encode(), codec="zstd", asbytes=True) for line in lines) or pa.compress(
        b"", codec="zstd", asbytes=True
    )


def land(
    root: Path, source: ApiSource | PagesSource, partition: str, *lines: str, number: int | None = None, at: str = ""
) -> Path:
    """Write the raw file of a partition, or its increment `number`, with its manifest, as landed `at`."""
    raw = first = raw_path(root / "raw" / "rows", partition)
    before = read_manifest(first)
    if number is not None:
        raw = increment_path(first, number)
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_bytes(frames_of(*lines))
    (asked,) = [request_fingerprint(source, each) for each in list_partitions(source) if each.name == partition]
    manifest = RawManifest(
        fingerprint=asked,
        rows=len(lines),
        pages=1,
        file_bytes=raw.stat().st_size,
        sha256=hashlib.sha256(raw.read_bytes()).hexdigest(),
        landed_at=at,
        extends=before.sha256 if number is not None and before else None,
    )
    commit_manifest(raw, manifest)
    return raw


def tables_of(outcomes: Iterable[Outcome[CommittedTable]]) -> list[CommittedTable]:
    """Return the tables that a convert has made, of which none failed."""
    tables = [outcome for outcome in outcomes if not isinstance(outcome, Failed)]
    assert tables == list(outcomes)
    return tables


def make_table(
    root: Path,
    source: Source,
    *,
    fresh: bool = False,
    allow_partial: bool = False,
    only: PartitionSelection | None = None,
) -> CommittedTable:
    """Make the table `rows` as the convert stage does, step by step, but without Prefect."""
    job = make_job("rows", source, DataFolder(root), allow_partial=allow_partial, only=only)
    manifest = open_table(job, fresh=fresh)
    changed, kept = find_changed(job, manifest), find_kept(job, manifest)
    if not changed and kept.keys() == manifest.files.keys() and manifest.files:
        same = state_of_table(job, manifest.types, kept, files_read=0)
        findings = report_of(
            job, audit_table(job, kept, manifest.types, parts=manifest.parts.values(), spellings=manifest.spellings)
        )
        return replace(
            same,
            findings=replace(
                findings, guesses=gather_guesses(kept, manifest.parts.values(), manifest.types, manifest.spellings)
            ),
        )
    draft = asyncio.run(draft_table(job, manifest, changed, convert_files.fn))
    table = state_of_table(job, draft.types, commit_table(draft), files_read=len(changed))
    guesses = gather_guesses(draft.files, draft.parts.values(), draft.types, draft.spellings)
    return replace(table, findings=replace(report_of(job, draft.warnings, {}, changed), guesses=guesses))


def warnings_of(root: Path, source: Source) -> tuple[str, ...]:
    """Return what is told of the table `rows` when it is made, or when nothing of it is new."""
    job = make_job("rows", source, DataFolder(root), allow_partial=False)
    manifest = open_table(job, fresh=False)
    changed, kept = find_changed(job, manifest), find_kept(job, manifest)
    if not changed and kept.keys() == manifest.files.keys() and manifest.files:
        return audit_table(job, kept, manifest.types)
    draft = asyncio.run(draft_table(job, manifest, changed, convert_files.fn))
    commit_table(draft)
    return draft.warnings


def convert_one(file: InputFile, target: TableTarget, types: Types | None = None) -> ConversionResult:
    """Return what became of a file, its parts and rejects staged."""

    async def convert() -> ConversionResult:
        with ThreadPoolExecutor(2) as threads:
            workers = ConversionThreads(threads, asyncio.Semaphore(3))
            return await convert_file(file, ConversionContext(target, types), name_part([file.name]), workers)

    return asyncio.run(convert())


def convert_alone(
    path: Path, source: Source | None = None, **target: Any
) -> tuple[ConvertedFile, pa.Table, list[dict[str, Any]]]:
    """Return what became of one file, its parts together, and its rejects."""
    columns = dict(source.columns) if source else {}
    staged = path.parent / "staged"
    converted = convert_one(find_file(path, path.parent), TableTarget("rows", staged, columns, **target))
    parts = [pq.read_table(staged / "table" / part.name, partitioning=None) for part in converted.parts]
    rejects = [
        row for name in converted.files[0].rejects for row in pq.read_table(staged / "rejects" / name).to_pylist()
    ]
    return converted.files[0], pa.concat_tables(parts, promote_options="permissive"), rejects


def read_rows(root: Path) -> list[dict[str, Any]]:
    """Return the rows of the committed table, in the order of its parts' names."""
    rows: list[dict[str, Any]] = pq.read_table(root / "tables" / "rows").to_pylist()
    return rows


def read_rejects(root: Path) -> list[dict[str, Any]]:
    """Return the rejects of the committed table."""
    rows: list[dict[str, Any]] = pq.read_table(root / "rejects" / "rows").to_pylist()
    return rows


def parts_of(root: Path) -> dict[str, bytes]:
    """Return the bytes of every file that belongs to the committed table and its rejects."""
    folders = (root / "tables" / "rows", root / "rejects" / "rows")
    return {
        str(path.relative_to(root)): path.read_bytes()
        for folder in folders
        for path in folder.glob("*.*")
        if path.is_file()
    }
