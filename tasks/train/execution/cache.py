"""Which candidates' results, and rows of folds, are kept: those of the last few trainings; older ones are deleted.

A candidate's folder, `models/<pipeline>/candidates/<name>-<fingerprint>/`, holds its folds, its judgement and its
model, from which a killed run, or one that is run again, goes on; `training/<pipeline>/rows-<fingerprint>.npz` holds
the rows of the folds. Every training notes both in `candidates/trainings.json` before its first fit; one that is run
again is noted as the latest. Whoever goes back to a training older than the last three fits its candidates anew. What serves is not touched: versions have copies.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from tasks.core.storage import commit_json, json_reader
from tasks.train.evaluation.job import CandidateJob

TRAININGS_KEPT = 3  # the present one, and two to go back to while something is tried
_NOTES = "trainings.json"

_read = json_reader(list[list[str]])


def note_training(jobs: Sequence[CandidateJob]) -> None:
    """Note the folders of a training's jobs, and the file of its rows, as the latest."""
    folder = jobs[0].folder.parent
    names = [*sorted(job.folder.name for job in jobs), jobs[0].split.path.name]
    with _noting(folder):
        before = [noted for noted in _read(folder / _NOTES) or [] if noted != names]
        commit_json(folder / _NOTES, [*before, names][-TRAININGS_KEPT:])


def prune_folders(jobs: Sequence[CandidateJob]) -> None:
    """Delete the folders of candidates, and the files of rows, that none of the last trainings has noted."""
    folder = jobs[0].folder.parent
    with _noting(folder):
        used = {name for noted in _read(folder / _NOTES) or [] for name in noted}
        for old in folder.glob("*/"):
            if used and old.name not in used:
                shutil.rmtree(old, ignore_errors=True)  # what cannot be deleted now is no reason to end a run
        for rows in jobs[0].split.path.parent.glob("rows-*.npz"):
            if used and rows.name not in used:
                rows.unlink(missing_ok=True)


def _noting(folder: Path) -> FileLock:
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.parent / ".candidates.lock")
