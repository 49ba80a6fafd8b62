"""Raw files: every record as received, and all of them or none."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tasks.raw import RawManifest, raw_path, read_manifest, write_raw
from tests.ingest.sources import list_files, read_rows


async def pages_of(*pages: list[Any]) -> AsyncIterator[list[Any]]:
    """Yield pages of records."""
    for page in pages:
        yield page


async def test_records_are_kept_as_received(tmp_path: Path) -> None:
    """Each record is one line, in order, with its types; the manifest counts rows, pages and bytes."""
    records = [{"a": 1, "b": "Zürich\nline"}, [1, None], "text", 1.5, True, {}, {"n": 10**30}]
    raw = raw_path(tmp_path / "new", "part=a")

    manifest = await write_raw(raw, pages_of(records[:2], [], records[2:]), "f")

    assert read_rows(raw) == records
    assert (
        manifest
        == await asyncio.to_thread(read_manifest, raw)
        == RawManifest("f", 7, 3, raw.stat().st_size, manifest.landed_at)
    )
    assert list_files(tmp_path) == ["part=a.json", "part=a.jsonl.zst"]
    assert json.loads((tmp_path / "new" / "part=a.json").read_text(encoding="utf-8"))["rows"] == 7


async def test_no_pages_are_a_file_of_no_rows(tmp_path: Path) -> None:
    """A partition without rows is landed all the same."""
    raw = raw_path(tmp_path, "all")

    manifest = await write_raw(raw, pages_of(), "f")

    assert (manifest.rows, manifest.pages, read_rows(raw)) == (0, 0, [])


async def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """A second landing replaces the rows and the manifest of the first."""
    raw = raw_path(tmp_path, "all")
    await write_raw(raw, pages_of([1, 2, 3]), "old")

    await write_raw(raw, pages_of([4]), "new")

    manifest = await asyncio.to_thread(read_manifest, raw)
    assert manifest is not None
    assert (manifest.fingerprint, manifest.rows, read_rows(raw)) == ("new", 1, [4])


async def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    """When a page fails, what was written of the others is removed, and the old rows count as before."""
    raw = raw_path(tmp_path, "all")
    await write_raw(raw, pages_of([1]), "old")

    async def failing() -> AsyncIterator[list[Any]]:
        yield [1] * 100_000
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        await write_raw(raw, failing(), "new")

    assert (list_files(tmp_path), read_rows(raw)) == (["all.json", "all.jsonl.zst"], [1])


async def test_a_writing_that_is_cut_off_leaves_no_part(tmp_path: Path) -> None:
    """Cancelled while a page is being written, the file is closed only when the writing has ended."""
    begun = asyncio.Event()

    async def large() -> AsyncIterator[list[Any]]:
        begun.set()
        yield [os.urandom(8).hex() for _ in range(300_000)]

    writing = asyncio.create_task(write_raw(raw_path(tmp_path, "all"), large(), "f"))
    await begun.wait()
    await asyncio.sleep(0.02)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing

    assert list_files(tmp_path) == []


async def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """Where a file stands in the folder's place, the error is the system's own."""
    (tmp_path / "taken").touch()

    with pytest.raises(FileExistsError):
        await write_raw(raw_path(tmp_path / "taken", "all"), pages_of([1]), "f")


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"fingerprint": "f"}', "no json"])
def test_a_manifest_that_is_none_is_none(tmp_path: Path, text: str) -> None:
    """Anything but a whole manifest is as good as absent."""
    raw = raw_path(tmp_path, "all")
    raw.touch()
    (tmp_path / "all.json").write_text(text, encoding="utf-8")

    assert read_manifest(raw) is None
