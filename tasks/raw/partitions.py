"""Partitions: the parts of a source that are fetched, retried and resumed one by one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from itertools import product
from string import Formatter
from typing import Any, assert_never
from urllib.parse import quote, unquote

from tasks.config import (
    ApiSource,
    Child,
    Column,
    Dates,
    PagesSource,
    Parent,
    PartedSource,
    PartitionValues,
    Range,
    Scalar,
    SqlSource,
)
from tasks.config.dates import Interval
from tasks.config.tabled import Parted
from tasks.core.errors import PermanentSourceError
from tasks.core.storage import fingerprint
from tasks.raw.files import PARTITION_CHARACTERS

WHOLE = "all"  # the name of the one partition of a source that declares none
_DOTS = {".", ".."}
_HASH_CHARACTERS = 12

# How a source is asked, by whom, how much and how often, and what becomes of its rows, does not change
# what it answers: these keys do not make a landed partition stale. A page's selectors do.
_ASIDE = {"requests", "key", "partitions", "refresh", "auth", "table", "checks", "keep"}
_SECRET_OF_HASHES = {"privacy": {"hash": {"secret"}}}
_ASIDE_OF_API: dict[str, Any] = {
    **dict.fromkeys(
        _ASIDE | {"columns", "explode", "explode_empty", "tables", "of", "take", "idempotent", "allow_hosts", "tls"},
        True,
    ),
    "pagination": {"max_pages", "max_rows"},
    **_SECRET_OF_HASHES,
    "incremental": {"overlap"},
    "job": {"poll"},
}
_ASIDE_OF_SQL: dict[str, Any] = {
    **dict.fromkeys(_ASIDE | {"columns", "password", "connections", "timeout", "attempts"}, True),
    "incremental": {"overlap"},
}
_ASIDE_OF_PAGES: dict[str, Any] = {
    **dict.fromkeys(_ASIDE | {"max_pages", "robots", "max_crawl_delay_s", "tls"}, True),
    "columns": {"__all__": set(Column.model_fields)},
    "render": {"browser", "timeout_s", "at_once"},
    **_SECRET_OF_HASHES,
}


@dataclass(frozen=True)
class PartitionValue:
    """One value of a name: what is in requests for it, and the text by which slices know it."""

    value: Scalar
    known_as: str
    beside: tuple[tuple[str, Scalar], ...] = ()
    """What else of it requests may take, by names."""
    begins_at: datetime | None = None
    """When there is anything of it; None where there is now."""
    settled_at: datetime | None = None
    """When it changes no more."""
    taken: tuple[tuple[str, Scalar | bool | None], ...] = ()
    """What each row of it has too, by names."""


@dataclass(frozen=True)
class Partition:
    """One combination of a source's partition values."""

    values: tuple[tuple[str, Scalar], ...]
    beside: tuple[tuple[str, Scalar], ...] = ()
    """What requests may take beside the values, by names."""
    begins_at: datetime | None = None
    """When there is anything of it; None where that is not known."""
    settled_at: datetime | None = None
    """When what is fetched of it changes no more: one that was fetched before is fetched again; None where it is not known to change."""
    known_as: tuple[tuple[str, str], ...] = ()
    """The texts by which slices know those values that are not known by themselves."""
    taken: tuple[tuple[str, Scalar | bool | None], ...] = ()
    """What each row of it has too, by names."""

    @classmethod
    def of(cls, names: Collection[str], values: Collection[PartitionValue]) -> Partition:
        """Return the combination of a value of each name."""
        pairs = list(zip(names, values, strict=True))
        return cls(
            tuple((name, each.value) for name, each in pairs),
            tuple(pair for each in values for pair in each.beside),
            max((each.begins_at for each in values if each.begins_at), default=None),
            min((each.settled_at for each in values if each.settled_at), default=None),
            tuple((name, each.known_as) for name, each in pairs if each.known_as != str(each.value)),
            tuple(pair for each in values for pair in each.taken),
        )

    @cached_property
    def name(self) -> str:
        """Return the partition's name, which is also its file's: `origin=EWR,month=1`."""
        name = ",".join(f"{quote(key, safe='')}={quote(str(value), safe='')}" for key, value in self.values) or WHOLE
        if len(name) <= PARTITION_CHARACTERS:
            return name
        digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_CHARACTERS]
        return f"{name[:PARTITION_CHARACTERS]}-{digest}"

    def fill(self, url: str) -> str:
        """Return `url` with this partition's values in its placeholders, quoted.

        Raises:
            PermanentSourceError: a part of the path would be . or .., which is another address.

        """
        filled = url.format_map({key: quote(str(value), safe="") for key, value in self.placeholders.items()})
        if dots := _DOTS & {*filled.partition("?")[0].split("/")} - {*url.split("/")}:
            raise PermanentSourceError(
                f"the partition's values make {dots.pop()!r} of a part of {url}, which leads to another address; leave them out"
            )
        return filled

    @property
    def placeholders(self) -> dict[str, Scalar]:
        """Return all that requests may take, by names."""
        return {**dict(self.values), **dict(self.beside)}

    def beyond(self, url: str, *sent: Any) -> dict[str, Scalar]:
        """Return the values that have no placeholder in `url`, nor in the JSON values that are sent with it."""
        placeholders = {name for _, name, _, _ in Formatter().parse(url)}
        placeholders.update(name for each in sent for name in _names_in(each, self.placeholders))
        return {key: value for key, value in self.values if key not in placeholders}


