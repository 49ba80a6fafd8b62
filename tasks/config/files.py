"""How files are read: what of it is declared, the rest being detected."""

from __future__ import annotations

from encodings.aliases import aliases
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, ValidationInfo, field_validator, model_validator

from tasks.config.base import BodyPath, ConfigModel, NonEmpty
from tasks.config.formats import FORMATS, Format, FormatName
from tasks.core.suggestions import did_you_mean

KEYS_OF_FORMATS = (
    *("delimiter", "quote", "decimal", "escape", "comment"),
    *("header", "header_row", "units_row", "skip_rows", "skip_footer", "skip_blank"),
    *("encoding", "records_at", "sheet", "shape", "id_column", "names"),
)
"""Keys of which a format says whether they say something of it."""
MAX_FOOTER = 1000
"""Lines that are kept back while a file is read."""
SHAPE_NEEDS_COLUMN = "shape: by_id and id_column, the column that ids become, belong together; write both, or none"
ONE: dict[str, JsonValue] = {"minLength": 1, "maxLength": 1}  # told to editors; the validators say it in words
ONE_OR_NONE: dict[str, JsonValue] = {"maxLength": 1}
_EXAMPLES = {"delimiter": "; or |", "quote": "' or \"", "escape": "\\", "comment": "#"}
_ARTICLES = {"escape": "an"}
_SEPARATORS = {"\\t": 'a tab in double quotes, "\\t"', "tab": 'a tab in double quotes, "\\t"'}


def is_encoding(name: str) -> bool:
    """Return whether Python knows an encoding of texts by this name; base64 is one of bytes."""
    try:
        "".encode(name)
    except (LookupError, ValueError):
        return False
    return True


def check_encoding(value: str | None) -> str | None:
    """Return the name of an encoding of texts; raise ValueError where Python knows none by it."""
    if value is not None and not is_encoding(value):
        known = filter(is_encoding, {*aliases, *aliases.values()})
        asked = value.lower().replace("-", "_")
        cure = did_you_mean(asked, sorted(known), "write one that Python knows, e.g. cp1252")
        raise ValueError(f"{value!r:.60} is not an encoding; {cure}")
    return value


def check_character(name: str, value: str | None) -> str | None:
    """Return what separates or quotes fields, which the key `name` gives; raise ValueError where it is no character of ASCII."""
    if value is None or (value == "" and name in ("quote", "escape")):
        return value
    if len(value) != 1 or not value.isascii() or value in "\r\n\0":
        cure = f"one character of ASCII, e.g. {_EXAMPLES[name]}"
        if name == "delimiter":
            cure = _SEPARATORS.get(value.lower(), cure)
        raise ValueError(f"{value!r:.60} is not {_ARTICLES.get(name, 'a')} {name}; write {cure}")
    return value


