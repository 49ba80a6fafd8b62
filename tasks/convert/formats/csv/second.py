"""The header of another table among the records of a block, below a blank one: found without reading those that are none."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from itertools import chain

import numpy as np

from tasks.convert.files.byte_view import Marks, mark
from tasks.convert.formats.csv.lines import take_lines
from tasks.convert.formats.csv.parse import CsvBlock
from tasks.convert.formats.csv.places import NextPlaces, list_places, take_stretches
from tasks.convert.formats.csv.quotes import are_of
from tasks.convert.formats.csv.spans import RecordSpans
from tasks.convert.formats.header import JUDGED_ROWS, find_second, warn_of_second_header

_MOST_DIGITS = 20
_DIGITS = b"0123456789"
_BEYOND = [*range(9, 14), *range(28, 32), *range(128, 256)]  # blanks, of which some have several bytes
_BEGIN = bytes([*_DIGITS, *b"+-., ", *_BEYOND])
# A number has these alone; a date or a time one of the others among its first bytes.
_OF_NUMBERS, _OF_DATES = bytes([*_BEGIN, *b"'eE%\""]), b"-/.:"
_DATE_BYTES = 12
_ENDS = 2  # bytes of a record that are told by themselves


def warn_of_second(block: CsvBlock) -> list[str]:
    """Return a sentence on the first record below a blank one, or a blank line, that looks like the header of another table, if there is one."""
    lines, ends = (block.laid.lines, block.laid.below) if block.head.fields else (None, None)
    if lines is None or ends is None or not len(below := _may_be_below(block, lines)):
        return []
    below = below[~_have_number(block, lines[below], ends[below])]
    if not len(below) or (records := block.spans) is None:
        return []
    is_below = _has_blank_line(block, records, below) | _are_blank(block, records, below - 1)
    below = _may_be_headers(block, records, below[is_below])
    is_apart = _has_blank_line(block, records, below)
    for place, apart in zip(below.tolist(), is_apart.tolist(), strict=True):
        first = _read(block, records, place)
        if tuple(first) == block.head.fields or not (apart or not any(_read(block, records, place - 1))):
            continue
        rows = [_read(block, records, n) for n in range(place + 1, min(place + 1 + JUDGED_ROWS, len(records)))]
        if find_second([first, *rows], {0}) is not None:
            line = block.number_lines(records.lines[[place]])[0]
            return [warn_of_second_header(f"line {line:,}")]
    return []


def warn_elsewhere(_: CsvBlock) -> list[str]:
    """Return no sentence: it is told of the block of which this one is a part, or of all of its records."""
    return []


def _may_be_below(block: CsvBlock, lines: np.ndarray) -> np.ndarray:
    """Return the places of the records, which begin in these lines, that may stand below a blank line or a record without a value, by the line above them; those that begin with a plain number are no headers."""
    view, (starts, stops) = block.window.to_numpy(), block.laid.text.line_spans_of_any_end
    above = lines[1:] - 1
    marks = f"{block.head.dialect.delimiter}{block.head.dialect.quote}\r".encode()
    may_be = stops[above] == starts[above]
    may_be |= are_of(marks, view[starts[above]]) & are_of(marks, view[stops[above] - 1])
    if block.places is not None and block.raw is not None:
        behind, first = block.places[above] + 1, block.places[above + 1]
        far = np.flatnonzero(first > behind)
        may_be[far] |= NextPlaces(block.raw.are_blank).are_in(behind[far], first[far])
    places = np.flatnonzero(may_be) + 1
    return np.compress(~_begin_with_number(view, starts[lines[places]], block.head.dialect.delimiter), places)


def _are_blank(block: CsvBlock, records: RecordSpans, places: np.ndarray) -> np.ndarray:
    """Return of some records whether each has delimiters and quotes alone."""
    view, sizes = block.window.to_numpy(), records.stops[places] - records.starts[places]
    marks = f"{block.head.dialect.delimiter}{block.head.dialect.quote}\r".encode()
    found: np.ndarray = are_of(marks, view[records.starts[places]]) & are_of(marks, view[records.stops[places] - 1])
    found &= sizes <= 3 * records.widths[places]
    long = np.flatnonzero(found & (sizes > _ENDS))  # two quotes a field, and what ends it
    if len(long):
        near, few = _take_alone(view, records, places[long])
        found[long] = _count(near, marks, few.starts, few.stops) == few.stops - few.starts
    return found


def _has_blank_line(block: CsvBlock, records: RecordSpans, places: np.ndarray) -> np.ndarray:
    """Return of records whether a line of the file above them, below the ones before, is blank; a comment is not."""
    first = block.number_lines(records.lines[places]) - block.first_line
    above = block.number_lines(records.below[places - 1] - 1) - block.first_line + 1
    is_apart: np.ndarray = first > above
    if not is_apart.any():
        return is_apart
    return NextPlaces((block.raw or block.window).are_blank).are_in(above, first)


def _may_be_headers(block: CsvBlock, records: RecordSpans, places: np.ndarray) -> np.ndarray:
    """Return those of the records that have no plain number, above one with a field that may be a number or a date, or narrower ones."""
    view = block.window.to_numpy()
    places = places[places < len(records) - 1]
    if not len(places):
        return places
    last = np.minimum(places + 1 + JUDGED_ROWS, len(records))
    turns = np.bincount(places, minlength=len(records) + 1) - np.bincount(last, minlength=len(records) + 1)
    is_near = np.cumsum(turns[:-1]) > 0
    view, near = _take_alone(view, records, np.flatnonzero(is_near))
    begins, ends = _find_fields(near)
    quoted = view[np.minimum(begins, len(view) - 1)] == ord(block.head.dialect.quote or "\0")
    may_begin = np.flatnonzero(are_of(_BEGIN, view[np.minimum(begins + quoted, len(view) - 1)]))
    may_be = np.zeros(len(begins), dtype=bool)
    if len(may_begin):
        may_be[may_begin] = _may_be_values(view, begins[may_begin], ends[may_begin])
    told, fields = (np.concatenate([[0], np.cumsum(each)]) for each in (may_be, near.widths))
    below, end = (fields[np.append(0, np.cumsum(is_near))[each]] for each in (places + 1, last))
    is_wider = records.widths[places] > records.widths[places + 1]
    return np.compress((told[end] > told[below]) | is_wider, places)


def _have_number(block: CsvBlock, lines: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return whether some records, from these lines to above others, have a field of digits alone: the others need not be told apart for it."""
    is_kept = mark(list_places(lines, below), len(block.laid.starts))
    near, found = take_lines(block, is_kept), np.zeros(len(lines), dtype=bool)
    if near.quote:
        near = replace(near, known=block.laid.without(near.window, is_kept))
    if (records := near.spans) is not None:
        begins, ends = _find_fields(records)
        digits = _count(near.window.to_numpy(), _DIGITS, begins, ends)
        is_number = (digits == ends - begins) & (ends > begins)
        found[np.repeat(np.arange(len(lines)), records.widths)[is_number]] = True
    return found


