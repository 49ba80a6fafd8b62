"""From where a landing is gone on from, as it is kept: without secrets, and where it cannot be without, not at all."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import Any, TypeVar, assert_never

import msgspec

from tasks.config import ApiSource, PagesSource
from tasks.config.auth import SigningAuth
from tasks.config.pagination import FollowedPagination, NumberedPagination, SinglePagination
from tasks.core.redaction import HIDDEN
from tasks.ingest.api.jobs import JobState
from tasks.ingest.api.paging import Progress
from tasks.ingest.api.sequential import Walk
from tasks.ingest.http.redaction import Redactor
from tasks.ingest.scraping.frontier import CrawlState, read_crawl_state

State = Progress | Walk | JobState | CrawlState
Paging = TypeVar("Paging", Progress, Walk, JobState)

NOT_KEPT = "not kept: an address in it holds a secret"
"""The state of a checkpoint from which nothing can go on."""


def keep_state(state: object, source: ApiSource | PagesSource, secrets: Redactor) -> Any:
    """Return a state as JSON without secrets; `NOT_KEPT` where a request that it is needed for would lack them.

    The source's own key, repeated by the server in an address, is in each request again.
    """
    if state is None:
        return None
    text = json.dumps(state, default=vars)
    for name in source.auth.secret_params if isinstance(source.auth, SigningAuth) else ():
        text = re.sub(rf'(?<=[?&]){re.escape(name)}=[^&#"\\]*', f"{name}={HIDDEN}", text)
    kept = json.loads(text)
    return kept if secrets.redact(text) == text else NOT_KEPT


def read_state(source: ApiSource | PagesSource, kept: Any) -> State | None:
    """Return the state from which a landing of a source goes on; None where what was kept is none, as of another version."""
    if isinstance(source, PagesSource):
        return read_crawl_state(source, kept)
    if source.job is not None:
        return _read(JobState, kept)
    match source.pagination:
        case SinglePagination():
            return None
        case NumberedPagination():
            return _read(Progress, kept)
        case FollowedPagination():
            return _read(Walk, kept)
        case _:
            assert_never(source.pagination)


def _read(kind: type[Paging], kept: Any) -> Paging | None:
    """Return a JSON value that has the fields of a dataclass, all of them and no other, as that."""
    if not isinstance(kept, dict) or kept.keys() != {field.name for field in fields(kind)}:
        return None
    try:
        return msgspec.convert(kept, kind)
    except msgspec.ValidationError:
        return None
