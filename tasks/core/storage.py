"""Where data lies, and how a file is committed: all or nothing."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tasks.core.bucket.opened import (
    address_of,
    bucket_of,
    fetch,
    fetch_all,
    list_names,
    mirror_of,
    open_bucket,
    read_of_each,
)
from tasks.core.errors import ConfigError
from tasks.core.tables import MANIFEST, is_table, table_of

Value = TypeVar("Value")

_CURES = {
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "a file is where a folder should be: move it away"),
    **dict.fromkeys((errno.EISDIR, errno.ENOTEMPTY), "a folder is where a file should be: move it away"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "give the right to read and write there"),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room there"),
}
_LEFTOVER = re.compile(r"^\..+\.(?P<pid>\d+)\.part(?:\.wal)?$")  # DuckDB has its log beside what it writes


@dataclass(frozen=True)
class DataFolder:
    """The data folder of a run; every path below it is named here."""

    root: Path

    @classmethod
    def at(cls, path: Path) -> DataFolder:
        """Return the data folder at `path`, made absolute: workers and later runs need not share a working directory.

        Of one at the address of a bucket that is its mirror, to which what is used is fetched as it is named.

        Raises:
            ConfigError: it is an address of no bucket, or its path has a backslash, which DuckDB takes for the end of
                a folder's name.
            StoreError: the bucket's store needs a package that is not there.

        """
        if address := address_of(path):
            return cls(open_bucket(address))
        if "\\" in str(path.absolute()):
            raise ConfigError(
                f"{path.absolute()}: has a backslash, and SQL reads no such path; choose another data folder"
            )
        return cls(path.absolute())

    def fetch(self, kind: str, name: str) -> None:
        """Have a part of a bucket here, once since it was opened; of a folder that is no mirror of one all is here."""
        fetch(self.root, kind, name)

    def fetch_all(self, kind: str) -> None:
        """Have all parts of a kind here that a bucket has, as the models of all pipelines."""
        fetch_all(self.root, kind)

    @property
    def shown(self) -> str:
        """Return where it lies, as a person knows it: a bucket's address with its mirror."""
        mirror = mirror_of(self.root)
        return f"{mirror.store.address} (here {self.root})" if mirror else str(self.root)

    def is_at(self, path: Path, here: Path) -> bool:
        """Return whether a path, or an address, names this data folder; a relative path is one from `here`."""
        if address := address_of(path):
            return address == bucket_of(self.root, ".")
        return here / path == self.root

    def limited(self, number: int) -> DataFolder:
        """Return the data folder of runs that take so little of each source, which is never taken for that of the others."""
        return DataFolder(self.root / f"limit-{number}")

    @staticmethod
    def find_mistake(path: Path) -> str | None:
        """Return what is wrong with the path of a data folder, which need not be there, and the cure; None of a right one."""
        return f"--data: {path} is a file; name a folder" if path.exists() and not path.is_dir() else None

    def raw(self, source: str) -> Path:
        """Return the folder of what was received from a source, as received."""
        self.fetch("raw", source)
        return self.root / "raw" / source

    def table(self, source: str) -> Path:
        """Return the folder of a source's Parquet parts."""
        self.fetch("tables", source)
        return self.root / "tables" / source

    def versions(self, source: str) -> Path:
        """Return the folder of the versions of a source's table, of which one counts."""
        self.fetch("tables", source)
        return self.root / ".tables" / source

    def manifest(self, source: str) -> Path:
        """Return the path of the copy of a table's manifest, which outlives the table."""
        self.fetch("tables", source)
        return self.root / ".manifests" / f"{source}.json"

    def tables(self, wanted: Collection[str] | None = None) -> dict[str, Path]:
        """Return the folder of every table that is there, by name; of a bucket only those `wanted` are fetched, if these are told."""
        names = self.table_names()
        for name in names if wanted is None else wanted:
            self.fetch("tables", name)
        taken = names if wanted is None or mirror_of(self.root) is None else sorted(wanted)
        folders = {name: self.root / "tables" / name for name in taken}
        return {name: folder for name, folder in folders.items() if is_table(folder)}

    def table_names(self) -> list[str]:
        """Return the names of the tables that are there, or in the bucket, of which nothing is fetched."""
        return self._names("tables")

    def model_names(self) -> list[str]:
        """Return the names of the pipelines of which models are there, or in the bucket, of which nothing is fetched."""
        return self._names("models")

    def _names(self, kind: str) -> list[str]:
        here = (folder.name for folder in (self.root / kind).glob("*/"))
        return sorted({*here, *list_names(self.root, kind)})

    def read_manifests(self) -> list[bytes]:
        """Return the manifest of every table that is there, or in the bucket, of which nothing else is fetched."""
        if mirror_of(self.root) is not None:
            return read_of_each(self.root, "tables", lambda name: f".manifests/{name}.json")
        manifests = (self.root / "tables" / name / MANIFEST for name in self.table_names())
        return [path.read_bytes() for path in manifests if path.is_file()]

    def rejects(self, source: str) -> Path:
        """Return the folder of the rows that could not enter a source's table."""
        self.fetch("tables", source)
        return self.root / "rejects" / source

    def training(self, pipeline: str) -> Path:
        """Return the folder of a pipeline's training set."""
        return self.root / "training" / pipeline

    def models(self, pipeline: str) -> Path:
        """Return the folder of a pipeline's candidates, versions and champion."""
        self.fetch("models", pipeline)
        return self.root / "models" / pipeline

    def predictions(self, pipeline: str) -> Path:
        """Return the folder of what a pipeline's champion predicted."""
        self.fetch("predictions", pipeline)
        return self.root / "predictions" / pipeline

    def truth(self, pipeline: str) -> Path:
        """Return the folder of a pipeline's predictions until their truth is known, and of what they score then."""
        self.fetch("truth", pipeline)
        return self.root / "truth" / pipeline

    def export(self, target: str) -> Path:
        """Return the folder of what is known of a target that a table was written to, by the fingerprint of its name."""
        self.fetch("exports", target)
        return self.root / ".exports" / target

    @property
    def kept(self) -> tuple[Path, ...]:
        """Return the folders that runs alone write to, and read again."""
        return tuple(
            self.root / name
            for name in (
                "raw",
                "tables",
                ".tables",
                ".manifests",
                "rejects",
                "training",
                "models",
                "truth",
                ".exports",
                "runs",
                "history",
            )
        )

    def find_guarded(self, place: Path) -> str | None:
        """Return that a path is not to be written to, as it is in what runs alone write to; None of another one."""
        place = place.resolve()
        if (table := table_of(place)) is not None:
            return f"is in the table {table}, which only its own run may change; name a file elsewhere"
        for kept in self.kept:
            if place.is_relative_to(kept.resolve()):
                return f"is in {kept}, which only runs may change; name a file elsewhere"
        return None

    @property
    def history(self) -> Path:
        """Return the folder of the figures of all runs, a part a pipeline."""
        return self.root / "history"

    def run(self, flow_run_id: str) -> Path:
        """Return the folder of what is kept of a run."""
        return self.root / "runs" / flow_run_id

    def run_summary(self, flow_run_id: str) -> Path:
        """Return the path of a run's summary."""
        return self.run(flow_run_id) / "summary.json"

    def last_summary(self, pipeline: str) -> Path:
        """Return the path of the link to the summary of a pipeline's last run."""
        return self.root / "runs" / f"{pipeline}.json"

    @property
    def summary(self) -> Path:
        """Return the path of the link to the last run's summary, whichever its pipeline."""
        return self.root / "summary.json"


