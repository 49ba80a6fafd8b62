"""From where a landing is gone on from, as it is kept: without secrets, and where it cannot be without, not at all."""

from __future__ import annotations

import json
import re
from typing import Any

from tasks.ingest.http.hiding import Secrets
from tasks.redaction import HIDDEN
from tasks.spec import ApiKeyAuth, ApiSource, PagesSource

NOT_KEPT = "not kept: an address in it holds a secret"
"""The state of a checkpoint from which nothing can go on."""


def keep_state(state: Any, source: ApiSource | PagesSource, secrets: Secrets) -> Any:
    """Return a state without secrets; `NOT_KEPT` where a request that it is needed for would lack them.

    The source's own key, repeated by the server in an address, is in each request again.
    """
    if state is None:
        return None
    text = json.dumps(state)
    if isinstance(source.auth, ApiKeyAuth) and source.auth.place == "query":
        text = re.sub(rf'(?<=[?&]){re.escape(source.auth.name)}=[^&#"\\]*', f"{source.auth.name}={HIDDEN}", text)
    kept = json.loads(text)
    return kept if secrets.hide(text) == text else NOT_KEPT
