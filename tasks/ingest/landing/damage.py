"""What of a landed partition is gone or damaged, so that it is fetched anew."""

from __future__ import annotations

import glob
from itertools import count
from pathlib import Path

from tasks.ingest.landing.raw_writer import is_begun
from tasks.raw import RAW_SUFFIX, increment_path, manifest_path, raw_path, read_as_manifest, read_manifest


def find_damage(folder: Path, partition: str) -> str | None:
    """Return what is wrong with the raw files of a partition; None where they are whole, or nothing tells of one."""
    first = raw_path(folder, partition)
    for number in count():
        raw = increment_path(first, number) if number else first
        if not (raw.exists() or manifest_path(raw).exists()):
            return _find_later(raw, first) if number else None
        if damage := _find_damage(raw):
            return damage
    return None


def _find_damage(raw: Path) -> str | None:
    if is_begun(raw) or read_manifest(raw) is not None:
        return None
    known = read_as_manifest(manifest_path(raw))
    if known is None:
        return f"{manifest_path(raw).name} was gone or damaged"
    return f"{raw.name}, of {known.rows:,} rows, was {'damaged or cut off' if raw.exists() else 'gone'}"


def _find_later(raw: Path, first: Path) -> str | None:
    """Return that an increment is gone, where a later one is there."""
    stem = increment_path(first, 1).name.removesuffix(f"000001{RAW_SUFFIX}")
    found = (path.name for path in raw.parent.glob(f"{glob.escape(stem)}*{RAW_SUFFIX}"))
    later = sorted(name for name in found if name > raw.name)
    return f"{raw.name}, which came before {later[0]}, was gone" if later else None
