"""Summaries of runs, of which the last one of each pipeline, to which a link leads, stays."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tasks.clean.item import Item, Place, last_change
from tasks.core.storage import DataFolder


def find_summaries(folder: DataFolder, before: float) -> Iterator[Place]:
    """Yield the folders of runs; one that ended after `before`, in seconds since 1970, stays."""
    for run in sorted((folder.root / "runs").glob("*/")):
        yield Place(partial(_look, run, folder, before), (run,))


def _look(run: Path, folder: DataFolder, before: float) -> Iterator[Item]:
    kept = None if last_change(run) < before else "younger"
    if any(link.resolve().parent == run.resolve() for link in (folder.summary, *run.parent.glob("*.json"))):
        kept = "the last of its pipeline"
    yield Item("run summaries", f"runs/{run.name}", (run,), kept)
