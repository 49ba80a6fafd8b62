"""Bodies of answers as their kind reads them, unpacked before where they are packed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import msgspec

from tasks.config import ApiSource
from tasks.config.answers import JsonAnswer
from tasks.core.errors import PermanentSourceError
from tasks.ingest.api.response import Document, Read, parse_json, read_from_body
from tasks.ingest.api.shape import records_of
from tasks.ingest.api.unpacking import explaining_damage, is_packed, unpack
from tasks.ingest.http.redaction import NOT_SHOWN, excerpt, may_quote
from tasks.ingest.http.requests import label_of


async def read_answer(source: ApiSource, response: httpx.Response, read: Callable[[Document], Read]) -> Read:
    """Return what `read` finds in the body of an answer.

    Raises:
        PermanentSourceError: the body is of another kind than the source says, or larger than it may be.
        SourceError: it is packed, and damaged.

    """
    if isinstance(source.answer, JsonAnswer) and not is_packed(response.content):
        return await read_from_body(response, read)
    return await asyncio.to_thread(lambda: read(open_answer(source, response)))


def open_answer(source: ApiSource, response: httpx.Response) -> Document:
    """Return what a body holds; of several files of a .zip the records of all, and what is around those of the first.

    Raises:
        PermanentSourceError, SourceError: as `read_answer` does.

    """
    answer, found = source.answer, list[Document]()
    most, label = source.requests.max_body_bytes, label_of(response)
    with explaining_damage(label):
        for stream in unpack(response.content, label, answer.member, most):
            if isinstance(answer, JsonAnswer):
                body = stream.read()
                found.append(Document(parse_json(body, response), response, body=body))
                continue
            with _refusing_others(answer.kind, label):
                records, around = answer.read(stream, response.charset_encoding)
                found.append(Document(msgspec.Raw(around), response, list(records)))
                _refuse_page(response, found[-1])
    if len(found) == 1:
        return found[0]
    records_of_all = [record for document in found for record in records_of(document, source)]
    return Document(found[0].value_at(None), response, records_of_all)


def _refuse_page(response: httpx.Response, document: Document) -> None:
    """Raise where a page for people has come in place of records, as one that asks who is there."""
    if not document.records(None) and response.headers.get("Content-Type", "").startswith("text/html"):
        raise ValueError(f"it has no records, and is text/html: {excerpt(response)!r:.80}")


@contextmanager
def _refusing_others(kind: str, label: str) -> Iterator[None]:
    """Tell of a body that is of another kind in a sentence."""
    try:
        yield
    except ValueError as error:
        said = error if may_quote() else NOT_SHOWN
        raise PermanentSourceError(
            f"{label}: the body cannot be read as answer: {kind}: {said}; correct answer, or the address"
        ) from None
