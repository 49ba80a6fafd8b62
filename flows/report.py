"""The report of a run, as a page of Markdown: what came, what changed, what was wrong, and which model serves and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flows.summary import RunSummary, SourceSummary
from tasks.core.escaping import count, escape, table

_ROWS = 50
_WRONG = 20
_CHARACTERS = 1_000
_BEST = 5


def write_report(summary: RunSummary) -> str:
    """Return the report of a run; what its stages show is listed below it by who shows it."""
    pages = [f"# {escape(summary.pipeline, cell=False)}: {_verdict(summary)}", *_wrong(summary)]
    pages += [*_came(summary), *_changed(summary), *_model(summary)]
    seconds = ", ".join(f"{stage} {seconds:,.1f} s" for stage, seconds in summary.seconds.items())
    return "\n\n".join([*pages, f"Time: {seconds or 'none'}."])


def _verdict(summary: RunSummary) -> str:
    match summary.status:
        case "failed":
            stage = list(summary.seconds)[-1:]
            return f"failed in {stage[0]}" if stage else "failed"
        case "partial":
            return f"completed in part, with {count(len(summary.failures), 'failure')}"
        case _ if summary.warnings:
            return f"completed with {count(len(summary.warnings), 'warning')}"
        case _:
            return "completed, and nothing was wrong"


def _wrong(summary: RunSummary) -> Iterator[str]:
    """Yield what was wrong, the cause of a failure first."""
    failures = list(dict.fromkeys([*(summary.error or "").splitlines(), *summary.failures]))
    for title, sentences in (("What failed", failures), ("What is doubtful", summary.warnings)):
        told = [f"- {_text(sentence)}" for sentence in filter(None, sentences[:_WRONG])]
        if told:
            yield "\n".join([f"## {title}\n", *told, *_more(len(sentences) - _WRONG)])


def _came(summary: RunSummary) -> Iterator[str]:
    """Yield what was fetched and read of each source in this run."""
    if not summary.sources:
        return
    yield "## What came in"
    if not any(each.rows_new or each.requests or each.error for each in summary.sources.values()):
        yield f"Nothing: {count(len(summary.sources), 'source')} had nothing new."
        return
    shown = list(summary.sources.items())[:_ROWS]
    heads = ["source", "new rows>", "requests>", "made again", "bytes>", "partitions", "result"]
    yield "\n".join([table(heads, [_source_row(*each) for each in shown]), *_more(len(summary.sources) - _ROWS)])


def _source_row(name: str, source: SourceSummary) -> list[str]:
    again = "; ".join(f"{count(number, 'time')} {cause}" for cause, number in source.why_again[:3])
    partitions = {
        "landed before": source.partitions_reused,
        "gone on with": source.partitions_resumed,
        "failed": source.partitions_failed,
    }
    return [
        escape(name),
        "" if source.rows_new is None else f"{source.rows_new:,}",
        f"{source.requests:,}" if source.requests else "",
        escape(again or (f"{count(source.retries, 'time')}" if source.retries else "")),
        f"{source.bytes_received:,}" if source.bytes_received else "",
        ", ".join(f"{number:,} {what}" for what, number in partitions.items() if number),
        "failed" if source.error else "right",
    ]


def _changed(summary: RunSummary) -> Iterator[str]:
    """Yield what is another in the tables than it was before the run."""
    rows = [
        (name, each.rows_table, each.rows_before, each.rows_rejected, each.rejects_before, each.columns_changed)
        for name, each in summary.sources.items()
        if each.rows_table is not None
    ]
    rows += [
        (name, each.rows, each.rows_before, None, None, each.columns_changed) for name, each in summary.tables.items()
    ]
    if not rows:
        return
    yield "## What changed since the last run"
    changed = [row for row in rows if row[1] != row[2] or (row[3] or 0) != (row[4] or 0) or row[5]]
    if not changed:
        yield f"Nothing: {count(len(rows), 'table')} with {sum(row[1] or 0 for row in rows):,} rows are as they were."
        return
    heads = ["table", "rows before>", "rows now>", "change>", "rejects before>", "rejects now>"]
    cells = [
        [escape(name), _number(was), _number(now), _difference(was, now), _number(rejects_was), _number(rejects)]
        for name, now, was, rejects, rejects_was, _ in changed[:_ROWS]
    ]
    yield "\n".join([table(heads, cells), *_more(len(changed) - _ROWS)])
    columns = [f"- {escape(row[0], cell=False)}: {_text(said)}" for row in changed for said in row[5]]
    if columns:
        yield "\n".join(["Columns:\n", *columns[:_ROWS], *_more(len(columns) - _ROWS)])
    if len(rows) > len(changed):
        yield f"The other {count(len(rows) - len(changed), 'table')} have the rows they had."


def _model(summary: RunSummary) -> Iterator[str]:
    """Yield which model serves and why, and the best candidates."""
    champion, metric = summary.champion, summary.metric or "score"
    if champion is None and not summary.leaderboard:
        return
    yield "## Which model serves"
    if champion is None:
        yield "None does yet."
    else:
        yield (
            f"{escape(champion.version, cell=False)} ({escape(champion.candidate, cell=False)}) serves since "
            f"{champion.since}, with {escape(champion.metric, cell=False)} {champion.score:.4f}. Why: {_text(champion.decision)}."
        )
    rows = [
        [
            escape(line.name),
            "" if line.score is None else f"{line.score:.4f}",
            "" if line.interval is None else "{:.4f} to {:.4f}".format(*line.interval),
            "" if line.holdout is None else f"{line.holdout:.4f}",
            "failed" if line.error else "as fitted before" if line.reused else "fitted in this run",
        ]
        for line in summary.leaderboard[:_BEST]
    ]
    if rows:
        yield "\n".join(
            [
                table(["candidate", f"{escape(metric)}>", "95 %", "hold-out>", "how"], rows),
                *_more(len(summary.leaderboard) - _BEST),
            ]
        )


def _more(number: int) -> Sequence[str]:
    return [f"\nand {number:,} more"] if number > 0 else []


def _number(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _difference(was: int | None, now: int | None) -> str:
    return "new" if was is None else f"{(now or 0) - was:+,}"


def _text(sentence: str) -> str:
    return escape(sentence, _CHARACTERS, cell=False)
