"""How the fields of a CSV file are quoted, and files with escapes, comments or blanks around quotes as plain CSV."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

import numpy as np

from tasks.convert.files.byte_view import ByteView, Marks
from tasks.convert.formats.csv.places import empty_lines, put_in, take_turns
from tasks.convert.formats.csv.quotes import are_inside, are_marks, are_of
from tasks.convert.formats.csv.tokens import Rewritten, rewrite_tokens

_WRAPPED = r"(?:^|[,;\t|]){0}(?:[^{0}{1}]|{0}{0})*{0}(?=[,;\t|\r\n]|\Z)"
_WRAPPED_BY = {
    '"': re.compile(_WRAPPED.format('"', ""), re.MULTILINE),
    "'": re.compile(_WRAPPED.format("'", r"\r\n"), re.MULTILINE),  # an apostrophe may pair with one lines below
}
BACKSLASH = "\\"
_PIECE_BYTES, _HEAD_BYTES = 256 * 1024, 64 * 1024
_MASK = 0  # any byte that no mark of CSV has
_NOWHERE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Quoting:
    """What separates and quotes fields; `quote`, `escape` and `comment` are empty where nothing does.

    With `trims` blanks before and after quotes are no part of a field.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    comment: str = ""
    trims: bool = False

    @property
    def is_plain(self) -> bool:
        """Return whether pyarrow and Python read it as it is."""
        return not (self.escape or self.comment or self.trims)

    def rewrite(self, data: bytes, *, may_be_open: bool = False) -> bytes:
        r"""Return the same records, on the same lines, as CSV in which only a doubled quote is one within a field.

        Comments become empty lines. What escapes does so before a quote, before itself,
        and outside quotes before the delimiter; elsewhere it is a character, as in C:\temp.
        The last quote `may_be_open`: then what follows it is of its field.
        """
        return data if self.is_plain else self.rewrite_lines(ByteView.of(data), may_be_open=may_be_open).plain.data

    def rewrite_lines(self, text: ByteView, *, may_be_open: bool) -> Rewritten:
        """Return the same of lines that are not plain, with where their quoted fields stand."""
        plain = self._double_escaped(text.data) if len(text) <= _HEAD_BYTES else None
        if plain is None and self._may_at_once(text):
            plain = self._rewrite_at_once(text, may_be_open=may_be_open)
        if plain is None:
            return rewrite_tokens(text, self, may_be_open=may_be_open)
        return Rewritten(ByteView.of(plain), text, self.quote)

    def _double_escaped(self, data: bytes) -> bytes | None:
        """Return few records with their escaped quotes doubled; None where more than that is to be rewritten, or a quote is no mark of a field.

        It takes a tenth of the time of arrays.
        """
        if self.comment or self.trims or not self.quote or self.escape in {"", self.quote}:
            return None
        quote, escape, end = self.quote.encode(), self.escape.encode(), self.delimiter.encode()
        escaped, mask = escape + quote, bytes(2)
        if len(escaped + end) > 3 or any(each in data for each in (mask[:1], escape * 2, escape + end)):  # noqa: PLR2004 - of ASCII
            return None
        parts, ends = data.replace(escaped, mask).split(quote), (*end, *b"\r\n")
        if len(parts) % 2 == 0:
            return None
        outside, last = parts[::2], len(parts) // 2
        for place, part in enumerate(outside):
            if part and ((place and part[0] not in ends) or (place < last and part[-1] not in ends) or mask in part):
                return None
        return data.replace(escaped, quote * 2)

    def _may_at_once(self, text: ByteView) -> bool:
        """Return whether the first lines are rewritten at once, if comments had to be taken out of all of them for it."""
        end = text.rfind(b"\n", _HEAD_BYTES) + 1
        if not self.comment or not 0 < end < len(text):
            return True
        return self._rewrite_at_once(text.to_place(end), may_be_open=True) is not None

    def _rewrite_at_once(self, text: ByteView, *, may_be_open: bool) -> bytes | None:
        """Return the same where each quote that no escape stands before quotes a field; None where only its tokens tell.

        It takes a sixth to a half of the time of tokens. Some records at a time: memory that is new for each step of a
        whole block takes more time than the steps.
        """
        if self.escape and (not self.quote or self.escape == self.quote):
            return None
        data, comments = _without_comments(text, self.comment) if self.comment else (text.data, _NOWHERE)
        if not any(mark and mark.encode() in data for mark in (self.quote, self.escape)):
            return data
        comments = np.minimum(comments, len(data) - 1)
        view, pieces, begin, size = np.frombuffer(data, np.uint8), list[memoryview](), 0, _PIECE_BYTES
        while begin < len(view):
            piece = self._mask(view[begin : begin + size])
            if begin + size < len(view):
                end = piece.find_end()
                if not end:
                    size *= 2
                    continue
                piece, size = piece.to_place(end), _PIECE_BYTES
            elif piece.is_inside[-1] and not may_be_open:
                return None
            end = begin + len(piece.view)
            inner = comments[(comments >= begin) & (comments < end)] - begin
            rewritten = None if piece.is_inside[inner].any() else self._rewrite_piece(piece)
            if rewritten is None:
                return None
            pieces.append(rewritten.data)
            begin = end
        return b"".join(pieces) if self.escape or self.trims else data

    def _mask(self, view: np.ndarray) -> _Masked:
        """Return bytes with what escapes, and what is escaped, masked."""
        escapes, masked = self._find_escapes(view), view
        if len(escapes):
            masked = view.copy()
            masked[escapes] = masked[escapes + 1] = _MASK
        is_quote = masked == ord(self.quote) if self.quote else np.zeros(len(view), dtype=bool)
        return _Masked(view, masked, escapes, is_quote, are_inside(is_quote))

    def _rewrite_piece(self, piece: _Masked) -> np.ndarray | None:
        """Return whole records as plain CSV; None where a quote is no mark of a field."""
        if piece.is_quote.any():
            quotes = np.flatnonzero(piece.is_quote)
            if self.trims:
                is_kept = self._find_kept(piece.masked, quotes)
                if is_kept is None:
                    return None
                piece = self._mask(piece.view[is_kept])
                quotes = np.flatnonzero(piece.is_quote)
            if not are_marks(piece.masked, quotes, self.quote, self.delimiter):
                return None
        return self._unescape(piece) if len(piece.escapes) else piece.view

    def _find_escapes(self, view: np.ndarray) -> np.ndarray:
        """Return the places of what escapes a quote, a delimiter or an escape: of several beside each other every other one."""
        found = np.flatnonzero(view[:-1] == ord(self.escape)) if self.escape else _NOWHERE
        found = take_turns(found)
        return np.compress(are_of(f"{self.escape}{self.quote}{self.delimiter}".encode(), view[found + 1]), found)

    def _find_kept(self, view: np.ndarray, quotes: np.ndarray) -> np.ndarray | None:
        """Return which bytes are no blanks between quotes and the ends of their fields; None where something else is there."""
        is_kept = np.ones(len(view), dtype=bool)
        blanks = np.frombuffer(b" " if self.delimiter == "\t" else b" \t", np.uint8)
        ends = np.frombuffer(f"{self.delimiter}\r\n".encode(), np.uint8)
        for places, step in ((quotes[::2], -1), (quotes[1::2], 1)):
            beside = places + step
            while len(beside := beside[(beside >= 0) & (beside < len(view))]):
                is_blank = np.isin(view[beside], blanks)
                reached = beside[~is_blank]
                if not np.isin(view[reached], ends)[~is_kept[reached - step]].all():
                    return None
                beside = beside[is_blank]
                is_kept[beside] = False
                beside = beside + step
        return is_kept

    def _unescape(self, piece: _Masked) -> np.ndarray | None:
        """Return the bytes with what is escaped within quotes, and in fields quoted for it, as plain CSV has it; None where one of these has quotes."""
        view, masked, escapes = piece.view, piece.masked, piece.escapes
        begins = ends = _NOWHERE
        is_bare = ~piece.is_inside[escapes]
        if is_bare.any():
            is_mark = are_of(f"{self.delimiter}\r\n".encode(), masked)
            fields = Marks(is_mark).count_before(escapes)
            marks = np.concatenate([[-1], np.flatnonzero(is_mark), [len(view)]])
            is_special = np.zeros(len(marks) - 1, dtype=bool)
            is_special[fields[is_bare & (view[escapes + 1] != ord(self.escape))]] = True
            special = np.flatnonzero(is_special)
            begins, ends, quotes = marks[special] + 1, marks[special + 1], Marks(piece.is_quote)
            is_last = (masked[ends - 1] == ord(self.escape)).any()
            if is_last or (quotes.count_before(begins) != quotes.count_before(ends)).any():
                return None
            escapes = escapes[~is_bare | is_special[fields]]  # elsewhere two escapes are two characters
        is_doubled = view[escapes + 1] == ord(self.quote)
        written, is_kept = view.copy(), np.ones(len(view), dtype=bool)
        written[escapes[is_doubled]] = ord(self.quote)
        is_kept[escapes[~is_doubled]] = False
        if is_doubled.all() and not len(begins):
            return written
        places = np.stack([begins, ends], axis=1).ravel()
        kept = np.compress(is_kept, written)
        data = put_in(kept, places - Marks(~is_kept).count_before(places), self.quote.encode())
        return np.frombuffer(data, np.uint8)


