"""A Dask cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from tasks.config.base import NonEmpty
from tasks.config.runners import RemoteRunner
from tasks.core.errors import TrainingError

_ANSWERS_S = 10  # a scheduler that is there answers sooner


class DaskRunner(RemoteRunner):
    """A running Dask cluster; it needs `pip install tidemill[dask]`."""

    kind: Literal["dask"] = "dask"
    """Kind of runner."""
    address: NonEmpty
    """Address of the scheduler, e.g. tcp://10.0.0.5:8786."""

    def make(self, fit_server: Callable[[], str]) -> Any:  # noqa: ARG002 - of this machine; each worker has its own
        """Return a client of the cluster.

        Raises:
            TrainingError: prefect-dask is not installed.

        """
        try:
            from prefect_dask import DaskTaskRunner  # noqa: PLC0415 - an extra
        except ImportError:
            raise TrainingError(
                "training.runner: kind dask needs prefect-dask, which is not installed; pip install 'tidemill[dask]'"
            ) from None
        return DaskTaskRunner(address=self.address, client_kwargs={"timeout": _ANSWERS_S})

    def width(self, opened: Callable[[], Any]) -> int:
        """Return the threads of all workers."""
        return sum(opened().client.nthreads().values()) or 1

    def greet(self, opened: Any) -> None:
        """Ask for the workers: the client connects when it is first asked."""
        opened.client.nthreads()

    @property
    def place(self) -> tuple[str, str]:
        """Return the address, and the cure where nobody answers there."""
        return self.address, "start the Dask scheduler"

    def own_folder(self) -> Path:
        """Return the folder of this Dask worker, which is deleted when the worker ends."""
        from distributed import get_worker  # noqa: PLC0415 - an extra

        return Path(get_worker().local_directory) / "tidemill"
