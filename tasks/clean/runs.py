"""Summaries of runs, of which the last one of each pipeline stays."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tasks.clean.item import Item, Place, last_change
from tasks.core.storage import DataFolder, read_json

_SUMMARY = "summary.json"


def find_summaries(folder: DataFolder, before: float) -> Iterator[Place]:
    """Yield the folders of runs; one that ended after `before`, in seconds since 1970, stays."""
    yield Place(partial(_look, folder, before))


def _look(folder: DataFolder, before: float) -> Iterator[Item]:
    runs = sorted((folder.root / "runs").glob("*/"), key=last_change)
    last = {_pipeline_of(run): run for run in runs if not run.is_symlink()}
    for run in runs:
        if run.is_symlink():
            continue
        kept = "the last of its pipeline" if last[_pipeline_of(run)] == run else None
        if kept is None and last_change(run) >= before:
            kept = "younger"
        yield Item("run summaries", f"runs/{run.name}", (run,), kept)


def _pipeline_of(run: Path) -> str:
    """Return the pipeline of a run; empty where its summary does not tell."""
    summary = read_json(run / _SUMMARY)
    return str(summary.get("pipeline", "")) if isinstance(summary, dict) else ""
