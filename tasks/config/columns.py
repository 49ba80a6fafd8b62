"""Columns: what is declared of them, and how their times are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tasks.config.base import ConfigModel, NonEmpty

_DIRECTIVE = re.compile(r"%(.)", re.DOTALL)
_YEARS = frozenset("YyGcx")
_WEEKDAYS = frozenset("aAwu")


def find_format_mistake(text: str) -> str | None:
    """Return what is wrong with a format, and the cure; None where it reads what is written."""
    found = {match[1] for match in _DIRECTIVE.finditer(text)}
    return _unknown(text) or next(_misread(found), None)


def find_pattern_mistake(pattern: str) -> str | None:
    """Return what is wrong with a regular expression of a column, and the cure; None where its one group tells the value."""
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        return f"is no regular expression ({error}); correct it, e.g. 'Order (\\d+)'"
    if groups != 1:
        return f"has {groups} groups, and the value is that of one; write one group, and others as (?:…)"
    import pyarrow as pa  # noqa: PLC0415 - 0.2 s, for none but a pattern
    import pyarrow.compute as pc  # noqa: PLC0415 - the same

    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        return f"is none of RE2, which neither looks around nor back ({error}); write it without, e.g. 'Order (\\d+)'"
    return None


def find_search_mistake(pattern: str) -> str | None:
    """Return what is wrong with a regular expression that is looked for in a text, and the cure; None where it is one."""
    try:
        re.compile(pattern)
    except re.error as error:
        return f"is no regular expression ({error}); correct it, e.g. /product/"
    return None


def find_mistake_in_expression(sql: str) -> str | None:
    """Return what is wrong with an expression, and the cure; None where it may be of one row."""
    from tasks.core.expressions import find_expression_mistake  # noqa: PLC0415 - 0.1 s, for none but an expression

    return find_expression_mistake(sql)


def _misread(directives: set[str]) -> Iterator[str]:
    """Yield what strptime would pass over, or fill in, with these directives."""
    if "Z" in directives:
        yield "reads the name of a zone in %Z and drops it; write %z, which takes offsets as +01:00, or type: string"
    if not directives & _YEARS:
        yield "has no year, and every date would be in 1900; add %Y, or write type: string"
    for week in sorted(directives & {"U", "W"}):
        if not directives & _WEEKDAYS or "Y" not in directives:
            yield f"has %{week}, which counts only beside a weekday and %Y; add %w and %Y, or write type: string"
    if directives & {"G", "V"} and not (directives >= {"G", "V"} and directives & _WEEKDAYS):
        yield "has %G or %V, which count only with each other and a weekday; write %G-W%V-%u, or type: string"
    if "I" in directives and not directives & {"p", "c", "X"}:
        yield "has %I, the hour of twelve, and no %p, which makes morning of evening; write %H, or add %p"


def _unknown(text: str) -> str | None:
    """Return what strptime says of a directive that it does not know."""
    try:
        datetime.strptime("", text)  # noqa: DTZ007 - nothing is read
    except (ValueError, IndexError, re.error) as error:
        if "does not match format" not in str(error):
            return f"is none of strptime ({error}); correct it, e.g. %d/%m/%Y"
    return None


_NO_AFFIX = re.compile(r"[\s.,'_]*|[+-]|[\d.,+-]*\d.*", re.DOTALL)  # what of a number tells its value
_LISTED = {True: "true", False: "false"}


def _as_texts(value: Any) -> Any:
    """Return a list of words as texts: YAML reads true and 1 as what they mean; a word alone is a list of one."""
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple):
        return value
    return [_LISTED[each] if isinstance(each, bool) else str(each) if isinstance(each, int) else each for each in words]


Words = Annotated[tuple[NonEmpty, ...], BeforeValidator(_as_texts)]
Affixes = Annotated[
    tuple[NonEmpty, ...], Field(min_length=1), BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)
]
ColumnType = Literal["int", "float", "string", "bool", "date", "timestamp"]


class Column(ConfigModel):
    """What is declared of one column of a table."""

    type: ColumnType | None = None
    """The type every value must have; a row with another value becomes a reject. Without it the type is inferred."""
    rename: NonEmpty | None = None
    """Name of the column in the table; without it, the name it has in the source."""
    required: bool = False
    """Whether a file without this column is an error, and a row without a value in it a reject."""
    nulls: tuple[str, ...] = ()
    """Texts that mean null in this column, beside the empty one, e.g. [-, unknown]."""
    format: NonEmpty | None = None
    """How dates or timestamps are written, as strptime has it, e.g. "%d/%m/%Y"; without it, ISO 8601."""
    thousands: Literal[",", ".", " ", "'", "_"] | None = None
    """What separates thousands in its numbers, e.g. 1,234.5."""
    decimal: Literal[".", ","] | None = None
    """What separates decimals in its numbers; without it, what the whole file uses."""
    strip: bool | Affixes = False
    """What is taken off around its numbers: true: signs and codes of currencies before or behind, % and blanks, and units of letters behind, as of 1,234.50 €, CHF 5 and 12 kg; or the texts that are, e.g. [€, EUR], where another makes the row a reject.

    A unit is taken off, not converted: 12 % is 12. Words that multiply, as k or Mio, have to be
    listed, and so have letters before a number that are no currency's: A5 makes the row a reject.
    """
    pattern: NonEmpty | None = None
    """Regular expression (RE2) of the whole value, whose one group is what stays of it, e.g. 'Order (\\d+)', null where the group is empty or has no part in the match; a row with another value becomes a reject."""
    true: Words = ()
    """Words that mean true in a bool, upper or lower case, e.g. [ja, x]; with them, or false, a row with any other word becomes a reject."""
    false: Words = ()
    """Words that mean false in a bool, e.g. [nein]."""
    unit: Literal["s", "ms", "us", "ns"] | None = None
    """What its numbers count since 1970, as 1700000000 does in s: they become timestamps in UTC; one that is finer than a microsecond, or in no year from 1 to 9999, makes the row a reject."""
    origin: Literal[1900, 1904] | None = None
    """Year in which the days begin that its numbers count, as Excel's serials do: 45000.5 is noon of 2023-03-15 by 1900; one of no day, as 60 by 1900, makes the row a reject."""
    expression: NonEmpty | None = None
    """SQL of DuckDB that gives its value from the row's other columns, e.g. price * amount: of those as they are in the table, by their names there, and of expressions above it.

    A new column, or one in the place of the source's, whose own value it may read where its type is
    declared. The value has the type that SQL gives it, or type, if declared; a row for which there is
    none, as where a cast fails, becomes a reject. No aggregates, no subqueries, nothing that another
    run would answer otherwise, as now() and random().
    """
    drop: bool = False
    """Whether the column is left out of the table; the expressions of others may read it, where its type is declared."""

    @property
    def reads_words(self) -> bool:
        """Return whether its values are read as they are written, also where these are numbers or truths."""
        return bool(self.pattern or self.true or self.false or self.counts_time)

    @property
    def counts_time(self) -> bool:
        """Return whether its numbers are times."""
        return self.unit is not None or self.origin is not None

    @model_validator(mode="after")
    def _is_dropped_alone(self) -> Self:
        if self.drop and self.rename is not None:
            raise ValueError("drop leaves the column out, and rename is of one that stays; take one of them out")
        return self

    @model_validator(mode="after")
    def _is_made_of_one_row(self) -> Self:
        if self.expression is not None and (mistake := find_mistake_in_expression(self.expression)) is not None:
            raise ValueError(f"expression {self.expression!r} {mistake}")
        return self

    @model_validator(mode="after")
    def _is_cleaned_by_its_type(self) -> Self:
        if self.strip and self.type not in ("int", "float"):
            raise ValueError("strip takes off what stands around a number; add type: float, or int")
        for affix in self.strip if isinstance(self.strip, tuple) else ():
            if _NO_AFFIX.fullmatch(affix):
                raise ValueError(f"strip: {affix!r} may be of the number itself; write what stands around it, e.g. €")
        if (self.true or self.false) and self.type != "bool":
            raise ValueError(f"{'true' if self.true else 'false'} has words of a bool; add type: bool")
        if self.unit is not None and self.type != "timestamp":
            raise ValueError(f"unit {self.unit} is what numbers count that are times; add type: timestamp")
        if self.origin is not None and self.type not in ("date", "timestamp"):
            raise ValueError(f"origin {self.origin} is where numbers begin that are days; add type: date, or timestamp")
        if self.counts_time and (self.format is not None or (self.unit is not None and self.origin is not None)):
            other = "format" if self.format is not None else "unit"
            raise ValueError(f"{other} and {'origin' if self.origin else 'unit'} tell times in two ways; take one out")
        both = {word.strip().lower() for word in self.true} & {word.strip().lower() for word in self.false}
        if both:
            raise ValueError(f"{min(both)!r} is both true and false; take it out of one of them")
        if self.pattern is not None and (mistake := find_pattern_mistake(self.pattern)) is not None:
            raise ValueError(f"pattern {self.pattern!r} {mistake}")
        return self

    @model_validator(mode="after")
    def _fits_the_type(self) -> Column:
        if self.format is not None and self.type not in ("date", "timestamp"):
            raise ValueError(f"format {self.format!r} is how a date or a timestamp is written; add type: date")
        if self.format is not None and (mistake := find_format_mistake(self.format)) is not None:
            raise ValueError(f"format {self.format!r} {mistake}")
        if (self.thousands or self.decimal) and self.type not in ("int", "float"):
            raise ValueError("thousands and decimal are how a number is written; add type: float, or int")
        if self.thousands is not None and self.thousands == (self.decimal or "."):
            other = "," if self.thousands == "." else "."
            raise ValueError(
                f"{self.thousands!r} cannot separate both thousands and decimals; add decimal: {other!r}, or the sign there is"
            )
        return self


