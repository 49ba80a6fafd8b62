"""Summaries of runs, of which the last one of each pipeline, to which a link leads, stays."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tasks.clean.item import Item, Place, last_change
from tasks.core.storage import DataFolder


def find_summaries(folder: DataFolder, before: float) -> Iterator[Place]:
    """Yield the folders of runs; one that ended after `before`, in seconds since 1970, stays."""
    yield Place(partial(_look, folder, before))


def _look(folder: DataFolder, before: float) -> Iterator[Item]:
    runs = folder.root / "runs"
    linked = {link.resolve().parent for link in (folder.summary, *runs.glob("*.json"))}
    for run in sorted(runs.glob("*/")):
        yield Item("run summaries", f"runs/{run.name}", (run,), _why_kept(run, linked, before))


def _why_kept(run: Path, linked: set[Path], before: float) -> str | None:
    if run.resolve() in linked:
        return "the last of its pipeline"
    return None if last_change(run) < before else "younger"
