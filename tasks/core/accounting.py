"""The accounting of a run: what came against what entered, against what was there before, and against what was declared.

Each stage fills in an `Account` of what it knows of a source, and `audit` answers
the same questions for all of them: did rows come and none enter? Has the table lost
most of its rows, or all of its columns? Are too many rows rejects? Was something
that is declared never met? What stops a run is an error, what does not is a warning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tasks.core.escaping import count

LOST_SHARE = 0.5  # of the rows of before: fewer than that may be a correction, more is hardly one
_NAMED = 3

Limit = int | float | None


@dataclass(frozen=True)
class Finding:
    """Something about a run that is doubtful or wrong: a sentence that names it, and its cure."""

    level: Literal["warning", "error"]
    message: str


@dataclass(frozen=True)
class Before:
    """What a table held before this run; `same_columns` tells that its columns are declared as they were then."""

    rows: int
    columns: Collection[str]
    same_columns: bool = True


@dataclass(frozen=True)
class FileCounts:
    """What became of the rows of one input."""

    name: str
    received: int
    rejected: int


@dataclass(frozen=True)
class RejectLimits:
    """From how many rejects on a source is told, and from how many on it fails: a number, a share of its rows below 1, or None."""

    warning: Limit = 0.05
    error: Limit = 0.5


@dataclass(frozen=True)
class Account:
    """What a source's rows came to, and what is known beside it; `remedy` tells how a change is accepted that was meant."""

    received: int
    entered: int
    rejected: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    limits: RejectLimits = field(default_factory=RejectLimits)
    rejects_at: str = ""
    columns: Collection[str] = ()
    before: Before | None = None
    remedy: str = ""
    files: Sequence[FileCounts] = ()
    unmet: Sequence[str] = ()
    """Sentences on what is declared and was never met."""


def audit(account: Account) -> list[Finding]:
    """Return what is wrong or doubtful about a source's rows, errors first."""
    errors = [*_nothing_entered(account), *_lost_everything(account), *_too_many_rejects(account)]
    warnings = [
        *_nothing_came(account),
        *_lost_rows(account),
        *_many_rejects(account),
        *_fruitless_files(account),
        *account.unmet,
    ]
    return [
        *(Finding("error", message) for message in dict.fromkeys(errors)),
        *(Finding("warning", message) for message in dict.fromkeys(warnings)),
    ]


def errors_of(findings: Sequence[Finding]) -> list[str]:
    """Return the messages of what stops a run."""
    return [finding.message for finding in findings if finding.level == "error"]


