"""A run that ends well and has something to say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from prefect.client.base import PrefectHttpxSyncClient

from tests.flows.conftest import Command, Tidemill

pytestmark = pytest.mark.flow

REJECTS = "source orders: 3 of 20 rows are rejects, most often because 'bad' is not an int (3); they lie in"


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """Return the file of a pipeline some of whose rows are rejects; its data folder is beside it."""
    inbox = tmp_path / "data" / "inbox"
    inbox.mkdir(parents=True)
    (inbox / "orders.csv").write_text("x\n" + "1\n" * 17 + "bad\n" * 3)
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        "name: rejecting\nsources:\n  orders: {kind: files, path: inbox/*.csv, columns: {x: int}}\n", encoding="utf-8"
    )
    return file


def test_a_warning_reaches_every_place_a_person_looks_at(
    tidemill: Tidemill, prefect_server: str, orders: Path, tmp_path: Path
) -> None:
    """The terminal, summary.json, the run's log, its state and an artifact of it; the exit code is that of a good run."""
    ended = tidemill("run", orders, "--data", tmp_path / "data")

    summary = json.loads((tmp_path / "data" / "summary.json").read_text())
    with PrefectHttpxSyncClient(base_url=prefect_server) as api:
        run = api.get(f"/flow_runs/{summary['flow_run_id']}").json()
        artifacts = api.post("/artifacts/filter", json={"artifacts": {"key": {"any_": ["rejecting-run"]}}}).json()
        children = {"flow_runs": {"parent_flow_run_id": {"any_": [run["id"]]}}}
        runs = [run["id"], *(child["id"] for child in api.post("/flow_runs/filter", json=children).json())]
        query = {"logs": {"flow_run_id": {"any_": runs}, "level": {"ge_": 30}}}
        logs = api.post("/logs/filter", json=query).json()
    assert ended.returncode == 0, ended.stderr
    assert f"warning: {REJECTS}" in " ".join(ended.stdout.split())
    assert len(summary["warnings"]) == 1
    assert summary["warnings"][0].startswith(REJECTS)
    assert run["state"]["message"].startswith(f"Completed with 1 warning: {REJECTS}")
    (report,) = artifacts
    assert report["flow_run_id"] == run["id"]
    assert REJECTS in report["data"]
    (told,) = [log for log in logs if log["message"].startswith(REJECTS)]
    assert told["flow_run_id"] == run["id"]


@pytest.mark.usefixtures("prefect_server")
def test_strict_makes_a_warning_an_exit_code(command: Command, orders: Path, tmp_path: Path) -> None:
    """For whoever looks at exit codes alone; the table is there all the same."""
    ended = command("run", orders, "--data", tmp_path / "data", "--strict")

    assert ended.code == 1
    assert (
        ended.stderr == "error: --strict: there are warnings (1), as above; mend their causes, or leave --strict out\n"
    )
    assert (tmp_path / "data" / "tables" / "orders").is_dir()


def test_a_failed_run_shows_its_warnings(command: Command, prefect_server: str, orders: Path, tmp_path: Path) -> None:
    """They may tell why it failed; the failure is what it ends with."""
    (tmp_path / "data" / "inbox" / "bad.txt").write_text("x\n" + "bad\n" * 9)
    orders.write_text(
        "name: warned-failing\nsources:\n  orders: {kind: files, path: inbox/*.csv, columns: {x: int}}\n"
        "  others: {kind: files, path: inbox/bad.txt, columns: {x: int}}\n"
    )

    ended = command("run", orders, "--data", tmp_path / "data")

    with PrefectHttpxSyncClient(base_url=prefect_server) as api:
        artifacts = api.post("/artifacts/filter", json={"artifacts": {"key": {"any_": ["warned-failing-run"]}}}).json()
    (report,) = (artifact["data"] for artifact in artifacts)
    assert ended.code == 1
    assert "source others: 9 rows came and none entered the table" in ended.stderr
    assert report.index("source others: 9 rows came and none entered the table") < report.index(REJECTS)
