#!/usr/bin/env bash
# Prefect 3.9: a deployment that is paused while the scheduler makes its runs stays paused, and runs all the same.
# Expected: pausing, says the API, sets the schedule to inactive and deletes the runs that were scheduled: none is left to be run.
# Seen: the scheduler reads which deployments are not paused, makes up to a hundred runs of each, and adds them without another look.
# Those of one that was paused in between are in state Scheduled, for hours at short intervals, and workers take them; whoever looks at
# the deployment sees it paused. To pause it once more takes them away. It meets whoever pauses a schedule soon after it was changed or
# resumed, as the end of flow.serve() does: the more schedules a server has, the longer it is at it.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server"; wait "$server" || true; } 2>/dev/null; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install "prefect==3.9.1"
cd "$work"
export HOME="$work" PREFECT_HOME="$work/prefect" DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
port=$("$work/venv/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$work/venv/bin/prefect" server start --host 127.0.0.1 --port "$port" >"$work/server.log" 2>&1 &
server=$!
export PREFECT_API_URL="http://127.0.0.1:$port/api"
"$work/venv/bin/python" - <<'PY'
import asyncio
from datetime import timedelta

import httpx
import prefect
from prefect import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.settings import PREFECT_API_URL

DEPLOYMENTS, ROUNDS = 40, 5


async def main() -> None:
    async with httpx.AsyncClient(base_url=PREFECT_API_URL.value(), timeout=60) as api:
        for _ in range(120):
            try:
                (await api.get("/health")).raise_for_status()
                break
            except httpx.HTTPError:
                await asyncio.sleep(1)
        async with get_client() as client:
            flow = await client.create_flow_from_name("hourly")
            schedule = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(minutes=5)))
            ids = [await client.create_deployment(flow, f"number-{n}", schedules=[schedule]) for n in range(DEPLOYMENTS)]
            for _ in range(ROUNDS):
                for each in ids:
                    await client.resume_deployment(each)
                for each in ids:
                    await asyncio.sleep(0.15)  # through one look of the scheduler, which comes every five seconds
                    await client.pause_deployment(each)
                await asyncio.sleep(15)
                paused = [each for each in ids if (await client.read_deployment(each)).paused]
                query = {"deployments": {"id": {"any_": list(map(str, paused))}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
                left = (await api.post("/flow_runs/count", json=query)).json()
                print(f"prefect {prefect.__version__}: {len(paused)} of {DEPLOYMENTS} deployments are paused, and {left} runs of theirs scheduled")
                assert len(paused) == DEPLOYMENTS
                if left:
                    for each in paused:
                        await client.pause_deployment(each)
                    again = (await api.post("/flow_runs/count", json=query)).json()
                    print(f"paused once more: {again}")
                    assert again == 0
                    return
    raise AssertionError("no longer so")


asyncio.run(main())
PY
