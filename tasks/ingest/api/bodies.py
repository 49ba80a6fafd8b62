"""Bodies of answers as their kind reads them, unpacked before where they are packed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO

import httpx
import msgspec

from tasks.config import ApiSource
from tasks.config.answers import JsonAnswer
from tasks.core.errors import PermanentSourceError
from tasks.core.json_pieces import ListReader, NoListError
from tasks.core.json_text import take_json
from tasks.ingest.api.response import Document, Read, is_lined, parse_json, read_from_body
from tasks.ingest.api.shape import records_of
from tasks.ingest.api.unpacking import explaining_damage, is_packed, is_zip, unpack
from tasks.ingest.http.redaction import NOT_SHOWN, excerpt, may_quote
from tasks.ingest.http.requests import label_of

_LARGE, _LARGE_GZIP = 32 * 2**20, 2 * 2**20
_PIECE_BYTES = 2**20
_PAIR = 2  # what is said of the records, and these


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
                _refuse_page(response, has_rows=bool(found[-1].records(None)))
    if len(found) == 1:
        return found[0]
    records_of_all = [record for document in found for record in records_of(document, source)]
    return Document(found[0].value_at(None), response, records_of_all)


def may_be_read_in_pieces(source: ApiSource, response: httpx.Response) -> bool:
    """Return whether the records of an answer need not be held together: large JSON in UTF-8 as it is or as gzip, and all that is no JSON."""
    if not isinstance(source.answer, JsonAnswer):
        return True
    body = response.content
    is_plain = source.shape == "records" and response.charset_encoding in (None, "utf-8", "UTF-8")
    return (
        is_plain
        and not is_lined(response)
        and not is_zip(body)
        and len(body) >= (_LARGE_GZIP if is_packed(body) else _LARGE)
    )


def read_in_pieces(source: ApiSource, response: httpx.Response) -> Iterator[list[bytes] | Document]:
    """Yield the records of an answer in pieces, and at last a document of what is around them.

    Raises:
        PermanentSourceError, SourceError: as `read_answer` does.

    """
    answer, around = source.answer, Document(msgspec.Raw(b"[]"), response, [])
    most, label = source.requests.max_body_bytes, label_of(response)
    with explaining_damage(label):
        for stream in unpack(response.content, label, answer.member, most):
            with _refusing_others(answer.kind, label):
                if isinstance(answer, JsonAnswer):
                    yield from _read_list(source, response, stream)
                    return
                records, left = answer.read(stream, response.charset_encoding)
                count = 0
                for piece in _cut(records):
                    count += len(piece)
                    yield piece
                around = Document(msgspec.Raw(left), response, [])
                _refuse_page(response, has_rows=count > 0)
    yield around


def _read_list(source: ApiSource, response: httpx.Response, stream: IO[bytes]) -> Iterator[list[bytes] | Document]:
    """Yield the items of the list that a body is, or has at records_at; what is no such list, or is a pair, is read whole."""
    try:
        reader = ListReader(stream, source.records_at)
    except (NoListError, ValueError):
        yield from _read_whole(source, response)
        return
    pieces = _cut(reader.items())
    first = next(pieces, [])
    if len(first) <= _PAIR:
        yield from _read_whole(source, response)
        return
    yield first
    yield from pieces
    yield Document(take_json(reader.around.encode("utf-8", "surrogateescape")), response)


def _read_whole(source: ApiSource, response: httpx.Response) -> Iterator[list[bytes] | Document]:
    document = open_answer(source, response)
    yield records_of(document, source)
    yield document


def _cut(records: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield records in pieces of some megabytes."""
    piece, size = list[bytes](), 0
    for record in records:
        piece.append(record)
        size += len(record)
        if size >= _PIECE_BYTES:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _refuse_page(response: httpx.Response, *, has_rows: bool) -> None:
    """Raise where a page for people has come in place of records, as one that asks who is there."""
    if not has_rows and response.headers.get("Content-Type", "").startswith("text/html"):
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
