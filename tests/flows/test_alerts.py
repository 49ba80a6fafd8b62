"""Alerts: each kind reaches whom a pipeline file names, exactly once, through automations of a real server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect import get_client
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.base import PrefectHttpxSyncClient
from prefect.flow_engine import run_flow
from prefect.states import Scheduled
from ruamel.yaml import YAML

from flows.pipeline import pipeline
from flows.predict import predict
from flows.truth import truth
from tasks.config import load_pipeline
from tests.flows.conftest import ENDED_S, Tidemill, group_is_gone, read_until
from tests.flows.scheduling import prefect
from tests.hosting import receiving
from tests.thorough import takes_minutes

pytestmark = pytest.mark.flow

PIPELINE = {
    "name": "alerted",
    "sources": {"rows": {"kind": "files", "path": "inbox/rows.csv", "checks": [{"range": {"column": "x", "min": 0}}]}},
    "training": {
        "query": "SELECT x, y FROM rows",
        "target": "y",
        "split": {"by": "random"},
        "promotion": {"when": "always"},
        "candidates": {"tree": {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 2}}},
    },
    "truth": {"query": "SELECT x, y FROM rows", "key": "x", "delay": "0s"},
    "alerts": [
        {"to": "alerted-ops", "when": ["failed", "late", "stuck"], "late_after": "10s", "stuck_after": "20s"},
        {"to": "custom-webhook/alerted-ops", "when": ["champion_changed", "check_failed", "rows_down", "score_fell"]},
    ],
}
LEAP_DAYS = "0 6 29 2 *"
NAMES = {
    "alerted: failed -> alerted-ops",
    "alerted: late 10s -> alerted-ops",
    "alerted: stuck 20s -> alerted-ops",
    "alerted: champion changed -> custom-webhook/alerted-ops",
    "alerted: check failed -> custom-webhook/alerted-ops",
    "alerted: rows down 50% -> custom-webhook/alerted-ops",
    "alerted: score fell -> custom-webhook/alerted-ops",
}


@dataclass
class Receiver:
    """A web hook on this machine: what it was sent, and where it listens."""

    url: str = ""
    messages: list[dict[str, str]] = field(default_factory=list)

    def of(self, subject: str) -> list[str]:
        """Return the texts of the messages with a subject."""
        return [each["body"] for each in self.messages if each["subject"] == subject]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Yield a web hook that listens."""
    received = Receiver()
    with receiving(lambda _, body: received.messages.append(json.loads(body))) as received.url:
        yield received


