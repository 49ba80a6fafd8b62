"""A JSON body, read no further than it is asked: its records stay the text they were received as."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
import msgspec

from tasks.errors import PermanentSourceError
from tasks.ingest.hiding import excerpt

_EXCERPT_CHARACTERS = 120
_QUOTED_CHARACTERS = 60
_IN_THREAD_BYTES = 64 * 1024  # smaller bodies are read in less time than a thread is handed one

Read = TypeVar("Read")


class Document:
    """The JSON body of an answer: raw text, or values where only Python's reader can make sense of it."""

    def __init__(self, root: Any, url: httpx.URL) -> None:
        self._root = root
        self._url = url

    def at(self, path: str, key: str) -> Any:
        """Return the value at a dotted path; `key` names the pipeline file's key that gave the path.

        Raises:
            PermanentSourceError: there is no such path; what is there is quoted.

        """
        value, met = self._walk(path)
        if met is not None:
            names = _names(value)
            there = f"{_plain(value)!r:.{_QUOTED_CHARACTERS}}" if names is None else f"the keys {', '.join(names)}"
            raise PermanentSourceError(
                f"GET {self._url}: {key}: {path!r} is not in the body, {met!r} meets {there}; correct {key}"
            )
        return _plain(value)

    def find(self, path: str) -> Any:
        """Return the value at a dotted path, or None where there is no such path."""
        value, met = self._walk(path)
        return None if met is not None else _plain(value)

    def records(self, records_at: str | None) -> list[bytes]:
        """Return the records, each a line of JSON: the list at `records_at`, the body's own list, or the body as one record.

        Raises:
            PermanentSourceError: `records_at` is missing from the body or is not a list.

        """
        if records_at is None:
            items = _items(self._root)
            return _lines([self._root] if items is None else items, self._root)
        value, met = self._walk(records_at)
        items = None if met is not None else _items(value)
        if items is None:
            found = self.at(records_at, "records_at")  # raises where there is no such path
            raise PermanentSourceError(
                f"GET {self._url}: records_at: {records_at!r} is {found!r:.{_QUOTED_CHARACTERS}}, not a list; name the path of the list of records"
            )
        return _lines(items, value)

    def _walk(self, path: str) -> tuple[Any, str | None]:
        """Return the value at a path; or the farthest one that is there, and the name that it has not."""
        value = self._root
        for name in path.split("."):
            names = _names(value)
            if names is None or name not in names:
                return value, name
            value = names[name]
        return value, None


async def read_document(response: httpx.Response, read: Callable[[Document], Read]) -> Read:
    """Return what `read` finds in the JSON body of an answer.

    Raises:
        PermanentSourceError: the body is not JSON; its first characters are quoted.

    """

    def parse() -> Read:
        return read(Document(_parse(response), response.url))

    return parse() if len(response.content) < _IN_THREAD_BYTES else await asyncio.to_thread(parse)


def _parse(response: httpx.Response) -> Any:
    """Return the JSON value of a body, as raw text; parsed where it is in another encoding than UTF-8, or has NaN."""
    try:
        return msgspec.json.decode(response.content.strip(), type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        try:
            return json.loads(response.content)
        except (ValueError, RecursionError):  # the latter where brackets stand a thousand deep
            kind = response.headers.get("Content-Type", "no content type")
            raise PermanentSourceError(
                f"GET {response.url} answered {kind}, which is not JSON: {excerpt(response, _EXCERPT_CHARACTERS)!r}; correct the address"
            ) from None


def _names(value: Any) -> dict[str, Any] | None:
    """Return what an object holds by name; None of another value."""
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value, type=dict[str, msgspec.Raw]) if _first(value) == b"{" else None
    return value if isinstance(value, dict) else None


def _items(value: Any) -> list[Any] | None:
    """Return what a list holds; None of another value."""
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value, type=list[msgspec.Raw]) if _first(value) == b"[" else None
    return value if isinstance(value, list) else None


def _lines(items: list[Any], whole: Any) -> list[bytes]:
    """Return the items of `whole` as they were received, each in one line."""
    if not isinstance(whole, msgspec.Raw):
        texts = (json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in items)
        return [text.encode("utf-8", "surrogatepass") for text in texts]
    text = bytes(whole)
    if b"\n" in text or b"\r" in text:  # between values: within a text they are escaped
        return [msgspec.json.format(bytes(item), indent=-1) for item in items]
    return list(map(bytes, items))


def _plain(value: Any) -> Any:
    return json.loads(bytes(value).decode("utf-8", "replace")) if isinstance(value, msgspec.Raw) else value


def _first(raw: msgspec.Raw) -> bytes:
    """Return the first character of a value; raw values have no space before them."""
    return bytes(memoryview(raw)[:1])
