"""What `serve` tells, what it bears, and what it refuses."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.conftest import Tidemill, group_is_gone, read_until
from tests.flows.scheduling import free_port, start_server, write_project
from tests.flows.test_run import copy_database

pytestmark = pytest.mark.flow

FAST = {"name": "fast", "schedules": [{"interval": 15}]}


@pytest.fixture
def home(prefect_server: str, tmp_path: Path) -> Path:
    """Return a Prefect home with a migrated database, of this test alone."""
    assert prefect_server
    copy_database(Path(os.environ["PREFECT_HOME"]), tmp_path / "prefect")
    return tmp_path / "prefect"


def test_serve_outlives_a_restart_of_its_server(home: Path, tmp_path: Path) -> None:
    """A server that is away is one line, and when it is back schedules go on firing; SIGTERM ends the command."""
    port = free_port()
    server = start_server(home, port)
    project = write_project(tmp_path / "project", FAST)
    environment = {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_HOME": str(home)}
    process = Tidemill(environment, project).start("serve")
    try:
        first = read_until(process, r"fast +Completed after \d")
        server.kill()
        server.wait()
        away = read_until(process, "does not answer")
        server = start_server(home, port)
        again = read_until(process, "answers again")
        after = read_until(process, r"fast +Completed after \d")
        os.kill(process.pid, signal.SIGTERM)
        rest = process.stdout.read() if process.stdout else ""
    finally:
        gone = group_is_gone(process, within_s=60)
        server.terminate()
        server.wait()

    told = first + away + again + after + rest
    assert (gone, process.returncode) == (True, 0)
    assert "serving pipeline/fast: every 15 s" in first
    assert re.search(r"^\d\d:\d\d:\d\d  fast  next run \w{3} \d\d \w{3} \d{4} \d\d:\d\d:\d\d$", first, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d  fast  started$", first, re.MULTILINE)
    assert told.count("does not answer") == told.count("answers again") == 1
    assert "Traceback" not in told
