"""What kinds share of which each page names the next at one place: what to think of an only page that lacks it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tasks.config.pagination import FollowedPagination, Page
from tasks.core.errors import PermanentSourceError
from tasks.core.escaping import count
from tasks.ingest.http.redaction import quoted

_QUOTED_CHARACTERS = 80

_TEXTS = {"true": True, "false": False}  # as XML has them
_SIZES = frozenset({10, 20, 25, 30, 50, 100, 200, 250, 500, 1000, 2000, 2500, 5000, 10_000})
"""Rows of a full page where nobody says otherwise: by these an only page is likely not to be the last."""


class NamedPagination(FollowedPagination):
    """Pages of which each names the next."""

    size: Annotated[int, Field(ge=1)] | None = None
    """Rows of a full page: an only page with fewer may leave out the place of the next."""


def tells_more(page: Page, path: str, key: str) -> bool:
    """Return whether a body says at a path, which `key` names, that there is a page after it.

    Raises:
        PermanentSourceError: there is neither true nor false; of a page without records the path may be absent.

    """
    found = page.find(path)
    found = _TEXTS.get(found, found) if isinstance(found, str) else found
    if (page.records and page.missing(path)) or not isinstance(found, bool | None):
        there = page.missing(path) or f"it is {quoted(found, _QUOTED_CHARACTERS)}"
        raise PermanentSourceError(
            f"{page.label}: pagination.{key}: {path!r} is no true or false, {there}; correct {key}, or leave it out"
        )
    return bool(found)


def missing_in_body(page: Page, key: str, path: str) -> str | None:
    """Return what is wrong where a body lacks the place of the next: null is what says that there is none."""
    missing = page.missing(path)
    return missing and (
        f"{page.label}: pagination.{key}: {path!r} is in no answer, {missing}; correct {key}, or tell "
        "pagination.size where the server leaves it out of an only page that is not full"
    )


def missing_header(page: Page, key: str, name: str, *, is_full: bool | None) -> str | None:
    """Return what to doubt where a header is not there, which may say that there is no next: a full page alone."""
    rows = len(page.records)
    if page.header(name) is not None or not (rows in _SIZES if is_full is None else is_full):
        return None
    return (
        f"{page.label}: pagination.{key}: no answer has the header {name!r}, and its {count(rows, 'row')} may be a "
        "full page with others after it; correct pagination, or tell pagination.size where they are not"
    )
