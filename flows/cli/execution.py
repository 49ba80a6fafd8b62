"""A run in this process: the pipeline flow, its progress, and Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import UUID

import httpx
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import CancelledRun, TerminationSignal

from flows.cancellation import signals_cancel
from flows.cli.flush import STORED_S, TaskRunsNoted, flush
from flows.cli.prefect_api import PrefectApi
from flows.pipeline import pipeline
from flows.stage import shared_pipeline
from flows.summary import RunOptions, RunSummary, read_summary
from tasks.config import Pipeline
from tasks.core.errors import LostServerError, SkippedError, TidemillError
from tasks.core.isolation.worker import stop_workers
from tasks.core.progress import ProgressEvent, subscribed

_WATCH_S = 1.0
_CANCELS = 4
_INTERRUPTED_STORED_S = 5.0  # at most: after a Ctrl-C the shell is waited for


@dataclass(frozen=True)
class RunResult:
    """How a run ended: its summary, where it came so far as to have one, and what ended it, if anything did."""

    summary: RunSummary | None
    error: TidemillError | None = None


def execute(
    file: Path,
    config: Pipeline,
    data: Path,
    choice: RunOptions,
    *,
    api: PrefectApi,
    listener: Callable[[ProgressEvent], None],
) -> RunResult:
    """Run what is chosen of a pipeline to its end and return when Prefect has stored the run.

    Raises:
        KeyboardInterrupt: the run was interrupted; its processes are gone.

    """
    execution = FlowExecution(api, listener)
    try:
        with shared_pipeline(config, file.absolute()) as given:
            return RunResult(
                execution.run(pipeline, given, data, choice.fresh, choice.only, choice.partitions, choice.limit)
            )
    except CancelledRun as error:
        return RunResult(None, SkippedError(str(error)))
    except TidemillError as error:
        flow_run = execution.flow_run_id
        return RunResult(read_summary(choice.folder(data), str(flow_run)) if flow_run else None, error)


class FlowExecution:
    """A flow run in this process, of whose progress a listener is told; `flow_run_id` is known once it runs."""

    def __init__(self, api: PrefectApi, listener: Callable[[ProgressEvent], None]) -> None:
        self._api = api
        self._listener = listener
        self.flow_run_id: UUID | None = None

    def run(self, flow: Any, *asked: Any) -> Any:
        """Run a flow to its end and return its result when Prefect has stored the run.

        Raises:
            KeyboardInterrupt: the run was interrupted; its processes are gone.
            LostServerError: the server is gone.

        """
        interrupted, has_task_runs = False, True
        try:
            with subscribed(self._listener), signals_cancel(), TaskRunsNoted() as noted:
                ended = _run(flow.with_options(on_running=[self._remember], on_cancellation=[])(*asked), self._api)
            has_task_runs = noted.has_some
        except KeyboardInterrupt:
            interrupted = True
            raise
        except httpx.TransportError as error:  # Prefect has asked the server for long enough
            if self._api.answers():
                raise
            raise self._api.loss from error
        finally:
            if self._api.is_alive:
                flush(
                    self._api,
                    self.flow_run_id,
                    _INTERRUPTED_STORED_S if interrupted else STORED_S,
                    interrupted=interrupted,
                    has_task_runs=has_task_runs,
                )
        return ended

    def _remember(self, _flow: Any, flow_run: FlowRun, _state: Any) -> None:
        self.flow_run_id = self.flow_run_id or flow_run.id


def _run(coroutine: Any, api: PrefectApi) -> Any:
    """Run a coroutine; the first SIGINT or SIGTERM, or the loss of the server, cancels it and ends the workers."""
    runner = asyncio.Runner()
    loop, threads = runner.get_loop(), _Threads()
    loop.set_default_executor(threads)
    task = loop.create_task(coroutine)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        threads.abandoned = True
        stop_workers()
        loop.call_soon_threadsafe(task.cancel)

    def hear(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), TerminationSignal):  # it came in a callback, whose errors end nothing
            interrupt(signal.SIGTERM, None)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(hear)
    with _handling(interrupt):
        try:
            result = loop.run_until_complete(_while_alive(task, api))
        except LostServerError:  # to close the loop would be to wait for what Prefect still asks the server
            raise
        except TerminationSignal:  # a flow has a handler of its own for SIGTERM, which raises this wherever the loop is
            signal.signal(signal.SIGTERM, interrupt)
            interrupt(signal.SIGTERM, None)
            runner.close()
            raise KeyboardInterrupt from None
        except (asyncio.CancelledError, Exception):
            runner.close()
            if not threads.abandoned:  # what a cancelled flow ends in is Prefect's affair
                raise
            raise KeyboardInterrupt from None
    runner.close()
    return result


async def _while_alive(task: asyncio.Task[Any], api: PrefectApi) -> Any:
    """Return what a task returns; where the server is gone before it, cancel it."""
    while api.is_alive:
        done, _ = await asyncio.wait([task], timeout=_WATCH_S)
        if done:
            return task.result()
        await api.look()
    stop_workers()
    for _ in range(_CANCELS):  # a flow in a flow: each asks the server for minutes, unless it is cancelled once more
        task.cancel()
        await asyncio.wait([task], timeout=_WATCH_S)
    raise api.loss


class _Threads(ThreadPoolExecutor):
    """The loop's threads; after an interrupt nobody waits for one that is in a long call, as of a workbook's reader."""

    abandoned = False

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=wait and not self.abandoned, cancel_futures=cancel_futures)


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
