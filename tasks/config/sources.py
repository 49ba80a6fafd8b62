"""Sources: where rows come from, and what is asked of the table they become."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, PrivateAttr, field_validator, model_validator

from tasks.config.auth import Auth
from tasks.config.base import BodyPath, ConfigModel, Name, NonEmpty, Scalar
from tasks.config.checks import DeclaredCheck, as_warning
from tasks.config.columns import Column, PagesColumn, find_search_mistake, read_column, read_pages_column
from tasks.config.dates import Dates
from tasks.config.expressions import find_mistakes
from tasks.config.files import SHAPE_NEEDS_COLUMN, ListNames, Reading
from tasks.config.graphql import GraphQL
from tasks.config.http import AllowHosts, FilePath, Headers, Refresh, Requests, check_param, check_url
from tasks.config.incremental import Incremental
from tasks.config.limit import Limit
from tasks.config.pagination import Pagination, SinglePagination
from tasks.config.parents import Child, Parent
from tasks.config.partitions import MOST_PARTITIONS, PartitionValues, count_values, names_beside
from tasks.config.places import check_place, list_placed
from tasks.core.tables import quote_name

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class TableOptions(ConfigModel):
    """How the rows of a source become a table."""

    contract: Literal["evolve", "freeze"] = "evolve"
    """evolve: new columns are added, and types widened; freeze: a row that does not fit the table as it is becomes a reject."""
    max_rejects: Count | Share | None = 0.5
    """More rejects than this number, or than this share of the rows (below 1), are an error, and the table stays as it was; null: as many as come, as long as one row is none."""
    warn_rejects: Count | Share | None = 0.05
    """More rejects than this number, or than this share of the rows (below 1), are a warning; null: none is told."""
    clean_names: bool = False
    """Whether names of columns are made plain: Unit Price becomes unit_price."""
    provenance: bool = False
    """Whether each row tells the file and the line it came from, in columns _file and _line."""
    partition_by: tuple[NonEmpty, ...] = ()
    """Columns by whose values rows lie in folders and parts of their own, e.g. [country]: country-DE/…; readers that look for one value skip the parts of others."""
    sort_by: tuple[NonEmpty, ...] = ()
    """Columns by which the rows of each part are sorted, so that readers can skip what they do not look for."""


Columns = dict[str, Annotated[Column, Field(description="A type, or {type: …}.")]]


class _Tabled(ConfigModel):
    """What all sources share: what is asked of their tables."""

    key: tuple[str, ...] = ()
    """Columns that identify a row; further rows with the same key are dropped and counted."""
    keep: Literal["first", "last"] | None = None
    """Which of the rows with one key stays, in the order of the files and of the rows in each; without it the last of files, whose order is that of path and within it of their names, numbers in them by value, and of an incremental API, else the first."""
    table: TableOptions = TableOptions()
    """How the rows become a table."""
    checks: tuple[DeclaredCheck, ...] = ()
    """What must hold of the table, e.g. [{not_null: [id]}, {min_rows: 100, on_fail: warn}], by the names of its columns."""
    _limit: Limit | None = PrivateAttr(default=None)

    @property
    def limit(self) -> Limit | None:
        """Return how little of the source the run takes; None where it takes all."""
        return self._limit

    def limited(self, limit: Limit | None) -> Self:
        """Return the same source of which a run takes little; a check that fails of it is told, and ends nothing."""
        if limit is None:
            return self
        known = self.model_copy(update={"checks": tuple(map(as_warning, self.checks))})
        known._limit = limit  # noqa: SLF001 - the copy's own
        return known

    @model_validator(mode="after")
    def _needs_no_dropped_column(self) -> Self:
        columns: Mapping[str, Column] = getattr(self, "columns", {})
        asked = {"key": self.key, "table.partition_by": self.table.partition_by, "table.sort_by": self.table.sort_by}
        for where, names in asked.items():
            for name in names:
                if name in columns and columns[name].drop:
                    raise ValueError(f"{where}: {name!r} is a column that columns.{name} drops; take drop out of it")
        return self

    @model_validator(mode="after")
    def _reads_what_there_is(self) -> Self:
        columns: Mapping[str, Column] = getattr(self, "columns", {})
        clean, all_known = (
            self.table.clean_names,
            isinstance(self, PagesSource) and self.pairs is None and self.download is None,
        )
        for mistake in find_mistakes(columns, clean=clean, all_known=all_known):
            raise ValueError(mistake)
        return self

    @model_validator(mode="after")
    def _keeps_by_a_key(self) -> _Tabled:
        if self.keep is not None and not self.key:
            raise ValueError(f"keep: {self.keep} is of rows with one key; add key: [id], or what identifies a row")
        return self


class _Fetched(_Tabled):
    """What sources that are fetched over HTTP share."""

    partitions: dict[str, PartitionValues] = {}
    """Values to fetch one by one; a partition is one combination. `{name}` in a URL takes the value."""
    headers: Headers = {}
    """Headers of every request to the source's own host; they are stored with the run, so secrets belong in auth."""
    auth: Auth | None = None
    """How requests prove who asks; no other host than the source's own is told."""
    allow_hosts: AllowHosts = ()
    """Hosts that links, next addresses and redirects may lead to beside those of the source's own addresses, e.g. [cdn.example.com]; nothing is asked of others."""
    requests: Requests = Requests()
    """How the source's host is asked."""
    refresh: Refresh | None = None
    """When what is landed is fetched again; without it only --fresh does."""

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Return the names of partitions, and of what else of them requests may take."""
        return (*self.partitions, *(each for item in self.partitions.items() for each in names_beside(*item)))

    @property
    def has_dates(self) -> bool:
        """Return whether partitions may change until some time after their ends."""
        return any(isinstance(values, Dates) for values in self.partitions.values())

    @property
    def has_open_dates(self) -> bool:
        """Return whether there is another partition when time has passed."""
        return any(isinstance(values, Dates) and values.is_open for values in self.partitions.values())

    def until(self, now: datetime) -> Self:
        """Return the same source with each open end of its dates at a time, at which it then stays."""
        ended = {n: v.until(now) if isinstance(v, Dates) else v for n, v in self.partitions.items()}
        return self.model_copy(update={"partitions": ended}) if self.has_open_dates else self

    def limited(self, limit: Limit | None) -> Self:
        """Return the same source of which a run takes little, and asks for little more than that at once."""
        if limit is None:
            return self
        names = ("start_in_flight", "min_in_flight", "max_in_flight")
        few = {name: min(getattr(self.requests, name), limit.number) for name in names}
        known = super().limited(limit)
        return known.model_copy(update={"requests": self.requests.model_copy(update=few)})

    @property
    def parents(self) -> dict[str, Parent]:
        """Return the partitions whose values are those of other sources' tables, by name."""
        return {name: values for name, values in self.partitions.items() if isinstance(values, Parent)}

    @property
    def names_from_tables(self) -> tuple[str, ...]:
        """Return the placeholders whose values come from other sources' tables."""
        return (*self.parents, *(each for item in self.parents.items() for each in names_beside(*item)))

    def with_children(self, children: Mapping[str, Sequence[Child]]) -> Self:
        """Return the same source with the values that there are of its parents' tables, by the names of partitions."""
        known = {name: self.parents[name].with_children(values) for name, values in children.items()}
        return self.model_copy(update={"partitions": {**self.partitions, **known}})

    @model_validator(mode="after")
    def _names_each_placeholder_once(self) -> Self:
        names = [*self.partitions]
        for name, values in self.partitions.items():
            for beside in names_beside(name, values):
                if beside in names and not (isinstance(values, Parent) and values.take[beside] == values.column):
                    raise ValueError(
                        f"partitions.{name} has {beside} beside it, and so is something else called; rename one"
                    )
                names.append(beside)
        return self

    @property
    def fixed_headers(self) -> Mapping[str, str]:
        """Return the headers that are the same for every request."""
        return self.headers

    @model_validator(mode="after")
    def _has_few_partitions(self) -> Self:
        number = math.prod(map(count_values, self.partitions.values()))
        if number > MOST_PARTITIONS:
            raise ValueError(
                f"partitions have {number:,} combinations, and a source may have {MOST_PARTITIONS:,}; "
                "fetch more with each, or split the source"
            )
        return self


