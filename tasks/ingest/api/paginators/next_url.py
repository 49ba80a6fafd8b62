"""Pages that have the address of the next in their body."""

from __future__ import annotations

from typing import Literal

from tasks.config.base import BodyPath
from tasks.config.pagination import Page
from tasks.ingest.api.paginators.named import NamedPagination, missing_in_body


class NextUrlPagination(NamedPagination):
    """Each page has the address of the next in its body."""

    kind: Literal["next_url"] = "next_url"
    """Kind of pagination."""
    next_at: BodyPath
    """Path in the body to the next page's address, absolute or relative, e.g. links.next or "@odata.nextLink"; where it is null or empty, or absent from a further page, the page is the last."""

    @property
    def is_in_body(self) -> bool:
        """Return whether the address stands in the body: it does."""
        return True

    def following(self, page: Page) -> str | None:
        """Return the next page's address."""
        return page.address(page.find(self.next_at), "next_at")

    def why_unproven(self, page: Page, *, is_full: bool | None) -> str | None:  # noqa: ARG002 - a body lacks it or not
        """Return why an only page may not be the last."""
        return missing_in_body(page, "next_at", self.next_at)
