"""A JSON document: a list of objects, or an object that holds one at a path."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Reading
from tasks.convert.files.byte_view import ByteView
from tasks.convert.files.encoding import Transcoder, detect_encoding
from tasks.convert.formats.format import ByteBlock, Extent, WholeFormat
from tasks.convert.formats.json.apart import read_rows
from tasks.convert.formats.json.extent import find_record_bytes
from tasks.convert.formats.json.jsonl import parse_lines
from tasks.convert.formats.json.lines import JsonBlock
from tasks.convert.formats.json.no_numbers import replace_no_numbers
from tasks.convert.formats.json.rows import (
    HALF,
    NO_JSON,
    TOO_DEEP,
    NoRow,
    NotARowError,
    NullsOf,
    Row,
    columns_of,
    nothing_declared,
    reject_of,
    rows_of,
    write_json,
)
from tasks.convert.schema.blocks import RawBlock, Schema, TypedBlock
from tasks.convert.schema.cast import cast_block
from tasks.convert.schema.misfits import cut_texts, make_misfits, make_records
from tasks.convert.schema.target import TableTarget
from tasks.core.body_paths import Walked, items_of, members_of, walk
from tasks.core.errors import TableError
from tasks.core.json_shape import name_lists, records_of_shape
from tasks.core.json_text import JsonText, list_entries, list_items, take_json, to_lines

_LINE_FEED, _BLANK = b"\n "
_BLOCK_RECORDS = 50_000
_BLOCK_BYTES = 4 * 2**20  # beside the document itself, its blocks are what takes memory
_BLANKS = 1024  # at most before a list that is split
# Times the size of a document that its memory grows by, blocks aside: 78 MiB took 210 MiB and 195 MiB 392; in columns
# 4.6 MiB took 113 and 15.6 MiB 195 (tests/estimate/test_conversion.py).
_HELD, _HELD_ANEW = 1.6, 10.0


def read_records(data: bytes, reading: Reading, nulls_of: NullsOf = nothing_declared) -> Iterator[RawBlock]:
    """Yield the records of a document as rows; one that is no object is a misfit, told by its number from 1.

    Raises:
        TableError: the document is damaged, or holds no list where it is looked for.

    """
    text, path = _as_list(_as_utf8(data, reading), reading)
    records = _load(text, path)
    for start in range(0, max(1, len(records)), _BLOCK_RECORDS):
        yield _block(records[start : start + _BLOCK_RECORDS], start + 1, nulls_of)


def _as_utf8(data: bytes, reading: Reading) -> bytes:
    return Transcoder(detect_encoding(data, reading.encoding, is_unicode=True)).to_utf8(data, final=True)


def _as_list(text: bytes, reading: Reading) -> tuple[bytes, str | None]:
    """Return a document, and the path in it to its list of records; of another shape a document that is this list.

    Raises:
        TableError: the document is damaged, or of another shape than is declared.

    """
    if reading.shape in (None, "records") and reading.names is None:
        return text, reading.records_at
    try:
        root = take_json(text)
    except ValueError as error:
        raise TableError(f"is not a JSON document ({error}); mend it") from None
    walked = walk(root, reading.records_at, list_entries, list_items) if reading.records_at else Walked([root])
    if walked.missing is not None:
        _load(text, reading.records_at)  # tells what is there
    where = f"records_at: {reading.records_at!r}" if reading.records_at else "the document"
    try:
        records = _as_records(walked.last, reading)
    except ValueError as error:
        raise TableError(f"{where}: {error}") from None
    return b"[" + b",".join(records) + b"]", None


def _as_records(value: JsonText, reading: Reading) -> list[bytes]:
    """Return the records that a value is, as objects."""
    if reading.shape in ("columns", "by_id"):
        entries = list_entries(value)
        if entries is None:
            raise ValueError(f"is no object, which shape: {reading.shape} needs; correct read.records_at, or shape")
        return records_of_shape(value, entries, reading.shape, reading.id_column)
    items = list_items(value)
    if items is None:
        raise ValueError(
            "is no list, and names are of records that are lists; correct read.records_at, or take names out"
        )
    return name_lists(to_lines(items, value), reading.names)


def _load(text: bytes, path: str | None) -> Sequence[Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableError(f"is not a JSON document ({error}); mend it, or declare read.format: jsonl") from error
    return _find_records(document, path)


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
        text = write_json(value)
        found = rows_of(value, text.encode("utf-8"))
    except UnicodeEncodeError:
        return json.dumps(value), HALF
    except RecursionError:
        return f"{type(value).__name__} of {len(value)}", NotARowError(TOO_DEEP)
    return text, found


def _block(values: Sequence[Any], first: int, nulls_of: NullsOf) -> RawBlock:
    rows: list[Row] = []
    unfit: list[NotARowError] = []
    records, places, unfit_places = list[str](), list[int](), list[int]()
    for place, value in enumerate(values):
        raw, found = _read(value)
        records.append(raw)
        if isinstance(found, NotARowError):
            unfit.append(found)
            unfit_places.append(place)
        elif isinstance(found, list):
            rows += found
            places += [place] * len(found)
    table, types = columns_of(rows, nulls_of=nulls_of)
    every = make_records(np.arange(first, first + len(values)), records)
    misfits = reject_of(every.take(pa.array(unfit_places, pa.int64())), unfit)
    found_at = np.array(places, np.int64)
    return RawBlock(
        table, len(rows) + len(misfits), misfits, lambda chosen: every.take(pa.array(found_at[chosen])), types
    )


def split_records(text: bytes, path: str | None) -> Sequence[msgspec.Raw] | None:
    """Return the records of a document as they stand in it; None where it has to be read as a whole."""
    try:
        return _split(msgspec.Raw(text), path)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        masked = replace_no_numbers(text)
    try:
        found = _split(msgspec.Raw(masked), path) if masked != text else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if found is None else [msgspec.Raw(text[start:stop]) for start, stop in _places(masked, found)]


def write_as_lines(data: bytes, reading: Reading) -> bytes | None:
    """Return the records of a document as lines of JSON; None where it has to be looked at by itself."""
    try:
        str(data, "utf-8")
        records = split_records(data, reading.records_at)
        if records is None and reading.records_at is None and _members(msgspec.Raw(data)) is not None:
            records = [msgspec.Raw(data.strip())]  # an object is a record
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if records is None else b"".join(bytes(each).replace(b"\n", b" ") + b"\n" for each in records)


def parse_as_lines(block: JsonBlock, schema: Schema) -> TypedBlock:
    """Return the records of documents, written as lines, as rows, typed, and those that do not fit."""
    return cast_block(read_rows(block, schema), schema)


def _rewrite(text: bytes, path: str | None) -> Sequence[msgspec.Raw]:
    """Return the records of a document that is read as a whole, as Python writes them.

    Raises:
        TableError: it is damaged, or holds no list where it is looked for.

    """
    try:
        written = [json.dumps(value, ensure_ascii=False) for value in _load(text, path)]
    except RecursionError:
        raise TableError(f"has a record that is {TOO_DEEP}; mend it") from None
    return [msgspec.Raw(each.encode("utf-8", "surrogatepass")) for each in written]


def _split(root: msgspec.Raw, path: str | None) -> Sequence[msgspec.Raw] | None:
    walked = walk(root, path, _members, _items) if path else Walked([root])
    return None if walked.missing is not None else _items(walked.last)


def _places(text: bytes, records: Sequence[msgspec.Raw]) -> Iterator[tuple[int, int]]:
    """Yield where each record begins and ends in the text, between which there is no more than a comma and blanks."""
    stop = _address(records[0]) - _address(text) if records else 0
    for record in records:
        start = text.index(bytes(record), stop)
        stop = start + len(memoryview(record))
        yield start, stop


def _address(data: bytes | msgspec.Raw) -> int:
    """Return where bytes lie in memory: a record is a view of its document."""
    return int(np.frombuffer(data, np.uint8).ctypes.data)


def _members(value: msgspec.Raw) -> Mapping[str, msgspec.Raw] | None:
    return msgspec.json.decode(value, type=dict[str, msgspec.Raw]) if _begins(value) == b"{" else None


def _items(value: msgspec.Raw) -> Sequence[msgspec.Raw] | None:
    return msgspec.json.decode(value, type=list[msgspec.Raw]) if _begins(value) == b"[" else None


def _begins(value: msgspec.Raw) -> bytes:
    return bytes(memoryview(value)[:_BLANKS]).lstrip()[:1]


@dataclass(frozen=True)
class RecordBlock:
    """Records of a document in UTF-8, as they stand in it at a path, and the number of those before."""

    document: bytes
    path: str | None
    records: Sequence[msgspec.Raw]
    before: int
    target: TableTarget

    def parse(self, schema: Schema) -> TypedBlock:
        """Return the records as rows, typed, and those that do not fit.

        Raises:
            TableError: the document is damaged, or two columns would have the same name.

        """
        lines = self.as_lines()
        if lines.explode is not None:
            return parse_lines(lines, schema)
        with suppress(RecursionError):  # which record is nested too deeply is told by reading each
            found = self._read_lines(lines, schema)
            if found is not None:
                return cast_block(self._tell(found), schema)
        naming, nulls_of = self.target.naming, self.target.nulls_of
        block = _block(self._values(), self.before + 1, nulls_of)
        names = naming.rename(block.table.column_names)
        types = dict(zip(names, (block.types or {}).values(), strict=True))
        renamed = replace(block, table=block.table.rename_columns(names), types=types)
        return cast_block(self._tell(renamed), schema)

    def _read_lines(self, lines: JsonBlock, schema: Schema) -> RawBlock | None:
        """Return the rows of the records; None where one is no JSON, which is told of the document."""
        found = read_rows(lines, schema)
        reasons = found.misfits["reason"]
        return None if any(pc.any(pc.starts_with(reasons, said)).as_py() for said in NO_JSON) else found

    def as_lines(self) -> JsonBlock:
        """Return the records as lines of JSON, each as long as it is in the document."""
        target, lines = self.target, self._text
        if lines.count(b"\n") >= len(self.records) > 0:
            view = np.frombuffer(lines, np.uint8).copy()
            view[view == _LINE_FEED] = _BLANK
            view[self._ends[:-1]] = _LINE_FEED
            lines = view.tobytes()
        options = target.typed, target.explode, target.keeps_empty, target.naming, target.nulls_of
        return JsonBlock(ByteView.of(lines), self.before + 1, None, *options)

    @cached_property
    def _text(self) -> bytes:
        return b"\n".join(self.records)

    @cached_property
    def _ends(self) -> np.ndarray:
        """Return where each record ends among all of them."""
        return np.cumsum(np.array([len(memoryview(record)) + 1 for record in self.records], np.int64)) - 1

    def _tell(self, block: RawBlock) -> RawBlock:
        """Return rows of whose records the text is told as it stands in the document."""

        def tell(records: pa.Table) -> pa.Table:
            numbers = records["line"].to_numpy()
            places = numbers - self.before - 1
            starts = np.concatenate([[0], self._ends + 1])[places]
            return make_records(numbers, cut_texts(self._text, starts, self._ends[places]))

        misfits = make_misfits(tell(block.misfits), block.misfits["reason"], block.misfits["column"])
        return replace(block, locate=lambda rows: tell(block.locate(rows)), misfits=misfits, records=None)

    def _values(self) -> Sequence[Any]:
        try:
            return [_value_of(record) for record in self.records]
        except (ValueError, RecursionError):  # what is wrong is told of the whole document
            whole = _load(self.document, self.path)
            return whole[self.before : self.before + len(self.records)]


def _value_of(record: msgspec.Raw) -> Any:
    return json.loads(bytes(record).decode("utf-8", "surrogatepass"))


class Json(WholeFormat):
    """A document."""

    name: ClassVar[str] = "json"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    has_lists: ClassVar[bool] = True
    keys: ClassVar[frozenset[str]] = frozenset({"encoding", "records_at", "shape", "id_column", "names"})

    @classmethod
    def find_row_bytes(cls, head: bytes, reading: Reading) -> float | None:
        """Return how many bytes a record takes."""
        return find_record_bytes(head, reading)

    @classmethod
    def held_bytes(cls, extent: Extent, reading: Reading) -> int:
        """Return the bytes of the document and the places of its records; in another shape its records are written anew first."""
        return round(
            (_HELD if reading.shape in (None, "records") and reading.names is None else _HELD_ANEW) * extent.unpacked
        )

    def read(self, data: bytes, reading: Reading, nulls_of: NullsOf) -> Iterator[RawBlock]:
        """Yield the records of a document as rows."""
        return read_records(data, reading, nulls_of)

    def blocks(self, data: bytes, target: TableTarget) -> Iterator[RawBlock | ByteBlock]:
        """Yield the same, as they stand in the document where it can be split: each block is parsed in its thread."""
        text, path = _as_list(_as_utf8(data, target.reading), target.reading)
        records = split_records(text, path)
        if records is None and target.explode is None:
            yield from self.read(data, target.reading, target.nulls_of)
            return
        records = _rewrite(text, path) if records is None else records
        size = max(1, min(_BLOCK_RECORDS, _BLOCK_BYTES * len(records) // len(text)))
        for start in range(0, max(1, len(records)), size):
            block = RecordBlock(text, path, records[start : start + size], start, target)
            yield ByteBlock(ByteView.of(b""), block.parse)
