"""The deployments of prefect.yaml, run by a worker and by `serve`."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flows.cli.demo import PIPELINE
from tests.flows.conftest import PROJECT, Tidemill, group_is_gone, read_until
from tests.flows.scheduling import prefect, worker

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


def run_tour(data: Path, *parameters: str, environment: dict[str, str]) -> str:
    """Run the tour's deployment to its end, on a data folder of the test's own, and return what was printed."""
    given = [word for parameter in (f'data="{data}"', *parameters) for word in ("--param", parameter)]
    return prefect("deployment", "run", "pipeline/tour", *given, "--watch", cwd=PROJECT, environment=environment)


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


def test_serve_runs_a_deployment_without_a_worker(tidemill: Tidemill, data: Path, tmp_path: Path) -> None:
    """`serve` schedules the same deployments, runs them itself, and ends on Ctrl-C."""
    (tmp_path / "inbox").symlink_to(data / "inbox")

    process = tidemill.start("serve")
    served = read_until(process, "serving pipeline/tour")
    try:
        ran = run_tour(tmp_path, 'only="ingest"', environment=tidemill.environment)
    finally:
        os.kill(process.pid, signal.SIGINT)
        gone = group_is_gone(process, within_s=90)

    assert re.findall(r"serving ([^\s:]+)", served) == [
        "pipeline/flights",
        "train/flights-train",
        "pipeline/tour",
        "clean/clean",
    ]
    assert "Flow run finished successfully in 'Completed'" in ran
    assert {folder.name for folder in (tmp_path / "raw").iterdir()} == {"articles", "users"}
    assert gone
    assert process.returncode == 0


def test_the_pipeline_of_the_demo_is_there() -> None:
    """The command finds it from wherever it is called."""
    assert PIPELINE.is_file()
