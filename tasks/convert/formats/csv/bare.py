"""Lines of CSV in which no quote quotes a field: their escapes and comments are rewritten at once, and nothing has to be followed."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from tasks.convert.files.byte_view import ByteView, Marks, mark
from tasks.convert.formats.csv.places import put_in, take_stretches, take_turns
from tasks.convert.formats.csv.quotes import are_of

_LINE_ENDS = b"\r\n"


class Quoting(Protocol):
    """What separates and quotes fields, as `quoting` has it."""

    @property
    def delimiter(self) -> str:
        """Return what separates them."""

    @property
    def quote(self) -> str:
        """Return what quotes them, if anything does."""

    @property
    def escape(self) -> str:
        """Return what escapes a mark, if anything does."""

    @property
    def comment(self) -> str:
        """Return what begins a comment, if anything does."""

    @property
    def trims(self) -> bool:
        """Return whether blanks around quotes are no part of a field."""


def may_be_bare(quoting: Quoting, *, has_returns: bool) -> bool:
    """Return whether lines so quoted, which may have carriage returns, are looked at: not where blanks belong to a quote, or a comment has to be told from an escape."""
    is_one = bool(quoting.escape) != bool(quoting.comment)
    is_other = quoting.quote not in ("", quoting.escape, quoting.comment)
    return is_one and is_other and not quoting.trims and not (quoting.comment and has_returns)


def rewrite_bare(piece: ByteView, quoting: Quoting, *, is_last: bool, may_be_open: bool) -> tuple[bytes, int] | None:
    """Return the first lines of a piece as plain CSV, and how many bytes they had: those above the last quote, where that may be closed below; None where a quote may be of a field, or there are none."""
    view = piece.to_numpy()
    is_quote, escapes = view == ord(quoting.quote), _find_escapes(view, quoting)
    if escapes is None:
        return None
    is_quote[escapes + 1] = False
    quotes, end = np.flatnonzero(is_quote), len(view)
    is_end = are_of(f"{quoting.delimiter}\r\n".encode(), view)
    if len(quotes):
        opens = is_end[quotes - 1] | (quotes == 0)
        closes = np.append(is_end, np.True_)[quotes[1:] + 1]
        if (opens[:-1] & closes).any() or (np.diff(quotes) == 1).any():
            return None
        if opens[-1] and (may_be_open or not is_last):
            end = piece.rfind(b"\n", int(quotes[-1])) + 1
    if not end:
        return None
    if quoting.comment:
        return _empty_comments(view[:end], quoting.comment), end
    escapes = escapes[: np.searchsorted(escapes, end)]
    rewritten = _unescape(view[:end], is_end[:end], escapes, is_quote[:end], quoting)
    return None if rewritten is None else (rewritten, end)


def _find_escapes(view: np.ndarray, quoting: Quoting) -> np.ndarray | None:
    """Return what escapes a mark; None where one stands at the end of a line."""
    escapes = take_turns(np.flatnonzero(view == ord(quoting.escape))) if quoting.escape else np.empty(0, np.int64)
    following = view[np.minimum(escapes + 1, len(view) - 1)]
    if (escapes[-1:] == len(view) - 1).any() or are_of(_LINE_ENDS, following).any():
        return None
    marks = f"{quoting.escape}{quoting.quote}{quoting.delimiter}".encode()
    return np.compress(are_of(marks, following), escapes)


def _empty_comments(view: np.ndarray, comment: str) -> bytes:
    """Return lines of which each that is a comment is blank."""
    ends = np.flatnonzero(view == ord("\n"))
    starts = np.append(0, ends + 1)[: len(ends) + (not len(ends) or int(ends[-1]) < len(view) - 1)]
    found = np.flatnonzero(view[starts] == ord(comment))
    if not len(found):
        return view.tobytes()
    edges = np.stack([starts[found], np.append(ends, len(view))[found]], axis=1).ravel()
    return take_stretches(view, np.append(0, edges), np.arange(len(edges) + 1) & 1 == 0).data


def _unescape(
    view: np.ndarray, is_end: np.ndarray, escapes: np.ndarray, is_quote: np.ndarray, quoting: Quoting
) -> bytes | None:
    """Return lines with quotes around each field that has an escape before a delimiter or a quote, and without its escapes; None where it has a quote as well."""
    if not len(escapes):
        return view.tobytes()
    escaped = view[escapes + 1]
    is_end[escapes + 1] = False
    fields, marks = Marks(is_end).count_before(escapes), np.concatenate([[-1], np.flatnonzero(is_end), [len(view)]])
    is_special = escaped != ord(quoting.escape)
    special = fields[is_special]
    special = special[np.diff(special, prepend=-1) > 0]
    begins, ends, quotes = marks[special] + 1, marks[special + 1], Marks(is_quote)
    if (quotes.count_before(begins) != quotes.count_before(ends)).any():
        return None
    if not is_special.all():  # elsewhere two escapes are two characters
        is_taken = mark(special, len(marks))[fields]
        escapes, escaped = escapes[is_taken], escaped[is_taken]
    written, is_kept = view.copy(), np.ones(len(view), dtype=bool)
    is_doubled = escaped == ord(quoting.quote)
    written[escapes[is_doubled]] = ord(quoting.quote)
    taken = escapes[~is_doubled]
    places = np.stack([begins, ends], axis=1).ravel()
    escape = quoting.escape.encode()
    if np.count_nonzero(written == escape[0]) == len(taken):
        return put_in(written, places, quoting.quote.encode()).translate(None, escape)
    is_kept[taken] = False
    return put_in(written[is_kept], places - Marks(~is_kept).count_before(places), quoting.quote.encode())
