"""What became of a source's partitions, and what a run is warned of while it fetches them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Literal, get_args

from tasks.config import PartedSource
from tasks.core.escaping import count
from tasks.core.outcome import Failed
from tasks.ingest.http.requests import RequestStats
from tasks.ingest.landing.plan import Landed
from tasks.raw.completeness import group_messages, is_certain, is_next_known

Cost = Literal["requests", "retries", "refused", "body_bytes"]
"""What is counted of partitions that failed, too."""
Count = Cost | Literal["rows", "pages", "reused", "elements_skipped"]
_COSTS: frozenset[str] = frozenset(get_args(Cost))


@dataclass(frozen=True)
class FailedPartition(Failed):
    """One partition that could not be landed, and what it has cost."""

    partition: str
    requests: int = 0
    retries: int = 0
    refused: int = 0
    body_bytes: int = 0

    @classmethod
    def of(cls, partition: str, cause: str, cost: RequestStats | Landed) -> FailedPartition:
        """Return a partition that failed, with what its requests have cost."""
        return cls(cause, partition, cost.requests, cost.retries, cost.refused, cost.body_bytes)


PartitionOutcome = Landed | FailedPartition


class LandedSource:
    """What became of one source's partitions: those that are landed, and why the others are not.

    No dataclass: in what a flow returns Prefect looks through those, here through all partitions.
    """

    def __init__(
        self,
        source: str,
        landed: Sequence[Landed],
        failures: Sequence[FailedPartition],
        doubts: Sequence[str] = (),
    ) -> None:
        self.source = source
        self.landed = tuple(landed)
        self.failures = tuple(failures)
        self.doubts = tuple(doubts)
        """What the audit of its rows found."""
        self.causes: Sequence[tuple[str, int]] = ()
        """Why requests were made again, and how often, the most frequent first."""
        self.rows_of_parents: Mapping[str, int] = {}
        """The rows that this run read into the tables which told of its partitions."""

    @property
    def failed(self) -> list[Failed]:
        """Return each cause of failure once, with its first partition, and how many others share it."""
        return [*map(Failed, self._grouped((failure.partition, failure.message) for failure in self.failures))]

    @property
    def warnings(self) -> list[str]:
        """Return one sentence for each warning: the first partition that it is of, and how many others share it."""
        return [
            *(f"source {self.source}: {doubt}" for doubt in self.doubts),
            *self._grouped((landed.partition, warning) for landed in self.landed for warning in landed.warnings),
        ]

    def _grouped(self, messages: Iterable[tuple[str, str]]) -> list[str]:
        return [f"source {self.source}, {sentence}" for sentence in group_messages(messages)]

    @property
    def resumed(self) -> int:
        """Return how many partitions went on from pages that a run before had landed."""
        return sum(landed.resumed_from > 0 for landed in self.landed)

    def total(self, count: Count) -> int:
        """Return the sum of a count over the partitions; what requests cost, over those that failed too."""
        outcomes = (*self.landed, *self.failures) if count in _COSTS else self.landed
        return sum(getattr(outcome, count) for outcome in outcomes)


def resolve_unproven(source: PartedSource, outcomes: Sequence[PartitionOutcome]) -> list[PartitionOutcome]:
    """Return the outcomes of a source's partitions with what is to be said of those that may lack rows.

    A partition of one page that does not name the place of a next one is whole where
    another has it: the server leaves it out on the last page. Where none has it, it is wrong.
    """
    if is_next_known(source, [outcome for outcome in outcomes if isinstance(outcome, Landed)]):
        return list(outcomes)
    return [_resolve(source, outcome) for outcome in outcomes]


def _resolve(source: PartedSource, outcome: PartitionOutcome) -> PartitionOutcome:
    if not isinstance(outcome, Landed) or outcome.unproven is None:
        return outcome
    if is_certain(source):
        return FailedPartition.of(outcome.partition, outcome.unproven, outcome)
    return replace(outcome, warnings=(*outcome.warnings, outcome.unproven))


MOST = 20  # of one source: each is a line in Prefect's database, and the next ones seldom tell more

_at_work: ContextVar[str] = ContextVar("source at work")  # tasks that a source starts are of that source


class RequestWarnings:
    """Logs the warnings of a run, each with the source that it is of."""

    def __init__(self, log_warning: Callable[[str], None]) -> None:
        self._log = log_warning
        self._given: Counter[str] = Counter()

    def warn(self, sentence: str) -> None:
        """Log a sentence of the source at work, unless it has had enough of them."""
        source = _at_work.get()
        self._given[source] += 1
        if self._given[source] <= MOST:
            self._log(f"source {source}: {sentence}")

    @contextmanager
    def for_source(self, source: str) -> Iterator[None]:
        """Have what is warned of in the block be of `source`; at its end log how many were not."""
        token = _at_work.set(source)
        try:
            yield
        finally:
            _at_work.reset(token)
            if (more := self._given[source] - MOST) > 0:
                self._log(f"source {source}: not shown: {count(more, 'more warning')} like these")
