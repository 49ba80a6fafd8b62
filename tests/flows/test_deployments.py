"""The deployments of prefect.yaml, run by a worker and by `serve`."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from ruamel.yaml import YAML

from flows.cli.demo import PIPELINE
from flows.deployments import read_deployments
from tasks.core.storage import read_json
from tests.flows.conftest import PROJECT, Tidemill, group_is_gone, read_until
from tests.flows.scheduling import prefect, worker
from tests.thorough import takes_minutes

_TEMPLATE = {"job_configuration": {"image": "{{ image }}"}, "variables": {"properties": {"image": {"type": "string"}}}}

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


def run_tour(data: Path, *parameters: str, environment: dict[str, str]) -> str:
    """Run the tour's deployment to its end, on a data folder of the test's own, and return what was printed."""
    given = [word for parameter in (f'data="{data}"', *parameters) for word in ("--param", parameter)]
    return prefect("deployment", "run", "pipeline/tour", *given, "--watch", cwd=PROJECT, environment=environment)


def landed(data: Path) -> dict[str, str]:
    """Return when each of the tour's users was fetched."""
    return {path.stem: read_json(path)["landed_at"] for path in sorted((data / "raw" / "users").glob("user*.json"))}


def test_every_deployment_has_a_pipeline_file_and_a_glossed_schedule() -> None:
    """The files that the deployments name are there, and each cron is told in words beside it."""
    text = (PROJECT / "prefect.yaml").read_text()
    deployments = YAML(typ="safe", pure=True).load(text)["deployments"]

    assert [deployment["name"] for deployment in deployments] == ["flights", "flights-train", "tour", "clean"]
    files = [each["parameters"]["config"] for each in deployments if each["name"] != "clean"]
    assert all((PROJECT / file).is_file() for file in files)
    assert len(re.findall(r'- cron: "[^"]+"  # every ', text)) == text.count("cron:") == 3


def test_a_worker_runs_a_deployment(tidemill: Tidemill, data: Path, tmp_path: Path) -> None:
    """`prefect deploy --all`, a worker and `deployment run` end in Completed, with the tables there."""
    environment = tidemill.environment
    (tmp_path / "inbox").symlink_to(data / "inbox")
    prefect("work-pool", "create", "local", "--type", "process", cwd=PROJECT, environment=environment)

    deployed = prefect("deploy", "--all", cwd=PROJECT, environment=environment)
    with worker("local", PROJECT, environment):
        ran = run_tour(tmp_path, environment=environment)

    assert deployed.count("successfully created") == 4
    assert "Flow run finished successfully in 'Completed'" in ran
    assert {folder.name for folder in (tmp_path / "tables").iterdir()} == {"articles", "users", "iris"}
    assert (tmp_path / "models" / "tour" / "champion.json").is_file()


@takes_minutes("it starts a server and runs")
def test_serve_runs_a_deployment_without_a_worker(tidemill: Tidemill, data: Path, tmp_path: Path) -> None:
    """`serve` schedules the same deployments, runs them itself, a slice of them by parameters, too, and ends on Ctrl-C."""
    (tmp_path / "inbox").symlink_to(data / "inbox")

    process = tidemill.start("serve")
    served = read_until(process, "next run")  # they are registered by then
    try:
        ran = run_tour(tmp_path, 'only="ingest"', environment=tidemill.environment)
        first = landed(tmp_path)
        backfill = ('only="ingest"', 'partitions="user_id=2..3"', "fresh=true")
        again = run_tour(tmp_path, *backfill, environment=tidemill.environment)
    finally:
        os.kill(process.pid, signal.SIGINT)
        gone = group_is_gone(process)

    assert re.findall(r"serving ([^\s:]+)", served) == [
        "pipeline/flights",
        "train/flights-train",
        "pipeline/tour",
        "clean/clean",
    ]
    assert "Flow run finished successfully in 'Completed'" in ran
    assert {folder.name for folder in (tmp_path / "raw").iterdir()} == {"articles", "users"}
    assert "Flow run finished successfully in 'Completed'" in again
    assert [name for name, at in landed(tmp_path).items() if at != first[name]] == ["user_id=2", "user_id=3"]
    assert gone
    assert process.returncode == 0


