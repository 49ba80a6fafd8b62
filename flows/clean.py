"""House-keeping as a flow, to be scheduled: what nothing needs any longer is removed from the data folder and from Prefect."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prefect import flow, get_client, get_run_logger
from prefect.runtime import flow_run

from flows.history import find_history, remove_history
from flows.stage import open_data
from tasks.clean.item import survey
from tasks.clean.objects import Objects
from tasks.clean.survey import Line, find_places, moment_before, summarize
from tasks.core.scratch import sweep_scratch
from tasks.core.storage import DataFolder
from tasks.reports.cleaning import report_cleaning


def _name_run() -> str:
    return f"clean-{Path(str(flow_run.parameters['data'])).name}"


@flow(name="clean", flow_run_name=_name_run, persist_result=False)
async def clean(
    data: Path = Path("data"), older_than: str = "30d", raw: bool = False, dry_run: bool = False
) -> list[Line]:
    """Remove what is older and nothing needs: raw no table is made of, earlier versions of tables and models, the history of runs.

    Args:
        data: the data folder.
        older_than: the age from which things go, e.g. 30d or 12h.
        raw: remove also raw that tables are, or may be, made of: they still read, and the next run fetches it again.
        dry_run: tell what would go, and remove nothing.

    Raises:
        ConfigError: the age is none.

    """
    before = moment_before(older_than)
    folder = DataFolder.at(await open_data(data))
    objects = await asyncio.to_thread(Objects.find, folder, before)
    places = await asyncio.to_thread(find_places, folder, before, raw=raw)
    async with get_client() as client:
        runs = await find_history(client, folder, before)
        lines = [*summarize(await asyncio.to_thread(survey, places)), *objects.lines, runs.line]
        await report_cleaning(lines, dry_run=dry_run)
        if not dry_run:
            await asyncio.to_thread(sweep_scratch)
            removed = await asyncio.to_thread(objects.remove, places)
            await remove_history(client, runs)
            get_run_logger().info("%s bytes removed", f"{sum(item.bytes for item in removed):,}")
    return lines
