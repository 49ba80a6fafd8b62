"""What the stages share: the name of their runs, what they tell, and how one ends when some of its parts failed."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import traceback
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar, cast

from prefect import get_run_logger
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect.states import Failed as FailedState

from flows.heartbeats import spare_short_stages
from flows.schedules import fetched_once
from flows.store_credentials import take_credentials
from tasks.config import Pipeline, read_pipeline
from tasks.core.bucket.opened import address_of, commit_opened, renew_folder
from tasks.core.errors import DiskError, StageError, TidemillError
from tasks.core.outcome import Failed
from tasks.core.storage import DataFolder, explain_disk_failure
from tasks.core.story import quiet_engine, story_told_to, tell, warn
from tasks.reports.artifacts import artifacts_listed

Value = TypeVar("Value")

_PROJECT = Path(__file__).parent.parent
_LISTED = 10
_NAME = re.compile(r"""^\{?[ ]*name:\s*["']?([\w-]+)""", re.MULTILINE)
_KEPT = "what is finished is kept, and the next run goes on from there"
_of_run: ContextVar[Pipeline | None] = ContextVar("the pipeline of the run that a stage is part of", default=None)

# As soon as a flow is known, whoever runs it: its process has nothing else that runs before it.
quiet_engine()
spare_short_stages()


async def in_words(work: Coroutine[Any, Any, Value], data: Path) -> Value:
    """Return what a flow returns that tells a story while it does its work, and that, where this fails, ends in a state which says why and what to do.

    Prefect hands the error in that state to whoever awaits the flow. Of what nobody
    foresaw the traceback is the last that is logged. `data` is the data folder.
    """
    began = time.monotonic()
    with story_told_to(get_run_logger().log) as is_own, artifacts_listed():
        try:
            ended: Any = await work
            await asyncio.to_thread(commit_opened)
            if is_own:
                tell(f"Done in {time.monotonic() - began:,.1f} s. {ended.message}")
        except Exception as caught:  # noqa: BLE001 - whatever it is, a person is to read what it was
            with suppress(TidemillError, OSError):  # what failed first is told
                await asyncio.to_thread(commit_opened)
            error = _explain(caught, (await asyncio.to_thread(DataFolder.at, data)).root)
            message = str(error) if isinstance(error, TidemillError) else _tell_unforeseen(error)
            if is_own:
                _tell_failure(error, message, time.monotonic() - began)
            ended = FailedState(message=message, data=error)
    return cast("Value", ended)


def _explain(error: Exception, root: Path) -> Exception:
    """Return what a flow fails with: a failure of the disk as one that is explained."""
    return DiskError(explain_disk_failure(error, root)) if isinstance(error, OSError) and error.errno else error


def _tell_unforeseen(error: Exception) -> str:
    """Return the sentence of an error that nobody foresaw: what it was, and where."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(_PROJECT)]
    at = (own or frames)[-1]
    place = Path(at.filename)
    shown = place.relative_to(_PROJECT) if place.is_relative_to(_PROJECT) else place
    what = (str(error).strip().splitlines() or [""])[0]
    return (
        f"{type(error).__name__}{f': {what}' if what else ''} ({shown}, line {at.lineno}); nobody foresaw this: "
        "run again, and if it comes again, report it with the traceback at the end of the log"
    )


def _tell_failure(error: Exception, message: str, seconds: float) -> None:
    for line in filter(None, message.splitlines()):
        tell(line, logging.ERROR)
    tell(f"Failed after {seconds:,.1f} s; {_KEPT}.", logging.ERROR)
    if not isinstance(error, TidemillError):
        get_run_logger().error("What Python says of it:", exc_info=error)


def name_run() -> str:
    """Return the name of the flow run that is starting: its pipeline's and, of a stage, the stage's."""
    config, flow = _of_run.get() or flow_run.parameters["config"], flow_run.flow_name
    name = config.name if isinstance(config, Pipeline) else _name_in(Path(str(config)))
    return name if flow == "pipeline" else f"{name} {flow}"


def _name_in(file: Path) -> str:
    """Return the name that a pipeline file gives; where it cannot be read, which is told later, that of its folder."""
    try:
        found = _NAME.search(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        found = None
    return found[1] if found else file.absolute().parent.name


def read_for_run(config: Pipeline | Path) -> Pipeline:
    """Return a pipeline whose dates end when the run was to start; where it is shared, that one, whatever its file says by now."""
    return (_of_run.get() or read_pipeline(config)).until(flow_run.scheduled_start_time)


async def open_folder(data: Path, pipeline: Pipeline) -> DataFolder:
    """Return the data folder of a run; of a bucket, what the pipeline has there is fetched.

    Raises:
        ConfigError: it is an address of no bucket.
        StoreError: the bucket cannot be read.

    """
    return await asyncio.to_thread(_fetch, await open_data(data), pipeline)


async def open_data(data: Path) -> Path:
    """Return the data folder as an absolute path on this machine; nothing of a bucket is fetched yet.

    Raises:
        ConfigError: it is an address of no bucket, or the block that should tell who asks does not.

    """
    if address_of(data) is not None:
        await take_credentials()
    return await asyncio.to_thread(lambda: renew_folder(data).absolute())


def _fetch(root: Path, pipeline: Pipeline) -> DataFolder:
    folder = DataFolder.at(root)
    for name in pipeline.parted:
        folder.fetch("raw", name)
    for name in pipeline.table_names:
        folder.fetch("tables", name)
    for kind in ("models", "truth", "history"):
        folder.fetch(kind, pipeline.name)
    return folder


@contextmanager
def shared_pipeline(pipeline: Pipeline, file: Path | None) -> Iterator[Pipeline | Path]:
    """Yield what flows that run in the block are given, and read the pipeline by: its file's path, where it has one.

    Prefect stores the parameters of each; a pipeline in full is 5 kB and more.
    """
    token = _of_run.set(pipeline)
    try:
        yield file or pipeline
    finally:
        _of_run.reset(token)


def warn_of_schedule(pipeline: Pipeline) -> list[str]:
    """Tell and return a warning for each source that a schedule would fetch only once, where it is a schedule that has started this run."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or not context.flow_run.auto_scheduled:
        return []
    sentences = fetched_once(pipeline)
    for sentence in sentences:
        warn(sentence)
    return sentences


def completed(value: Value, said: str) -> Value:
    """Return what a flow returns to end with a value: a state with a message, which the run's page shows.

    Prefect hands the value in it to whoever awaits the flow.
    """
    state: Any = Completed(message=said, data=value)
    return cast(Value, state)


def end_stage(stage: str, outcome: Value, failed: Sequence[Failed], pipeline: Pipeline) -> Value:
    """Return what a stage came to, of which some parts may have failed.

    Raises:
        StageError: they have, and the pipeline does not allow partial data; it carries the outcome.

    """
    if failed:
        more = [f"and {len(failed) - _LISTED} more like these"] if len(failed) > _LISTED else []
        said = "\n".join([*(part.message for part in failed[:_LISTED]), *more])
        for line in said.splitlines():
            tell(line, logging.WARNING if pipeline.allow_partial else logging.ERROR)
        if not pipeline.allow_partial:
            raise StageError(said, outcome)
        warn(f"{stage} goes on with partial data, as allow_partial says")
    return outcome
