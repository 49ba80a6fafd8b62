"""Prefect without any work: flows of three subflows, as many as the argument says; what they leave in its database is compared."""

from __future__ import annotations

import asyncio
import sys

from prefect import flow
from prefect.events.worker import EventsWorker

from tasks.core.child_process import exit_with_parent


@flow(persist_result=False)
async def nothing() -> None:
    """Do nothing."""


@flow(persist_result=False)
async def three() -> None:
    """Run three stages that do nothing."""
    for _ in range(3):
        await nothing()


def main() -> None:
    """Run them one after the other, and say how many there were once all is sent."""
    exit_with_parent()
    runs = int(sys.argv[1])
    for _ in range(runs):
        asyncio.run(three())
    EventsWorker.drain_all(timeout=30)
    print(runs, flush=True)


if __name__ == "__main__":
    main()
