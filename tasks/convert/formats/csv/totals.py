"""The last lines of a table that are no rows of it: totals of the rows above, or a footer that is declared."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from tasks.config import Column
from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.header import Head
from tasks.convert.formats.header import is_like_rows, kind_of_field, kinds_of
from tasks.convert.schema.blocks import EXAMPLE, RawBlock
from tasks.convert.schema.misfits import join_misfits, make_misfits

TOTALS = "a line of totals, as it looks"
NOTE = "a text below a line of totals"
_NOTES = 5
_LEAST_ROWS = 3
_TAIL_BYTES = 64 * 1024
_SHOWN = 100
_ROWS = 50
_OTHER_WORDS = re.compile(
    r"\W*(average|mean|median|min|minimum|max|maximum|count|mittelwert|durchschnitt|anzahl|moyenne|media|promedio)\b.{0,20}",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"\W*(grand |sub)?-?(total|totals|totaal|totale|sum|summe|gesamt|gesamtsumme|insgesamt|zwischensumme|somme|suma)\b.{0,20}",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Totals:
    """The last line of a file, which begins at `place`; it is `kept` as a row where no more than its name tells of totals."""

    text: str
    place: int = 0
    kept: bool = False


@dataclass(frozen=True)
class Footer:
    """The last records of a file, declared to be no rows: how many, the text of the first, and that of one which is like the rows."""

    records: int = 0
    text: str = ""
    row: str = ""

    @classmethod
    def of(
        cls, records: int, text: str, found: Iterable[tuple[str, Sequence[str]]], rows: Sequence[Sequence[str]]
    ) -> Footer:
        """Return a footer of so many records, of which `found` are the texts and the fields; `rows` are the first rows of its file."""
        alike = (raw for raw, fields in found if is_like_rows(fields, rows) and not _names_figures(fields))
        return cls(records, text[:_SHOWN], next(alike, "")[:_SHOWN])

    def warn(self, asked: int) -> list[str]:
        """Return a sentence where so many records were to be left out, and there were fewer, or one may be a row."""
        if self.records < asked:
            return [
                "has fewer rows than read.skip_footer leaves out, and none in the table; correct that, or leave it out"
            ]
        cure = "correct read.skip_footer, or give files without a footer a source of their own"
        return (
            [f"ends with what read.skip_footer leaves out and looks like a row{EXAMPLE}{self.row!r}; {cure}"]
            if self.row
            else []
        )


def _names_figures(fields: Sequence[str]) -> bool:
    """Return whether the first field that is not blank is a word for figures of the rows above."""
    named = name_place(fields)
    return named is not None and bool(_WORDS.fullmatch(fields[named]) or _OTHER_WORDS.fullmatch(fields[named]))


def find_totals(text: ByteView, head: Head, columns: Mapping[str, Column]) -> Totals | None:
    """Return the last line of the records in `text`, above notes of other widths, where it looks like totals; what is declared of `columns` judges their values."""
    if (last := _find_last(text, head)) is None:
        return None
    line, place, fields = last
    named = name_place(fields)
    declared = None if named is None else columns.get(head.names[named])
    if named is None or (declared is not None and declared.type is not None):
        return None
    if looks_like_totals(fields, head.dialect.rows):
        return Totals(line[:_SHOWN], place)
    return Totals(line[:_SHOWN], place, kept=True) if is_called_totals(fields, head.dialect.rows) else None


def may_end_with_totals(text: ByteView, head: Head) -> bool:
    """Return whether the last line may be totals, whatever rows a file with this head has."""
    last = _find_last(text, head)
    return last is not None and _may_be_totals(last[-1])


def _may_be_totals(fields: Sequence[str]) -> bool:
    """Return whether a record may be one of totals, whatever rows stand above it."""
    if (named := name_place(fields)) is None or (all(map(str.strip, fields)) and not _WORDS.fullmatch(fields[named])):
        return False
    return kind_of_field(fields[named]) == "text" and any(kind_of_field(field) == "number" for field in fields)


def _find_last(text: ByteView, head: Head) -> tuple[str, int, list[str]] | None:
    """Return the last line that has as many fields as the header, where it begins, and its fields; None where others than notes stand below."""
    tail, dialect, width = text.from_place(max(0, len(text) - _TAIL_BYTES)), head.dialect, len(head.names)
    data, start = tail.data, len(tail)
    for _ in range(_NOTES + 1):
        data = data[:start].rstrip(b"\r\n")
        start = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        line = data[start:].decode("utf-8", "replace")
        if width < 2 or (dialect.quote and line.count(dialect.quote) % 2):  # noqa: PLR2004 - a name and a number
            return None
        fields = next(csv.reader([line], delimiter=dialect.delimiter, quotechar=dialect.quote or None), [])
        if len(fields) in (0, width):
            return (line, len(text) - len(tail) + start, fields) if len(fields) == width else None
    return None


def take_totals(texts: RawBlock, columns: Mapping[str, Column]) -> RawBlock:
    """Return the rows of a sheet without the last where that looks like totals, which is a misfit then."""
    if texts.guess is None:  # what is typed, or a document, has none
        return texts
    names, end = texts.table.column_names, texts.table.num_rows
    below = _texts_of(texts.table.slice(max(0, end - 1 - _NOTES)))
    notes = next((n for n, row in enumerate(reversed(below)) if not _is_note(row)), len(below))
    rows = end - notes - 1
    if rows < 0 or notes == len(below):
        return texts
    last = below[-1 - notes]
    named = name_place(last)
    declared = columns.get(names[named]) if named is not None else None
    if named is None or (declared is not None and declared.type is not None) or not _may_be_totals(last):
        return texts
    first, records = _texts_of(texts.table.slice(0, min(_ROWS, rows))), texts.locate(np.arange(rows, end))
    shown = records["raw"][0].as_py()[:_SHOWN]
    if looks_like_totals(last, first):
        found = make_misfits(records, [TOTALS] + [NOTE] * (len(records) - 1))
        misfits = join_misfits([texts.misfits, found])
        guess = replace(texts.guess, totals=shown)
        table, types = texts.table.slice(0, rows), texts.types
        if texts.types_above is not None:
            types = dict(zip(names, texts.types_above(rows).values(), strict=True))
        return replace(texts, table=table, misfits=misfits, guess=guess, types=types)
    if is_called_totals(last, first):
        return replace(texts, guess=replace(texts.guess, totals=shown, totals_kept=True))
    return texts


def _texts_of(rows: pa.Table) -> list[list[str]]:
    return [[value or "" for value in row.values()] for row in rows.to_pylist()]


def _is_note(row: Sequence[str]) -> bool:
    """Return whether one field of several is a text, and no other is anything."""
    filled = [field for field in row if field.strip()]
    return len(row) > 2 and len(filled) == 1 and kind_of_field(filled[0]) == "text"  # noqa: PLR2004 - a name, and a number beside it


def name_place(fields: Sequence[str]) -> int | None:
    """Return the place of the first field that is not blank."""
    return next((place for place, field in enumerate(fields) if field.strip()), None)


def looks_like_totals(last: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a record is one of totals: judged by the first rows of its table.

    Its first field that is not blank is a word for totals, or a text where the rows
    have numbers or dates, and a field is blank that is so in no row, while another is a number.
    """
    rows = [row for row in rows if len(row) == len(last) and list(row) != list(last)]
    if len(rows) < _LEAST_ROWS:
        return False
    named = name_place(last)
    if named is None or kind_of_field(last[named]) != "text":
        return False
    blank = [place for place, field in enumerate(last) if not field.strip()]
    numbers = [place for place, field in enumerate(last) if kind_of_field(field) == "number"]
    if not numbers or not any(all(row[place].strip() for row in rows) for place in blank):
        return False
    return bool(_WORDS.fullmatch(last[named])) or kinds_of([row[named] for row in rows], 1.0) in ("number", "date")


def is_called_totals(last: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a record only begins as totals do, and may be a row."""
    named = name_place(last)
    is_so = named is not None and any([*row] != [*last] for row in rows) and _WORDS.fullmatch(last[named]) is not None
    return is_so and any(kind_of_field(field) == "number" for field in last)