def are_different(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names; raise ValueError where one stands twice."""
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{twice!r} stands twice, and one of its values would be lost; name each once")
    return names


ListNames = (
    Literal["first"]
    | Annotated[
        tuple[NonEmpty, ...],
        Field(min_length=1, json_schema_extra={"uniqueItems": True}),
        AfterValidator(are_different),
    ]
)
"""Names of the values of records that are lists."""


class Reading(ConfigModel):
    """How files are read; what is not said is told by a file's name, or detected in its first bytes."""

    format: FormatName | None = None
    """Format of the files; without it, what their names end in."""
    delimiter: str | None = Field(default=None, json_schema_extra=ONE)
    """What separates fields, e.g. ; or |."""
    quote: str | None = Field(default=None, json_schema_extra=ONE_OR_NONE)
    """What quotes fields; an empty text where nothing does."""
    escape: str | None = Field(default=None, json_schema_extra=ONE_OR_NONE)
    """What makes a quote within a quoted field part of it, e.g. a backslash; an empty text where only a doubled quote does."""
    comment: str | None = Field(default=None, json_schema_extra=ONE)
    """What a line begins with that is no record, e.g. #."""
    header: bool | None = None
    """Whether the first record, below any titles, names the columns."""
    header_row: Annotated[int, Field(ge=1)] | None = None
    """Line of the file, or row of the sheet, that names the columns, from 1; those above it are skipped."""
    skip_rows: Annotated[int, Field(ge=0)] | None = None
    """Lines, or rows of a sheet, before the first record, which are skipped; with 0 none is taken for a title."""
    units_row: bool | Annotated[int, Field(ge=2)] | None = None
    """Whether the row below the header holds units, which are told and no row; or its line of the file, or row of the sheet, from 1. Without it a row of units that are known is found, and told."""
    skip_footer: Annotated[int, Field(ge=0, le=MAX_FOOTER)] | None = None
    """Last lines, or rows of a sheet, that are no rows, e.g. totals; blank ones do not count. With 0 none is taken for totals."""
    skip_blank: bool | None = None
    """Whether rows without any value are left out, or each is a row, a blank line too; without it, blank lines and rows of a sheet are left out, and lines of delimiters are rows."""
    decimal: Literal[".", ","] | None = None
    """What separates decimals in numbers."""
    encoding: NonEmpty | None = None
    """Encoding of the text, e.g. cp1252; without it, as a byte order mark tells, UTF-8, or what is detected."""
    records_at: BodyPath | None = None
    """Path in a JSON document to the list of records, e.g. data.items; a name with a dot stands in quotes, '"a.b".items'; without it the document is the list."""
    shape: Literal["records", "columns", "by_id"] | None = None
    """Shape of the records of a JSON document: records, as without it: a list of them; columns: an object of lists, {date: [..], temp: [..]}, of which the values at one place are a row; by_id: an object of records by their ids, which become the column id_column."""
    id_column: NonEmpty | None = None
    """Column that the ids of shape: by_id become, as texts unless it is declared otherwise."""
    names: ListNames | None = None
    """Names of the values where each record of a JSON document, or each line of JSON lines, is a list: [id, name, …], or first where the first record has them."""
    sheet: Annotated[int, Field(ge=0)] | NonEmpty | None = None
    """Sheet of an Excel or .ods file, by name or by number from 0; without it, the first."""
    member: NonEmpty | None = None
    """File within a .zip; without it, its only one."""

    @field_validator("delimiter", "quote", "escape", "comment")
    @classmethod
    def _is_a_character(cls, value: str | None, info: ValidationInfo) -> str | None:
        return check_character(str(info.field_name), value)

    _is_an_encoding = field_validator("encoding")(check_encoding)

    @field_validator("sheet", mode="before")
    @classmethod
    def _is_no_truth(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError(f"{value} is a truth value; write the sheet's name in quotes, or its number from 0")  # noqa: TRY004 - pydantic takes it as a mistake
        return value

    @field_validator("units_row", mode="before")
    @classmethod
    def _is_below_a_header(cls, value: Any) -> Any:
        if not isinstance(value, bool) and str(value) in ("0", "1"):
            raise ValueError(f"row {value} is above any below a header; write true, or the row of the units, e.g. 2")
        return value

    @model_validator(mode="after")
    def _fits_the_format(self) -> Reading:
        if self.format is not None:
            self._refuse_keys(FORMATS.get(self.format))
        if self.delimiter is not None and self.delimiter in (self.quote, self.decimal):
            raise ValueError(f"delimiter {self.delimiter!r} is also the quote or the decimal; choose another")
        if self.format == "tsv" and self.delimiter not in (None, "\t"):
            raise ValueError(f"delimiter {self.delimiter!r} is not that of tsv; declare format: csv")
        return self

    def _refuse_keys(self, kind: type[Format]) -> None:
        for key in KEYS_OF_FORMATS:
            if getattr(self, key) is not None and key not in kind.keys:
                of = " and ".join(FORMATS.names_with(key))
                raise ValueError(f"{key} is of {of}, and the format is {kind.name}; take one of them out")

    @model_validator(mode="after")
    def _has_one_shape(self) -> Reading:
        if (self.shape == "by_id") != (self.id_column is not None):
            raise ValueError(SHAPE_NEEDS_COLUMN)
        if self.names is not None and self.shape in ("columns", "by_id"):
            raise ValueError(
                f"names are of records that are lists, and shape {self.shape} has none; take one of them out"
            )
        return self

    @model_validator(mode="after")
    def _marks_differ(self) -> Reading:
        for key in ("escape", "comment"):
            mark = getattr(self, key)
            if mark and mark in (self.delimiter, self.decimal, self.quote if key == "comment" else None):
                raise ValueError(f"{key} {mark!r} is also the delimiter, the quote or the decimal; choose another")
        if self.escape and self.quote == "":
            raise ValueError(f"escape {self.escape!r} is of quoted fields, and quote is empty; take one of them out")
        return self

    @model_validator(mode="after")
    def _has_units_below_a_header(self) -> Reading:
        row = self.units_row
        if row and self.header is False:
            raise ValueError("units_row is below the header, and header is false; take one of them out")
        if row and row is not True and row <= (self.header_row or 0):
            cure = f"write the row of the units, e.g. {(self.header_row or 0) + 1}"
            raise ValueError(f"units_row {row} is not below header_row {self.header_row}; {cure}")
        return self

    @model_validator(mode="after")
    def _begins_once(self) -> Reading:
        if self.header_row is None:
            return self
        if self.header is False:
            raise ValueError(
                f"header_row {self.header_row} names the columns, and header is false; take one of them out"
            )
        if self.skip_rows is not None and self.skip_rows < self.header_row:
            raise ValueError(
                f"skip_rows {self.skip_rows} ends above header_row {self.header_row}; "
                f"leave it out, or count the lines as far as the first record, e.g. {self.header_row}"
            )
        return self
