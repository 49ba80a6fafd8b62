"""What all kinds of sources share: what is asked of their tables, and how those are fetched that are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from tasks.config.auth import Auth, SecretReference, secret_references
from tasks.config.base import ConfigModel, NonEmpty
from tasks.config.checks import DeclaredCheck, as_warning
from tasks.config.columns import Column
from tasks.config.dates import Dates
from tasks.config.expressions import find_mistakes
from tasks.config.http import AllowHosts, Headers, Refresh, Requests
from tasks.config.limit import Limit
from tasks.config.parents import Child, Parent
from tasks.config.partitions import MOST_PARTITIONS, PartitionValues, count_values, names_beside
from tasks.config.privacy import Privacy, find_needed
from tasks.config.tls import Tls
from tasks.core.private_fields import PrivateFields

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


class Tabled(ConfigModel):
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
    def names_all_columns(self) -> bool:
        """Return whether there are no other columns than those that are declared."""
        return False

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
        clean, all_known = self.table.clean_names, self.names_all_columns
        for mistake in find_mistakes(columns, clean=clean, all_known=all_known):
            raise ValueError(mistake)
        return self

    @model_validator(mode="after")
    def _keeps_by_a_key(self) -> Tabled:
        if self.keep is not None and not self.key:
            raise ValueError(f"keep: {self.keep} is of rows with one key; add key: [id], or what identifies a row")
        return self


class Parted(Tabled):
    """What sources share whose rows are landed partition by partition."""

    partitions: dict[str, PartitionValues] = {}
    """Values to fetch one by one; a partition is one combination. `{name}` in a URL, or `:name` in a query of a database, takes the value."""
    refresh: Refresh | None = None
    """When what is landed is fetched again; without it only --fresh does."""

    @property
    def grows(self) -> bool:
        """Return whether each run asks only for what is newer than what is landed."""
        return getattr(self, "incremental", None) is not None

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

    @model_validator(mode="after")
    def _has_few_partitions(self) -> Self:
        number = math.prod(map(count_values, self.partitions.values()))
        if number > MOST_PARTITIONS:
            raise ValueError(
                f"partitions have {number:,} combinations, and a source may have {MOST_PARTITIONS:,}; "
                "fetch more with each, or split the source"
            )
        return self


class Fetched(Parted):
    """What sources that are fetched over HTTP share."""

    headers: Headers = {}
    """Headers of every request to the source's own host; they are stored with the run, so secrets belong in auth."""
    auth: Auth | None = None
    """How requests prove who asks; no other host than the source's own is told."""
    tls: Tls | None = None
    """Certificates of one's own: of the authorities that vouch for the hosts, and of who asks."""
    allow_hosts: AllowHosts = ()
    """Hosts that links, next addresses and redirects may lead to beside those of the source's own addresses, e.g. [cdn.example.com]; nothing is asked of others."""
    requests: Requests = Requests()
    """How the source's host is asked."""
    privacy: Privacy | None = None
    """Fields of the records that are dropped or hashed, or the only ones kept, before anything is written."""
    _private_fields: PrivateFields | None = PrivateAttr(default=None)

    def guarded(self, key: bytes) -> Self:
        """Return the same source whose records are without what is private; what is hashed is so by a key."""
        if self.privacy is None:
            return self
        known = self.model_copy()
        known._private_fields = self.privacy.fields(key, self._taken)  # noqa: SLF001 - the copy's own
        return known

    @property
    def private_fields(self) -> PrivateFields | None:
        """Return what takes private fields out of records; None where there are none."""
        assert self.privacy is None or self._private_fields is not None, "the source is not guarded"
        return self._private_fields

    @property
    def needed_fields(self) -> Iterator[tuple[str, str, bool]]:
        """Yield the key and the path of each field of the records that something needs, and whether its hash will do."""
        columns: Mapping[str, Column] = getattr(self, "columns", {})
        renamed = {column.rename: name for name, column in columns.items() if column.rename}
        for where, names in {
            "key": self.key,
            "table.partition_by": self.table.partition_by,
            "table.sort_by": self.table.sort_by,
        }.items():
            yield from ((where, renamed.get(name, name), True) for name in names if not self._is_made(name))
        for name, column in columns.items():
            if not self._is_made(name):
                yield f"columns.{name}", name, column.type in (None, "string")
        for name, values in self.partitions.items():
            yield from ((f"partitions.{each}", each, False) for each in (name, *names_beside(name, values)))

    @model_validator(mode="after")
    def _keeps_what_is_needed(self) -> Self:
        if self.privacy is not None:
            fates = [each for each in self.needed_fields if self._is_of_record(*each[:2])]
            for mistake in find_needed(self.privacy, fates):
                raise ValueError(mistake)
        return self

    def _is_of_record(self, key: str, path: str) -> bool:
        """Return whether privacy decides on a field: what partitions have, and what is taken of parents, need not be in a record, and it may have another name there."""
        assert self.privacy is not None
        is_cleaned = self.table.clean_names and not key.startswith("columns.")
        is_beside = is_cleaned or key.startswith("partitions.") or path in self._taken
        return not is_beside or self.privacy.fate(path) != "not kept"

    def _is_made(self, name: str) -> bool:
        """Return whether a column is made of others."""
        columns: Mapping[str, Column] = getattr(self, "columns", {})
        return name in columns and columns[name].expression is not None

    @property
    def _taken(self) -> list[str]:
        """Return the names of what each row has of its parents'."""
        return [name for parent in self.parents.values() for name in parent.take]

    @property
    def secret_places(self) -> dict[str, SecretReference]:
        """Return where each secret is held that requests need, by its key in the source, as auth.token or tls.key_password."""
        of_auth = secret_references(self.auth) if self.auth is not None else ()
        places = {f"auth.{key}": place for key, place in of_auth}
        if self.tls is not None and self.tls.key_password is not None:
            places["tls.key_password"] = self.tls.key_password
        return places

    def limited(self, limit: Limit | None) -> Self:
        """Return the same source of which a run takes little, and asks for little more than that at once."""
        if limit is None:
            return self
        names = ("start_in_flight", "min_in_flight", "max_in_flight")
        few = {name: min(getattr(self.requests, name), limit.number) for name in names}
        known = super().limited(limit)
        return known.model_copy(update={"requests": self.requests.model_copy(update=few)})

    @property
    def fixed_headers(self) -> Mapping[str, str]:
        """Return the headers that are the same for every request."""
        return self.headers
