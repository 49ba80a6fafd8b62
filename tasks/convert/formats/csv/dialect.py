"""How a CSV file is written: its delimiter, quotes, escapes, header and decimals, declared or detected."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

from tasks.config import Reading
from tasks.convert.formats.csv.quoting import Quoting, detect_escapes, detect_quote, rewrite_sample
from tasks.convert.formats.header import NUMBER_OR_DATE, Header, find_header, is_like_rows, warn_of_skipped_row
from tasks.convert.formats.units import are_units
from tasks.convert.schema.blocks import EXAMPLE
from tasks.core.errors import TableError

DELIMITERS = (",", ";", "\t", "|")
_RARE_DELIMITERS = (":", None)  # which divide texts and times as well: they are told, and not guessed
RECORDS = 50
# Excel takes what such a first line names for the delimiter, and does not show the line.
_NAMED_DELIMITER = re.compile(r'"?sep=(?P<delimiter>[^\r\n"])"?[,;\t|]*(?:\r\n|\r|\n)', re.IGNORECASE)
# Three digits after a comma or a point may be thousands: only what cannot be tells of decimals.
_DECIMALS = r"\s*[+-]?(\d+{0}(\d{{1,2}}|\d{{4,}})|0{0}\d{{3}}|\d{{4,}}{0}\d{{3}}|\d{{1,3}}({1}\d{{3}})+{0}\d+)\s*"
_DECIMAL_COMMA = re.compile(_DECIMALS.format(",", r"\."))
_THOUSANDS_OR_DECIMALS = re.compile(r"\s*[+-]?[1-9]\d{0,2}\.\d{3}\s*")
_FIRST_LINE = re.compile(r"[^\r\n]+(?=\r?\n|\Z)")
_PAIR = re.compile(r"\s*[1-9]\d*,[1-9]\d*\s*")
_DECIMAL_POINT = re.compile(_DECIMALS.format(r"\.", ","))


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written; `quote`, `escape` and `comment` are empty where nothing is one.

    With `trims` blanks before and after quotes are no part of a field. The record
    that names the columns, or else the first, begins after so many lines `above`;
    of these the first that is not blank is `title`, unless all were declared.
    `units` are the fields of a record of units below the header, where one was found.
    """

    delimiter: str = ","
    quote: str = '"'
    has_header: bool = True
    decimal: str = "."
    escape: str = ""
    comment: str = ""
    trims: bool = False
    above: int = 0
    title: str = ""
    doubts: Mapping[int, str] = field(default_factory=dict, compare=False)
    """By column the first value that is another number by the other decimal, where nothing tells which the file has."""
    is_decided: bool = field(default=True, compare=False)
    """Whether what separates decimals is declared, or told by a value at least."""
    pair: str = field(default="", compare=False)
    """A value that was guessed to have a decimal comma, where all that do could be two numbers."""
    undivided: str = field(default="", compare=False)
    """The one field of a header, or else of the first record, in which another delimiter stands."""
    units: Sequence[str] = field(default=(), compare=False)
    skipped_row: str = field(default="", compare=False)
    """The first of the lines that are declared to be skipped which is like the rows."""
    rows: Sequence[Sequence[str]] = field(default=(), compare=False, repr=False)
    """The first rows."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return sentences on values that may be more than one, and on a row that may be skipped."""
        undivided = (
            f"is read as one column, since its delimiter is {self.delimiter!r}{EXAMPLE}{self.undivided!r}; "
            "correct or declare read.delimiter"
        )
        pair = (
            f"has values read as numbers with decimal commas that could be lists{EXAMPLE}{self.pair!r}; "
            'declare read.decimal: "," or "."'
        )
        told = {undivided: self.undivided, pair: self.pair, warn_of_skipped_row(self.skipped_row): self.skipped_row}
        return tuple(sentence for sentence, found in told.items() if found)

    @property
    def quoting(self) -> Quoting:
        """Return how its fields are told apart."""
        return Quoting(self.delimiter, self.quote, self.escape, self.comment, self.trims)


