"""How a CSV file is written: its delimiter, quotes, header and decimals, declared or detected."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from tasks.spec import Reading

_DELIMITERS = (",", ";", "\t", "|")
_RECORDS = 50
_NUMBER = r"[+-]?(\d+([.,]\d+)*|[.,]\d+)([eE][+-]?\d+)?%?"
_DATE = r"(\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([T ][\d:.]+\S*)?"
_NUMBER_OR_DATE = re.compile(rf"\s*({_NUMBER}|{_DATE})?\s*")
# Three digits after a comma or a point may be thousands: only what cannot be tells of decimals.
_DECIMALS = r"\s*[+-]?(\d+{0}(\d{{1,2}}|\d{{4,}})|0{0}\d{{3}}|\d{{4,}}{0}\d{{3}}|\d{{1,3}}({1}\d{{3}})+{0}\d+)\s*"
_DECIMAL_COMMA = re.compile(_DECIMALS.format(",", r"\."))
_DECIMAL_POINT = re.compile(_DECIMALS.format(r"\.", ","))
_WRAPPED = r"(?:^|[,;\t|]){0}(?:[^{0}{1}]|{0}{0})*{0}(?=[,;\t|\r\n]|\Z)"
_WRAPPED_BY = {
    '"': re.compile(_WRAPPED.format('"', ""), re.MULTILINE),
    "'": re.compile(_WRAPPED.format("'", r"\r\n"), re.MULTILINE),  # an apostrophe may pair with one lines below
}


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written; `quote` is empty where nothing quotes fields."""

    delimiter: str = ","
    quote: str = '"'
    has_header: bool = True
    decimal: str = "."


def detect_dialect(sample: str, reading: Reading, suffix: str) -> Dialect:
    """Return how a file that begins with `sample` is written; what is declared is not detected.

    The delimiter is the one that divides the first record; of several, the one that
    gives most records as many fields as the first has, and among equals the one
    that leaves most fields numbers or dates.
    The first record names the columns unless all of its fields are numbers, dates
    or empty. Decimals are commas where the delimiter is none and more values look
    like 1,5 than like 1.5; 1,234 may be thousands, and tells nothing.
    """
    quote = _detect_quote(sample) if reading.quote is None else reading.quote
    quote = "" if quote == reading.delimiter else quote
    delimiter = reading.delimiter or ("\t" if suffix == ".tsv" or reading.format == "tsv" else None)
    if delimiter is None:
        delimiter = _detect_delimiter(sample, quote)
    has_header = reading.header
    if has_header is None:
        first = _first(sample, delimiter, quote)
        has_header = not all(map(_NUMBER_OR_DATE.fullmatch, first)) or not any(first)
    decimal = reading.decimal or ("." if delimiter == "," else _detect_decimal(_read(sample, delimiter, quote)))
    return Dialect(delimiter, quote, has_header, decimal)


def _detect_quote(sample: str) -> str:
    """Return the quote: ' only where it wraps several fields, and the first of those that anything wraps."""
    if "'" not in sample:
        return '"'
    single = list(islice(_WRAPPED_BY["'"].finditer(sample), 2))
    if len(single) < 2:  # noqa: PLR2004 - one may be a word in quotes
        return '"'
    double = _WRAPPED_BY['"'].search(sample)
    return "'" if double is None or single[0].start() < double.start() else '"'


def _detect_delimiter(sample: str, quote: str) -> str:
    """Return the delimiter; mostly the header tells it, and the records are not weighed, which would take longer than all else."""
    dividing = [each for each in _DELIMITERS if len(_first(sample, each, quote)) > 1]
    if len(dividing) == 1:
        return dividing[0]
    return max(_DELIMITERS, key=lambda each: _agreement(_read(sample, each, quote)))


def _first(sample: str, delimiter: str, quote: str) -> list[str]:
    return next(_records(sample, delimiter, quote), [])


def _read(sample: str, delimiter: str, quote: str) -> list[list[str]]:
    records = list(islice(_records(sample, delimiter, quote), _RECORDS + 1))
    return records[:-1] if len(records) > 1 else records  # the last may be cut off


def _records(sample: str, delimiter: str, quote: str) -> Iterator[list[str]]:
    """Yield the fields of each record that is not empty."""
    options = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    return filter(None, csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, **options))


def _agreement(records: Sequence[Sequence[str]]) -> tuple[float, float, int]:
    """Return the share of records that have as many fields as the first, that of fields that are typed, and how many."""
    width = len(records[0]) if records else 0
    if width < 2:  # noqa: PLR2004 - what separates nothing
        return 0.0, 0.0, 0
    alike = sum(1 for fields in records if len(fields) == width) / len(records)
    filled = [field for fields in records for field in fields if field]
    typed = sum(1 for field in filled if _NUMBER_OR_DATE.fullmatch(field)) / max(1, len(filled))
    return alike, typed, width


def _detect_decimal(records: Sequence[Sequence[str]]) -> str:
    values = [value for record in records for value in record]
    commas = sum(1 for value in values if _DECIMAL_COMMA.fullmatch(value))
    points = sum(1 for value in values if _DECIMAL_POINT.fullmatch(value))
    return "," if commas > points else "."
