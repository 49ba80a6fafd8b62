"""What a part of a stage came to: its value, or that it failed, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True)
class Failed:
    """A part that came to nothing; `message` says what is wrong, and what to do, and `part` which it is, where that is known."""

    message: str
    part: str = field(default="", kw_only=True)


Outcome: TypeAlias = Value | Failed
"""What was done, as it is, or `Failed`."""
