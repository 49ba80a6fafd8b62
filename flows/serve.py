"""The command `serve`: the deployments of prefect.yaml, scheduled and run here without a worker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ruamel.yaml import YAML

from flows.api import prefect_api
from tasks.errors import SpecError

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

FILE = Path("prefect.yaml")


def serve_deployments(*, verbose: bool) -> int:
    """Serve every deployment of prefect.yaml until interrupted; return the exit code.

    Raises:
        SpecError: there is no prefect.yaml here, or no deployment in it.

    """
    deployments = list(_read_deployments())
    for deployment in deployments:
        for name, value in _environment(deployment).items():
            os.environ.setdefault(name, str(value))
    with prefect_api(verbose=verbose) as api:
        from prefect.runner import Runner  # noqa: PLC0415 - imports Prefect, which reads the settings above

        api.wait_until_ready()
        if api.server is not None:
            print(f"Prefect UI, as long as this command runs: {api.url.removesuffix('/api')}")
        runner = Runner(pause_on_shutdown=True)
        for deployment in deployments:
            runner.add_deployment(_runner_deployment(deployment))
            print(f"serving {deployment['entrypoint'].rsplit(':')[-1]}/{deployment['name']}", flush=True)
        with suppress(KeyboardInterrupt):  # the way to end it
            asyncio.run(runner.start())
    return 0


def _read_deployments() -> Iterator[dict[str, Any]]:
    try:
        document = YAML(typ="safe", pure=True).load(FILE.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError(f"{FILE}: there is none in {Path.cwd()}; run the command in the project's folder") from None
    deployments = document.get("deployments") or []
    if not deployments:
        raise SpecError(f"{FILE}: deployments: is empty; add one")
    yield from deployments


def _environment(deployment: dict[str, Any]) -> dict[str, Any]:
    """Return the environment that a work pool would give the deployment's runs: here they inherit this process's."""
    environment: dict[str, Any] = deployment.get("work_pool", {}).get("job_variables", {}).get("env", {})
    return environment


def _runner_deployment(deployment: dict[str, Any]) -> RunnerDeployment:
    """Return the deployment as Prefect's own class: without a work pool, as no worker is meant to run it."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig  # noqa: PLC0415 - as above
    from prefect.client.schemas.schedules import construct_schedule  # noqa: PLC0415 - as above
    from prefect.flows import Flow, load_flow_from_entrypoint  # noqa: PLC0415 - as above
    from prefect.types.entrypoint import EntrypointType  # noqa: PLC0415 - as above

    arguments = {key: value for key, value in deployment.items() if key not in ("entrypoint", "work_pool")}
    if isinstance(deployment.get("concurrency_limit"), dict):
        arguments["concurrency_limit"] = ConcurrencyLimitConfig(**deployment["concurrency_limit"])
    arguments["schedules"] = [construct_schedule(**schedule) for schedule in deployment.get("schedules", [])]
    flow: Flow[..., Any] = load_flow_from_entrypoint(deployment["entrypoint"])
    made = flow.to_deployment(entrypoint_type=EntrypointType.MODULE_PATH, **arguments)
    return cast("RunnerDeployment", made)  # a coroutine only where a loop runs
