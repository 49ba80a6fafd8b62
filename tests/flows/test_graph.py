"""The graph of a run: nodes that a person knows by name, and arrows from what comes before to what comes after."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.client.base import PrefectHttpxSyncClient

from tests.flows.conftest import ToldRun

pytestmark = pytest.mark.flow

Graph = dict[str, set[str]]
"""The names of what comes before each node, by its name."""


def read_graph(http: PrefectHttpxSyncClient, flow_run: str) -> tuple[Graph, dict[str, str]]:
    """Return what a run's page draws, and the ids of the nodes that are runs of subflows."""
    answer: dict[str, Any] = http.get(f"/flow_runs/{flow_run}/graph-v2").json()
    names = {number: node["label"] for number, node in answer["nodes"]}
    drawn = {node["label"]: {names[each["id"]] for each in node["parents"]} for _, node in answer["nodes"]}
    return drawn, {node["label"]: number for number, node in answer["nodes"] if node["kind"] == "flow-run"}


def test_the_graph_of_a_run_has_names_and_arrows(prefect_server: str, tour_run: ToldRun) -> None:
    """Stages follow each other, tables their files, the hold-out the folds of its candidate, and reports what they show."""
    run = tour_run.flow_run
    with PrefectHttpxSyncClient(base_url=prefect_server) as http:
        stages, ids = read_graph(http, run)
        ingest, convert, train = (
            read_graph(http, ids[f"{stage} / tour {stage}"])[0] for stage in ("ingest", "convert", "train")
        )

        waiting = http.post("/task_runs/filter", json={"flow_runs": {"id": {"any_": [run]}}}).json()

    inputs = [each["input_type"] for task in waiting for given in task["task_inputs"].values() for each in given]
    assert inputs == ["task_run", "task_run"]  # of another kind the UI can show none of the task runs beside it
    assert stages == {
        "ingest / tour ingest": set(),
        "convert / tour convert": {"ingest / tour ingest"},
        "train / tour train": {"convert / tour convert"},
    }
    assert ingest.keys() == {"articles", *(f"users user_id={number}" for number in range(1, 6))}
    tables = {"table articles", "table users", "table iris"}
    assert convert == {
        "articles files 1 of 1": set(),
        "users files 1-5 of 5": set(),
        "iris files 1-3 of 3": set(),
        "table articles": {"articles files 1 of 1"},
        "table users": {"users files 1-5 of 5"},
        "table iris": {"iris files 1-3 of 3"},
        "report tables": tables,
        "report findings": tables,
    }
    for name in ("dummy", "logistic", "forest", "svc"):
        folds = {node for node in train if node.startswith(f"candidate {name}, fold")}
        assert folds
        assert all(train[node] == {"training set"} for node in folds)
        assert train[f"candidate {name}, hold-out"] == {"training set", *folds}
    candidates = {node for node in train if node.startswith("candidate ")}
    assert sum("learning curve at" in node for node in candidates) == 4
    assert train["report leaderboard"] == {"training set", *candidates}
    assert "report leaderboard" in train["report model"]
