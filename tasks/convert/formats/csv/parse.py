"""A block of whole CSV records, and pyarrow's parse of it: all of it in the types that are expected, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from tasks.convert.files.byte_view import ByteView
from tasks.convert.files.content import MARK
from tasks.convert.formats.csv.header import Head
from tasks.convert.formats.csv.padded import find_padded_columns, has_padded_numbers
from tasks.convert.formats.csv.records import Records
from tasks.convert.formats.csv.spans import LaidLines, RecordSpans
from tasks.convert.schema.blocks import RawBlock, Schema, TypedBlock
from tasks.convert.schema.cast import cast_known
from tasks.convert.schema.inference import infer_columns
from tasks.convert.schema.misfits import NO_MISFITS, cut_texts, make_records
from tasks.convert.schema.points import may_be_grouped
from tasks.convert.schema.types import BOOL_TEXTS, NULL_TEXTS, SURE_IN_FLOAT, TypeName, Types, arrow_type

_SAMPLE_BYTES = 32 * 1024
_COMMON_NULLS = ["", "NA"]
_PADDED = r"^([ \t]|\+|0[0-9xX])"


class _NoLineError(Exception):
    """Nothing tells in which line a row begins."""


@dataclass(frozen=True)
class CsvBlock:
    """Whole records of a CSV file: their bytes in UTF-8, the head of the file, and the place of the first: line and byte.

    `raw` are the same lines as they stand in the file, where they were rewritten,
    and `places` those of the lines of `window` among them, where blank ones were left out. What `is_settled`
    has no line that opens a quote which is never closed. `told` are the records, where they were told apart already,
    `known` how the lines lie, where that is.
    """

    window: ByteView
    head: Head
    first_line: int = 1
    first_byte: int | None = 0
    raw: ByteView | None = None
    places: np.ndarray | None = None
    is_settled: bool = False
    told: Records | None = None
    known: LaidLines | None = None

    @cached_property
    def quote(self) -> str:
        """Return the character that quotes fields, where one may be quoted: within a field, as in 5" pipe, it is any other."""
        dialect = self.head.dialect
        return dialect.quote if opens_quotes(self.window, dialect.quote, dialect.delimiter) else ""

    @cached_property
    def laid(self) -> LaidLines:
        """Return how the lines lie: none is doubted where that is settled."""
        if self.known is not None:
            return self.known
        if self.quote and not self.is_settled:
            return self.records.laid
        return LaidLines(self.window, self.quote, self.head.dialect.delimiter, 0)

    @property
    def spans(self) -> RecordSpans | None:
        """Return the records, told apart at once; None where only a reader can tell them."""
        return self.laid.spans

    @cached_property
    def records(self) -> Records:
        """Return the records as Python's reader tells them apart."""
        return self.told or Records(
            self.window, self.head.dialect, self.first_line, self.first_byte, self.raw, len(self.head.names)
        )

    def number_lines(self, lines: np.ndarray) -> np.ndarray:
        """Return the numbers in the file of lines, by their places in the window."""
        return self.first_line + (lines if self.places is None else self.places[lines])

    def locate(self, lines: np.ndarray, stops: np.ndarray | None = None) -> pa.Table:
        """Return the records that begin in these lines of the block, and end above `stops`, as they stand in the file."""
        first, text = lines if self.places is None else self.places[lines], self.raw or self.window
        starts, ends = text.line_spans_of_any_end
        return self._cut(text, first, starts[first], ends[first if stops is None else first + (stops - lines - 1)])

    def locate_records(self, records: RecordSpans) -> pa.Table:
        """Return records of the block as they stand in the file."""
        if self.places is not None or self.raw is not None:
            return self.locate(records.lines, records.below)
        return self._cut(self.window, records.lines, records.starts, records.stops)

    def _cut(self, text: ByteView, lines: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> pa.Table:
        """Return pieces of the block as it stands in the file."""
        offsets = None if self.first_byte is None else self.first_byte + starts
        return make_records(self.first_line + lines, cut_texts(text.view, starts, stops), offsets)

    @property
    def warnings(self) -> Sequence[str]:
        """Return what is to be told of the records, where some had to be doubted."""
        return self.records.warnings if self.records.are_told else ()


def opens_quotes(window: ByteView, quote: str, delimiter: str) -> bool:
    """Return whether a quote stands where a field begins."""
    mark = quote.encode()
    if not mark or mark not in window:
        return False
    begins = (delimiter.encode(), b"\n", b"\r")
    return window.to_place(1).data == mark or any(window.find(begin + mark) >= 0 for begin in begins)


def parse_typed(block: CsvBlock, schema: Schema, second: Callable[[CsvBlock], list[str]]) -> TypedBlock | None:
    """Return the rows of a block, typed; None where any value, or the number of records, is not as expected.

    Below a row without a value another table's header may stand: then `second` returns what is to be told of it.
    """
    raw = read_typed(block, schema, second)
    if raw is not None:
        with suppress(_NoLineError):
            return cast_known(raw, schema)
    return None


def read_typed(
    block: CsvBlock, schema: Schema, second: Callable[[CsvBlock], list[str]] | None = None
) -> RawBlock | None:
    """Return the rows of a block as they are read in the types that are expected; None where any value, or the number of records, is not as expected, or, without `second`, a row has no value."""
    names = block.head.names
    tried = schema.types or schema.guess or _sample_types(block)
    if not tried or (schema.frozen and schema.types is not None and not set(names) <= set(schema.types)):
        return None
    # What is declared of a column may take more than a type, and of one without values nothing is known.
    known = {n: tried[n] for n in names if n not in schema.columns and tried.get(n, "null") != "null"}
    types: dict[str, TypeName] = {name: known.get(name, "string") for name in names}
    table = _read_typed(block, {name: arrow_type(kind) for name, kind in types.items()})
    if table is None or not _counts(block, table.num_rows):
        return None
    lines = _find_lines(block, table.num_rows) if schema.lines else None
    numbers = [name for name in names if types[name] not in ("string", "bool")]  # a padded date is a text as well
    padded = _find_padded_columns(block, numbers, table.num_rows) if numbers else {}
    known = {name: kind for name, kind in known.items() if name not in padded}
    types |= dict.fromkeys(padded, "string")
    read = {name: padded.get(name, table[name]) for name in names}
    values = {name: _empty_as_null(each) if types[name] == "string" else each for name, each in read.items()}
    lost = any(types[name] == "float" and _may_have_lost_digits(values[name]) for name in names)
    is_doubted = not block.head.dialect.is_decided and any(
        may_be_grouped(values[name]) for name in names if types[name] == "float"
    )
    may_have_header = bool(block.head.line) and all(types[name] == "string" for name in block.head.worded)
    if lost or is_doubted or (may_have_header and _may_be_repeated(block, values)) or (schema.lines and lines is None):
        return None
    has_empty = may_have_header and len(names) > 1 and _has_empty_row(list(values.values()))
    if has_empty and second is None:
        return None
    return RawBlock(
        pa.table(values),
        table.num_rows,
        NO_MISFITS,
        lambda rows: _locate(block, table.num_rows, rows),
        known,
        warnings=[*block.warnings, *(second(_as_parsed(block)) if second is not None and has_empty else ())],
        decimal=block.head.dialect.decimal,
        is_decided=block.head.dialect.is_decided,
        lines=None if lines is None else block.number_lines(lines).tolist(),
    )


def _as_parsed(block: CsvBlock) -> CsvBlock:
    """Return a block that is parsed with its records as they were: those that were doubted have each of their quotes count."""
    return block if block.laid.lines is not None else replace(block, is_settled=True, known=None)


def _may_be_repeated(block: CsvBlock, values: Mapping[str, pa.ChunkedArray]) -> bool:
    """Return whether a row may be the header once more, or below a blank line that of another table: none is where a column of numbers has a name that is a text."""
    head, window = block.head, block.window
    if _has_returns_alone(window):
        window = ByteView.of(_end_with_line_feeds(window))
    # A name that is empty is no value of its column, and one of numbers has none.
    named = zip(head.names, head.fields, strict=True)
    told = next((each for each in named if each[1] and pa.types.is_string(values[each[0]].type)), None)
    repeated = any(head.fields) and (told is None or pc.index(values[told[0]], told[1]).as_py() >= 0)
    if repeated and not block.quote:  # quoted another way its bytes are others
        repeated = window.to_place(len(head.line)).data == head.line or window.find(b"\n" + head.line) >= 0
    # Of lines that are known none between records is blank any more.
    return repeated or (block.known is None and len(values[head.names[0]]) != window.lines and window.has_blank_line)


def _has_empty_row(columns: Sequence[pa.ChunkedArray]) -> bool:
    """Return whether a row has no value in any column."""
    empty = columns[0].is_null()
    for column in columns[1:]:
        if not pc.any(empty).as_py():
            return False
        empty = pc.and_(empty, column.is_null())
    return bool(pc.any(empty).as_py())


def _locate(block: CsvBlock, count: int, rows: np.ndarray) -> pa.Table:
    """Return the records of these rows, of so many.

    Raises:
        _NoLineError: only a reader can tell where they stand.

    """
    if count == block.window.lines_of_any_end:
        return block.locate(rows)
    if block.spans is None or len(block.spans) != count:
        raise _NoLineError
    return block.locate(block.spans.lines[rows], block.spans.below[rows])


def _read_typed(block: CsvBlock, types: Mapping[str, pa.DataType]) -> pa.Table | None:
    """Return a block whose values are all of these types; None where one is not.

    Each text that means null costs time with every value: the commonest are tried first.
    """
    for nulls in (_COMMON_NULLS, NULL_TEXTS):
        try:
            table = read_block(block, types, nulls)
        except (pa.ArrowInvalid, OverflowError):
            continue
        if not any(pc.any(pc.is_nan(each)).as_py() for each in table.columns if pa.types.is_floating(each.type)):
            return table
    return None


def _counts(block: CsvBlock, rows: int) -> bool:
    """Return whether a block holds so many records, counted another way than they were parsed."""
    if rows == block.window.lines and not block.quote:
        return True
    if block.laid.lines is not None:
        return rows == len(block.laid.lines)
    return not block.is_settled and rows == block.laid.count_filled() and not len(block.records.unclosed)


def _find_lines(block: CsvBlock, rows: int) -> np.ndarray | None:
    """Return the place of the line in which each of so many records begins; None where only a reader can tell."""
    if rows == block.window.lines_of_any_end:
        return np.arange(rows)
    lines = block.laid.lines
    return lines if lines is not None and len(lines) == rows else None


def _has_returns_alone(window: ByteView) -> bool:
    """Return whether a carriage return alone ends a line above another, as counted in the time of a search."""
    return b"\r" in window and window.lines_of_any_end != window.lines


def _end_with_line_feeds(window: ByteView) -> bytes:
    """Return the same with a line feed in the place of whatever ends a line."""
    return window.data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in window else window.data


def _sample_types(block: CsvBlock) -> Types | None:
    """Return the types of the block's first records; None where these cannot be told apart."""
    end = _last_record_end(block.window.to_place(_SAMPLE_BYTES), block.quote)
    sample = replace(block, window=block.window.to_place(end)) if end and len(block.window) > _SAMPLE_BYTES else block
    try:
        table = read_block(sample, dict.fromkeys(block.head.names, pa.string()))
    except (pa.ArrowInvalid, OverflowError):
        return None
    return infer_columns(table, block.head.dialect.decimal)


def _last_record_end(sample: ByteView, quote: str) -> int:
    """Return the byte after the last line end, whatever ends lines, that stands, by the quotes before it, in none; 0 where there is none above another."""
    starts, _ = sample.line_spans_of_any_end
    if quote and quote.encode() in sample:
        quotes = np.flatnonzero(sample.to_numpy() == ord(quote))
        starts = starts[np.searchsorted(quotes, starts) % 2 == 0]
    return int(starts[-1]) if len(starts) else 0


def read_block(
    block: CsvBlock,
    types: Mapping[str, pa.DataType],
    nulls: Sequence[str] | None = None,
) -> pa.Table:
    """Return every record in these types.

    `nulls` are the texts that are null where a value is no text; without them an
    empty text is null, and no other. Columns that are in none of the types are not read.

    Raises:
        ArrowInvalid: a value is not of its type, or a record not well-formed, or the first begins with a mark.

    """
    dialect = block.head.dialect
    if block.window.to_place(len(MARK)).data == MARK:
        msg = "the first value begins with a byte order mark"
        raise pa.ArrowInvalid(msg)
    return pa_csv.read_csv(
        pa.BufferReader(block.window.to_arrow()),
        read_options=pa_csv.ReadOptions(
            use_threads=False, block_size=len(block.window) + 1, column_names=block.head.names
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            newlines_in_values=bool(block.quote),
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict(types),
            include_columns=list(types),
            strings_can_be_null=nulls is None,
            null_values=nulls or [""],
            true_values=BOOL_TEXTS[True],
            false_values=BOOL_TEXTS[False],
            decimal_point=dialect.decimal,
        ),
    )


def _empty_as_null(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    if pc.min(pc.binary_length(texts)).as_py() != 0:
        return texts
    return pc.if_else(pc.equal(texts, ""), None, texts)


def _may_have_lost_digits(values: pa.ChunkedArray) -> bool:
    extremes = pc.min_max(values)
    low, high = extremes["min"].as_py(), extremes["max"].as_py()
    return low is not None and bool(max(abs(low), abs(high)) >= SURE_IN_FLOAT)


def _find_padded_columns(block: CsvBlock, numbers: Sequence[str], rows: int) -> dict[str, pa.ChunkedArray]:
    """Return those of the columns, as texts, of which a value is one of those that any field, or text of several, may be."""
    delimiter, quote, names = block.head.dialect.delimiter, block.quote, block.head.names
    if not quote and rows == block.window.lines == block.window.lines_of_any_end:
        doubtful = [names[place] for place in find_padded_columns(block.window, delimiter, len(names))]
    else:
        doubtful = list(numbers) if has_padded_numbers(block.window, delimiter, quote) else []
    if not (doubtful := [name for name in numbers if name in doubtful]):
        return {}
    texts = read_block(block, dict.fromkeys(doubtful, pa.string()))
    return {name: column for name, column in zip(doubtful, texts.columns, strict=True) if _is_padded(column)}


def _is_padded(texts: pa.ChunkedArray) -> bool:
    """Return whether one of the texts is a number with something before its digits."""
    for first in " \t+0":
        found = pc.starts_with(texts, first)  # a tenth of what a pattern costs
        if pc.any(found).as_py() and pc.any(pc.match_substring_regex(texts.filter(found), _PADDED)).as_py():
            return True
    return False