class ElementsTable(_Tabled):
    """A table of the elements of a list that a source's records hold."""

    explode: NonEmpty
    """Column that holds the list, of which each element becomes a row; a record without elements gives none."""
    take: dict[NonEmpty, NonEmpty] = {}
    """Columns of the record that each of its elements has too, by their names in this table, e.g. {order_id: id}."""
    columns: Columns = {}
    """What is declared of the columns, by the names that they have within an element, or in take; the others are inferred."""

    _shorthand = field_validator("columns", mode="before")(
        lambda value: {k: read_column(v) for k, v in value.items()} if isinstance(value, dict) else value
    )


class ApiSource(_Fetched):
    """Rows from a JSON API."""

    kind: Literal["api"] = "api"
    """Kind of source."""
    url: str
    """Address of the endpoint; `{partition}` takes the partition's value, here and in params, headers and body; others become query parameters."""
    method: Literal["GET", "POST"] = "GET"
    """Method of every request."""
    body: dict[str, JsonValue] | None = None
    """JSON body of a POST; a text `{partition}` in it takes the partition's value."""
    graphql: GraphQL | None = None
    """A query in GraphQL, which every request posts in place of a body; an answer with errors has failed, also where it has rows beside them."""
    idempotent: bool = False
    """Whether a POST may be sent again when it failed; without it a failed one is not."""
    params: dict[str, Scalar] = {}
    """Query parameters of every request; a text `{partition}` in one takes the partition's value. They are stored with the run, so secrets belong in auth."""
    pagination: Pagination = SinglePagination()
    """How the rows of a partition are spread over requests."""
    records_at: BodyPath | None = None
    """Path in the body to the list of records, e.g. data.items, or 1 for the second element of a list; a name with a dot stands in quotes, '"a.b".items'; without it the body is the list, or the one record."""
    shape: Literal["records", "columns", "by_id"] = "records"
    """Shape of the records: records: a list of them; columns: an object of lists, {date: [..], temp: [..]}, of which the values at one place are a row; by_id: an object of records by their ids, which become the column id_column."""
    id_column: NonEmpty | None = None
    """Column that the ids of shape: by_id become, as texts unless it is declared otherwise."""
    names: ListNames | None = None
    """Names of the values where each record is a list: [id, name, …], or first where the first record has them; without it col0, col1 and so on."""
    error_at: BodyPath | None = None
    """Path in the body of an answer that is an error in spite of its status 200, e.g. error: where it is there, and neither null nor empty, the request is made again."""
    explode: NonEmpty | None = None
    """Column that holds a list, of which each element becomes a row of its own; other lists are kept as JSON text."""
    explode_empty: Literal["drop", "keep"] = "drop"
    """What a record becomes whose list is empty or missing: drop: no row, and it is counted; keep: a row with null there."""
    tables: dict[Name, ElementsTable] = {}
    """Tables of their own of lists in the records, by their names, e.g. {order_items: {explode: items, take: {order_id: id}}}; the records are fetched once, and their own table keeps each list as JSON text."""
    incremental: Incremental | None = None
    """How each run asks only for what is newer than what is landed; it needs a key."""
    columns: Columns = {}
    """What is declared of the columns; the others are inferred."""

    _shorthand = field_validator("columns", mode="before")(
        lambda value: {k: read_column(v) for k, v in value.items()} if isinstance(value, dict) else value
    )

    @model_validator(mode="after")
    def _fits_together(self) -> ApiSource:
        self._has_places()
        check_url(self.url, {*self.placeholders, *self.placed_names}, self.names_from_tables)
        for name, value in self.params.items():
            check_param(name, value)
        if not self.is_posted and (self.body is not None or self.idempotent):
            key = "body" if self.body is not None else "idempotent"
            raise ValueError(f"{key} belongs to a POST; add method: POST, or take {key} out")
        self._has_variables()
        if (self.shape == "by_id") != (self.id_column is not None):
            raise ValueError(SHAPE_NEEDS_COLUMN)
        if self.explode is None and self.explode_empty == "keep":
            raise ValueError("explode_empty is of a list that is exploded; add explode, or take explode_empty out")
        if self.incremental is not None and not self.key:
            raise ValueError(
                "incremental needs a key, by which rows that come twice are dropped; add key: [id], or what identifies a row"
            )
        if self.incremental is not None and self.has_dates:
            raise ValueError(
                "incremental asks for what is new of each partition, and dates have none once they are over; "
                "take incremental out, lookback asks for what came late"
            )
        self._refuse_lost_elements()
        return self

    def _has_variables(self) -> None:
        """Raise where something is to be a variable of a GraphQL query that has none of its name."""
        if self.graphql is None:
            return
        if self.body is not None or self.idempotent:
            key = "body" if self.body is not None else "idempotent"
            raise ValueError(f"graphql is what is posted, as often as it has to be; take {key} out")
        written = repr([self.url, *self.texts])
        self.graphql.check_variables(name for name in self.partitions if f"{{{name}}}" not in written)
        paths = [each.name for each in list_placed(self.pagination, self.incremental) if each.place == "body"]
        self.graphql.check_variables(path.split(".")[1] for path in paths if path.startswith("variables."))

    @property
    def is_posted(self) -> bool:
        """Return whether every request is a POST."""
        return self.method == "POST" or self.graphql is not None

    @property
    def may_repeat(self) -> bool:
        """Return whether a POST may be sent again: what a query only reads, it does not change."""
        return self.idempotent or self.graphql is not None

    @property
    def json_body(self) -> dict[str, JsonValue]:
        """Return the body of a POST, before values are in it."""
        if self.graphql is None:
            return self.body or {}
        return {"query": self.graphql.query, "variables": self.graphql.variables}

    @property
    def texts(self) -> list[Any]:
        """Return what may have placeholders beside the address: in a query of GraphQL braces are code."""
        return [self.params, self.headers, self.body if self.graphql is None else self.graphql.variables]

    @property
    def placed_names(self) -> AbstractSet[str]:
        """Return the names, beside those of partitions, whose placeholders take a value: of the page, or of what is new."""
        placed = list_placed(self.pagination, self.incremental)
        return {each.name for each in placed if each.place == "placeholder"}

    @property
    def fixed_headers(self) -> Mapping[str, str]:
        """Return the headers without a placeholder."""
        names = {*self.placeholders, *self.placed_names}
        return {name: text for name, text in self.headers.items() if not any(f"{{{each}}}" in text for each in names)}

    def _has_places(self) -> None:
        """Raise where a value that requests carry has no place in them."""
        placed = list_placed(self.pagination, self.incremental)
        if not self.is_posted and "body" in (*(each.place for each in placed), getattr(self.auth, "place", None)):
            raise ValueError("place: body needs a request with a body; add method: POST, or send it as query or header")
        for each in placed:
            check_place(each, self.url, self.texts, self.json_body)
            if each.place == "placeholder" and each.name in self.placeholders:
                raise ValueError(f"{each.key}: {{{each.name}}} is a partition, too; give one of them another name")

    def _refuse_lost_elements(self) -> None:
        """Raise where a record may come again, and what it held before would stay in the table of its elements."""
        if self.tables and (self.incremental is not None or self.keep == "last"):
            key = "keep: last" if self.incremental is None else "incremental"
            raise ValueError(f"{key} {_lose_elements(self.tables)}, or take {key} out")
        _need_keys(self.key, self.tables)

    def elements(self, of: str) -> dict[str, ApiElements]:
        """Return the sources of the tables that are made of lists in the records of this one, whose name is `of`."""
        return {
            name: ApiElements.model_construct(**_elements_of(of, self, table)).limited(self.limit)
            for name, table in self.tables.items()
        }


