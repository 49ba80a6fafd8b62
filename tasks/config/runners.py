"""Where candidates are fitted: what all kinds of runners share, and the registry of kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import field_validator

from tasks.config.base import ConfigModel, NonEmpty
from tasks.config.http import check_store_url
from tasks.config.kinds import Kinds


class Runner(ConfigModel):
    """A kind of workers, as one of Prefect's task runners; each fit has a process of its own wherever its worker is."""

    kind: str
    """Kind of runner."""

    @classmethod
    def __pydantic_init_subclass__(cls, **keys: Any) -> None:
        if ABC not in cls.__bases__:
            _refuse_half(cls)
        super().__pydantic_init_subclass__(**keys)

    @abstractmethod
    def make(self, fit_server: Callable[[], str]) -> Any:
        """Return a Prefect task runner, which Tidemill opens; another one where a worker was killed.

        Args:
            fit_server: What returns the address of the process that fits are forked from, for workers of this machine.

        """

    def make_for_short_work(self, fit_server: Callable[[], str]) -> Any | None:  # noqa: ARG002 - of this machine, as above
        """Return a Prefect task runner for fits that end before workers would have started; None where workers are always wanted."""
        return None

    @abstractmethod
    def width(self, opened: Callable[[], Any]) -> int:
        """Return how many units run at once.

        Args:
            opened: What returns the task runner that was made, open.

        """

    def greet(self, opened: Any) -> None:
        """Do what is to be done once with an open task runner; an OSError of it, or of opening it, says that no worker answers."""

    @property
    def place(self) -> tuple[str, str]:
        """Return where its workers are, and the cure where none of them answers."""
        return "this machine", "run again"


def _refuse_half(kind: type[Runner]) -> None:
    """Raise TypeError of a kind that lacks a part: it would fail in a run."""
    if not isinstance(kind.model_fields["kind"].default, str):
        raise TypeError(
            f'{kind.__name__} has no name; add kind: Literal["{kind.__name__.lower()}"] = "{kind.__name__.lower()}"'
        )
    if missing := ", ".join(sorted(kind.__abstractmethods__)):
        raise TypeError(f"{kind.__name__} has no {missing}; add it")


class RemoteRunner(Runner, ABC):
    """Workers of other machines, which reach what they learn from at the data folder's path or through a store."""

    data_url: NonEmpty | None = None
    """Folder of a store that this machine and every worker reach, e.g. s3://bucket/tidemill: rows and models are handed over there, in a folder run-… that is deleted in the end, unless the run was killed; without it, workers mount the data folder at the same path."""

    @abstractmethod
    def own_folder(self) -> Path:
        """Return a folder of the worker's own, in which it is asked; the worker deletes it when it ends."""

    @field_validator("data_url")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        return url if url is None else check_store_url(url)


_KINDS = "tasks.train.execution.runners"
RUNNERS = Kinds(
    "tidemill.runners",
    "tasks.config.runners:Runner",
    {"processes": f"{_KINDS}.processes:ProcessesRunner", "dask": f"{_KINDS}.dask:DaskRunner"},
)
DeclaredRunner = Annotated[Runner, RUNNERS]
