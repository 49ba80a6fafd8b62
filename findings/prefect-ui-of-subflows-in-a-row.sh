#!/usr/bin/env bash
# Prefect 3.9: where a subflow takes what another subflow returned, the UI's page of task runs shows none of any run.
# Expected: the page lists the task runs that its own request (task_runs/paginate) is answered with.
# Seen: the server answers with them, one of which has an input of the type "flow_run", which the client wrote and the
# UI does not know: the page throws "Invalid TaskInputResponse" and says that there are no task runs, of all flows.
# It meets every flow that hands the value of one subflow to the next, or waits for it.
# Needs Chromium at /usr/bin/chromium (Debian: apt-get install chromium).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install "prefect==3.9.1" "playwright==1.61.0"
cd "$work"
export HOME="$work" PREFECT_HOME="$work/prefect" DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=120 PREFECT_LOGGING_LEVEL=ERROR
"$work/venv/bin/python" - <<'PY'
import os
import socket
import subprocess
import sys
import time
import urllib.request

import prefect
from playwright.sync_api import sync_playwright
from prefect import flow, get_client, task
from prefect.settings import PREFECT_API_URL, temporary_settings


@task
def count(rows: list[int]) -> int:
    return len(rows)


@flow
def read() -> list[int]:
    return [1, 2, 3]


@flow
def measure(rows: list[int]) -> int:
    return count(rows)


@flow
def one_after_the_other() -> None:
    measure(read())


@flow
def alone() -> None:
    measure([1, 2, 3])


def shown(address: str) -> tuple[int, int, list[str]]:
    """Return how many task runs the server answers with, how many the page shows, and its errors."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page, errors = browser.new_page(), []
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        with page.expect_response("**/task_runs/paginate") as answer:
            page.goto(f"{address}/runs?tab=task-runs")
        page.wait_for_timeout(5000)
        told = len(answer.value.json()["results"])
        links = page.locator("a[href*='/runs/task-run/']").count()
        browser.close()
    return told, links, errors


def settled(expected: int) -> None:
    """Wait until the server has stored the task runs."""
    with get_client(sync_client=True) as client:
        for _ in range(60):
            if len(client.read_task_runs()) >= expected:
                return
            time.sleep(1)


with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{free.getsockname()[1]}"
command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", address.rpartition(":")[2]]
environment = {**os.environ, "PREFECT_SERVER_UI_API_URL": f"{address}/api"}
server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api/health", timeout=5).close()
            break
        except OSError:
            time.sleep(1)
    with temporary_settings({PREFECT_API_URL: f"{address}/api"}):
        alone()
        settled(2)
        before = shown(address)
        one_after_the_other()
        settled(5)
        after = shown(address)
finally:
    server.terminate()
    server.wait()
print(
    f"prefect {prefect.__version__}: the page shows {before[1]} links of {before[0]} task runs,"
    f" and with subflows in a row {after[1]} of {after[0]}: {after[2]}"
)
assert before[0] > 0 and before[1] > 0, "no longer so"
assert after[0] > before[0] and after[1] == 0 and any("TaskInputResponse" in error for error in after[2]), "no longer so"
PY
