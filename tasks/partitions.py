"""Partitions: the parts of a source that are fetched, retried and resumed one by one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import product
from string import Formatter
from urllib.parse import quote

import httpx

from tasks.spec import ApiSource, PagesSource
from tasks.spec.sources import PartitionValues, Range, Scalar

WHOLE = "all"  # the name of the one partition of a source that declares none
_NAME_CHARACTERS = 120
_HASH_CHARACTERS = 12


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
