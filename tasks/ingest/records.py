"""Records out of a JSON body."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tasks.errors import PermanentSourceError
from tasks.ingest.excerpt import excerpt

_EXCERPT_CHARACTERS = 120


def parse_body(response: httpx.Response) -> Any:
    """Return the JSON value of a body.

    Raises:
        PermanentSourceError: the body is not JSON; its first characters are quoted.

    """
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):  # the latter where brackets stand a thousand deep
        kind = response.headers.get("Content-Type", "no content type")
        raise PermanentSourceError(
            f"GET {response.request.url} answered {kind}, which is not JSON: {excerpt(response, _EXCERPT_CHARACTERS)!r}; correct the address"
        ) from None


def value_at(body: Any, path: str, url: httpx.URL, key: str) -> Any:
    """Return the value at a dotted path; `key` names the pipeline file's key that gave the path.

    Raises:
        PermanentSourceError: there is no such path; what is there is quoted.

    """
    value = body
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            there = f"the keys {', '.join(map(str, value))}" if isinstance(value, dict) else f"{value!r:.60}"
            raise PermanentSourceError(
                f"GET {url}: {key}: {path!r} is not in the body, {name!r} meets {there}; correct {key}"
            )
        value = value[name]
    return value


def records_of(body: Any, records_at: str | None, url: httpx.URL) -> list[Any]:
    """Return the records of a body: the list at `records_at`, the body's own list, or the body as one record.

    Raises:
        PermanentSourceError: `records_at` is missing from the body or is not a list.

    """
    if records_at is None:
        return body if isinstance(body, list) else [body]
    records = value_at(body, records_at, url, "records_at")
    if not isinstance(records, list):
        raise PermanentSourceError(
            f"GET {url}: records_at: {records_at!r} is {records!r:.60}, not a list; name the path of the list of records"
        )
    return records
