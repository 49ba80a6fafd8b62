"""A raw file being landed: page groups are added one by one, and a killed run goes on after the last.

Beside the raw file to be stand, hidden, the groups so far and a checkpoint,
which says how many of their bytes count and from where reading goes on. Each
group is a zstd frame of its own; what a kill left behind the checkpoint's
bytes is cut off.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from tasks.raw import RawManifest, commit_manifest, manifest_path
from tasks.spec import Scalar
from tasks.store import commit_json, fsync, read_json


@dataclass(frozen=True)
class Checkpoint:
    """How far a landing has come; `state` is from where it goes on, `complete` that nothing is left to be read."""

    fingerprint: str
    began_at: str
    file_bytes: int = 0
    rows: int = 0
    pages: int = 0
    state: Any = None
    largest: Scalar | None = None
    complete: bool = False


class RawWriter:
    """Adds page groups to the raw file that is to stand at `raw`; used by one thread at a time."""

    def __init__(self, raw: Path, fingerprint: str) -> None:
        self._raw = raw
        self._groups = _groups_path(raw)
        self._checkpoint_path = _checkpoint_path(raw)
        self._stream: IO[bytes] | None = None
        self._digest = hashlib.sha256()
        self.checkpoint = Checkpoint(fingerprint, now_text())

    def open(self, *, resume: bool) -> None:
        """Go on after the last checkpoint of a run that asked for the same, or begin anew."""
        found = read_checkpoint(self._raw, self.checkpoint.fingerprint) if resume else None
        if found is not None and self._take_up(found):
            return
        self.discard()
        self._raw.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self._groups.open("wb")

    def add(self, lines: Sequence[bytes], checkpoint: Checkpoint) -> None:
        """Write a page group and the checkpoint after it; both are on the disk when this returns."""
        self._write(lines)
        self.checkpoint = replace(checkpoint, file_bytes=self._size())
        commit_json(self._checkpoint_path, asdict(self.checkpoint))

    def finish(self, lines: Sequence[bytes], checkpoint: Checkpoint, manifest: RawManifest) -> RawManifest:
        """Write the last page group, and make the raw file and its manifest what counts."""
        self._write(lines)
        first = self.checkpoint.file_bytes == 0
        self.checkpoint = replace(checkpoint, file_bytes=self._size(), complete=True)
        if not first:  # else the one group is all that a kill from here on can lose
            commit_json(self._checkpoint_path, asdict(self.checkpoint))
        return self.commit(manifest)

    def commit(self, manifest: RawManifest) -> RawManifest:
        """Move the complete groups into place and commit the manifest with what they hold."""
        self.close()
        if self._groups.exists():
            # What is there stops counting just before it is replaced: a run killed in between goes on from here.
            manifest_path(self._raw).unlink(missing_ok=True)
            self._groups.replace(self._raw)
            fsync(self._raw.parent)
        whole = replace(
            manifest,
            rows=self.checkpoint.rows,
            pages=self.checkpoint.pages,
            largest=self.checkpoint.largest,
            file_bytes=self.checkpoint.file_bytes,
            sha256=self._digest.hexdigest(),
            landed_at=now_text(),
        )
        commit_manifest(self._raw, whole)
        self._checkpoint_path.unlink(missing_ok=True)
        return whole

    def close(self) -> None:
        """Close the file; what is checkpointed stays, and so does nothing else."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if not self.checkpoint.file_bytes:
            self.discard()

    def discard(self) -> None:
        """Forget what was begun."""
        self._checkpoint_path.unlink(missing_ok=True)
        self._groups.unlink(missing_ok=True)

    def _take_up(self, found: Checkpoint) -> bool:
        """Return whether the groups that a checkpoint tells of are there; they are made ready to be added to."""
        moved = found.complete and not self._groups.exists()
        path = self._raw if moved else self._groups
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return False
        if size < found.file_bytes or (moved and size != found.file_bytes):
            return False
        if not moved:
            self._stream = self._groups.open("r+b")
            self._stream.truncate(found.file_bytes)
            self._stream.seek(found.file_bytes)
        with path.open("rb") as file:
            while block := file.read(2**20):
                self._digest.update(block)
        self.checkpoint = found
        return True

    def _write(self, lines: Sequence[bytes]) -> None:
        assert self._stream is not None
        if lines or not self._size():
            text = b"".join(line + b"\n" for line in lines)
            frame = pa.compress(text, codec="zstd", asbytes=True)
            self._stream.write(frame)
            self._digest.update(frame)
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def _size(self) -> int:
        assert self._stream is not None
        return self._stream.tell()


def now_text() -> str:
    """Return the time, to the second, as manifests have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_checkpoint(raw: Path, fingerprint: str) -> Checkpoint | None:
    """Return how far a run that was killed had come with the same requests; None where there is none."""
    value = read_json(_checkpoint_path(raw))
    try:
        checkpoint = Checkpoint(**value)
    except TypeError:
        return None
    return checkpoint if checkpoint.fingerprint == fingerprint else None


def _groups_path(raw: Path) -> Path:
    return raw.with_name(f".{raw.name}.landing")


def _checkpoint_path(raw: Path) -> Path:
    return raw.with_name(f".{raw.name}.landing.json")
