"""The members of records without objects within: told by their places in the bytes, so that no dictionary is made of any."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.halves import find_escapes
from tasks.convert.formats.json.lines import JsonBlock
from tasks.convert.formats.json.shape import InDoubtError

_QUOTE, _COLON, _COMMA, _CLOSING, _ENDING, _BLANK, _RETURN, _MINUS, _ZERO, _POINT, _POWER, _SMALL, _TRUE = (
    b'":,}] \r-0.e t'
)
NUMBER, TEXT, TRUTH, NULL, LIST, WHOLE, FLOAT = 1, 2, 4, 8, 16, 32, 64
"""The kinds of values: whole numbers are of 64 bits, and written as Python writes them, floats have a point or an exponent; of other numbers no more is known."""
_SOME = 100
_MOST_DIGITS = 18  # of a whole number that 64 bits hold, whatever they are
_KINDS = np.zeros(256, np.uint8)  # of a value, by its first byte; none of objects and blanks
for _bytes, _kind in ((b"-0123456789", NUMBER), (b'"', TEXT), (b"tf", TRUTH), (b"n", NULL), (b"[", LIST)):
    _KINDS[list(_bytes)] = _kind
_BEHIND_KEY = 2
_MARKS = np.zeros(256, np.uint8)  # what stands behind the closing quote of a key, and of a text
_MARKS[[_COLON, _COMMA, _CLOSING, _ENDING]] = _BEHIND_KEY, 1, 1, 1
_IS_BLANK = np.isin(np.arange(256), list(b" \t\r"))
_SLICE_BYTES = 128 * 1024  # what a comparison writes stays in the processor's cache
_PIECE_BYTES, _TOGETHER = 1024 * 1024, 65_536
_SEPARATOR = 0x7F  # a letter of one byte that few texts have, and that stands in JSON as it is


class _Object(msgspec.Struct, gc=False):
    """An object whose members are passed over: whether they are JSON is told."""


_pass_over = msgspec.json.Decoder(_Object).decode_lines
_decode_text, _decode_texts = msgspec.json.Decoder(str).decode, msgspec.json.Decoder(list[str]).decode


@dataclass(frozen=True)
class Members:
    """The members of records, as they stand in the bytes: of which name each is, and whose, where its value stands, and of which kind it is; and the value of those that are whole numbers."""

    window: ByteView
    names: Sequence[str]
    rows: int
    numbers: np.ndarray
    records: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    kinds: np.ndarray
    are_escaped: np.ndarray
    wholes: np.ndarray
    are_all_whole: bool
    """Whether all numbers are whole ones of 64 bits, however they are written."""

    @cached_property
    def cells(self) -> np.ndarray:
        """Return where each member stands among those that there would be if each record had all names.

        Raises:
            InDoubtError: a record has a name twice.

        """
        cells: np.ndarray = self.numbers * self.rows + self.records
        is_met = np.zeros(len(self.names) * self.rows, dtype=bool)
        is_met[cells] = True
        if np.count_nonzero(is_met) < len(cells):
            raise InDoubtError
        return cells

    @cached_property
    def kinds_of_names(self) -> np.ndarray:
        """Return the kinds of the values of each name, together."""
        every = np.bincount(self.numbers * 256 + self.kinds, minlength=len(self.names) * 256)
        met = every.reshape(len(self.names), 256) > 0
        met[:, NULL] = False
        kinds: np.ndarray = np.bitwise_or.reduce(np.where(met, np.arange(256), 0), axis=1)
        return kinds

    @cached_property
    def floats(self) -> np.ndarray:
        """Return the values of all numbers as floats."""
        are_others = (self.kinds == FLOAT) | (self.kinds == NUMBER)
        pieces = (slice(first, first + _TOGETHER) for first in range(0, len(are_others), _TOGETHER))
        floats = [
            _cast(self.window, self.starts[some], self.stops[some], are_others[some], pa.float64()) for some in pieces
        ]
        return np.where(are_others, np.concatenate(floats), self.wholes)

    @property
    def truths(self) -> np.ndarray:
        """Return which values are true."""
        truths: np.ndarray = self.window.to_numpy()[self.starts] == _TRUE
        return truths

    def texts(self, order: np.ndarray) -> pa.StringArray:
        """Return the values of some members as they stand, but texts without their quotes and escapes.

        Raises:
            InDoubtError: one may be half a surrogate pair.

        """
        are_texts = self.kinds == TEXT
        are_escaped = (self.are_escaped & are_texts)[order]
        if are_escaped.all() and len(order):
            return self._unescaped(order)
        texts = _cut(self.window, self.starts + are_texts, self.stops - are_texts, order)
        if not are_escaped.any():
            return texts
        return pc.replace_with_mask(texts, pa.array(are_escaped), self._unescaped(order[are_escaped]))

    def as_they_stand(self, order: np.ndarray) -> pa.StringArray:
        """Return the bytes of the values of some members."""
        return _cut(self.window, self.starts, self.stops, order)

    def _unescaped(self, order: np.ndarray) -> pa.StringArray:
        """Return texts without escapes, read as one in which another letter stands for the quotes between them: no object is made of each."""
        quoted = _cut(self.window, self.starts + 1, self.stops, order)
        _, ends, data = quoted.buffers()
        offsets = np.frombuffer(ends, np.int32, len(quoted) + 1)
        joined = np.frombuffer(b'"%b' % data.to_pybytes()[: offsets[-1]], np.uint8).copy()
        joined[offsets[1:-1]] = _SEPARATOR
        try:
            text = _decode_text(joined.data).encode()
            if text.count(_SEPARATOR) != len(quoted) - 1:
                return pa.array(self._read_each(order), pa.string())
        except msgspec.DecodeError as error:
            raise InDoubtError from error
        between = _find_bytes(np.frombuffer(text, np.uint8), lambda some: some == _SEPARATOR)
        begun = np.concatenate([[0], between - np.arange(len(between)), [len(text) - len(between)]]).astype(np.int32)
        written = text.translate(None, bytes([_SEPARATOR]))
        return pa.StringArray.from_buffers(len(quoted), pa.py_buffer(begun), pa.py_buffer(written))

    def _read_each(self, order: np.ndarray) -> list[str]:
        return _decode_texts(f"[{join(self.as_they_stand(order), ',')}]")


def find_members(block: JsonBlock) -> Members:
    """Return the members of all records.

    Raises:
        InDoubtError: a line may be no flat object, or has blanks where most have none.

    """
    places = [*_divide_lines(block.window)]
    pieces = [_find_in(block.window.from_place(start).to_place(stop - start)) for start, stop in places]
    names: dict[str, int] = {}
    for name in chain.from_iterable(piece.names for piece in pieces):
        names.setdefault(name, len(names))
    numbers = [np.array([names[name] for name in piece.names], np.int64)[piece.numbers] for piece in pieces]
    rows = np.cumsum([0, *(piece.rows for piece in pieces)])
    begun = [start for start, _ in places]
    return Members(
        block.window,
        list(names),
        int(rows[-1]),
        np.concatenate(numbers),
        np.concatenate([piece.records + before for piece, before in zip(pieces, rows, strict=False)]),
        np.concatenate([piece.starts + before for piece, before in zip(pieces, begun, strict=True)]),
        np.concatenate([piece.stops + before for piece, before in zip(pieces, begun, strict=True)]),
        np.concatenate([piece.kinds for piece in pieces]),
        np.concatenate([piece.are_escaped for piece in pieces]),
        np.concatenate([piece.wholes for piece in pieces]),
        are_all_whole=all(piece.are_all_whole for piece in pieces),
    )


def _divide_lines(window: ByteView) -> Iterator[tuple[int, int]]:
    """Yield where some lines begin and end, so few of them that what is told of each stays in the processor's cache: that takes a quarter less time."""
    start = 0
    while start < len(window):
        stop = window.find(b"\n", min(start + _PIECE_BYTES, len(window))) + 1 or len(window)
        yield start, stop
        start = stop


