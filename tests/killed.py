"""A process that runs a stage, to be killed: forked, each time, from one that has imported what takes long to import.

It reads one order a line, as JSON, writes the number of the process that
carries it out, and when that has ended, how it did.
"""

from __future__ import annotations

import asyncio
import faulthandler
import importlib
import json
import os
import sys
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from flows.convert import convert
from flows.export import export
from flows.ingest import ingest
from flows.pipeline import pipeline
from flows.tables import tables
from tasks.config import Pipeline
from tasks.convert.staging import file as conversion
from tasks.ingest.landing import land as landing
from tasks.ingest.landing import packing

PACKED = 8
"""Small partitions that are put into a pack at once."""
_IMPORTED_LATE = (
    "anyio._backends._asyncio",
    "fastapi",
    "prefect.flow_engine",
    "prefect.task_engine",
    "graphviz",
    "tasks.raw.parents",
    "adbc_driver_postgresql.dbapi",
    "tasks.ingest.sql.postgresql",
)
"""What a flow run imports in its course: half of the time that a short one takes."""


@dataclass(frozen=True)
class Order:
    """A stage to be run, or all of them: the pipeline, as JSON, its data folder, and how much is committed at once.

    That is the pages of a page group for ingest, the bytes of a block for convert, and nothing for tables
    and export; the pipeline of an export is the path of its file. `environment` is
    what its process has beside that of the one it is forked from.
    """

    stage: Literal["ingest", "convert", "tables", "export", "pipeline"]
    config: str
    data: str
    size: int
    environment: dict[str, str] = field(default_factory=dict)

    def line(self) -> str:
        """Return the order as it is written."""
        return json.dumps(asdict(self)) + "\n"


def _carry_out(order: Order) -> None:
    """Run the stage in a process group of its own, and end without waiting for what Prefect has still to say."""
    os.setsid()
    faulthandler.enable()
    os.environ.update(order.environment)
    print(os.getpid(), flush=True)  # noqa: T201 - what it is started for
    data = Path(order.data)
    config = Path(order.config) if order.stage == "export" else Pipeline.model_validate_json(order.config)
    packing.PACK_PARTITIONS = PACKED
    landing.GROUP_PAGES = conversion.BLOCK_BYTES = order.size
    stages: dict[str, Any] = {"ingest": ingest, "convert": convert, "tables": tables, "export": export}
    stages["pipeline"] = pipeline
    try:
        asyncio.run(stages[order.stage](config, data))
    except BaseException:  # noqa: BLE001 - the test reads it
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def main() -> None:
    """Carry out one order after the other."""
    for name in _IMPORTED_LATE:
        importlib.import_module(name)
    for line in sys.stdin:
        assert threading.active_count() == 1, "a thread would not be there after the fork"
        order = Order(**json.loads(line))
        child = os.fork()
        if not child:
            _carry_out(order)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - what it is started for


if __name__ == "__main__":
    main()
