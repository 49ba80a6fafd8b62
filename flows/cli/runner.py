"""Deployments registered with a Prefect API, and their runs started here, until the command is ended."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast
from uuid import UUID

import httpx
import prefect.runner.runner
from prefect import Flow, get_client
from prefect._internal.observers import FlowRunCancellingObserver
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.flows import load_flow_from_entrypoint
from prefect.runner import Runner
from prefect.schedules import Cron, Interval, RRule
from prefect.states import Cancelled
from prefect.types.entrypoint import EntrypointType
from pydantic import ValidationError

from flows.alerts import alerted_pipelines, sync_alerts
from flows.cli.prefect_api import PrefectApi
from flows.cli.served_runs import ServedRuns
from flows.deployments import FILE, Deployment, Timetable
from flows.heartbeats import sync_recovery
from tasks.core.errors import ConfigError
from tasks.core.scratch import make_scratch

_LOOK_S = 2.0
_ANSWER_S = 10.0
_STOP_S = 10.0  # for runs that are cancelled
_ADDED_S = 1.0  # within which a scheduler adds the runs that it was making
_SCHEDULES: dict[str, Any] = {"cron": Cron, "interval": Interval, "rrule": RRule}
_PASSED_ON = ("name", "description", "version", "tags", "parameters", "paused", "enforce_parameter_schema", "triggers")
_OUTAGES = (httpx.TransportError, PrefectHTTPStatusError, httpx.HTTPStatusError)


def make_deployment(deployment: Deployment) -> RunnerDeployment:
    """Return a deployment as Prefect's own class: without a work pool, as no worker is meant to run it.

    Raises:
        ConfigError: its flow is not there, or Prefect does not take one of its schedules or settings.

    """
    flow = _load_flow(deployment)
    arguments = {name: getattr(deployment, name) for name in _PASSED_ON if getattr(deployment, name) is not None}
    schedules = [_make_schedule(deployment, timetable) for timetable in deployment.schedules]
    limit = deployment.concurrency_limit
    try:
        made = flow.to_deployment(
            entrypoint_type=EntrypointType.MODULE_PATH,
            concurrency_limit=ConcurrencyLimitConfig(**limit) if isinstance(limit, dict) else limit,
            schedules=schedules,
            **arguments,
        )
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{FILE}: deployments.{deployment.name}: {_reason(error)}; correct it") from None
    made = cast(RunnerDeployment, made)  # a coroutine only where a loop runs
    made.work_pool_name = made.work_queue_name = None  # set, so that what was deployed to a pool before leaves it
    return made


def _load_flow(deployment: Deployment) -> Flow[..., Any]:
    try:
        return load_flow_from_entrypoint(deployment.entrypoint)
    except Exception as error:  # noqa: BLE001 - a module may raise anything when it is imported
        raise ConfigError(
            f"{FILE}: deployments.{deployment.name}.entrypoint: {deployment.entrypoint!r} is no flow "
            f"({_reason(error)}); write module:function, e.g. flows.pipeline:pipeline"
        ) from None


def _make_schedule(deployment: Deployment, timetable: Timetable) -> DeploymentScheduleCreate:
    (kind,) = timetable.kinds
    given = timetable.model_dump(exclude_none=True, exclude={kind, "replaces"})
    try:
        return DeploymentScheduleCreate.from_schedule(_SCHEDULES[kind](getattr(timetable, kind), **given))
    except (ValueError, TypeError) as error:
        where = f"{FILE}: deployments.{deployment.name}.schedules: {timetable}"
        raise ConfigError(f"{where}: {_reason(error)}; correct it") from None


def _reason(error: Exception) -> str:
    """Return what is wrong in one line; of pydantic's several lines those that tell it."""
    if isinstance(error, ValidationError):
        return "; ".join(details["msg"].removeprefix("Value error, ") for details in error.errors())
    return " ".join(str(error).split()) or type(error).__name__


async def serve_until_ended(deployments: Sequence[tuple[Deployment, RunnerDeployment]], api: PrefectApi) -> None:
    """Register deployments and start their runs when they are due, until SIGINT or SIGTERM.

    A server that does not answer is waited for, however long.

    Raises:
        ServerError: the temporary server has ended.

    """
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    _keep_interrupts_from_runs()
    async with get_client() as client, httpx.AsyncClient(base_url=api.url, timeout=_ANSWER_S) as probe:
        serving = _Serving(api, client, probe, deployments)
        await serving.register()
        await serving.follow(ended)


