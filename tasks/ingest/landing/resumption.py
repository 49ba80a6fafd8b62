"""From where a landing is gone on from, as it is kept: without secrets, and where it cannot be without, not at all."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import Any, assert_never

import msgspec

from tasks.config import ApiSource, PagesSource
from tasks.config.auth import SigningAuth
from tasks.config.pagination import FollowedPagination, NumberedPagination, SinglePagination
from tasks.core.redaction import HIDDEN
from tasks.ingest.api.paging import Progress
from tasks.ingest.api.sequential import Walk
from tasks.ingest.http.redaction import Redactor
from tasks.ingest.scraping.frontier import is_frontier

NOT_KEPT = "not kept: an address in it holds a secret"
"""The state of a checkpoint from which nothing can go on."""


def keep_state(state: Any, source: ApiSource | PagesSource, secrets: Redactor) -> Any:
    """Return a state without secrets; `NOT_KEPT` where a request that it is needed for would lack them.

    The source's own key, repeated by the server in an address, is in each request again.
    """
    if state is None:
        return None
    text = json.dumps(state)
    for name in source.auth.secret_params if isinstance(source.auth, SigningAuth) else ():
        text = re.sub(rf'(?<=[?&]){re.escape(name)}=[^&#"\\]*', f"{name}={HIDDEN}", text)
    kept = json.loads(text)
    return kept if secrets.redact(text) == text else NOT_KEPT


def is_state(source: ApiSource | PagesSource, state: Any) -> bool:
    """Return whether a state is one from which a landing of a source goes on; one of another version may be none."""
    if state is None:
        return True
    if isinstance(source, PagesSource):
        return is_frontier(source, state)
    match source.pagination:
        case SinglePagination():
            return False
        case NumberedPagination():
            return _is_of(Progress, state)
        case FollowedPagination():
            return _is_of(Walk, state)
        case _:
            assert_never(source.pagination)


def _is_of(kind: type[Progress | Walk], state: Any) -> bool:
    """Return whether a JSON value has the fields of a dataclass, all of them and no other."""
    if not isinstance(state, dict) or state.keys() != {field.name for field in fields(kind)}:
        return False
    try:
        msgspec.convert(state, kind)
    except msgspec.ValidationError:
        return False
    return True
