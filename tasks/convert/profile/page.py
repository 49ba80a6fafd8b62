"""Pages of Markdown, of a bounded size: a table's profile with examples of rejects, and what changed in its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tasks.convert.parts.part import StoredPart
from tasks.convert.parts.rejects import RAW_CHARACTERS, RejectExample, find_examples
from tasks.convert.profile.profile import ColumnProfile, Profile, profile_table
from tasks.convert.schema.types import NULL_TEXTS
from tasks.convert.table.guesses import Guesses, SharedGuess
from tasks.convert.table.manifest import read_table_manifest
from tasks.convert.table.state import CommittedTable
from tasks.convert.table.versions import Versions
from tasks.core.escaping import count, draw_bars, escape, picture, table

PAGE_BYTES = 200_000
REASONS_SHOWN = 10
_NAME_CHARACTERS = 60
_TYPES_SHOWN = 50
_MARKS = {"\t": "tab"}
_VALUE_CHARACTERS = 24
_TOP_CHARACTERS = 16
_TOP_SHARE = 0.005  # less is shown as 0 %


@dataclass(frozen=True)
class RunCounts:
    """What a run tells of a table beside the profile: counts, seconds, and why rows were rejected, by reason."""

    rows_received: int
    rows_rejected: int
    rows_duplicate: int
    files: int
    files_read: int
    bytes_read: int
    seconds: float
    reasons: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, Sequence[RejectExample]] = field(default_factory=dict)
    guesses: Guesses = field(default_factory=Guesses)


def write_page(source: str, profile: Profile, counts: RunCounts) -> str:
    """Return the page; where it would be too large, the last columns are left out, and their number is told."""
    shown = len(profile.columns)
    while True:
        page = "\n\n".join(
            [
                f"# {escape(source, cell=False)}",
                *_counts(profile, counts),
                *_rejects(counts),
                *_columns(profile, shown, counts.guesses.units),
                *_taken(counts.guesses),
                *_guesses(counts.guesses),
            ]
        )
        if len(page.encode()) <= PAGE_BYTES or not shown:
            return page
        shown = shown * 9 // 10


def _counts(profile: Profile, counts: RunCounts) -> list[str]:
    totals = {
        "rows in the table": profile.rows,
        "rows received": counts.rows_received,
        "rejects": counts.rows_rejected,
        "duplicates": counts.rows_duplicate,
        "files": counts.files,
        "files read": counts.files_read,
    }
    cells = [f"{count:,}" for count in totals.values()] + [f"{counts.seconds:.1f}"]
    megabytes = counts.bytes_read / 1e6
    speed = f"{megabytes / counts.seconds:,.1f}" if counts.seconds > 0 and counts.bytes_read else ""
    cells += [f"{megabytes:,.1f}", speed]
    return [table([f"{name}>" for name in (*totals, "seconds", "MB read", "MB/s")], [cells])]


def _rejects(counts: RunCounts) -> list[str]:
    if not counts.reasons:
        return []
    reasons = sorted(counts.reasons.items(), key=lambda item: -item[1])
    rows = []
    for reason, times in reasons[:REASONS_SHOWN]:
        examples = counts.examples.get(reason, ())
        rows.append([escape(reason, 200), f"{times:,}", *_example(examples[0] if examples else None)])
        rows += [["", "", *_example(example)] for example in examples[1:]]
    left = (
        f"\n\nNot shown: {count(len(reasons) - REASONS_SHOWN, 'further reason')}."
        if len(reasons) > REASONS_SHOWN
        else ""
    )
    return ["## Rejects", table(["reason", "rows>", "file", "line>", "raw"], rows) + left]


def _example(example: RejectExample | None) -> list[str]:
    if example is None:
        return ["", "", ""]
    line = "" if example.line is None else f"{example.line:,}"
    return [escape(example.file, 100), line, escape(example.raw, RAW_CHARACTERS)]


def _taken(guesses: Guesses) -> list[str]:
    """Return what was taken off the numbers of each column."""
    rows = [
        [escape(column, _NAME_CHARACTERS), escape(text), f"{count:,}"]
        for column, counts in guesses.taken.items()
        for text, count in counts.items()
    ]
    return ["## Taken off numbers", table(["column", "text", "values>"], rows[:_TYPES_SHOWN])] if rows else []


def _guesses(guesses: Guesses) -> list[str]:
    """Return how the files were read, and the columns on whose type they differ."""
    if not guesses.shared:
        return ["## Guesses", *_hints(guesses)] if guesses.hints else []
    said = (
        "What is declared as read or columns is so, the rest was guessed of each file. Where numbers, times or truths "
        f"are, these texts are null, beside the empty one: {', '.join(filter(None, NULL_TEXTS))}."
    )
    header = ["files>", "first file", "format", "header", "delimiter", "quote", "escape", "encoding", "decimal"]
    ends = ["lines skipped>", "row of units", "lines left out at the end>"]
    read = table([*header, *ends], [_shared_row(each) for each in guesses.shared])
    hints = _hints(guesses)
    hints += [f"{escape(sentence, 300, cell=False)}." for sentence in guesses.left_out]
    if not guesses.types:
        return ["## Guesses", said, read, *hints]
    rows = [
        [
            escape(each.column, _NAME_CHARACTERS),
            each.type,
            escape(each.file, 100),
            each.other,
            escape(each.other_file, 100),
        ]
        for each in guesses.types[:_TYPES_SHOWN]
    ]
    left = len(guesses.types) - len(rows)
    more = f"\n\nNot shown: {count(left, 'further column')}." if left else ""
    return ["## Guesses", said, read, *hints, table(["column", "type", "because of", "else", "as in"], rows) + more]


def _hints(guesses: Guesses) -> list[str]:
    """Return what may be declared of columns of texts."""
    rows = [
        [
            escape(each.column, _NAME_CHARACTERS),
            f"{each.fitting:,} of {each.values:,}",
            escape(each.example),
            escape(", ".join(each.others)),
            escape(each.declare),
        ]
        for each in guesses.hints[:_TYPES_SHOWN]
    ]
    header = ["column", "values>", "e.g.", "others", "columns"]
    return ["Texts that may be declared.", table(header, rows)] if rows else []


def _shared_row(shared: SharedGuess) -> list[str]:
    guess = shared.guess
    header = {True: "yes", False: "no", None: ""}[guess.header]
    marks = [escape(_MARKS.get(mark, mark)) for mark in (guess.delimiter, guess.quote, guess.escape)]
    skipped, footer = (f"{lines:,}" if lines else "" for lines in (guess.skipped, guess.footer))
    first = [f"{shared.files:,}", escape(shared.file, 100), guess.format, header]
    return [*first, *marks, guess.encoding, escape(guess.decimal), skipped, "yes" if guess.has_units else "", footer]


def _columns(profile: Profile, shown: int, units: Mapping[str, str]) -> list[str]:
    left_out = profile.columns_left_out + len(profile.columns) - shown
    total = shown + left_out
    said = _sample_line(profile)
    if left_out:
        said += f" The first {shown:,} of {total:,} columns are shown; {left_out:,} are left out."
    header = ["column", "type", "values", "nulls>", "distinct>", "min", "max"]
    rows = [_row(column, profile) for column in profile.columns[:shown]]
    if units:
        header.append("unit")
        for row, column in zip(rows, profile.columns, strict=False):
            row.append(escape(units.get(column.name, ""), _VALUE_CHARACTERS))
    return ["## Columns", said, table(header, rows)] if total else ["The table has no column."]


def _sample_line(profile: Profile) -> str:
    """Return what the figures are of."""
    if profile.is_complete:
        return "Of all rows."
    parts = "all" if profile.parts_read == profile.parts else f"{profile.parts_read:,} of {profile.parts:,}"
    return (
        f"Nulls, min and max are those of {parts} parts. Distinct values, pictures and frequent values are of a sample of "
        f"{profile.sampled:,} of {count(profile.rows, 'row')}: a column has at least as many distinct values (≥)."
    )


def _row(column: ColumnProfile, profile: Profile) -> list[str]:
    at_least = "" if profile.is_complete or _is_exact(column) else "≥ "
    nulls = "" if column.nulls is None else f"{column.nulls:,}"
    distinct = f"{at_least}{column.distinct:,}" if column.sampled else ("0" if profile.is_complete else "")
    low, high = _cell(column.low), _cell(column.high)
    return [escape(column.name, _NAME_CHARACTERS), escape(column.type), _values(column), nulls, distinct, low, high]


def _is_exact(column: ColumnProfile) -> bool:
    """Return whether there can be no more distinct values than were met: all between the least and the greatest were."""
    low, high = column.low, column.high
    if isinstance(low, int):  # truth values too
        return column.distinct == int(high) - int(low) + 1
    return low is not None and bool(low == high)


def _values(column: ColumnProfile) -> str:
    if column.bins:
        return picture(draw_bars(column.bins), f"{column.name}: {min(column.bins):,} to {max(column.bins):,} a step")
    if column.distinct == column.sampled > 1:
        return "all differ"
    shares = [(text, count / column.sampled) for text, count in column.top]
    return ", ".join(f"{escape(text, _TOP_CHARACTERS)} {share:.0%}" for text, share in shares if share >= _TOP_SHARE)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return escape(f"{value:.6g}")
    if isinstance(value, datetime):
        return escape(f"{value:%Y-%m-%d %H:%M:%S}".removesuffix(" 00:00:00"))
    return escape(str(value).lower() if isinstance(value, bool) else str(value), _VALUE_CHARACTERS)


def profile_source(table: CommittedTable, versions: Versions) -> str:
    """Return the page of a table, as it was just committed.

    Raises:
        OSError: it is no longer there.
        pa.ArrowException: a part of it cannot be read.

    """
    folder = versions.current.resolve()  # a run that comes after puts another version in its place
    manifest = read_table_manifest(folder / "table")
    parts = [StoredPart(folder / "table" / name, name) for name, part in manifest.parts.items() if part.total]
    reasons = dict(sorted(table.reasons.items(), key=lambda item: -item[1])[:REASONS_SHOWN])
    rejects = dict.fromkeys(folder / "rejects" / name for file in manifest.files.values() for name in file.rejects)
    counts = RunCounts(
        table.rows_received,
        table.rows_rejected,
        table.rows_duplicate,
        table.files,
        table.files_read,
        table.findings.bytes_read,
        table.findings.seconds,
        dict(table.reasons),
        find_examples(rejects, reasons) if reasons else {},
        table.findings.guesses,
    )
    return write_page(table.source, profile_table(parts, table.types, table.rows_table, table.findings.samples), counts)


CHANGES_SHOWN = 100


def write_schema_change(source: str, before: Mapping[str, str], after: Mapping[str, str]) -> str | None:
    """Return what was added, removed and changed between two mappings of names to types; None where nothing was, or no table before."""
    if not before:
        return None
    changes = [("removed", name, kind, "") for name, kind in before.items() if name not in after]
    changes += [("changed", name, before[name], kind) for name, kind in after.items() if before.get(name, kind) != kind]
    changes += [("added", name, "", kind) for name, kind in after.items() if name not in before]
    if not changes:
        return None
    rows = [[said, escape(name), escape(was), escape(now)] for said, name, was, now in changes[:CHANGES_SHOWN]]
    more = len(changes) - len(rows)
    page = [
        f"# Columns of {escape(source, cell=False)}",
        f"{count(len(before), 'column')} before, {len(after):,} now.",
        table(["change", "column", "before", "now"], rows),
    ]
    return "\n\n".join(page + [f"Not shown: {count(more, 'further change')}."] * (more > 0))
