"""The shapes of records that are no list of objects: columns as lists, and objects by their ids."""

from __future__ import annotations

from tasks.config import ApiSource
from tasks.core.errors import PermanentSourceError
from tasks.core.json_shape import records_of_shape
from tasks.core.json_text import list_entries, to_value
from tasks.ingest.api.response import ERRORS, Document
from tasks.ingest.http.redaction import may_quote


def records_of(document: Document, source: ApiSource) -> list[bytes]:
    """Return the records of an answer in the shape that its source declares, each a line of JSON.

    Raises:
        PermanentSourceError: they have another shape, or are not where they are looked for.

    """
    if source.shape == "records":
        return document.records(source.records_at)
    value = document.value_at(source.records_at)
    entries = list_entries(value)
    if entries is None and to_value(value) is None:
        return []
    where = "the body" if source.records_at is None else f"records_at: {source.records_at!r}"
    if entries is None:
        raise PermanentSourceError(
            f"{document.label}: {where} is no object, which shape: {source.shape} needs; correct records_at, or shape"
        )
    if entries and entries.keys() <= set(ERRORS):
        raise PermanentSourceError(f"{document.label}: {where} holds nothing but {' and '.join(entries)}")
    try:
        return records_of_shape(value, entries, source.shape, source.id_column)
    except ValueError as error:
        said = error if may_quote() else f"is not of shape: {source.shape}; correct records_at, or shape"
        raise PermanentSourceError(f"{document.label}: {where}: {said}") from None
