"""A source of many partitions: a few task runs land them, each partition by itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client, task_engine
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterState, TaskRunFilterStateType
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import TaskRunSort
from prefect.utilities.collections import visit_collection
from prefect.utilities.engine import resolve_to_final_result

from flows.ingest import ingest
from tasks.config import ApiSource, Pipeline
from tasks.core.errors import StageError
from tasks.ingest import tasks as ingest_tasks
from tasks.ingest.http.requests import PageGroup
from tasks.ingest.landing.batch import PartitionBatch
from tasks.ingest.landing.plan import Landed, PartitionJob
from tasks.ingest.landing.writer import RawWriter, is_begun
from tasks.ingest.results import LandedSource
from tasks.ingest.tasks import PARTITIONS_AT_ONCE, land_partitions
from tasks.raw.files import RawManifest
from tasks.raw.partitions import list_partitions
from tests.ingest.sources import api
from tests.site.server import Site

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

EACH = 60
_TOLD_S = 90


async def test_many_partitions_are_a_few_task_runs_and_fail_one_by_one(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those of one task run the good are landed, the refused asked once, and those that may pass asked twice."""
    monkeypatch.setattr(land_partitions, "retry_delay_seconds", 0.1)  # not 3
    batches = record_batches(monkeypatch)
    source = api(
        site,
        "/{route}",
        params={"n": "{n}"},
        partitions={"n": {"range": [1, EACH]}, "route": ["items", "404", "500-always"]},
        requests={"attempts": 1},
        pagination={"kind": "single"},
    )
    config = Pipeline(name="test", sources={"things": source}, allow_partial=True)

    (first,) = await ingest(config, tmp_path)
    asked, names = Counter(path.partition("?")[0] for path in site.paths), {batch.name for batch in batches}
    (again,) = await ingest(config, tmp_path)

    assert [each.partition for each in first.landed] == [f"n={n},route=items" for n in range(1, EACH + 1)]
    assert [failed.message.split(": ")[0] for failed in first.failed] == [
        "source things, partition n=1,route=404 and 59 more",
        "source things, partition n=1,route=500-always and 59 more",
    ]
    assert asked == {"/items": EACH, "/404": EACH, "/500-always": 2 * EACH}
    assert (again.total("reused"), again.total("rows")) == (EACH, first.total("rows"))
    assert len(names) == EACH <= PARTITIONS_AT_ONCE
    assert "things n=1,route=items … n=1,route=500-always (3 partitions)" in names


async def test_a_task_run_of_several_partitions_tells_each_cause_once(site: Site, tmp_path: Path) -> None:
    """What Prefect shows of it names the first partition of each cause, and how many share it."""
    parts = {"n": {"range": [1, 2 * PARTITIONS_AT_ONCE]}}
    source = api(site, "/404", params={"n": "{n}"}, partitions=parts, pagination={"kind": "single"})

    await ingest(Pipeline(name="test", sources={"things": source}, allow_partial=True), tmp_path)

    failed = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.FAILED])))
    said = f"2 of 2 partitions failed: partition n=1 and 1 more: GET {site.url}/404?n=1 "
    async with get_client() as client:
        for _ in range(_TOLD_S):  # Prefect stores the states of tasks a moment later
            runs = await client.read_task_runs(task_run_filter=failed, sort=TaskRunSort.END_TIME_DESC)
            if any(said in str(run.state and run.state.message) for run in runs):
                return
            await asyncio.sleep(1)
    raise AssertionError([run.state for run in runs])


async def test_what_is_begun_stays_until_its_turn_comes(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that fails before it asks for anything, here without its token, has removed nothing that another can go on from."""
    source = api(
        site,
        "/items",
        params={"n": "{n}"},
        partitions={"n": {"range": [1, 2 * PARTITIONS_AT_ONCE]}},
        auth={"kind": "bearer", "token": {"env": "TIDEMILL_TEST_TOKEN"}},
        pagination={"kind": "page"},
    )
    monkeypatch.delenv("TIDEMILL_TEST_TOKEN", raising=False)
    begun = await asyncio.to_thread(begin, source, tmp_path / "raw" / "things")

    with pytest.raises(StageError, match="TIDEMILL_TEST_TOKEN is not set"):
        await ingest(Pipeline(name="test", sources={"things": source}), tmp_path, fresh=True)

    assert await asyncio.to_thread(lambda: [is_begun(raw) for raw in begun]) == [True] * 3


async def test_a_task_run_that_prefect_fails_is_a_failure_of_its_partitions(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cause is told of each of them, and no partition is forgotten."""

    async def lost(batch: PartitionBatch) -> None:  # noqa: ARG001 - what Prefect does when its API goes away
        raise ConnectionResetError("the API went away")

    monkeypatch.setattr(ingest_tasks, "land_partitions", lost)
    source = api(site, "/items", partitions={"n": [1, 2]}, params={"n": "{n}"})

    with pytest.raises(
        StageError, match=r"partition n=1 and 1 more: its task run failed \(the API went away\); run again"
    ):
        await ingest(Pipeline(name="test", sources={"things": source}), tmp_path)


def test_prefect_looks_through_no_partition_of_what_the_flow_returns() -> None:
    """It looks for states in all that a flow returns: in a source, however many partitions it has, once."""
    landed = [Landed(f"n={n}", Path("raw"), 3, 2, 9, reused=False) for n in range(9)]
    looked_at: list[Any] = []

    visit_collection([LandedSource("news", landed, [])], looked_at.append, return_data=False)

    assert [type(each) for each in looked_at] == [list, LandedSource]


def begin(source: ApiSource, folder: Path) -> list[Path]:
    """Leave what a run leaves that ended early, of the first partitions of a source; return their raw files to be."""
    jobs = [PartitionJob("things", source, partition, folder) for partition in list_partitions(source)[:3]]
    for job in jobs:
        writer = RawWriter(job.raw, RawManifest(job.fingerprint, 0, 0, 0, "", ""))
        writer.add(PageGroup([b'{"id": 1}'], 1, None), None)
        writer.close()
    return [job.raw for job in jobs]


def record_batches(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list of what Prefect's task runs are given from now on."""
    batches: list[Any] = []

    def look(value: Any, context: dict[str, Any]) -> Any:
        batches.extend([value] if context["parameter_name"] == "batch" else [])
        return resolve_to_final_result(value, context)

    monkeypatch.setattr(task_engine, "resolve_to_final_result", look)
    return batches