def _find_in(window: ByteView) -> Members:
    """Return the members of the records in some lines."""
    try:
        objects = len(_pass_over(window.view))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InDoubtError from error
    block, data = JsonBlock(window), window.to_numpy()
    if not objects or not block.has_object_in_each(objects):
        raise InDoubtError
    escapes = find_escapes(data) if b"\\" in window else np.empty(0, np.int64)
    opens, closes = _find_keys(data, escapes)
    first, ends = _find_records(block, data, opens)
    starts, stops = _find_values(data, opens, closes, first, ends)
    kinds = _KINDS[data[starts]]
    if not kinds.all():
        raise InDoubtError
    names, numbers = _find_names(window, opens + 1, closes)
    wholes, are_all_whole = _read_wholes(window, starts, stops, kinds)
    records = np.repeat(np.arange(len(first)), np.diff(first, append=len(opens)))
    are_escaped = _find_escaped(escapes, starts, stops)
    return Members(
        window, names, objects, numbers, records, starts, stops, kinds, are_escaped, wholes, are_all_whole=are_all_whole
    )


def _find_keys(data: np.ndarray, escapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the quotes that open keys, and of those that close them."""
    quotes = _find_bytes(data, lambda some: some == _QUOTE)
    escaped = escapes[data[escapes + 1] == _QUOTE] + 1
    if len(escaped):
        quotes = np.delete(quotes, np.searchsorted(quotes, escaped))
    opens, closes = quotes[::2], quotes[1::2]
    marks = _MARKS[data[closes + 1]]
    if not marks.all():
        raise InDoubtError
    is_key = marks == _BEHIND_KEY
    return (opens, closes) if is_key.all() else (opens[is_key], closes[is_key])


def _find_bytes(data: np.ndarray, are_sought: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the places of the bytes that are sought."""
    found = [
        np.flatnonzero(are_sought(data[first : first + _SLICE_BYTES])) + first
        for first in range(0, len(data), _SLICE_BYTES)
    ]
    return np.concatenate([np.empty(0, np.int64), *found])


def _find_records(block: JsonBlock, data: np.ndarray, opens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which key is the first of each record, and where the brace stands that closes it."""
    lines = block.numbers - block.first_line
    starts, stops = (each[lines] for each in block.window.line_spans)
    ends = stops - 1
    ends -= data[ends] == _RETURN
    first = np.searchsorted(opens, starts)
    if (data[ends] != _CLOSING).any() or not np.diff(first, append=len(opens)).all():
        raise InDoubtError
    return first, ends


def _find_values(
    data: np.ndarray, opens: np.ndarray, closes: np.ndarray, first: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the value of each key begins and ends: before the comma of the next, or the brace."""
    starts = closes + 2
    starts += data[starts] == _BLANK
    stops = np.append(opens[1:] - 1, 0)
    stops -= data[stops] == _BLANK
    stops[np.append(first[1:], len(opens)) - 1] = ends
    commas = np.count_nonzero(data[stops] == _COMMA)
    if commas != len(opens) - len(ends) or _IS_BLANK[data[stops - 1]].any():
        raise InDoubtError
    return starts, stops


def _find_names(window: ByteView, starts: np.ndarray, stops: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the different keys in the order in which they are met, and which of them each key is."""
    encoded = _divide(window, starts, stops, np.ones(len(starts), dtype=bool)).dictionary_encode()
    names: list[str] = encoded.dictionary.to_pylist()
    return names, _values_of(encoded.indices, np.int32)


def _find_escaped(escapes: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return which values have an escape.

    Raises:
        InDoubtError: a key has one, and may be written in two ways.

    """
    are_escaped = np.zeros(len(starts), dtype=bool)
    owners = np.searchsorted(starts, escapes, side="right") - 1
    if len(escapes) and (owners[0] < 0 or (stops[owners] <= escapes).any()):
        raise InDoubtError
    are_escaped[owners] = True
    return are_escaped


def _read_wholes(window: ByteView, starts: np.ndarray, stops: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the values of whole numbers of 64 bits, and whether all numbers are these; among the kinds they are told, and floats."""
    data, places = window.to_numpy(), np.flatnonzero(kinds == NUMBER)
    first, last = starts[places], stops[places]
    is_alike = (data[first] != _MINUS) | (data[first + 1] != _ZERO)
    with suppress(pa.ArrowInvalid):
        some = places[:: max(len(places) // _SOME, 1)]  # each that is no whole number takes as long as many that are
        _cast(window, starts[some], stops[some], np.ones(len(some), dtype=bool), pa.int64())
        wholes = _cast(window, starts, stops, kinds == NUMBER, pa.int64())
        kinds[places[is_alike]] = WHOLE
        return wholes, True
    marks = _find_bytes(data, lambda some: (some == _POINT) | ((some | _SMALL) == _POWER))
    is_float = np.append(marks, len(data))[np.searchsorted(marks, first)] < last
    kinds[places[is_float]] = FLOAT
    kinds[places[~is_float & is_alike & (last - first <= _MOST_DIGITS)]] = WHOLE
    are_whole = kinds == WHOLE
    wholes = _cast(window, starts, stops, are_whole, pa.int64()) if are_whole.any() else np.zeros(len(kinds), np.int64)
    return wholes, False


def join(texts: pa.StringArray, between: str) -> str:
    """Return all texts as one."""
    joined: str = pc.binary_join(pa.ListArray.from_arrays([0, len(texts)], texts), between)[0].as_py()
    return joined


def _cast(
    window: ByteView, starts: np.ndarray, stops: np.ndarray, are_cast: np.ndarray, kind: pa.DataType
) -> np.ndarray:
    """Return some pieces of the bytes, of which none reaches into the next, as numbers."""
    numbers = pc.cast(_divide(window, starts, stops, are_cast), kind)
    return _values_of(numbers, kind.to_pandas_dtype())


def _cut(window: ByteView, starts: np.ndarray, stops: np.ndarray, order: np.ndarray) -> pa.StringArray:
    """Return pieces of the bytes, of which none reaches into the next, as texts in an order."""
    return _divide(window, starts, stops).take(pa.array(2 * order))


def _divide(
    window: ByteView, starts: np.ndarray, stops: np.ndarray, are_known: np.ndarray | None = None
) -> pa.StringArray:
    """Return pieces of the bytes where they lie, and between them what is between them; with `are_known` only these pieces, and null for all else."""
    count = max(2 * len(starts) - 1, 0)
    spans = np.empty(2 * len(starts), np.int32)
    spans[::2], spans[1::2] = starts, stops
    mask = None
    if are_known is not None:
        known = np.zeros(2 * len(starts), dtype=bool)
        known[::2] = are_known
        mask = pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(pa.string(), count, [mask, pa.py_buffer(spans), window.to_arrow()])


def _values_of(numbers: pa.Array, kind: type) -> np.ndarray:
    """Return every other of some numbers, those of the pieces."""
    return np.frombuffer(numbers.buffers()[1], kind, len(numbers), numbers.offset * np.dtype(kind).itemsize)[::2]
