"""What the bodies of an API's answers are: what all kinds share, and the registry of kinds."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator
from typing import IO, Annotated, ClassVar, Literal, NamedTuple

from tasks.config.base import ConfigModel, NonEmpty
from tasks.config.kinds import Kinds

REJECT = b'{"$reject":'
"""What a line begins with that stands for a record which could not be read."""


def unread(reason: str, text: str) -> bytes:
    """Return the line that stands for a record which could not be read: it becomes a reject, with the reason and its text."""
    return REJECT + json.dumps(reason).encode() + b', "text": ' + json.dumps(text).encode() + b"}"


class Records(NamedTuple):
    """What a body holds."""

    records: Iterator[bytes]
    """The records in order, each one line of JSON; in place of one that cannot be read what `unread` makes of it."""
    around: bytes = b"[]"
    """What stands around the records, as JSON, in which the places that pagination names are looked for."""


class _Packed(ConfigModel):
    """What all answers share: packed as gzip or in a .zip they are unpacked, as their first bytes tell."""

    member: NonEmpty | None = None
    """Which files of a .zip are read, e.g. *.csv; without it all of them, one after the other."""


class JsonAnswer(_Packed):
    """JSON: a list of records, at records_at, or the one record; also one JSON value a line."""

    is_typed: ClassVar[bool] = True
    has_paths: ClassVar[bool] = True

    kind: Literal["json"] = "json"
    """Kind of answer."""


class RecordsAnswer(_Packed):
    """A body that is no JSON, of which records are made."""

    is_typed: ClassVar[bool] = False
    """Whether the values of records have types of their own, as those of JSON, or are texts."""
    has_paths: ClassVar[bool] = False
    """Whether something stands around the records that a path leads to."""

    kind: str
    """Kind of answer."""

    @abstractmethod
    def read(self, body: IO[bytes], charset: str | None) -> Records:
        """Return the records of a body; `charset` is that of its Content-Type.

        Raises:
            ValueError: the body is of another kind; so may the iteration of its records.

        """


Answer = JsonAnswer | RecordsAnswer
"""What kinds are derived from: the first is read by records_at and shape of the source."""

_KINDS = "tasks.ingest.api.answers"
ANSWERS = Kinds(
    "tidemill.answers",
    "tasks.config.answers:Answer",
    {
        "json": "tasks.config.answers:JsonAnswer",
        "ndjson": f"{_KINDS}.ndjson:NdjsonAnswer",
        "csv": f"{_KINDS}.csv:CsvAnswer",
        "xml": f"{_KINDS}.xml:XmlAnswer",
    },
)
AnyAnswer = Annotated[Answer, ANSWERS]