def _find_fields(records: RecordSpans) -> tuple[np.ndarray, np.ndarray]:
    """Return where each field of records begins, and where it ends."""
    marks = np.flatnonzero(records.is_mark)
    begins = np.sort(np.concatenate([records.starts, marks + 1]), kind="stable")  # which merges the two
    return begins, np.sort(np.concatenate([marks, records.stops]), kind="stable")


def _take_alone(view: np.ndarray, records: RecordSpans, places: np.ndarray) -> tuple[np.ndarray, RecordSpans]:
    """Return the bytes of some records alone, as those are few, and where these stand among them."""
    is_first = np.diff(places, prepend=-2) > 1  # of neighbours
    first, last = places[is_first], places[np.append(is_first[1:], True)]
    begins, ends = records.starts[first], records.stops[last]
    moves = begins - np.cumsum(ends - begins) + (ends - begins)
    edges = np.append(0, np.stack([begins, ends], axis=1).ravel())
    is_near = np.arange(len(edges)) & 1 == 1
    near, is_mark = (
        take_stretches(each, edges, is_near).to_numpy().view(each.dtype) for each in (view, records.is_mark)
    )
    taken, moved = records.take(places), np.repeat(moves, last - first + 1)
    spans = replace(taken, starts=taken.starts - moved, stops=taken.stops - moved, is_mark=is_mark)
    return near, spans


def _may_be_values(view: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return of fields that begin as a number does whether they may be one, or a date."""
    sizes, digits = ends - begins, _count(view, _DIGITS, begins, ends)
    may_be: np.ndarray = (digits > 0) & (_count(view, _OF_NUMBERS, begins, ends) == sizes)
    doubtful = np.flatnonzero((digits > 0) & ~may_be)
    near = np.minimum(begins[doubtful][:, None] + np.arange(_DATE_BYTES), ends[doubtful][:, None] - 1)
    may_be[doubtful] = are_of(_OF_DATES, view[near]).any(axis=1)
    return may_be


def _count(view: np.ndarray, characters: bytes, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return how many of the bytes from each beginning to before its end are one of these characters."""
    marks = Marks(are_of(characters, view))
    counted: np.ndarray = marks.count_before(ends) - marks.count_before(begins)
    return counted


def _begin_with_number(view: np.ndarray, starts: np.ndarray, delimiter: str) -> np.ndarray:
    """Return of records whether their first field is digits, as of most it is."""
    found, left = np.zeros(len(starts), dtype=bool), np.arange(len(starts))
    for place in range(_MOST_DIGITS):
        bytes_here = view[np.minimum(starts[left] + place, len(view) - 1)]
        if place:
            found[left[bytes_here == ord(delimiter)]] = True
        left = left[(bytes_here >= _DIGITS[0]) & (bytes_here <= _DIGITS[-1])]
        if not len(left):
            break
    return found


def _read(block: CsvBlock, records: RecordSpans, place: int) -> list[str]:
    """Return the fields of a record."""
    text = bytes(block.window.view[records.starts[place] : records.stops[place]]).decode("utf-8", "surrogateescape")
    quote = block.head.dialect.quote or None
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=block.head.dialect.delimiter,
        quotechar=quote,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )
    return list(chain.from_iterable(reader))
