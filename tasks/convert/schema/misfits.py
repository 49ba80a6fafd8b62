"""Records as they stand in a file, and of those the misfits, which could not become rows: as columns, many at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.schema.utf8 import bytes_of, enclose, find_undecodable, write_undecodable

RECORD_SCHEMA = pa.schema([("line", pa.int64()), ("raw", pa.string()), ("byte_offset", pa.int64())])
"""A record: the number of its first line, from 1, its text, and its first byte where that is known."""
REPEATED_TEXTS = pa.dictionary(pa.int32(), pa.string())
MISFIT_SCHEMA = pa.schema([*RECORD_SCHEMA, ("column", REPEATED_TEXTS), ("reason", pa.string())])
"""A record that could not become a row, or whose value in `column` could not be typed; few reasons may be repeated texts as well."""
NO_MISFITS = pa.Table.from_batches([], MISFIT_SCHEMA)  # its empty_table would import pandas

_LINE_ENDS = b"\r\n"
_MOST_BYTES = 2**31 - 1


def make_records(
    lines: Sequence[int] | np.ndarray, raws: Sequence[str] | pa.Array, offsets: Sequence[int] | np.ndarray | None = None
) -> pa.Table:
    """Return records with these lines, texts and first bytes."""
    places = pa.nulls(len(lines), pa.int64()) if offsets is None else pa.array(offsets, pa.int64())
    return pa.table([pa.array(lines, pa.int64()), pa.array(raws, pa.string()), places], RECORD_SCHEMA)


def make_misfits(
    records: pa.Table, reasons: str | Sequence[str] | pa.Array, columns: str | Sequence[str | None] | pa.Array = ()
) -> pa.Table:
    """Return records as misfits, with the reason of all, or of each, and the columns of those for which a value is the reason."""
    is_named = not isinstance(columns, Sequence) or len(columns) > 0
    named = _texts_of(columns, len(records)) if is_named else pa.nulls(len(records), REPEATED_TEXTS)
    named = named if pa.types.is_dictionary(named.type) else named.dictionary_encode()
    return pa.table([*records.columns, named, _texts_of(reasons, len(records))], MISFIT_SCHEMA.names)


def _texts_of(told: str | Sequence[str | None] | pa.Array | pa.ChunkedArray, count: int) -> pa.Array | pa.ChunkedArray:
    if isinstance(told, str):
        return repeat_text(told, count)
    return told if isinstance(told, pa.Array | pa.ChunkedArray) else pa.array(told, pa.string())


def repeat_text(text: str, times: int) -> pa.DictionaryArray:
    """Return a text so many times, which is there once."""
    return pa.DictionaryArray.from_arrays(np.zeros(times, np.int32), [text])


def join_texts(texts: Sequence[pa.Array]) -> pa.ChunkedArray:
    """Return texts one behind another, as repeated ones where all are."""
    is_repeated = all(pa.types.is_dictionary(each.type) for each in texts)
    return pa.chunked_array(texts if is_repeated else [each.cast(pa.string()) for each in texts])


def join_misfits(misfits: Iterable[pa.Table]) -> pa.Table:
    """Return misfits one below another; their reasons are repeated texts where all of them have such."""
    found = [each for each in misfits if len(each)] or [NO_MISFITS]
    is_same = all(each.schema.equals(found[0].schema) for each in found)
    return pa.concat_tables(found if is_same else [each.cast(MISFIT_SCHEMA) for each in found])


def sort_misfits(misfits: pa.Table) -> pa.Table:
    """Return misfits in the order of their lines."""
    lines = misfits["line"].to_numpy()
    return misfits if (np.diff(lines) >= 0).all() else misfits.take(pc.sort_indices(misfits["line"]))


def cut_texts(data: bytes | bytearray | memoryview, starts: np.ndarray, stops: np.ndarray) -> pa.Array:
    r"""Return pieces of bytes as texts, without line ends at their end; what is no UTF-8 in them is written as \xff.

    No piece may reach into another, but the same may be asked for again, in any order.
    """
    if not len(starts):
        return pa.array([], pa.string())
    if (starts[1:] > starts[:-1]).all():
        places, ends = np.arange(len(starts)), stops
    else:
        starts, places = np.unique(starts, return_inverse=True)
        ends = np.empty(len(starts), np.int64)
        ends[places] = stops
    view = np.frombuffer(data, np.uint8)
    ends = _before_line_ends(view, starts, ends)
    try:
        return _take_pieces(view, starts, ends, places).cast(pa.string())
    except pa.ArrowInvalid:
        undecodable = find_undecodable(view)
        starts, ends = (each + 3 * np.searchsorted(undecodable, each) for each in (starts, ends))
        return _take_pieces(write_undecodable(view, undecodable), starts, ends, places).cast(pa.string())


def _take_pieces(view: np.ndarray, starts: np.ndarray, ends: np.ndarray, places: np.ndarray) -> pa.Array:
    """Return some of the pieces of bytes."""
    is_small = len(view) <= _MOST_BYTES  # half the bytes of each place, and half the time
    edges = np.empty(2 * len(starts), np.int32 if is_small else np.int64)
    edges[::2], edges[1::2] = starts, ends
    buffers = [None, pa.py_buffer(edges), pa.py_buffer(view)]
    pieces = pa.Array.from_buffers(pa.binary() if is_small else pa.large_binary(), len(edges) - 1, buffers)
    return pieces.take(pa.array(2 * places))


def _before_line_ends(view: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return where each piece ends without the line ends at its end."""
    last = view[stops - 1]
    if not (last <= max(_LINE_ENDS)).any():  # mostly
        return stops
    is_end = ((last == _LINE_ENDS[0]) | (last == _LINE_ENDS[1])) & (stops > starts)
    return _before_line_ends(view, starts, stops - is_end) if is_end.any() else stops


def show(texts: pa.StringArray, then: str = "") -> pa.StringArray:
    """Return texts as Python shows them, of each the first 60 characters, and what is to be said then."""
    is_short = (pc.max(pc.binary_length(texts)).as_py() or 0) <= _SHOWN - len("''")
    if is_short and _are_plain(texts):  # mostly
        return enclose(texts, "'", f"'{then}")
    shown = pc.utf8_slice_codeunits(enclose(texts, "'", "'"), 0, _SHOWN)
    odd = pc.invert(pc.match_substring_regex(texts, _SHOWN_AS_IT_IS))
    written = pa.array([f"{text!r:.{_SHOWN}}" for text in texts.filter(odd).to_pylist()], pa.string())
    return pc.binary_join_element_wise(pc.replace_with_mask(shown, odd, written), then, "")


def _are_plain(texts: pa.Array) -> bool:
    """Return whether all are shown as they are, by their bytes: a tenth of what a pattern takes."""
    places, data = bytes_of(texts)
    return not data[places[0] : places[-1]].tobytes().translate(None, _PLAIN)


_SHOWN = 60
_SHOWN_AS_IT_IS = r"^[ -&(-\[\]-~]*$"  # no quote, backslash or control character, and nothing beyond ASCII
_PLAIN = bytes(byte for byte in range(128) if re.fullmatch(_SHOWN_AS_IT_IS, chr(byte)))
