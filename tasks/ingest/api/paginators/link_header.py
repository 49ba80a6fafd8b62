"""Pages that have the address of the next in their Link header."""

from __future__ import annotations

from typing import Literal

from tasks.config.base import NonEmpty
from tasks.config.pagination import Page
from tasks.ingest.api.paginators.named import NamedPagination, missing_header


class LinkHeaderPagination(NamedPagination):
    """Each page has the address of the next in its Link header (RFC 8288)."""

    kind: Literal["link_header"] = "link_header"
    """Kind of pagination."""
    rel: NonEmpty = "next"
    """Relation of the link to follow."""

    def following(self, page: Page) -> str | None:
        """Return the next page's address."""
        return page.address(page.link(self.rel), "rel")

    def why_unproven(self, page: Page, *, is_full: bool | None) -> str | None:
        """Return why an only page may not be the last."""
        return missing_header(page, "kind: link_header", "Link", is_full=is_full)
