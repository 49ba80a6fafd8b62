"""Where heavy work is done: what all kinds of runners share, and the registry of kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import field_validator

from tasks.config.base import ConfigModel, NonEmpty
from tasks.config.http import check_store_url
from tasks.config.kinds import Kinds

Question = TypeVar("Question")


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

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold, while the block runs, what the kind starts for a run; of blocks within each other it ends with the outermost."""
        yield

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
    """Workers of other machines, which reach the data folder at its path, or what they learn from through a store; convert and functions of tables run there too."""

    data_url: NonEmpty | None = None
    """Folder of a store that this machine and every worker reach, e.g. s3://bucket/tidemill: rows and models are handed over there, in a folder run-… that is deleted in the end, unless the run was killed; without it, workers mount the data folder at the same path."""

    @abstractmethod
    def own_folder(self) -> Path:
        """Return a folder of the worker's own, in which it is asked; the worker deletes it when it ends."""

    def ask_each(
        self,
        opened: Any,  # noqa: ARG002 - of kinds that can
        ask: Callable[[Question], str],  # noqa: ARG002 - the same
        question: Question,  # noqa: ARG002 - the same
    ) -> dict[str, str]:
        """Return what each worker answers, by its address, or why it cannot; nothing where workers cannot be asked one by one."""
        return {}

    def count_workers(self, opened: Any) -> int | None:  # noqa: ARG002 - of kinds that can
        """Return how many workers are there; None where that is not known."""
        return None

    def watch(self, opened: Any, lost: Callable[[str, int], None]) -> None:
        """Have `lost` called with the address of a worker that is gone, and how many of the tasks begun there run again; where none is told, that is all."""

    @field_validator("data_url")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        return url if url is None else check_store_url(url)


_KINDS = "tasks.runners"
RUNNERS = Kinds(
    "tidemill.runners",
    "tasks.config.runners:Runner",
    {"processes": f"{_KINDS}.processes:ProcessesRunner", "dask": f"{_KINDS}.dask:DaskRunner"},
)
DeclaredRunner = Annotated[Runner, RUNNERS]
