"""Where the rows of a staged part stood in their block before they were sorted or partitioned, until duplicates are dropped."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

_FOLDER = "places"


def write_places(staged: Path, part: str, places: np.ndarray) -> None:
    """Keep the places of the rows of a part beside it."""
    path = _path(staged, part)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, places)


def read_places(staged: Path, part: str) -> np.ndarray | None:
    """Return the places of the rows of a part; None where it is not staged, or its rows stand as they stood."""
    path = _path(staged, part)
    return np.load(path) if path.exists() else None


def remove_places(staged: Path) -> None:
    """Remove the places of all parts, which belong to no version."""
    shutil.rmtree(staged / _FOLDER, ignore_errors=True)


def _path(staged: Path, part: str) -> Path:
    return staged / _FOLDER / f"{part}.npy"
