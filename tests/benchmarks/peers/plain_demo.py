"""The stages of a pipeline without Prefect: their bodies, called by asyncio; fits in threads that wait for forks, reports made and shown nowhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import flows.convert
import flows.ingest
import flows.train
import tasks.convert.tasks
import tasks.ingest.tasks
import tasks.reports.artifacts
import tasks.reports.lineage
import tasks.reports.progress
from tasks.config import Runner, load_pipeline
from tasks.core.child_process import exit_with_parent
from tasks.core.isolation.client import call_at
from tasks.train.evaluation.results import EvaluationResult
from tasks.train.execution.pool import Workers
from tasks.train.execution.units import Unit, run_unit


class PlainWorkers(Workers):
    """Threads, as many as a run of Prefect has workers, each of which waits for its fits."""

    def run(
        self,
        units: Iterable[Unit],
        on_results: Callable[[Unit, list[EvaluationResult]], None],
        skip: Callable[[Unit], bool] = lambda _: False,
    ) -> None:
        """Run units, and tell what each came to."""
        call_at(self._serve_fits)
        with ThreadPoolExecutor(self.width) as pool:
            running = [(unit, pool.submit(run_unit, unit)) for unit in units if not skip(unit)]
            for unit, future in running:
                on_results(unit, future.result())


@asynccontextmanager
async def _opened_workers(runner: Runner) -> AsyncIterator[Workers]:
    workers = PlainWorkers(runner)
    try:
        yield workers
    finally:
        await asyncio.to_thread(workers.close)


def _as_function(report: Any, *, changed: bool) -> Callable[..., Coroutine[Any, Any, Any]]:  # noqa: ARG001 - as the flows call it
    async def call(*args: Any, wait_for: Any = None, return_state: bool = False, **kwargs: Any) -> Any:  # noqa: ARG001 - what tasks alone have
        return await report.fn(*args, **kwargs)

    return call


async def _show_nowhere(*_: Any, **__: Any) -> None:
    """Take what would be an artifact."""


def _leave_prefect_out() -> None:
    """Have the stages call functions where they have tasks, and store no artifacts."""
    functions = {
        tasks.ingest.tasks: ["land_partitions"],
        tasks.convert.tasks: ["convert_files", "commit_converted"],
    }
    for module, names in functions.items():
        for name in names:
            setattr(module, name, getattr(module, name).fn)
    for stage in (flows.convert, flows.train):
        setattr(stage, "as_task", _as_function)  # noqa: B010 - a module, not an object
    setattr(flows.train, "opened_workers", _opened_workers)  # noqa: B010 - the same
    setattr(tasks.reports.artifacts, "_show", _show_nowhere)  # noqa: B010 - the same
    setattr(tasks.reports.lineage, "acreate_markdown_artifact", _show_nowhere)  # noqa: B010 - the same
    setattr(tasks.reports.progress.ProgressArtifacts, "show", _show_nowhere)  # noqa: B010 - the same


async def _run(file: Path, data: Path) -> None:
    config = load_pipeline(file)
    ended: list[Any] = [await flows.ingest._ingest(config, data, False, None)]
    ended.append(await flows.convert._convert(config, data, False, None))
    ended.append(await flows.train._hold_and_train(config, data, False))
    for state in ended:
        print(state.message, flush=True)


def main() -> None:
    """Run the pipeline of a file in a data folder, and say what each stage came to."""
    exit_with_parent()
    _leave_prefect_out()
    asyncio.run(_run(Path(sys.argv[1]), Path(sys.argv[2])))


if __name__ == "__main__":
    main()
