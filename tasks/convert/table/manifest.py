"""The manifest of a table: which files it was made of, its parts, and their types."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from tasks.convert.parts.part import Part
from tasks.convert.schema.spelling import Spelling
from tasks.convert.schema.types import TypeName, Types, widen
from tasks.convert.staging.context import ConvertedFile
from tasks.core.checksums import Checksum
from tasks.core.storage import commit, fingerprint, json_reader
from tasks.core.tables import MANIFEST
from tasks.lineage.records import Made


@dataclass(frozen=True)
class TableManifest:
    """What a committed table is made of; `fingerprint` is that of what was declared of it.

    `files` are in the order in which their rows count. `checksums` are those of
    the files of the table's version, by their paths in it. `pipeline` is whose the
    table is, and `number` that of its version, which grows with each. `declared` is
    what a source of files says of how these rows are read. `inputs` are the tables
    that it is made of, and has no files then, or that tell of its partitions, each
    with the fingerprint of its rows; `texts` are the files of the function that made
    it, each with its hash.
    """

    fingerprint: str = ""
    types: dict[str, TypeName] = field(default_factory=dict)
    files: dict[str, ConvertedFile] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    checksums: dict[str, Checksum] = field(default_factory=dict)
    pipeline: str = ""
    number: int = 0
    declared: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    spellings: dict[str, Spelling] = field(default_factory=dict)
    """What the values of columns of texts are, but for a few; by the columns."""
    privacy: str = ""
    """The fingerprint of what was private of its rows."""
    made: Made = field(default_factory=Made)

    @property
    def total(self) -> int:
        """Return how many rows the table has."""
        return sum(part.total for part in self.parts.values())

    @property
    def rows(self) -> str:
        """Return the fingerprint of the table's rows."""
        return fingerprint({name: each.digest for name, each in self.checksums.items() if name.startswith("table/")})


read_manifest_file = json_reader(TableManifest)


def read_table_manifest(folder: Path) -> TableManifest:
    """Return the manifest of the table in `folder`; an empty one where there is none that can be read."""
    return read_manifest_file(folder / MANIFEST) or TableManifest()


def commit_table_manifest(folder: Path, manifest: TableManifest) -> None:
    """Commit the manifest, which makes the parts count."""
    with commit(folder / MANIFEST) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def copy_table_manifest(folder: Path, copy: Path) -> None:
    """Commit a copy of a table's manifest, unless it is there."""
    written = (folder / MANIFEST).read_bytes()
    with suppress(OSError):
        if copy.read_bytes() == written:
            return
    with commit(copy) as part:
        part.write_bytes(written)


def widen_all(parts: Iterable[Types]) -> dict[str, TypeName]:
    """Return the types that hold the values of every part, columns in the order they are met."""
    types: dict[str, TypeName] = {}
    for part in parts:
        for name, type_name in part.items():
            types[name] = widen(types.get(name, "null"), type_name)
    return types


def has_all_rows(path: Path, part: Part) -> bool:
    """Return whether a part is there with all of its rows."""
    try:
        return bool(pq.read_metadata(path).num_rows == part.total)
    except (OSError, ValueError):
        return False
