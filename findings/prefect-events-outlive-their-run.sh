#!/usr/bin/env bash
# Prefect 3.9: an event that is emitted after a flow run has ended is stored as one of that run.
# Expected: related resources are those of the context in which the event is emitted; outside of any run there are none.
# Seen: the process keeps the context in which its first event was emitted; what it emits later, of anything, is related
# to that flow run and flow, so that automations which look at flows by `match_related` act on it.
# It meets a process that runs one flow after another, or that emits events of its own between runs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install "prefect==3.9.1"
cd "$work"
export HOME="$work" PREFECT_HOME="$work/prefect" DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=120 PREFECT_LOGGING_LEVEL=ERROR
"$work/venv/bin/python" - <<'PY'
import time

import prefect
from prefect import flow, get_client
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.events.worker import EventsWorker


@flow
def first() -> None:
    emit_event("shop.inside", {"prefect.resource.id": "shop.1"})


with get_client(sync_client=True) as client:
    first()
    assert FlowRunContext.get() is None
    emit_event("shop.outside", {"prefect.resource.id": "shop.2"})
    EventsWorker.drain_all(timeout=30)
    for _ in range(60):
        found = client._client.post("/events/filter", json={"filter": {"event": {"name": ["shop.outside"]}}}).json()["events"]
        if found:
            break
        time.sleep(1)
related = sorted(each["prefect.resource.role"] for each in found[0]["related"])
print(f"prefect {prefect.__version__}: the event from outside of any run is related to {related}")
assert related == ["flow", "flow-run"], "no longer so"
PY
