"""A table's account: what the audit of a run is told of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from tasks.convert.parts.part import Part
from tasks.convert.schema.blocks import EXAMPLE
from tasks.convert.schema.spelling import Spelling
from tasks.convert.schema.types import Types
from tasks.convert.staging.context import ConvertedFile
from tasks.convert.table.guesses import warn_of_guesses, warn_of_strangers, warn_of_units, warn_of_unused_keys
from tasks.convert.table.hints import warn_of_texts
from tasks.convert.table.inbox import warn_of_partition_folders, warn_of_unlisted_files
from tasks.convert.table.job import TableJob
from tasks.convert.table.manifest import TableManifest
from tasks.core.accounting import Account, Before, FileCounts, RejectLimits, audit, errors_of, warnings_of
from tasks.core.errors import TableError


def audit_table(
    job: TableJob,
    files: Mapping[str, ConvertedFile],
    types: Types,
    before: TableManifest | None = None,
    parts: Collection[Part] = (),
    spellings: Mapping[str, Spelling] = MappingProxyType({}),
) -> tuple[str, ...]:
    """Return the warnings of a table as it is going to be, of these parts, with what its texts may be; `before` is what it held, where that may have changed.

    Raises:
        TableError: it must not become that; the table is as it was.

    """
    findings = audit(_account(job, files, types, before))
    if errors := errors_of(findings):
        raise TableError("\n".join(errors))
    return (
        *warnings_of(findings),
        *warn_of_unlisted_files(job),
        *warn_of_partition_folders(job, types),
        *warn_of_guesses(files, types, job.target.columns),
        *warn_of_texts(spellings),
        *warn_of_units(files, job.target.columns),
        *warn_of_strangers(files, parts),
        *warn_of_reading(files),
    )


def warn_of_reading(files: Mapping[str, ConvertedFile]) -> Iterator[str]:
    """Yield what is told of each file; of many whose sentences differ in their example alone, once."""
    alike: dict[str, list[str]] = {}
    for name, file in files.items():
        for said in file.warnings:
            kind = said.partition(EXAMPLE)[0] if EXAMPLE in said else f"{name}: {said}"
            alike.setdefault(kind, []).append(f"{name}: {said}")
    for first, *others in alike.values():
        yield f"{first} (and so in {len(others):,} more)" if others else first


def _account(
    job: TableJob, files: Mapping[str, ConvertedFile], columns: Collection[str], before: TableManifest | None
) -> Account:
    reasons: Counter[str] = Counter()
    for file in files.values():
        reasons.update(file.reasons)
    options = job.source.table
    return Account(
        received=sum(file.rows_received for file in files.values()),
        entered=sum(file.rows_table for file in files.values()),
        rejected=sum(file.rows_rejected for file in files.values()),
        reasons=reasons,
        limits=RejectLimits(options.warn_rejects, options.max_rejects),
        rejects_at=str(job.versions.rejects),
        columns=columns,
        before=_before(job, before) if before and before.files else None,
        remedy=f", or delete {job.versions.home} to begin the table anew",
        unmet=warn_of_unused_keys(files, job.target.reading),
        files=[FileCounts(file.name, file.rows_received, file.rows_rejected) for file in files.values()],
    )


def _before(job: TableJob, manifest: TableManifest) -> Before:
    rows = sum(file.rows_table for file in manifest.files.values())
    return Before(rows, manifest.types, same_columns=manifest.fingerprint == job.fingerprint)
