"""A Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tasks.config.base import NonEmpty
from tasks.config.runners import Question, RemoteRunner
from tasks.core.errors import RunnerError

_ANSWERS_S = 10  # a scheduler that is there answers sooner, and a worker of it is there


class DaskRunner(RemoteRunner):
    """A Dask cluster: one that is running, or one on this machine for the run; it needs `pip install tidemill[dask]`."""

    kind: Literal["dask"] = "dask"
    """Kind of runner."""
    address: NonEmpty | None = None
    """Address of the scheduler of a running cluster, e.g. tcp://10.0.0.5:8786."""
    cluster: Literal["local"] | None = None
    """local, in the place of an address: a cluster on this machine, of processes with one thread each, which begins and ends with the run."""
    workers: Annotated[int, Field(ge=1, le=256)] | None = None
    """Processes of the local cluster; without it, one a core."""

    @model_validator(mode="after")
    def _is_one_cluster(self) -> DaskRunner:
        if self.address is None and self.cluster is None:
            raise ValueError(
                "neither address nor cluster says where its workers are; add address: tcp://HOST:8786, or cluster: local"
            )
        if self.address is not None and self.cluster is not None:
            raise ValueError(f"address ({self.address}) and cluster (local) are two clusters; take one of them out")
        if self.workers is not None and self.address is not None:
            raise ValueError(
                f"workers ({self.workers}) is of cluster: local, and the cluster at {self.address} has its own; take it out"
            )
        return self

    def make(self, fit_server: Callable[[], str]) -> Any:  # noqa: ARG002 - of this machine; each worker has its own
        """Return a client of the cluster.

        Raises:
            RunnerError: prefect-dask is not installed.

        """
        try:
            from prefect_dask import DaskTaskRunner  # noqa: PLC0415 - an extra
        except ImportError:
            raise RunnerError(
                "runner: kind dask needs prefect-dask, which is not installed; pip install 'tidemill[dask]'"
            ) from None
        address = self.address
        if address is None:
            from tasks.runners.local_cluster import LOCAL  # noqa: PLC0415 - where one is asked for

            address = LOCAL.address(self.workers)
        return DaskTaskRunner(address=address, client_kwargs={"timeout": _ANSWERS_S})

    def width(self, opened: Callable[[], Any]) -> int:
        """Return the threads of all workers."""
        return sum(opened().client.nthreads().values()) or 1

    def greet(self, opened: Any) -> None:
        """Wait for a worker: the client connects when it is first asked."""
        opened.client.wait_for_workers(1, timeout=_ANSWERS_S)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the local cluster, if it is one, for as long as the block runs."""
        if self.cluster is None:
            yield
            return
        from tasks.runners.local_cluster import LOCAL  # noqa: PLC0415 - where one is asked for

        with LOCAL.held():
            yield

    def ask_each(self, opened: Any, ask: Callable[[Question], str], question: Question) -> dict[str, str]:
        """Return what each worker answers, or why it cannot."""
        answers = opened.client.run(ask, question, on_error="return")
        return {
            address: f"cannot be asked ({type(answer).__name__}: {answer})" if isinstance(answer, Exception) else answer
            for address, answer in answers.items()
        }

    def count_workers(self, opened: Any) -> int:
        """Return how many workers the scheduler has."""
        return len(opened.client.nthreads())

    def watch(self, opened: Any, lost: Callable[[str, int], None]) -> None:
        """Have the scheduler tell of each worker that is gone before its tasks have ended."""

        def hear(event: tuple[float, Any]) -> None:
            told = event[1]
            if isinstance(told, dict) and told.get("action") == "remove-worker" and told.get("processing-tasks"):
                lost(str(told.get("worker")), len(told["processing-tasks"]))

        opened.client.subscribe_topic("all", hear)

    @property
    def place(self) -> tuple[str, str]:
        """Return the address, and the cure where nobody answers there."""
        if self.address is None:
            return "the local cluster", "run again"
        return self.address, "start the Dask scheduler, and a worker that it knows"

    def own_folder(self) -> Path:
        """Return the folder of this Dask worker, which is deleted when the worker ends."""
        from distributed import get_worker  # noqa: PLC0415 - an extra

        return Path(get_worker().local_directory) / "tidemill"
