"""Partitions: the parts of a source that are fetched, retried and resumed one by one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import product
from string import Formatter
from typing import Any
from urllib.parse import quote

import httpx

from tasks.spec import ApiSource, PagesSource, PartitionValues, Range, Scalar
from tasks.store import fingerprint

WHOLE = "all"  # the name of the one partition of a source that declares none
_NAME_CHARACTERS = 120
_HASH_CHARACTERS = 12

# How a source is asked, and what is declared of its columns, does not change what it answers:
# these keys do not make a landed partition stale. A page's selectors do.
_ASIDE = {"requests": True, "key": True, "partitions": True}
_ASIDE_OF_API = {**_ASIDE, "columns": True, "auth": True}
_ASIDE_OF_PAGES = {**_ASIDE, "columns": {"__all__": {"type"}}}


@dataclass(frozen=True)
class Partition:
    """One combination of a source's partition values."""

    values: tuple[tuple[str, Scalar], ...]

    @property
    def name(self) -> str:
        """Return the partition's name, which is also its file's: `origin=EWR,month=1`."""
        name = ",".join(f"{quote(key, safe='')}={quote(str(value), safe='')}" for key, value in self.values) or WHOLE
        if len(name) <= _NAME_CHARACTERS:
            return name
        digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_CHARACTERS]
        return f"{name[:_NAME_CHARACTERS]}-{digest}"

    def fill(self, url: str) -> str:
        """Return `url` with this partition's values in its placeholders, quoted."""
        return url.format_map({key: quote(str(value), safe="") for key, value in self.values})

    def beyond(self, url: str) -> dict[str, Scalar]:
        """Return the values that have no placeholder in `url`."""
        placeholders = {name for _, name, _, _ in Formatter().parse(url)}
        return {key: value for key, value in self.values if key not in placeholders}


def request_fingerprint(source: ApiSource | PagesSource, partition: Partition) -> str:
    """Return the fingerprint of all that decides what a partition's requests bring."""
    aside: Any = _ASIDE_OF_API if isinstance(source, ApiSource) else _ASIDE_OF_PAGES
    return fingerprint([source.model_dump(mode="json", exclude=aside), partition.values])


def list_partitions(source: ApiSource | PagesSource) -> list[Partition]:
    """Return every combination of a source's partition values once, the last key varying fastest."""
    keys = tuple(source.partitions)
    every = product(*(_values(v) for v in source.partitions.values()))
    partitions = [Partition(tuple(zip(keys, values, strict=True))) for values in every]
    return list({partition.name: partition for partition in partitions}.values())


def first_url(source: ApiSource, partition: Partition) -> httpx.URL:
    """Return the address of a partition's first request, page number aside."""
    params = {**source.params, **partition.beyond(source.url)}
    return httpx.URL(partition.fill(source.url)).copy_merge_params(params)


def _values(values: PartitionValues) -> tuple[Scalar, ...]:
    return values.values() if isinstance(values, Range) else values
