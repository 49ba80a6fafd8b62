"""What every part of a pipeline file has in common."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from tasks.core.imports import makes_forms

NAME_PATTERN = r"^[a-z][a-z0-9_-]*$"

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=64)]
"""A name that is also a folder, a SQL view and part of a Prefect artifact key."""

NonEmpty = Annotated[str, Field(min_length=1)]

BodyPath = Annotated[NonEmpty, BeforeValidator(lambda value: str(value) if type(value) is int else value)]
"""A path in a JSON body, names with dots between them; a number is a place in a list, counted from 0.

A name with a dot stands in quotes, `meta."@odata.count"`, but where it is all that is left of the path: `@odata.nextLink`.
"""

_DURATION = re.compile(r"\s*(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[smhdw])\s*")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_ISO_DURATION = TypeAdapter(timedelta)


Kind = Literal["browser", "function", "package", "target"]
"""What a pipeline file may name that is run, or written to."""

_trusted: set[tuple[Kind, str]] = set()


def trust(kind: Kind, text: str) -> None:
    """Have what a pipeline file on disk names be run, or written to; a form of the UI may name nothing else of the kind."""
    _trusted.add((kind, text))


def is_trusted(kind: Kind, text: str) -> bool:
    """Return whether a pipeline file on disk names something of a kind."""
    return (kind, text) in _trusted


MODELS: list[type[ConfigModel]] = []
"""Every model of the pipeline file, those that others hold before these."""


class ConfigModel(BaseModel):
    """A part of a pipeline: frozen, and a key it does not know is an error, which tells no value: it may be a secret."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=makes_forms(),  # half of the time that the models take
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        MODELS.append(cls)


def mistake_at(keys: tuple[str, ...], what: str) -> PydanticCustomError:
    """Return a mistake of a model as a whole that is told of what stands in it under some keys."""
    return PydanticCustomError("mistake_at", "{at}: {what}", {"within": keys, "at": ".".join(keys), "what": what})


def check_scalar(value: Any) -> Any:
    """Return a number or a text as it is: pydantic alone would make 1 of true."""
    if isinstance(value, bool):
        raise ValueError(f"{value} is a truth value; write the text or the number that is to be sent, e.g. 'true'")  # noqa: TRY004 - pydantic takes it as a mistake
    if not isinstance(value, int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{value!r:.80} is neither a number nor a text; write one value")
    return value


Scalar = Annotated[int | float | str, BeforeValidator(check_scalar)]
"""One value of an address or a body: a number or a text."""


def read_duration(value: Any) -> timedelta:
    """Return the time that a text like `24h` means, or one in ISO 8601, of which Prefect's JSON is made.

    Raises:
        ValueError: it means none, or one below zero.

    """
    duration = value if isinstance(value, timedelta) else _parse_duration(value)
    if duration is None or duration < timedelta():
        raise ValueError(f"{value!r:.80} is not a duration; write a number and s, m, h, d or w, e.g. 24h")
    return duration


def write_duration(duration: timedelta) -> str:
    """Return a duration in the largest unit that it is a whole number of."""
    for letter, unit in _UNITS.items():
        number, rest = divmod(duration, timedelta(**{unit: 1}))
        if number and not rest:
            return f"{number}{letter}"
    return f"{duration.total_seconds():g}s"


def _parse_duration(value: Any) -> timedelta | None:
    """Return what a text means as a duration; None where it means none."""
    if not isinstance(value, str):
        return None  # a number alone does not tell its unit
    match = _DURATION.fullmatch(value)
    try:
        if match:
            return timedelta(**{_UNITS[match["unit"]]: float(match["number"])})
        return _ISO_DURATION.validate_python(value) if value.startswith(("P", "-P")) else None
    except (OverflowError, ValidationError):
        return None


def _as_query(query: str) -> str:
    """Return the SQL of a query, which may be the name of a table."""
    named = query.strip()
    return f'SELECT * FROM "{named}"' if re.fullmatch(NAME_PATTERN, named) else query  # noqa: S608 - a plain name


Query = Annotated[NonEmpty, AfterValidator(_as_query)]
"""SQL, or the name of a table for all of its rows."""
Duration = Annotated[timedelta, BeforeValidator(read_duration)]
"""A span of time: `90s`, `30m`, `24h`, `7d`, `2w`."""
