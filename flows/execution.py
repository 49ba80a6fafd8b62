"""A run in this process: the pipeline flow, its progress, and Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import FlowRun

from flows.api import PrefectApi
from flows.drain import STORED_S, drain
from flows.pipeline import Stage, pipeline
from tasks.progress import Step, listening
from tasks.spec import Pipeline
from tasks.summary import RunSummary
from tasks.train.workers import stop_workers

_INTERRUPTED_STORED_S = 1.5  # after a Ctrl-C the shell is waited for


def execute(
    spec: Pipeline, data: Path, *, fresh: bool, only: Stage | None, api: PrefectApi, listener: Callable[[Step], None]
) -> RunSummary:
    """Run a pipeline to its end and return when Prefect has stored the run.

    Raises:
        TidemillError: a stage failed.
        KeyboardInterrupt: the run was interrupted; its processes are gone.

    """
    flow_runs: list[UUID] = []

    def remember(_flow: Any, flow_run: FlowRun, _state: Any) -> None:
        flow_runs.append(flow_run.id)

    hooks: list[Any] = [remember]
    limit_s = STORED_S
    try:
        with listening(listener):
            return _run(pipeline.with_options(on_running=hooks)(spec, data, fresh, only))
    except KeyboardInterrupt:
        limit_s = _INTERRUPTED_STORED_S
        raise
    finally:
        drain(api, flow_runs[0] if flow_runs else None, limit_s)


def _run(coroutine: Any) -> RunSummary:
    """Run a coroutine; the first SIGINT or SIGTERM cancels it and ends the workers at once."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        task = loop.create_task(coroutine)

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            stop_workers()
            loop.call_soon_threadsafe(task.cancel)

        with _handling(interrupt):
            try:
                summary: RunSummary = loop.run_until_complete(task)
            except asyncio.CancelledError:
                raise KeyboardInterrupt from None
        return summary


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