class Download(ConfigModel):
    """Files that the rows of pages lead to, as pictures, kept beside the raw files, each once."""

    select: NonEmpty
    """Selector, within each row, of the address of a file, CSS ending in ::attr(src), or XPath; the first match counts."""
    into: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
    """Name of the folder below data/raw/<source>, and of the columns, e.g. picture: picture_path, the file's path below data/raw/<source>, whose name is its sha256, picture_bytes and picture_type, its media type; null where there is no file."""


class PagesSource(_Fetched):
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
    """Files that the rows lead to, which are fetched with them, within requests.max_body_bytes each; what is there is not asked for again, unless the source is fetched with --fresh, or by other selectors."""
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


class FilesSource(_Tabled):
    """Rows from files: CSV, TSV, JSON, Parquet, Excel or .ods, plain or compressed, here or in a store."""

    kind: Literal["files"] = "files"
    """Kind of source."""
    path: Annotated[tuple[FilePath, ...], Field(min_length=1)]
    """Glob, folder, file or URL (s3://, gs://, https://), or a list of them, relative to the data folder unless absolute, e.g. inbox/flights/*.csv.gz.

    What proves who asks in a URL, as user:password@, ?token=… or a signature, is used and stored nowhere.
    """
    allow_hosts: AllowHosts = ()
    """Hosts that redirects of an https:// address may lead to beside its own, e.g. [cdn.example.com]; nothing is asked of others."""
    read: Reading = Reading()
    """How the files are read; what is not said is detected."""
    on_missing: Literal["keep", "drop"] = "keep"
    """What becomes of the rows of a file that is gone: keep, since an inbox may be emptied as it is read, or drop."""
    columns: Columns = {}
    """What is declared of the columns; the others are inferred."""

    tables: dict[Name, ElementsTable] = {}
    """Tables of their own of lists in the records of JSON files, by their names, e.g. {order_items: {explode: items, take: {order_id: id}}}; the records' own table keeps each list as JSON text."""

    _one_or_many = field_validator("path", mode="before")(lambda value: (value,) if isinstance(value, str) else value)
    _shorthand = field_validator("columns", mode="before")(
        lambda value: {k: read_column(v) for k, v in value.items()} if isinstance(value, dict) else value
    )

    @model_validator(mode="after")
    def _keeps_elements_of_what_stays(self) -> Self:
        if self.tables and self.key and self.keep != "first":
            raise ValueError(f"the last of files {_lose_elements(self.tables)}, or add keep: first, or take key out")
        _need_keys(self.key, self.tables)
        return self

    def root(self, data: Path) -> Path:
        """Return where relative paths begin, by the data folder of the run."""
        return self.limit.root if self.limit else data

    def elements(self, of: str) -> dict[str, FileElements]:
        """Return the sources of the tables that are made of lists in the records of this one, whose name is `of`."""
        return {
            name: FileElements.model_construct(**_elements_of(of, self, table)).limited(self.limit)
            for name, table in self.tables.items()
        }


