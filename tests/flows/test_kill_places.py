"""What becomes of a run in each of its stages when its worker, its process or its server is killed: what Prefect shows, and what it comes to.

Each takes a minute of a processor: they run where TIDEMILL_THOROUGH is set.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.client.base import PrefectHttpxSyncClient

from tasks.core.runs import BegunRun, read_runs
from tasks.core.storage import DataFolder, process_lives
from tests.flows.conftest import PROJECT, Tidemill
from tests.flows.scheduling import PREFECT, free_port, prefect, start_server
from tests.flows.test_kill_matrix import STAGES, inbox, outcome, pipeline, undisturbed, wait_for_stage
from tests.flows.test_resume import OPEN, states, wait_for
from tests.flows.test_run import copy_database
from tests.thorough import takes_minutes

__all__ = ["pipeline", "undisturbed"]
pytestmark = [
    pytest.mark.flow,
    takes_minutes("it takes half an hour"),
]

SEEDS = (1, 2, 3)
"""By which the moment of each kill is drawn."""
_LATER_S = 1.0
_POOL = "local"


@dataclass
class Place:
    """A server and a worker of its own, each of which is killed and started again."""

    home: Path
    folder: Path
    pipeline: Path
    port: int = field(default_factory=free_port)
    server: subprocess.Popen[bytes] | None = None
    worker: subprocess.Popen[bytes] | None = None

    @property
    def api(self) -> str:
        """Return the address of its API."""
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def environment(self) -> dict[str, str]:
        """Return what commands need that are to use it."""
        return {"PREFECT_API_URL": self.api, "PREFECT_HOME": str(self.home)}

    def serve(self) -> None:
        """Start the server, the first time or again, on the same port and database."""
        self.server = start_server(self.home, self.port)

    def work(self) -> None:
        """Start a worker."""
        self.worker = subprocess.Popen(
            [*PREFECT, "worker", "start", "--pool", _POOL],
            cwd=self.folder,
            env={**os.environ, **self.environment, "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def start_run(self, data: Path) -> None:
        """Have the worker run the deployment in a data folder."""
        asked = {"parameters": {"data": str(data)}, "state": {"type": "SCHEDULED"}}
        with PrefectHttpxSyncClient(base_url=self.api, timeout=60) as http:  # it asks again where the database is busy
            found = http.get("/deployments/name/pipeline/shop").raise_for_status().json()
            http.post(f"/deployments/{found['id']}/create_flow_run", json=asked).raise_for_status()

    def open_runs(self) -> list[tuple[str, str]]:
        """Return the names and states of all that the server shows to go on."""
        going = {"state": {"type": {"any_": OPEN}}}
        runs = httpx.post(f"{self.api}/flow_runs/filter", json={"flow_runs": going}).json()
        tasks = httpx.post(f"{self.api}/task_runs/filter", json={"task_runs": going}).json()
        return [(each["name"], each["state_type"]) for each in (*runs, *tasks)]


def kill(process: subprocess.Popen[bytes] | None) -> None:
    """Kill one process, and none that it has started."""
    assert process is not None
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def place(prefect_server: str, pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Yield a server with a deployment of the pipeline, and a worker that runs it."""
    assert prefect_server
    folder = tmp_path_factory.mktemp("project")
    home = folder / "prefect"
    copy_database(Path(os.environ["PREFECT_HOME"]), home)
    deployment = {
        "name": "shop",
        "entrypoint": "flows.pipeline:pipeline",
        "parameters": {"config": str(pipeline)},
        "work_pool": {"name": _POOL},
    }
    (folder / "prefect.yaml").write_text(json.dumps({"name": "shop", "deployments": [deployment]}))
    here = Place(home, folder, pipeline)
    here.serve()
    try:
        prefect("work-pool", "create", _POOL, "--type", "process", cwd=PROJECT, environment=here.environment)
        prefect("deploy", "--all", cwd=folder, environment=here.environment)
        here.work()
        yield here
    finally:
        for process in (here.worker, here.server):
            if process is not None:
                process.kill()
                process.wait()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("killed", ["worker", "process", "server"])
def test_a_run_of_a_worker(killed: str, stage: str, seed: int, place: Place, undisturbed: Any, tmp_path: Path) -> None:
    """What was killed is Crashed, what went on is Completed, with all of its parts; resume comes to what nobody disturbed."""
    data = inbox(tmp_path / "data")
    place.start_run(data)
    run = wait_for_stage(stage, 1, data, place.api)
    time.sleep(random.Random(f"{killed} {stage} {seed}").random() * _LATER_S)
    if killed == "process":
        os.kill(run.pid, signal.SIGKILL)
    elif killed == "worker":
        kill(place.worker)
        place.work()
    else:
        kill(place.server)
        place.serve()
    wait_for(lambda: not process_lives(run.pid))
    if killed == "process":
        wait_for(lambda: states(place.api, run.flow_run_id)["shop"] == "CRASHED")  # by its worker, which saw it end

    resume_and_look(place, data, run, undisturbed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stage", STAGES)
def test_the_server_of_a_run(stage: str, seed: int, place: Place, undisturbed: Any, tmp_path: Path) -> None:
    """A run of the command line goes on when its server is there again."""
    data = inbox(tmp_path / "data")
    process = Tidemill(place.environment).start("run", place.pipeline, "--data", data)
    run = wait_for_stage(stage, 1, data, place.api)
    time.sleep(random.Random(f"server {stage} {seed}").random() * _LATER_S)
    kill(place.server)
    place.serve()
    said, _ = process.communicate()

    assert process.returncode == 0, said
    resume_and_look(place, data, run, undisturbed)


@pytest.mark.parametrize("stage", STAGES)
def test_a_server_that_stays_away(stage: str, place: Place, undisturbed: Any, tmp_path: Path) -> None:
    """A run of the command line ends with a sentence, and is gone on with when the server is there again."""
    data = inbox(tmp_path / "data")
    process = Tidemill(place.environment).start("run", place.pipeline, "--data", data)
    run = wait_for_stage(stage, 1, data, place.api)
    kill(place.server)
    said, _ = process.communicate()
    place.serve()

    assert process.returncode == 1, said
    assert "does not answer any more" in said
    resume_and_look(place, data, run, undisturbed)


def resume_and_look(place: Place, data: Path, run: BegunRun, undisturbed: Any) -> None:
    """Resume a run, and look that Prefect shows nothing that is not so, and that what it has come to is as it was not disturbed."""
    resumed = Tidemill(place.environment)("resume", "--data", data)

    runs = read_runs(DataFolder.at(data))
    ended = runs[-1].end
    assert resumed.returncode == 0 or (resumed.returncode == 2 and ended == "completed"), resumed.stderr
    wait_for(lambda: not place.open_runs())
    after = states(place.api, run.flow_run_id)
    assert after["shop"] == ("COMPLETED" if ended == "completed" else "CRASHED")
    assert ended != "completed" or {*after.values()} == {"COMPLETED"}
    assert runs[0].end == "completed"
    assert {*states(place.api, runs[0].flow_run_id).values()} == {"COMPLETED"}
    assert outcome(data) == undisturbed
