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
_MASKED = b"\0\0"  # in the place of an escaped quote: no mark of CSV, and as long


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

    def rewrite(self, data: bytes) -> bytes:
        r"""Return the same records, on the same lines, as CSV in which only a doubled quote is one within a field.

        Comments become empty lines. What escapes does so before a quote, before itself,
        and outside quotes before the delimiter; elsewhere it is a character, as in C:\temp.
        """
        if self.is_plain:
            return data
        plain = None if self.trims else self._rewrite_at_once(data)
        return self.rewrite_by_token(data) if plain is None else plain

    def rewrite_by_token(self, data: bytes) -> bytes:
        """Return the same, whatever stands in quotes: each field by itself, which takes ten times as long."""
        quote, escape = self.quote.encode(), self.escape.encode()

        def plain(match: re.Match[bytes]) -> bytes:
            name = match.lastgroup
            if name is None or name == "comment":
                return b""
            field = match[name]
            if escape and escape in field:
                field = _escaped(self).sub(lambda found: quote * 2 if found[1] == quote else found[1], field)
            return quote + field + quote

        return _tokens(self).sub(plain, data)

    def _rewrite_at_once(self, data: bytes) -> bytes | None:
        """Return the same where each escape stands before a quote, within others that quote fields of a line each; else None."""
        rest = _without_comments(data, self.comment.encode()) if self.comment else data
        has_escapes = bool(self.escape) and self.escape.encode() in rest
        if rest is data and not has_escapes:
            return data
        quote, escape, delimiter = self.quote.encode(), self.escape.encode(), self.delimiter.encode()
        escaped = escape + quote
        if has_escapes and (escape == quote or not quote or escape * 2 in rest or escape + delimiter in rest):
            return None
        masked = rest.replace(escaped, _MASKED) if has_escapes else rest
        if not quote or quote not in masked:
            return rest if masked is rest or masked == rest else None
        view = np.frombuffer(masked, np.uint8)
        if not are_quoted_plainly(view, self.quote, self.delimiter, _line_ends(view)):
            return None
        if not has_escapes:
            return rest
        places, quotes = np.flatnonzero(view == 0), np.flatnonzero(view == ord(quote))
        are_within = (np.searchsorted(quotes, places) % 2).all() and b"\0" not in rest
        return rest.replace(escaped, quote * 2) if are_within else None


def _without_comments(data: bytes, comment: bytes) -> bytes:
    """Return the same with each line empty that begins so, be it within quotes or not."""
    for end in (b"\n", b"\r"):
        if end + comment in data:
            data = re.sub(re.escape(end + comment) + rb"[^\r\n]*", end, data)
    return re.sub(rb"[^\r\n]*", b"", data, count=1) if data.startswith(comment) else data


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
def _tokens(quoting: Quoting) -> re.Pattern[bytes]:
    """Return the pattern of what is rewritten: comments, quoted fields, and fields with an escaped delimiter."""
    escape, quote, delimiter = _patterns(quoting)
    begin, end = b"(?<![^\\r\\n%b])" % delimiter, b"(?=[\\r\\n%b]|\\Z)" % delimiter
    blank = b"" if not quoting.trims else b" *+" if quoting.delimiter == "\t" else b"[ \\t]*+"
    tokens = []
    if quoting.comment:
        tokens.append(b"(?<![^\\r\\n])(?P<comment>%b[^\\r\\n]*)" % re.escape(quoting.comment).encode())
    if quote:
        inner = b"[^%b%b]|%b[\\s\\S]|%b%b" % (quote, escape, escape or b"(?!)", quote, quote)
        tokens.append(b"%b%b%b(?P<quoted>(?:%b)*+)%b%b%b" % (begin, blank, quote, inner, quote, blank, end))
    if escape:
        plain = b"[^%b%b%b\\r\\n]" % (delimiter, quote, escape)
        any_escaped, special = b"%b[^\\r\\n]" % escape, b"%b[%b%b]" % (escape, delimiter, quote)
        bare = b"(?:%b|(?!%b)%b)*+%b(?:%b|%b)*+" % (plain, special, any_escaped, special, plain, any_escaped)
        tokens.append(b"%b(?P<bare>%b)%b" % (begin, bare, end))
    return re.compile(b"|".join(tokens))


def are_paired(view: np.ndarray, quote: str, delimiter: str) -> bool:
    """Return whether each quote that opens, by its place in the row of quotes, stands where a field begins, and each is closed.

    A quote within a field, as in 5" pipe, is none that opens: only a reader can tell those apart.
    """
    quotes = np.flatnonzero(view == ord(quote))
    if len(quotes) % 2:
        return False
    opening = quotes[::2]
    before = view[np.maximum(opening - 1, 0)]
    begins = np.isin(before, np.frombuffer(f"{delimiter}{quote}\r\n".encode(), np.uint8)) | (opening == 0)
    return bool(begins.all())


def are_quoted_plainly(view: np.ndarray, quote: str, delimiter: str, line_ends: np.ndarray) -> bool:
    """Return whether none of the lines ends within quotes, each of which quotes a field, or stands twice within one."""
    if not are_paired(view, quote, delimiter):
        return False
    quotes = np.flatnonzero(view == ord(quote))
    if (np.searchsorted(quotes, line_ends) % 2).any():
        return False
    following = quotes[1::2] + 1
    after = view[following[following < len(view)]]
    return bool(np.isin(after, np.frombuffer(f"{delimiter}{quote}\r\n".encode(), np.uint8)).all())


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
