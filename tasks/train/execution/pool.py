"""The workers of a run: opened when first needed, opened again where one was killed, closed once."""

from __future__ import annotations

import asyncio
import time
from asyncio import CancelledError
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import UUID

from prefect import get_client, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import RunInput, State, StateDetails, TaskRunResult
from prefect.exceptions import ObjectNotFound
from prefect.futures import PrefectFuture, as_completed
from prefect.states import Completed, Crashed, Failed
from prefect.task_runners import TaskRunner

from tasks.config import Runner
from tasks.config.metrics import METRICS
from tasks.config.runners import RemoteRunner
from tasks.core.isolation.client import CallServer, call_no_longer, stopping
from tasks.core.isolation.worker import stop_workers
from tasks.core.story import quiet_engine
from tasks.runners.absence import LOOKS_EVERY_S, Absence
from tasks.runners.worker_check import only_place_for_workers
from tasks.runners.workers import check_workers, open_runner
from tasks.train.evaluation.results import EvaluationResult
from tasks.train.execution.shared_store import SharedStore
from tasks.train.execution.units import FITS, Unit, run_unit

OPENINGS = 4  # of the pool: a unit whose worker was killed each time is given up
_AHEAD = 2  # units a worker that are submitted: the next one is there when one ends
_STORED_S = 10.0  # after this, what Prefect, be it busy, has not stored of a killed task run it will not store
_POLL_S = 0.3
START_S = 4.0  # seconds of fits below which workers are not worth their start


@task(name="candidate", task_run_name="{unit.name}", cache_policy=NO_CACHE, persist_result=False)
def train_unit(unit: Unit, store: SharedStore | None = None) -> list[EvaluationResult] | State[Any]:
    """Fit and judge one candidate on some of its folds, or on the hold-out.

    A unit of its own because units run in parallel and each is finished, or
    failed, alone. Not retried: a fit is deterministic, and a failed one is a
    line on the leaderboard, and red in the UI, that the next run tries again.
    """
    quiet_engine()  # in the process of a worker, which knows no flow
    results = run_unit(unit, store)
    failed = next((result.error for result in results if result.error is not None), None)
    return results if failed is None else Failed(message=failed, data=results)


