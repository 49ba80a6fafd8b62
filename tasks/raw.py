"""Raw files: rows as received, one JSON line each, compressed, committed whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import pyarrow as pa

from tasks.store import commit, commit_json, read_json

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

RAW_SUFFIX = ".jsonl.zst"
_MANIFEST_SUFFIX = ".json"


@dataclass(frozen=True)
class RawManifest:
    """What is known of a landed partition; `fingerprint` is that of the request that landed it."""

    fingerprint: str
    rows: int
    pages: int
    file_bytes: int
    landed_at: str


def raw_path(folder: Path, partition: str) -> Path:
    """Return the path of a partition's raw file."""
    return folder / f"{partition}{RAW_SUFFIX}"


def read_manifest(raw: Path) -> RawManifest | None:
    """Return the manifest of a raw file; None unless the file is there, as long as it says."""
    value = read_json(_manifest_path(raw))
    try:
        manifest = RawManifest(**value)
        return manifest if raw.stat().st_size == manifest.file_bytes else None
    except (TypeError, FileNotFoundError):
        return None


async def write_raw(raw: Path, pages: AsyncIterator[list[Any]], fingerprint: str) -> RawManifest:
    """Commit the records of `pages`, in order, and then the manifest, which makes them count."""
    writer = _RawWriter(raw)
    count = 0
    try:
        await _in_thread(writer.start)
        async for records in pages:
            await _in_thread(writer.write, records)
            count += 1
    except BaseException as error:
        await _in_thread(writer.finish, error)
        raise
    await _in_thread(writer.finish, None)
    return await _in_thread(_commit_manifest, raw, fingerprint, writer.rows, count)


async def _in_thread(call: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
    """Call in a thread; when cancelled, wait for the call's end first: the stream and its file are the thread's until then."""
    work = asyncio.create_task(asyncio.to_thread(call, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


class _RawWriter:
    """Writes JSON lines into a zstd file that replaces `raw` when finished without an error."""

    def __init__(self, raw: Path) -> None:
        self.rows = 0
        self._raw = raw
        self._stack = ExitStack()

    def start(self) -> None:
        part = self._stack.enter_context(commit(self._raw))
        self._stream = self._stack.enter_context(pa.CompressedOutputStream(str(part), "zstd"))

    def write(self, records: list[Any]) -> None:
        self.rows += len(records)
        lines = (json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records)
        self._stream.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"))

    def finish(self, error: BaseException | None) -> None:
        if error is None:
            # What is there stops counting just before it is replaced: a run killed in between lands it again.
            _manifest_path(self._raw).unlink(missing_ok=True)
        self._stack.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)


def _commit_manifest(raw: Path, fingerprint: str, rows: int, pages: int) -> RawManifest:
    landed_at = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = RawManifest(fingerprint, rows, pages, raw.stat().st_size, landed_at)
    commit_json(_manifest_path(raw), asdict(manifest))
    return manifest


def _manifest_path(raw: Path) -> Path:
    return raw.with_name(raw.name.removesuffix(RAW_SUFFIX) + _MANIFEST_SUFFIX)
