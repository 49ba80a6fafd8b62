"""Partitions of a source that one task run lands, each by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from tasks.core.concurrency import gather_all
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.core.escaping import count
from tasks.ingest.landing.plan import Landed, PartitionJob
from tasks.raw.completeness import group_messages
from tasks.raw.partitions import WHOLE

LandOne = Callable[[PartitionJob], Awaitable[Landed]]

_CAUSES = 10  # of one task run: Prefect keeps its message in the log and in the database


class PartitionBatch:
    """Partitions to be landed, and what became of each; no dataclass: Prefect looks through one for each task run."""

    def __init__(self, jobs: Sequence[PartitionJob], land_one: LandOne) -> None:
        self.jobs = jobs
        self.outcomes: dict[str, Landed | SourceError | OSError] = {}
        """By the partitions' names."""
        self._land_one = land_one

    @property
    def name(self) -> str:
        """Return what the task run is called: the source, the first partition, and the last one of several."""
        first, last = self.jobs[0], self.jobs[-1]
        more = f" … {last.partition.name} ({len(self.jobs)} partitions)" if len(self.jobs) > 1 else ""
        return (
            first.source_name if first.partition.name == WHOLE else f"{first.source_name} {first.partition.name}{more}"
        )

    async def land(self) -> None:
        """Fetch what is not landed yet, and may be; a partition that fails does not stop the others.

        Raises:
            SourceError: a partition failed that another attempt may land.
            PermanentSourceError, OSError: partitions failed, and no attempt lands them.

        """
        await gather_all(filter(self._is_open, self.jobs), self._try)
        found = {job.partition.name: self.outcomes[job.partition.name] for job in self.jobs}
        errors = {name: outcome for name, outcome in found.items() if not isinstance(outcome, Landed)}
        if errors:
            raise self._error(errors)

    def _is_open(self, job: PartitionJob) -> bool:
        name = job.partition.name
        return name not in self.outcomes or may_pass(self.outcomes[name])

    async def _try(self, job: PartitionJob) -> None:
        name = job.partition.name
        try:
            self.outcomes[name] = await self._land_one(job)
        except (SourceError, OSError) as error:
            self.outcomes[name] = error

    def _error(self, errors: dict[str, SourceError | OSError]) -> SourceError | OSError:
        """Return what the task run fails with: of one partition its own error, of several each cause once."""
        if len(self.jobs) == 1:
            return next(iter(errors.values()))
        causes = group_messages((name, str(error)) for name, error in errors.items())
        more = f"; and {count(len(causes) - _CAUSES, 'more cause')}" if len(causes) > _CAUSES else ""
        kind = SourceError if any(map(may_pass, errors.values())) else PermanentSourceError
        return kind(f"{len(errors)} of {len(self.jobs)} partitions failed: {'; '.join(causes[:_CAUSES])}{more}")


def may_pass(outcome: object) -> bool:
    """Return whether what became of a partition is a failure that another attempt may make good."""
    return isinstance(outcome, SourceError) and not isinstance(outcome, PermanentSourceError)


def make_batches(jobs: Sequence[PartitionJob], most: int, land_one: LandOne) -> list[PartitionBatch]:
    """Return the jobs in at most so many batches: of one each, where they are no more."""
    size = -(-len(jobs) // most) or 1
    return [PartitionBatch(jobs[start : start + size], land_one) for start in range(0, len(jobs), size)]