class Workers:
    """The workers that units run on, as a kind of runner makes them."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._open: TaskRunner[Any] | None = None
        self._is_short = False
        self._fit_server: CallServer | None = None
        self._ended: list[UUID] = []
        self._folds: defaultdict[str, list[TaskRunResult]] = defaultdict(list)
        """By their candidates, the task runs of its folds, which in the run's graph come before its others."""
        self._lost: list[UUID] = []
        self._absence = Absence(runner) if isinstance(runner, RemoteRunner) else None
        url = runner.data_url if isinstance(runner, RemoteRunner) else None
        self._store = None if url is None else SharedStore.within(url)
        self._offered = False
        self._waits = ExitStack()
        self._place: Path | None = None
        self._offering, self._serving = Lock(), Lock()
        stopping.clear()

    @property
    def ended(self) -> list[State[bool]]:
        """Return for each task run that has ended, however it did, a state by which another comes after it in the run's graph."""
        return [Completed(data=True, state_details=StateDetails(task_run_id=each)) for each in self._ended]

    @property
    def width(self) -> int:
        """Return how many units run at once."""
        return self._runner.width(self._opened)

    def run(
        self,
        units: Iterable[Unit],
        on_results: Callable[[Unit, list[EvaluationResult]], None],
        skip: Callable[[Unit], bool] = lambda _: False,
    ) -> None:
        """Run units, those that come first first, and tell what each came to; blocks until all are done.

        Units whose worker was killed run again, a few times. `skip` is asked
        before a unit starts.
        """
        waiting, flying = deque(units), dict[PrefectFuture[Any], Unit]()
        self._is_short = sum(unit.expected_s for unit in waiting) < START_S
        tries: Counter[str] = Counter()
        most = _AHEAD * self.width if waiting else 0
        while waiting or flying:
            while waiting and len(flying) < most:
                unit = waiting.popleft()
                if not skip(unit):
                    flying[self._submit(unit)] = unit
            if not flying:
                continue
            future = self._next_ended(flying)
            try:
                results = future.result(raise_on_failure=False)
            except Exception as error:
                if stopping.is_set():
                    raise
                waiting.extendleft(reversed(self._retry(flying, tries, error, on_results)))
                flying.clear()
                continue
            if stopping.is_set():
                raise CancelledError  # what it came to is that it was interrupted
            unit = flying.pop(future)
            self._ended.append(future.task_run_id)
            if unit.kind == "folds":
                self._folds[unit.job.name].append(TaskRunResult(id=future.task_run_id))
            on_results(unit, self._received(unit, _results_of(results)))

    def _next_ended(self, flying: Iterable[PrefectFuture[Any]]) -> PrefectFuture[Any]:
        """Return a future that has ended, as soon as one has; of a cluster it is looked meanwhile whether a worker is there."""
        if self._absence is None:
            return next(as_completed(list(flying)))
        while True:
            with suppress(TimeoutError):
                return next(as_completed(list(flying), timeout=LOOKS_EVERY_S))
            self._absence.look(self._open)

    def _submit(self, unit: Unit) -> PrefectFuture[Any]:
        self._offer(unit)
        unit = replace(unit, place=self._place)
        before = [*unit.job.members, *([] if unit.kind == "folds" else [unit.job])]
        after: set[RunInput] = {each for job in before for each in self._folds[job.name]}
        future: PrefectFuture[Any] = self._opened().submit(
            train_unit, {"unit": unit, "store": self._store}, dependencies={"unit": after}
        )
        return future

    def _offer(self, unit: Unit) -> None:
        """Put what every unit reads where the workers find it, once."""
        with self._offering:  # an interrupted run is closed by another thread, which is to find all that was put there
            self._opened()
            if self._store is None and self._place is None and isinstance(self._runner, RemoteRunner):
                self._place = self._waits.enter_context(only_place_for_workers(unit.job.training_set.path.parent))
            if self._store is not None and not self._offered:
                self._offered = True
                self._store.offer(unit.job)
            if self._store is not None and unit.job.members:
                self._store.offer_members(unit.job, unit.member_files)

    def _received(self, unit: Unit, parts: list[EvaluationResult]) -> list[EvaluationResult]:
        """Return the results of a unit, kept on this machine's disk whichever machine they come from."""
        if self._store is not None:
            self._store.receive(unit.job, parts)
        return parts

    def _opened(self) -> TaskRunner[Any]:
        if stopping.is_set():
            raise CancelledError  # the run was interrupted while this thread worked
        if self._open is None:
            made = self._runner.make_for_short_work(self._serve_fits) if self._is_short else None
            opened = open_runner(self._runner, made or self._runner.make(self._serve_fits))
            try:
                if isinstance(self._runner, RemoteRunner):
                    check_workers(self._runner, opened, None, METRICS.outside().values())
            except BaseException:
                opened.__exit__(None, None, None)
                raise
            self._open = opened
        return self._open

    def _serve_fits(self) -> str:
        """Return the address of the process that fits of this machine are forked from."""
        with self._serving:
            if stopping.is_set():
                raise CancelledError
            if self._fit_server is None or not self._fit_server.is_running:
                self._fit_server = CallServer(FITS)
            return self._fit_server.address

    def _retry(
        self,
        flying: dict[PrefectFuture[Any], Unit],
        tries: Counter[str],
        error: Exception,
        on_results: Callable[[Unit, list[EvaluationResult]], None],
    ) -> list[Unit]:
        """Return the units that are to run again after a worker was killed."""
        again = []
        for future, unit in flying.items():
            self._lost.append(future.task_run_id)
            tries[unit.name] += 1
            if tries[unit.name] < OPENINGS:
                again.append(unit)
            else:
                on_results(unit, [unit.failure(_death_of_a_worker(unit, error))])
        self._close_runner()
        return again

    def close(self) -> None:
        """End the workers, and tell Prefect of the task runs that ended with one that was killed."""
        with self._offering:
            self._waits.close()  # what a worker of elsewhere is at ends by itself
        if stopping.is_set():
            self._stop_fits()  # before the workers: those that are threads would wait for their fits
        self._close_runner()
        self._stop_fits()
        with self._offering:
            if self._store is not None and self._offered:
                self._store.clear()
        if self._lost and not stopping.is_set():
            _end_task_runs(self._ended, self._lost)

    def _stop_fits(self) -> None:
        call_no_longer(self._serve_fits)
        if self._fit_server is not None:
            self._fit_server.stop()

    def _close_runner(self) -> None:
        runner, self._open = self._open, None
        if runner is not None:
            with suppress(Exception):  # of a broken pool
                runner.__exit__(None, None, None)


@asynccontextmanager
async def opened_workers(runner: Runner) -> AsyncIterator[Workers]:
    """Yield the workers of a run; none is left when the block ends."""
    workers = Workers(runner)
    try:
        yield workers
    except CancelledError:
        stop_workers()  # the pool would wait for the fits to end
        raise
    finally:
        await asyncio.to_thread(workers.close)


def _results_of(answer: Any) -> list[EvaluationResult]:
    """Return the results of a unit; where the task itself failed, its error is raised."""
    if isinstance(answer, BaseException):
        raise answer
    results: list[EvaluationResult] = answer
    return results


def _death_of_a_worker(unit: Unit, error: Exception) -> str:
    return (
        f"training.candidates.{unit.job.name}: its worker process was killed {OPENINGS} times, by hand or by the system "
        f"for want of memory ({type(error).__name__}); use fewer training.runner.workers, or training.sample_rows"
    )


def _end_task_runs(ended: Sequence[UUID], lost: Sequence[UUID]) -> None:
    """Have the task runs that killed workers left Running end; those that had not begun are not there.

    A worker may be killed before it has told Prefect of a task run that ended.
    """
    crashed = partial(Crashed, message="Its worker process was killed.")
    waiting: dict[UUID, Callable[[], State[Any]]] = {**dict.fromkeys(ended, Completed), **dict.fromkeys(lost, crashed)}
    deadline = time.monotonic() + _STORED_S
    with get_client(sync_client=True) as client:
        while waiting and time.monotonic() < deadline:
            for number, end in list(waiting.items()):
                with suppress(ObjectNotFound):
                    state = client.read_task_run(number).state
                    if state is None or not state.is_final():
                        client.set_task_run_state(number, end(), force=True)
                    del waiting[number]
            time.sleep(_POLL_S if waiting else 0)
