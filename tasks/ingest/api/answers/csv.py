"""Answers of CSV: records of texts, one a line, whose first names the columns."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Annotated, Any, Literal, Self

import msgspec
from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from tasks.config.answers import Records, RecordsAnswer, unread
from tasks.config.base import NonEmpty
from tasks.config.files import ONE, ONE_OR_NONE, are_different, check_character, check_encoding, is_encoding
from tasks.core.escaping import count

_OTHERS = {"<": "a page or XML", "{": "JSON", "[": "JSON"}
_DELIMITERS = ";\t|,"
_SHOWN_CHARACTERS = 80
_encode = msgspec.json.Encoder().encode

csv.field_size_limit(sys.maxsize)


class CsvAnswer(RecordsAnswer):
    """Records of texts with a delimiter between them; the table tells the types of columns from their texts, as of a file."""

    kind: Literal["csv"] = "csv"
    """Kind of answer."""
    delimiter: str = Field(default=",", json_schema_extra=ONE)
    """What separates fields, e.g. ; or a tab in double quotes."""
    quote: str = Field(default='"', json_schema_extra=ONE_OR_NONE)
    """What quotes fields, doubled within one; an empty text where nothing does."""
    header: bool = True
    """Whether the first record names the columns; without it names does."""
    names: Annotated[tuple[NonEmpty, ...], Field(min_length=1), AfterValidator(are_different)] | None = None
    """Names of the columns, in place of those of the header."""
    skip_rows: Annotated[int, Field(ge=0)] = 0
    """Lines above the first record, as titles are, which are skipped."""
    encoding: NonEmpty | None = None
    """Encoding of the text, e.g. cp1252; without it that of the Content-Type, or UTF-8."""

    _is_an_encoding = field_validator("encoding")(check_encoding)

    @field_validator("delimiter", "quote")
    @classmethod
    def _is_a_character(cls, value: str, info: ValidationInfo) -> str | None:
        return check_character(str(info.field_name), value)

    @model_validator(mode="after")
    def _has_names(self) -> Self:
        if not self.header and self.names is None:
            raise ValueError("header is false, so that nothing names the columns; add names: [id, …]")
        if self.delimiter == self.quote:
            raise ValueError(f"delimiter {self.delimiter!r} is also the quote; choose another")
        return self

    def read(self, body: IO[bytes], charset: str | None) -> Records:
        """Return the records as objects of texts, an empty one null.

        Raises:
            ValueError: the body is something else, or it names no columns.

        """
        encoding = self.encoding or _known(charset)
        lines = io.TextIOWrapper(body, encoding, errors="surrogateescape", newline="")
        for _ in range(self.skip_rows):
            lines.readline()
        return Records(self._records(_Lines(lines, self.skip_rows)))

    def _records(self, lines: _Lines) -> Iterator[bytes]:
        read = _read_fields(csv.reader(lines, strict=True, **self._dialect), lines)
        names: Sequence[str] | None = None if self.header else self.names
        header: Sequence[str] = ()
        for fields, failure in read:
            if names is None:
                if failure is not None:
                    raise ValueError(f"its header cannot be read: {failure}")
                header = fields
                names = self._names_of(fields, lines.text)
            elif failure is not None:
                yield unread(failure, lines.text)
            elif len(fields) != len(names):
                yield unread(f"{count(len(fields), 'field')} where there are {count(len(names), 'column')}", lines.text)
            elif fields == header and len(fields) > 1:
                yield unread("repeats the header", lines.text)
            else:
                try:
                    yield _encode({name: field or None for name, field in zip(names, fields, strict=True)})
                except UnicodeEncodeError:
                    yield unread("not in the answer's encoding", lines.text)

    @property
    def _dialect(self) -> dict[str, Any]:
        if not self.quote:
            return {"delimiter": self.delimiter, "quoting": csv.QUOTE_NONE}
        return {"delimiter": self.delimiter, "quotechar": self.quote}

    def _names_of(self, fields: Sequence[str], text: str) -> Sequence[str]:
        """Return the names of columns, by the header; one that is empty is named by its place."""
        if other := _OTHERS.get(text.lstrip()[:1]):
            raise ValueError(f"it is {other}: {text.strip()[:_SHOWN_CHARACTERS]!r}")
        if self.names is not None:
            if len(fields) != len(self.names):
                raise ValueError(
                    f"its header has {count(len(fields), 'column')}, and names has {len(self.names)}; correct names"
                )
            return self.names
        if len(fields) == 1 and (other := next((each for each in _DELIMITERS if each in fields[0]), None)):
            raise ValueError(f"its header is one column {fields[0][:_SHOWN_CHARACTERS]!r}; write delimiter: {other!r}")
        names = [name or f"col{place}" for place, name in enumerate(fields)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"its header has {twice[:_SHOWN_CHARACTERS]!r} twice; name the columns in answer.names")
        return names


class _Lines:
    """Lines on their way to the reader of records, and those of the record that it read last."""

    def __init__(self, lines: Iterable[str], above: int) -> None:
        self._lines = iter(lines)
        self._taken: list[str] = []
        self.number = above

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        self._taken.append(line)
        return line

    def begin(self) -> None:
        """Begin with the next record."""
        self._taken.clear()

    @property
    def text(self) -> str:
        """Return the text of the record."""
        text = "".join(self._taken).rstrip("\r\n")
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _read_fields(reader: Iterator[list[str]], lines: _Lines) -> Iterator[tuple[Sequence[str], str | None]]:
    """Yield the fields of each record that is not blank, or why it cannot be read.

    Raises:
        ValueError: a quote is not closed, so that no record below it is known.

    """
    while True:
        lines.begin()
        first = lines.number + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "end of data" in str(error):
                raise ValueError(
                    f"a quote that opens in line {first} is not closed; write the quote of the answer"
                ) from None
            yield (), str(error)
            continue
        if fields:
            yield fields, None


def _known(charset: str | None) -> str:
    """Return the encoding that a Content-Type names; one that Python does not know is UTF-8, with or without a mark."""
    if charset is None or charset.lower() in ("utf-8", "utf8") or not is_encoding(charset):
        return "utf-8-sig"
    return charset