@dataclass(frozen=True)
class Project:
    """A project whose pipeline has every kind of alert, deployed to a pool without a worker."""

    folder: Path
    api: httpx.Client

    def write_rows(self, number: int, *more: str, labels: str = "ab") -> None:
        """Write the file of the source."""
        rows = [f"{x},{labels[x > number // 2]}" for x in range(number)]
        (self.folder / "data" / "inbox" / "rows.csv").write_text("\n".join(["x,y", *rows, *more, ""]))

    def create_run(self, state: str, **parameters: Any) -> str:
        """Have the deployment run at once: SCHEDULED for who looks for runs, or PENDING, taken already; return the run's id."""
        found = self.api.get("/deployments/name/pipeline/alerted").raise_for_status().json()
        asked = {"parameters": parameters, "state": {"type": state}}
        made = self.api.post(f"/deployments/{found['id']}/create_flow_run", json=asked)
        return str(made.raise_for_status().json()["id"])

    def start(self, run: str) -> subprocess.Popen[bytes]:
        """Start the process of a run, as a worker does."""
        command = [sys.executable, "-m", "prefect.engine", run]
        return subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, start_new_session=True)

    async def run_twice_and_go_on(self) -> str:
        """Run the pipeline here, again on half of the rows, and let that run go on once it has ended; return its id."""
        self.write_rows(400)
        config = await asyncio.to_thread(load_pipeline, self.folder / "pipeline.yaml")
        data = self.folder / "data"
        first = await pipeline(config, data)
        self.write_rows(200)
        second = await pipeline(config, data)
        assert {first.status, second.status} == {"completed"}
        async with get_client() as client:
            run = await client.read_flow_run(UUID(second.flow_run_id))
            await client.set_flow_run_state(run.id, Scheduled(), force=True)
            work: Any = run_flow(pipeline, flow_run=run, parameters={"config": config, "data": data})
            again = await work
        assert (again.status, again.flow_run_id) == ("completed", str(run.id))
        return str(run.id)

    async def let_score_fall(self) -> str:
        """Predict rows as three weeks ago, have all of them come true otherwise, and tell it twice; return the id of the run that did first."""
        config = await asyncio.to_thread(load_pipeline, self.folder / "pipeline.yaml")
        data = self.folder / "data"
        await predict("alerted", "rows", data)
        (kept,) = (data / "truth" / "alerted" / "predictions").iterdir()
        then = f"{datetime.now(UTC) - timedelta(weeks=3):%Y%m%dT%H%M%S%fZ}"
        kept.rename(kept.with_name(f"{then}-{kept.name.partition('-')[2]}"))
        self.write_rows(200, labels="ba")
        await pipeline(config, data, only="convert")
        first = await truth(config, data, return_state=True)
        judged = await truth(config, data)
        assert (len(judged.weeks), judged.weeks[0].has_fallen, judged.is_new) == (1, True, False)
        shown = self.api.get("/artifacts/alerted-truth/latest").raise_for_status().json()["data"]
        assert "![Scores by week](data:image/svg" in shown
        assert "In 1 of the weeks shown the score is surely worse than on the hold-out" in shown
        return str(first.state_details.flow_run_id)

    def state(self, run: str) -> str:
        """Return the state of a run."""
        return str(self.api.get(f"/flow_runs/{run}").raise_for_status().json()["state_name"])

    def automations(self) -> dict[str, str]:
        """Return the ids of the automations of the pipeline's alerts by their names."""
        found = self.api.get("/automations/related-to/tidemill.pipeline.alerted").raise_for_status().json()
        return {each["name"]: each["id"] for each in found}


