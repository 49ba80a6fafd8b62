"""The command `serve`: the deployments of prefect.yaml, scheduled and run here without a worker."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress

from flows.cli.prefect_api import prefect_api
from flows.deployments import FILE, Deployment, merge_environments, read_deployments
from flows.schedules import warn_of_deployment


def serve_deployments(*, verbose: bool) -> int:
    """Serve every deployment of prefect.yaml until interrupted; return the exit code.

    Raises:
        ConfigError: there is no prefect.yaml here, no deployment in it, or one of them is wrong.
        ServerError: the Prefect API cannot be reached, or the temporary server has ended.

    """
    deployments = read_deployments()
    for name, value in merge_environments(deployments).items():
        os.environ.setdefault(name, value)
    warnings = [f"warning: {said}" for said in _warn(deployments)]
    with prefect_api(verbose=verbose) as api, suppress(KeyboardInterrupt):  # the way to end it
        from flows.cli.runner import make_deployment, serve_until_ended  # noqa: PLC0415 - reads the settings above

        made = [(deployment, make_deployment(deployment)) for deployment in deployments]
        api.wait_until_ready()
        if api.server is not None:
            print(f"Prefect UI, as long as this command runs: {api.ui}")
        for deployment in deployments:
            print(f"serving {deployment.flow}/{deployment.name}: {_timetable(deployment)}")
        for warning in warnings:
            print(warning)
        sys.stdout.flush()
        asyncio.run(serve_until_ended(made, api))
    return 0


def _timetable(deployment: Deployment) -> str:
    if deployment.is_scheduled:
        return ", ".join(str(timetable) for timetable in deployment.schedules if timetable.active is not False)
    return "paused" if deployment.schedules else "on demand, by its page in the UI or prefect deployment run"


def _warn(deployments: list[Deployment]) -> list[str]:
    """Return what is to be said of the deployments beforehand; read their pipelines for it, and so find what is wrong."""
    said = [
        f"{warning} (deployment {deployment.name})"
        for deployment in deployments
        for warning in warn_of_deployment(deployment, deployment.read_pipeline())
    ]
    if not any(deployment.is_scheduled for deployment in deployments):
        said.append(f"no deployment of {FILE} has a schedule: nothing runs by itself; add schedules: to one")
    return said
