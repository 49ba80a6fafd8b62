"""The check that the values of a column have a pattern."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import field_validator

from tasks.config.base import ConfigModel, NonEmpty
from tasks.config.checks import Condition, RowCheck
from tasks.core.tables import quote_name


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


class Matches(RowCheck):
    """A column whose values have a pattern; a row without a value passes."""

    name: ClassVar[str] = "matches"

    matches: Pattern
    """The column, and its pattern."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the column."""
        return (self.matches.column,)

    @property
    def expected(self) -> str:
        """Return what is expected."""
        return self.matches.regex

    def condition(self, types: Mapping[str, str]) -> Condition:  # noqa: ARG002 - of any type
        """Return that the value, as text, matches as a whole."""
        column, regex = self.matches.column, self.matches.regex
        sql = f"regexp_full_match(CAST({quote_name(column)} AS VARCHAR), ?)"
        return Condition(sql, f"have a value in {column} that does not match {regex}", (regex,))
