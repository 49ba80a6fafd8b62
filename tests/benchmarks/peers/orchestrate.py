"""Flows that run one after the other in one process, as many as the first argument says; what they leave in Prefect's database is compared.

They are of the pipeline file and the data folder that follow; each with another row in one of its files where
`changing` stands after them. Without these they do nothing, in three subflows.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker

from tasks.core.child_process import exit_with_parent

_CHANGED = "inbox/tour/data3.csv"


@flow(persist_result=False)
async def nothing() -> None:
    """Do nothing."""


@flow(persist_result=False)
async def three() -> None:
    """Run three stages that do nothing."""
    for _ in range(3):
        await nothing()


def main() -> None:
    """Run them, and say how many there were once all is sent."""
    exit_with_parent()
    runs, *given = sys.argv[1:]
    run = _of_pipeline(Path(given[0]), Path(given[1]), changing=len(given) > 2) if given else three
    for _ in range(int(runs)):
        asyncio.run(run())
    EventsWorker.drain_all(timeout=30)
    APILogWorker.drain_all(timeout=30)
    print(runs, flush=True)


def _of_pipeline(file: Path, data: Path, *, changing: bool) -> Callable[[], Coroutine[Any, Any, Any]]:
    from flows.pipeline import pipeline  # noqa: PLC0415 - flows that do nothing need none of it

    async def run() -> Any:
        if changing:
            lines = (data / _CHANGED).read_text().splitlines()
            (data / _CHANGED).write_text("\n".join([*lines, lines[-1]]) + "\n")
        return await pipeline(file, data)

    return run


if __name__ == "__main__":
    main()
