"""Checks of a table: what all kinds share, and the registry of kinds; the one key that is its own says which a check is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from tasks.config.base import ConfigModel, NonEmpty
from tasks.config.kinds import Kinds
from tasks.core.suggestions import did_you_mean

Columns = Annotated[
    tuple[NonEmpty, ...],
    Field(min_length=1),
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
]
"""Columns of the table, or one."""


class Check(ConfigModel):
    """What must hold of a table before it takes the place of the one before."""

    name: ClassVar[str]
    """The key by which it is declared; a field has the same name."""
    ages: ClassVar[bool] = False
    """Whether it may fail later of the same rows; each run does it again then."""

    on_fail: Literal["fail", "warn"] = "fail"
    """fail: the table stays as it was, and the source fails; warn: it is told in the log and the summary."""

    @classmethod
    def __pydantic_init_subclass__(cls, **keys: Any) -> None:
        if ABC not in cls.__bases__:
            _refuse_half(cls)
        super().__pydantic_init_subclass__(**keys)

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Return the columns that it is of; they are there when anything else is asked."""

    @property
    @abstractmethod
    def expected(self) -> str:
        """Return what it asks for, in few words."""

    def refuse(self, types: Mapping[str, str]) -> None:
        """Raise ValueError where it cannot be told of columns of these types."""


def as_warning(check: Check) -> Check:
    """Return a check that is told where it fails, and ends nothing."""
    return check.model_copy(update={"on_fail": "warn"})


def _refuse_half(kind: type[Check]) -> None:
    """Raise TypeError of a kind that lacks a part: it would fail in a run."""
    name = getattr(kind, "name", None)
    if name is None:
        raise TypeError(f"{kind.__name__} has no name; add name: ClassVar[str], and a field that is called so")
    if name not in kind.model_fields or name in Check.model_fields:
        raise TypeError(f"{kind.__name__} has no field {name!r} of its own, by which it is declared; add it")
    if missing := ", ".join(sorted(kind.__abstractmethods__)):
        raise TypeError(f"{kind.__name__} has no {missing}; add it")


@dataclass(frozen=True)
class Condition:
    """What a row must fulfil, as SQL in which each ? stands for a value, and `reason`, what is wrong with a row that does not.

    As with CHECK in SQL, a row passes of which it is null.
    """

    sql: str
    reason: str
    values: tuple[Any, ...] = ()


class RowCheck(Check, ABC):
    """A check of each row by itself."""

    @abstractmethod
    def condition(self, types: Mapping[str, str]) -> Condition:
        """Return what each row must fulfil, in a table of columns of these types."""


class TableRows(Protocol):
    """The rows of a table, which SQL calls `rows`."""

    @property
    def count(self) -> int:
        """Return how many there are."""

    def fetch(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the result of a query, in which each ? stands for a value."""


@dataclass(frozen=True)
class CheckFailure:
    """How a table fails a check: a message, how many rows do, and values of some by column."""

    message: str
    rows_failed: int = 0
    examples: tuple[Mapping[str, Any], ...] = ()


class TableCheck(Check, ABC):
    """A check of all rows together."""

    @abstractmethod
    def find(self, rows: TableRows, types: Mapping[str, str], now: datetime) -> CheckFailure | None:
        """Return how a table of columns of these types fails; None where it does not."""


_KINDS = "tasks.convert.checks"


def _tag(value: Any) -> str | None:
    """Return the name of what a check is one of."""
    if isinstance(value, Check):
        return value.name
    return next((name for name in CHECKS.kinds if name in value), None)


CHECKS = Kinds(
    "tidemill.checks",
    "tasks.config.checks:Check",
    {
        "not_null": f"{_KINDS}.not_null:NotNull",
        "unique": f"{_KINDS}.unique:Unique",
        "range": f"{_KINDS}.range:InRange",
        "allowed": f"{_KINDS}.allowed:Allowed",
        "matches": f"{_KINDS}.matches:Matches",
        "min_rows": f"{_KINDS}.min_rows:MinRows",
        "fresh": f"{_KINDS}.fresh:Fresh",
    },
    tag=_tag,
)


def _is_one_check(value: Any) -> Any:
    """Return a mapping that has the key of one check; of another, pydantic could not tell what it was to be."""
    if isinstance(value, Check):
        return value
    if not isinstance(value, dict):
        raise PydanticCustomError("no_check", "Is not a check; write a mapping, e.g. {not_null: [id]}")
    known = CHECKS.kinds
    said = [key for key in value if key in known]
    if len(said) > 1:
        raise ValueError(f"{' and '.join(said)} are two checks; write each as an entry of its own")
    if not said:
        others = [str(key) for key in value if key != "on_fail"]
        cure = did_you_mean("".join(others[:1]), known, f"write one of {', '.join(known)}")
        raise ValueError(f"{', '.join(others) or 'nothing'} is no check; {cure}")
    return value


DeclaredCheck = Annotated[Check, CHECKS, BeforeValidator(_is_one_check)]
