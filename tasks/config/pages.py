"""Web pages as sources: where they are found, and what of them are rows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ByteSize, Field, field_validator, model_validator

from tasks.config.auth import SigningAuth
from tasks.config.base import ConfigModel, NonEmpty, is_trusted
from tasks.config.columns import PagesColumn, find_search_mistake, read_pages_column
from tasks.config.http import check_url
from tasks.config.tabled import Fetched
from tasks.core.suggestions import did_you_mean


class Download(ConfigModel):
    """Files that the rows of pages lead to, as pictures, kept beside the raw files, each once."""

    select: NonEmpty
    """Selector, within each row, of the address of a file, CSS ending in ::attr(src), or XPath; the first match counts."""
    into: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
    """Name of the folder below data/raw/<source>, and of the columns, e.g. picture: picture_path, the file's path below data/raw/<source>, whose name is its sha256, picture_bytes and picture_type, its media type; null where there is no file."""
    max_bytes: Annotated[ByteSize, Field(gt=0)] = ByteSize(64 * 1024 * 1024)
    """Bytes that one file may have, e.g. 200MiB; a larger one is not kept, and a reject that names it."""

    @property
    def columns(self) -> tuple[str, str, str]:
        """Return the names of its columns."""
        return f"{self.into}_path", f"{self.into}_bytes", f"{self.into}_type"


class Render(ConfigModel):
    """A browser that runs the scripts of pages, so that what they make is read. It needs the extra `render`, and Chromium or Google Chrome on this machine."""

    wait_for: NonEmpty | None = None
    """Selector of an element, CSS or XPath, that is on a page only once its scripts have made what is read, e.g. "table#rows tr"; of pages of several kinds one for each, with commas. With it or not, a page is read when it has stood still for half a second."""
    timeout_s: Annotated[float, Field(gt=0)] = 20.0
    """Most seconds that the scripts of a page may take; waiting for the host's answers does not count."""
    at_once: Annotated[int, Field(ge=1)] = 4
    """Most pages that are open in the browser at once."""
    browser: NonEmpty | None = None
    """Name or path of the browser, from a pipeline file on disk alone; without it chromium or google-chrome, as PATH has it."""

    @model_validator(mode="after")
    def _is_trusted(self) -> Render:
        if self.browser is not None and not is_trusted("browser", self.browser):
            raise ValueError(
                f"{self.browser!r} is run from a pipeline file on disk alone; give the path of the file instead, "
                "or take browser out"
            )
        return self


def _read_render(value: Any) -> Any:
    return {} if value is True else None if value is False else value


