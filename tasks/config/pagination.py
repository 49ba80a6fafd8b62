"""How the rows of a partition are spread over requests: what all kinds share, and the registry of kinds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import Field, model_validator

from tasks.config.base import BodyPath, ConfigModel, NonEmpty, Scalar
from tasks.config.http import HeaderName, check_header_name
from tasks.config.kinds import Kinds

Place = Literal["query", "header", "body", "placeholder"]
"""Where a request carries a value: a query parameter, a header, a path in the JSON body, or wherever {name} stands in url, params, headers and body."""
Status = Annotated[int, Field(ge=200, le=599)]
Following = str | int | float
"""What names a page: its address, or the value that a request for it carries."""

PATHS = ("pages_at", "total_at", "cursor_at", "next_at", "has_more_at")
"""Keys that name a place in the body."""
_COUNTS = ("pages_at", "pages_header", "total_at", "total_header")


def check_param_names(place: Place, *names: str | None) -> None:
    """Raise ValueError unless all names can be those of headers, or of placeholders, where that is what they are."""
    for name in names:
        if place == "header" and name is not None:
            check_header_name(name)
        if place == "placeholder" and name is not None and not name.isidentifier():
            raise ValueError(f"{name!r:.80} is no name of a placeholder; write one of letters, digits and _, e.g. page")


class SinglePagination(ConfigModel):
    """One request a partition."""

    reads_headers: ClassVar[bool] = False
    """Whether headers say what further pages there are, as its body, unchanged, then does not."""
    max_rows: ClassVar[None] = None

    kind: Literal["single"] = "single"
    """Kind of pagination."""


class _Bounded(ConfigModel):
    """What keeps a server's mistake from going on for ever."""

    max_pages: Annotated[int, Field(ge=1)] = 100_000
    """More pages than this in one partition are an error."""
    max_rows: Annotated[int, Field(ge=1)] | None = None
    """More rows than this in one partition are an error."""


class NumberedPagination(_Bounded):
    """Pages that are asked for by number, which are fetched concurrently."""

    passes_over_rows: ClassVar[bool] = False
    """Whether the number is that of the rows before the page."""

    kind: str
    """Kind of pagination."""
    param: NonEmpty
    """Parameter that takes the number."""
    start: int
    """Number of the first page."""

    place: Place = "query"
    """Where the number is sent: as query parameter, header, at a path in the JSON body, as variables.page, or wherever {page} stands in url, params, headers or body."""
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
    def _fit_together(self) -> NumberedPagination:
        check_param_names(self.place, self.param, self.size_param)
        for name in ("size_param", "total_at", "total_header"):
            if getattr(self, name) is not None and self.size is None:
                raise ValueError(f"{name} needs the rows of a full page; add size: 100, or what the server gives")
        counts = [name for name in _COUNTS if getattr(self, name, None) is not None]
        if len(counts) > 1:
            raise ValueError(f"{' and '.join(counts)} tell the same; keep one of them")
        return self

    @property
    def reads_headers(self) -> bool:
        """Return whether a header has the number of pages or rows."""
        return any(getattr(self, name, None) is not None for name in _COUNTS if name.endswith("_header"))

    @property
    def may_start_too_late(self) -> bool:
        """Return whether a server that counts from 0 would have a page before the first."""
        return False

    @abstractmethod
    def number(self, index: int) -> int:
        """Return the number of a page, of which the first has the index 0."""


class Page(Protocol):
    """A page, as a kind of pagination finds in it what the next one is."""

    @property
    def label(self) -> str:
        """Return what an error calls the request: its method and address."""

    @property
    def records(self) -> Sequence[bytes]:
        """Return the records as they were received, each the text of a JSON value."""

    def find(self, path: str) -> Any:
        """Return the value at a path in the body; None where there is no such path."""

    def missing(self, path: str) -> str | None:
        """Return what stands where a path in the body ends too early; None where there is such a path."""

    def beside(self, name: str) -> str:
        """Return the path in the body of what stands by a name beside the list of records."""

    def header(self, name: str) -> str | None:
        """Return the value of a header; None where there is no such header."""

    def link(self, rel: str) -> str | None:
        """Return the target of the link of a relation in the Link header; None where there is none."""

    def cursor(self, value: Any) -> Following | None:
        """Return a value that was found if it can be sent; None where it is null, empty or false; raise of another."""

    def address(self, value: Any, key: str) -> str | None:
        """Return a found address, made absolute; None where it is null, empty or false; raise, naming `key`, of another value."""


class FollowedPagination(_Bounded):
    """Pages of which each tells what the next one is; they are fetched one after the other."""

    ends_empty: ClassVar[bool] = False
    """Whether the last page is one without rows."""

    kind: str
    """Kind of pagination."""

    @property
    def is_in_body(self) -> bool:
        """Return whether the next is named at a place of the body, which is wrong if no answer has it."""
        return False

    @property
    def reads_headers(self) -> bool:
        """Return whether headers may say what the next page is: unless the kind says otherwise, where no place of the body does."""
        return not self.is_in_body

    @property
    def sent_as(self) -> tuple[Place, str] | None:
        """Return where, and as what, a request carries what the page before told; None where that is an address."""
        return None

    @property
    def begins_with(self) -> Scalar | None:
        """Return what the first request carries where the others carry what the page before told; None where it carries nothing."""
        return None

    @abstractmethod
    def following(self, page: Page) -> Following | None:
        """Return what a page tells of the next one; None where it is the last."""

    def why_unproven(self, page: Page, *, is_full: bool | None) -> str | None:  # noqa: ARG002 - for kinds that doubt
        """Return why an only page may not be the last, though it names no next; None where it surely is.

        `is_full`: whether it has the rows of a full page, None where nobody says how many these are.
        """
        return None


Paginator = SinglePagination | NumberedPagination | FollowedPagination
"""What kinds are derived from: how their pages are fetched."""

_KINDS = "tasks.ingest.api.paginators"
PAGINATORS = Kinds(
    "tidemill.paginators",
    "tasks.config.pagination:Paginator",
    {
        "single": "tasks.config.pagination:SinglePagination",
        "page": f"{_KINDS}.page:PagePagination",
        "offset": f"{_KINDS}.offset:OffsetPagination",
        "cursor": f"{_KINDS}.cursor:CursorPagination",
        "next_url": f"{_KINDS}.next_url:NextUrlPagination",
        "link_header": f"{_KINDS}.link_header:LinkHeaderPagination",
        "keyset": f"{_KINDS}.keyset:KeysetPagination",
        "graphql": f"{_KINDS}.graphql:GraphQLPagination",
    },
)
Pagination = Annotated[Paginator, PAGINATORS]
