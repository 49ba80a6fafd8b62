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

_WRAPPED = r"(?:^|[,;\t|]){0}(?:[^{0}{1}]|{0}{0})*{0}(?=[,;\t|\r\n]|\Z)"
_WRAPPED_BY = {
    '"': re.compile(_WRAPPED.format('"', ""), re.MULTILINE),
    "'": re.compile(_WRAPPED.format("'", r"\r\n"), re.MULTILINE),  # an apostrophe may pair with one lines below
}
BACKSLASH = "\\"
_MASKS = (
    b"\x00",
    b"\x01",
    b"\x02",
)  # twice each in the place of an escaped escape, quote and delimiter: no marks of CSV
_QUOTE_MASK = _MASKS[1]
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
        if self.is_plain:
            return data
        plain = self._rewrite_at_once(data, may_be_open=may_be_open)
        return self.rewrite_by_token(data, may_be_open=may_be_open) if plain is None else plain

    def rewrite_by_token(self, data: bytes, *, may_be_open: bool = False) -> bytes:
        """Return the same, whatever stands in quotes: each field that is quoted, or has an escape, by itself."""
        quote, escape = self.quote.encode(), self.escape.encode()

        def plain(match: re.Match[bytes]) -> bytes:
            name = match.lastgroup
            if name is None or name == "comment":
                return b""
            field = match[name]
            if escape and escape in field:
                field = _escaped(self).sub(lambda found: quote * 2 if found[1] == quote else found[1], field)
            return quote + field + (b"" if name == "open" else quote)

        match, pieces, end = _tokens(self, may_be_open=may_be_open).match, list[bytes](), 0
        for begin in self._find_begins(data):
            if begin >= end and (token := match(data, begin)) is not None:
                pieces += data[end:begin], plain(token)
                end = token.end()
        return b"".join([*pieces, data[end:]])

    def _find_begins(self, data: bytes) -> list[int]:
        """Return where the fields begin that may have to be rewritten, and the lines of comments."""
        view = np.frombuffer(data, np.uint8)
        ends = np.concatenate([[-1], np.flatnonzero(are_of(f"{self.delimiter}\r\n".encode(), view))])
        places = [_NOWHERE]
        if self.quote:
            quotes = np.flatnonzero(view == ord(self.quote))
            before = f"{self.delimiter}\r\n".encode() + (b" \t" if self.trims else b"")
            places.append(quotes[are_of(before, view[quotes - 1]) | (quotes == 0)])
        if self.escape:
            escapes = np.flatnonzero(view[:-1] == ord(self.escape))
            places.append(escapes[are_of(f"{self.escape}{self.quote}{self.delimiter}".encode(), view[escapes + 1])])
        if self.comment:
            begins = ends[:-1] + 1 if ends[-1] == len(view) - 1 else ends + 1
            places.append(begins[view[begins] == ord(self.comment)])
        odd = np.concatenate(places)
        return [int(begin) for begin in np.unique(ends[np.searchsorted(ends, odd) - 1] + 1)]

    def _rewrite_at_once(self, data: bytes, *, may_be_open: bool) -> bytes | None:
        """Return the same where each quote that no escape stands before quotes a field; None where only its tokens tell."""
        quote, escape, delimiter = self.quote.encode(), self.escape.encode(), self.delimiter.encode()
        masked, comments = _without_comments(data, self.comment) if self.comment else (data, _NOWHERE)
        if has_escapes := bool(escape) and escape in masked:
            if not quote or escape == quote or any(mask in masked for mask in _MASKS):
                return None
            for mark, mask in zip((escape, quote, delimiter), _MASKS, strict=True):
                masked = masked.replace(escape + mark, mask * 2)
        if quote and quote in masked:
            view = np.frombuffer(masked, np.uint8)
            quotes = np.flatnonzero(view == ord(quote))
            if (np.searchsorted(quotes, comments) % 2).any() or (not may_be_open and len(quotes) % 2):
                return None
            if self.trims:
                is_kept = self._find_kept(view, quotes)
                if is_kept is None:
                    return None
                quotes, view = quotes - np.cumsum(~is_kept)[quotes], view[is_kept]
                masked = view.tobytes()
            if not _are_marks(view, quotes, self.quote, self.delimiter):
                return None
        return self._unmask(masked) if has_escapes else masked

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

    def _unmask(self, masked: bytes) -> bytes | None:
        """Return the bytes with what escapes stand for within quotes, and in fields quoted for it; None where one of these has quotes."""
        view = np.frombuffer(masked, np.uint8)
        quotes, first = np.flatnonzero(view == ord(self.quote)), np.flatnonzero(view < len(_MASKS))[::2]
        begins = ends = plain = _NOWHERE
        if len(bare := np.flatnonzero(np.searchsorted(quotes, first) % 2 == 0)):
            is_mark = are_of(f"{self.delimiter}\r\n".encode(), view)
            marks = np.concatenate([[-1], np.flatnonzero(is_mark), [len(view)]])
            fields = np.cumsum(is_mark, dtype=np.int32)[first[bare]]
            is_special = np.zeros(len(marks) - 1, dtype=bool)
            is_special[fields[view[first[bare]] > 0]] = True
            special, plain = np.flatnonzero(is_special), bare[~is_special[fields]]
            begins, ends = marks[special] + 1, marks[special + 1]
            is_last = (view[ends - 1] == ord(self.escape)).any()
            if is_last or (np.searchsorted(quotes, begins) != np.searchsorted(quotes, ends)).any():
                return None
        is_dropped = view[first] != _MASKS.index(_QUOTE_MASK)
        is_dropped[plain] = False  # two characters
        return _write_marks(view, first, is_dropped, f"{self.escape}{self.quote}{self.delimiter}", begins, ends)