@dataclass(frozen=True)
class _Sample:
    """The first records of a file, each with the number of lines before it, and the values of these and of the last."""

    starts: Sequence[int]
    records: Sequence[Sequence[str]]
    valued: Sequence[Sequence[str]]

    @classmethod
    def read(cls, text: str, quoting: Quoting, reading: Reading, *, is_complete: bool = False) -> _Sample:
        """Return the first records that are not empty, and in no footer that is declared; the last may be totals, or unless the sample `is_complete` cut off, and tells of values at most."""
        text, footer = rewrite_sample(text, quoting), reading.skip_footer or 0
        found = _read_lines(text, quoting, RECORDS + 1 + footer) if not reading.skip_blank else None
        if found is None:
            records = _records(text, quoting)
            if reading.skip_blank:
                records = ((start, fields) for start, fields in records if any(map(str.strip, fields)))
            found = list(islice(records, RECORDS + 1 + footer))
        if footer and (is_complete or len(found) > RECORDS + 1):
            found = found[: max(1, len(found) - footer)]
        starts, valued = [start for start, _ in found], [fields for _, fields in found]
        kept = max(1, len(valued) - 1)
        return cls(starts, valued[:kept], valued if is_complete else valued[:kept])


class FoundQuoting(NamedTuple):
    """How the fields of a file are told apart: `text` is what stands below the first lines that are none of its table, `begin` their number, and `named` the delimiter that one of them names; `titles` is how many of its records are known to be some."""

    quoting: Quoting
    text: str
    begin: int = 0
    named: str = ""
    titles: int | None = None


def detect_dialect(
    sample: str,
    reading: Reading,
    suffix: str,
    expected: Collection[str] = (),
    *,
    is_complete: bool = False,
    quoting: Quoting | None = None,
) -> Dialect:
    """Return how a file that begins with `sample` is written; what is declared is not detected.

    The delimiter is the one that divides the header; of several, the one that
    gives most records as many fields as that has, and among equals the one that
    leaves most fields numbers or dates. Decimals are commas where the delimiter is
    none and more values look like 1,5 than like 1.5; 1,234 may be thousands, and
    tells nothing. `expected` are names that columns are declared to have; a complete
    sample is all of the file. Of a file none of whose lines is to be skipped the `quoting` may be known.
    """
    known = None if quoting is None else FoundQuoting(quoting, sample)
    found = known or detect_quoting(sample, reading, suffix, expected)
    quoting, text, begin, named, _ = found
    read = _Sample.read(text, quoting, reading, is_complete=is_complete)
    dialect = _describe(read, found, reading, expected)
    if not begin or named:
        return dialect
    above = _Sample.read(sample, quoting, reading)
    end = max(begin, reading.skip_rows or 0)
    skipped = (fields for start, fields in zip(above.starts, above.records, strict=False) if start < end)
    row = next((fields for fields in skipped if is_like_rows(fields, dialect.rows)), [])
    return replace(dialect, skipped_row=quoting.delimiter.join(row))


def detect_quoting(sample: str, reading: Reading, suffix: str, expected: Collection[str] = ()) -> FoundQuoting:
    """Return how the fields of a file that begins with `sample` are told apart; what is declared is not detected.

    Raises:
        TableError: its first line names a delimiter beyond ASCII.

    """
    delimiter = reading.delimiter or ("\t" if suffix == ".tsv" or reading.format == "tsv" else "")
    quote = detect_quote(sample) if reading.quote is None else reading.quote
    begin, named = _lines_to_skip(sample, reading)
    text = "".join(io.StringIO(sample, newline="").readlines()[begin:]) if begin else sample
    if not delimiter and (named > "\x7f" or named == "\0"):
        raise TableError(
            f"its first line says that {named!r} divides its fields, which is no character of ASCII; write it anew with "
            "another, as ;, in that line too"
        )
    quoting, titles = Quoting(delimiter or named, quote, comment=reading.comment or ""), None
    if not quoting.delimiter:
        found, titles = _detect_delimiter(text, quoting, reading, expected)
        quoting = replace(quoting, delimiter=found)
    weighed = quoting
    if quoting.quote == quoting.delimiter:
        quoting = replace(quoting, quote="")
    if reading.escape and reading.escape != quoting.quote:
        quoting = replace(quoting, escape=reading.escape)
    quoting = detect_escapes(text, quoting, reading.escape)
    is_same = quoting == weighed and not reading.skip_footer  # of which a sample that is complete has fewer records
    return FoundQuoting(quoting, text, begin, named, titles if is_same else None)


def read_first_rows(sample: str, quoting: Quoting, reading: Reading, above: int) -> Sequence[Sequence[str]]:
    """Return the first rows of a file that begins with `sample`, below so many records that are none."""
    read = _Sample.read(sample, quoting, reading)
    return read.records[above:] or read.valued[above:]