def test_the_pipeline_of_the_demo_is_there() -> None:
    """The command finds it from wherever it is called."""
    assert PIPELINE.is_file()


def test_a_pipeline_folder_is_a_deployment(tmp_path: Path) -> None:
    """One that no deployment of prefect.yaml runs, or has the name of; it runs where the others do."""
    for name in ("alone", "told", "taken"):
        (tmp_path / "deployments" / name).mkdir(parents=True)
        (tmp_path / "deployments" / name / "pipeline.yaml").write_text(
            f"{{name: {name}, sources: {{rows: {{kind: files, path: inbox}}}}}}"
        )
    (tmp_path / "deployments" / "docker").mkdir()
    (tmp_path / "prefect.yaml").write_text("""
deployments:
  - name: nightly
    entrypoint: flows.pipeline:pipeline
    parameters: {config: deployments/told/pipeline.yaml}
    work_pool: {name: local, job_variables: {env: {X: 1}}}
  - {name: taken, entrypoint: "flows.clean:clean"}
""")

    *_, found = deployments = read_deployments(tmp_path / "prefect.yaml")

    assert [deployment.name for deployment in deployments] == ["nightly", "taken", "alone"]
    assert found.parameters == {"config": "deployments/alone/pipeline.yaml", "data": "data"}
    assert (found.environment, found.is_scheduled) == ({"X": "1"}, False)


def test_the_image_is_made_by_the_steps_of_the_readme() -> None:
    """As an ordinary user, with the versions that are tested; a linter finds nothing."""
    dockerfile = PROJECT / "deployments" / "docker" / "Dockerfile"
    steps = dockerfile.read_text().splitlines()
    readme = re.search(r"^python3 -m venv .venv && .*? -e \.", (PROJECT / "README.md").read_text(), re.MULTILINE)
    hadolint = Path(sys.executable).with_name("hadolint")

    linted = subprocess.run([hadolint, "--no-color", dockerfile], capture_output=True, text=True, check=False)

    assert (linted.returncode, linted.stdout) == (0, "")
    assert readme is not None
    assert "-c constraints.txt" in readme[0]
    assert steps.index("USER 1000") < steps.index(f"RUN {readme[0]}")
    assert [line for line in steps if line.startswith("USER")] == ["USER 1000"]


@pytest.mark.parametrize("kind", ["docker", pytest.param("kubernetes", marks=takes_minutes("docker is alike"))])
async def test_a_deployment_goes_to_a_pool_of_another_type(kind: str, tmp_path: Path) -> None:
    """By the templates of prefect.yaml, without the network: the pool is told the image, and each run where its code is in it."""
    text = (
        (PROJECT / "prefect.yaml").read_text().replace("work_pool: *local", f"work_pool: *{kind}\n    pull: *in_image")
    )
    file = tmp_path / "prefect.yaml"
    file.write_text(text.replace("- name: flights\n", f"- name: {kind}-flights\n"))
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=kind, type=kind, base_job_template=_TEMPLATE))
        chosen = ("deploy", "--prefect-file", str(file), "--name", f"{kind}-flights")
        await asyncio.to_thread(prefect, *chosen, cwd=PROJECT, environment={})
        deployment = await client.read_deployment_by_name(f"pipeline/{kind}-flights")

    limit, options = deployment.global_concurrency_limit, deployment.concurrency_options
    assert limit is not None
    assert options is not None
    assert (deployment.work_pool_name, limit.limit, options.collision_strategy) == (kind, 1, "CANCEL_NEW")
    assert deployment.job_variables["image"].endswith("tidemill:latest")
    assert deployment.pull_steps == [
        {"prefect.deployments.steps.set_working_directory": {"directory": "/srv/tidemill"}}
    ]
