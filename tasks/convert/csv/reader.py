"""A block of CSV as typed columns: by pyarrow at once where it is as expected, else with every misfit found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from tasks.convert.cast import cast_block, is_narrowest, sharpen
from tasks.convert.csv.head import Head
from tasks.convert.csv.padded import has_padded_numbers
from tasks.convert.csv.records import UNDECODABLE, Records, count_lines, count_records, is_utf8
from tasks.convert.parsed import Misfit, Parsed, Record, Schema, Texts
from tasks.convert.types import ARROW_TYPES, BOOL_TEXTS, NULL_TEXTS, TypeName, Types, infer_type

_SAMPLE_BYTES = 32 * 1024
_LONG = 1e15  # a float beyond may have been a whole number with more digits than a float holds
_NUMBERS = frozenset({"int", "long", "float"})
_COMMA_NUMBER = r"^\s*[+-]?\d*(,\d+)?([eE][+-]?\d+)?\s*$"


@dataclass(frozen=True)
class CsvBlock:
    """Whole records of a CSV file: their bytes in UTF-8, the head of the file, and the place of the first: line and byte."""

    data: bytes
    head: Head
    first_line: int = 1
    first_byte: int | None = 0

    @cached_property
    def quote(self) -> str:
        """Return the character that quotes fields, where the block has one."""
        quote = self.head.dialect.quote
        return quote if quote and quote.encode() in self.data else ""


def parse_csv(block: CsvBlock, schema: Schema) -> Parsed:
    """Return the rows of a block, typed, and the records that do not fit."""
    schema = _with_decimal(block, schema)
    if not block.head.names or (block.data[:1] in b"\r\n" and not block.data.strip(b"\r\n")):
        return cast_block(_no_rows(block), schema)
    tried = schema.types or schema.guess or _sample_types(block)
    extra = schema.frozen and schema.types is not None and not set(block.head.names) <= set(schema.types)
    parsed = _parse_typed(block, schema, tried) if tried and not extra else None
    return parsed or cast_block(_read_texts(block), schema)


def _parse_typed(block: CsvBlock, schema: Schema, tried: Types) -> Parsed | None:
    """Return the block in the types that are tried; None where any value, or the number of records, is not as expected."""
    names = block.head.names
    # What is declared of a column may take more than a type, and of one without values nothing is known.
    known = [name for name in names if name not in schema.columns and tried.get(name, "null") != "null"]
    types: dict[str, TypeName] = {name: tried[name] if name in known else "string" for name in names}
    try:
        table = _read(block, {name: ARROW_TYPES[type_name] for name, type_name in types.items()})
    except (pa.ArrowInvalid, OverflowError):
        return None
    if not _counts(block, table.num_rows) or (schema.lines and not _is_row_a_line(block, table.num_rows)):
        return None
    if _NUMBERS & set(types.values()) and has_padded_numbers(block.data, block.head.dialect.delimiter, block.quote):
        return None
    values = {name: _empty_as_null(table[name]) if types[name] == "string" else table[name] for name in names}
    if any(types[name] == "float" and _may_have_lost_digits(values[name]) for name in names):
        return None
    if schema.types is None and not all(is_narrowest(types[name], values[name]) for name in known):
        return None
    own = {name: sharpen(types[name], values[name]) for name in known}
    if len(known) < len(names):
        others = Texts(
            pa.table({name: values[name] for name in names if name not in own}), table.num_rows, (), _locate_nothing
        )
        chosen = (
            None
            if schema.types is None
            else {n: schema.types[n] for n in others.table.column_names if n in schema.types}
        )
        cast = cast_block(others, replace(schema, types=chosen, lines=False))
        if cast.misfits:
            return None
        own |= cast.types
        values |= {name: cast.table[name] for name in cast.table.column_names}
    lines = range(block.first_line, block.first_line + table.num_rows) if schema.lines else None
    rows = _columns_of(pa.table(values), schema.types) if schema.types is not None else pa.table(values)
    return Parsed(rows, {name: own[name] for name in names}, table.num_rows, lines=lines)


def _locate_nothing(rows: Sequence[int]) -> Sequence[Record]:
    """Return records that nobody reads: where a row does not fit, the block is read anew."""
    return [Record(0, "")] * len(rows)


def _is_row_a_line(block: CsvBlock, rows: int) -> bool:
    return not block.quote and b"\r" not in block.data.replace(b"\r\n", b"") and rows == count_lines(block.data)


def _columns_of(table: pa.Table, types: Types) -> pa.Table:
    return pa.table(
        {
            name: table[name] if name in table.column_names else pa.nulls(table.num_rows, ARROW_TYPES[type_name])
            for name, type_name in types.items()
        }
    )


def _read(block: CsvBlock, types: Mapping[str, pa.DataType], ragged: dict[int, str] | None = None) -> pa.Table:
    """Return every well-formed record; why another one is not is added to `ragged`, by its index.

    Raises:
        ArrowInvalid: a value is not of its type, or without `ragged` a record is not well-formed.

    """

    def note(row: pa_csv.InvalidRow) -> str:
        assert ragged is not None
        ragged[row.number - 1] = f"{row.actual_columns} fields, the header has {row.expected_columns}"
        return "skip"

    dialect = block.head.dialect
    texts_only = all(pa.types.is_string(kind) for kind in types.values())
    return pa_csv.read_csv(
        pa.BufferReader(block.data),
        # One thread and one block: only so does pyarrow number the rows it skips.
        read_options=pa_csv.ReadOptions(
            use_threads=False, block_size=len(block.data) + 1, column_names=block.head.names
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            newlines_in_values=bool(block.quote),
            invalid_row_handler=None if ragged is None else note,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict(types),
            strings_can_be_null=texts_only,
            null_values=[""] if texts_only else NULL_TEXTS.to_pylist(),
            true_values=BOOL_TEXTS[True],
            false_values=BOOL_TEXTS[False],
            decimal_point=dialect.decimal,
        ),
    )


def _read_texts(block: CsvBlock) -> Texts:
    """Return every record of a block as texts; one that is not like the header is a misfit."""
    data, undecodable = _drop_undecodable(block)
    block = replace(block, data=data)
    records = Records(data, block.head.dialect, block.first_line, block.first_byte)
    names = block.head.names
    ragged: dict[int, str] = {}
    try:
        table = _read(block, dict.fromkeys(names, pa.string()), ragged)
        whole = table.num_rows + len(ragged) == len(records.spans) and not records.broken
    except (pa.ArrowInvalid, OverflowError):
        whole = False
    if not whole:
        table, ragged = _table_of(records, names)
    kept = [index for index in range(len(records.spans)) if index not in ragged]

    def locate(rows: Sequence[int]) -> Sequence[Record]:
        return records.locate([kept[row] for row in rows])

    misfits = [
        Misfit(record, None, reason)
        for record, reason in zip(records.locate(list(ragged)), ragged.values(), strict=True)
    ]
    misfits = [*undecodable, *records.broken, *misfits]
    return Texts(_decimal_points(block, table), table.num_rows + len(misfits), misfits, locate)


def _table_of(records: Records, names: Sequence[str]) -> tuple[pa.Table, dict[int, str]]:
    """Return records as texts by Python's reader alone: slower, but never out of step."""
    ragged = {
        index: f"{len(span.fields)} fields, the header has {len(names)}"
        for index, span in enumerate(records.spans)
        if len(span.fields) != len(names)
    }
    rows = [span.fields for index, span in enumerate(records.spans) if index not in ragged]
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table(
        {n: pa.array([v or None for v in c], pa.string()) for n, c in zip(names, columns, strict=True)}
    ), ragged