def _lines_to_skip(sample: str, reading: Reading) -> tuple[int, str]:
    """Return how many lines stand before the first that may be a header, and the delimiter that one of them names."""
    if reading.header_row is not None:
        return reading.header_row - 1, ""
    if reading.skip_rows is not None:
        return reading.skip_rows, ""
    named = _NAMED_DELIMITER.match(sample)
    return (1, named["delimiter"]) if named else (0, "")


def _describe(sample: _Sample, found: FoundQuoting, reading: Reading, expected: Collection[str]) -> Dialect:
    """Return the dialect whose fields are told apart so, its table searched below the lines that are none of it."""
    quoting, begin = found.quoting, found.begin
    declared = True if reading.header_row is not None else reading.header
    header = _find(sample.records, reading, declared, expected, found.titles)
    above = sample.starts[header.above] if header.above else 0
    titles = sample.records[: header.above]
    decimal: str = reading.decimal or "."
    doubts: Mapping[int, str] = {}
    is_decided = True
    undivided = _find_undivided(sample.valued[header.above :], quoting.delimiter)
    if reading.decimal is None and quoting.delimiter != "," and not undivided:
        decimal, is_decided, doubts = _detect_decimal(sample.valued)
    rows, units = _find_rows(sample, header, begin, reading)
    pair = _find_pair(sample.valued) if decimal == "," and reading.decimal is None else ""
    return Dialect(
        quoting.delimiter,
        quoting.quote,
        header.is_found,
        decimal,
        quoting.escape,
        quoting.comment,
        quoting.trims,
        begin + above,
        next((text for fields in titles if (text := " ".join(filter(None, fields)).strip())), ""),
        doubts,
        is_decided,
        pair,
        undivided,
        units,
        rows=rows,
    )


def _find_rows(
    sample: _Sample, header: Header, begin: int, reading: Reading
) -> tuple[Sequence[Sequence[str]], Sequence[str]]:
    """Return the first rows, and the record of units above them, if one is found that is not declared."""
    first = header.above + header.is_found
    records, starts = sample.records[first:] or sample.valued[first:], sample.starts[first:]
    is_told = reading.header_row is not None and reading.skip_rows is not None  # where the first row is
    units = records[0] if reading.units_row is None and header.is_found and not is_told and records else ()
    if units and not are_units(units, records[1:]):
        units = ()
    line = reading.skip_rows or 0 if is_told else 0
    if records and (units or reading.units_row is True):
        line = max(line, begin + starts[0] + 1)
    elif reading.units_row:
        line = max(line, reading.units_row)
    return [fields for start, fields in zip(starts, records, strict=False) if begin + start >= line], units


def _find(
    records: Sequence[Sequence[str]],
    reading: Reading,
    declared: bool | None,
    expected: Collection[str],
    titles: int | None = None,
) -> Header:
    titled = reading.skip_rows is None and reading.header_row is None
    return find_header(records, declared, expected, titles=titles if titled else 0)


def _detect_delimiter(
    text: str, quoting: Quoting, reading: Reading, expected: Collection[str]
) -> tuple[str, int | None]:
    """Return the delimiter, and how many of the records that it divides are titles, where that is told; mostly the header alone tells it, and the records are not weighed, which would take longer than all else."""
    dividing = _find_dividing(text, quoting)
    samples = {each: _Sample.read(text, replace(quoting, delimiter=each), reading) for each in dividing[:1]}
    if len(dividing) == 1 and len(set(map(len, samples[dividing[0]].records))) == 1:
        return dividing[0], None
    if not any(each in text for each in DELIMITERS[1:]):  # as below a title of a file of commas
        return DELIMITERS[0], None
    for each in DELIMITERS:
        if each in text and each not in samples:
            samples[each] = _Sample.read(text, replace(quoting, delimiter=each), reading)
    tables = {each: _divided(sample.records, reading, expected) for each, sample in samples.items()}
    shares = {each: _share_alike(table) for each, table in tables.items()}
    most = max(shares.values())
    best = [each for each in DELIMITERS if shares.get(each) == most]
    if not most:
        return DELIMITERS[0], None
    if len(best) > 1:
        best = [max(best, key=lambda each: (_share_typed(tables[each]), len(tables[each][0])))]
    return best[0], len(samples[best[0]].records) - len(tables[best[0]])


def _find_dividing(text: str, quoting: Quoting) -> list[str]:
    """Return the delimiters that divide the first record: each that stands in a line without a quote."""
    line = _FIRST_LINE.match(text)
    if line is not None and not (quoting.quote and quoting.quote in line.group()):
        return [each for each in DELIMITERS if each in line.group()]
    return [each for each in DELIMITERS if len(_first(text, replace(quoting, delimiter=each))) > 1]


