"""What was guessed of one file beside its types, or was declared of it."""

from __future__ import annotations

from dataclasses import dataclass

EXAMPLE = ", e.g. "
"""What stands in a warning before what is of this file alone: files with the same before it are told once."""


@dataclass(frozen=True)
class Hint:
    """What may be declared of a column that is of texts without it, e.g. of values like the example."""

    column: str
    example: str
    declare: str


@dataclass(frozen=True)
class Guess:
    """How a file was read: what does not apply to its format is empty.

    `skipped` lines stand above the header, or the first record; `title` is what
    the first of them says, unless they were declared. `totals` is the last line
    where that looks like one, and a reject unless `totals_kept`.
    """

    format: str
    encoding: str = ""
    delimiter: str = ""
    quote: str = ""
    escape: str = ""
    decimal: str = ""
    header: bool | None = None
    skipped: int = 0
    title: str = ""
    totals: str = ""
    totals_kept: bool = False
    hints: tuple[Hint, ...] = ()
    doubts: tuple[Hint, ...] = ()
    """By column a number that is another one by the other decimal, where nothing tells which the file has."""
