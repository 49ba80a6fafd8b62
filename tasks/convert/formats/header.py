"""Which record of a table names its columns, judged by those below it, and how many above it are titles."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from tasks.convert.schema.blocks import EXAMPLE

_NUMBER = r"[+-]?(\d+([.,' ]\d+)*|[.,]\d+)([eE][+-]?\d+)?\s?%?"
_DATE = (
    r"(\d{4}[-/]\d{1,2}([-/]\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))([T ][\d:.]+\S*)?|\d{1,2}:\d{2}(:\d{2}\S*)?"
)
NUMBER_OR_DATE = re.compile(rf"\s*+({_NUMBER}|{_DATE})?\s*+")
_IS_DATE = re.compile(rf"\s*({_DATE})\s*")
_BLANK, _NO_BLANK = r"[\t-\r\x1c- ]", r"[\x00-\x08\x0e-\x1b!-\x7f]"  # of ASCII what \s and \S are to Python
_NULLS = frozenset({"", "na", "n/a", "nan", "nat", "null", "none", "<na>", "#n/a", "\\n", "-", "inf", "-inf"})
_YEAR = re.compile(r"\s*(1[89]|20|21)\d\d\s*")
PLAIN_NAME = re.compile(r"(?!(?:na|n/a|nan|nat|null|none|inf)$)[A-Za-z_][\w .()/%-]*", re.IGNORECASE)
JUDGED_ROWS = 30
_MOSTLY = 0.8
_SCALE = 4
_PLAIN_NUMBER = re.compile(r"\d+(\.\d+)?")
_SIMPLE_NUMBER, _SIMPLE_DATE = r"[+-]?\d+(?:[.,]\d+)?", r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?"
_ALL_NUMBERS, _ALL_DATES = (re.compile(rf"{each}(?:\n{each})*+") for each in (_SIMPLE_NUMBER, _SIMPLE_DATE))
_COMMENT = "#"
_FEW = 3  # columns from which on a line of one field is no record that lacks some

REPEATED = "repeats the header"
"""Why a record is a reject that is the header once more."""

Kind = Literal["null", "number", "date", "text"]
Record = Sequence[str]


@dataclass(frozen=True)
class Header:
    """How many records stand above a table's first, and whether that names the columns."""

    above: int
    is_found: bool


def find_header(
    records: Sequence[Record], declared: bool | None, expected: Collection[str] = (), *, titles: int | None = None
) -> Header:
    """Return where the table of a file's first records begins; `expected` are names that columns are declared to have.

    Titles are lines narrower than all below, above a record that the ones below it
    show to be a header. A record is one unless its values are of the kinds that
    its columns have: a text above numbers tells of a header, a number above numbers
    of none, unless these count years or columns. Where it is known how many are `titles` none is looked for.
    """
    if not records:
        return Header(0, declared is not False)
    if declared is False:
        titles = 0
    above = _count_titles(records, expected) if titles is None else titles
    if declared is not None:
        return Header(above, declared)
    first, below = records[above], records[above + 1 :]
    if all(map(PLAIN_NAME.fullmatch, first)) and not any(field in record for record in below for field in first[:2]):
        return Header(above, is_found=True)  # as most headers are: to judge them takes longer than the rest
    return Header(above, _judge(first, below, expected) >= 0)


def pattern_of_values(delimiter: str) -> str:
    """Return the pattern, for Arrow, of lines with a field that is a number or a date; of ASCII alone each of those."""
    value = f"{_NUMBER}|{_DATE}".replace(r"\s", _BLANK).replace(r"\S", _NO_BLANK)
    end = re.escape(delimiter)
    return f"(^|{end}){_BLANK}*({value}){_BLANK}*({end}|$)"


def pattern_beyond_ascii(delimiter: str) -> str:
    """Return the pattern, for Arrow, of lines of which only Python tells whether a field is a number or a date: those with digits or blanks beyond ASCII, or with what may be a time that something stands behind."""
    return rf"[^\P{{Nd}}0-9]|[^\P{{Z}} ]|\x{{85}}|(^|{re.escape(delimiter)}){_BLANK}*\d{{1,4}}[-/.:]\d"


def kind_of_field(field: str) -> Kind:
    """Return what a field holds."""
    if field[:1].isalpha():  # with which no number begins, nor any date
        return "null" if field.strip().lower() in _NULLS else "text"
    if _PLAIN_NUMBER.fullmatch(field):  # as most values are: the others take five times as long
        return "number"
    if field.strip().lower() in _NULLS:
        return "null"
    if _IS_DATE.fullmatch(field):
        return "date"
    return "number" if NUMBER_OR_DATE.fullmatch(field) else "text"


