"""What Prefect keeps of the runs of a data folder: runs within runs, tasks, logs and artifacts; found, and removed through its API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    ArtifactCollectionFilter,
    ArtifactCollectionFilterKey,
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterParentTaskRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, Artifact, FlowRun
from prefect.client.schemas.sorting import ArtifactSort, FlowRunSort
from prefect.exceptions import ObjectNotFound

from tasks.clean.survey import Line
from tasks.core.storage import DataFolder

Found = TypeVar("Found")

_PARAMETERS = {
    **dict.fromkeys(
        ("pipeline", "ingest", "convert", "tables", "train", "export", "truth"), frozenset({"config", "data"})
    ),
    "predict": frozenset({"pipeline", "rows", "data"}),
    "clean": frozenset({"older_than", "data"}),
}
"""Our flows by name, each with parameters that no flow of others by the same name has."""
_PAGE = 200


@dataclass(frozen=True)
class History:
    """The runs of a data folder that have ended: those that go, each before the run that it is part of, and how many stay."""

    goes: tuple[UUID, ...]
    artifacts: tuple[UUID, ...]
    stays: int

    @property
    def line(self) -> Line:
        """Return what there is as a line of the table; Prefect's API does not tell how many bytes it takes."""
        because = f"younger ({self.stays:,})" if self.stays else ""
        return Line("runs in Prefect, with their logs and artifacts", len(self.goes), 0, self.stays, 0, because)


async def find_history(client: PrefectClient, folder: DataFolder, before: datetime) -> History:
    """Return what Prefect keeps of a data folder's runs that ended before a moment; what runs, or waits, is none of it."""
    goes: list[UUID] = []
    stays = 0
    here = await asyncio.to_thread(Path.cwd)
    async for run in _read_ended(client):
        if not _is_of(run, folder, here):
            continue
        if run.end_time is None or run.end_time >= before:
            stays += 1
            continue
        goes += [*await _find_within(client, run.id), run.id]
    return History(tuple(goes), tuple([each async for each in _read_artifacts(client, goes)]), stays)


async def remove_history(client: PrefectClient, history: History) -> None:
    """Remove artifacts and runs; where this is ended on the way, the rest is found the next time."""
    for artifact in history.artifacts:
        try:
            await client.delete_artifact(artifact)
        except ObjectNotFound:
            continue
    for run in history.goes:
        try:
            await client.delete_flow_run(run)
        except ObjectNotFound:
            continue


async def _read_ended(client: PrefectClient) -> AsyncIterator[FlowRun]:
    """Yield the runs of flows by our names that have ended and are not part of another."""
    flows = FlowFilter(name=FlowFilterName(any_=list(_PARAMETERS)))
    runs = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=sorted(TERMINAL_STATES))),
        parent_task_run_id=FlowRunFilterParentTaskRunId(is_null_=True),
    )
    asked: dict[str, Any] = {"flow_filter": flows, "flow_run_filter": runs, "sort": FlowRunSort.END_TIME_DESC}
    async for run in _read_pages(client.read_flow_runs, **asked):
        yield run


def _is_of(run: FlowRun, folder: DataFolder, here: Path) -> bool:
    """Return whether a run is one of a data folder; a relative path is one from `here`."""
    parameters = run.parameters
    is_ours = any(needed <= parameters.keys() for needed in _PARAMETERS.values())
    return is_ours and folder.is_at(Path(str(parameters["data"])), here)


async def _find_within(client: PrefectClient, run: UUID) -> list[UUID]:
    """Return the runs within a run, each before the one that it is part of."""
    within = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run]))
    found: list[UUID] = []
    async for child in _read_pages(client.read_flow_runs, flow_run_filter=within, sort=FlowRunSort.ID_DESC):
        found += [*await _find_within(client, child.id), child.id]
    return found


async def _read_artifacts(client: PrefectClient, runs: Collection[UUID]) -> AsyncIterator[UUID]:
    """Yield the artifacts of runs, but for those that are the last of their key: what has not changed since is not shown again.

    With them go those that an earlier cleaning has kept as the last of a key, which has another one now.
    """
    of_runs, of_keys = set[UUID](), dict[UUID, UUID | None]()
    keys, last = set[str](), set[UUID]()
    for run in runs:
        async for artifact in _artifacts(client, ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))):
            of_runs.add(artifact.id)
            keys |= {artifact.key} if artifact.key else set()
    for batch in _batches(sorted(keys)):
        async for artifact in _artifacts(client, ArtifactFilter(key=ArtifactFilterKey(any_=batch))):
            of_keys[artifact.id] = artifact.flow_run_id
        latest = ArtifactCollectionFilter(key=ArtifactCollectionFilterKey(any_=batch))
        last |= {each.latest_id for each in await client.read_latest_artifacts(artifact_filter=latest, limit=_PAGE)}
    there = {run async for run in _find_there(client, {*of_keys.values()})}
    for each in {*of_runs, *(each for each, run in of_keys.items() if run not in there)} - last:
        yield each


async def _find_there(client: PrefectClient, runs: Collection[UUID | None]) -> AsyncIterator[UUID | None]:
    """Yield those of the runs that Prefect still has; what was made outside of any counts as such a one."""
    yield None
    for batch in _batches([run for run in runs if run is not None]):
        asked = FlowRunFilter(id=FlowRunFilterId(any_=batch))
        for run in await client.read_flow_runs(flow_run_filter=asked, limit=_PAGE):
            yield run.id


def _artifacts(client: PrefectClient, asked: ArtifactFilter) -> AsyncIterator[Artifact]:
    return _read_pages(client.read_artifacts, artifact_filter=asked, sort=ArtifactSort.ID_DESC)


async def _read_pages(read: Callable[..., Awaitable[list[Found]]], **asked: Any) -> AsyncIterator[Found]:
    """Yield all that Prefect's API has of something, which gives 200 at a time."""
    offset = 0
    while found := await read(**asked, limit=_PAGE, offset=offset):
        for each in found:
            yield each
        offset += len(found)


def _batches(all_of: list[Found]) -> Iterator[list[Found]]:
    return (all_of[place : place + _PAGE] for place in range(0, len(all_of), _PAGE))
