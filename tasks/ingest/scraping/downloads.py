"""Files that rows lead to: kept once beside the raw files, by what is in them, with what they are as columns."""

from __future__ import annotations

import asyncio
import hashlib
import json
import mimetypes
import re
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec

from tasks.core.concurrency import gather_all, in_thread
from tasks.core.storage import commit

_KNOWN = ".known"
_WRITING = threading.Lock()  # files of the same bytes have one place, and what is written beside it one name
_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}$")

Bring = Callable[[httpx.URL], Awaitable[httpx.Response | str]]
"""Returns the answer of an address, or why there is none."""


class StoredFile(NamedTuple):
    """A file that is kept: its path below the folder of its source, its size, and its media type, as its server has it."""

    path: str
    bytes: int
    type: str | None


class Downloads:
    """The files of one source; `into` is their folder, and what their columns begin with.

    With `anew` what a run before has kept is asked for again.
    """

    def __init__(self, folder: Path, into: str, *, anew: bool) -> None:
        self._folder = folder
        self._into = into
        self._anew = anew
        self._found: dict[str, StoredFile | str] = {}
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def add_to(
        self, lines: Sequence[bytes], files: Sequence[httpx.URL | None], bring: Bring
    ) -> tuple[list[bytes], list[str]]:
        """Return rows with the columns of their files, and why some have none; the files are on the disk then."""
        found = await gather_all(files, partial(self._keep, bring))
        rejects = [f"download: {url}: {why}" for url, why in zip(files, found, strict=True) if isinstance(why, str)]
        return [self._with(line, each) for line, each in zip(lines, found, strict=True)], list(dict.fromkeys(rejects))

    def _with(self, line: bytes, file: StoredFile | str | None) -> bytes:
        """Return a row, a JSON object, with the columns of its file."""
        told = file if isinstance(file, StoredFile) else StoredFile("", 0, None)
        values = told._asdict() if isinstance(file, StoredFile) else dict.fromkeys(told._fields)
        columns = {f"{self._into}_{name}": value for name, value in values.items()}
        return (
            line[:-1]
            + (b"" if line == b"{}" else b",")
            + json.dumps(columns, ensure_ascii=False, separators=(",", ":")).encode()[1:]
        )

    async def _keep(self, bring: Bring, url: httpx.URL | None) -> StoredFile | str | None:
        """Return a file, which is asked for once, however many rows have it."""
        if url is None:
            return None
        address = str(url)
        async with self._asking[address]:
            if address not in self._found:
                self._found[address] = await self._fetch(url, bring)
            return self._found[address]

    async def _fetch(self, url: httpx.URL, bring: Bring) -> StoredFile | str:
        if not self._anew and (known := await in_thread(self._find, str(url))) is not None:
            return known
        response = await bring(url)
        return response if isinstance(response, str) else await in_thread(self._store, url, response)

    def _find(self, address: str) -> StoredFile | None:
        """Return a file that is there whole, and was asked for by this address."""
        try:
            known = msgspec.json.decode(self._known(address).read_bytes(), type=StoredFile)
            is_whole = (self._folder / known.path).stat().st_size == known.bytes
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return known if is_whole else None

    def _store(self, url: httpx.URL, response: httpx.Response) -> StoredFile:
        content = response.content
        kind = _TYPE.match(response.headers.get("Content-Type", ""))
        type_ = kind[0].lower() if kind else None
        suffix = _SUFFIX.search(url.path)
        ending = (mimetypes.guess_extension(type_) if type_ else None) or (suffix[0].lower() if suffix else "")
        name = f"{hashlib.sha256(content).hexdigest()}{ending}"
        _write(self._folder / self._into / name, content)
        stored = StoredFile(f"{self._into}/{name}", len(content), type_)
        _write(self._known(str(url)), msgspec.json.encode(stored))
        return stored

    def _known(self, address: str) -> Path:
        return self._folder / self._into / _KNOWN / hashlib.sha256(address.encode()).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Write a file, and put it there whole."""
    with _WRITING, commit(path) as part:
        part.write_bytes(content)
