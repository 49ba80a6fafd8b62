"""Whether a partition that may lack rows is shown to have them all by another one of its source."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from tasks.config import ApiSource, PartedSource
from tasks.config.pagination import FollowedPagination

_SIZE_PARAMS = frozenset(
    {"limit", "per_page", "perpage", "page_size", "pagesize", "size", "count", "first", "top", "maxresults", "rows"}
)
"""Query parameters that APIs take the rows of a full page by, in small letters, without sign and dash."""
_ADDRESS = re.compile(r"(GET|POST) \S+")  # what tells two sentences of the same cause apart


class Evidence(Protocol):
    """What is known of a partition: why it may lack rows, if it may, and whether there was a page after another."""

    @property
    def rows(self) -> int:
        """Return how many rows it has."""

    @property
    def unproven(self) -> str | None:
        """Return why they may not be all."""

    @property
    def has_turned(self) -> bool:
        """Return whether there was a page after another."""


def is_next_known(source: PartedSource, partitions: Iterable[Evidence]) -> bool:
    """Return whether one of a source's partitions shows that the place of the next page is right.

    It was there, with null or with a next; then one that lacks it has left it out of its last page.
    """
    if not isinstance(source, ApiSource):  # of web pages one may link to others with rows, and still name no next
        return any(each.unproven is None for each in partitions)
    return any(
        each.has_turned or (each.rows > 0 and each.unproven is None and size_of(source) is None) for each in partitions
    )


def is_certain(source: PartedSource) -> bool:
    """Return whether a place that is in no answer is wrong: in a body it is, where headers are just left out."""
    return (
        isinstance(source, ApiSource)
        and isinstance(source.pagination, FollowedPagination)
        and source.pagination.is_in_body
    )


def size_of(source: ApiSource) -> int | None:
    """Return the rows of a full page, as the source tells or asks for; None where it does neither."""
    if (size := getattr(source.pagination, "size", None)) is not None:
        return int(size)
    for name, value in source.params.items():
        plain = name.lower().lstrip("$").replace("-", "_")
        if (plain in _SIZE_PARAMS or plain.replace("_", "") in _SIZE_PARAMS) and str(value).isdecimal():
            return int(value)
    return None


def group_messages(messages: Iterable[tuple[str, str]]) -> list[str]:
    """Return what is said of partitions, each named first; what is the same but for the request's address is said once."""
    alike: dict[str, list[tuple[str, str]]] = {}
    for partition, message in messages:
        alike.setdefault(_ADDRESS.sub(r"\1", message), []).append((partition, message))
    return [_sentence(*pairs[0], len(pairs) - 1) for pairs in alike.values()]


def _sentence(partition: str, message: str, others: int) -> str:
    more = f" and {others} more" if others else ""
    return f"partition {partition}{more}: {message}"
