"""Each line of `doctor`, by its real cause."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from filelock import FileLock
from packaging.requirements import Requirement
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.objects import State
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.flows import Flow
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Pending, Running, Scheduled

from flows.cli.doctor.data_folder import look_at_folder
from flows.cli.doctor.packages import CONSTRAINTS, compare_with_pins, judge_requirements, read_pins
from flows.cli.doctor.server import look_at_killed_runs, look_at_schedules, look_at_server
from flows.cli.main import run_command
from flows.killed_runs import crash_run, find_killed_runs
from flows.pipeline import pipeline
from tasks.core.storage import list_leftovers
from tests.flows.conftest import FLIGHTS, PROJECT, Tidemill, read_until
from tests.flows.scheduling import free_port, start_server
from tests.flows.test_run import copy_database, inbox  # noqa: F401 - a fixture

CURE = "pip install -c constraints.txt -e . in the project's folder"


@pytest.fixture
def killed_pid() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def lines(diagnoses: Iterator[Any]) -> list[str]:
    """Return diagnoses as they are printed."""
    return [f"{diagnosis.level} {diagnosis.message}" for diagnosis in diagnoses]


def test_a_package_that_is_missing_or_of_another_version_is_wrong() -> None:
    """The line names what is there and what is needed."""
    needed = [Requirement("pytest<1"), Requirement("no-such-package-of-ours"), Requirement("pytest>=8")]

    found = lines(judge_requirements(needed))

    assert found == [
        f"wrong pytest {pytest.__version__} is installed, and <1 is needed; {CURE}",
        f"wrong no-such-package-of-ours is not installed, and Tidemill needs it; {CURE}",
    ]


def test_a_package_beside_its_pin_is_told() -> None:
    """It may work, and is not what was tested."""
    assert lines(compare_with_pins({"pytest": "0.1", "no-such-package-of-ours": "1"})) == [
        f"note 1 package other than tested: pytest {pytest.__version__} for 0.1; {CURE}"
    ]


def test_the_pins_are_read() -> None:
    """Those of the project, and none where there is no file."""
    assert read_pins(CONSTRAINTS)["prefect"].startswith("3.9.")
    assert read_pins(PROJECT / "no-constraints.txt") == {}


def test_a_full_disk_is_wrong(tmp_path: Path) -> None:
    """The line says how much is free, and the folder need not be there."""
    (first, _) = lines(look_at_folder(tmp_path / "data", least_free=10**18))

    assert first.startswith("wrong ")
    assert first.endswith(
        f"MB are free on the disk of {tmp_path / 'data'}, and a run may need more than that; delete or move something"
    )


def test_a_data_folder_that_is_a_file_is_wrong(tmp_path: Path) -> None:
    """Nothing else is looked at."""
    (tmp_path / "data").write_text("")

    assert lines(look_at_folder(tmp_path / "data")) == [f"wrong {tmp_path / 'data'} is a file; name a folder by --data"]


def test_a_folder_that_a_run_holds_is_told(tmp_path: Path) -> None:
    """One that was held before is not."""
    for name in ("held", "left"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".lock").touch()

    with FileLock(tmp_path / "held" / ".lock"):
        found = lines(look_at_folder(tmp_path))

    assert [line for line in found if line.startswith("note")] == [
        f"note {tmp_path / 'held'} is held by a run that is under way; another one waits or is refused"
    ]


def test_what_killed_runs_left_is_wrong_until_it_is_mended(
    tmp_path: Path, killed_pid: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unfinished files of processes that are gone are named, and removed with --mend; those of living ones stay."""
    monkeypatch.setenv("PREFECT_API_URL", "")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / f".a.jsonl.{killed_pid}.part").write_bytes(b"x" * 1_500_000)
    (tmp_path / "raw" / f".b.jsonl.{os.getpid()}.part").touch()

    before = lines(look_at_folder(tmp_path))
    with temporary_settings({PREFECT_API_URL: None}):
        code = run_command(["doctor", "--data", str(tmp_path), "--mend"])

    told = capsys.readouterr().out.splitlines()
    assert before[-1] == (
        f"wrong {tmp_path} has 1 unfinished file of killed runs, 1.5 MB: raw/.a.jsonl.{killed_pid}.part; "
        "run their pipelines again, or remove them by doctor --mend"
    )
    assert told[0] == f"mended {tmp_path}: 1 unfinished file of killed runs removed"
    assert told[-1] == f"ok     {tmp_path} has nothing unfinished of killed runs"
    assert code == 0
    assert list_leftovers(tmp_path) == []
    assert (tmp_path / "raw" / f".b.jsonl.{os.getpid()}.part").exists()


def test_a_partition_that_is_begun_is_told(tmp_path: Path) -> None:
    """It names the source; the next run goes on."""
    (tmp_path / "raw" / "weather").mkdir(parents=True)
    (tmp_path / "raw" / "weather" / ".all.jsonl.gz.landing.json").write_text("{}")

    assert "note 1 partition of weather begun and not finished; the next run goes on there" in lines(
        look_at_folder(tmp_path)
    )


def test_a_damaged_champion_is_wrong(tmp_path: Path) -> None:
    """As it would end a training or a prediction."""
    (tmp_path / "models" / "shop").mkdir(parents=True)
    (tmp_path / "models" / "shop" / "champion.json").write_text("{")

    (found,) = [line for line in lines(look_at_folder(tmp_path)) if line.startswith("wrong")]

    assert found.startswith(f"wrong {tmp_path / 'models' / 'shop' / 'champion.json'}: is damaged")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (None, "ok no Prefect API is configured: run and serve start a temporary server of their own"),
        (
            "http://127.0.0.1:1/api",
            "wrong the Prefect API at http://127.0.0.1:1/api cannot be reached ([Errno 111] Connection refused); start it "
            "(prefect server start), or unset PREFECT_API_URL, in the environment or the profile",
        ),
    ],
)
def test_an_api_that_is_not_there_is_told(url: str | None, said: str) -> None:
    """None that is configured is right; one that does not answer is wrong."""
    with temporary_settings({PREFECT_API_URL: url}):
        assert lines(look_at_server()) == [said]