def _drop_undecodable(block: CsvBlock) -> tuple[bytes, list[Misfit]]:
    """Return the data with the records that cannot be decoded emptied, and these records as misfits."""
    try:
        block.data.decode("utf-8")
    except UnicodeDecodeError:
        records = Records(block.data, block.head.dialect, block.first_line, block.first_byte)
    else:
        return block.data, []
    lines, misfits = list(records.lines), []
    bad = [(s.start, s.end) for s in records.spans if not is_utf8("".join(lines[s.start : s.end]))]
    bad += [(m.record.line - block.first_line,) * 2 for m in records.broken]
    for start, end in bad:
        end = max(end, start + 1)  # noqa: PLW2901 - a broken line is one line
        if is_utf8("".join(lines[start:end])):
            continue
        misfits.append(Misfit(records.record(start, end), None, UNDECODABLE))
        lines[start:end] = ["\n"] * (end - start)
    return "".join(lines).encode("utf-8", "surrogateescape"), misfits


def _counts(block: CsvBlock, rows: int) -> bool:
    """Return whether a block holds so many records, counted another way than they were parsed."""
    if not block.quote and rows == count_lines(block.data):
        return True
    return rows == count_records(block.data, block.quote) or rows == len(Records(block.data, block.head.dialect).spans)


def _sample_types(block: CsvBlock) -> Types | None:
    """Return the types of the block's first records; None where these cannot be told apart."""
    end = block.data.rfind(b"\n", 0, _SAMPLE_BYTES) + 1
    sample = replace(block, data=block.data[:end] if end and len(block.data) > _SAMPLE_BYTES else block.data)
    try:
        table = _read(sample, dict.fromkeys(block.head.names, pa.string()))
    except (pa.ArrowInvalid, OverflowError):
        return None
    texts = _decimal_points(sample, table)
    return {name: infer_type(texts[name]) for name in texts.column_names}


def _decimal_points(block: CsvBlock, texts: pa.Table) -> pa.Table:
    """Return texts with points in the columns of numbers where the file has decimal commas."""
    if block.head.dialect.decimal != ",":
        return texts
    columns = {}
    for name in texts.column_names:
        column = texts[name]
        numbers = pc.all(pc.match_substring_regex(column, _COMMA_NUMBER)).as_py()
        columns[name] = pc.replace_substring(column, ",", ".") if numbers else column
    return pa.table(columns)


def _with_decimal(block: CsvBlock, schema: Schema) -> Schema:
    """Return what is asked, with the file's decimal comma where a column of numbers has none of its own."""
    if block.head.dialect.decimal != ",":
        return schema
    columns = {
        name: column.model_copy(update={"decimal": ","})
        if column.decimal is None and column.type in ("int", "float")
        else column
        for name, column in schema.columns.items()
    }
    return replace(schema, columns=columns)


def _empty_as_null(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    if pc.min(pc.binary_length(texts)).as_py() != 0:
        return texts
    return pc.if_else(pc.equal(texts, ""), None, texts)


def _may_have_lost_digits(values: pa.ChunkedArray) -> bool:
    extremes = pc.min_max(values)
    low, high = extremes["min"].as_py(), extremes["max"].as_py()
    return low is not None and bool(max(abs(low), abs(high)) >= _LONG)


def _no_rows(block: CsvBlock) -> Texts:
    table = pa.table({name: pa.array([], pa.string()) for name in block.head.names})
    return Texts(table, 0, (), lambda _: ())
