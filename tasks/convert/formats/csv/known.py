"""The heads of small CSV files told by that of another: where the first lines are the same, and no line below can tell another way."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, cached_property

from tasks.config import Reading
from tasks.convert.files.encoding import SAMPLE_BYTES
from tasks.convert.formats.csv.dialect import DELIMITERS, RECORDS, read_first_rows
from tasks.convert.formats.csv.header import Head
from tasks.convert.formats.header import PLAIN_NAME, Kind, kinds_of
from tasks.convert.formats.units import places_of_units
from tasks.convert.schema.blocks import Guess

_TITLES = re.compile(rb"(?!sep=)(?:[A-Za-z0-9][^,;\t|\"\\\r\n]*\r?\n(?:\r?\n)*){1,3}", re.IGNORECASE)
_TITLE_BYTES = 1024
_TOLD_COLUMNS = 3  # from which on a title alone is no record that lacks some
_TOLD_ROWS = 3  # below titles, or a row of units, from which on these are told
_TOLD_ABOVE = 40  # lines among which a number with decimals tells of all
_BLANKS = re.compile(rb"^[ \t\v\f]+\r?$", re.MULTILINE)
_ODD_QUOTES = (b'\\"', b' "', b'\t"')  # by which an escape may be found, or blanks around quotes
_POINT = rb"[+-]?\d+\.(?:\d{1,2}|\d{4,})|0\.\d{3}"
_COMMA = rb"[+-]?(?:\d+,0\d?|0,\d{1,2})|-\d+,\d{1,2}"  # none of which may be two numbers
_ABOVE_ROWS = 4  # titles and a header
_NUMBER, _DATE = rb"[+-]?\d+(?:\.\d+)?", rb"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?"

_VALUES: dict[Kind, bytes] = {"number": _NUMBER, "date": _DATE}


def is_told_whatever_its_widths(head: Head, body: bytes, *, is_titled: bool, is_told_apart: bool) -> bool:
    """Return whether a head that a known one tells is that of a file with `body` below it, although some rows have other fields."""
    delimiter, width = head.dialect.delimiter, len(head.names)
    others = [each for each in DELIMITERS if each != delimiter and not is_told_apart]
    # Of records most of which a tab does not divide it is no delimiter.
    text = _BLANKS.sub(b"", body) if "\t" in others and b"\t" in body else body
    if width == 1 or any(each.encode() in text for each in others) or (b'"' in body and head.dialect.quote != '"'):
        return False
    body = _without_quotes(body, delimiter)
    # Where most have other widths the header may be a title, and where a fifth have, what stands above it may be none.
    alike, lines = _lines_as_wide(body, delimiter, width)
    return len(alike) > (0.9 if is_titled else 0.5) * lines


def _lines_as_wide(body: bytes, delimiter: str, width: int) -> tuple[list[bytes], int]:
    """Return those of the first lines that have so many fields, and how many there are in all."""
    lines = body.split(b"\n", RECORDS)[:RECORDS]
    lines = lines if lines[-1] else lines[:-1]
    return [line for line in lines if line.count(delimiter.encode()) == width - 1], len(lines)


def _without_quotes(body: bytes, delimiter: str) -> bytes:
    """Return records whose quotes are paired without these, each as one line: a delimiter or line end within quotes is another character."""
    if b'"' not in body:
        return body
    parts = body.split(b'"')
    parts[1::2] = [part.translate(_masked(delimiter)) for part in parts[1::2]]
    return b"".join(parts)


@cache
def _masked(delimiter: str) -> bytes:
    return bytes.maketrans(f"{delimiter}\r\n".encode(), b"___")


@dataclass(frozen=True)
class KnownHead:
    """The head of a file whose first lines are `begins`, below a title or not: `tells` whether that of another with the same lines is as this one."""

    head: Head
    begins: bytes
    has_decimal: bool
    """Whether it is declared, or told by the delimiter, what separates decimals."""

    @classmethod
    def of(cls, head: Head, text: bytes, reading: Reading) -> KnownHead | None:
        """Return the head of a file that holds `text`; None where the rows of each file are asked."""
        dialect, above = head.dialect, 0
        for _ in range(dialect.above):
            above = text.find(b"\n", above) + 1
        begins = text[above : head.size]
        others = [each for each in DELIMITERS if each != dialect.delimiter and each.encode() in begins]
        is_told = dialect.delimiter in DELIMITERS and dialect.quoting.is_plain and not head.warnings
        if not is_told or others or not all(map(PLAIN_NAME.fullmatch, head.fields)):
            return None
        if b'"' in begins and (dialect.quote != '"' or len(head.names) == 1):
            return None
        if any(odd in begins for odd in _ODD_QUOTES) or (
            len(head.names) == 1 and any(" " in each for each in head.fields)
        ):
            return None  # by blanks the lines of a column may be divided, which is told
        if head.units is not None and not (dialect.units and len(head.units) == len(head.names)):
            return None
        is_known = begins.endswith(b"\n") and begins.count(b"\n") == 1 + (head.units is not None)
        has_decimal = dialect.delimiter == "," or reading.decimal is not None
        return cls(head, begins, has_decimal) if is_known and head.fields else None

    def is_as(self, other: KnownHead) -> bool:
        """Return whether the other tells the same of any file."""
        return (self.begins, self.head.kind, self.head.units) == (other.begins, other.head.kind, other.head.units)

    @property
    def lines(self) -> int:
        """Return how many lines these are."""
        return 1 + (self.head.units is not None)

    def find(self, text: bytes) -> int | None:
        """Return where the first lines stand in a file, below a title or not; None where they do not."""
        if text.startswith(self.begins):
            return 0
        place = text.find(b"\n" + self.begins, 0, _TITLE_BYTES) + 1
        return place if place and _TITLES.fullmatch(text, 0, place) else None

    def guess(self, title: bytes, suffix: str, encoding: str) -> Guess:
        """Return what is guessed of a file with these lines below its title."""
        guess, text = self._guess(suffix), title.partition(b"\n")[0].strip().decode("utf-8", "replace")
        return replace(guess, encoding=encoding, skipped=title.count(b"\n"), title=text)

    def with_rows(self, text: bytes, place: int, reading: Reading) -> Head:
        """Return the head of a file with these lines at `place`, and with its own first rows."""
        dialect, titles = self.head.dialect, [line for line in text[:place].splitlines() if line]
        above = self.lines + len(titles)
        sample = text[:SAMPLE_BYTES].decode("utf-8", "replace")
        return replace(
            self.head,
            dialect=replace(dialect, rows=read_first_rows(sample, dialect.quoting, reading, above)),
        )

    def tells(self, body: bytes, title: bytes = b"", *, is_told_apart: bool = False) -> bool:
        """Return whether no row in `body`, whose quotes are paired, tells that a file is written otherwise than this one; how its fields `is_told_apart` may be known."""
        plain = _without_quotes(body, self.head.dialect.delimiter)
        if (title or self.head.units is not None) and plain.count(b"\n") < _TOLD_ROWS:
            return False
        return (
            self._tells_below_title(body, title, is_told_apart=is_told_apart)
            and (b'"' not in body or self._tells_quotes(body, is_told_apart=is_told_apart))
            and self._tells_header(body)
            and self._tells_decimal(plain, title)
            and (self._rows is None or self._tells_units(plain))
        )

    def _tells_below_title(self, body: bytes, title: bytes, *, is_told_apart: bool) -> bool:
        """Return whether no other delimiter may divide the rows, where the one line above them may be a title."""
        others, width = [each for each in DELIMITERS if each != self.head.dialect.delimiter], len(self.head.names)
        if not title and width > 1:
            return True
        if title and width < _TOLD_COLUMNS:
            return False
        found = [each for each in others if each.encode() in body and not is_told_apart]
        return not found or (found == [","] and bool(title) and self._has_decimals(body))

    def _has_decimals(self, body: bytes) -> bool:
        """Return whether all commas are those of decimals, and divide the rows less well than the delimiter does."""
        dialect, width = self.head.dialect, len(self.head.names)
        if (dialect.delimiter, dialect.decimal) != (";", ",") or b'"' in body:
            return False
        comma = body.find(b",")
        line = body[body.rfind(b"\n", 0, comma) + 1 : body.find(b"\n", comma)].split(b";")
        places = tuple(place for place, field in enumerate(line) if b"," in field)
        if len(line) != width or places == (0,):
            return False
        if len(places) == 1:  # these divide no record in more than two fields, of which none is a header
            return self._row_of(places).fullmatch(body) is not None
        # Of the fields between commas only the first and the last may be numbers, the last where it ends its row.
        rows = min(body.count(b"\n") - 1, RECORDS - _ABOVE_ROWS)
        typed = len({*places, *(place for place, kind in enumerate(self._kinds) if kind in ("number", "date"))})
        least, most = typed * rows / (width * (rows + 1)), (1 + (places[-1] == width - 1)) / (len(places) + 1)
        return least > most and len(body) < SAMPLE_BYTES // 2 and self._row_of(places).fullmatch(body) is not None

    def _row_of(self, places: tuple[int, ...]) -> re.Pattern[bytes]:
        """Return how rows are written with decimals in these columns: in one, those without any too; in several, beside values of their kinds."""
        if places not in self._rows_of:
            values = [rb"[^;,\r\n]*"] * len(self.head.names)
            if len(places) > 1:
                values = [_VALUES.get(kind, value) for kind, value in zip(self._kinds, values, strict=True)]
            for place in places:
                values[place] = rb"[+-]?\d+,\d{1,2}"
            others = b"" if len(places) > 1 else rb"|[^,\r\n]*\r?\n"
            self._rows_of[places] = re.compile(rb"(?:%b\r?\n%b)++" % (b";".join(values), others))
        return self._rows_of[places]

    @cached_property
    def _rows_of(self) -> dict[tuple[int, ...], re.Pattern[bytes]]:
        return {}

    @cached_property
    def _kinds(self) -> list[Kind]:
        """Return the kind of the values that each column has in the first rows."""
        width = len(self.head.names)
        rows = [row for row in self.head.dialect.rows if len(row) == width]
        return [kinds_of([row[place] for row in rows], 1.0) for place in range(width)]

    def _tells_quotes(self, body: bytes, *, is_told_apart: bool) -> bool:
        """Return whether all that is between quotes is a field, or of one."""
        if len(self.head.names) == 1 or self.head.dialect.quote != '"':
            return False
        if is_told_apart or _ODD_QUOTES[0] in body:
            return is_told_apart
        return not any(odd in body for odd in _ODD_QUOTES[1:]) or self._quote_behind_blanks.search(body) is None

    def _tells_header(self, body: bytes) -> bool:
        """Return whether none of the first names, by which a header is known, is a value."""
        return not any(name in body for name in self._names) or self._name.search(body) is None

    def _tells_decimal(self, body: bytes, title: bytes) -> bool:
        """Return whether decimals are written as they are here, if this file tells."""
        if self.has_decimal:
            return True
        dialect = self.head.dialect
        if any(each in text for each in self._never for text in (title, body)):
            return False
        found = self._decimal.search(body) if dialect.is_decided else None
        return not dialect.is_decided or (found is not None and body.count(b"\n", 0, found.start()) < _TOLD_ABOVE)

    def _tells_units(self, body: bytes) -> bool:
        """Return whether all of the first rows have numbers or times where this file has units."""
        alike, _ = _lines_as_wide(body, self.head.dialect.delimiter, len(self.head.names))  # others are rejects
        return self._rows is not None and self._rows.fullmatch(b"".join(line + b"\n" for line in alike)) is not None

    @cached_property
    def _names(self) -> list[bytes]:
        return [field.encode() for field in self.head.fields[:2]]

    @cached_property
    def _name(self) -> re.Pattern[bytes]:
        end, names = re.escape(self.head.dialect.delimiter).encode(), b"|".join(map(re.escape, self._names))
        return re.compile(rb'(?:^|"|%b)(?:%b)(?:%b|"|\r?$)' % (end, names, end), re.MULTILINE)

    @cached_property
    def _quote_behind_blanks(self) -> re.Pattern[bytes]:
        end = re.escape(self.head.dialect.delimiter).encode()
        return re.compile(rb'(?:^|%b)[ \t]+"(?!"\w)' % end, re.MULTILINE)  # of a field no letter follows its quotes

    @cached_property
    def _never(self) -> tuple[bytes, ...]:
        """Return what stands in no file whose decimals are as those here."""
        dialect = self.head.dialect
        return (b".", b",") if not dialect.is_decided else (b".",) if dialect.decimal == "," else (b",",)

    @cached_property
    def _decimal(self) -> re.Pattern[bytes]:
        dialect = self.head.dialect
        end, number = re.escape(dialect.delimiter).encode(), _COMMA if dialect.decimal == "," else _POINT
        return re.compile(rb"(?:^|%b)(?:%b)(?:%b|\r?$)" % (end, number, end), re.MULTILINE)

    @cached_property
    def _rows(self) -> re.Pattern[bytes] | None:
        """Return how so many rows begin that have values below all units."""
        units, dialect = self.head.units, self.head.dialect
        if units is None:
            return None
        end, places = re.escape(dialect.delimiter).encode(), places_of_units(units)
        number = _NUMBER if dialect.decimal == "." else _NUMBER.replace(rb"\.", b",")
        values, kinds = [rb"[^%b\r\n]*" % end] * len(units), _VALUES | {"number": number}
        for place in places:
            values[place] = b"(?:%b)" % kinds.get(self._kinds[place], number)
        first, line_end = end.join(values), rb"\r?\n"
        for place in places:
            values[place] += b"?"
        below = end.join(values)
        return re.compile(rb"%b%b(?:%b%b){2,%d}+" % (first, line_end, below, line_end, RECORDS - 1))

    def _guess(self, suffix: str) -> Guess:
        return self.head.guess(suffix)
