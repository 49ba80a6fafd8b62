"""How files are read: what of it is declared, the rest being detected."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tasks.spec.base import NonEmpty, Part

Format = Literal["csv", "tsv", "jsonl", "json", "parquet", "excel"]
Character = Annotated[str, Field(min_length=1, max_length=1)]

_OF_TEXT = ("delimiter", "quote", "header", "decimal")


class Reading(Part):
    """How files are read; what is not said is told by a file's name, or detected in its first bytes."""

    format: Format | None = None
    """Format of the files; without it, what their names end in."""
    delimiter: Character | None = None
    """What separates fields, e.g. ; or |."""
    quote: Annotated[str, Field(max_length=1)] | None = None
    """What quotes fields; an empty text where nothing does."""
    header: bool | None = None
    """Whether the first record names the columns."""
    decimal: Literal[".", ","] | None = None
    """What separates decimals in numbers."""
    encoding: NonEmpty | None = None
    """Encoding of the text, e.g. cp1252; without it, as a byte order mark tells, UTF-8, or what is detected."""
    records_at: NonEmpty | None = None
    """Path in a JSON document to the list of records, e.g. data.items; without it the document is the list."""
    sheet: Annotated[int, Field(ge=0)] | NonEmpty | None = None
    """Sheet of an Excel file, by name or by number from 0; without it, the first."""
    member: NonEmpty | None = None
    """File within a .zip; without it, its only one."""

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                "".encode(value)
                codecs.lookup(value)
            except LookupError:
                raise ValueError(f"{value!r} is not an encoding; write one that Python knows, e.g. cp1252") from None
        return value

    @model_validator(mode="after")
    def _fits_the_format(self) -> Reading:
        text = next((key for key in _OF_TEXT if getattr(self, key) is not None), None)
        if text is not None and self.format in ("jsonl", "json", "parquet"):
            raise ValueError(f"{text} is of CSV, and the format is {self.format}; take one of them out")
        if self.delimiter is not None and self.delimiter in (self.quote, self.decimal, "\n", "\r"):
            raise ValueError(
                f"delimiter {self.delimiter!r} is also the quote, the decimal or a line end; choose another"
            )
        if self.records_at is not None and self.format not in (None, "json"):
            raise ValueError(f"records_at is of JSON documents, and the format is {self.format}; take one of them out")
        return self
