"""Tables of a page whose cells span rows or columns: each spanned place gets a cell of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from lxml import etree

_LEADING_NUMBER = re.compile(r"\s*\+?(\d{1,6})")
_GROUPS = frozenset({"thead", "tbody", "tfoot"})
_CELLS = frozenset({"td", "th"})
_OF_ONE_CELL = ("rowspan", "colspan", "id")
_MOST_COLUMNS = 1000  # as browsers read it
_MOST_ELEMENTS = 200_000  # that are added to a page: a few cells may claim to span millions


def has_spans(text: str) -> bool:
    """Return whether a page may have cells that span."""
    lowered = text.lower()
    return "rowspan" in lowered or "colspan" in lowered


def spread_spans(root: Any) -> None:
    """Put a copy of a cell that spans into each further place that it takes, so that columns count alike in all rows.

    Raises:
        ValueError: the cells span more than a page can hold.

    """
    spreading = _Spreading()
    for table in reversed(list(root.iter("table"))):  # inner ones first: they are copied with the cells they are in
        for rows in _row_groups(table):
            spreading.spread(rows)


def _row_groups(table: Any) -> Iterator[list[Any]]:
    """Yield the rows that a cell may span; it ends with its group."""
    yield [child for child in table if child.tag == "tr"]
    for group in table:
        if group.tag in _GROUPS:
            yield [row for row in group if row.tag == "tr"]


class _Spreading:
    """The spreading of one page's cells."""

    def __init__(self) -> None:
        self._added = 0

    def spread(self, rows: list[Any]) -> None:
        """Spread the cells of rows that stand below each other."""
        spanning: dict[int, tuple[Any, int]] = {}
        for number, row in enumerate(rows):
            cells = [cell for cell in row if cell.tag in _CELLS]
            spread = self._place(cells, spanning, len(rows) - number)
            if len(spread) > len(cells):
                row.extend(spread)  # which moves those that are there

    def _place(self, cells: list[Any], spanning: dict[int, tuple[Any, int]], rows_left: int) -> list[Any]:
        """Return the cells of a row with those that reach into it; `spanning` is changed to those of the next."""
        placed: list[Any] = []
        for cell in cells:
            self._take(placed, spanning)
            height = min(_read_span(cell, "rowspan") or rows_left, rows_left)
            for place in range(max(1, min(_read_span(cell, "colspan"), _MOST_COLUMNS))):
                if height > 1:
                    spanning[len(placed)] = cell, height - 1
                placed.append(self._copy(cell) if place else cell)
        while spanning and max(spanning) >= len(placed):
            self._take(placed, spanning)
            if spanning and max(spanning) >= len(placed):
                placed.append(etree.Element("td"))  # a row that ends before a place which a cell above takes
        return placed

    def _take(self, placed: list[Any], spanning: dict[int, tuple[Any, int]]) -> None:
        """Add the cells of rows above that reach into the next places."""
        while (found := spanning.get(len(placed))) is not None:
            cell, left = found
            if left > 1:
                spanning[len(placed)] = cell, left - 1
            else:
                del spanning[len(placed)]
            placed.append(self._copy(cell))

    def _copy(self, cell: Any) -> Any:
        self._added += sum(1 for _ in cell.iter())
        if self._added > _MOST_ELEMENTS:
            raise ValueError(f"the cells of its tables span more than {_MOST_ELEMENTS:,} places")
        copy = deepcopy(cell)
        copy.tail = None
        for name in _OF_ONE_CELL:
            copy.attrib.pop(name, None)
        return copy


def _read_span(cell: Any, name: str) -> int:
    """Return how many places a cell takes, as browsers read it; 0 for all that are left."""
    match = _LEADING_NUMBER.match(cell.get(name, "1"))
    return int(match[1]) if match else 1