class _Observer(FlowRunCancellingObserver):
    """Watches for runs that are cancelled in the UI; Prefect's own gives up for good at the third failure."""

    async def _check_for_cancelled_flow_runs(self) -> None:
        with suppress(*_OUTAGES):
            await super()._check_for_cancelled_flow_runs()  # type: ignore[no-untyped-call]


prefect.runner.runner.FlowRunCancellingObserver = _Observer  # type: ignore[attr-defined]


def _keep_interrupts_from_runs() -> None:
    """Have a Ctrl-C in the terminal reach this process alone, which then cancels the runs in the right order.

    Processes inherit what is blocked in the thread that starts them; another thread takes the signal for the loop.
    """
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


class _Serving:
    """Deployments that are served, by a runner, from a server that may be away for a while."""

    def __init__(
        self,
        api: PrefectApi,
        client: PrefectClient,
        probe: httpx.AsyncClient,
        deployments: Sequence[tuple[Deployment, RunnerDeployment]],
    ) -> None:
        self._api, self._client, self._probe = api, client, probe
        self._deployments = deployments
        self._alerted = alerted_pipelines(deployment for deployment, _ in deployments)
        self._runner = Runner(pause_on_shutdown=False)  # its own way of it fails where the server is away
        self._runner._tmp_dir = make_scratch("serve")  # noqa: SLF001 - it would leave an empty folder behind, and what is killed its own
        self._served: dict[UUID, Deployment] = {}
        self._runs = ServedRuns(client)
        self._is_away = False

    async def register(self) -> None:
        """Register what the server does not know of, with its alerts."""
        for deployment, made in self._deployments:
            known = [id_ for id_, served in self._served.items() if served is deployment]
            if known and await self._is_known(known[0]):
                continue
            id_ = await self._runner.aadd_deployment(made)
            self._served[id_] = deployment
            self._runs.add(id_, deployment.name, scheduled=deployment.is_scheduled)
        await sync_recovery(self._client)
        for line in await sync_alerts(self._client, self._alerted):
            print(line)

    async def _register_again(self) -> None:
        """Register with a server that was away, which may be another by now; alerts that it lacks the blocks for are told."""
        try:
            await self.register()
        except ConfigError as error:
            print(f"{_now()}  {error}")

    async def _is_known(self, deployment: UUID) -> bool:
        try:
            await self._client.read_deployment(deployment)
        except ObjectNotFound:
            return False
        return True

    async def follow(self, ended: asyncio.Event) -> None:
        """Start what is due and tell of it, over and over, until `ended` is set; then end what runs."""
        async with self._runner:
            try:
                while not ended.is_set():
                    if not self._api.is_alive:
                        raise self._api.loss
                    await self._look()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(ended.wait(), _LOOK_S)
            finally:
                await self._end()

    async def _look(self) -> None:
        """Start what is due and print what is new; where the server is away, say so once."""
        try:
            (await self._probe.get("/health")).raise_for_status()
            if self._is_away:
                await self._register_again()
            # Its own loop, `start`, gives up at the third failure, and ends the runs under way.
            await self._runner._get_and_submit_flow_runs()  # type: ignore[no-untyped-call]  # noqa: SLF001 - see above
            lines = await self._runs.look()
        except _OUTAGES as error:
            if not self._is_away:
                print(
                    f"{_now()}  the Prefect API at {self._api.url} does not answer ({_reason(error)}); waiting for it"
                )
            self._is_away = True
            lines = []
        else:
            if self._is_away:
                print(f"{_now()}  the Prefect API at {self._api.url} answers again")
            self._is_away = False
        for line in lines:
            print(line)
        sys.stdout.flush()

    async def _end(self) -> None:
        """Pause the schedules, as nobody runs them any longer, and cancel the runs under way; kill what does not end.

        They are paused twice: a scheduler that is at it adds runs after the first, which the next `serve` would all run.
        """
        with suppress(*_OUTAGES, ObjectNotFound, TimeoutError):
            (await self._probe.get("/health")).raise_for_status()
            await self._pause()
            is_added = asyncio.create_task(asyncio.sleep(_ADDED_S))
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await self._runner.cancel_all()
            for run in await self._runs.read_running():
                await self._client.set_flow_run_state(run.id, Cancelled(message="serve has ended."), force=True)
            await is_added
            await self._pause()
        self._runner._runs_task_group.cancel_scope.cancel()  # noqa: SLF001 - it would wait for the runs, however long

    async def _pause(self) -> None:
        """Pause the deployments; the server deletes the runs to come."""
        for deployment in self._served:
            await self._client.pause_deployment(deployment)


def _now() -> str:
    return time.strftime("%H:%M:%S")
