"""Units of files in batches, each of them a task run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tasks.convert.files import InputFile, Plan
from tasks.convert.job import TableJob

BATCH_BYTES = 256 * 1024 * 1024


class Batch:
    """Units of files of one source that are converted by one task.

    No dataclass: Prefect would look for futures in each of its thousands of files.
    """

    def __init__(self, job: TableJob, units: Sequence[Sequence[InputFile]], plan: Plan, label: str) -> None:
        self.job = job
        self.units = units
        self.plan = plan
        self.label = label


def batch_units(job: TableJob, units: Iterable[Sequence[InputFile]], plan: Plan, label: str) -> list[Batch]:
    """Return the units in batches of at most `BATCH_BYTES`, or one unit."""
    batches: list[list[Sequence[InputFile]]] = []
    room = 0
    for unit in units:
        size = sum(file.size for file in unit)
        if not batches or size > room:
            batches.append([])
            room = BATCH_BYTES
        batches[-1].append(unit)
        room -= size
    total, first, labelled = sum(len(unit) for batch in batches for unit in batch), 1, []
    for batch in batches:
        last = first + sum(map(len, batch)) - 1
        labelled.append(Batch(job, batch, plan, f"{job.name} {label} {first}-{last} of {total}"))
        first = last + 1
    return labelled
