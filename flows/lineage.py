"""The flow run that what is made names as its maker: the pipeline's, and of a stage that runs by itself, the stage's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prefect.runtime import flow_run

from tasks.lineage.records import RUN


@asynccontextmanager
async def named_run() -> AsyncIterator[None]:
    """Have what is made meanwhile name the flow run that is running, or the one that it is a part of."""
    token = RUN.set(RUN.get() or flow_run.get_id() or "")
    try:
        yield
    finally:
        RUN.reset(token)
