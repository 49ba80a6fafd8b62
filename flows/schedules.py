"""Schedules that bring nothing new: what `check`, `serve` and a scheduled run say of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flows.deployments import FILE, Deployment, read_deployments
from tasks.config import Pipeline
from tasks.core.errors import ConfigError

_FETCHING = ("pipeline", "ingest")  # the flows that fetch


def fetched_once(pipeline: Pipeline) -> list[str]:
    """Return one sentence for each source of which a schedule fetches nothing once it has landed."""
    return [
        f"source {name} has neither refresh nor incremental: once it has landed, scheduled runs fetch nothing of it; "
        "add refresh: {after: 24h}, or incremental, to it"
        for name, source in pipeline.parted.items()
        if source.refresh is None and not source.has_open_dates and not source.parents and not source.grows
    ]


def warn_of_deployment(deployment: Deployment, pipeline: Pipeline | None) -> list[str]:
    """Return what is to be said of a deployment's schedule; nothing where it has none, or fetches all again."""
    given = deployment.parameters
    fetches = deployment.flow in _FETCHING and given.get("only") in (None, "ingest") and not given.get("fresh")
    if pipeline is None or not deployment.is_scheduled or not fetches:
        return []
    return fetched_once(pipeline)


def warn_of_file(path: Path, pipeline: Pipeline) -> list[str]:
    """Return what is to be said of the schedules that the prefect.yaml here gives a pipeline file."""
    said = {
        f"{sentence} (deployment {deployment.name} in {FILE})"
        for deployment in _deployments_of(path)
        for sentence in warn_of_deployment(deployment, pipeline)
    }
    return sorted(said)


def _deployments_of(path: Path) -> Iterator[Deployment]:
    try:
        deployments = read_deployments()
    except ConfigError:  # of no concern to who checks a pipeline file; serve says it
        return
    for deployment in deployments:
        config = deployment.parameters.get("config")
        if isinstance(config, str) and Path(config).absolute() == path.absolute():
            yield deployment
