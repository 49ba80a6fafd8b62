"""Pages that name the next by a cursor."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from tasks.config.base import BodyPath, NonEmpty, Scalar
from tasks.config.http import HeaderName
from tasks.config.pagination import Following, Page, Place, check_param_names
from tasks.ingest.api.paginators.named import NamedPagination, missing_header, missing_in_body, tells_more


class CursorPagination(NamedPagination):
    """Each page names the next by a cursor."""

    kind: Literal["cursor"] = "cursor"
    """Kind of pagination."""
    cursor_at: BodyPath | None = None
    """Path in the body to the next page's cursor; where it is null or empty, or absent from a further page, the page is the last."""
    cursor_header: HeaderName | None = None
    """Header with the next page's cursor, instead of cursor_at."""
    has_more_at: BodyPath | None = None
    """Path in the body to true or false, e.g. has_more: with false the page is the last, though it names a cursor."""
    param: NonEmpty = "cursor"
    """Parameter that takes the cursor."""
    place: Place = "query"
    """Where the cursor is sent: as query parameter, header, at a path in the JSON body, as variables.after, or wherever {cursor} stands in url, params, headers or body."""
    start: Scalar | None = None
    """What the first request carries there, e.g. "*" or 0; without it, nothing."""

    @model_validator(mode="after")
    def _is_one(self) -> CursorPagination:
        check_param_names(self.place, self.param)
        if (self.cursor_at is None) == (self.cursor_header is None):
            raise ValueError(
                "name one place of the next cursor: cursor_at: a path in the body, or cursor_header: a header"
            )
        return self

    @property
    def is_in_body(self) -> bool:
        """Return whether the cursor stands in the body."""
        return self.cursor_at is not None

    @property
    def sent_as(self) -> tuple[Place, str]:
        """Return where the cursor is sent, and as what."""
        return self.place, self.param

    @property
    def begins_with(self) -> Scalar | None:
        """Return what the first request carries."""
        return self.start

    def following(self, page: Page) -> Following | None:
        """Return the next page's cursor."""
        if self.has_more_at is not None and not tells_more(page, self.has_more_at, "has_more_at"):
            return None
        return page.cursor(
            page.header(str(self.cursor_header)) if self.cursor_at is None else page.find(self.cursor_at)
        )

    def why_unproven(self, page: Page, *, is_full: bool | None) -> str | None:
        """Return why an only page may not be the last."""
        if self.has_more_at is not None:
            return None
        if self.cursor_at is None:
            return missing_header(page, "cursor_header", str(self.cursor_header), is_full=is_full)
        return missing_in_body(page, "cursor_at", self.cursor_at)