class _Same:
    """A source as itself: two that are alike are two, so that nothing of them is compared."""

    def __init__(self, source: PartedSource) -> None:
        self.source = source

    def __hash__(self) -> int:
        return id(self.source)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.source is self.source


def request_fingerprint(source: PartedSource, partition: Partition) -> str:
    """Return the fingerprint of all that decides what a partition's requests bring.

    A key that has its default counts as one that is left out: what a later version
    adds to the models does not make what is landed stale.
    """
    kinds, request, names = _requested(_Same(source))
    beside = [pair for pair in partition.beside if pair[0] in names]
    more = [each for each in (beside, {"taken": partition.taken} if partition.taken else None) if each]
    return fingerprint([kinds, request, partition.values, *more])


@lru_cache(maxsize=16)
def _requested(same: _Same) -> tuple[list[str | None], dict[str, Any], set[str]]:
    """Return what of a source decides what its requests bring, and the names in their placeholders: the same for each partition."""
    source = same.source
    if isinstance(source, SqlSource):
        request = source.model_dump(mode="json", exclude=_ASIDE_OF_SQL, exclude_defaults=True)
        return [source.kind], request, {*source.placeholders}
    aside = _ASIDE_OF_API if isinstance(source, ApiSource) else _ASIDE_OF_PAGES
    kinds = [source.kind, source.pagination.kind if isinstance(source, ApiSource) else None]
    request = source.model_dump(mode="json", exclude=aside, exclude_defaults=True)
    if isinstance(source, PagesSource):
        request["columns"] = {name: request["columns"][name] for name in source.selected}
    addresses = (source.url,) if isinstance(source, ApiSource) else source.addresses
    names = {name for address in addresses for _, name, _, _ in Formatter().parse(address) if name}
    sent = source.texts if isinstance(source, ApiSource) else []
    return kinds, request, {*names, *_names_in(sent, source.placeholders)}


def read_name(name: str) -> Partition:
    """Return the partition that a name is of, its values as texts; of a name that was cut, those that it begins with."""
    pairs = [pair.partition("=") for pair in name.split(",") if "=" in pair]
    return Partition(tuple((unquote(key), unquote(value)) for key, _, value in pairs))


def list_partitions(source: Parted) -> list[Partition]:
    """Return every combination of a source's partition values once, the last key varying fastest."""
    every = product(*(list_values(name, values) for name, values in source.partitions.items()))
    partitions = [Partition.of(source.partitions, values) for values in every]
    return list({partition.name: partition for partition in partitions}.values())


def list_values(name: str, values: PartitionValues) -> list[PartitionValue]:
    """Return the values that there are of a name: declared one by one, as a range or as dates, or found in a parent's table."""
    match values:
        case Parent():
            assert values.children is not None, "the table is not asked yet"
            return [_value_of_child(child) for child in values.children]
        case Dates():
            return [_value_of_date(name, values, interval) for interval in values.intervals()]
        case Range():
            return [_value_of_range(name, values, value) for value in values.values()]
        case tuple():
            return [PartitionValue(value, str(value)) for value in values]
        case _:
            assert_never(values)


def _value_of_child(child: Child) -> PartitionValue:
    texts = {None: "", True: "true", False: "false"}
    beside = tuple(
        (name, texts[each] if each is None or isinstance(each, bool) else each) for name, each in child.taken
    )
    return PartitionValue(child.value, str(child.value), beside, taken=child.taken)


def _value_of_range(name: str, values: Range, first: int) -> PartitionValue:
    last = values.last_of(first)
    beside: tuple[tuple[str, Scalar], ...] = ((f"{name}_end", last + 1), (f"{name}_last", last))
    return PartitionValue(first, str(first), beside if values.every > 1 else ())


def _value_of_date(name: str, dates: Dates, interval: Interval) -> PartitionValue:
    begin, end = interval.begin, interval.end
    beside = ((f"{name}_end", dates.write(end)), (f"{name}_last", dates.write(end - timedelta(seconds=1))))
    return PartitionValue(dates.write(begin), dates.write_plain(begin), beside, begin, end + dates.lookback)


def fill_texts(body: Any, partition: Partition) -> Any:
    """Return a JSON value with this partition's values in the placeholders of its texts.

    A text that is a placeholder alone takes the value with its type. Braces that name
    no partition stay as they are: a body may be a query in a language that has them.
    """
    values = partition.placeholders
    placeholder = _placeholder(values)

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [fill(inner) for inner in value]
        if not isinstance(value, str):
            return value
        alone = placeholder.fullmatch(value)
        return values[alone["name"]] if alone else placeholder.sub(lambda match: str(values[match["name"]]), value)

    return fill(body)


def _names_in(body: Any, names: Collection[str]) -> Iterator[str]:
    """Yield the partition names that stand as placeholders in the texts of a JSON value."""
    if isinstance(body, str):
        yield from (match["name"] for match in _placeholder(names).finditer(body))
    elif isinstance(body, dict | list):
        for inner in body.values() if isinstance(body, dict) else body:
            yield from _names_in(inner, names)


def _placeholder(names: Collection[str]) -> re.Pattern[str]:
    """Return the pattern of a placeholder of one of some names; of none, where there are none."""
    return re.compile(rf"\{{(?P<name>{'|'.join(map(re.escape, names))})\}}" if names else r"(?!)(?P<name>)")
