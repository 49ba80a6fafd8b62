"""A raw file being landed: page groups are added one by one, and a killed run goes on after the last.

Beside the raw file to be stand, hidden, the groups so far and a checkpoint,
which says how many of their bytes count and from where reading goes on. Each
group is a zstd frame of its own; what a kill left behind the checkpoint's
bytes is cut off. After the last group the checkpoint is the manifest to be:
both files are then renamed to what counts, from which nothing can be lost.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from tasks.config import Scalar
from tasks.core.storage import fsync, json_reader, write_json
from tasks.ingest.http.requests import PageGroup
from tasks.ingest.landing.resumption import NOT_KEPT
from tasks.raw.files import RawManifest, manifest_path, name_partition, read_as_manifest, sweep_from
from tasks.raw.packs import PackInput

_BLOCK_BYTES = 2**20
_LANDING = ".landing"


@dataclass(frozen=True)
class Checkpoint:
    """How far a landing has come: what the manifest would be, and the state from which reading goes on."""

    manifest: RawManifest
    began_at: str
    state: Any = None

    @property
    def is_complete(self) -> bool:
        """Return whether nothing is left to be read."""
        return bool(self.manifest.landed_at)


_read_as_checkpoint = json_reader(Checkpoint)


class RawWriter:
    """Adds page groups to the raw file that is to stand at `raw`; used by one thread at a time.

    `requested` is the manifest of what is asked for, before anything has come.
    """

    def __init__(self, raw: Path, requested: RawManifest) -> None:
        self._raw = raw
        self._stream: IO[bytes] | None = None
        self._digest = hashlib.sha256()
        self.checkpoint = Checkpoint(requested, now_text())

    def open(self) -> None:
        """Go on after the last checkpoint of a run that asked for the same, or begin anew."""
        found = read_checkpoint(self._raw, self.checkpoint.manifest)
        if found is not None and self._is_intact(found):
            self.checkpoint = found
        else:
            discard(self._raw)

    def add(self, group: PageGroup, largest: Scalar | None) -> None:
        """Write a page group and the checkpoint after it; both are on the disk when this returns."""
        manifest, digest = self._write(group, largest)
        checkpoint = replace(self.checkpoint, manifest=manifest, state=group.state)
        self._commit({**vars(checkpoint), "manifest": asdict(manifest)}, indent=None)
        self.checkpoint, self._digest = checkpoint, digest

    def add_piece(self, group: PageGroup, largest: Scalar | None) -> None:
        """Write a part of a page behind the last checkpoint, which stays: gone on from, it is cut off and the page read anew."""
        manifest, self._digest = self._write(group, largest)
        self.checkpoint = replace(self.checkpoint, manifest=manifest)

    def add_rows(self, frame: bytes, rows: int) -> None:
        """Write further rows, as they are in the file; they count once all there are have come."""
        manifest = self.checkpoint.manifest
        self._append(frame, manifest.file_bytes)
        self._digest.update(frame)
        manifest = replace(
            manifest,
            rows=manifest.rows + rows,
            file_bytes=manifest.file_bytes + len(frame),
            sha256=self._digest.hexdigest(),
        )
        self.checkpoint = replace(self.checkpoint, manifest=manifest)

    def finish(
        self, group: PageGroup, largest: Scalar | None, *, etag: str | None = None, last_modified: str | None = None
    ) -> None:
        """Write the last page group, and the manifest in the checkpoint's place."""
        manifest, _ = self._write(group, largest)
        written_ns = _groups_path(self._raw).stat().st_mtime_ns
        manifest = _complete(manifest, self.checkpoint.began_at, written_ns, etag, last_modified)
        self._commit(asdict(manifest), indent=2)
        self.checkpoint = replace(self.checkpoint, manifest=manifest, state=None)

    def put_in_place(self) -> None:
        """Make the complete groups the raw file, and the manifest what counts.

        A kill in between loses nothing: the next run finds the checkpoint complete. So
        does one after a power cut that undid the renaming: the folder needs no fsync.
        """
        self.close()
        if (groups := _groups_path(self._raw)).exists():
            sweep_from(self._raw)
            groups.replace(self._raw)
        _checkpoint_path(self._raw).replace(manifest_path(self._raw))

    def close(self) -> None:
        """Close the file; what is checkpointed stays, and nothing else."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            stream.close()
            if not is_begun(self._raw):
                discard(self._raw)

    def _write(self, group: PageGroup, largest: Scalar | None) -> tuple[RawManifest, Any]:
        """Write a page group after those that count; return what the manifest and the digest are with it."""
        before, digest = self.checkpoint.manifest, self._digest.copy()
        frame = b""
        if group.lines or not before.file_bytes:
            frame = _frame_of(group)
            self._append(frame, before.file_bytes)
            digest.update(frame)
        return _add_group(before, group, largest, len(frame), digest.hexdigest()), digest

    def _append(self, frame: bytes, at: int) -> None:
        if self._stream is None:
            self._raw.parent.mkdir(parents=True, exist_ok=True)
            self._stream = _groups_path(self._raw).open("r+b" if at else "wb")
        self._stream.seek(at)
        self._stream.truncate()
        self._stream.write(frame)
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def _commit(self, value: Any, indent: int | None) -> None:
        """Put a checkpoint in the place of the one before; a power cut may bring that back, which is as good."""
        part = _part_path(self._raw)
        write_json(part, value, indent)
        fsync(part)
        part.replace(_checkpoint_path(self._raw))

    def _is_intact(self, checkpoint: Checkpoint) -> bool:
        """Return whether the bytes that a checkpoint tells of are those that were written."""
        with _held_in(self._raw, checkpoint).open("rb") as file:
            left = checkpoint.manifest.file_bytes
            while left and (block := file.read(min(left, _BLOCK_BYTES))):
                self._digest.update(block)
                left -= len(block)
        if self._digest.hexdigest() == checkpoint.manifest.sha256:
            return True
        self._digest = hashlib.sha256()
        return False


def pack_group(
    partition: str, begun: Checkpoint, group: PageGroup, *, etag: str | None = None, last_modified: str | None = None
) -> PackInput:
    """Return a partition that is one page group, whole, as a pack takes it."""
    frame = _frame_of(group)
    manifest = _add_group(begun.manifest, group, None, len(frame), hashlib.sha256(frame).hexdigest())
    return PackInput(partition, _complete(manifest, begun.began_at, time.time_ns(), etag, last_modified), frame)


def _frame_of(group: PageGroup) -> bytes:
    return pa.compress(b"".join(line + b"\n" for line in group.lines), codec="zstd", asbytes=True)  # type: ignore[no-any-return]


def _add_group(before: RawManifest, group: PageGroup, largest: Scalar | None, size: int, sha256: str) -> RawManifest:
    """Return what is known of a raw file with one more page group, of so many bytes; `sha256` is that of all."""
    return replace(
        before,
        rows=before.rows + len(group.lines),
        pages=before.pages + group.pages,
        file_bytes=before.file_bytes + size,
        sha256=sha256,
        largest=largest,
        warnings=tuple(dict.fromkeys((*before.warnings, *group.warnings))),
        unproven=group.unproven,
        elements_skipped=before.elements_skipped + group.elements_skipped,
        ignored=before.ignored or group.ignored,
        fields_met=tuple(sorted({*before.fields_met, *group.fields_met})),
    )


def _complete(
    manifest: RawManifest, began_at: str, written_ns: int, etag: str | None, last_modified: str | None
) -> RawManifest:
    return replace(
        manifest,
        began_at=began_at,
        landed_at=now_text(),
        etag=etag,
        last_modified=last_modified,
        mtime_ns=written_ns,
    )


def now_text() -> str:
    """Return the time, to the millisecond, as manifests have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def read_checkpoint(raw: Path, requested: RawManifest) -> Checkpoint | None:
    """Return how far a run that ended early had come with the same requests; None where there is none to go on from."""
    path = _checkpoint_path(raw)
    found = _read_as_checkpoint(path)
    if found is None and (manifest := read_as_manifest(path)) is not None:
        found = Checkpoint(manifest, manifest.landed_at)
    if found is None or found.state == NOT_KEPT or _request(found.manifest) != _request(requested):
        return None
    held = _held_in(raw, found)
    try:
        beyond = held.stat().st_size - found.manifest.file_bytes
    except FileNotFoundError:
        return None
    return found if beyond == 0 or (beyond > 0 and held != raw) else None