def warnings_of(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return the messages of what does not stop a run."""
    return tuple(finding.message for finding in findings if finding.level == "warning")


def unmet_values(partitions: Sequence[tuple[Sequence[tuple[str, object]], int]]) -> list[str]:
    """Return a sentence on each partition value for which no row came, where rows came for others.

    `partitions` are the values of each partition that was fetched, by key, and its rows.
    """
    rows: Counter[tuple[str, object]] = Counter()
    for values, number in partitions:
        rows.update(dict.fromkeys(values, number))
    empty: dict[str, list[str]] = {}
    for (key, value), number in rows.items():
        if not number:
            empty.setdefault(key, []).append(f"{key}={value}")
    if not any(rows.values()):
        return []  # no row came at all, which is told
    return [f"no row came for {_some(said)}; correct the value, or take it out" for said in empty.values()]


def same_answers(partitions: Sequence[tuple[Sequence[tuple[str, object]], int, str]]) -> list[str]:
    """Return a sentence on the partitions for which a server gave the same rows, as one does that ignores a parameter.

    `partitions` are the values of each partition, its rows, and what stands for these. A single
    row may well be that of two partitions; it is doubted where it is that of all of them.
    """
    alike: dict[str, list[str]] = {}
    rows: dict[str, int] = {}
    for values, number, digest in partitions:
        if number:
            alike.setdefault(digest, []).append(",".join(f"{key}={value}" for key, value in values))
            rows[digest] = number
    same = [names for digest, names in alike.items() if len(names) > 1 and (rows[digest] > 1 or len(alike) == 1)]
    if not same:
        return []
    first, second, *others = same[0]
    more = f" and {len(others):,} more" if others else ""
    groups = f", and so for {count(len(same) - 1, 'other group')} of partitions" if len(same) > 1 else ""
    return [f"the server gave the same rows for {first} and {second}{more}{groups}; is the parameter right?"]


def _nothing_came(account: Account) -> list[str]:
    if account.received or (account.before and account.before.rows):
        return []
    return ["no row came; see whether the source is empty, or asked for in the wrong way"]


def _nothing_entered(account: Account) -> list[str]:
    if not account.received or account.entered or not account.rejected:
        return []
    return [
        f"{count(account.received, 'row')} came and none entered the table, {_most_often(account)}; "
        "mend the data, or what is declared of it"
    ]


def _lost_everything(account: Account) -> list[str]:
    before = account.before
    if before is None or not before.rows:
        return []
    if not account.entered:
        return [
            f"its table had {count(before.rows, 'row')} and would have none; see whether the source is empty{account.remedy}"
        ]
    if before.same_columns and before.columns and not set(before.columns) & set(account.columns):
        return [
            f"none of its table's columns ({_some(before.columns)}) is among those that came ({_some(account.columns)}); "
            f"see whether it is the same data{account.remedy}"
        ]
    return []


def _lost_rows(account: Account) -> list[str]:
    before = account.before
    if before is None or not account.entered or account.entered >= before.rows * (1 - LOST_SHARE):
        return []
    lost = before.rows - account.entered
    return [
        f"its table has {count(account.entered, 'row')} and had {before.rows:,}: {lost:,} are gone; "
        "see whether the source lost them"
    ]


def _too_many_rejects(account: Account) -> list[str]:
    limit = account.limits.error
    if not account.entered or not _exceeds(account, limit):
        return []
    return [
        f"{_rejects(account)}, and table.max_rejects is {_as_text(limit)}; "
        "mend the data or what is declared, or raise max_rejects"
    ]


def _many_rejects(account: Account) -> list[str]:
    limits = account.limits
    if not account.entered or not _exceeds(account, limits.warning) or _exceeds(account, limits.error):
        return []
    where = f"; they lie in {account.rejects_at}" if account.rejects_at else ""
    return [f"{_rejects(account)}{where}; mend the data or what is declared, or raise table.warn_rejects"]


def _fruitless_files(account: Account) -> list[str]:
    """Return a sentence on the inputs of which every row is a reject, where others gave rows."""
    if not account.entered:
        return []
    none = [file for file in account.files if file.received and file.rejected == file.received]
    if not none:
        return []
    rows = sum(file.received for file in none)
    more = f" and {len(none) - 1:,} more gave none of their" if len(none) > 1 else " gave none of its"
    where = f"; see {account.rejects_at} for the reasons" if account.rejects_at else ""
    return [f"{none[0].name}{more} {rows:,} {'row' if rows == 1 else 'rows'} to the table: all are rejects{where}"]


def _exceeds(account: Account, limit: Limit) -> bool:
    return limit is not None and account.rejected > (limit if isinstance(limit, int) else limit * account.received)


def _rejects(account: Account) -> str:
    return f"{account.rejected:,} of {account.received:,} rows are rejects, {_most_often(account)}"


def _most_often(account: Account) -> str:
    if not account.reasons:
        return "for no reason that is known"
    reason, count = max(account.reasons.items(), key=lambda item: item[1])
    return f"most often because {reason} ({count:,})"


def _as_text(limit: Limit) -> str:
    return f"{limit}" if isinstance(limit, int) else f"{limit:.4g} of them"


def _some(names: Collection[str]) -> str:
    shown = list(names)[:_NAMED]
    return ", ".join(shown) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
