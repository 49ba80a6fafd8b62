"""A block of CSV as typed columns: by pyarrow at once where it is as expected, else with every misfit found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.formats.csv.parse import CsvBlock, has_padded_numbers, read_block
from tasks.convert.formats.csv.records import count_records
from tasks.convert.formats.csv.texts import read_decimals, read_texts, types_of, with_decimal_points
from tasks.convert.formats.header import kind_of_field
from tasks.convert.schema.blocks import RawBlock, Record, Schema, TypedBlock
from tasks.convert.schema.cast import cast_block, is_narrowest, narrow_type
from tasks.convert.schema.types import NULL_TEXTS, SURE_IN_FLOAT, TypeName, Types, arrow_type, infer_type

_SAMPLE_BYTES = 32 * 1024
_COMMON_NULLS = ["", "NA"]
_NUMBERS = frozenset({"int", "long", "float"})


def parse_csv(block: CsvBlock, schema: Schema) -> TypedBlock:
    """Return the rows of a block, typed, and the records that do not fit."""
    schema = _with_decimal(block, schema)
    if not block.head.names or _is_empty(block):
        return cast_block(_no_rows(block), schema)
    tried = schema.types or schema.guess or _sample_types(block)
    extra = schema.frozen and schema.types is not None and not set(block.head.names) <= set(schema.types)
    parsed = _parse_typed(block, schema, tried) if tried and not extra else None
    return parsed or cast_block(read_texts(block, schema.columns), schema)


def _parse_typed(block: CsvBlock, schema: Schema, tried: Types) -> TypedBlock | None:
    """Return the block in the types that are tried; None where any value, or the number of records, is not as expected."""
    names = block.head.names
    # What is declared of a column may take more than a type, and of one without values nothing is known.
    known = [name for name in names if name not in schema.columns and tried.get(name, "null") != "null"]
    types: dict[str, TypeName] = {name: tried[name] if name in known else "string" for name in names}
    table = _read_typed(block, types)
    if table is None or not _counts(block, table.num_rows):
        return None
    if schema.lines and not _is_row_a_line(block, table.num_rows):
        return None
    if _NUMBERS & set(types.values()) and has_padded_numbers(block.window, block.head.dialect.delimiter, block.quote):
        return None
    values = {name: _empty_as_null(table[name]) if types[name] == "string" else table[name] for name in names}
    lost = any(types[name] == "float" and _may_have_lost_digits(values[name]) for name in names)
    doubtful = lost or _may_have_header(block, values[names[0]], types)
    if doubtful or (schema.types is None and not all(is_narrowest(types[name], values[name]) for name in known)):
        return None
    own = {name: narrow_type(types[name], values[name]) for name in known}
    if len(known) < len(names):
        texts = pa.table({name: values[name] for name in names if name not in own})
        plain, kinds = read_decimals(block, texts, schema.columns)
        others = RawBlock(plain, table.num_rows, (), _locate_nothing, kinds)
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
    types = {name: own[name] for name in names}
    return TypedBlock(rows, types, table.num_rows, lines=lines, warnings=block.warnings)


def _may_have_header(block: CsvBlock, first: pa.ChunkedArray, types: Types) -> bool:
    """Return whether a row may be the header once more, or of another table: none is where a column of numbers has a name that is a text."""
    head = block.head
    named = zip(head.names, head.fields, strict=False)  # without a header there are no fields
    if not head.line or any(
        types[n] not in ("string", "null") and kind_of_field(field) == "text" for n, field in named
    ):
        return False
    window, is_text = block.window, pa.types.is_string(first.type)
    if not is_text or pc.index(first, head.fields[0]).as_py() >= 0:
        repeated = window.to_place(len(head.line)).data == head.line or window.find(b"\n" + head.line) >= 0
    else:
        repeated = False
    separators = b"\n" + head.dialect.delimiter.encode() * (len(head.names) - 1)
    blanks = [b"\n"] * (len(first) != window.lines) + [separators] * bool(first.null_count)
    return repeated or any(window.find(blank + end) >= 0 for blank in blanks for end in (b"\n", b"\r\n"))


def _is_empty(block: CsvBlock) -> bool:
    return block.window.to_place(1).data in b"\r\n" and not block.window.data.strip(b"\r\n")


def _locate_nothing(rows: Sequence[int]) -> Sequence[Record]:
    """Return records that nobody reads: where a row does not fit, the block is read anew."""
    return [Record(0, "")] * len(rows)


def _is_row_a_line(block: CsvBlock, rows: int) -> bool:
    alone = b"\r" in block.window and b"\r" in block.window.data.replace(b"\r\n", b"")
    return not block.quote and not alone and rows == block.window.lines


def _columns_of(table: pa.Table, types: Types) -> pa.Table:
    return pa.table(
        {
            name: table[name] if name in table.column_names else pa.nulls(table.num_rows, arrow_type(type_name))
            for name, type_name in types.items()
        }
    )


def _read_typed(block: CsvBlock, types: Types) -> pa.Table | None:
    """Return a block whose values are all of these types; None where one is not.

    Each text that means null costs time with every value: the commonest are tried first.
    """
    arrow_types = {name: arrow_type(type_name) for name, type_name in types.items()}
    for nulls in (_COMMON_NULLS, NULL_TEXTS):
        try:
            table = read_block(block, arrow_types, nulls=nulls)
        except (pa.ArrowInvalid, OverflowError):
            continue
        if not any(pc.any(pc.is_nan(table[name])).as_py() for name in table.column_names if types[name] == "float"):
            return table
    return None


def _counts(block: CsvBlock, rows: int) -> bool:
    """Return whether a block holds so many records, counted another way than they were parsed."""
    if not block.quote and rows == block.window.lines:
        return True
    width = len(block.head.names)
    if rows == count_records(block.window.data, block.quote, block.head.dialect.delimiter, width):
        return True
    return rows == len(block.records.spans) and not block.records.broken


def _sample_types(block: CsvBlock) -> Types | None:
    """Return the types of the block's first records; None where these cannot be told apart."""
    end = block.window.to_place(_SAMPLE_BYTES).rfind(b"\n") + 1
    sample = replace(block, window=block.window.to_place(end)) if end and len(block.window) > _SAMPLE_BYTES else block
    try:
        table = read_block(sample, dict.fromkeys(block.head.names, pa.string()))
    except (pa.ArrowInvalid, OverflowError):
        return None
    texts = with_decimal_points(sample, table)
    known = types_of(sample, table, texts)
    return known if known is not None else {name: infer_type(texts[name]) for name in texts.column_names}


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
    return low is not None and bool(max(abs(low), abs(high)) >= SURE_IN_FLOAT)


def _no_rows(block: CsvBlock) -> RawBlock:
    table = pa.table({name: pa.array([], pa.string()) for name in block.head.names})
    return RawBlock(table, 0, (), lambda _: ())