@dataclass(frozen=True)
class _Masked:
    """Bytes, and the same with each pair of an escape and what it escapes `masked`, of which `escapes` are the places; which are quotes then, and which are within quotes."""

    view: np.ndarray
    masked: np.ndarray
    escapes: np.ndarray
    is_quote: np.ndarray
    is_inside: np.ndarray

    def find_end(self) -> int:
        """Return the place below the last line end that is in no quotes; 0 where there is none."""
        is_end = (self.masked == ord("\n")) & ~self.is_inside
        return len(is_end) - int(is_end[::-1].argmax()) if is_end.any() else 0

    def to_place(self, place: int) -> _Masked:
        """Return the bytes before the one at `place`."""
        escapes = self.escapes[: np.searchsorted(self.escapes, place)]
        return _Masked(self.view[:place], self.masked[:place], escapes, self.is_quote[:place], self.is_inside[:place])


def _without_comments(text: ByteView, comment: str) -> tuple[bytes, np.ndarray]:
    """Return the same with each line empty that begins so, be it within quotes or not, and the places of these lines."""
    begins, stops = text.line_spans_of_any_end
    found = np.flatnonzero((begins < stops) & (text.to_numpy()[begins] == ord(comment)))
    if not len(found):
        return text.data, _NOWHERE
    begins, stops = begins[found], stops[found]
    return empty_lines(text, begins, stops), begins - np.concatenate([[0], np.cumsum(stops - begins)[:-1]])