def are_of(characters: bytes, view: np.ndarray) -> np.ndarray:
    """Return which of the bytes are one of these characters."""
    told = bytes(int(byte in characters) for byte in range(256))
    return np.frombuffer(view.tobytes().translate(told), bool).reshape(view.shape)


def _write_marks(
    view: np.ndarray, first: np.ndarray, is_dropped: np.ndarray, marks: str, begins: np.ndarray, ends: np.ndarray
) -> bytes:
    """Return the bytes with the marks that masks stand for, of which some `first` ones are dropped, and a quote at each beginning and end."""
    written = view.copy()
    written[first] = written[first + 1] = np.frombuffer(marks.encode(), np.uint8)[view[first]]
    is_kept = np.ones(len(view), dtype=bool)
    is_kept[first[is_dropped]] = False
    written = written[is_kept]
    if not len(begins):
        return written.tobytes()
    above = np.append(0, np.cumsum(is_kept, dtype=np.int32))
    places = above[np.stack([begins, ends], axis=1).ravel()] + np.arange(2 * len(begins))
    found = np.full(len(written) + len(places), ord(marks[1]), np.uint8)
    is_byte = np.ones(len(found), dtype=bool)
    is_byte[places] = False
    found[is_byte] = written
    return found.tobytes()


def _are_marks(view: np.ndarray, quotes: np.ndarray, quote: str, delimiter: str) -> bool:
    """Return whether each of the quotes begins a field, ends one, or stands twice within one; the last may begin one."""
    if not _open_fields(view, quotes[::2], quote, delimiter):
        return False
    following = quotes[1::2] + 1
    after = view[following[following < len(view)]]
    return bool(np.isin(after, np.frombuffer(f"{delimiter}{quote}\r\n".encode(), np.uint8)).all())


def _without_comments(data: bytes, comment: str) -> tuple[bytes, np.ndarray]:
    """Return the same with each line empty that begins so, be it within quotes or not, and the places of these lines."""
    view = np.frombuffer(data, np.uint8)
    ends = _line_ends(view)
    begins, stops = np.concatenate([[0], ends + 1]), np.concatenate([ends, [len(view)]])
    found = np.flatnonzero(begins < stops)
    found = found[view[begins[found]] == ord(comment)]
    if not len(found):
        return data, _NOWHERE
    begins, stops = begins[found], stops[found]
    turns = np.zeros(len(view) + 1, np.int8)
    turns[begins], turns[stops] = 1, -1
    is_kept = np.cumsum(turns[:-1], dtype=np.int8) == 0
    return view[is_kept].tobytes(), begins - np.concatenate([[0], np.cumsum(stops - begins)[:-1]])


def _line_ends(view: np.ndarray) -> np.ndarray:
    return np.flatnonzero((view == ord("\n")) | (view == ord("\r")))


@lru_cache
def _escaped(quoting: Quoting) -> re.Pattern[bytes]:
    escape, quote, delimiter = _patterns(quoting)
    return re.compile(b"%b(%b|%b|%b)" % (escape, escape, quote, delimiter))


