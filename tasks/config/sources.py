"""Sources: where rows come from, and what is asked of the table they become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from tasks.config.answers import AnyAnswer, JsonAnswer
from tasks.config.base import BodyPath, Name, NonEmpty, Scalar
from tasks.config.columns import read_column
from tasks.config.files import SHAPE_NEEDS_COLUMN, ListNames, Reading
from tasks.config.graphql import GraphQL
from tasks.config.http import AllowHosts, FilePath, check_param, check_url
from tasks.config.incremental import Incremental
from tasks.config.jobs import Job
from tasks.config.pages import PagesSource
from tasks.config.pagination import PATHS, Pagination, SinglePagination
from tasks.config.places import check_place, list_placed
from tasks.config.sql import SqlSource
from tasks.config.tabled import Columns, Fetched, Tabled
from tasks.core.tables import quote_name


class ElementsTable(Tabled):
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


class ApiSource(Fetched):
    """Rows from an API."""

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
    job: Job | None = None
    """A report that the request only orders: how it is waited for, and where its file is, which is what answer says."""
    answer: AnyAnswer = JsonAnswer()
    """What the body of an answer is: JSON, or lines of it, CSV or XML; packed as gzip or in a .zip it is unpacked."""
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
        self._fits_answer()
        if self.job is not None and not isinstance(self.pagination, SinglePagination):
            raise ValueError("the file of a job is fetched whole; take pagination out")
        if self.job is not None and self.graphql is not None:
            raise ValueError("a query in GraphQL only reads, and makes no job; take graphql out, or job")
        return self

    def _fits_answer(self) -> None:
        """Raise where something is to be found in a body at a place that answers of its kind do not have."""
        answer = self.answer
        if isinstance(answer, JsonAnswer):
            return
        of_json = {name: getattr(self, name) for name in ("records_at", "id_column", "error_at", "graphql")}
        if not answer.is_typed:
            of_json["names"] = self.names
        if key := next((name for name, value in of_json.items() if value is not None), None):
            raise ValueError(f"{key} is of JSON, and answer is {answer.kind}; take {key} out")
        if self.shape != "records":
            raise ValueError(f"shape: {self.shape} is of JSON, and answer is {answer.kind}; take shape out")
        key = next((key for key in PATHS if getattr(self.pagination, key, None) is not None), None)
        if key is not None and not answer.has_paths:
            raise ValueError(
                f"pagination.{key} is a path in the body, and answer: {answer.kind} holds nothing but records; "
                "name a header, as cursor_header, pages_header or total_header, or use page, offset, keyset or link_header"
            )

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
    def needed_fields(self) -> Iterator[tuple[str, str, bool]]:
        """Yield the key and the path of each field of the records that something needs, and whether its hash will do."""
        yield from super().needed_fields
        if self.incremental is not None:
            yield "incremental.field", self.incremental.field, False
        if (value_at := getattr(self.pagination, "value_at", None)) is not None:
            yield "pagination.value_at", value_at, False
        if self.explode is not None:
            yield "explode", self.explode, False
        for name, table in self.tables.items():
            yield f"tables.{name}.explode", table.explode, False
            yield from ((f"tables.{name}.take.{own}", taken, True) for own, taken in table.take.items())
            within = [each for each in table.key if each not in table.take]
            yield from ((f"tables.{name}.key", f"{table.explode}.{each}", True) for each in within)

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


class FilesSource(Tabled):
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


PartedSource = ApiSource | PagesSource | SqlSource
"""A source whose rows are landed, partition by partition."""

Source = Annotated[ApiSource | PagesSource | SqlSource | FilesSource, Field(discriminator="kind")]
