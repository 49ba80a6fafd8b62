"""All that is looked at in a data folder, and what of it goes, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from tasks.clean.item import Item, Place
from tasks.clean.models import find_models
from tasks.clean.raw import find_raw
from tasks.clean.runs import find_summaries
from tasks.clean.tables import find_limited, find_unfinished, find_versions
from tasks.config.base import read_duration
from tasks.core.errors import ConfigError
from tasks.core.escaping import count
from tasks.core.storage import DataFolder

_NAMED = 5


@dataclass(frozen=True)
class Line:
    """One kind of thing: how many go and stay with their bytes, and why those that stay do."""

    kind: str
    goes: int
    goes_bytes: int
    stays: int
    stays_bytes: int
    because: str


def moment_before(older_than: str) -> datetime:
    """Return the moment, in UTC, since which a time like 30d has passed.

    Raises:
        ConfigError: the text tells no time, or one from before the calendar.

    """
    try:
        return datetime.now(UTC) - read_duration(older_than)
    except ValueError as error:
        raise ConfigError(f"--older-than: {error}") from None
    except OverflowError:
        raise ConfigError(f"--older-than: {older_than} ago no calendar had begun; write less, e.g. 30d") from None


def find_places(folder: DataFolder, before: datetime, *, raw: bool = False) -> list[Place]:
    """Return what is to be looked at; `raw` tells whether also the raw may go that tables are made of."""
    moment = before.timestamp()
    return [
        *find_raw(folder, moment, used=raw),
        *find_versions(folder, moment),
        *find_models(folder, moment),
        *find_summaries(folder, moment),
        *find_limited(folder, moment),
        *find_unfinished(folder),
    ]


def summarize(items: Iterable[Item]) -> list[Line]:
    """Return a line for each kind of items, in the order in which they come."""
    kinds: dict[str, list[Item]] = {}
    for item in items:
        kinds.setdefault(item.kind, []).append(item)
    return [_line(kind, found) for kind, found in kinds.items()]


def _line(kind: str, items: list[Item]) -> Line:
    goes = [item for item in items if item.kept is None]
    stays = [item for item in items if item.kept is not None]
    return Line(
        kind,
        len(goes),
        sum(item.bytes for item in goes),
        len(stays),
        sum(item.bytes for item in stays),
        _because(Counter(str(item.kept) for item in stays)),
    )


def _because(reasons: Counter[str]) -> str:
    told = [f"{reason} ({count:,})" for reason, count in reasons.most_common(_NAMED)]
    more = len(reasons) - _NAMED
    return "; ".join([*told, *([f"and {count(more, 'more reason')}"] if more > 0 else [])])
