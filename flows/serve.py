"""The command `serve`: the deployments of prefect.yaml, scheduled and run here without a worker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from flows.api import prefect_api
from tasks.errors import SpecError

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
        from prefect import serve  # noqa: PLC0415 - the settings above are read when Prefect is imported
        from prefect.deployments.runner import RunnerDeployment  # noqa: PLC0415 - the same

        api.wait_until_ready()
        if api.server is not None:
            print(f"Prefect UI, as long as this command runs: {api.url.removesuffix('/api')}")
        for deployment in deployments:
            print(f"serving {deployment['entrypoint'].rsplit(':')[-1]}/{deployment['name']}", flush=True)
        serve(*(RunnerDeployment.from_entrypoint(**_arguments(d)) for d in deployments), print_starting_message=False)
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


def _arguments(deployment: dict[str, Any]) -> dict[str, Any]:
    """Return the deployment as the arguments of Prefect's own class, without its work pool."""
    from prefect.client.schemas.schedules import construct_schedule  # noqa: PLC0415 - as above

    schedules = [construct_schedule(**schedule) for schedule in deployment.get("schedules", [])]
    return {key: value for key, value in deployment.items() if key != "work_pool"} | {"schedules": schedules}
