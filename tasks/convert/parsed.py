"""A file parsed into texts: what every reader gives, whatever the format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from tasks.convert.types import TypeName


@dataclass(frozen=True)
class Record:
    """One record as it stands in its file: the number of its first line, from 1, and its text."""

    line: int
    raw: str


@dataclass(frozen=True)
class Misfit:
    """A record that could not become a row, or whose value in `column` could not be typed."""

    record: Record
    column: str | None
    reason: str


@dataclass(frozen=True)
class Parsed:
    """The rows of one file, every value a text or null; `received` counts them and the misfits.

    `types` holds the types that the format itself gives (JSON); without it they
    are inferred from the texts. `locate` returns the records of rows, by their
    indices in `texts`: asked only for rows that turn out not to fit. `lines` is
    how many records the file holds, where a record may be several rows.
    """

    texts: pa.Table
    received: int
    misfits: Sequence[Misfit]
    locate: Callable[[Sequence[int]], Sequence[Record]]
    types: Mapping[str, TypeName] | None = None
    lines: int | None = None
