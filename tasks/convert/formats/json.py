"""A JSON document: a list of objects, or an object that holds one at a path."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from tasks.config import Reading
from tasks.convert.files.encoding import Transcoder, detect_encoding
from tasks.convert.formats.format import WholeFormat
from tasks.convert.formats.json_rows import NoRow, NotARowError, NullsOf, Row, columns_of, nothing_declared, rows_of
from tasks.convert.schema.blocks import RawBlock, Record, Rejection
from tasks.core.body_paths import Walked, items_of, members_of, walk
from tasks.core.errors import TableError

_BLOCK_RECORDS = 50_000


def read_records(data: bytes, reading: Reading, nulls_of: NullsOf = nothing_declared) -> Iterator[RawBlock]:
    """Yield the records of a document as rows; one that is no object is a misfit, told by its number from 1.

    Raises:
        TableError: the document is damaged, or holds no list where it is looked for.

    """
    text = Transcoder(detect_encoding(data, reading.encoding, is_unicode=True)).to_utf8(data, final=True)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableError(f"is not a JSON document ({error}); mend it, or declare read.format: jsonl") from error
    records = _find_records(document, reading.records_at)
    for start in range(0, max(1, len(records)), _BLOCK_RECORDS):
        yield _block(records[start : start + _BLOCK_RECORDS], start + 1, nulls_of)


def _find_records(document: Any, path: str | None) -> Sequence[Any]:
    walked = walk(document, path, members_of, items_of) if path else Walked([document])
    found = walked.last
    if walked.missing is not None:
        there = f"there are {', '.join(map(str, found))}" if isinstance(found, dict) else f"there is {found!r:.60}"
        raise TableError(f"records_at: {path!r} is not in the document, {there}; correct read.records_at")
    if isinstance(found, list):
        return found
    if isinstance(found, dict):
        return [found]
    raise TableError(f"holds {found!r:.60}, which is no list of records; name the list as read.records_at")


def _read(value: Any) -> tuple[str, list[Row] | NotARowError | NoRow]:
    """Return a record's text and its rows, or why it is none."""
    try:
        text = json.dumps(value, ensure_ascii=False)
        found = rows_of(value)
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value), NotARowError("half of a surrogate pair is not a text")
    except RecursionError:
        return f"{type(value).__name__} of {len(value)}", NotARowError("nested too deeply")
    return text, found


def _block(values: Sequence[Any], first: int, nulls_of: NullsOf) -> RawBlock:
    rows: list[Row] = []
    records: list[Record] = []
    misfits: list[Rejection] = []
    for number, value in enumerate(values, start=first):
        raw, found = _read(value)
        record = Record(number, raw)
        if isinstance(found, NotARowError):
            misfits.append(Rejection(record, found.column, found.reason))
        elif isinstance(found, list):
            rows += found
            records += [record] * len(found)
    table, types = columns_of(rows, nulls_of=nulls_of)
    return RawBlock(table, len(rows) + len(misfits), misfits, lambda chosen: [records[row] for row in chosen], types)


class Json(WholeFormat):
    """A document."""

    name: ClassVar[str] = "json"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    keys: ClassVar[frozenset[str]] = frozenset({"encoding", "records_at"})

    def read(self, data: bytes, reading: Reading, nulls_of: NullsOf) -> Iterator[RawBlock]:
        """Yield the records of a document as rows."""
        return read_records(data, reading, nulls_of)
