"""A JSON body, read no further than it is asked: its records stay the text they were received as."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import httpx

from tasks.errors import PermanentSourceError
from tasks.ingest.api.json_text import JsonText, list_entries, list_items, take_json, to_lines, to_value
from tasks.ingest.http.asking import said_of
from tasks.ingest.http.hiding import excerpt

_EXCERPT_CHARACTERS = 120
_QUOTED_CHARACTERS = 60
_NAMES_CHARACTERS = 200
_IN_THREAD_BYTES = 64 * 1024  # smaller bodies are read in less time than a thread is handed one

Read = TypeVar("Read")


class Document:
    """The JSON body of an answer."""

    def __init__(self, root: JsonText, response: httpx.Response) -> None:
        self._root = root
        self._response = response

    def at(self, path: str, key: str) -> Any:
        """Return the value at a dotted path; `key` names the pipeline file's key that gave the path.

        Raises:
            PermanentSourceError: there is no such path; what is there is quoted.

        """
        return to_value(self._at(path, key))

    def find(self, path: str) -> Any:
        """Return the value at a dotted path, or None where there is no such path."""
        value, met = self._walk(path)
        return None if met is not None else to_value(value)

    def is_list(self) -> bool:
        """Return whether the body is a list, or null, which some servers write for one without items."""
        return list_items(self._root) is not None or to_value(self._root) is None

    def records(self, records_at: str | None) -> list[bytes]:
        """Return the records, each a line of JSON: the list at `records_at`, the body's own list, or the body as one record.

        Null is a list without items, as some servers write it.

        Raises:
            PermanentSourceError: `records_at` is missing from the body or is not a list.

        """
        value = self._root if records_at is None else self._at(records_at, "records_at")
        items = list_items(value)
        if items is not None:
            return to_lines(items, value)
        found = to_value(value)
        if found is None:
            return []
        if records_at is None:
            return to_lines([value], value)
        raise PermanentSourceError(
            f"{said_of(self._response)}: records_at: {records_at!r} is {found!r:.{_QUOTED_CHARACTERS}}, not a list; "
            "name the path of the list of records"
        )

    def _at(self, path: str, key: str) -> JsonText:
        value, met = self._walk(path)
        if met is None:
            return value
        names = list_entries(value)
        there = f"{to_value(value)!r:.{_QUOTED_CHARACTERS}}" if names is None else f"the keys {_list(names)}"
        raise PermanentSourceError(
            f"{said_of(self._response)}: {key}: {path!r} is not in the body, {met!r} meets {there}; correct {key}"
        )

    def _walk(self, path: str) -> tuple[JsonText, str | None]:
        """Return the value at a path; or the farthest one that is there, and the name that it has not."""
        value = self._root
        for name in path.split("."):
            entries = list_entries(value)
            if entries is None or name not in entries:
                return value, name
            value = entries[name]
        return value, None


async def read_document(response: httpx.Response, read: Callable[[Document], Read]) -> Read:
    """Return what `read` finds in the JSON body of an answer.

    Raises:
        PermanentSourceError: the body is not JSON; its first characters are quoted.

    """

    def parse() -> Read:
        return read(Document(_parse(response), response))

    return parse() if len(response.content) < _IN_THREAD_BYTES else await asyncio.to_thread(parse)


def _parse(response: httpx.Response) -> JsonText:
    try:
        return take_json(response.content, lambda: response.charset_encoding)
    except ValueError:
        kind = response.headers.get("Content-Type", "no content type")
        raise PermanentSourceError(
            f"{said_of(response)} answered {kind}, which is not JSON: {excerpt(response, _EXCERPT_CHARACTERS)!r}; correct the address"
        ) from None


def _list(names: Iterable[str]) -> str:
    """Return names in a row, those that cannot be shown as they are in quotes; enough of them to tell where one is."""
    shown = ", ".join(name if name.isprintable() else repr(name) for name in names) or "of an empty object"
    return shown if len(shown) <= _NAMES_CHARACTERS else f"{shown[:_NAMES_CHARACTERS]} …"
