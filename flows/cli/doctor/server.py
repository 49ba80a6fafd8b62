"""The Prefect server: whether it answers, schedules, and has who runs what it schedules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import prefect
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType, WorkerStatus
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import get_current_settings

from flows.cli.doctor.diagnosis import Diagnosis, listed
from flows.cli.prefect_api import WANT_A_KEY
from flows.killed_runs import crash_run, find_killed_runs
from tasks.core.escaping import count

LATE = timedelta(seconds=60)
_ANSWER_S = 10.0
NEW = timedelta(seconds=60)  # what has been deployed a moment ago is scheduled in a moment
_PAGE = 200


def look_at_server() -> Iterator[Diagnosis]:
    """Yield how the configured Prefect API is, its deployments, its workers and its runs."""
    url = get_current_settings().api.url
    if not url:
        yield Diagnosis("ok", "no Prefect API is configured: run and serve start a temporary server of their own")
        return
    unreachable = _reach(url)
    if unreachable is not None:
        yield unreachable
        return
    with get_client(sync_client=True) as client:
        try:
            yield _look_at_version(url, client)
        except PrefectHTTPStatusError as error:
            cure = "set PREFECT_API_AUTH_STRING, or PREFECT_API_KEY, to what it asks for"
            yield Diagnosis("wrong", f"the Prefect API at {url} answers {error.response.status_code}; {cure}")
            return
        yield from look_at_schedules(client)
        yield from look_at_killed_runs(client)


def mark_killed_runs() -> list[str]:
    """Set each run that was killed to Crashed, where an API is configured and answers; return their names."""
    url = get_current_settings().api.url
    if not url or _reach(url) is not None:
        return []
    with get_client(sync_client=True) as client:
        killed = find_killed_runs(client)
        for run in killed:
            crash_run(client, run.id, run.sign)
    return [run.name for run in killed]


def look_at_schedules(client: SyncPrefectClient, new: timedelta = NEW) -> Iterator[Diagnosis]:
    """Yield each deployment whose schedule does not fire, or that nobody will run, or that all do and have who runs them."""
    deployments = [d for d in client.read_deployments(limit=_PAGE) if any(s.active for s in d.schedules)]
    if not deployments:
        yield Diagnosis("ok", "no deployment has a schedule")
        return
    scheduled = [deployment for deployment in deployments if not deployment.paused]
    paused = [deployment.name for deployment in deployments if deployment.paused]
    if paused:
        yield Diagnosis("note", f"paused, so that their schedules do not run: {listed(paused)}; resume them in the UI")
    found = [
        *_look_at_pulse(client, scheduled, new),
        *_look_at_pools(client, sorted({d.work_pool_name for d in scheduled if d.work_pool_name})),
        *(diagnosis for deployment in scheduled for diagnosis in _look_at_late(client, deployment)),
    ]
    yield from found
    if scheduled and not found:
        yield Diagnosis("ok", f"{count(len(scheduled), 'deployment')} scheduled, and run when they are due")


def look_at_killed_runs(client: SyncPrefectClient, silence: timedelta | None = None) -> Iterator[Diagnosis]:
    """Yield the runs that are Running for ever, since their process was killed."""
    killed = find_killed_runs(client, silence)
    for run in killed:
        yield Diagnosis(
            "wrong", f"run {run.name} ({run.id}) was killed: {run.sign}; set it to Crashed by doctor --mend"
        )
    if not killed:
        yield Diagnosis("ok", "no run is open whose process is gone")


def _reach(url: str) -> Diagnosis | None:
    """Return why an API cannot be asked; None where it can."""
    try:
        answer = httpx.get(f"{url}/health", timeout=_ANSWER_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        cure = "start it (prefect server start), or unset PREFECT_API_URL, in the environment or the profile"
        return Diagnosis("wrong", f"the Prefect API at {url} cannot be reached ({error}); {cure}")
    if answer.status_code not in WANT_A_KEY and answer.text != "true":
        return Diagnosis("wrong", f"{url} answers, but is not a Prefect API; does the address end in /api?")
    return None


def _look_at_version(url: str, client: SyncPrefectClient) -> Diagnosis:
    there, here = client.api_version(), prefect.__version__
    if there.split(".")[:2] == here.split(".")[:2]:
        return Diagnosis("ok", f"the Prefect API at {url} answers, by Prefect {there}")
    cure = "start it from this environment, or install the same version in its own"
    return Diagnosis("wrong", f"the Prefect server at {url} is version {there}, and here is {here}; {cure}")


def _look_at_pulse(
    client: SyncPrefectClient, deployments: Sequence[DeploymentResponse], new: timedelta
) -> Iterator[Diagnosis]:
    """Yield a diagnosis of the deployments of which the scheduler has made no run to come."""
    now = datetime.now(UTC)
    settled = [d for d in deployments if d.updated is None or d.updated < now - new]
    without = [d.name for d in settled if not _read_runs(client, d.id, FlowRunFilterExpectedStartTime(after_=now))]
    if without:
        cure = "restart prefect server start, without --no-services; if it stays so, the schedule has no date left"
        yield Diagnosis(
            "wrong", f"the server schedules no run of {listed(without)}: its scheduler is not at work; {cure}"
        )


def _look_at_pools(client: SyncPrefectClient, pools: Sequence[str]) -> Iterator[Diagnosis]:
    """Yield a diagnosis of the work pools that are paused, or that no worker asks for work."""
    for name in pools:
        if client.read_work_pool(name).is_paused:
            yield Diagnosis("wrong", f"work pool {name} is paused; prefect work-pool resume {name}")
        elif not any(w.status == WorkerStatus.ONLINE for w in client.read_workers_for_work_pool(name)):
            yield Diagnosis("wrong", f"no worker asks work pool {name} for work; prefect worker start --pool {name}")


def _look_at_late(client: SyncPrefectClient, deployment: DeploymentResponse) -> Iterator[Diagnosis]:
    """Yield a diagnosis of a deployment whose runs are due and not begun."""
    now = datetime.now(UTC)
    due = FlowRunFilterExpectedStartTime(before_=now - LATE)
    late = _read_runs(client, deployment.id, due)
    if late and late[0].expected_start_time is not None:
        pool = deployment.work_pool_name
        cure = f"prefect worker start --pool {pool}" if pool else "start python -m flows serve"
        first = late[0].expected_start_time.astimezone()
        said = f"{count(len(late), 'run')} of {deployment.name} late, the first since {first:%d %b %H:%M}"
        yield Diagnosis("wrong", f"{said}: nobody runs them; {cure}")


def _read_runs(client: SyncPrefectClient, deployment: UUID, due: FlowRunFilterExpectedStartTime) -> list[FlowRun]:
    """Return the runs of a deployment that are scheduled and not begun, the first due first."""
    asked = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        expected_start_time=due,
    )
    return client.read_flow_runs(flow_run_filter=asked, sort=FlowRunSort.EXPECTED_START_TIME_ASC, limit=_PAGE)