def detect_quote(sample: str) -> str:
    """Return the quote: ' only where it wraps several fields, and the first of those that anything wraps."""
    if "'" not in sample:
        return '"'
    single = list(islice(_WRAPPED_BY["'"].finditer(sample), 2))
    if len(single) < 2:  # noqa: PLR2004 - one may be a word in quotes
        return '"'
    double = _WRAPPED_BY['"'].search(sample)
    return "'" if double is None or single[0].start() < double.start() else '"'


def detect_escapes(sample: str, quoting: Quoting, escape: str | None) -> Quoting:
    r"""Return the same with the escape that is used in a sample, unless `escape` is declared, and whether blanks stand around quotes.

    They do where more records have as many fields as the others then; or as many,
    and a quote after a backslash does not end its field: C:\" may.
    """
    quote, backslash = re.escape(quoting.quote), re.escape(BACKSLASH)
    if not quoting.quote or quoting.quote not in sample:
        return quoting
    end = rf"[\r\n{re.escape(quoting.delimiter)}]"
    if escape is None and f"{BACKSLASH}{quoting.quote}" in sample and quoting.quote != BACKSLASH != quoting.delimiter:
        inside = re.search(rf"(?<!{backslash}){backslash}{quote}(?!{end}|{quote}|\Z)", sample) is not None
        quoting = _better(sample, quoting, replace(quoting, escape=BACKSLASH), as_good=inside)
    if f" {quoting.quote}" in sample or f"\t{quoting.quote}" in sample:
        blank = " +" if quoting.delimiter == "\t" else r"[ \t]+"
        around = rf"(?:^|{re.escape(quoting.delimiter)}){blank}{quote}(?:[^{quote}\r\n]|{quote}{quote})*{quote}\s*?(?={end}|\Z)"
        if re.search(around, sample, re.MULTILINE):
            quoting = _better(sample, quoting, replace(quoting, trims=True), as_good=True)
    return quoting


def rewrite_sample(sample: str, quoting: Quoting) -> str:
    """Return the same records, on the same lines, as plain CSV."""
    return sample if quoting.is_plain else _rewrite_sample(sample, quoting)


@lru_cache(maxsize=1)  # of a file it is asked where the escape is found, and for its first records
def _rewrite_sample(sample: str, quoting: Quoting) -> str:
    return quoting.rewrite(sample.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _better(sample: str, one: Quoting, other: Quoting, *, as_good: bool) -> Quoting:
    """Return the other where by it more records are alike, or where it is `as_good` as many."""
    by_other = _alike(sample, other)
    if by_other == 1.0 and as_good:  # more cannot be
        return other
    by_one = _alike(sample, one)
    return other if by_other > by_one or (as_good and by_other == by_one) else one


def _alike(sample: str, quoting: Quoting) -> float:
    """Return the share of a sample's records that have as many fields as most."""
    text = io.StringIO(rewrite_sample(sample, quoting), newline="")
    widths = Counter(map(len, csv.reader(text, delimiter=quoting.delimiter, quotechar=quoting.quote)))
    del widths[0]  # of blank lines
    return max(widths.values()) / widths.total() if widths else 0.0
