"""What a run found out about a table beside its counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tasks.convert.checking import read_outcomes
from tasks.convert.files import InputFile
from tasks.convert.guesses import Guesses
from tasks.convert.job import TableJob
from tasks.convert.sampling import Samples


@dataclass(frozen=True)
class Findings:
    """Whether a run changed a table, what columns it had before, what it took, the warnings of its audit and its checks, and some rows."""

    changed: bool = False
    types_before: Mapping[str, str] = field(default_factory=dict)
    bytes_read: int = 0
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    samples: Samples | None = None
    guesses: Guesses = field(default_factory=Guesses)
    doubts: tuple[str, ...] = ()
    """What ingest found doubtful of the rows, each with its partition."""


def find(
    job: TableJob,
    warnings: Sequence[str] = (),
    types_before: Mapping[str, str] | None = None,
    changed: Sequence[InputFile] = (),
    seconds: float = 0.0,
    samples: Samples | None = None,
) -> Findings:
    """Return the findings of a run whose audit gave `warnings`, and that converted the `changed` files in so many seconds; of one that had nothing to do without `types_before`."""
    outcomes = read_outcomes(job.versions).outcomes if job.source.checks else ()
    told = (*warnings, *(outcome.sentence for outcome in outcomes if outcome.status == "warned"))
    size = sum(file.size for file in changed)
    return Findings(types_before is not None, types_before or {}, size, seconds, told, samples, doubts=job.doubts)
