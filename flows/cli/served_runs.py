"""What `serve` prints of its deployments: when each runs next, and its runs as they start and end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

_OVERLAP = timedelta(seconds=30)  # between two looks, for clocks that differ
_SCHEDULED_WITHIN = timedelta(seconds=60)  # a living scheduler takes 5 s
_MESSAGE_CHARACTERS = 200


class ServedRuns:
    """Tells in lines what has changed since it looked last."""

    def __init__(self, client: PrefectClient) -> None:
        self._client = client
        self._names: dict[UUID, str] = {}
        self._next: dict[UUID, datetime | None] = {}
        self._paused: set[UUID] = set()
        self._started: set[UUID] = set()
        self._ended: dict[UUID, datetime] = {}
        self._began = self._since = datetime.now(UTC)
        self._warned_of_scheduler = False

    def add(self, deployment: UUID, name: str, *, scheduled: bool) -> None:
        """Report on a deployment too; it takes the place of another of its name."""
        for former in [id_ for id_, known in self._names.items() if known == name]:
            self._names.pop(former)
            self._next.pop(former, None)
        self._names[deployment] = name
        if scheduled:
            self._next[deployment] = None

    async def look(self) -> list[str]:
        """Return a line for each run that has started or ended, and for each deployment whose next run is another."""
        now = datetime.now(UTC)
        running = await self.read_running()
        ended = await self._read_ended()
        self._since = now
        lines = [*self._started_lines([*running, *ended]), *self._ended_lines(ended)]
        return [*lines, *await self._next_run_lines(now), *await self._paused_lines()]

    async def read_running(self) -> list[FlowRun]:
        """Return the runs under way."""
        state = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.CANCELLING]))
        return await self._client.read_flow_runs(flow_run_filter=FlowRunFilter(deployment_id=self._ids, state=state))

    async def _read_ended(self) -> list[FlowRun]:
        after = FlowRunFilterEndTime(after_=self._since - _OVERLAP)
        asked = FlowRunFilter(deployment_id=self._ids, end_time=after)
        runs = await self._client.read_flow_runs(flow_run_filter=asked, sort=FlowRunSort.END_TIME_DESC)
        return [run for run in reversed(runs) if run.id not in self._ended and _end(run) >= self._began - _OVERLAP]

    @property
    def _ids(self) -> FlowRunFilterDeploymentId:
        return FlowRunFilterDeploymentId(any_=list(self._names))

    def _started_lines(self, runs: Iterable[FlowRun]) -> Iterator[str]:
        for run in runs:
            if run.start_time is not None and run.id not in self._started:
                self._started.add(run.id)
                yield self._line(run.start_time, run.deployment_id, "started")

    def _ended_lines(self, runs: Iterable[FlowRun]) -> Iterator[str]:
        for run in runs:
            self._started.discard(run.id)
            self._ended[run.id] = _end(run)
            yield self._line(_end(run), run.deployment_id, _outcome(run))
        before = self._since - 2 * _OVERLAP
        self._ended = {run: end for run, end in self._ended.items() if end > before}

    async def _next_run_lines(self, now: datetime) -> list[str]:
        """Return a line for the next run of each scheduled deployment, where it is another than before; that there is none, once."""
        lines = []
        for deployment, known in self._next.items():
            due = await self._read_next(deployment)
            if due is not None and due != known:
                self._next[deployment] = due
                lines.append(self._line(now, deployment, f"next run {due.astimezone():%a %d %b %Y %H:%M:%S}"))
        nothing = [d for d, due in self._next.items() if due is None and d not in self._paused]
        if nothing and not self._warned_of_scheduler and now - self._began > _SCHEDULED_WITHIN:
            self._warned_of_scheduler = True
            lines.append(
                f"warning: the Prefect server has scheduled no run of {', '.join(self._names[d] for d in nothing)}: "
                "its scheduler does not work, or the schedule has no further date; see python -m flows doctor"
            )
        return lines

    async def _read_next(self, deployment: UUID) -> datetime | None:
        state = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
        asked = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment]), state=state)
        runs = await self._client.read_flow_runs(
            flow_run_filter=asked, sort=FlowRunSort.EXPECTED_START_TIME_ASC, limit=1
        )
        return runs[0].expected_start_time if runs else None

    async def _paused_lines(self) -> list[str]:
        asked = DeploymentFilter(id=DeploymentFilterId(any_=list(self._names)))
        found = await self._client.read_deployments(deployment_filter=asked)
        paused = {deployment.id for deployment in found if deployment.paused}
        new, self._paused = paused - self._paused, paused
        return [
            f"warning: {self._names[deployment]} is paused, and does not run by itself; resume it in Prefect's UI, "
            "or end this command and start it again where another serve has ended"
            for deployment in new
        ]

    def _line(self, when: datetime, deployment: UUID | None, text: str) -> str:
        name = self._names.get(deployment, "") if deployment else ""
        return f"{when.astimezone():%H:%M:%S}  {name:<{max(map(len, self._names.values()))}}  {text}"


def _end(run: FlowRun) -> datetime:
    return run.end_time or datetime.now(UTC)


def _outcome(run: FlowRun) -> str:
    """Return how a run ended: its state, its seconds, and what it says of itself where it did not complete."""
    state = run.state_name or "ended"
    took = f" after {(_end(run) - run.start_time).total_seconds():.1f} s" if run.start_time else ""
    message = (run.state.message or "") if run.state else ""
    first = message.partition("\n")[0][:_MESSAGE_CHARACTERS]
    tells = run.state_type != StateType.COMPLETED or first.startswith("Completed with ")
    return f"{state}{took}{f': {first}' if tells and first else ''}"