def kinds_of(values: Sequence[str], share: float = _MOSTLY) -> Kind:
    """Return what most of a column's values are that are not null."""
    text = "\n".join(values)  # of most columns all are written alike: to ask each takes five times as long
    if text.count("\n") == len(values) - 1:
        if _ALL_NUMBERS.fullmatch(text):
            return "number"
        if _ALL_DATES.fullmatch(text):
            return "date"
    counted = Counter(map(kind_of_field, values))
    counted.pop("null", None)
    if not counted:
        return "null"
    kind, count = counted.most_common(1)[0]
    return kind if count >= share * counted.total() else "text"


def find_repeats(header: Record, rows: Sequence[Record]) -> set[int]:
    """Return the places of the rows that are the header once more, as where files were joined.

    In a table of one column a word may well be its name: it is none only among numbers or dates.
    A header without a name is any row without a value.
    """
    fields = list(header)
    repeats = {place for place, row in enumerate(rows) if row == fields} if any(fields) else set()
    if repeats and len(fields) == 1:
        others = [row[0] for place, row in enumerate(rows) if place not in repeats]
        return repeats if kinds_of(others, 1.0) in ("number", "date") else set()
    return repeats


def warn_of_repeats(lines: Sequence[int], place: str = "line") -> list[str]:
    """Return a sentence on the rows that repeat the header, by their lines, if there are any."""
    if not lines:
        return []
    more = f" (and {len(lines) - 1:,} more)" if len(lines) > 1 else ""
    return [
        f"{place} {lines[0]:,}{more} {REPEATED} and is a reject, as where two files were joined; take it out of the file, "
        "or declare read.header: false if it is a row"
    ]


def is_like_rows(record: Record, rows: Sequence[Record]) -> bool:
    """Return whether a record has the kinds of values that the rows have, numbers or dates among them, and is blank only where a row is."""
    rows = [row for row in rows if len(row) == len(record)]
    if not rows:
        return False
    kinds = []
    for field, values in zip(record, zip(*rows, strict=True), strict=True):
        kind, below = kind_of_field(field), kinds_of(values)
        if kind != below and (kind != "null" or all(value.strip() for value in values)):
            return False
        kinds.append(kind)
    return "number" in kinds or "date" in kinds


def warn_of_skipped_row(row: str) -> str:
    """Return a sentence on a record that is declared to be skipped, and looks like the rows."""
    return (
        f"has a line above its rows that is declared to be skipped and looks like one of them{EXAMPLE}{row!r}; correct "
        "read.skip_rows or read.header_row, or give files that begin otherwise a source of their own"
    )


def find_second(rows: Sequence[Record], blanks: Collection[int]) -> int | None:
    """Return the place of a row that looks like the header of another table: all texts, below a blank row and above numbers or dates."""
    for place in sorted(blanks):
        width = extent(rows[place])
        first, below = rows[place][:width], [row[:width] for row in rows[place + 1 : place + 1 + JUDGED_ROWS]]
        filled = [field for field in first if field.strip()]
        are_texts = len(filled) > 1 and all(kind_of_field(field) == "text" for field in filled)
        if are_texts and below and _judge(first, below, ()) > 0:
            return place
    return None


def warn_of_second_header(place: str) -> str:
    """Return a sentence on the header of another table, which stands at `place`."""
    return f"{place} looks like the header of another table, below a blank one; give each table a file of its own"


def extent(record: Record) -> int:
    """Return how many fields a record has as far as the last that is not blank."""
    if record and record[-1].strip():  # as that of most records is
        return len(record)
    return next((place for place in range(len(record), 0, -1) if record[place - 1].strip()), 0)


def _count_titles(records: Sequence[Record], expected: Collection[str]) -> int:
    """Return how many records at the beginning are no part of the table that the others are."""
    commented = _count_comments(records, expected)
    return commented + _count_narrow(records[commented:], expected)


def _count_comments(records: Sequence[Record], expected: Collection[str]) -> int:
    """Return how many records at the beginning are comments: #, and a blank or another # after it, or not as many fields as the others."""
    if not records or not _first_of(records[0]).startswith(_COMMENT):
        return 0
    width = width_of([record for record in records if not _first_of(record).startswith(_COMMENT)])
    above = next((n for n, record in enumerate(records) if not _is_comment(record, width)), 0)
    rest = records[above:]
    if not above or width < 2 or len(rest) < 2:  # noqa: PLR2004 - in a list any text may begin so; a header and a row
        return 0
    # As numpy.savetxt writes it, a comment names the columns.
    is_header = len(records[above - 1]) == width and _judge(rest[0], rest[1:], expected) <= 0
    return above - is_header


