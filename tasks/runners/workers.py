"""The workers of a stage that does its work elsewhere: opened when they are first needed, checked, and left when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import Any, TypeVar

from tasks.config.formats import FORMATS
from tasks.config.runners import RemoteRunner, Runner
from tasks.core.errors import RunnerError
from tasks.core.escaping import count
from tasks.core.story import warn
from tasks.runners import absence
from tasks.runners.absence import Absence
from tasks.runners.worker_check import expected_of_workers, tell_mistakes

Value = TypeVar("Value")

_HEEDS_S = 0.5


@dataclass(frozen=True)
class Ended:
    """What a task run came to, and its state."""

    value: Any
    state: Any

    def known_as(self, made: Value) -> Value:
        """Return what this process has made of the value: whatever is given it comes after the task in the run's graph."""
        from prefect.utilities.engine import link_state_to_task_run_result  # noqa: PLC0415 - where work is done elsewhere

        link_state_to_task_run_result(self.state, made)
        return made


class StageWorkers:
    """The workers that a stage hands its tasks to, which reach the data folder `root`."""

    def __init__(self, runner: RemoteRunner, stage: str, root: Path) -> None:
        self._runner, self._stage, self._root = runner, stage, root
        self._open: Any = None
        self._lock = Lock()
        self._absence = Absence(runner)

    def __reduce__(self) -> tuple[type[StageWorkers], tuple[RemoteRunner, str, Path]]:
        """Pickle without what is open: Prefect sends a task's parameters along with those that it submits."""
        return type(self), (self._runner, self._stage, self._root)

    async def run(self, task: Any, **parameters: Any) -> Ended:
        """Return what a task comes to on a worker; where that is killed, it runs again on another.

        Raises:
            RunnerError: no worker answers, or is left, one differs from the run, or the task has ended several.

        """
        future = await asyncio.to_thread(self._submit, task, parameters)
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(ended.set))
        try:
            while not ended.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), absence.LOOKS_EVERY_S)
                    break
                await asyncio.to_thread(self._look)
        except BaseException:
            _cancel(future)
            raise
        return await asyncio.to_thread(self._end, future)

    def call(self, task: Any, stop: Event, **parameters: Any) -> Any:
        """Return the same for a thread that waits for it until `stop` is set.

        Raises:
            CancelledError: it is.

        """
        future, ended = self._submit(task, parameters), Event()
        future.add_done_callback(lambda _: ended.set())
        try:
            while not ended.wait(_HEEDS_S) and self._open is not None:  # they are left where the run is cancelled
                refuse_stopped(stop)
                self._look()
        except BaseException:
            _cancel(future)
            raise
        return self._end(future).value

    def _look(self) -> None:
        if (opened := self._open) is not None:
            self._absence.look(opened)

    async def width(self) -> int:
        """Return how many tasks run at once."""
        return await asyncio.to_thread(self._width)

    def _width(self) -> int:
        opened = self._opened
        try:
            return self._runner.width(opened)
        except RunnerError:
            raise
        except Exception as error:  # a cluster fails in its own ways, some of which look like a disk's
            raise self._lost(error) from error

    def close(self) -> None:
        """Leave the workers."""
        with self._lock:
            opened, self._open = self._open, None
        if opened is not None:
            with suppress(Exception):  # of a cluster that is gone
                opened.__exit__(None, None, None)

    def _submit(self, task: Any, parameters: dict[str, Any]) -> Any:
        try:
            return self._opened().submit(task, parameters)
        except RunnerError:
            raise
        except Exception as error:  # a cluster fails in its own ways
            raise self._lost(error) from error

    def _end(self, future: Any) -> Ended:
        """Return what an ended task came to; raise what it raised."""
        try:
            state = future.wrapped_future.result()
        except BaseException as error:  # that of a cancelled one is no Exception
            raise self._lost(error) from error
        return Ended(future.result(), state)

    def _opened(self) -> Any:
        with self._lock:
            if self._open is None:
                opened = open_runner(self._runner, self._runner.make(_no_fits))
                try:
                    self._check(opened)
                except BaseException:
                    opened.__exit__(None, None, None)
                    raise
                self._open = opened
            return self._open

    def _check(self, opened: Any) -> None:
        """Ask each worker whether it can do the work, and have the run told of those that are gone.

        Raises:
            RunnerError: one cannot, in a line for each.

        """
        extensions = FORMATS.outside().values() if self._stage == "convert" else ()
        check_workers(self._runner, opened, self._root, extensions)
        context = copy_context()

        def tell(address: str, tasks: int) -> None:
            context.copy().run(
                warn,
                f"{self._stage}: the worker {address} is gone; {count(tasks, 'task')} begun or waiting there "
                "will run again on another",
            )

        self._runner.watch(opened, tell)

    def _lost(self, error: BaseException) -> RunnerError:
        where, cure = self._runner.place
        what = type(error).__name__
        if what == "KilledWorker":
            return RunnerError(
                f"runner: a task of {self._stage} has ended several workers at {where}, by hand or by the system for "
                "want of memory; give workers more memory, and run again"
            )
        said = (str(error).strip().splitlines() or [""])[0]
        return RunnerError(f"runner: lost the workers at {where} ({what}{f': {said}' if said else ''}); {cure}")


def refuse_stopped(stop: Event) -> None:
    """Raise CancelledError where a thread is to stop: none can be cancelled."""
    if stop.is_set():
        raise asyncio.CancelledError


def _cancel(future: Any) -> None:
    """Have a task not begin that nobody waits for; one that has begun goes on."""
    with suppress(Exception):  # of a cluster that is gone
        future.wrapped_future.cancel()


def _no_fits() -> str:
    raise RunnerError("runner: its workers are not asked for fits here; this is an error in Tidemill, please report it")


def open_runner(kind: Runner, made: Any) -> Any:
    """Return the task runner that a kind has made, running.

    Raises:
        RunnerError: no worker answers.

    """
    try:
        made.__enter__()
        kind.greet(made)
    except (OSError, ValueError) as error:  # nobody is there, or the address is none
        with suppress(Exception):
            made.__exit__(None, None, None)
        where, cure = kind.place
        raise RunnerError(f"runner: no worker at {where} ({error}); {cure}") from None
    return made


def check_workers(runner: RemoteRunner, opened: Any, root: Path | None, extensions: Iterable[str] = ()) -> None:
    """Ask each worker whether it is as the run is, and reaches the data folder, where it is to.

    Raises:
        RunnerError: one is not, or does not, in a line for each.

    """
    with expected_of_workers(root, extensions) as expected:
        answers = runner.ask_each(opened, tell_mistakes, expected)
    told = [f"runner: {address}: {answer}" for address, answer in answers.items() if answer]
    if told:
        raise RunnerError("\n".join(told))


@asynccontextmanager
async def holding(*runners: Runner) -> AsyncIterator[None]:
    """Hold, while the block runs, what runners start for a run."""
    async with AsyncExitStack() as held:
        for runner in runners:
            block = ExitStack()
            block.enter_context(runner.held())
            held.push_async_callback(_leave, block)
        yield


async def _leave(block: ExitStack) -> None:
    await asyncio.shield(asyncio.to_thread(block.close))


@asynccontextmanager
async def stage_workers(runner: Runner | None, stage: str, root: Path) -> AsyncIterator[StageWorkers | None]:
    """Yield the workers that a stage hands its tasks to; None where it does its work in this process."""
    if not isinstance(runner, RemoteRunner):
        yield None
        return
    async with holding(runner):
        workers = StageWorkers(runner, stage, root)
        try:
            yield workers
        finally:
            await asyncio.shield(asyncio.to_thread(workers.close))
