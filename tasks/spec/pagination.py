"""How the rows of a partition are spread over requests."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tasks.spec.base import Part

Place = Literal["query", "header", "body"]


class SinglePagination(Part):
    """One request a partition."""

    kind: Literal["single"] = "single"
    """Kind of pagination."""


class _Bounded(Part):
    """What keeps a server's mistake from going on for ever."""

    max_pages: Annotated[int, Field(ge=1)] = 100_000
    """More pages than this in one partition are an error."""
    max_rows: Annotated[int, Field(ge=1)] | None = None
    """More rows than this in one partition are an error."""


class _Numbered(_Bounded):
    """What pages that are asked for by number share; they are fetched concurrently."""

    place: Place = "query"
    """Where the number is sent: as query parameter, header, or key of the JSON body."""
    size_param: str | None = None
    """Parameter that takes the page size, sent beside the number; it needs size."""
    size: Annotated[int, Field(ge=1)] | None = None
    """Rows of a full page; a page with fewer is the last."""
    total_at: str | None = None
    """Path in the body to the number of rows, e.g. meta.total; it needs size."""
    total_header: str | None = None
    """Header with the number of rows, e.g. X-Total-Count; it needs size."""
    end_statuses: tuple[int, ...] = ()
    """Statuses that mean there is no such page, e.g. [404]; the pages before are all there are."""

    @model_validator(mode="after")
    def _have_size(self) -> _Numbered:
        for name in ("size_param", "total_at", "total_header"):
            if getattr(self, name) is not None and self.size is None:
                raise ValueError(f"{name} needs the rows of a full page; add size: 100, or what the server gives")
        return self


class PagePagination(_Numbered):
    """Numbered pages."""

    kind: Literal["page"] = "page"
    """Kind of pagination."""
    param: Annotated[str, Field(min_length=1)] = "page"
    """Parameter that takes the page number."""
    start: int = 1
    """Number of the first page."""
    step: Annotated[int, Field(ge=1)] = 1
    """From one page's number to the next."""
    pages_at: str | None = None
    """Path in the body to the number of pages, e.g. meta.pages; without a number of pages or rows they are asked for until one is empty or short."""
    pages_header: str | None = None
    """Header with the number of pages, e.g. X-Total-Pages."""


class OffsetPagination(_Numbered):
    """Pages that are asked for by the number of rows before them."""

    kind: Literal["offset"] = "offset"
    """Kind of pagination."""
    param: Annotated[str, Field(min_length=1)] = "offset"
    """Parameter that takes the number of rows to pass over."""
    start: Annotated[int, Field(ge=0)] = 0
    """Offset of the first page."""
    size_param: str | None = "limit"
    """Parameter that takes the page size; null where the server has a size of its own."""
    size: Annotated[int, Field(ge=1)] | None = 100
    """Rows of a full page; a page with fewer is the last."""

    @model_validator(mode="after")
    def _has_size(self) -> OffsetPagination:
        if self.size is None:
            raise ValueError("size says where the next page begins; add size: 100, or what the server gives")
        return self


class CursorPagination(_Bounded):
    """Each page names the next by a cursor."""

    kind: Literal["cursor"] = "cursor"
    """Kind of pagination."""
    cursor_at: str | None = None
    """Path in the body to the next page's cursor; where it is absent, null or empty, the page is the last."""
    cursor_header: str | None = None
    """Header with the next page's cursor, instead of cursor_at."""
    param: Annotated[str, Field(min_length=1)] = "cursor"
    """Parameter that takes the cursor."""
    place: Place = "query"
    """Where the cursor is sent: as query parameter, header, or key of the JSON body."""

    @model_validator(mode="after")
    def _is_one(self) -> CursorPagination:
        if (self.cursor_at is None) == (self.cursor_header is None):
            raise ValueError(
                "name one place of the next cursor: cursor_at: a path in the body, or cursor_header: a header"
            )
        return self


class NextUrlPagination(_Bounded):
    """Each page has the address of the next in its body."""

    kind: Literal["next_url"] = "next_url"
    """Kind of pagination."""
    next_at: str
    """Path in the body to the next page's address, absolute or relative; where it is absent, null or empty, the page is the last."""


class LinkHeaderPagination(_Bounded):
    """Each page has the address of the next in its Link header (RFC 8288)."""

    kind: Literal["link_header"] = "link_header"
    """Kind of pagination."""
    rel: str = "next"
    """Relation of the link to follow."""


Pagination = Annotated[
    SinglePagination | PagePagination | OffsetPagination | CursorPagination | NextUrlPagination | LinkHeaderPagination,
    Field(discriminator="kind"),
]
