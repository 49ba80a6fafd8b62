"""The commands on the versions of a pipeline's model: look at them, choose one, hand one on.

Imports nothing heavy: worker processes import this module again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from flows.cli.options import Data, Named

models = App(name="models", help="Look at the versions of a pipeline's model, and choose which of them serves.")


@models.command(name="list")
def list_models(pipeline: Named, *, data: Data = Path("data")) -> int:
    """List the versions: score on the hold-out with its interval, when it was made, and which one serves."""
    from flows.cli.models import show_versions  # noqa: PLC0415 - heavy

    return show_versions(pipeline, data)


@models.command
def promote(
    pipeline: Named,
    version: Annotated[str, Parameter(help="Name of the version, as `models list` has it.")],
    *,
    data: Data = Path("data"),
) -> int:
    """Let a version serve, whatever the pipeline file says of promotion."""
    from flows.cli.models import promote_version  # noqa: PLC0415 - heavy

    return promote_version(pipeline, version, data)


@models.command
def rollback(pipeline: Named, *, data: Data = Path("data")) -> int:
    """Let the version serve that did before; the one set aside is not taken again by itself."""
    from flows.cli.models import roll_back_champion  # noqa: PLC0415 - heavy

    return roll_back_champion(pipeline, data)


exports = App(name="export", help="Hand a version on to others.")
models.command(exports)


@exports.command
def onnx(
    pipeline: Named,
    version: Annotated[str | None, Parameter(help="Name of the version; without it, the one that serves.")] = None,
    *,
    output: Annotated[Path, Parameter(help="File to write.")],
    overwrite: Annotated[bool, Parameter(negative="", help="Replace the file that is there.")] = False,
    data: Data = Path("data"),
) -> int:
    """Write a version as ONNX, once its predictions of the held-out rows are the model's within 1e-5.

    What cannot be converted, or predicts otherwise, is named and not written.
    """
    from flows.cli.handover import export_onnx  # noqa: PLC0415 - heavy

    return export_onnx(pipeline, version, data, output, overwrite=overwrite)


@exports.command
def mlflow(
    pipeline: Named,
    version: Annotated[str | None, Parameter(help="Name of the version; without it, the one that serves.")] = None,
    *,
    tracking_uri: Annotated[str, Parameter(help="Address of the MLflow server, e.g. http://mlflow.example.com:5000.")],
    data: Data = Path("data"),
) -> int:
    """Log a version as a run of MLflow, and register its model; twice changes nothing.

    The version that serves has the alias `champion`, another one `challenger`.
    Who may write there is taken from MLFLOW_TRACKING_USERNAME and
    MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.
    """
    from flows.cli.handover import export_mlflow  # noqa: PLC0415 - heavy

    return export_mlflow(pipeline, version, data, tracking_uri)
