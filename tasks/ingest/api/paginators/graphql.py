"""Pages of a GraphQL connection: each tells in its pageInfo whether there is another, and after which cursor."""

from __future__ import annotations

from typing import Literal

from tasks.config.base import BodyPath, NonEmpty, Scalar
from tasks.config.pagination import FollowedPagination, Following, Page, Place
from tasks.core.errors import PermanentSourceError
from tasks.ingest.api.paginators.named import tells_more


class GraphQLPagination(FollowedPagination):
    """Pages of a GraphQL connection, whose query asks for pageInfo { hasNextPage endCursor }."""

    kind: Literal["graphql"] = "graphql"
    """Kind of pagination."""
    param: NonEmpty = "after"
    """Variable of the query that takes the cursor."""
    page_info_at: BodyPath | None = None
    """Path in the body to pageInfo; without it, it stands beside the list of records: data.orders.pageInfo where records_at is data.orders.nodes."""
    start: Scalar | None = None
    """Cursor after which the first page begins; without it, at the first row."""

    @property
    def is_in_body(self) -> bool:
        """Return whether the cursor stands in the body: it does."""
        return True

    @property
    def sent_as(self) -> tuple[Place, str]:
        """Return where the cursor is sent, and as what."""
        return "body", f"variables.{self.param}"

    @property
    def begins_with(self) -> Scalar | None:
        """Return what the first request carries."""
        return self.start

    def following(self, page: Page) -> Following | None:
        """Return the cursor of the last row; None where there is no page after it."""
        info_at = self.page_info_at or page.beside("pageInfo")
        if missing := page.missing(f"{info_at}.hasNextPage"):
            raise PermanentSourceError(
                f"{page.label}: pagination: {info_at}.hasNextPage is not in the answer, {missing}; "
                "ask for pageInfo { hasNextPage endCursor } in the query, or name its path in page_info_at"
            )
        if not tells_more(page, f"{info_at}.hasNextPage", "hasNextPage"):
            return None
        cursor = page.cursor(page.find(f"{info_at}.endCursor"))
        if cursor is None:
            raise PermanentSourceError(
                f"{page.label}: pagination: {info_at}.hasNextPage is true, and there is no endCursor after which to go on; "
                "ask for pageInfo { hasNextPage endCursor } in the query"
            )
        return cursor
