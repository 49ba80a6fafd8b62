"""Names and values that stand beside each other on a page: lists of terms (dl), and tables whose rows are a name and its value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tasks.ingest.http.redaction import quoted
from tasks.ingest.scraping.selectors import inner_text

_NO_WORD = re.compile(r"\W+")
_HOLDERS = ("dt", "tr")
_CELLS = frozenset({"td", "th"})
_BETWEEN = "; "  # values of one name
_QUOTED_CHARACTERS = 80


class Pairs(NamedTuple):
    """The values of one row by their names as columns, and why elements gave none."""

    values: dict[str, str]
    rejects: list[str]


def plain_name(text: str) -> str:
    """Return a text as the name of a column: in small letters, with _ between words."""
    return _NO_WORD.sub("_", text.lower()).strip("_")


def read_pairs(elements: Sequence[Any]) -> Pairs:
    """Return the pairs that some elements hold: each a dl, a dt, a table, its body, or a row; a name's values are joined by `; `."""
    found: dict[str, list[str]] = {}
    rejects: list[str] = []
    holders = dict.fromkeys(holder for element in elements for holder in _holders_in(element))
    for texts in (texts for holder in holders for texts in _read(holder)):
        if len(texts) % 2 or not all(map(plain_name, texts[::2])):
            if any(texts):
                rejects.append(f"{quoted(' | '.join(texts), _QUOTED_CHARACTERS)} is no name beside its value")
            continue
        for name, value in zip(texts[::2], texts[1::2], strict=True):
            if value:
                found.setdefault(plain_name(name), []).append(value)
    return Pairs({name: _BETWEEN.join(values) for name, values in found.items()}, rejects)


def _holders_in(element: Any) -> Iterator[Any]:
    """Yield the terms and rows that an element is or holds, without those within their values; a row of one cell frames others."""
    below = [element]
    while below:
        each = below.pop()
        if each.tag in _HOLDERS and not _is_frame(each):
            yield each
        elif each.tag != "dd" or each is element:
            below += reversed(each)


def _is_frame(holder: Any) -> bool:
    """Return whether a row is no pair, but lays out what has pairs."""
    return holder.tag == "tr" and len(_cells(holder)) == 1 and next(holder[0].iter(*_HOLDERS), None) is not None


def _cells(row: Any) -> list[Any]:
    return [cell for cell in row if cell.tag in _CELLS]


def _read(holder: Any) -> Iterator[list[str]]:
    """Yield the texts of pairs: names and values in turns."""
    yield from _read_term(holder) if holder.tag == "dt" else _read_row(holder)


def _read_term(term: Any) -> Iterator[list[str]]:
    """Yield a term with each of its values."""
    for sibling in term.itersiblings():
        if sibling.tag == "dt":
            return
        if sibling.tag == "dd":
            yield [_text(term), _text(sibling)]


def _read_row(row: Any) -> Iterator[list[str]]:
    """Yield the cells of a row; one that spans all of it, or is a row of names alone, is a heading."""
    cells = _cells(row)
    if any(cell.tag == "td" for cell in cells) and not cells[0].get("colspan"):
        yield [_text(cell) for cell in cells]


def _text(element: Any) -> str:
    return inner_text(element)
