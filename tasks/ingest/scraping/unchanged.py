"""Pages that a sitemap says are unchanged: their rows are those that were landed, and nothing is asked of the host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa

from tasks.config import PagesSource
from tasks.ingest.scraping.page import ScrapedPage

DISPUTED = "disputed"
"""Stands for when a page changed that one sitemap lists twice, and not alike: no time, so that it is asked for."""
_DAY_CHARACTERS = len("2026-01-31")
_DAY = timedelta(hours=36)  # until it has ended everywhere
_CLOCKS_APART = timedelta(hours=1)
_ZONES_APART = timedelta(hours=14)


class PageRecord(NamedTuple):
    """What is kept of a page whose sitemap says when it changed; as JSON it is a list."""

    url: str
    changed: str
    """As the sitemap has it."""
    asked_at: float
    """Seconds since 1970."""
    line: int
    """Of the raw file, that its first row is on, from 0."""
    lines: int
    filled: dict[str, int]
    skipped: int
    headings: int
    first_skipped: str
    pairs: int
    shadowed: dict[str, str]
    cut: dict[str, str]
    digest: str


class _Kept(msgspec.Struct):
    """What stands beside a raw file; `sha256` is that of the raw file whose pages these are."""

    sha256: str
    pages: list[PageRecord]


@dataclass(frozen=True)
class LandedPages:
    """The pages of a raw file, by their addresses, and its lines."""

    records: dict[str, PageRecord]
    lines: Sequence[bytes]

    def find(self, url: str, changed: str) -> tuple[PageRecord, ScrapedPage] | None:
        """Return what was landed of a page that has not changed since; None where it may have."""
        record = self.records.get(url)
        if record is None or not changed or record.changed != changed or not is_settled(changed, record.asked_at):
            return None
        lines = list(self.lines[record.line : record.line + record.lines])
        return record, ScrapedPage(
            lines,
            Counter(record.filled),
            len(lines),
            [],
            [],
            [],
            record.cut,
            skipped=record.skipped,
            headings=record.headings,
            first_skipped=record.first_skipped,
            pairs=record.pairs,
            shadowed=record.shadowed,
            digest=record.digest,
        )


def is_told(source: PagesSource) -> bool:
    """Return whether a sitemap tells of each page with rows whether it changed: not where pages lead on to others, or to files."""
    return bool(source.sitemap) and source.follow is None and not source.levels and source.download is None


def make_record(url: str, changed: str, asked_at: float, line: int, page: ScrapedPage) -> PageRecord:
    """Return what is to be kept of a page whose rows begin at a line."""
    return PageRecord(
        url,
        changed,
        asked_at,
        line,
        len(page.lines),
        dict(page.filled),
        page.skipped,
        page.headings,
        page.first_skipped,
        page.pairs,
        page.shadowed,
        page.cut,
        page.digest,
    )


def is_settled(changed: str, asked_at: float) -> bool:
    """Return whether a page that was asked for at a time had been changed for the last time before: a day is over 36 hours after it began."""
    try:
        moment = datetime.fromisoformat(changed)
    except ValueError:
        return False
    margin = _DAY if len(changed) <= _DAY_CHARACTERS else _CLOCKS_APART
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
        margin = max(margin, _ZONES_APART)
    return moment + margin < datetime.fromtimestamp(asked_at, UTC)


def write_records(raw: Path, sha256: str, records: Sequence[PageRecord]) -> None:
    """Write what is kept of the pages of a raw file; where it is cut off, or of another file, all pages are asked for."""
    _path(raw).write_bytes(msgspec.json.encode(_Kept(sha256, list(records))))


def read_landed_pages(raw: Path, sha256: str) -> LandedPages | None:
    """Return the pages of a raw file; None where nothing is kept of them."""
    try:
        kept = msgspec.json.decode(_path(raw).read_bytes(), type=_Kept)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    if kept.sha256 != sha256:
        return None
    with pa.input_stream(str(raw), compression="zstd") as stream:
        lines = stream.read().split(b"\n")
    return LandedPages({record.url: record for record in kept.pages}, lines)


def _path(raw: Path) -> Path:
    return raw.with_name(f".{raw.name}.pages")