class PagesSource(Fetched):
    """Rows scraped from web pages."""

    kind: Literal["pages"] = "pages"
    """Kind of source."""
    start: tuple[str, ...] = ()
    """Address, or addresses, of the first pages; `{partition}` takes the partition's value."""
    sitemap: tuple[str, ...] = ()
    """Address, or addresses, of sitemaps, plain or .gz, of indexes of sitemaps, or of a robots.txt that names some: the pages that they list are first pages. When they are fetched again, as after refresh, those whose lastmod is as it was are not asked for, where each gives rows and leads no further."""
    feed: tuple[str, ...] = ()
    """Address, or addresses, of feeds, RSS or Atom: the pages that their entries lead to are first pages."""
    match: NonEmpty | None = None
    """Regular expression that is in the addresses of a sitemap or a feed that are pages of the source, e.g. /product/; without it all are."""
    follow: NonEmpty | None = None
    """Selector of the link to the next page, CSS ending in ::attr(href), or XPath."""
    links: NonEmpty | Annotated[tuple[NonEmpty, ...], Field(min_length=1)] | None = None
    """Selector of the links to detail pages: with it the rows are those of the detail pages; or a list of selectors, one for the pages of each level: the rows are those of the pages that the last one leads to."""
    rows: NonEmpty
    """Selector of the elements that are rows, CSS or XPath."""
    columns: Annotated[dict[str, PagesColumn], Field(min_length=1)]
    """Selector of each column within its row, CSS ending in ::text, ::inner-text or ::attr(name), or XPath; or {select: …, type: …, all: …, default: …}."""
    pairs: NonEmpty | None = None
    """Selector, within each row, of what holds names beside their values, each of which becomes a column by its name in small letters: a dl, a table of two columns, or rows of one, e.g. "table.facts tr". Several values of a name are joined by "; "."""
    download: Download | None = None
    """Files that the rows lead to, which are fetched with them; what is there is not asked for again, unless the source is fetched with --fresh, or by other selectors."""
    render: Annotated[Render | None, BeforeValidator(_read_render, json_schema_input_type=bool | Render | None)] = None
    """Whether, or how, a browser runs the scripts of its pages, for pages whose rows or links these make: true, or {wait_for: …}."""
    robots: Literal["obey", "ignore"] = "obey"
    """Whether robots.txt decides which pages may be fetched, and how fast."""
    max_crawl_delay_s: Annotated[float, Field(gt=0)] = 60.0
    """Most seconds between two requests that a robots.txt may ask for; where it asks for more, nothing is fetched."""
    max_depth: Annotated[int, Field(ge=0)] | None = None
    """Links from a first page to the farthest one; those beyond are not followed, which is told."""
    max_pages: Annotated[int, Field(ge=1)] = 10_000
    """More pages than this in one partition are an error, so that links that never end cannot loop for ever."""

    _one_or_many = field_validator("start", "sitemap", "feed", mode="before")(
        lambda value: (value,) if isinstance(value, str) else value
    )
    _shorthand = field_validator("columns", mode="before")(
        lambda value: {k: read_pages_column(v) for k, v in value.items()} if isinstance(value, dict) else value
    )

    @model_validator(mode="before")
    @classmethod
    def _pairs_need_no_selector(cls, value: Any) -> Any:
        """Return what is written of a source, whose columns stand beside their names where nothing else is said of them."""
        columns = value.get("columns") if isinstance(value, dict) and value.get("pairs") else None
        if not isinstance(columns, dict):
            return value
        return {
            **value,
            "columns": {k: {"select": None, **v} if isinstance(v, dict) else v for k, v in columns.items()},
        }

    @model_validator(mode="after")
    def _stand_somewhere(self) -> PagesSource:
        for name, column in self.columns.items():
            if column.select is None and column.expression is None and self.pairs is None:
                raise ValueError(f"columns.{name}.select is null; write a selector, e.g. td::text")
        return self

    @model_validator(mode="after")
    def _asks_as_one(self) -> PagesSource:
        if isinstance(self.auth, SigningAuth) and self.auth.several:
            raise ValueError(f"auth.{self.auth.several}: pages are asked for at the pace of one; write the one alone")
        return self

    @property
    def names_all_columns(self) -> bool:
        """Return whether there are no other columns than those that are declared: names beside values, and files, give more."""
        return self.pairs is None and self.download is None

    @property
    def listed_at(self) -> tuple[str, ...]:
        """Return the addresses of what lists its first pages."""
        return (*self.sitemap, *self.feed)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return its own addresses."""
        return (*self.start, *self.listed_at)

    @property
    def levels(self) -> tuple[str, ...]:
        """Return the selectors of the links to the pages of the next level, by the level that they stand on."""
        return () if self.links is None else (self.links,) if isinstance(self.links, str) else self.links

    @property
    def selected(self) -> dict[str, PagesColumn]:
        """Return the columns that stand on pages: all but those that expressions make."""
        return {name: column for name, column in self.columns.items() if column.select}

    @model_validator(mode="after")
    def _has_private_columns(self) -> PagesSource:
        for path in self.privacy.paths if self.privacy is not None and self.names_all_columns else ():
            if path not in self.selected:
                raise ValueError(f"privacy: {path!r} is no column with a selector; {did_you_mean(path, self.selected)}")
        return self

    @model_validator(mode="after")
    def _are_urls(self) -> PagesSource:
        for url in self.addresses:
            check_url(url, self.placeholders, self.names_from_tables)
        into = f"{self.download.into}_" if self.download is not None else None
        for name in [name for name in self.columns if into is not None and name.startswith(into)]:
            raise ValueError(f"columns.{name} may be a column of download, which begin with {into}; rename one of them")
        if not self.addresses:
            raise ValueError("nothing says where its pages are; add start, sitemap or feed, e.g. start: https://…")
        if self.match is not None and not self.listed_at:
            raise ValueError("match is of the addresses in a sitemap or a feed; add one of them, or take match out")
        if self.match is not None and (mistake := find_search_mistake(self.match)) is not None:
            raise ValueError(f"match {self.match!r} {mistake}")
        if getattr(self.auth, "place", None) == "body":
            raise ValueError(
                "auth.place: body needs a request with a body; pages have none: send the key as query or header"
            )
        return self
