"""Values of Arrow as JSON, as Python writes them: by kernels, and only of few types one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.schema.utf8 import bytes_of, enclose
from tasks.core.imports import import_once

_PLAIN = r'^[^"\\\x00-\x1f]*$'
_ESCAPED, _LEAST_PRINTED = b'"\\', 0x20
_LEAST_PLAIN, _MOST_WHOLE, _MOST_PLAIN = 1e-4, 1e9, 1e10  # between these a kernel writes floats as Python does
_NO_PART, _NO_NANOSECONDS = r"\.0+$", (r"(\.\d{6})000$", r"\1")
_PARTS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # of a second
_FAR = 250_000_000_000  # seconds: some thousand years are told alike
_ZONES = {None: "", "UTC": "+00:00"}


def as_text(value: Any) -> str | None:
    """Return a value as the text that it is in a table."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, default=as_text, ensure_ascii=False)
    if isinstance(value, bytes):
        return _bytes(value)
    if isinstance(value, timedelta):
        return str(import_once("pandas").Timedelta(value).isoformat())
    return str(value)


def _bytes(value: bytes) -> str:
    """Return bytes as the text that they are, else in hexadecimal as Postgres writes them."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return f"\\x{value.hex()}"


def cast_to_texts(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return values as Arrow casts them to texts; times in UTC without looking for the zone at each, which takes eight times as long.

    Raises:
        pa.ArrowInvalid: they have no texts.

    """
    kind = values.type
    if pa.types.is_timestamp(kind) and kind.tz == "UTC":
        extremes = pc.min_max(pc.cast(values, pa.int64()))
        least, most = (extremes[name].as_py() or 0 for name in ("min", "max"))
        if max(-least, most) < _FAR * _PARTS[kind.unit]:
            return enclose(pc.cast(pc.cast(values, pa.timestamp(kind.unit)), pa.string()), "", "Z")
    return pc.cast(values, pa.string())


def write_objects(names: Sequence[str], columns: Sequence[pa.Array]) -> pa.Array:
    """Return rows as JSON objects with these names."""
    parts: list[pa.Array | str] = []
    before = "{"
    for name, column in zip(names, columns, strict=True):
        before += f"{_write(name)}: "
        if pa.types.is_string(column.type) and not column.null_count and not _have_escaped(column):
            parts += [f'{before}"', column]  # its quotes with what stands between: of a thousand columns half the time
            before = '", '
        else:
            parts += [before, pc.fill_null(write_json(column), "null")]
            before = ", "
    return pc.binary_join_element_wise(*parts, f"{before.removesuffix(', ')}}}", "")


def write_json(values: pa.Array) -> pa.Array:
    """Return values as JSON texts; null stays null."""
    kind = values.type
    write = next((write for is_kind, write in _WAYS if is_kind(kind)), None)
    found = None if write is None else write(values)
    return quote(write_texts(values)) if found is None else found


def write_texts(values: pa.Array) -> pa.Array:
    """Return values that Arrow does not cast to texts, or to others than tables have, as these."""
    if pa.types.is_duration(values.type):
        return _write_durations(values)
    if isinstance(values.type, pa.UuidType):
        return _write_uuids(values)
    return pa.array(map(as_text, values.to_pylist()), pa.string())


