"""Sources: where rows come from."""

from __future__ import annotations

from collections.abc import Collection
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    HttpUrl,
    Tag,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from tasks.spec.base import Part
from tasks.spec.secrets import SecretReference

ColumnType = Literal["int", "float", "string", "bool", "date", "timestamp"]
Scalar = int | float | str

_PLACEHOLDER_VALUE = "0"


class Range(Part):
    """Whole numbers from the first to the last, both included."""

    range: tuple[int, int]
    """First and last value, e.g. [1, 12]."""

    @model_validator(mode="after")
    def _ascend(self) -> Range:
        first, last = self.range
        if first > last:
            raise ValueError(f"the range [{first}, {last}] is empty; write the smaller number first")
        return self

    def values(self) -> tuple[int, ...]:
        """Return every value of the range, in order."""
        return tuple(range(self.range[0], self.range[1] + 1))


PartitionValues = Annotated[
    Annotated[tuple[Scalar, ...], Field(min_length=1), Tag("list")] | Annotated[Range, Tag("range")],
    Discriminator(lambda value: "range" if isinstance(value, dict | Range) else "list"),
]


class Column(Part):
    """What is declared of one column of a table."""

    type: ColumnType | None = None
    """The type every value must have; a row with another value becomes a reject. Without it the type is inferred."""


class PagesColumn(Column):
    """One column of a page's rows: where its value stands."""

    select: Annotated[str, Field(min_length=1)]
    """CSS selector within the row, ending in ::text or ::attr(name); the first match is the value."""


