"""What every part of a pipeline file has in common."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

NAME_PATTERN = r"^[a-z][a-z0-9_-]*$"

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=64)]
"""A name that is also a folder, a SQL view and part of a Prefect artifact key."""

Scalar = int | float | str

_DURATION = re.compile(r"\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[smhdw])\s*")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Part(BaseModel):
    """A part of a pipeline: frozen, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _read_duration(value: Any) -> Any:
    """Return the time that a text like `24h` means; other values, ISO 8601 among them, are pydantic's to read."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match:
        return timedelta(**{_UNITS[match["unit"]]: float(match["number"])})
    if isinstance(value, str) and not value.startswith(("P", "-P")):
        raise ValueError(f"{value!r} is not a duration; write a number and s, m, h, d or w, e.g. 24h")
    return value


Duration = Annotated[timedelta, Field(ge=timedelta()), BeforeValidator(_read_duration)]
"""A span of time: `90s`, `30m`, `24h`, `7d`, `2w`."""
