"""Buckets that this process has opened as data folders: what of them is used is fetched first, and committed at the end."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from tasks.core.bucket.mirror import Mirror
from tasks.core.bucket.store import SCHEMES, Store, all_at_once
from tasks.core.bucket.units import Unit, list_units
from tasks.core.bucket.uses import Uses
from tasks.core.errors import ConfigError, StoreError

CACHE, CACHE_GB = "TIDEMILL_CACHE", "TIDEMILL_CACHE_GB"
_CACHE_GB = 20
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9@._/=+~-]")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)  # a Path has lost one of the slashes


@dataclass
class _Opened:
    """A mirror, and which units of it were fetched since it was opened."""

    mirror: Mirror
    uses: Uses
    fetched: set[Unit] = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)

    def fetch(self, unit: Unit) -> None:
        with self.lock:
            if unit not in self.fetched:
                self.uses.add(unit)  # before it is fetched: who makes room does not take it from then on
                self.mirror.fetch_unless_held(unit)
                self.fetched.add(unit)


_read_ahead: dict[str, bytes] = {}
_opened: dict[Path, _Opened] = {}


def address_of(path: Path | str) -> str | None:
    """Return a path as the address that it is; None where it is a path."""
    match = _ADDRESS.fullmatch(str(path).strip())
    return f"{match[1].lower()}://{match[2].rstrip('/')}" if match else None


def open_bucket(address: str) -> Path:
    """Return the folder on this machine that is the mirror of a bucket; nothing is asked yet.

    Raises:
        ConfigError: the address is of no bucket, or holds what proves who asks.
        StoreError: a package is not there.

    """
    scheme, _, rest = address.partition("://")
    if scheme not in SCHEMES:
        raise ConfigError(
            f"data: {scheme}:// is no bucket; name a folder, or an address that begins with s3://, gs:// or abfs://"
        )
    container = rest.partition("@")[0] if scheme.startswith("a") else rest
    if "@" in container or "?" in rest or ":" in rest:
        raise ConfigError("data: the address holds more than a bucket and a prefix; set credentials in the environment")
    if (match := _NOT_PLAIN.search(rest)) is not None or ".." in rest.split("/"):
        raise ConfigError(
            f"data: {address!r} has {match[0] if match else '..'!r} in it, which stores read in several ways; choose a prefix of "
            "letters, digits, -, _, . and /"
        )
    read_cache_limit()  # a wrong one is told before anything runs
    root = _place(address)
    if root not in _opened:
        _opened[root] = _Opened(Mirror.make(root, address), Uses(root))
    return root


def renew_folder(path: Path | str) -> Path:
    """Return a data folder as a path on this machine; of a bucket all is fetched anew that is used from now on."""
    if (address := address_of(path)) is None:
        return Path(path)
    root = open_bucket(address)
    _opened[root].fetched.clear()
    return root


def rebuild_stores() -> None:
    """Ask the buckets that this process has opened as who is asked for by now: credentials have come."""
    for root, opened in _opened.items():
        opened.mirror = Mirror.make(root, opened.mirror.store.address)


def bucket_of(root: Path, path: str) -> str:
    """Return the address below which a path of a data folder lies; empty where the path, or the folder, is one of this machine."""
    given = Path(path).expanduser()
    mirror = None if given.is_absolute() or ".." in given.parts else Mirror.at(root)
    return mirror.store.address if mirror else ""


def is_below(url: object) -> bool:
    """Return whether an address is that of an object below a bucket that this process has opened."""
    return isinstance(url, str) and any(url.startswith(f"{each.mirror.store.address}/") for each in _opened.values())


def open_object(url: str) -> BinaryIO:
    """Return an object below a bucket that this process has opened, as a file; one that was read ahead is not asked for again."""
    if (data := _read_ahead.pop(url, None)) is not None:
        return BytesIO(data)
    store, key = _place_of(url)
    return store.stream(key)


def read_ahead(urls: Iterable[str]) -> None:
    """Read small objects that are going to be opened, many at once: each alone takes as long as its answer is on its way."""

    def read(url: str) -> None:
        store, key = _place_of(url)
        with suppress(StoreError, OSError), store.stream(key) as stream:  # it is told when it is opened
            _read_ahead[url] = stream.read()

    all_at_once([partial(read, url) for url in urls if is_below(url)])


def _place_of(url: str) -> tuple[Store, str]:
    store = next(each.mirror.store for each in _opened.values() if url.startswith(f"{each.mirror.store.address}/"))
    return store, url.removeprefix(f"{store.address}/")


def fetch(root: Path, kind: str, name: str) -> None:
    """Have a unit of a data folder here, once since it was opened; one that is a folder and no more is here."""
    if (opened := _opened.get(root)) is not None:
        opened.fetch(Unit(kind, name))


def update_folder(folder: Path) -> None:
    """Have a folder of a data folder, as the models of a pipeline, here as it is in its bucket by now."""
    if (opened := _opened.get(folder.parent.parent)) is not None:
        opened.mirror.fetch_unless_held(Unit(folder.parent.name, folder.name))


def fetch_all(root: Path, kind: str) -> None:
    """Have all units of a kind here that the bucket has."""
    if (opened := _opened.get(root)) is not None:
        for unit in opened.mirror.list_stored(kind):
            opened.fetch(unit)


def list_names(root: Path, kind: str) -> list[str]:
    """Return the names of the units of a kind that the bucket of a data folder has; none of a folder that is in none."""
    opened = _opened.get(root)
    return [unit.name for unit in opened.mirror.list_stored(kind)] if opened else []


def read_of_each(root: Path, kind: str, path: Callable[[str], str]) -> list[bytes]:
    """Return the bytes of a file of each unit of a kind that the bucket of a data folder has, by its path for a name; no unit is fetched."""
    if (opened := _opened.get(root)) is None:
        return []
    units = opened.mirror.list_stored(kind)
    read = all_at_once([partial(opened.mirror.read_stored, unit, path(unit.name)) for unit in units])
    return [data for data in read if data is not None]


def mirror_of(root: Path) -> Mirror | None:
    """Return the mirror that this process has opened in a folder; None of a folder that is no more than that."""
    opened = _opened.get(root)
    return opened.mirror if opened else None


def upload_folder(folder: Path) -> None:
    """Have the files of a folder of a data folder in its bucket, each at its own path: as others put them there, for runs to read."""
    if (mirror := Mirror.at(folder.parent)) is None:
        return
    there = {each.key: each.size for each in mirror.store.list(folder.name)}
    for path in sorted(folder.rglob("*")):
        key = path.relative_to(folder.parent).as_posix()
        if path.is_file() and there.get(key) != path.stat().st_size:
            mirror.store.upload(key, path)


def commit_opened() -> None:
    """Commit what has changed in the buckets that this process has opened.

    Raises:
        StoreError: a bucket cannot be written, or another writer has committed the same.

    """
    for opened in list(_opened.values()):
        runs = {unit for unit in list_units(opened.mirror.root) if unit.kind == "runs"}
        opened.mirror.commit_all(sorted(runs | opened.fetched))
        opened.mirror.trim(read_cache_limit())


def read_cache_limit() -> int:
    """Return how many bytes of a bucket stay on this machine after a run, beside what it has used.

    Raises:
        ConfigError: the environment says something else than a number.

    """
    told = os.environ.get(CACHE_GB, str(_CACHE_GB))
    try:
        return int(float(told) * 10**9)
    except (ValueError, OverflowError):
        raise ConfigError(f"{CACHE_GB}: {told!r} is no number of gigabytes; write one, e.g. {_CACHE_GB}") from None


def _place(address: str) -> Path:
    """Return where the mirror of a bucket lies: the same place for the same address."""
    base = os.environ.get(CACHE) or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tidemill"
    return Path(base).expanduser().absolute() / hashlib.sha256(address.encode()).hexdigest()[:16]
