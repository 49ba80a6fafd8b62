"""How the rows of a partition are spread over requests."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tasks.config.base import BodyPath, ConfigModel, NonEmpty
from tasks.config.http import HeaderName, check_header_name

Place = Literal["query", "header", "body"]
Status = Annotated[int, Field(ge=200, le=599)]

_COUNTS = ("pages_at", "pages_header", "total_at", "total_header")


def _check_names(place: Place, *names: str | None) -> None:
    """Raise ValueError unless all names are those of headers, where that is what they are."""
    for name in names:
        if place == "header" and name is not None:
            check_header_name(name)


class SinglePagination(ConfigModel):
    """One request a partition."""

    kind: Literal["single"] = "single"
    """Kind of pagination."""


class _Bounded(ConfigModel):
    """What keeps a server's mistake from going on for ever."""

    max_pages: Annotated[int, Field(ge=1)] = 100_000
    """More pages than this in one partition are an error."""
    max_rows: Annotated[int, Field(ge=1)] | None = None
    """More rows than this in one partition are an error."""


class _Numbered(_Bounded):
    """What pages that are asked for by number share; they are fetched concurrently."""

    place: Place = "query"
    """Where the number is sent: as query parameter, header, or key of the JSON body."""
    size_param: NonEmpty | None = None
    """Parameter that takes the page size, sent beside the number; it needs size."""
    size: Annotated[int, Field(ge=1)] | None = None
    """Rows of a full page."""
    total_at: BodyPath | None = None
    """Path in the body to the number of rows, e.g. meta.total; it needs size."""
    total_header: HeaderName | None = None
    """Header with the number of rows, e.g. X-Total-Count; it needs size."""
    end_statuses: tuple[Status, ...] = ()
    """Statuses that mean there is no such page, e.g. [404]; the pages before are all there are."""

    @model_validator(mode="after")
    def _fit_together(self) -> _Numbered:
        _check_names(self.place, getattr(self, "param", None), self.size_param)
        for name in ("size_param", "total_at", "total_header"):
            if getattr(self, name) is not None and self.size is None:
                raise ValueError(f"{name} needs the rows of a full page; add size: 100, or what the server gives")
        counts = [name for name in _COUNTS if getattr(self, name, None) is not None]
        if len(counts) > 1:
            raise ValueError(f"{' and '.join(counts)} tell the same; keep one of them")
        return self


class PagePagination(_Numbered):
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


class OffsetPagination(_Numbered):
    """Pages that are asked for by the number of rows before them."""

    kind: Literal["offset"] = "offset"
    """Kind of pagination."""
    param: NonEmpty = "offset"
    """Parameter that takes the number of rows to pass over."""
    start: Annotated[int, Field(ge=0)] = 0
    """Offset of the first page."""
    size_param: NonEmpty | None = "limit"
    """Parameter that takes the page size; null where the server has a size of its own."""
    size: Annotated[int, Field(ge=1)] | None = 100
    """Rows of a full page."""

    @model_validator(mode="after")
    def _has_size(self) -> OffsetPagination:
        if self.size is None:
            raise ValueError("size says where the next page begins; add size: 100, or what the server gives")
        return self


class _Followed(_Bounded):
    """Pages of which each names the next."""

    size: Annotated[int, Field(ge=1)] | None = None
    """Rows of a full page: an only page with fewer may leave out the place of the next."""


class CursorPagination(_Followed):
    """Each page names the next by a cursor."""

    kind: Literal["cursor"] = "cursor"
    """Kind of pagination."""
    cursor_at: BodyPath | None = None
    """Path in the body to the next page's cursor; where it is null or empty, or absent from a further page, the page is the last."""
    cursor_header: HeaderName | None = None
    """Header with the next page's cursor, instead of cursor_at."""
    param: NonEmpty = "cursor"
    """Parameter that takes the cursor."""
    place: Place = "query"
    """Where the cursor is sent: as query parameter, header, or key of the JSON body."""

    @model_validator(mode="after")
    def _is_one(self) -> CursorPagination:
        _check_names(self.place, self.param)
        if (self.cursor_at is None) == (self.cursor_header is None):
            raise ValueError(
                "name one place of the next cursor: cursor_at: a path in the body, or cursor_header: a header"
            )
        return self


class NextUrlPagination(_Followed):
    """Each page has the address of the next in its body."""

    kind: Literal["next_url"] = "next_url"
    """Kind of pagination."""
    next_at: BodyPath
    """Path in the body to the next page's address, absolute or relative, e.g. links.next or "@odata.nextLink"; where it is null or empty, or absent from a further page, the page is the last."""


class LinkHeaderPagination(_Followed):
    """Each page has the address of the next in its Link header (RFC 8288)."""

    kind: Literal["link_header"] = "link_header"
    """Kind of pagination."""
    rel: NonEmpty = "next"
    """Relation of the link to follow."""


Pagination = Annotated[
    SinglePagination | PagePagination | OffsetPagination | CursorPagination | NextUrlPagination | LinkHeaderPagination,
    Field(discriminator="kind"),
]