class ApiElements(ApiSource):
    """The elements of a list in the records of an API: in no pipeline file, but made of its `tables`."""

    of: str
    """Name of the source whose records hold the list."""
    take: dict[str, str]
    """Columns of the record that each element has too, by their names in the table."""


class FileElements(FilesSource):
    """The elements of a list in the records of files: in no pipeline file, but made of their `tables`."""

    of: str
    """Name of the source whose records hold the list."""
    take: dict[str, str]
    """Columns of the record that each element has too, by their names in the table."""
    explode: str
    """Column that holds the list."""


ElementsSource = ApiElements | FileElements


def _elements_of(of: str, source: ApiSource | FilesSource, table: ElementsTable) -> dict[str, Any]:
    """Return what is declared of the elements of one of a source's tables; its key and columns have the names of the records."""
    name_in_record = {**table.take, table.explode: table.explode}

    def within(name: str) -> str:
        return name_in_record.get(name, f"{table.explode}.{name}")

    own = {name: getattr(table, name) for name in ("explode", "take", "keep", "table", "checks")}
    columns = {within(name): column for name, column in table.columns.items()}
    shared = {name: getattr(source, name) for name in type(source).model_fields}
    if isinstance(source, ApiSource):
        shared["explode_empty"] = "drop"
    return {**shared, **own, "of": of, "key": table.key, "columns": columns, "tables": {}}


def _lose_elements(tables: Mapping[str, ElementsTable]) -> str:
    """Return why there are no tables of the elements of records that others replace, and how else they are made."""
    name, table = next(iter(tables.items()))
    return (
        f"replaces a record by a later one with its key, and tables.{name} would keep elements that this one has no more; "
        f"make {name} of the records that stay, by SQL with unnest(from_json_strict({quote_name(table.explode)}, ...)), "
        "as docs/sources.md shows"
    )


def _need_keys(key: Sequence[str], tables: Mapping[str, ElementsTable]) -> None:
    """Raise where records that come twice would leave their elements twice."""
    for name, table in tables.items():
        if key and not table.key:
            raise ValueError(
                f"tables.{name} has no key, and records that come twice would leave their elements twice; "
                f"add key, e.g. [{', '.join((*table.take, 'line'))}], or what identifies an element"
            )


Source = Annotated[ApiSource | PagesSource | FilesSource, Field(discriminator="kind")]
