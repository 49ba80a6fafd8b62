"""Summaries of runs, of which the last one of each pipeline, to which a link leads, stays."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

from tasks.clean.item import Item, Place, last_change
from tasks.core.runs import read_runs
from tasks.core.storage import DataFolder


def find_summaries(folder: DataFolder, before: float) -> Iterator[Place]:
    """Yield the folders of runs; one that ended after `before`, in seconds since 1970, stays."""
    last = _last_of_pipelines(folder)
    for run in sorted((folder.root / "runs").glob("*/")):
        yield Place(partial(_look, run, folder, last, before), (run,))


def _last_of_pipelines(folder: DataFolder) -> set[str]:
    """Return the last run of each pipeline that has a summary; on a machine that has them of a bucket no link leads there."""
    last: dict[str, str] = {}
    for run in read_runs(folder):
        if folder.run_summary(run.flow_run_id).is_file():
            last.setdefault(run.pipeline, run.flow_run_id)
    return set(last.values())


def _look(run: Path, folder: DataFolder, last: Collection[str], before: float) -> Iterator[Item]:
    kept = None if last_change(run) < before else "younger"
    links = (folder.summary, *run.parent.glob("*.json"))
    if run.name in last or any(link.resolve().parent == run.resolve() for link in links):
        kept = "the last of its pipeline"
    yield Item("run summaries", f"runs/{run.name}", (run,), kept)