def _is_comment(record: Record, width: int) -> bool:
    begins = _first_of(record)
    if begins.startswith((f"{_COMMENT} ", _COMMENT * 2)):
        return True
    return begins.startswith(_COMMENT) and len(record) != width


def _first_of(record: Record) -> str:
    return record[0] if record else ""


def _count_narrow(records: Sequence[Record], expected: Collection[str]) -> int:
    """Return how many records at the beginning are narrower than all below."""
    width = width_of(records)
    above = next((n for n, record in enumerate(records) if len(record) == width and extent(record) > 1), 0)
    titles, rest = records[:above], records[above:]
    if not titles or len(rest) < 2 or sum(len(record) == width for record in rest) < _MOSTLY * len(rest):  # noqa: PLR2004 - a header and a row
        return 0
    if any(len(record) > width for record in titles):
        return 0
    extents, narrow = [extent(record) for record in titles], all(len(record) < width for record in titles)
    verdict = _judge(rest[0], rest[1:], expected)
    if verdict > 0:
        return above
    # Nothing tells of a header: only lines much narrower are no records.
    most = max(1, width // 2) if verdict == 0 else 1
    return above if narrow and width >= _FEW and max(extents) <= most else 0


def width_of(records: Sequence[Record]) -> int:
    """Return how many fields most records have; of two numbers as frequent the greater."""
    widths = [*map(len, records)]
    return max(set(widths), key=lambda width: (widths.count(width), width), default=0)


def _judge(first: Record, below: Sequence[Record], expected: Collection[str]) -> int:
    """Return 1 for a record that is a header, -1 for one that is none, and 0 where nothing tells."""
    if not any(first) or any(field.strip() in expected for field in first):
        return 1
    rows = [record for record in below if len(record) == len(first)][:JUDGED_ROWS]
    kinds = [kind_of_field(field) for field in first]
    if not rows:
        return _judge_alone(first, kinds)
    telling = [_indicates(*each) for each in zip(first, kinds, zip(*rows, strict=True), strict=True)]
    against = [place for place, told in enumerate(telling) if told < 0]
    names = [field for field, told in zip(first, telling, strict=True) if told > 0]
    if against and len(names) > len(against) and len(set(first)) == len(first):
        return 1
    if against:
        return 1 if _are_names(first, against, rows, beside=bool(names)) else -1
    if names:
        return 1
    return -1 if "text" not in kinds or _recurs(first, kinds, rows) else 0


def _judge_alone(first: Record, kinds: Sequence[Kind]) -> int:
    """Return the same of a file's only record."""
    typed = [field for field, kind in zip(first, kinds, strict=True) if kind in ("number", "date")]
    named = "text" in kinds and all(map(_YEAR.fullmatch, typed))
    return (0 if typed else 1) if named else -1


def _indicates(field: str, kind: Kind, values: Sequence[str]) -> int:
    """Return what the field above a column's values tells: that it is a name, that it is one of them, or nothing."""
    below = "null" if kind == "null" else kinds_of(values)
    if below not in ("number", "date"):
        return 0
    if kind == "text":
        return 0 if field in values else 1
    return 1 if (kind, below) == ("date", "number") else -1


def _recurs(first: Record, kinds: Sequence[Kind], rows: Sequence[Record]) -> bool:
    """Return whether values of a record are also those of others, as names of columns are not; a header may be repeated as a whole."""
    texts = [place for place, kind in enumerate(kinds) if kind == "text"]
    again = sum(1 for place in texts if any(row[place] == first[place] for row in rows))
    return bool(texts) and 2 * again >= len(texts) and not any(list(row) == list(first) for row in rows)


def _are_names(first: Record, places: Sequence[int], rows: Sequence[Record], *, beside: bool) -> bool:
    """Return whether the numbers of a record, above numbers, are names all the same: years, or a scale.

    A scale ascends by equal steps, `beside` other names of two numbers, else of
    four; beside a blank above values, as a pivot table has it, whole numbers may ascend by any.
    """
    texts = [first[place].strip() for place in places]
    if not all(map(_PLAIN_NUMBER.fullmatch, texts)):
        return False
    numbers = [float(text) for text in texts]
    steps = [round(other - one, 6) for one, other in pairwise(numbers)]
    if len(numbers) >= (2 if beside else _SCALE) and min(steps) == max(steps) > 0:
        return True
    if not all(map(str.isdigit, texts)):
        return False
    ascend = all(step > 0 for step in steps)
    if not first[0].strip() and any(row[0].strip() for row in rows):
        return ascend
    if all(map(_YEAR.fullmatch, texts)) and ascend:
        values = [row[place] for row in rows for place in places]
        return sum(1 for value in values if _YEAR.fullmatch(value)) < len(values) / 2
    return False
