"""Processes of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field

from tasks.config.runners import Runner


class ProcessesRunner(Runner):
    """Worker processes on this machine."""

    kind: Literal["processes"] = "processes"
    """Kind of runner."""
    workers: Annotated[int, Field(ge=1, le=256)] | None = None
    """Processes that train at once; without it, one a core, and none beside those of the fits where all fits together are expected to take less time than workers need to start."""

    def make(self, fit_server: Callable[[], str]) -> Any:
        """Return a pool of processes, which all fork from one."""
        from prefect.task_runners import ProcessPoolTaskRunner  # noqa: PLC0415 - the models are light

        from tasks.core.isolation.worker import start_worker  # noqa: PLC0415 - the same

        return ProcessPoolTaskRunner(max_workers=self.workers, initializer=start_worker, initargs=(fit_server(),))

    def make_for_short_work(self, fit_server: Callable[[], str]) -> Any | None:
        """Return threads that wait for fits, unless workers are declared: a worker imports Prefect for seconds."""
        if self.workers is not None:
            return None
        from prefect.task_runners import ThreadPoolTaskRunner  # noqa: PLC0415 - the models are light

        from tasks.core.isolation.client import call_at  # noqa: PLC0415 - the same

        call_at(fit_server)
        return ThreadPoolTaskRunner(max_workers=self.width(lambda: None))

    def width(self, opened: Callable[[], Any]) -> int:  # noqa: ARG002 - known without it
        """Return the number of workers."""
        return self.workers or os.cpu_count() or 1

    def greet(self, opened: Any) -> None:
        """Have Python not wait at exit for what a killed worker would have sent."""
        from prefect.task_runners import ProcessPoolTaskRunner  # noqa: PLC0415 - the models are light

        if isinstance(opened, ProcessPoolTaskRunner) and opened._subprocess_message_queue is not None:  # noqa: SLF001 - as below
            # A worker that is killed while it sends to Prefect keeps the queue's lock: Python would wait for it.
            opened._subprocess_message_queue.cancel_join_thread()  # noqa: SLF001 - Prefect 3.8 has no other way