def test_an_api_that_is_another_thing_is_wrong(sample_site: str) -> None:
    """An address that answers, but not as Prefect does."""
    with temporary_settings({PREFECT_API_URL: sample_site}):
        assert lines(look_at_server()) == [
            f"wrong {sample_site} answers, but is not a Prefect API; does the address end in /api?"
        ]


@pytest.fixture(scope="module")
def idle(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncPrefectClient]:
    """Yield a client of a server whose scheduler does not run, and of which no worker asks for work."""
    assert prefect_server
    home = tmp_path_factory.mktemp("idle") / "prefect"
    copy_database(Path(os.environ["PREFECT_HOME"]), home, "deployment", "work_pool")
    port = free_port()
    server = start_server(home, port, "--no-services")
    try:
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}):
            client = get_client(sync_client=True)
        with client:
            yield client
    finally:
        server.terminate()
        server.wait()


def deploy(client: SyncPrefectClient, name: str, **more: Any) -> UUID:
    """Deploy the pipeline flow with a schedule, as `prefect deploy` does."""
    assert isinstance(pipeline, Flow)
    schedule = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(days=1)), active=True)
    return client.create_deployment(
        flow_id=client.create_flow_from_name("pipeline"), name=name, schedules=[schedule], **more
    )


@pytest.mark.flow
def test_schedules_that_nobody_makes_or_runs_are_wrong(idle: SyncPrefectClient) -> None:
    """A scheduler that is not at work, a pool without a worker, late runs and paused deployments are a line each."""
    none = lines(look_at_schedules(idle))
    idle.create_work_pool(WorkPoolCreate(name="lonely", type="process"))
    pooled = deploy(idle, "pooled", work_pool_name="lonely")
    deploy(idle, "served")
    deploy(idle, "asleep", paused=True)
    ago = datetime.now(UTC) - timedelta(hours=2)
    idle.create_flow_run_from_deployment(pooled, state=Scheduled(scheduled_time=ago))

    found = lines(look_at_schedules(idle, new=timedelta(0)))

    assert none == ["ok no deployment has a schedule"]
    assert found == [
        "note paused, so that their schedules do not run: asleep; resume them in the UI",
        "wrong the server schedules no run of pooled, served: its scheduler is not at work; restart prefect server start, "
        "without --no-services; if it stays so, the schedule has no date left",
        "wrong no worker asks work pool lonely for work; prefect worker start --pool lonely",
        f"wrong 1 run of pooled late, the first since {ago.astimezone():%d %b %H:%M}: nobody runs them; "
        "prefect worker start --pool lonely",
    ]


@pytest.mark.flow
def test_a_run_without_a_sign_of_life_is_wrong_until_it_is_mended(idle: SyncPrefectClient) -> None:
    """A run that is Running and silent is told of; set to Crashed, it gives back its deployment's slot."""
    limited = deploy(idle, "limited", concurrency_limit=1)
    run = idle.create_flow_run_from_deployment(limited, name="lost")
    states: list[State[Any]] = [Pending(), Running()]
    begun = [idle.set_flow_run_state(run.id, state).status.value for state in states]
    second = idle.create_flow_run_from_deployment(limited, name="next")
    refused = idle.set_flow_run_state(second.id, Pending()).status.value
    patient = lines(look_at_killed_runs(idle))

    before = lines(look_at_killed_runs(idle, silence=timedelta(0)))
    for killed in find_killed_runs(idle, silence=timedelta(0)):
        crash_run(idle, killed.id, killed.sign)
    accepted = idle.set_flow_run_state(second.id, Pending()).status.value

    assert (begun, refused, accepted) == (["ACCEPT", "ACCEPT"], "REJECT", "ACCEPT")
    assert patient == ["ok no run is open whose process is gone"]
    assert len(before) == 1
    assert before[0].startswith(f"wrong run lost ({run.id}) was killed: no sign of life since ")
    assert before[0].endswith("; set it to Crashed by doctor --mend")
    idle.delete_flow_run(second.id)
    assert lines(look_at_killed_runs(idle, silence=timedelta(0))) == ["ok no run is open whose process is gone"]


@pytest.mark.flow
def test_a_killed_run_is_found_with_all_that_is_in_it(
    prefect_server: str,
    tidemill: Tidemill,
    inbox: Path,  # noqa: F811 - the fixture
) -> None:
    """After kill -9 the run and its stage stay Running; both are found, and set to Crashed."""
    assert prefect_server
    process = tidemill.start("run", FLIGHTS, "--data", inbox, "--only", "ingest")
    read_until(process, "ingest +weather")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    with get_client(sync_client=True) as client:
        silent = [run for run in find_killed_runs(client, timedelta(0)) if run.name in ("flights", "flights ingest")]
        for run in silent:
            crash_run(client, run.id, run.sign)
        states = {state.name for run in silent if (state := client.read_flow_run(run.id).state)}

        assert (len(silent), states) == (2, {"Crashed"})


@pytest.mark.flow
def test_doctor_of_a_server_in_order(prefect_server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says that the server answers, and by which version."""
    code = run_command(["doctor", "--data", str(tmp_path)])

    told = capsys.readouterr().out.splitlines()
    assert code == any(line.startswith("wrong") for line in told)
    assert any(line.startswith(f"ok     the Prefect API at {prefect_server} answers, by Prefect 3.9.") for line in told)
