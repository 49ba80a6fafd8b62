"""The raw file being landed: page groups are kept as they come, and no crash loses or doubles one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.ingest.http.requests import PageGroup
from tasks.ingest.landing.writer import RawWriter, discard, is_begun, read_checkpoint
from tasks.raw.files import RawManifest, commit_manifest, increment_path, list_raw_files, raw_path, read_manifest
from tests.ingest.crashing import crashing
from tests.ingest.sources import read_rows

ASKED = RawManifest("f", 0, 0, 0, "", "")
GROUPS = [
    PageGroup([b'{"id":1}', b'{"id":2}'], 2, {"page": 2}),
    PageGroup([b'{"id":3}'], 1, {"page": 3}),
    PageGroup([], 1, {"page": 4}),
    PageGroup([b'{"id":4}', b'["\xc3\xa9"]'], 2, None),
]
ROWS = [{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}, ["é"]]


def land(raw: Path, asked: RawManifest = ASKED, stop_before: int | None = None) -> RawWriter:
    """Land the groups that a run before has not, up to one of them; return what they were written with."""
    writer = RawWriter(raw, asked)
    writer.open()
    checkpoint = writer.checkpoint
    done = 0 if checkpoint.state is None else 1 + [group.state for group in GROUPS].index(checkpoint.state)
    if not checkpoint.is_complete:
        for group in GROUPS[done:stop_before]:
            (writer.finish if group.state is None else writer.add)(group, largest=None)
    if writer.checkpoint.is_complete:
        writer.put_in_place()
    writer.close()
    return writer


def files_of(folder: Path) -> list[str]:
    """Return the names of all files in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def test_page_groups_are_one_file_and_its_manifest(tmp_path: Path) -> None:
    """The rows are there in order, the manifest tells of them, and nothing else is left."""
    raw = raw_path(tmp_path / "new", "part=a")

    land(raw)

    manifest = read_manifest(raw)
    assert manifest is not None
    assert read_rows(raw) == ROWS
    assert manifest == RawManifest(
        "f",
        5,
        6,
        raw.stat().st_size,
        hashlib.sha256(raw.read_bytes()).hexdigest(),
        manifest.landed_at,
        mtime_ns=raw.stat().st_mtime_ns,
        began_at=manifest.began_at,
    )
    assert "" < manifest.began_at <= manifest.landed_at
    assert files_of(raw.parent) == ["part=a.json", "part=a.jsonl.zst"]


def test_a_partition_without_rows_is_a_file_without_rows(tmp_path: Path) -> None:
    """Nothing received is landed all the same, as a file that can be decompressed."""
    raw = raw_path(tmp_path, "all")
    writer = RawWriter(raw, ASKED)
    writer.open()

    writer.finish(PageGroup([], 1, None), None, etag='"e"', last_modified="then")
    writer.put_in_place()

    [(_, manifest)] = list_raw_files(tmp_path, "all")
    assert read_rows(raw) == []
    assert (manifest.rows, manifest.pages, manifest.etag, manifest.last_modified) == (0, 1, '"e"', "then")


@pytest.mark.parametrize("stop_before", [1, 2, 3])
def test_a_landing_goes_on_after_its_last_page_group(tmp_path: Path, stop_before: int) -> None:
    """The next run is told the state after the last group, and adds what is missing."""
    raw = raw_path(tmp_path, "all")
    before = land(raw, stop_before=stop_before).checkpoint
    assert (before.state, is_begun(raw), read_manifest(raw)) == (GROUPS[stop_before - 1].state, True, None)

    land(raw)

    assert (read_rows(raw), files_of(tmp_path)) == (ROWS, ["all.json", "all.jsonl.zst"])


def test_what_is_behind_the_last_checkpoint_is_cut_off(tmp_path: Path) -> None:
    """A group that was being written when the run was killed does not count, whole or half."""
    raw = raw_path(tmp_path, "all")
    land(raw, stop_before=2)
    with (tmp_path / ".all.jsonl.zst.landing").open("ab") as groups:
        groups.write(os.urandom(1000))

    land(raw)

    assert read_rows(raw) == ROWS
    assert read_manifest(raw) is not None


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def _turn(path: Path) -> None:
    """Change one byte of those that count."""
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)


