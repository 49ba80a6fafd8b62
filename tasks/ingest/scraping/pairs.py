"""Names and values that stand beside each other on a page: lists of terms (dl), and tables whose rows are a name and its value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from parsel import Selector

from tasks.ingest.scraping.selectors import inner_text

_NO_WORD = re.compile(r"\W+")
_CELLS = frozenset({"td", "th"})
_BETWEEN = "; "  # values of one name


class Pairs(NamedTuple):
    """The values of one row by their names as columns, and why elements gave none."""

    values: dict[str, str]
    rejects: list[str]


def plain_name(text: str) -> str:
    """Return a text as the name of a column: in small letters, with _ between words."""
    return _NO_WORD.sub("_", text.lower()).strip("_")


def read_pairs(elements: Sequence[Selector]) -> Pairs:
    """Return the pairs that some elements hold: each a dl, a dt, a table, its body, or a row; a name's values are joined by `; `."""
    found: dict[str, list[str]] = {}
    rejects: list[str] = []
    for texts in (texts for element in elements for texts in _read(element.root)):
        if len(texts) % 2 or not all(map(plain_name, texts[::2])):
            if any(texts):
                rejects.append(f"{' | '.join(texts)!r:.80} is no name beside its value")
            continue
        for name, value in zip(texts[::2], texts[1::2], strict=True):
            if value:
                found.setdefault(plain_name(name), []).append(value)
    return Pairs({name: _BETWEEN.join(values) for name, values in found.items()}, rejects)


def _read(element: Any) -> Iterator[list[str]]:
    """Yield the texts of pairs: names and values in turns."""
    if element.tag == "dt":
        yield from _read_term(element)
    elif element.tag == "tr":
        yield from _read_row(element)
    else:
        for inner in element.iter("dt", "tr"):
            yield from _read(inner)


def _read_term(term: Any) -> Iterator[list[str]]:
    """Yield a term with each of its values."""
    for sibling in term.itersiblings():
        if sibling.tag == "dt":
            return
        if sibling.tag == "dd":
            yield [_text(term), _text(sibling)]


def _read_row(row: Any) -> Iterator[list[str]]:
    """Yield the cells of a row; one that spans all of it, or is a row of names alone, is a heading."""
    cells = [cell for cell in row if cell.tag in _CELLS]
    if any(cell.tag == "td" for cell in cells) and not cells[0].get("colspan"):
        yield [_text(cell) for cell in cells]


def _text(element: Any) -> str:
    return inner_text(Selector(root=element))