@contextmanager
def commit(path: Path) -> Iterator[Path]:
    """Yield a path beside `path`, where nothing is, to write to; on success fsync it and rename it into place.

    On any error, an interrupt included, the half-written file is removed and
    whatever stood at `path` is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)  # of a killed process that had our number, as each has in a container
    try:
        yield part
        fsync(part)
        part.replace(path)
        fsync(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def commit_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder beside `folder` to fill; on success fsync its files and rename it into place.

    On any error, an interrupt included, the half-filled folder is removed.
    `folder` must not be there yet: a folder that is not empty is never replaced.
    """
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)  # as above
    part.mkdir(parents=True)
    try:
        yield part
        for path in (*part.rglob("*"), part):
            fsync(path)
        part.rename(folder)
        fsync(folder.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def commit_json(path: Path, value: Any) -> None:
    """Commit a value as indented JSON."""
    with commit(path) as part:
        write_json(part, value)


def commit_link(link: Path, target: Path) -> None:
    """Have `link` lead to a file, by a path that stays right where both are moved together; it takes the place of what was there."""
    part = link.with_name(f".{link.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)  # as in commit
    part.symlink_to(os.path.relpath(target, link.parent))
    part.replace(link)
    fsync(link.parent)


def write_json(path: Path, value: Any, indent: int | None = 2) -> None:
    """Write a value as JSON; half a surrogate pair, which UTF-8 has not, is written as JSON escapes it."""
    text = json.dumps(value, indent=indent, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def read_json(path: Path) -> Any:
    """Return the JSON value at `path`, or None where there is none that can be read.

    Only our own manifests are read with it: a damaged one is as good as absent,
    and the work it described is done again.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def json_reader(kind: type[Value]) -> Callable[[Path | bytes], Value | None]:
    """Return what reads the JSON value at a path, or of bytes, as a dataclass: None where there is none, or one of another shape.

    As with `read_json`, a damaged manifest is as good as absent. Keys that `kind`
    has not are passed over: a later version may have written them. A field of it
    may be a pydantic model, which has its own rules, or a path.

    To be made where the module is imported: msgspec 0.22 crashes the process when
    two threads meet a dataclass for the first time at once.
    """
    decoder = msgspec.json.Decoder(kind, dec_hook=_validate)

    def read(given: Path | bytes) -> Value | None:
        try:
            data = given if isinstance(given, bytes) else given.read_bytes()
            try:
                return decoder.decode(data)
            except msgspec.ValidationError:
                return None
            except msgspec.DecodeError:  # such as NaN, which only Python's reader takes
                return msgspec.convert(json.loads(data), kind, dec_hook=_validate)
        except (OSError, ValueError):  # msgspec's own, and that of a text which is not UTF-8
            return None

    return read


def _validate(kind: type[Any], value: Any) -> Any:
    return kind(value) if kind is Path else kind.model_validate(value)


def remove_stale_temp_files(folder: Path) -> None:
    """Remove the part files and folders that killed runs left below `folder`; those of live processes stay."""
    for part in list_leftovers(folder):
        shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)


def list_leftovers(folder: Path) -> list[Path]:
    """Return the part files and folders that killed runs left below `folder`; those of live processes are none."""
    if not folder.is_dir():
        return []
    return [part for part in sorted(folder.rglob(".*.part*")) if is_leftover(part)]


def is_leftover(part: Path) -> bool:
    """Return whether a path is a part file or folder that a killed run left; that of a live process is none."""
    match = _LEFTOVER.match(part.name)
    return match is not None and not process_lives(int(match["pid"]))


def fingerprint(value: Any) -> str:
    """Return the SHA-256, in hex, of a JSON-able value in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def hash_file(path: Path) -> str:
    """Return the SHA-256, in hex, of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync(path: Path) -> None:
    """Have a file's bytes, or a folder's names, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def explain_disk_failure(error: OSError, place: Path) -> str:
    """Return the sentence that says what failed on the disk, and what to do; `place` is where, unless the error tells."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    cure = _CURES.get(error.errno or 0, "make room there, or give the right to write")
    return f"{error.filename2 or error.filename or place} cannot be written ({reason}); {cure}"


def process_lives(pid: int) -> bool:
    """Return whether a process of this machine has this number."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
