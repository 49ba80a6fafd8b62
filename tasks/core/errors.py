"""Every error a user can meet, in one tree.

TidemillError
├── ConfigError           the pipeline file is wrong (exit code 2)
├── SourceError         a source could not be fetched or read
│   └── PermanentSourceError   trying again cannot help (wrong token, 404, wrong shape)
│       ├── WrongPagesError    what has come is not what it should be: nothing of it is kept
│       ├── OtherHostError     an address leads to a host that the source may not go to
│       ├── DeadRedirectError  redirects that do not end, or lead to no web address
│       └── TooLargeError      a body is larger than it may be
├── TableError          a table could not be made from what was received
├── TrainingError       the training set or a candidate is wrong
│   └── QueryError         SQL over tables does not run; a TableError too, where a table is made by it
│       └── LateQueryError     it took longer than it may
├── RunnerError         workers are not reached, or are not as the run is
├── ExportError         a table could not be written where it is to go
├── DiskError           the disk is full, or does not let a run write or read there
├── StoreError          the bucket of a data folder cannot be read or written
│   └── ConflictError      another writer has committed to it meanwhile
├── OverlapError        another run of the pipeline goes on
│   └── SkippedError       so that this one was skipped, as its pipeline file says (exit code 3)
├── StageError          a stage ended with some of its parts failed
└── ServerError         the Prefect API could not be started or reached
    └── LostServerError    the Prefect server is gone before the run has ended

The message of each names the offending value and the cure, in one sentence a
user can act on.
"""

from __future__ import annotations

from collections.abc import Sequence


class TidemillError(Exception):
    """Any failure that Tidemill explains in one sentence."""


class ConfigError(TidemillError):
    """A pipeline file, or what it points to, is wrong; `mistakes` has one sentence each."""

    def __init__(self, mistakes: str | Sequence[str]) -> None:
        self.mistakes = (mistakes,) if isinstance(mistakes, str) else tuple(mistakes)
        super().__init__("\n".join(self.mistakes))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[tuple[str, ...]]]:
        """Pickle by mistakes, so that the error crosses process borders whole."""
        return type(self), (self.mistakes,)


class SourceError(TidemillError):
    """A source could not be fetched or read; another attempt may succeed."""


class PermanentSourceError(SourceError):
    """A source could not be fetched or read, and trying again cannot help."""


class WrongPagesError(PermanentSourceError):
    """The pages that have come are not those that were asked for; the next run begins anew."""


class OtherHostError(PermanentSourceError):
    """An address leads to a `host` that its source may not go to; nothing was asked there."""

    def __init__(self, message: str, host: str = "") -> None:
        self.host = host
        super().__init__(message)

    def __reduce__(self) -> tuple[type[OtherHostError], tuple[str, str]]:
        """Pickle with the host, so that the error crosses process borders whole."""
        return type(self), (str(self), self.host)


class DeadRedirectError(PermanentSourceError):
    """Redirects do not end, or lead to no web address."""


class TooLargeError(PermanentSourceError):
    """The body of an answer is larger than it may be."""


class TableError(TidemillError):
    """A table could not be made from what was received."""


class TrainingError(TidemillError):
    """The training set or a candidate is wrong."""


class QueryError(TrainingError, TableError):
    """SQL over tables, which makes a table or a training set, does not run."""


class LateQueryError(QueryError):
    """A query took longer than it may."""


class RunnerError(TidemillError):
    """Workers of the run's runner are not reached, or differ from the run."""


class ExportError(TidemillError):
    """A table could not be written where it is to go."""


class DiskError(TidemillError):
    """The disk is full, or does not let a run write or read there."""


class StoreError(TidemillError):
    """The bucket of a data folder cannot be read or written."""


class ConflictError(StoreError):
    """Another writer has committed the same to the bucket of a data folder meanwhile."""


class OverlapError(TidemillError):
    """Another run of the same pipeline goes on in the same data folder."""


class SkippedError(OverlapError):
    """The run was skipped, as its pipeline file says."""


class StageError(TidemillError):
    """A stage ended with some of its parts failed; the message lists them, `outcome` is what the others came to."""

    def __init__(self, message: str, outcome: object = None) -> None:
        self.outcome = outcome
        super().__init__(message)


class ServerError(TidemillError):
    """The Prefect API could not be started or reached."""


class LostServerError(ServerError):
    """The Prefect server is gone before the run has ended: what is still to be told to it cannot be."""