def _read_lines(text: str, quoting: Quoting, count: int) -> list[tuple[int, list[str]]] | None:
    """Return the first records, so many, and the number of lines before each, where each is a line; None where one is more, or blank."""
    reader = csv.reader(io.StringIO(text, newline=""), **reader_options(quoting))
    found = list(islice(reader, count))
    return list(enumerate(found)) if reader.line_num == len(found) and all(found) else None


def reader_options(quoting: Quoting) -> dict[str, Any]:
    """Return what Python's reader is told of it."""
    quote = {"quotechar": quoting.quote} if quoting.quote else {"quoting": csv.QUOTE_NONE}
    return {"delimiter": quoting.delimiter, **quote}


def _records(text: str, quoting: Quoting) -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of each record that is not empty, and the number of lines before it."""
    reader = csv.reader(io.StringIO(text, newline=""), **reader_options(quoting))
    start = 0
    for fields in reader:
        if fields:
            yield start, fields
        start = reader.line_num


def _first(text: str, quoting: Quoting) -> list[str]:
    return next((fields for _, fields in _records(text, quoting)), [])


def _divided(records: Sequence[Sequence[str]], reading: Reading, expected: Collection[str]) -> Sequence[Sequence[str]]:
    """Return the records from the first that is no title on; none where nothing divides that."""
    if max(map(len, records), default=0) < 2:  # noqa: PLR2004 - what separates nothing
        return ()
    table = records[_find(records, reading, reading.header is not False, expected).above :]
    return () if len(table[0]) < 2 else table  # noqa: PLR2004 - as above


def _share_alike(table: Sequence[Sequence[str]]) -> float:
    """Return the share of records that have as many fields as the first."""
    return sum(1 for fields in table if len(fields) == len(table[0])) / len(table) if table else 0.0


def _share_typed(table: Sequence[Sequence[str]]) -> float:
    """Return the share of the fields that are numbers or dates."""
    filled = [field for fields in table for field in fields if field]
    return sum(map(bool, map(NUMBER_OR_DATE.fullmatch, filled))) / max(1, len(filled))


def _find_undivided(records: Sequence[Sequence[str]], delimiter: str) -> str:
    """Return the first record of a table of one column, if another delimiter stands in it and in each one below."""
    if not records or any(len(record) != 1 for record in records):
        return ""
    lines = [record[0].strip() for record in records]
    others = [each for each in DELIMITERS if each != delimiter and all(each in line for line in lines)]
    return lines[0] if others or any(_are_divided(lines, each) for each in _RARE_DELIMITERS) else ""


def _are_divided(lines: Sequence[str], delimiter: str | None) -> bool:
    """Return whether a delimiter that texts have too, or blanks, divides all lines alike, and most are no texts, as they have a number."""
    fields = [line.split(delimiter) for line in lines]
    width = len(fields[0])
    if width < 2 or any(len(each) != width for each in fields) or NUMBER_OR_DATE.fullmatch(lines[0]):  # noqa: PLR2004 - what divides nothing
        return False
    valued = sum(any(field and NUMBER_OR_DATE.fullmatch(field) for field in each) for each in fields)
    return 2 * valued >= len(lines)


def _find_pair(records: Sequence[Sequence[str]]) -> str:
    """Return a value of two numbers and a comma, if all with a comma could be a list: most numbers have as many decimals each."""
    values = [value for record in records for value in record if "," in value and _DECIMAL_COMMA.fullmatch(value)]
    digits = {len(value.strip().partition(",")[2]) for value in values}
    is_list = len(digits) > 1 and all(map(_PAIR.fullmatch, values))
    return values[0].strip() if is_list else ""


def _detect_decimal(records: Sequence[Sequence[str]]) -> tuple[str, bool, Mapping[int, str]]:
    """Return what separates decimals, whether a value tells it, and where none does by column one that may be a thousand times as much."""
    separated = [
        [(place, value) for place, value in enumerate(record) if "," in value or "." in value] for record in records
    ]
    values = [value for record in separated for _, value in record]
    commas = sum(1 for value in values if _DECIMAL_COMMA.fullmatch(value))
    points = sum(1 for value in values if _DECIMAL_POINT.fullmatch(value))
    if commas or points:
        return "," if commas > points else ".", True, {}
    doubts: dict[int, str] = {}
    for record in separated:
        for place, value in record:
            if _THOUSANDS_OR_DECIMALS.fullmatch(value):
                doubts.setdefault(place, value.strip())
    return ".", False, doubts
