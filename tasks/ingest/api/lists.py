"""Records that are lists: their values are given names, so that each is an object as other records are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from tasks.errors import SourceError
from tasks.ingest.api.document import Document
from tasks.ingest.api.json_text import list_items, take_json, to_lines, to_value
from tasks.ingest.http.hiding import quoted

_QUOTED_CHARACTERS = 80
_UNNAMED = (
    "the records are lists, and their values are named col0, col1, …; "
    "write names: first where the first record has their names, or names: [id, …]"
)


class ListNames:
    """Names for the values of a partition's records; `found` are those that its first page has given."""

    def __init__(self, declared: Literal["first"] | tuple[str, ...] | None, found: Sequence[str] | None = None) -> None:
        self._declared = declared
        self.found = None if found is None else list(found)
        self._are_missing = False

    @property
    def doubts(self) -> tuple[str, ...]:
        """Return what is to be told: that values have no names but those of their places."""
        return (_UNNAMED,) if self._are_missing else ()

    def name(self, records: list[bytes]) -> list[bytes]:
        """Return records, those that are lists as objects; of other kinds of records only the first is looked at."""
        if not records or not records[0].startswith(b"["):
            return records
        if self._declared != "first":
            self._are_missing = self._declared is None
            return [_to_object(record, self._declared or ()) for record in records]
        names = _read_names(records[0])
        if self.found is None:
            self.found = names
        if names == self.found:  # which some servers give on each page, and some on the first
            records = records[1:]
        return [_to_object(record, self.found) for record in records]


class BodyKind:
    """Whether the bodies of a partition are lists of records or a record each: one of the other kind is no page of it."""

    def __init__(self) -> None:
        self._is_record: bool | None = None

    def check(self, document: Document, records: Sequence[bytes], said: str) -> None:
        """Raise SourceError where a body has records of another kind than those before."""
        if self._is_record is None and records:
            self._is_record = document.is_record
        if records and document.is_record != self._is_record:
            kind, others = ("an object", "lists") if document.is_record else ("a list", "objects")
            raise SourceError(
                f"{said}: the body is {kind} where those of other pages are {others}: "
                f"{quoted(records[0].decode('utf-8', 'replace'), _QUOTED_CHARACTERS)}; "
                "run again, or name what such an error has in error_at"
            )


def _read_names(record: bytes) -> list[str]:
    """Return the names that a record is, each once; what is none is named by its place."""
    found = to_value(take_json(record))
    names: list[str] = []
    for place, name in enumerate(found):
        names.append(name if isinstance(name, str) and name and name not in names else f"col{place}")
    return names


def _to_object(record: bytes, names: Sequence[str]) -> bytes:
    """Return a list as an object, its values as they were received; a value without a name has that of its place."""
    value = take_json(record)
    items = list_items(value)
    if items is None:
        return record
    keys = [*names[: len(items)], *(f"col{place}" for place in range(len(names), len(items)))]
    pairs = (json.dumps(key).encode() + b":" + line for key, line in zip(keys, to_lines(items, value), strict=True))
    return b"{" + b",".join(pairs) + b"}"