def _column(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


def _pages_column(value: Any) -> Any:
    return {"select": value} if isinstance(value, str) else value


class BearerAuth(Part):
    """A bearer token in the Authorization header."""

    kind: Literal["bearer"] = "bearer"
    """Kind of authentication."""
    token: SecretReference
    """Where the token is held: {env: NAME} or {secret_block: name}."""


class SinglePagination(Part):
    """One request a partition."""

    kind: Literal["single"] = "single"
    """Kind of pagination."""


class PagePagination(Part):
    """Numbered pages, fetched concurrently where their number is known."""

    kind: Literal["page"] = "page"
    """Kind of pagination."""
    param: str = "page"
    """Query parameter that takes the page number."""
    start: int = 1
    """Number of the first page."""
    pages_at: str | None = None
    """Path in the body to the number of pages, e.g. meta.pages; without it pages are asked for until one is empty."""
    max_pages: Annotated[int, Field(ge=1)] = 10_000
    """More pages than this in one partition are an error, so that a server's mistake cannot loop for ever."""


Pagination = Annotated[SinglePagination | PagePagination, Field(discriminator="kind")]


class Requests(Part):
    """How a source's host is asked: how much at once, how long, how often again."""

    max_in_flight: Annotated[int, Field(ge=1, le=1000)] = 16
    """Requests in flight at once to the source's host."""
    timeout_s: Annotated[float, Field(gt=0)] = 30.0
    """Seconds one attempt may take, from the request to the end of the body."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 8
    """Attempts at one request when it fails in a way that may pass (408, 425, 429, 5xx, a broken connection)."""
    deadline_s: Annotated[float, Field(gt=0)] = 120.0
    """Seconds all attempts at one request may take together."""


class _Fetched(Part):
    """What sources that are fetched over HTTP share."""

    partitions: dict[str, PartitionValues] = {}
    """Values to fetch one by one; a partition is one combination. `{name}` in a URL takes the value."""
    requests: Requests = Requests()
    """How the source's host is asked."""
    key: tuple[str, ...] = ()
    """Columns that identify a row; further rows with the same key are dropped and counted."""


class ApiSource(_Fetched):
    """Rows from a JSON API."""

    kind: Literal["api"] = "api"
    """Kind of source."""
    url: str
    """Address of the endpoint; `{partition}` takes the partition's value, others become query parameters."""
    params: dict[str, Scalar] = {}
    """Query parameters of every request; they are stored with the run, so secrets belong in auth."""
    headers: dict[str, str] = {}
    """Headers of every request; they are stored with the run, so secrets belong in auth."""
    auth: BearerAuth | None = None
    """How requests prove who asks."""
    pagination: Pagination = SinglePagination()
    """How the rows of a partition are spread over requests."""
    records_at: str | None = None
    """Path in the body to the list of records, e.g. data.items; without it the body is the list, or the one record."""
    columns: dict[str, Annotated[Column, Field(description="A type, or {type: …}.")]] = {}
    """What is declared of the columns; the others are inferred."""

    _shorthand = field_validator("columns", mode="before")(
        lambda value: {k: _column(v) for k, v in value.items()} if isinstance(value, dict) else value
    )

    @model_validator(mode="after")
    def _is_url(self) -> ApiSource:
        _check_url(self.url, self.partitions)
        return self


class PagesSource(_Fetched):
    """Rows scraped from web pages."""

    kind: Literal["pages"] = "pages"
    """Kind of source."""
    start: Annotated[tuple[str, ...], Field(min_length=1)]
    """Address, or addresses, of the first pages; `{partition}` takes the partition's value."""
    follow: str | None = None
    """CSS selector of the link to the next page, ending in ::attr(href)."""
    rows: Annotated[str, Field(min_length=1)]
    """CSS selector of the elements that are rows."""
    columns: Annotated[dict[str, PagesColumn], Field(min_length=1)]
    """CSS selector of each column within its row, ending in ::text or ::attr(name); or {select: …, type: …}."""
    max_pages: Annotated[int, Field(ge=1)] = 10_000
    """More pages than this in one partition are an error, so that links that never end cannot loop for ever."""

    _one_or_many = field_validator("start", mode="before")(lambda value: (value,) if isinstance(value, str) else value)
    _shorthand = field_validator("columns", mode="before")(
        lambda value: {k: _pages_column(v) for k, v in value.items()} if isinstance(value, dict) else value
    )

    @model_validator(mode="after")
    def _are_urls(self) -> PagesSource:
        for url in self.start:
            _check_url(url, self.partitions)
        return self


class FilesSource(Part):
    """Rows from files: CSV or JSON lines, plain or compressed."""

    kind: Literal["files"] = "files"
    """Kind of source."""
    path: Annotated[str, Field(min_length=1)]
    """Glob of the files, relative to the data folder unless absolute, e.g. inbox/flights/*.csv.gz."""
    columns: dict[str, Annotated[Column, Field(description="A type, or {type: …}.")]] = {}
    """What is declared of the columns; the others are inferred."""
    key: tuple[str, ...] = ()
    """Columns that identify a row; further rows with the same key are dropped and counted."""

    _shorthand = field_validator("columns", mode="before")(
        lambda value: {k: _column(v) for k, v in value.items()} if isinstance(value, dict) else value
    )


Source = Annotated[ApiSource | PagesSource | FilesSource, Field(discriminator="kind")]

_HTTP_URL = TypeAdapter(HttpUrl)


def _check_url(url: str, partitions: dict[str, PartitionValues]) -> None:
    """Raise ValueError unless `url` is an http(s) address whose placeholders are all partitions."""
    try:
        filled = _fill_placeholders(url, partitions)
    except KeyError as error:
        name = error.args[0]
        raise ValueError(
            f"{url!r} has {{{name}}}, which is not a partition; declare partitions: {{{name}: [...]}}"
        ) from None
    except ValueError:
        raise ValueError(f"{url!r} has a stray brace; write {{name}} for a partition's value") from None
    try:
        address = _HTTP_URL.validate_python(filled)
    except ValidationError:
        raise ValueError(f"{url!r} is not an address; write one like https://api.example.com/items") from None
    if address.username or address.password:
        raise ValueError(
            f"the address of {address.host} holds a name or a password; take them out, secrets belong in auth"
        )


def _fill_placeholders(url: str, partitions: Collection[str]) -> str:
    """Return `url` with a value in each placeholder; raise KeyError for an unknown one, ValueError where it is no bare name."""
    for _, name, form, conversion in Formatter().parse(url):
        if name is not None and (form or conversion or not name.isidentifier()):
            raise ValueError(url)
    return url.format_map(dict.fromkeys(partitions, _PLACEHOLDER_VALUE))
