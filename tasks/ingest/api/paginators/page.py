"""Pages that are asked for by their number."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.config.base import BodyPath, NonEmpty
from tasks.config.http import HeaderName
from tasks.config.pagination import NumberedPagination


class PagePagination(NumberedPagination):
    """Numbered pages."""

    kind: Literal["page"] = "page"
    """Kind of pagination."""
    param: NonEmpty = "page"
    """Parameter that takes the page number."""
    start: int = 1
    """Number of the first page."""
    step: Annotated[int, Field(ge=1)] = 1
    """From one page's number to the next."""
    pages_at: BodyPath | None = None
    """Path in the body to the number of pages, e.g. meta.pages; without a number of pages or rows they are asked for until two in a row are empty."""
    pages_header: HeaderName | None = None
    """Header with the number of pages, e.g. X-Total-Pages."""

    @property
    def may_start_too_late(self) -> bool:
        """Return whether a server that counts from 0 would have a page before the first."""
        return self.start == self.step

    def number(self, index: int) -> int:
        """Return the number of a page."""
        return self.start + index * self.step