def _patterns(quoting: Quoting) -> tuple[bytes, bytes, bytes]:
    escape, quote, delimiter = (re.escape(each) for each in (quoting.escape, quoting.quote, quoting.delimiter))
    return escape.encode(), quote.encode(), delimiter.encode()


@lru_cache
def _tokens(quoting: Quoting, *, may_be_open: bool) -> re.Pattern[bytes]:
    """Return the pattern of what is rewritten: comments, quoted fields, of which the last `may_be_open`, and fields with an escaped delimiter."""
    escape, quote, delimiter = _patterns(quoting)
    begin, end = b"(?<![^\\r\\n%b])" % delimiter, b"(?=[\\r\\n%b]|\\Z)" % delimiter
    blank = b"" if not quoting.trims else b" *+" if quoting.delimiter == "\t" else b"[ \\t]*+"
    tokens = []
    if quoting.comment:
        tokens.append(b"(?<![^\\r\\n])(?P<comment>%b[^\\r\\n]*)" % re.escape(quoting.comment).encode())
    if quote:
        inner = b"[^%b%b]|%b[\\s\\S]|%b%b" % (quote, escape, escape or b"(?!)", quote, quote)
        tokens.append(b"%b%b%b(?P<quoted>(?:%b)*+)%b%b%b" % (begin, blank, quote, inner, quote, blank, end))
        if may_be_open:
            tokens.append(b"%b%b%b(?P<open>(?:%b)*+)\\Z" % (begin, blank, quote, inner))
    if escape:
        plain = b"[^%b%b%b\\r\\n]" % (delimiter, quote, escape)
        any_escaped, special = b"%b[^\\r\\n]" % escape, b"%b[%b%b]" % (escape, delimiter, quote)
        bare = b"(?:%b|(?!%b)%b)*+%b(?:%b|%b)*+" % (plain, special, any_escaped, special, plain, any_escaped)
        tokens.append(b"%b(?P<bare>%b)%b" % (begin, bare, end))
    return re.compile(b"|".join(tokens))


def are_paired(view: np.ndarray, quote: str, delimiter: str) -> bool:
    """Return whether each quote that opens, by its place in the row of quotes, stands where a field begins, and is closed where one ends: the last by one that opens none.

    A quote within a field, as in 5" pipe, is none that opens, and below one that nothing closes
    those that open and those that close change places: only a reader can tell those apart.
    """
    quotes = np.flatnonzero(view == ord(quote))
    if not len(quotes):
        return True
    if len(quotes) % 2 or not _open_fields(view, quotes[::2], quote, delimiter):
        return False
    marks, following = f"{delimiter}\r\n".encode(), quotes[1::2] + 1
    closes = are_of(marks + quote.encode(), view[np.minimum(following, len(view) - 1)]) | (following == len(view))
    return bool(closes.all()) and not are_of(marks, view[quotes[-1:] - 1]).any()


def _open_fields(view: np.ndarray, opening: np.ndarray, quote: str, delimiter: str) -> bool:
    """Return whether each of these quotes stands where a field begins, or after another one."""
    before = view[np.maximum(opening - 1, 0)]
    begins = np.isin(before, np.frombuffer(f"{delimiter}{quote}\r\n".encode(), np.uint8)) | (opening == 0)
    return bool(begins.all())


@dataclass(frozen=True)
class Quoted:
    """Where quoted fields stand: the place of the quote that opens each, and of the one that closes it.

    A doubled quote within a field may count as one that closes, and another that opens.
    `open` is the place of a quote that is not closed, with which the bytes end.
    """

    opening: np.ndarray
    closing: np.ndarray
    open: int | None = None

    def hold(self, places: np.ndarray) -> np.ndarray:
        """Return whether each of the places, in their order, is in a quoted field."""
        if len(places) < len(self.opening):  # what is looked up is the fewer
            return np.asarray(np.searchsorted(self.opening, places) > np.searchsorted(self.closing, places, "right"))
        begins, ends = np.searchsorted(places, self.opening, "right"), np.searchsorted(places, self.closing)
        turns = np.bincount(begins, minlength=len(places) + 1) - np.bincount(ends, minlength=len(places) + 1)
        held: np.ndarray = np.cumsum(turns[:-1]) > 0
        return held

    def find_odd(self, view: np.ndarray, delimiter: str) -> np.ndarray:
        """Return the places of the quotes that close a field which goes on."""
        following = self.closing + 1
        marks = np.frombuffer(f"{delimiter}\r\n".encode(), np.uint8)
        ends = np.isin(view[np.minimum(following, len(view) - 1)], marks) | (following == len(view))
        ends[:-1] |= following[:-1] == self.opening[1:]
        odd: np.ndarray = self.closing[~ends]
        return odd


