"""Which quotes of CSV quote fields, and which are characters of one, told by their places, all at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from tasks.convert.files.byte_view import ByteView, Marks
from tasks.convert.formats.csv.places import NextPlaces, follow

_FEW_CHARACTERS = 4
_PIECE_BYTES = 256 * 1024
_FEW_HELD = 8


def are_of(characters: bytes, view: np.ndarray) -> np.ndarray:
    """Return which of the bytes are one of these characters: of few each is looked for, in a third of the time."""
    if len(characters) <= _FEW_CHARACTERS:
        found: np.ndarray = view == characters[0]
        for character in characters[1:]:
            found |= view == character
        return found
    return np.frombuffer(view.tobytes().translate(_list_members(characters)), bool).reshape(view.shape)


@cache
def _list_members(characters: bytes) -> bytes:
    """Return of each byte whether it is one of these characters."""
    return bytes(int(byte in characters) for byte in range(256))


def are_marks(view: np.ndarray, quotes: np.ndarray, quote: str, delimiter: str) -> bool:
    """Return whether each of the quotes begins a field, ends one, or stands twice within one; the last may begin one."""
    if not _open_fields(view, quotes[::2], quote, delimiter):
        return False
    following = quotes[1::2] + 1
    after = view[following[following < len(view)]]
    return bool(are_of(f"{delimiter}{quote}\r\n".encode(), after).all())


def are_paired(view: np.ndarray, quote: str, delimiter: str, *, may_be_open: bool = False) -> bool:
    """Return whether each quote that opens, by its place in the row of quotes, stands where a field begins, and is closed where one ends: the last by one that opens none, or of those that `may_be_open` by one below.

    A quote within a field, as in 5" pipe, is none that opens, and below one that nothing closes
    those that open and those that close change places: only a reader can tell those apart.
    """
    count, last, marks = 0, 0, f"{delimiter}\r\n".encode()
    for first in range(0, len(view), _PIECE_BYTES):  # the first that is none tells it
        quotes = np.flatnonzero(view[first : first + _PIECE_BYTES] == ord(quote)) + first
        if len(quotes):
            turn = count % 2
            following = quotes[1 - turn :: 2] + 1
            closes = are_of(marks + quote.encode(), view[np.minimum(following, len(view) - 1)])
            if not (closes | (following == len(view))).all() or not _open_fields(
                view, quotes[turn::2], quote, delimiter
            ):
                return False
            count, last = count + len(quotes), int(quotes[-1])
    return may_be_open or not count or (count % 2 == 0 and not are_of(marks, view[[last - 1]]).any())


def _open_fields(view: np.ndarray, opening: np.ndarray, quote: str, delimiter: str) -> bool:
    """Return whether each of these quotes stands where a field begins, or after another one."""
    return bool((are_of(f"{delimiter}{quote}\r\n".encode(), view[opening - 1]) | (opening == 0)).all())


def are_inside(is_quote: np.ndarray) -> np.ndarray:
    """Return of each byte whether an odd number of quotes stand up to it, its own included: of 64 at once, in a third of the time of one by one."""
    bits = np.packbits(is_quote, bitorder="little")
    words = np.append(bits, np.zeros(-len(bits) % 8, np.uint8)).view("<u8")
    odd = np.bitwise_count(words) & np.uint8(1)
    for size in (1, 2, 4, 8, 16, 32):
        words ^= words << np.uint64(size)
    is_odd = np.append(np.False_, np.bitwise_xor.accumulate(odd)[:-1].view(bool))[: len(words)]
    words[is_odd] = ~words[is_odd]
    return np.unpackbits(words.view(np.uint8), count=len(is_quote), bitorder="little").view(bool)


def hold_many_lines(text: ByteView, quote: str) -> bool:
    """Return whether many lines, one in eight or more, end in fields of a text in which quotes are paired."""
    view, ends = text.to_numpy(), text.line_spans_of_any_end[1]
    ends = ends[ends < len(view)]
    return bool(np.count_nonzero(are_inside(view == ord(quote))[ends]) * _FEW_HELD > len(ends))


def are_between(starts: np.ndarray, stops: np.ndarray, count: int) -> np.ndarray:
    """Return which of so many places are in ranges, none of which reaches into another, from each start to before its stop; where one is empty no other may end."""
    is_edge = np.zeros(count + 1, dtype=bool)
    is_edge[starts] = True
    is_edge[stops] ^= True  # where one ends another may begin
    return are_inside(is_edge)[:-1]


@dataclass(frozen=True)
class Quoted:
    """Where quoted fields stand: the place of the quote that opens each, and of the one that closes it.

    A doubled quote within a field may count as one that closes, and another that opens.
    `open` is the place of a quote that is not closed, with which the bytes end. `is_inside` tells
    of each byte, and of what comes behind the last, whether it is in a field, or opens one.
    """

    opening: np.ndarray
    closing: np.ndarray
    is_inside: np.ndarray
    open: int | None = None

    def hold(self, places: np.ndarray) -> np.ndarray:
        """Return whether each of the places, at which no quote stands, is in a quoted field."""
        held: np.ndarray = self.is_inside[places]
        return held


def find_quoted(view: np.ndarray, is_quote: np.ndarray, quotes: np.ndarray, delimiter: str) -> Quoted:
    """Return the quoted fields of records as Python's reader takes them: one begins with a quote, and ends with the next that is not doubled.

    `quotes` are the places of those that are one.
    """
    is_quote = np.append(is_quote, np.False_)
    opening, closing = quotes[::2], quotes[1::2]
    others = np.flatnonzero(~_begin_fields(view, opening, delimiter))
    if len(others) and (others[0] == 0 or (opening[others] - closing[others - 1] != 1).any()):
        # Else each opens and closes in its turn, as mostly they do.
        begins = _begin_fields(view, quotes, delimiter)
        is_odd = ~begins
        is_odd[1:] &= np.diff(quotes) > 1
        is_field, is_opening = _alternate(begins, np.flatnonzero(is_odd), len(quotes))
        opening, closing = (np.compress(is_field & each, quotes) for each in (is_opening, ~is_opening))
        is_quote[np.compress(~is_field, quotes)] = False
    whole = len(closing)
    is_quote[opening[whole:]] = False
    return Quoted(opening[:whole], closing, are_inside(is_quote), int(opening[-1]) if whole < len(opening) else None)


def _begin_fields(view: np.ndarray, quotes: np.ndarray, delimiter: str) -> np.ndarray:
    """Return which of the quotes stand where a field begins."""
    begins: np.ndarray = are_of(f"{delimiter}\r\n".encode(), view[quotes - 1]) | (quotes == 0)
    return begins


def _alternate(is_begin: np.ndarray, odd: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which of so many quotes are of quoted fields, and which of these open one.

    They open and close in turns, from one of those that begin a field to the one in the turn to open that is `odd`: it
    neither begins a field nor stands beside the one that closed, and is a character as are those up to the next beginning.
    """
    after = NextPlaces(is_begin).find(np.append(0, odd))
    following = np.empty(len(after), np.int64)
    for turn in (0, 1):
        of_turn, same = np.flatnonzero(after & 1 == turn), np.flatnonzero(odd & 1 == turn)
        before = Marks.of_places(odd[same], count).count_before(after[of_turn])
        following[of_turn] = np.append(same, len(odd)).take(before) + 1
    nodes = follow(following)
    starts, stops = after[nodes], np.append(odd, count)[following[nodes] - 1]
    starts, stops = (np.compress(starts < count, each) for each in (starts, stops))
    is_opening = np.arange(count) & 1 == 0
    if len(starts):
        is_opening[starts[0] :] ^= np.repeat(starts & 1 == 1, np.diff(starts, append=count))
    return are_between(starts, stops, count), is_opening


def find_marks(view: np.ndarray, quote: str, delimiter: str) -> np.ndarray | None:
    """Return the places of all quotes, each of which begins a field, ends one, or stands twice within one; None where one does not."""
    quotes = np.flatnonzero(view == ord(quote))
    return None if len(quotes) % 2 or not are_marks(view, quotes, quote, delimiter) else quotes
