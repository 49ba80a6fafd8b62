"""Partitions: the parts of a source that are fetched, retried and resumed one by one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import product
from string import Formatter
from typing import Any
from urllib.parse import quote

from tasks.config import ApiSource, Column, PagesSource, PartitionValues, Range, Scalar
from tasks.core.storage import fingerprint
from tasks.raw.files import PARTITION_CHARACTERS

WHOLE = "all"  # the name of the one partition of a source that declares none
_HASH_CHARACTERS = 12

# How a source is asked, by whom, how much and how often, and what becomes of its rows, does not change
# what it answers: these keys do not make a landed partition stale. A page's selectors do.
_ASIDE = {"requests", "key", "partitions", "refresh", "auth", "table", "checks", "keep"}
_ASIDE_OF_API: dict[str, Any] = {
    **dict.fromkeys(
        _ASIDE | {"columns", "explode", "explode_empty", "tables", "of", "take", "idempotent", "allow_hosts"}, True
    ),
    "pagination": {"max_pages", "max_rows"},
    "incremental": {"overlap"},
}
_ASIDE_OF_PAGES: dict[str, Any] = {
    **dict.fromkeys(_ASIDE | {"max_pages", "robots", "max_crawl_delay_s"}, True),
    "columns": {"__all__": set(Column.model_fields)},
}


@dataclass(frozen=True)
class Partition:
    """One combination of a source's partition values."""

    values: tuple[tuple[str, Scalar], ...]

    @property
    def name(self) -> str:
        """Return the partition's name, which is also its file's: `origin=EWR,month=1`."""
        name = ",".join(f"{quote(key, safe='')}={quote(str(value), safe='')}" for key, value in self.values) or WHOLE
        if len(name) <= PARTITION_CHARACTERS:
            return name
        digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_CHARACTERS]
        return f"{name[:PARTITION_CHARACTERS]}-{digest}"

    def fill(self, url: str) -> str:
        """Return `url` with this partition's values in its placeholders, quoted."""
        return url.format_map({key: quote(str(value), safe="") for key, value in self.values})

    def beyond(self, url: str, body: Any = None) -> dict[str, Scalar]:
        """Return the values that have no placeholder in `url`, nor in the JSON value `body`."""
        placeholders = {name for _, name, _, _ in Formatter().parse(url)}
        placeholders.update(_names_in(body, dict(self.values)))
        return {key: value for key, value in self.values if key not in placeholders}


def request_fingerprint(source: ApiSource | PagesSource, partition: Partition) -> str:
    """Return the fingerprint of all that decides what a partition's requests bring.

    A key that has its default counts as one that is left out: what a later version
    adds to the models does not make what is landed stale.
    """
    aside = _ASIDE_OF_API if isinstance(source, ApiSource) else _ASIDE_OF_PAGES
    kinds = [source.kind, source.pagination.kind if isinstance(source, ApiSource) else None]
    request = source.model_dump(mode="json", exclude=aside, exclude_defaults=True)
    if isinstance(source, PagesSource):
        request["columns"] = {name: request["columns"][name] for name in source.selected}
    return fingerprint([kinds, request, partition.values])


def list_partitions(source: ApiSource | PagesSource) -> list[Partition]:
    """Return every combination of a source's partition values once, the last key varying fastest."""
    keys = tuple(source.partitions)
    every = product(*(list_values(v) for v in source.partitions.values()))
    partitions = [Partition(tuple(zip(keys, values, strict=True))) for values in every]
    return list({partition.name: partition for partition in partitions}.values())


def list_values(values: PartitionValues) -> tuple[Scalar, ...]:
    """Return the values that a pipeline file declares, one by one or as a range."""
    return values.values() if isinstance(values, Range) else values


def fill_body(body: Any, partition: Partition) -> Any:
    """Return a JSON value with this partition's values in the placeholders of its texts.

    A text that is a placeholder alone takes the value with its type. Braces that name
    no partition stay as they are: a body may be a query in a language that has them.
    """
    values = dict(partition.values)
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
