"""What the stages share: the name of their runs, and how one ends when some of its parts failed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from prefect import get_run_logger
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.schedules import fetched_once
from flows.summary import RunSummary
from tasks.config import Pipeline, read_pipeline
from tasks.core.errors import StageError
from tasks.core.outcome import Failed

Value = TypeVar("Value")

_LISTED = 10
_NAME = re.compile(r"""^\{?[ ]*name:\s*["']?([\w-]+)""", re.MULTILINE)


def name_run() -> str:
    """Return the name of the flow run that is starting: its pipeline's and, of a stage, the stage's."""
    config, flow = flow_run.parameters["config"], flow_run.flow_name
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
    """Return a pipeline whose dates end when the run was to start: its stages have the same partitions, however long they take."""
    return read_pipeline(config).until(flow_run.scheduled_start_time)


def warn_of_schedule(pipeline: Pipeline) -> list[str]:
    """Log and return a warning for each source that a schedule would fetch only once, where it is a schedule that has started this run."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or not context.flow_run.auto_scheduled:
        return []
    sentences = fetched_once(pipeline)
    for sentence in sentences:
        get_run_logger().warning("%s", sentence)
    return sentences


def completed_with(summary: RunSummary) -> RunSummary:
    """Return what a flow returns to end with a summary: a state whose message, which the run's page shows, counts the warnings.

    Prefect hands the summary in it to whoever awaits the flow.
    """
    number = len(summary.warnings)
    said = (
        f"with {number} warning{'' if number == 1 else 's'}: {summary.warnings[0]}" if number else "without a warning"
    )
    state: Any = Completed(message=f"Completed {said}", data=summary)
    return cast(RunSummary, state)


def end_stage(stage: str, outcome: Value, failed: Sequence[Failed], pipeline: Pipeline) -> Value:
    """Return what a stage came to, of which some parts may have failed.

    Raises:
        StageError: they have, and the pipeline does not allow partial data; it carries the outcome.

    """
    if failed:
        more = [f"and {len(failed) - _LISTED} more like these"] if len(failed) > _LISTED else []
        said = "\n".join([*(part.message for part in failed[:_LISTED]), *more])
        if not pipeline.allow_partial:
            raise StageError(said, outcome)
        get_run_logger().warning("%s goes on with partial data:\n%s", stage, said)
    return outcome
