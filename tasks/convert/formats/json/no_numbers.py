"""NaN and Infinity, which of all readers of JSON Python alone takes for numbers: others read numbers in their place, which are taken out afterwards."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.lines import JsonBlock
from tasks.convert.formats.json.rows import TIME_TYPES, NotARowError, reject_of, rows_of_line
from tasks.convert.schema.blocks import RawBlock, Schema
from tasks.convert.schema.inference import infer_type
from tasks.convert.schema.misfits import RECORD_SCHEMA
from tasks.convert.schema.types import TypeName
from tasks.convert.schema.values import take_out

_WORDS = {  # the word first: the search for it is fast
    word: re.compile(rb"%b(?<=[\s:,\[%b]%b)(?=[\s,\]}])" % (word, sign, word))
    for word, sign in ((b"NaN", b""), (b"Infinity", b"-"))
}
_AS_LONG = {word: b"1" * len(word) for word in _WORDS}
_LEAST = 10**14
# Drawn anew by each process, so that no file can hold them, and come back as they were written.
_NUMBERS = {word: repr((_LEAST + secrets.randbelow(_LEAST)) * 1e-290).encode() for word in _WORDS}
_TEXTS = {number.decode(): word.decode() for word, number in _NUMBERS.items()}
_NAN, _INFINITY = map(float, _TEXTS)
_WRITTEN = {repr(_NAN): "nan", repr(_INFINITY): "inf", repr(-_INFINITY): "-inf"}  # alone, as Python writes them


def replace_no_numbers(text: bytes, numbers: Mapping[bytes, bytes] = _AS_LONG) -> bytes:
    """Return JSON with numbers in place of `NaN` and `Infinity`, by default as long as these, within texts too."""
    for word, number in numbers.items():
        if word in text:
            text = _WORDS[word].sub(number, text)
    return text


def mask(block: JsonBlock, schema: Schema) -> JsonBlock | None:
    """Return lines with numbers in place of `NaN` and `Infinity`; None where there are none, or where these are declared to mean null."""
    if not block.typed or not any(word in block.window for word in _WORDS):
        return None
    nulls = (null for column in schema.columns.values() for null in column.nulls)
    if any(word in null for null in nulls for word in _TEXTS.values()):
        return None
    masked = replace_no_numbers(block.window.data, _NUMBERS)
    return None if masked == block.window.data else replace(block, window=ByteView.of(masked), told=block.window)


def unmask(found: RawBlock, block: JsonBlock, schema: Schema) -> RawBlock | None:
    """Return the rows of masked lines as those of the lines as they stood; None where the name of a column was masked."""
    names, types = found.table.column_names, found.types or {}
    if any(number in name for name in names for number in _TEXTS):
        return None
    read = {
        name: _unmask_column(values, types[name], schema.columns[name].nulls if name in schema.columns else ())
        for name, values in zip(names, found.table.columns, strict=True)
    }
    return replace(
        found,
        table=pa.table({name: values for name, (values, _) in read.items()}),
        types={name: kind for name, (_, kind) in read.items()},
        misfits=_tell(found.misfits, block),
    )


def _unmask_column(values: pa.ChunkedArray, kind: TypeName, nulls: Collection[str]) -> tuple[pa.ChunkedArray, TypeName]:
    if pa.types.is_floating(values.type):
        is_nan = pc.equal(values, _NAN)
        if pc.all(is_nan).as_py():
            return pc.if_else(is_nan, "nan", None), kind
        values = pc.if_else(is_nan, None, values)
        for number in (_INFINITY, -_INFINITY):
            values = pc.if_else(pc.equal(values, number), number * math.inf, values)
    elif pa.types.is_string(values.type):
        found = values
        for alone, text in _WRITTEN.items():
            found = pc.if_else(pc.equal(found, alone), text, found)
        for written, word in _TEXTS.items():
            found = pc.replace_substring(found, written, word)
        if (
            kind == "string"
            and not found.equals(values)
            and (inferred := infer_type(take_out(found, nulls))) in TIME_TYPES
        ):
            kind = inferred
        values = found
    return values, kind


def _tell(misfits: pa.Table, block: JsonBlock) -> pa.Table:
    """Return the lines that are no rows, with the reason why they are none as they stood."""
    if not any(pc.any(pc.match_substring(misfits["raw"], word)).as_py() for word in _TEXTS.values()):
        return misfits
    lines = {number: line for number, _, line in block.as_told().lines}
    texts = (lines[number] for number in misfits["line"].to_pylist())
    read = (rows_of_line(text, explode=block.explode, keeps_empty=block.keeps_empty) for text in texts)
    return reject_of(misfits.select(RECORD_SCHEMA.names), [found for found in read if isinstance(found, NotARowError)])