def is_begun(raw: Path) -> bool:
    """Return whether a run that ended early has left a checkpoint."""
    return _checkpoint_path(raw).exists()


def list_begun(folder: Path) -> set[str]:
    """Return the names of the partitions of which a run that ended early has left something."""
    return {name_partition(path.name[1:].partition(_LANDING)[0]) for path in folder.glob(f".*{_LANDING}*")}


def discard(raw: Path) -> None:
    """Forget what was begun of a raw file."""
    for path in (_checkpoint_path(raw), _part_path(raw), _groups_path(raw)):
        path.unlink(missing_ok=True)


def _request(manifest: RawManifest) -> tuple[str, Scalar | None, str | None]:
    return manifest.fingerprint, manifest.since, manifest.extends


def _held_in(raw: Path, checkpoint: Checkpoint) -> Path:
    """Return where the groups of a checkpoint are: complete ones may have been renamed."""
    groups = _groups_path(raw)
    return raw if checkpoint.is_complete and not groups.exists() else groups


def _groups_path(raw: Path) -> Path:
    return raw.with_name(f".{raw.name}{_LANDING}")


def _checkpoint_path(raw: Path) -> Path:
    return raw.with_name(f".{raw.name}{_LANDING}.json")


def _part_path(raw: Path) -> Path:
    return raw.with_name(f".{raw.name}{_LANDING}.json.part")
