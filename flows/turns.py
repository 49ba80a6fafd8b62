"""A run among those of its pipeline: it marks Crashed what was killed before it, and works when its turn has come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import ExitStack, suppress
from typing import Any, cast
from uuid import UUID

from prefect import get_client, get_run_logger
from prefect.client.schemas.objects import State, StateType
from prefect.runtime import flow_run
from prefect.states import Running

from flows.killed_runs import crash_parts, crash_run
from flows.summary import RunSummary
from tasks.config import Pipeline
from tasks.core.bucket.opened import commit_opened
from tasks.core.errors import OverlapError, TidemillError
from tasks.core.runs import Asked, BegunRun, End, Turn, alive, end_run, find_killed, find_untold, read_runs
from tasks.core.scratch import sweep_scratch
from tasks.core.storage import DataFolder

_WAIT_S = 24 * 3600.0  # a run that goes on for longer hangs
_POLL_S = 1.0


async def in_turn(
    pipeline: Pipeline, folder: DataFolder, asked: Asked, work: Coroutine[Any, Any, RunSummary]
) -> RunSummary:
    """Return what the work of this flow run comes to, done while no other run of the pipeline works in the data folder.

    Where another does, the run does as `overlap` says: it waits, it ends as skipped, or it fails.

    Raises:
        OverlapError: another run goes on, and the pipeline says `overlap: fail`, or has gone on for a day.

    """
    run, turn = BegunRun.here(str(flow_run.get_id()), pipeline.name, asked), None
    end: End = "failed"
    killed: list[BegunRun] = []
    with ExitStack() as held:
        again = any(each.flow_run_id == run.flow_run_id for each in await asyncio.to_thread(read_runs, folder))
        await asyncio.to_thread(held.enter_context, alive(folder, run))
        try:
            await asyncio.to_thread(sweep_scratch)
            killed += await asyncio.to_thread(_crash_killed, folder, run, again=again)
            turn = await asyncio.to_thread(Turn, folder, run)
            held.callback(turn.give_back)
            other = await _take(turn, pipeline, killed)
            if other is not None:
                end = "skipped"
                return _skipped(other)
            result = await _committed(work)
            await asyncio.to_thread(_crash_late_parts, killed)
            end = cast(Any, result).data.status  # a state, as a flow returns it
        except BaseException as error:
            end = end if isinstance(error, Exception) else "interrupted"
            raise
        finally:
            work.close()
            await asyncio.to_thread(end_run, folder, run, end)
            if turn is not None:
                await asyncio.to_thread(turn.give_back)
    return result


async def _committed(work: Coroutine[Any, Any, RunSummary]) -> RunSummary:
    """Return what the work of a run comes to, once it is in the bucket, if the data folder is in one: the next run begins with it."""
    try:
        result = await work
    except Exception:
        with suppress(TidemillError, OSError):  # what failed first is told
            await asyncio.to_thread(commit_opened)
        raise
    await asyncio.to_thread(commit_opened)
    return result


async def _take(turn: Turn, pipeline: Pipeline, killed: list[BegunRun]) -> str | None:
    """Take the turn, as soon as it is nobody's, and add who was killed meanwhile; where this run is to go without, return who has it."""
    deadline, told = time.monotonic() + _WAIT_S, None
    while not await asyncio.to_thread(turn.take):
        holder = await asyncio.to_thread(lambda: turn.holder)
        if pipeline.overlap == "skip" and turn.is_held:
            return holder
        if pipeline.overlap == "fail" and turn.is_held:
            raise OverlapError(
                f"another run goes on, {holder}; wait until it has ended, or write overlap: wait in the pipeline file"
            )
        if time.monotonic() > deadline:
            raise OverlapError(f"another run has gone on for a day, {holder}; look whether it hangs, and end it")
        if holder != told:
            told = holder
            await _tell(f"waits for run {holder}")
        await asyncio.sleep(_POLL_S)
    if told is not None:
        killed += await asyncio.to_thread(_crash_killed, turn.folder, turn.run)  # also the one that was waited for
        await _tell("has waited, and its turn has come")
    return None


async def _tell(said: str) -> None:
    """Log how it stands with this run, and show it in its state."""
    get_run_logger().info("The run %s", said)
    async with get_client() as client:
        state: State[Any] = Running(message=f"The run {said}.")
        await client.set_flow_run_state(UUID(str(flow_run.get_id())), state, force=True)


def _skipped(other: str) -> RunSummary:
    """Return what a flow returns that goes without: Cancelled, so that nobody takes it for a run that brought something."""
    said = f"skipped: another run goes on, {other}; the pipeline file says overlap: skip"
    get_run_logger().warning("The run is %s", said)
    return cast(RunSummary, State(type=StateType.CANCELLED, name="Skipped", message=said))


def _crash_killed(folder: DataFolder, here: BegunRun, *, again: bool = False) -> list[BegunRun]:
    """Set to Crashed, and return, the runs whose process was killed; so too what an earlier attempt of this one, or a run that had lost its server, has left open."""
    killed, untold = find_killed(folder), find_untold(folder, here)
    if not killed and not again and untold is None:
        return []
    logger = get_run_logger()
    with get_client(sync_client=True) as client:
        if again:
            crash_parts(client, UUID(here.flow_run_id), "an earlier attempt of this run was killed")
        if untold is not None:
            crash_run(
                client,
                UUID(untold.flow_run_id),
                f"process {untold.pid} on {untold.host}",
                f"The run {untold.end if untold.end == 'failed' else 'was interrupted'} while the server did not answer",
            )
        known = [run for run in killed if crash_run(client, UUID(run.flow_run_id), _gone(run))]
    for run in known:
        end_run(folder, run, "killed")
        logger.warning("Run %s was killed; it is Crashed now, and this one goes on from there", run)
    return known


def _crash_late_parts(killed: list[BegunRun]) -> None:
    """Set to Crashed the task runs of killed runs that the server has stored, as Running, after it was told of the kill."""
    if not killed:
        return
    with get_client(sync_client=True) as client:
        for run in killed:
            crash_parts(client, UUID(run.flow_run_id), _gone(run))


def _gone(run: BegunRun) -> str:
    return f"process {run.pid} on {run.host} is gone"
