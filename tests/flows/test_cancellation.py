"""A run that is cancelled in the UI: it and all of its parts end Cancelled."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.client.base import PrefectHttpxSyncClient
from tenacity import Retrying, stop_after_delay, wait_fixed

from tests.flows.conftest import Tidemill, group_is_gone, read_until
from tests.flows.scheduling import write_project
from tests.flows.test_interrupt import end_states, lineage_to, told_to_catalogue

_SLOW = """
name: slow
sources:
  users:
    kind: api
    url: {site}/api/users/{{user_id}}
    partitions: {{user_id: {{range: [1, 5]}}}}
    pagination: {{kind: single}}
    requests: {{requests_per_s: 0.3}}
"""


@pytest.mark.flow
def test_a_served_run_that_is_cancelled_leaves_nothing_crashed(
    prefect_server: str, tidemill: Tidemill, tmp_path: Path
) -> None:
    """The run, its subflow and the tasks under way end Cancelled, and the task that had ended stays Completed; so a catalogue is told."""
    tidemill.cwd = write_project(tmp_path / "slow", {"name": "slow"})
    (tidemill.cwd / "pipeline.yaml").write_text(_SLOW.format(site=tidemill.environment["SAMPLE_SITE"]))
    tidemill.environment |= lineage_to(tmp_path / "events.jsonl")
    process = tidemill.start("serve")
    read_until(process, "serving pipeline/slow")
    try:
        with PrefectHttpxSyncClient(base_url=prefect_server) as http:  # which asks a busy server again
            deployment = _retried(lambda: http.get("/deployments/name/pipeline/slow").raise_for_status().json()["id"])
            run = http.post(f"/deployments/{deployment}/create_flow_run", json={}).raise_for_status().json()["id"]
            _retried(lambda: next((tidemill.cwd / "data" / "raw" / "users").glob("*.zst")))
            http.post(f"/flow_runs/{run}/set_state", json={"state": {"type": "CANCELLING"}}).raise_for_status()
            told = read_until(process, "slow +Cancelled after")
    finally:
        os.kill(process.pid, signal.SIGINT)
        gone = group_is_gone(process)

    assert gone
    assert re.search(r"slow +started", told)
    assert end_states(prefect_server, tidemill.cwd / "data") == {"Cancelled"}
    assert told_to_catalogue(tmp_path / "events.jsonl") == ["START", "ABORT"]


def _retried(look: Callable[[], Any]) -> Any:
    """Return what is looked for, once it is there."""
    return Retrying(stop=stop_after_delay(60), wait=wait_fixed(0.2), reraise=True)(look)
