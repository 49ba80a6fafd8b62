"""A page's body as JSON, read no further than it is asked: its records stay the text they were received as."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeVar

import httpx

from tasks.core.body_paths import Walked, walk
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.core.escaping import count
from tasks.core.json_shape import as_object, read_names
from tasks.core.json_text import (
    JsonText,
    list_entries,
    list_items,
    take_json,
    take_json_lines,
    to_lines,
    to_value,
)
from tasks.ingest.http.redaction import excerpt_of, may_quote, quoted
from tasks.ingest.http.requests import PageRequest, label_of

_EXCERPT_CHARACTERS = 120
_QUOTED_CHARACTERS = 60
_NAMES_CHARACTERS = 200
_PAIR = 2
ERRORS = ("error", "errors")  # what an answer that is none, though its status is 200, tells of it by
_LINES = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonl",
        "application/jsonlines",
        "application/x-jsonlines",
        "application/json-lines",
        "application/json-seq",
        "application/geo+json-seq",
    }
)
"""Types of bodies of which each line is a JSON value; that of a page without records has none."""
_IN_THREAD_BYTES = 64 * 1024  # smaller bodies are read in less time than a thread is handed one

Read = TypeVar("Read")


class Document:
    """The JSON body of an answer; of another kind of answer its `given` records, and as JSON what stands around them."""

    def __init__(
        self, root: JsonText, response: httpx.Response, given: list[bytes] | None = None, body: bytes | None = None
    ) -> None:
        self._root = root
        self._response = response
        self._body = response.content if body is None else body
        self._given = given
        self._entries = list_entries(root)
        self.is_record = False
        """Whether the body itself was given as the one record."""

    def at(self, path: str, key: str) -> Any:
        """Return the value at a path; `key` names the pipeline file's key that gave the path.

        Raises:
            PermanentSourceError: there is no such path; what is there is quoted.

        """
        return to_value(self._at(path, key))

    def find(self, path: str) -> Any:
        """Return the value at a path, or None where there is no such path."""
        walked = self._walk(path)
        return None if walked.missing is not None else to_value(walked.last)

    def missing(self, path: str) -> str | None:
        """Return what stands where a path ends too early; None where there is such a path."""
        walked = self._walk(path)
        return None if walked.missing is None else f"{walked.missing!r} meets {_there(walked.last)}"

    def levels(self, records_at: str | None) -> list[dict[str, JsonText]]:
        """Return the objects that are passed on the way to `records_at`, the body first, as names and values."""
        passed = self._walk(records_at).passed[:-1] if records_at else [self._root]
        return [entries for entries in map(self._members, passed) if entries is not None]

    def complaint(self, *, has_rows: bool) -> str | None:
        """Return what a body says of an error, as a sentence; None where it says of none.

        A body with rows says so only beside `data`, as that of GraphQL does, or where it became the one row itself.
        """
        if has_rows and not self.is_record and "data" not in (self._entries or {}):
            return None
        for name in ERRORS:
            if found := self.find(name):
                cure = f"; write error_at: {name} to have such a one asked for again" if self._given is None else ""
                return (
                    f"{label_of(self._response)}: the answer has {'' if has_rows else 'no '}rows, and {name}: "
                    f"{quoted(found, _QUOTED_CHARACTERS)}{cure}"
                )
        return None

    def is_list(self) -> bool:
        """Return whether the body is a list, or null, which some servers write for one without items."""
        if self._given is not None:
            return True
        root = self._all()
        return list_items(root) is not None or to_value(root) is None

    def records(self, records_at: str | None) -> list[bytes]:
        """Return the records, each a line of JSON: the list at `records_at`, the body's own list, or the body as one record.

        Null is a list without items, as some servers write it.

        Raises:
            PermanentSourceError: `records_at` is missing from the body or is not a list.

        """
        if self._given is not None:
            return self._given
        value = self.value_at(records_at)
        items = list_items(value)
        if items is not None:
            self._check_is_flat(items, records_at)
            return to_lines(items, value)
        found = to_value(value)
        if found is None:
            return []
        if records_at is None:
            self.is_record = True
            return to_lines([value], value)
        raise PermanentSourceError(
            f"{label_of(self._response)}: records_at: {records_at!r} is {quoted(found, _QUOTED_CHARACTERS)}, not a list; "
            "name the path of the list of records"
        )

    @property
    def label(self) -> str:
        """Return what messages call the request by."""
        return label_of(self._response)

    def value_at(self, records_at: str | None) -> JsonText:
        """Return the value at `records_at`, or the body.

        Raises:
            PermanentSourceError: `records_at` is missing from the body.

        """
        return self._all() if records_at is None else self._at(records_at, "records_at")

    def _all(self) -> JsonText:
        """Return the body; as a list where its type says that its one line is one of many."""
        lines = take_json_lines(self._body) if is_lined(self._response) else None
        return self._root if lines is None else lines

    def _check_is_flat(self, items: list[JsonText], records_at: str | None) -> None:
        """Raise where a body is a pair of what is said of the records, and these."""
        if records_at is not None or len(items) != _PAIR:
            return
        inner = [list_items(item) for item in items]
        for place, records in enumerate(inner):
            if inner[1 - place] is None and records and list_entries(records[0]) and list_entries(items[1 - place]):
                raise PermanentSourceError(
                    f"{label_of(self._response)}: the body is an object and a list of {count(len(records), 'object')}; "
                    f"write records_at: '{place}' for those of the list"
                )

    def _at(self, path: str, key: str) -> JsonText:
        if self._entries is not None and path in self._entries:  # most paths are a name alone
            return self._entries[path]
        walked = self._walk(path)
        if walked.missing is None:
            return walked.last
        there = _there(walked.last)
        raise PermanentSourceError(
            f"{label_of(self._response)}: {key}: {path!r} is not in the body, {walked.missing!r} meets {there}; correct {key}"
        )

    def _walk(self, path: str) -> Walked[JsonText]:
        return walk(self._root, path, self._members, list_items)

    def _members(self, value: JsonText) -> dict[str, JsonText] | None:
        return self._entries if value is self._root else list_entries(value)


async def read_from_body(response: httpx.Response, read: Callable[[Document], Read]) -> Read:
    """Return what `read` finds in the JSON body of an answer.

    Raises:
        PermanentSourceError: the body is not JSON; its first characters are quoted.

    """

    def parse() -> Read:
        return read(Document(parse_json(response.content, response), response))

    return parse() if len(response.content) < _IN_THREAD_BYTES else await asyncio.to_thread(parse)


def parse_json(body: bytes, response: httpx.Response) -> JsonText:
    """Return the JSON value that the body of an answer is, or the list of those that its lines are.

    Raises:
        PermanentSourceError: it is no JSON; its first characters are quoted.

    """
    try:
        return take_json(body, lambda: response.charset_encoding)
    except ValueError:
        may_be_lines = b"\n" in body.strip() or is_lined(response)
        if may_be_lines and (lines := take_json_lines(body)) is not None:
            return lines
        kind = response.headers.get("Content-Type", "no content type")
        raise PermanentSourceError(
            f"{label_of(response)} answered {kind}, which is not JSON: {excerpt_of(body, response, _EXCERPT_CHARACTERS)!r}; correct the address"
        ) from None


def is_lined(response: httpx.Response) -> bool:
    """Return whether each line of a body is a JSON value, as its type says."""
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower() in _LINES


def _there(value: JsonText) -> str:
    """Return what a value is, in short."""
    names = list_entries(value)
    if names is not None and not may_quote():  # they may be ids
        return f"an object of {count(len(names), 'member')}"
    return quoted(to_value(value), _QUOTED_CHARACTERS) if names is None else f"the keys {_list(names)}"


def _list(names: Iterable[str]) -> str:
    """Return names in a row, those that cannot be shown as they are in quotes; enough of them to tell where one is."""
    shown = ", ".join(name if name.isprintable() else repr(name) for name in names) or "of an empty object"
    return shown if len(shown) <= _NAMES_CHARACTERS else f"{shown[:_NAMES_CHARACTERS]} …"


_SHOWN_CHARACTERS = 80
_UNNAMED = (
    "the records are lists, and their values are named col0, col1, …; "
    "write names: first where the first record has their names, or names: [id, …]"
)


class ListNames:
    """Names for the values of a partition's records; `names` are those that its first page has given."""

    def __init__(self, declared: Literal["first"] | tuple[str, ...] | None, names: Sequence[str] | None = None) -> None:
        self._declared = declared
        self.names = None if names is None else list(names)
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
            return [as_object(record, self._declared or ()) for record in records]
        names = read_names(records[0])
        if self.names is None:
            self.names = names
        if names == self.names:  # which some servers give on each page, and some on the first
            records = records[1:]
        return [as_object(record, self.names) for record in records]


class BodyKind:
    """Whether the bodies of a partition are lists of records or a record each: one of the other kind is no page of it."""

    def __init__(self) -> None:
        self._is_record: bool | None = None

    def check(self, document: Document, records: Sequence[bytes], page_request: PageRequest) -> None:
        """Raise SourceError where a body has records of another kind than those before."""
        if self._is_record is None and records:
            self._is_record = document.is_record
        if records and document.is_record != self._is_record:
            kind, others = ("an object", "lists") if document.is_record else ("a list", "objects")
            raise SourceError(
                f"{page_request.label}: the body is {kind} where those of other pages are {others}: "
                f"{quoted(records[0].decode('utf-8', 'replace'), _SHOWN_CHARACTERS)}; "
                "run again, or name what such an error has in error_at"
            )


async def find_in_body(response: httpx.Response, path: str) -> Any:
    """Return what a body has at a path; None where it is no JSON, of which whoever reads the records tells."""
    with suppress(PermanentSourceError):
        return await read_from_body(response, lambda document: document.find(path))
    return None