def find_quoted(view: np.ndarray, quote: str, delimiter: str) -> Quoted:
    """Return the quoted fields of records as Python's reader takes them: one begins with a quote, and ends with the next that is not doubled."""
    quotes = np.flatnonzero(view == ord(quote))
    begins = are_of(f"{delimiter}\r\n".encode(), view[quotes - 1]) | (quotes == 0)
    is_odd = ~begins
    is_odd[1:] &= np.diff(quotes) > 1
    if not is_odd[::2].any():  # each opens and closes in its turn, as mostly they do
        return Quoted(
            quotes[: len(quotes) - len(quotes) % 2 : 2], quotes[1::2], int(quotes[-1]) if len(quotes) % 2 else None
        )
    is_field, is_opening = _alternate(np.flatnonzero(begins), np.flatnonzero(is_odd), len(quotes))
    opening, closing = quotes[is_field & is_opening], quotes[is_field & ~is_opening]
    whole = len(closing)
    return Quoted(opening[:whole], closing, int(opening[-1]) if whole < len(opening) else None)


def _alternate(begins: np.ndarray, odd: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which of so many quotes are of quoted fields, and which of these open one.

    They open and close in turns, from one of those that begin a field to the one in the turn to open that is `odd`: it
    neither begins a field nor stands beside the one that closed, and is a character as are those up to the next beginning.
    """
    after = np.append(begins, count)[np.searchsorted(begins, np.concatenate([[0], odd]))]
    following = np.empty(len(after), np.int64)
    for turn in (0, 1):
        of_turn, same = after % 2 == turn, np.flatnonzero(odd % 2 == turn)
        following[of_turn] = np.append(same, len(odd))[np.searchsorted(odd[same], after[of_turn])] + 1
    steps, node, nodes = following.tolist(), 0, list[int]()
    while node < len(steps):
        nodes.append(node)
        node = steps[node]
    starts, stops = after[nodes], np.append(odd, count)[following[nodes] - 1]
    stops = stops[starts < count]
    starts = starts[starts < count]
    is_field, is_opening = np.zeros(count, dtype=bool), np.arange(count) % 2 == 0
    if len(starts):
        edges = np.zeros(count + 1, np.int8)
        edges[starts], edges[stops] = 1, -1
        is_field = np.cumsum(edges[:-1], dtype=np.int8) > 0
        is_opening[starts[0] :] ^= np.repeat(starts % 2 == 1, np.diff(starts, append=count))
    return is_field, is_opening


def find_marks(view: np.ndarray, quote: str, delimiter: str) -> np.ndarray | None:
    """Return the places of all quotes, each of which begins a field, ends one, or stands twice within one; None where one does not."""
    quotes = np.flatnonzero(view == ord(quote))
    return None if len(quotes) % 2 or not _are_marks(view, quotes, quote, delimiter) else quotes


def are_quoted_plainly(view: np.ndarray, quote: str, delimiter: str, line_ends: np.ndarray) -> bool:
    """Return whether none of the lines ends within quotes, each of which quotes a field, or stands twice within one."""
    quotes = find_marks(view, quote, delimiter)
    return quotes is not None and not (np.searchsorted(quotes, line_ends) % 2).any()


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


def _better(sample: str, one: Quoting, other: Quoting, *, as_good: bool) -> Quoting:
    """Return the other where by it more records are alike, or where it is `as_good` as many."""
    by_one, by_other = _alike(sample, one), _alike(sample, other)
    return other if by_other > by_one or (as_good and by_other == by_one) else one


def _alike(sample: str, quoting: Quoting) -> float:
    """Return the share of a sample's records that have as many fields as most."""
    text = quoting.rewrite(sample.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=quoting.delimiter, quotechar=quoting.quote)
    widths = Counter(len(fields) for fields in reader if fields)
    return max(widths.values()) / widths.total() if widths else 0.0