def _write_durations(durations: pa.Array) -> pa.Array:
    """Return durations in ISO 8601, as pandas writes them."""
    unit = _PARTS[durations.type.unit]
    total = pc.fill_null(durations.cast(pa.int64()), 0).to_numpy()
    seconds, part = np.divmod(total, unit)
    days, seconds = np.divmod(seconds, 86_400)
    digits = pc.utf8_lpad(pa.array(part).cast(pa.string()), len(str(unit)) - 1, "0")
    fraction = pc.utf8_rtrim(pc.binary_join_element_wise("", digits, "."), "0.")
    counts = [pa.array(each).cast(pa.string()) for each in (days, seconds // 3600, seconds // 60 % 60, seconds % 60)]
    marked = [part for each in zip(("P", "DT", "H", "M"), counts, strict=True) for part in each]
    return pc.if_else(durations.is_valid(), pc.binary_join_element_wise(*marked, fraction, "S", ""), None)


def _write_uuids(values: pa.Array) -> pa.Array:
    """Return UUIDs as they are mostly written, in groups of hexadecimal digits."""
    filled = pc.fill_null(values.storage, bytes(16))
    digits = b"".join(filled.to_pylist()).hex()
    texts = pa.array([digits[at : at + 32] for at in range(0, len(digits), 32)], pa.string())
    grouped = pc.replace_substring_regex(texts, r"^(.{8})(.{4})(.{4})(.{4})", r"\1-\2-\3-\4-")
    return pc.if_else(values.storage.is_valid(), grouped, None)


def quote(texts: pa.Array) -> pa.Array:
    """Return texts as JSON, those with quotes, backslashes and control characters escaped."""
    quoted = enclose(texts, '"', '"')
    if not _have_escaped(texts):
        return quoted
    odd = pc.invert(pc.match_substring_regex(texts, _PLAIN))
    return pc.replace_with_mask(quoted, odd, pa.array(map(_write, texts.filter(odd).to_pylist()), pa.string()))


def _have_escaped(texts: pa.StringArray) -> bool:
    """Return whether there may be a quote, backslash or control character in texts: a third of what the pattern costs."""
    places, data = bytes_of(texts)
    found = data[places[0] : places[-1]]
    return any((found == each).any() for each in _ESCAPED) or bool((found < _LEAST_PRINTED).any())


_write = json.JSONEncoder(ensure_ascii=False).encode


def _write_floats(values: pa.Array) -> pa.Array:
    """Return floats as Python writes them: by a kernel where neither has an exponent."""
    numbers = values.cast(pa.float64())
    found = numbers.to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):  # a NaN may be one that signals
        size, is_whole = np.abs(found), found == np.floor(found)
    texts = pc.binary_join_element_wise(numbers.cast(pa.string()), pa.array(np.where(is_whole, ".0", "")), "")
    is_usual = (size >= _LEAST_PLAIN) & (size < np.where(is_whole, _MOST_WHOLE, _MOST_PLAIN))
    odd = pc.and_(pa.array(~is_usual), numbers.is_valid())
    written = _write(numbers.filter(odd).to_pylist())[1:-1]
    return pc.replace_with_mask(texts, odd, pa.array(written.split(", ") if written else [], pa.string()))


def _write_lists(lists: pa.Array) -> pa.Array:
    """Return lists, with what each element is written as."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    return _join(lists, lengths, write_json(lists.flatten()))


def _write_maps(maps: pa.MapArray) -> pa.Array:
    """Return maps as lists of pairs, as Python has them."""
    ends = maps.offsets.to_numpy()
    keys, items = (each.slice(ends[0], ends[-1] - ends[0]) for each in (maps.keys, maps.items))
    pairs = pc.binary_join_element_wise("[", write_json(keys), ", ", pc.fill_null(write_json(items), "null"), "]", "")
    return _join(maps, np.diff(ends), pairs)


def _join(lists: pa.Array, lengths: np.ndarray, elements: pa.Array) -> pa.Array:
    """Return lists of so many elements each, which are written already."""
    ends = pa.array(np.concatenate(([0], np.cumsum(lengths))), pa.int32())
    mask = lists.is_null() if lists.null_count else None
    joined = pc.binary_join(pa.ListArray.from_arrays(ends, pc.fill_null(elements, "null"), mask=mask), ", ")
    return enclose(joined, "[", "]")


def _write_structs(structs: pa.StructArray) -> pa.Array | None:
    """Return structs as objects; None where they have no fields."""
    if not structs.type.num_fields:
        return None
    objects = write_objects([field.name for field in structs.type], structs.flatten())
    return pc.if_else(structs.is_valid(), objects, None)


def _write_moments(moments: pa.TimestampArray) -> pa.Array | None:
    """Return times as Python writes them; None where their zone is another than UTC, or microseconds do not hold them."""
    if moments.type.tz not in _ZONES:
        return None
    local = moments.cast(pa.timestamp(moments.type.unit))
    if moments.type.unit == "ns":
        texts = pc.replace_substring_regex(local.cast(pa.string()), _NO_PART, "")
        texts = pc.replace_substring_regex(texts, *_NO_NANOSECONDS)
        return enclose(texts, '"', f'{_ZONES[moments.type.tz]}"')
    try:
        texts = local.cast(pa.timestamp("us")).cast(pa.timestamp("s")).cast(pa.string())
    except pa.ArrowInvalid:  # some have parts of a second
        try:
            texts = pc.replace_substring_regex(local.cast(pa.timestamp("us")).cast(pa.string()), _NO_PART, "")
        except pa.ArrowInvalid:
            return None
    return enclose(texts, '"', f'{_ZONES[moments.type.tz]}"')


def _write_quoted(values: pa.Array) -> pa.Array:
    return enclose(pc.cast(values, pa.string()), '"', '"')


def _is_any(*are: Callable[[pa.DataType], bool]) -> Callable[[pa.DataType], bool]:
    return lambda kind: any(is_kind(kind) for is_kind in are)


_types = pa.types
_WAYS: Sequence[tuple[Callable[[pa.DataType], bool], Callable[[Any], pa.Array | None]]] = (
    (
        _is_any(_types.is_string, _types.is_large_string, _types.is_string_view),
        lambda texts: quote(pc.cast(texts, pa.string())),
    ),
    (_is_any(_types.is_integer, _types.is_boolean, _types.is_null), lambda values: pc.cast(values, pa.string())),
    (_types.is_floating, _write_floats),
    (_is_any(_types.is_date, _types.is_decimal), _write_quoted),
    (_types.is_timestamp, _write_moments),
    (_types.is_map, _write_maps),
    (_is_any(_types.is_list, _types.is_large_list, _types.is_fixed_size_list), _write_lists),
    (_types.is_struct, _write_structs),
)
