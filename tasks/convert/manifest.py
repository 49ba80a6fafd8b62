"""The manifest of a table: which files it was made of, and with which types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow.parquet as pq

from tasks.convert.files import ConvertedFile, InputFile
from tasks.convert.types import TypeName, widen
from tasks.store import commit_json, hash_file, read_json

_NAME = "_manifest.json"  # readers of Parquet folders pass over names that begin with _


@dataclass(frozen=True)
class TableManifest:
    """What a committed table is made of; `fingerprint` is that of what was declared of it."""

    fingerprint: str
    types: dict[str, TypeName]
    files: dict[str, ConvertedFile]


def read_table_manifest(folder: Path) -> TableManifest:
    """Return the manifest of the table in `folder`; an empty one where there is none that can be read."""
    value = read_json(folder / _NAME)
    try:
        files = {name: ConvertedFile(**file) for name, file in value["files"].items()}
        return TableManifest(value["fingerprint"], value["types"], files)
    except (TypeError, KeyError, AttributeError):
        return TableManifest("", {}, {})


def commit_table_manifest(folder: Path, manifest: TableManifest) -> None:
    """Commit the manifest, which makes the parts count."""
    files = {name: asdict(file) for name, file in manifest.files.items()}
    commit_json(folder / _NAME, {"fingerprint": manifest.fingerprint, "types": manifest.types, "files": files})


def is_current(file: InputFile, manifest: TableManifest, folder: Path) -> bool:
    """Return whether a file's part is there, whole, and was made of the bytes the file has now."""
    converted = manifest.files.get(file.name)
    if converted is None or not is_whole(folder / converted.part, converted):
        return False
    status = file.path.stat()
    if status.st_size != converted.size:
        return False
    return status.st_mtime_ns == converted.mtime_ns or hash_file(file.path) == converted.sha256


def widen_all(files: Iterable[Mapping[str, TypeName]]) -> dict[str, TypeName]:
    """Return the types that hold the values of every file, columns in the order they are met; all-null ones are strings."""
    types: dict[str, TypeName] = {}
    for file in files:
        for name, type_name in file.items():
            types[name] = widen(types.get(name, "null"), type_name)
    return {name: "string" if type_name == "null" else type_name for name, type_name in types.items()}


def is_whole(part: Path, converted: ConvertedFile) -> bool:
    """Return whether a part is there with all of its rows."""
    try:
        return bool(pq.read_metadata(part).num_rows == converted.rows_table)
    except (OSError, ValueError):
        return False
