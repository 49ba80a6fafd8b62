"""What is rewritten of CSV to make it plain, whatever stands in quotes: comments, quoted fields, and others with an escape."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tasks.convert.files.byte_view import ByteView, Marks, mark
from tasks.convert.formats.csv.bare import Quoting, may_be_bare, rewrite_bare
from tasks.convert.formats.csv.places import (
    NextPlaces,
    end_with_feeds,
    follow,
    list_places,
    put_in,
    take_turns,
)
from tasks.convert.formats.csv.quotes import are_of, are_paired

_LINE_FEED, _CARRIAGE_RETURN = b"\n\r"
_LINE_ENDS = b"\r\n"
_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True)
class _Tokens:
    """Comments and fields, each from where it begins to before its end: what stands before `first`, and from `last` on, is taken out.

    Those that are `bare` have an escape, and no quotes around them. Where nothing has to be rewritten one ends where it begins.
    """

    begins: np.ndarray
    first: np.ndarray
    last: np.ndarray
    ends: np.ndarray
    is_comment: np.ndarray
    is_bare: np.ndarray

    def take(self, kept: np.ndarray) -> _Tokens:
        """Return some of them."""
        fields = (self.begins, self.first, self.last, self.ends, self.is_comment, self.is_bare)
        return _Tokens(*(each[kept] for each in fields))


@dataclass(frozen=True)
class Rewritten:
    """The lines of `raw` as plain CSV, with `quoted`, where its quoted fields begin and end; without these each quote of `plain` is of one."""

    plain: ByteView
    raw: ByteView
    quote: str
    quoted: np.ndarray | None = None

    @property
    def is_closed(self) -> bool:
        """Return whether no quoted field is open behind the last line."""
        text, begins, ends = self._fields
        return not len(begins) or int(ends[len(begins) - 1]) < len(text)

    def is_paired(self, delimiter: str) -> bool:
        """Return whether each quote of `plain` is of a field, and closed by one that opens none: of lines without `quoted` each is."""
        view, quote = self.plain.to_numpy(), self.quote.encode()
        if not quote:
            return self.is_closed
        if self.quoted is not None:
            return self.is_closed and are_paired(view, self.quote, delimiter)
        if quote not in self.plain:
            return True
        before = view[self.plain.rfind(quote) - 1]
        return self.plain.count(quote[0]) % 2 == 0 and before not in f"{delimiter}\r\n".encode()

    def are_apart(self, lines: np.ndarray) -> np.ndarray:
        """Return which of these lines begin in no quoted field, be it that of the one below the last."""
        text, begins, ends = self._fields
        places = np.append(text.line_spans_of_any_end[0], len(text))[lines]
        above = np.searchsorted(begins, places) - 1
        return np.asarray((above < 0) | (ends[above] < places))

    @cached_property
    def _fields(self) -> tuple[ByteView, np.ndarray, np.ndarray]:
        """Return in which of the texts it is known where the fields begin, and end: behind it where one is open."""
        if self.quoted is not None:
            return self.raw, self.quoted[0], np.append(self.quoted[1], len(self.raw))
        quotes = np.flatnonzero(self.plain.to_numpy() == ord(self.quote)) if self.quote else np.empty(0, np.int64)
        return self.plain, quotes[::2], np.append(quotes[1::2], len(self.plain))


def rewrite_tokens(data: ByteView, quoting: Quoting, *, may_be_open: bool) -> Rewritten:
    """Return the same records as plain CSV, comments as blank lines.

    Some lines at a time: memory that is new for each step of a whole block takes more time than the steps.
    """
    pieces, fields, begin, size = list[bytes](), [np.empty((2, 0), np.int64)], 0, _PIECE_BYTES
    is_bare = may_be_bare(quoting, has_returns=b"\r" in data)
    if b"\r" in data:  # what ends a line above a comment is none of its piece
        size = len(data)
    while begin < len(data):
        rest = data.from_place(begin)
        is_last = len(rest) <= size
        piece = rest if is_last else rest.to_place(rest.rfind(b"\n", size) + 1)
        bare = rewrite_bare(piece, quoting, is_last=is_last, may_be_open=may_be_open) if is_bare else None
        if bare is None:
            is_bare = False  # where one is not, those below mostly are not either
            rewritten, quoted, taken = _rewrite_piece(piece, quoting, is_last=is_last, may_be_open=may_be_open)
            fields.append(quoted + begin)
        else:
            rewritten, taken = bare
        pieces.append(rewritten)
        begin, size = begin + taken, _PIECE_BYTES if taken else 2 * size
    return Rewritten(ByteView.of(b"".join(pieces)), data, quoting.quote, np.concatenate(fields, axis=1))


def _rewrite_piece(
    piece: ByteView, quoting: Quoting, *, is_last: bool, may_be_open: bool
) -> tuple[bytes, np.ndarray, int]:
    """Return the lines of a piece rewritten, where their quoted fields begin and end, and how many bytes they had: of one that is not the last those above what may end below it.

    Where each comment or field would end is told of all at once, and then followed from the first:
    what begins within another is none.
    """
    text = _Text(piece, quoting)
    tokens = text.find_tokens(text.find_fields(), may_be_open=may_be_open or not is_last)
    is_token = tokens.ends > tokens.begins
    steps = np.arange(1, len(is_token) + 1)
    steps[is_token] = Marks.of_places(tokens.begins, len(piece)).count_before(tokens.ends[is_token])
    nodes = follow(steps)
    tokens = tokens.take(nodes[is_token[nodes]])
    end = len(piece)
    if not is_last and len(tokens.ends) and tokens.ends[-1] == end:
        kept, end = _above_last(piece, tokens)
        tokens = tokens.take(np.arange(kept))
    is_quoted = ~(tokens.is_comment | tokens.is_bare)
    return text.rewrite(tokens, end), np.stack([tokens.begins[is_quoted], tokens.ends[is_quoted]]), end


def _above_last(piece: ByteView, tokens: _Tokens) -> tuple[int, int]:
    """Return how many of the tokens end above the line in which the last begins, or the others of it, and where that line begins."""
    kept = len(tokens.begins) - 1
    place = piece.rfind(b"\n", int(tokens.begins[kept])) + 1
    while kept and tokens.ends[kept - 1] > place:
        kept -= 1
        place = piece.rfind(b"\n", int(tokens.begins[kept])) + 1
    return kept, place


class _Text:
    """Bytes of CSV, with what escapes a mark, and which quotes and ends of fields are none for it."""

    def __init__(self, text: ByteView, quoting: Quoting) -> None:
        self._text, self._view, self._quoting = text, text.to_numpy(), quoting
        view = self._view
        self._is_end = self._is_bare_end = are_of(f"{quoting.delimiter}\r\n".encode(), view)
        self._is_quote = view == ord(quoting.quote) if quoting.quote else np.zeros(len(view), dtype=bool)
        self._escapes = self._dangling = np.empty(0, np.int64)
        if quoting.escape:
            escapes = take_turns(np.flatnonzero(view == ord(quoting.escape)))
            is_last, following = escapes == len(view) - 1, view[np.minimum(escapes + 1, len(view) - 1)]
            marks = f"{quoting.escape}{quoting.quote}{quoting.delimiter}".encode()
            self._dangling = escapes[is_last | are_of(_LINE_ENDS, following)]
            self._escapes = escapes[~is_last & are_of(marks, following)]
            self._is_bare_end = self._is_end.copy()
            self._is_quote[self._escapes + 1] = self._is_bare_end[self._escapes + 1] = False
        self._quotes, self._ends = np.flatnonzero(self._is_quote), np.append(np.flatnonzero(self._is_end), len(view))

    def find_fields(self) -> np.ndarray:
        """Return which fields, by how many ends of one stand above each, have an escape, or a quote where one may open them, or are comments."""
        view, quoting, ends, is_odd = (
            self._view,
            self._quoting,
            Marks(self._is_end),
            np.zeros(len(self._ends), dtype=bool),
        )
        is_odd[ends.count_before(self._escapes)] = True
        if quoting.quote:
            before = f"{quoting.delimiter}\r\n".encode() + (b" \t" if quoting.trims else b"")
            may_open = are_of(before, view[self._quotes - 1]) | (self._quotes == 0)
            is_odd[ends.count_before(self._quotes[may_open])] = True
        if quoting.comment:
            marks = np.flatnonzero(view == ord(quoting.comment))
            is_odd[ends.count_before(marks[self._begin_lines(marks)])] = True
        return np.flatnonzero(is_odd)

    def find_tokens(self, fields: np.ndarray, *, may_be_open: bool) -> _Tokens:
        """Return what begins with each of the fields."""
        size, begins = len(self._view), np.where(fields > 0, self._ends[fields - 1] + 1, 0)
        is_comment, opening = self._are_comments(begins), self._pass_blanks(begins)
        opens, closing = self._find_closing(opening)
        last = np.minimum(closing + 1, size)
        ends = self._pass_blanks(last)
        is_quoted = ((ends == size) | self._is_end[np.minimum(ends, size - 1)]) & ~is_comment[opens]
        if not may_be_open or size - 1 in self._dangling[-1:]:
            is_quoted &= closing != size
        quoted, is_bare = opens[is_quoted], np.zeros(len(begins), dtype=bool)
        tokens = _Tokens(begins, begins.copy(), begins.copy(), begins.copy(), is_comment, is_bare)
        tokens.first[quoted], tokens.last[quoted], tokens.ends[quoted] = (
            opening[quoted],
            last[is_quoted],
            ends[is_quoted],
        )
        if len(self._escapes):
            others = ~is_comment
            others[quoted] = False
            bare, bare_ends = self._find_bare(fields, np.flatnonzero(others))
            is_bare[bare], tokens.last[bare], tokens.ends[bare] = True, bare_ends, bare_ends
        if is_comment.any():
            tokens.ends[is_comment] = self._find_line_ends(begins[is_comment])
        return tokens

    def rewrite(self, tokens: _Tokens, end: int) -> bytes:
        """Return the bytes before a place with these as plain CSV has them."""
        view, quote = self._view, self._quoting.quote
        comments, is_kept = tokens.begins[tokens.is_comment], np.ones(end, dtype=bool)
        written = (end_with_feeds(self._text, comments) if len(comments) else view.copy())[:end]
        for starts, stops in ((tokens.begins, tokens.first), (tokens.last, tokens.ends)):
            is_wide = stops > starts
            is_kept[list_places(starts[is_wide], stops[is_wide])] = False
        escapes = self._find_within(tokens.take(~tokens.is_comment) if len(comments) else tokens)
        is_doubled = view[escapes + 1] == ord(quote or "\n")  # which nothing escapes
        written[escapes[is_doubled]] = view[escapes[is_doubled] + 1]
        is_kept[escapes[~is_doubled]] = False
        places = np.stack([tokens.begins[tokens.is_bare], tokens.ends[tokens.is_bare]], axis=1).ravel()
        if not len(places) or not quote:
            return written[is_kept].tobytes()
        return put_in(written[is_kept], places - Marks(~is_kept).count_before(places), quote.encode())

    def _find_within(self, fields: _Tokens) -> np.ndarray:
        """Return what escapes in these fields."""
        if not len(fields.begins):
            return self._escapes[:0]
        holder = Marks.of_places(fields.begins, len(self._view)).count_before(self._escapes + 1) - 1
        found: np.ndarray = self._escapes[(holder >= 0) & (self._escapes < fields.ends[holder])]
        return found

    def _pass_blanks(self, places: np.ndarray) -> np.ndarray:
        """Return the first place from each on at which no blank stands, where these stand around quotes."""
        if not self._quoting.trims:
            return places
        is_solid = ~are_of(b" " if self._quoting.delimiter == "\t" else b" \t", self._view)
        return NextPlaces(is_solid).find(places)

    def _find_closing(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return at which of the places a quote opens, and the one that closes it, `size` where none does.

        Of quotes beside each other two are one of the field: an even number from the one that opens on closes,
        and further on the first odd number.
        """
        size, quotes = len(self._view), self._quotes
        opens = np.flatnonzero((places < size) & self._is_quote[np.minimum(places, size - 1)])
        if not len(opens):
            return opens, opens
        is_first = np.diff(quotes, prepend=-2) > 1
        begins = np.flatnonzero(is_first)
        is_odd = np.diff(begins, append=len(quotes)) & 1 == 1
        last = np.append(quotes[np.append(begins[1:], len(quotes)) - 1], size)
        run = (np.cumsum(is_first) - 1)[Marks(self._is_quote).count_before(places[opens])]
        return opens, last[np.where(is_odd[run], NextPlaces(is_odd).find(run + 1), run)]

    def _find_bare(self, fields: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which of some of the fields, without quotes, have an escape before a delimiter or a quote, and where each ends."""
        first, ends = fields[places], Marks(self._is_end)
        last = NextPlaces(self._is_bare_end[self._ends[:-1]]).find_near(first)
        specials = self._escapes[self._view[self._escapes + 1] != ord(self._quoting.escape)]
        odd = np.concatenate([self._quotes, self._dangling])
        has_special, has_odd = (mark(ends.count_before(each), len(self._ends)) for each in (specials, odd))
        is_bare = NextPlaces(has_special).are_in(first, last + 1) & ~NextPlaces(has_odd).are_in(first, last + 1)
        return places[is_bare], self._ends[last[is_bare]]

    def _begin_lines(self, places: np.ndarray) -> np.ndarray:
        return np.asarray(are_of(_LINE_ENDS, self._view[places - 1]) | (places == 0))

    def _are_comments(self, begins: np.ndarray) -> np.ndarray:
        """Return which of the places begin a comment."""
        if not self._quoting.comment:
            return np.zeros(len(begins), dtype=bool)
        return np.asarray((self._view[begins] == ord(self._quoting.comment)) & self._begin_lines(begins))

    def _find_line_ends(self, begins: np.ndarray) -> np.ndarray:
        """Return where the lines end that begin at these places."""
        starts, stops = self._text.line_spans_of_any_end
        found: np.ndarray = stops[np.searchsorted(starts, begins)]
        return found
