"""What the commands of `models export` do: a version handed on to others."""

from __future__ import annotations

from pathlib import Path

from flows.cli.console import make_console, print_line
from flows.cli.models import name_of, trusted_by
from tasks.core.errors import ConfigError
from tasks.core.escaping import count
from tasks.core.storage import DataFolder


def export_onnx(pipeline: str, version: str | None, data: Path, output: Path, *, overwrite: bool) -> int:
    """Write a version as an ONNX file and tell how near its predictions are; return the exit code.

    Raises:
        ConfigError: there is no such version, the file is there already, or packages are not.
        TrainingError: it cannot be converted, or predicts otherwise.

    """
    folder = DataFolder.at(data)
    name = name_of(pipeline, data)
    if guarded := folder.find_guarded(output):
        raise ConfigError(f"{output}: {guarded}")
    if output.exists() and not overwrite:
        raise ConfigError(f"{output}: is there already; name another file, or add --overwrite")
    from tasks.train.handover.held_out import hold  # noqa: PLC0415 - scikit-learn
    from tasks.train.handover.onnx_file import write_onnx  # noqa: PLC0415 - as above

    made = write_onnx(hold(folder, name, version, trusted_by(pipeline)), output.absolute())
    print_line(
        make_console(),
        f"{made.version} of {name} to {made.path}, {made.bytes:,} bytes; of {count(made.rows, 'held-out row')} it differs from "
        f"the model by {made.difference:.1g} at most",
    )
    return 0


def export_mlflow(pipeline: str, version: str | None, data: Path, uri: str) -> int:
    """Log and register a version in MLflow, and tell where it is; return the exit code.

    Raises:
        ConfigError: there is no such version, or the package is not there.
        TidemillError: its training set is gone, or the server does not take it.

    """
    name = name_of(pipeline, data)
    from tasks.train.handover.held_out import hold  # noqa: PLC0415 - scikit-learn
    from tasks.train.handover.mlflow_run import log_version  # noqa: PLC0415 - as above

    made = log_version(hold(DataFolder.at(data), name, version, trusted_by(pipeline)), uri)
    done = "logged" if made.made else "was logged"
    print_line(
        make_console(),
        f"{made.version} of {name} {done} in MLflow as run {made.run}, version {made.number} of {made.model}: {made.alias}",
    )
    return 0