def _write(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(text, encoding="utf-8")

    return write


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("landing", _cut),
        ("landing", _turn),
        ("landing", Path.unlink),
        ("landing", _write("")),
        ("landing.json", _cut),
        ("landing.json", Path.unlink),
        ("landing.json", _write("")),
        ("landing.json", _write("[]")),
        ("landing.json", _write('{"manifest": null, "began_at": "", "state": 1}')),
        ("landing.json", _write('{"fingerprint": "f", "rows": "5"}')),
    ],
)
def test_a_damaged_landing_begins_anew(tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    """Where the groups are not those that the checkpoint tells of, or it cannot be read, nothing of it is used."""
    raw = raw_path(tmp_path, "all")
    land(raw, stop_before=2)

    damage(tmp_path / f".all.jsonl.zst.{name}")
    writer = RawWriter(raw, ASKED)
    writer.open()

    assert (writer.checkpoint.state, writer.checkpoint.manifest, files_of(tmp_path)) == (None, ASKED, [])
    land(raw)
    assert read_rows(raw) == ROWS


@pytest.mark.parametrize("change", [{"fingerprint": "g"}, {"since": 5}, {"extends": "sha"}])
def test_a_landing_of_another_request_begins_anew(tmp_path: Path, change: dict[str, Any]) -> None:
    """What was begun of other requests, from another value on, or after another file, is not gone on with."""
    raw = raw_path(tmp_path, "all")
    land(raw, stop_before=2)

    found = [read_checkpoint(raw, asked) is not None for asked in (ASKED, replace(ASKED, **change))]
    land(raw, replace(ASKED, **change))

    assert (found, read_rows(raw)) == ([True, False], ROWS)


def test_a_page_group_that_could_not_be_written_leaves_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk is full in the middle of a group, the next run goes on after the one before."""
    raw = raw_path(tmp_path, "all")

    def refuse(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    land(raw, stop_before=1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space left"):
            land(raw)
    found = read_checkpoint(raw, ASKED)
    land(raw)

    assert found is not None
    assert (found.state, read_rows(raw)) == (GROUPS[0].state, ROWS)


def test_a_state_is_kept_as_it_is(tmp_path: Path) -> None:
    """Whatever a server gives as its cursor comes back, also half a surrogate pair, which has no UTF-8."""
    raw, states = raw_path(tmp_path, "all"), [{"a": [None, True, 1.5, 10**30, "é\n\0"]}, ["\ud800"]]
    found = []
    for state in states:
        writer = RawWriter(raw, ASKED)
        writer.open()
        writer.add(PageGroup([b"1"], 1, state), None)
        writer.close()
        checkpoint = read_checkpoint(raw, ASKED)
        found.append(None if checkpoint is None else checkpoint.state)
        discard(raw)

    assert found == states


def land_over(folder: Path) -> Path:
    """Land a partition that was landed before, with increments, from its second page group on; return its raw file."""
    raw = raw_path(folder, "all")
    for number, path in enumerate([raw, increment_path(raw, 1), increment_path(raw, 2)]):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"old")
        old = RawManifest("old", 1, 1, 3, "old", "2024-01-01T00:00:00+00:00", extends="old" if number else None)
        commit_manifest(path, old)
    land(raw, stop_before=1)
    return raw


def count_steps(raw: Path) -> int:
    """Return how many steps a landing takes to its end."""
    with crashing() as steps:
        land(raw)
    return steps.taken


def test_a_crash_at_any_step_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """Whatever step a run dies before, the next ends with all rows, once; no old row ever counts beside new ones."""
    total = count_steps(land_over(tmp_path / "whole"))
    found = []
    for step in range(total):
        raw = land_over(tmp_path / f"{step}")
        with crashing(step) as steps:
            land(raw)
        between = [manifest.fingerprint for _, manifest in list_raw_files(raw.parent, "all")]
        land(raw)
        found.append((steps.taken, between in ([], ["old"] * 3), read_rows(raw), files_of(raw.parent)))

    assert total >= 15
    assert found == [(step, True, ROWS, ["all.json", "all.jsonl.zst"]) for step in range(total)]


def test_a_crash_at_any_step_of_the_last_page_group_asks_for_nothing_that_is_on_the_disk(tmp_path: Path) -> None:
    """A landing is complete from the moment its last group's checkpoint is there: what is left is renaming."""
    group = PageGroup([b"1"], 1, None)
    complete = []
    for step in range(9):
        raw = raw_path(tmp_path / f"{step}", "all")
        writer = RawWriter(raw, ASKED)
        writer.open()
        with crashing(step) as steps:
            writer.finish(group, None)
            writer.put_in_place()
        found = read_checkpoint(raw, ASKED)
        complete.append(None if read_manifest(raw) else found is not None and found.is_complete)

    assert steps.taken < 9
    assert complete == sorted(complete, key=lambda value: (value is None, value))
    assert complete.count(True) >= 3


def test_a_partition_of_one_page_group_waits_for_the_disk_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows and its manifest: waiting is what a source of many small partitions spends its time with."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    writer = RawWriter(raw_path(tmp_path, "all"), ASKED)
    writer.open()

    writer.finish(PageGroup([b"1"], 1, None), None)
    writer.put_in_place()

    assert len(synced) == 2
    assert json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))["rows"] == 1
