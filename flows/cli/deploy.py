"""The command `deploy`: the deployments of prefect.yaml, and the alerts of their pipeline files, told to the Prefect server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping

from prefect import get_client
from prefect.settings import get_current_settings

from flows.alerts import AlertedPipeline, alerted_pipelines, find_blocks, register_alerts
from flows.cli.prefect_api import PrefectApi
from flows.deployments import read_deployments
from tasks.core.errors import ServerError
from tasks.core.escaping import count

_DEPLOY = ("-m", "prefect", "--no-prompt", "deploy", "--all")


def deploy_all() -> int:
    """Deploy all of prefect.yaml to the configured server, then make its alerts; return the exit code.

    Raises:
        ConfigError: prefect.yaml or a pipeline file is wrong, or a block that alerts name is not there; nothing is deployed.
        ServerError: no server is configured, it cannot be reached, or `prefect deploy` failed.

    """
    pipelines = alerted_pipelines(read_deployments())
    url = get_current_settings().api.url
    if not url:
        raise ServerError(
            "no Prefect server is configured, and a temporary one would forget what is deployed; start one with prefect "
            "server start, and set PREFECT_API_URL, e.g. http://127.0.0.1:4200/api"
        )
    PrefectApi(url=url).wait_until_ready()
    asyncio.run(_check(pipelines))
    sys.stdout.flush()
    code = subprocess.run([sys.executable, *_DEPLOY], check=False).returncode  # noqa: S603 - our own command
    if code:
        raise ServerError(f"prefect deploy --all failed (exit code {code}), for the reason above")
    asyncio.run(register_alerts())
    for name, pipeline in pipelines.items():
        if pipeline.alerts:
            print(f"{name}: {count(sum(len(set(alert.when)) for alert in pipeline.alerts), 'alert')}")
    return 0


async def _check(pipelines: Mapping[str, AlertedPipeline]) -> None:
    async with get_client() as client:
        await find_blocks(client, pipelines)
