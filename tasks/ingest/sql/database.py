"""A database that is read: what each kind has in common, and which error of one may pass."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, Protocol

import pyarrow as pa

from tasks.config import Scalar
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.core.placeholders import literal_of
from tasks.core.tables import quote_name


class Database(ABC):
    """One database, of which a query at a time is read, in a connection and a snapshot of its own."""

    is_cancelled = False
    """Whether `cancel` has ended the query: what was read of it may be less than all, or nothing."""

    @abstractmethod
    def read(self, query: str) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query in batches, at least one; what stands in them is what the database has.

        Raises:
            SourceError: the connection was lost, or another transaction was in the way.
            PermanentSourceError: the database refuses the query, or whoever asks.

        """

    @abstractmethod
    def cancel(self) -> None:
        """End the query that is read, whichever thread reads it."""

    def name(self, name: str) -> str:
        """Return the name of a column as it is quoted."""
        return quote_name(name)

    def placed(self, value: Scalar) -> str:
        """Return a value as it stands in place of a placeholder."""
        return literal_of(value)

    def literal(self, value: Scalar) -> str:
        """Return a value as it is compared with a column, whatever the column's type is."""
        return literal_of(value)


class Interrupted(Protocol):
    """A connection whose query another thread may end."""

    def interrupt(self) -> None:
        """End the query."""


class FileDatabase(Database):
    """A database that is one file, whose connection is interrupted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: Interrupted | None = None
        self._lock = threading.Lock()

    @contextmanager
    def _reading(self, connection: Interrupted) -> Iterator[None]:
        """Let the query of a connection be ended while the block runs."""
        with self._lock:
            self._connection = connection
        try:
            yield
        finally:
            with self._lock:
                self._connection = None

    def cancel(self) -> None:
        """End the query that is read."""
        with self._lock:
            self.is_cancelled = True
            if self._connection is not None:
                self._connection.interrupt()


def fail(said: str, cure: str, *, may_pass: bool) -> NoReturn:
    """Raise what a database says, and what to do."""
    kind = SourceError if may_pass else PermanentSourceError
    raise kind(f"{said}; {cure}") from None
