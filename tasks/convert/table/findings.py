"""What a run found out about a table beside its counts: its checks, guesses and warnings.

What they came to lies in `checks.json` of the version that it is of; of a draft
that was refused it lies in `refused.json` beside the versions, until another run
of the checks comes to an end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tasks.config import Check
from tasks.convert.checks.run import CheckOutcome, raise_failed, run_checks
from tasks.convert.parts.part import Part, StoredPart
from tasks.convert.parts.sample import Samples
from tasks.convert.staging.context import InputFile
from tasks.convert.table.draft import Draft
from tasks.convert.table.guesses import Guesses
from tasks.convert.table.job import TableJob
from tasks.convert.table.manifest import TableManifest
from tasks.convert.table.versions import Versions
from tasks.core.storage import commit, fingerprint, json_reader

CHECKS = "checks.json"
REFUSED = "refused.json"


@dataclass(frozen=True)
class CheckReport:
    """What the checks of a table came to, when, and the fingerprint of what was declared."""

    fingerprint: str = ""
    checked_at: str = ""
    outcomes: tuple[CheckOutcome, ...] = ()


_read = json_reader(CheckReport)


def check_draft(draft: Draft) -> None:
    """Run the declared checks on a draft, whose parts are all staged or kept.

    Raises:
        TableError: a check failed, or names no column; the table is as it was.

    """
    job = draft.job
    (job.versions.home / REFUSED).unlink(missing_ok=True)
    if job.source.checks:
        outcomes = run_checks(job.source.checks, _parts(job, draft.parts), draft.types, job.source.key)
        _keep_outcomes(job, outcomes, job.versions.staged / CHECKS)


def check_current(job: TableJob, manifest: TableManifest) -> None:
    """Run the checks of a table of which nothing is new: those that are declared anew, and those that age.

    Raises:
        TableError: a check failed, or names no column.

    """
    checks, versions = job.source.checks, job.versions
    before = _read(versions.current / CHECKS)
    (versions.home / REFUSED).unlink(missing_ok=True)
    if not checks:
        (versions.current / CHECKS).unlink(missing_ok=True)
        return
    known = before.outcomes if before and before.fingerprint == _fingerprint(checks) else ()
    due = [check for check in checks if not known or check.ages]
    found = iter(run_checks(due, _parts(job, manifest.parts), manifest.types, job.source.key))
    outcomes = [next(found) if not known or check.ages else known[number] for number, check in enumerate(checks)]
    _keep_outcomes(job, outcomes, versions.current / CHECKS)


def read_outcomes(versions: Versions) -> CheckReport:
    """Return what the latest checks of a table came to; nothing where it has none."""
    return _read(versions.home / REFUSED) or _read(versions.current / CHECKS) or CheckReport()


def _keep_outcomes(job: TableJob, outcomes: Sequence[CheckOutcome], place: Path) -> None:
    """Write down what the checks came to, at `place` unless one failed."""
    failed = any(outcome.status == "failed" for outcome in outcomes)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    checked = CheckReport(_fingerprint(job.source.checks), now, tuple(outcomes))
    with commit(job.versions.home / REFUSED if failed else place) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(checked), indent=1))
    raise_failed(outcomes)


def _fingerprint(checks: Sequence[Check]) -> str:
    return fingerprint([check.model_dump(mode="json") for check in checks])


def _parts(job: TableJob, parts: Mapping[str, Part]) -> list[StoredPart]:
    return [StoredPart(job.versions.find_part("table", name), name) for name in sorted(parts)]


@dataclass(frozen=True)
class TableReport:
    """Whether a run changed a table, what columns it had before, what it took, the warnings of its audit and its checks, and some rows."""

    changed: bool = False
    types_before: Mapping[str, str] = field(default_factory=dict)
    bytes_read: int = 0
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    samples: Samples | None = None
    guesses: Guesses = field(default_factory=Guesses)
    doubts: tuple[str, ...] = ()
    """What ingest found doubtful of the rows, each with its partition."""


def report_of(
    job: TableJob,
    warnings: Sequence[str] = (),
    types_before: Mapping[str, str] | None = None,
    changed: Sequence[InputFile] = (),
    seconds: float = 0.0,
    samples: Samples | None = None,
) -> TableReport:
    """Return the findings of a run whose audit gave `warnings`, and that converted the `changed` files in so many seconds; of one that had nothing to do without `types_before`."""
    outcomes = read_outcomes(job.versions).outcomes if job.source.checks else ()
    told = (*warnings, *(outcome.sentence for outcome in outcomes if outcome.status == "warned"))
    size = sum(file.size for file in changed)
    return TableReport(types_before is not None, types_before or {}, size, seconds, told, samples, doubts=job.doubts)
