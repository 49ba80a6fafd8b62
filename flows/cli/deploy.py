"""The command `deploy`: the deployments of prefect.yaml and of the folders beside it, and the alerts of their pipeline files, told to the Prefect server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping

from prefect import get_client
from prefect.settings import get_current_settings
from ruamel.yaml import YAML

from flows.alerts import AlertedPipeline, alerted_pipelines, find_blocks, register_alerts
from flows.cli.prefect_api import PrefectApi
from flows.deployments import FILE, read_deployments, read_document
from tasks.core.errors import ServerError
from tasks.core.escaping import count
from tasks.core.scratch import scratch

_DEPLOY = ("-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file")


def deploy_all() -> int:
    """Deploy all of prefect.yaml, and the pipeline folders beside it, to the configured server, then make their alerts; return the exit code.

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
    with scratch("deploy") as folder:
        file = folder / FILE.name
        YAML().dump(read_document(), file)
        code = subprocess.run([sys.executable, *_DEPLOY, str(file)], check=False).returncode  # noqa: S603 - our own command
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
