"""Checks: what must hold of a table before it takes the place of the one before."""

from __future__ import annotations

from datetime import datetime
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from tasks.config.base import ConfigModel, Duration, NonEmpty, Scalar, check_scalar

Columns = Annotated[
    tuple[NonEmpty, ...],
    Field(min_length=1),
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
]


class _Check(ConfigModel):
    """What all checks share."""

    on_fail: Literal["fail", "warn"] = "fail"
    """fail: the table stays as it was, and the source fails; warn: it is told in the log and the summary."""


class NotNull(_Check):
    """Columns that have a value in every row."""

    not_null: Columns
    """Columns of the table, or one."""


class Unique(_Check):
    """Columns whose values together no two rows share; a row without a value in one of them shares none."""

    unique: Columns
    """Columns of the table, or one."""


class Bounds(ConfigModel):
    """The smallest and the largest value that a column may have, both included."""

    column: NonEmpty
    """Column of the table: numbers or times."""
    min: Scalar | None = None
    """The smallest value: a number, or a time as ISO 8601 has it, e.g. 2024-01-01; in UTC where it tells no zone."""
    max: Scalar | None = None
    """The largest value: a number, or a time."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Bounds:
        if self.min is None and self.max is None:
            raise ValueError("has neither min nor max; give one of them, or both")
        for name, value in (("min", self.min), ("max", self.max)):
            if isinstance(value, str) and not _is_time(value):
                raise ValueError(f"{name}: {value!r:.80} is neither a number nor a time; write e.g. 0 or 2024-01-01")
        if self.min is None or self.max is None:
            return self
        if isinstance(self.min, str) != isinstance(self.max, str):
            raise ValueError(f"{self.min!r:.80} and {self.max!r:.80} are a number and a time; write two of the same")
        if not isinstance(self.min, str) and not isinstance(self.max, str) and self.min > self.max:
            raise ValueError(f"no value is between {self.min} and {self.max}; write the smaller one as min")
        return self


class InRange(_Check):
    """A column whose values lie between two; a row without a value passes."""

    range: Bounds
    """The column, and its smallest and largest value."""


def _check_value(value: Any) -> Any:
    """Return a value of a column as it is: a number, a text or a truth value."""
    return value if isinstance(value, bool) else check_scalar(value)


class AllowedValues(ConfigModel):
    """The values that a column may have."""

    column: NonEmpty
    """Column of the table."""
    values: Annotated[
        tuple[Annotated[bool | int | float | str, BeforeValidator(_check_value)], ...], Field(min_length=1)
    ]
    """The values, e.g. [paid, open]."""


class Allowed(_Check):
    """A column that has none but some values; a row without a value passes."""

    allowed: AllowedValues
    """The column, and its values."""


class Pattern(ConfigModel):
    """The pattern that the values of a column have."""

    column: NonEmpty
    """Column of the table."""
    regex: NonEmpty
    """Regular expression, as RE2 has them, that matches the whole value."""

    @field_validator("regex")
    @classmethod
    def _compiles(cls, regex: str) -> str:
        import pyarrow as pa  # noqa: PLC0415 - 0.2 s, for none but a pattern
        import pyarrow.compute as pc  # noqa: PLC0415 - the same

        try:
            pc.match_substring_regex(pa.array([""]), regex)
        except pa.ArrowInvalid as error:
            said = str(error).removeprefix("Invalid regular expression: ")
            raise ValueError(f"{regex!r:.80} is no regular expression of RE2 ({said}); mend it") from None
        return regex


class Matches(_Check):
    """A column whose values have a pattern; a row without a value passes."""

    matches: Pattern
    """The column, and its pattern."""


class MinRows(_Check):
    """A table that has at least so many rows."""

    min_rows: Annotated[int, Field(ge=1)]
    """Number of rows."""


class Freshness(ConfigModel):
    """How old the newest row of a table may be."""

    column: NonEmpty
    """Column of dates or times; in UTC where they tell no zone."""
    within: Duration
    """How long before now its latest value may be, e.g. 48h."""


class Fresh(_Check):
    """A table whose newest row is not old."""

    fresh: Freshness
    """The column of times, and how old the latest may be."""


_CHECKS: dict[str, type[ConfigModel]] = {
    "not_null": NotNull,
    "unique": Unique,
    "range": InRange,
    "allowed": Allowed,
    "matches": Matches,
    "min_rows": MinRows,
    "fresh": Fresh,
}


def _is_one_check(value: Any) -> Any:
    """Return a mapping that has the key of one check; of another, pydantic could not tell what it was to be."""
    if not isinstance(value, dict):
        return value
    said = [key for key in value if key in _CHECKS]
    if len(said) > 1:
        raise ValueError(f"{' and '.join(said)} are two checks; write each as an entry of its own")
    if not said:
        others = [str(key) for key in value if key != "on_fail"]
        near = get_close_matches(others[0], _CHECKS, n=1, cutoff=0.6) if others else []
        cure = f"did you mean {near[0]}?" if near else f"write one of {', '.join(_CHECKS)}"
        raise ValueError(f"{', '.join(others) or 'nothing'} is no check; {cure}")
    return value


def _tag(value: Any) -> str | None:
    """Return the name of the model that a check is one of."""
    if isinstance(value, dict):
        return next((model.__name__.lower() for key, model in _CHECKS.items() if key in value), None)
    return type(value).__name__.lower()


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


Check = Annotated[
    Annotated[NotNull, Tag("notnull")]
    | Annotated[Unique, Tag("unique")]
    | Annotated[InRange, Tag("inrange")]
    | Annotated[Allowed, Tag("allowed")]
    | Annotated[Matches, Tag("matches")]
    | Annotated[MinRows, Tag("minrows")]
    | Annotated[Fresh, Tag("fresh")],
    Discriminator(
        _tag,
        custom_error_type="no_check",
        custom_error_message="Is not a check; write a mapping, e.g. {not_null: [id]}",
    ),
    BeforeValidator(_is_one_check),
]