class PagesColumn(Column):
    """One column of a page's rows: where its value stands."""

    select: NonEmpty | None
    """Selector within the row; the first match that is not blank is the value; nothing of a column that an expression makes, or whose value stands beside its name, as `pairs` finds it.

    CSS ending in ::text (an element's own text up to its first child), ::inner-text (its whole
    text, as a browser shows it) or ::attr(name); or XPath, which begins with / or . or (, or with
    a function, e.g. normalize-space(./td[2]). A row in which no column matches, as one of
    headings, is no row; cells with rowspan or colspan count in each place that they take.
    """
    all: bool = False
    """Take every match, as a JSON list, instead of the first."""
    default: str | None = None
    """Value where the selector matches nothing in a row; without it the value is null."""

    @property
    def selector(self) -> str:
        """Return the selector of a column that stands on pages."""
        return self.select or ""

    @model_validator(mode="before")
    @classmethod
    def _stands_nowhere(cls, value: Any) -> Any:
        """Return what is written of a column, which stands nowhere on a page where an expression alone makes it."""
        return {"select": None, **value} if isinstance(value, dict) and "expression" in value else value

    @model_validator(mode="after")
    def _is_list_or_value(self) -> PagesColumn:
        if self.all and self.type not in (None, "string"):
            raise ValueError(f"all gives a list, as JSON text, which is no {self.type}; take type out, or all")
        return self


def read_column(value: Any) -> Any:
    """Return a column that is written as its type alone."""
    return {"type": value} if isinstance(value, str) else value


def read_pages_column(value: Any) -> Any:
    """Return a pages column that is written as its selector alone."""
    return {"select": value} if isinstance(value, str) else value
