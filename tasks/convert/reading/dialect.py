"""How a CSV file is written: its delimiter, quotes, header and decimals, declared or detected."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from tasks.spec import Reading

_DELIMITERS = (",", ";", "\t", "|")
_RECORDS = 50
_NUMBER_OR_DATE = re.compile(
    r"\s*([+-]?(\d+([.,]\d+)*|[.,]\d+)([eE][+-]?\d+)?%?|\d{4}-\d{2}-\d{2}([T ][\d:.]+\S*)?)?\s*"
)
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
_DECIMAL_POINT = re.compile(r"\s*[+-]?\d*\.\d+\s*")


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written; `quote` is empty where nothing quotes fields."""

    delimiter: str = ","
    quote: str = '"'
    has_header: bool = True
    decimal: str = "."


def detect_dialect(sample: str, reading: Reading, suffix: str) -> Dialect:
    """Return how a file that begins with `sample` is written; what is declared is not detected.

    The delimiter is the one that gives most records as many fields as the first
    has, more than one. The first record names the columns unless all of its fields are
    numbers, dates or empty. Decimals are commas where the delimiter is none and
    more values look like 1,5 than like 1.5.
    """
    quote = _detect_quote(sample) if reading.quote is None else reading.quote
    delimiter = reading.delimiter or ("\t" if suffix == ".tsv" or reading.format == "tsv" else None)
    if delimiter is None:
        delimiter = max(_DELIMITERS, key=lambda each: _agreement(_read(sample, each, quote)))
    records = _read(sample, delimiter, quote)
    has_header = reading.header
    if has_header is None:
        has_header = not records or not all(map(_NUMBER_OR_DATE.fullmatch, records[0])) or not any(records[0])
    decimal = reading.decimal or _detect_decimal(records, delimiter)
    return Dialect(delimiter, quote, has_header, decimal)


def _detect_quote(sample: str) -> str:
    """Return the quote: ' only where it wraps whole fields and " is nowhere."""
    if '"' in sample:
        return '"'
    wrapped = re.findall(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n]|$)", sample, re.MULTILINE)
    return "'" if len(wrapped) > 1 else '"'


def _read(sample: str, delimiter: str, quote: str) -> list[list[str]]:
    options = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    reader = csv.reader(sample.splitlines(keepends=True), delimiter=delimiter, **options)
    records = list(islice((fields for fields in reader if fields), _RECORDS + 1))
    return records[:-1] if len(records) > 1 else records  # the last may be cut off


def _agreement(records: Sequence[Sequence[str]]) -> tuple[float, int]:
    """Return the share of records that have as many fields as the first, where these are several, and how many."""
    width = len(records[0]) if records else 0
    if width < 2:  # noqa: PLR2004 - what separates nothing
        return 0.0, 0
    return sum(1 for fields in records if len(fields) == width) / len(records), width


def _detect_decimal(records: Sequence[Sequence[str]], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    values = [value for record in records for value in record]
    commas = sum(1 for value in values if _DECIMAL_COMMA.fullmatch(value))
    points = sum(1 for value in values if _DECIMAL_POINT.fullmatch(value))
    return "," if commas > points else "."