@pytest.fixture(scope="module")
def project(prefect_server: str, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Yield the project, and its block, not deployed yet."""
    assert receiver.url
    folder = tmp_path_factory.mktemp("alerted")
    (folder / "data" / "inbox").mkdir(parents=True)
    write(folder / "pipeline.yaml", PIPELINE)
    found = folder / "deployments" / "found" / "pipeline.yaml"
    found.parent.mkdir(parents=True)
    write(found, {"name": "found", "sources": PIPELINE["sources"]})
    deployment = {
        "name": "alerted",
        "entrypoint": "flows.pipeline:pipeline",
        "parameters": {"config": str(folder / "pipeline.yaml"), "data": str(folder / "data")},
        "work_pool": {"name": "alerted"},
    }
    steps: list[dict[str, Any]] = [{"flows.alerts.register_alerts": {}}]
    of_truth = {
        **deployment,
        "name": "alerted-truth",
        "entrypoint": "flows.truth:truth",
        "schedules": [{"cron": LEAP_DAYS}],
    }
    write(folder / "prefect.yaml", {"name": "alerted", "build": steps, "deployments": [deployment, of_truth]})
    with PrefectHttpxSyncClient(base_url=prefect_server, timeout=60) as api:
        api.post("/work_pools/", json={"name": "alerted", "type": "process"}).raise_for_status()
        yield Project(folder, api)


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a YAML file."""
    with path.open("w") as file:
        YAML().dump(content, file)


@asynccontextmanager
async def stopped(project: Project, run: str) -> AsyncIterator[None]:
    """Have the process of a run stand still, once it is running, while the block runs."""
    process = project.start(run)
    try:
        await wait_until(lambda: project.state(run) == "Running")
        os.killpg(process.pid, signal.SIGSTOP)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + ENDED_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(0.2)


def test_a_block_that_is_not_there_is_told_with_the_command_that_makes_it(project: Project) -> None:
    """Nothing is deployed; the command, as it is told, makes the block."""
    ended = Tidemill(cwd=project.folder)("deploy")

    assert ended.returncode == 2
    assert "has no notification block 'alerted-ops'; make it" in ended.stderr
    assert "Block(name='alerted-ops', " in ended.stderr
    assert project.api.post("/deployments/count", json={"deployments": {"name": {"any_": ["alerted"]}}}).json() == 0


async def test_each_kind_of_alert_is_told_once(project: Project, receiver: Receiver) -> None:
    """A run that failed, one that nobody starts, one that stands still, another champion, a check, rows halved; also where a run goes on."""
    text = {"subject": "{{subject}}", "body": "{{body}}"}
    await CustomWebhookNotificationBlock(name="ops", url=receiver.url, json_data=text).save("alerted-ops")
    deployed = Tidemill(cwd=project.folder)("deploy")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert project.automations().keys() == NAMES
    found = project.api.get("/deployments/name/pipeline/found").raise_for_status().json()
    assert found["parameters"]["config"] == "deployments/found/pipeline.yaml"
    assert [step["prefect.deployments.steps.set_working_directory"]["directory"] for step in found["pull_steps"]] == [
        str(project.folder)
    ]
    scheduled = project.api.get("/deployments/name/truth/alerted-truth").raise_for_status().json()
    assert [each["schedule"]["cron"] for each in scheduled["schedules"]] == [LEAP_DAYS]
    late, still = (
        project.create_run("SCHEDULED"),
        project.create_run("PENDING", data=str(project.folder / "still"), only="ingest"),
    )

    async with stopped(project, still):
        second = await project.run_twice_and_go_on()
        fourth = await project.let_score_fall()
        project.write_rows(200, "-7,a")
        third = project.create_run("PENDING")
        await asyncio.to_thread(project.start(third).wait)
        assert project.state(third) == "Failed"
        with suppress(TimeoutError):
            await wait_until(lambda: len(receiver.messages) >= len(SUBJECTS))
    await asyncio.sleep(2)  # for what would be told twice

    told = {
        re.sub(r"-[0-9a-f]{8}| of \d{4}-\d\d-\d\d", "", each["subject"]): each["body"] for each in receiver.messages
    }
    assert told.keys() == SUBJECTS.keys()
    assert len(receiver.messages) == len(SUBJECTS)
    for (subject, figures), run in zip(
        SUBJECTS.items(), (third, late, still, second, third, second, fourth), strict=True
    ):
        assert figures in told[subject]
        assert f"/runs/flow-run/{run}" in told[subject]


SUBJECTS = {
    "alerted failed": "check range of x: 1 of 201 rows",
    "alerted is late": "10s after Prefect marked it late",
    "alerted is stuck": "running for 20s",
    "alerted: v0002 serves instead of v0001": "models rollback alerted",
    "table rows: 1 check failed": "check range of x: 1 of 201 rows",
    "alerted: table rows is down by 50%": "200 rows, 50% fewer than the 400",
    "alerted: accuracy of v0002 fell in the week": "on its hold-out, of 200 rows whose truth is known",
}


@takes_minutes("it deploys and serves")
def test_every_way_to_deploy_makes_the_same_automations(project: Project, tidemill: Tidemill) -> None:
    """`prefect deploy` and `serve` change none that `deploy` has made; what the file has no more is taken away."""
    standing = project.automations()
    tidemill.cwd = project.folder
    process = tidemill.start("serve")
    served = read_until(process, "next run|$")
    os.kill(process.pid, signal.SIGINT)

    assert group_is_gone(process)
    assert "alert " not in served
    assert project.automations() == standing

    write(project.folder / "pipeline.yaml", {**PIPELINE, "alerts": {"to": "alerted-ops", "when": ["failed"]}})
    fewer = prefect("deploy", "--all", cwd=project.folder, environment={})

    assert fewer.count("alert removed") == 6
    assert project.automations().items() < standing.items()
