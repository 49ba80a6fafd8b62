"""What the parts of ingest hand each other: requests to be made, and what pages gave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(frozen=True)
class Ask:
    """One request to be made."""

    url: httpx.URL
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers beside the source's own."""
    body: Any = None
    """JSON value of a POST."""
    answers: frozenset[int] = frozenset()
    """Statuses beside 2xx that are an answer, not an error."""


Fetch = Callable[[Ask], Awaitable[httpx.Response]]
"""Makes a request and returns its whole answer, after retries, or raises SourceError."""


@dataclass(frozen=True)
class PageGroup:
    """What some pages in a row gave."""

    lines: list[bytes]
    """One JSON value each, as it goes to the raw file, without its line break."""
    pages: int
    state: Any
    """JSON-able: from where reading goes on after these pages; None after the last."""
