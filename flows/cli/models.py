"""What the commands `models` and `predict` do."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from flows.cli.console import ProgressView, make_console, print_line, print_table
from flows.cli.prefect_api import prefect_api
from tasks.config import QueryLimits, load_pipeline
from tasks.convert.formats.registry import check_format
from tasks.core.errors import ConfigError
from tasks.core.escaping import count
from tasks.core.storage import DataFolder
from tasks.train.predict.inputs import read_input
from tasks.train.predict.output import choose_output
from tasks.train.predict.prediction import Prediction
from tasks.train.registry import list_versions, promote, read_champion, roll_back

_DRIFT_SHOWN = 10


def show_versions(pipeline: str, data: Path) -> int:
    """Print the versions of a pipeline's model, and which of them serves; return the exit code.

    Raises:
        ConfigError: there is no such pipeline.

    """
    models = DataFolder.at(data).models(name_of(pipeline, data))
    champion, versions = read_champion(models), list_versions(models)
    if not versions:
        raise ConfigError(f"{models.name} has no version yet; run its pipeline first")
    rows = []
    for version in versions:
        interval = "unknown" if version.interval is None else "{:.4f} to {:.4f}".format(*version.interval)
        other = "" if version.metric == versions[-1].metric else f" ({version.metric})"
        serves = "champion" if champion and champion.version == version.name else ""
        score, made = f"{version.score:.4f}{other}", version.created[:16].replace("T", " ")
        rows.append((version.name, version.candidate, score, interval, f"{version.training_rows:,}", made, serves))
    console, title = make_console(), f"Versions of {models.name}, by {versions[-1].metric} on the hold-out"
    print_table(console, title, ("version", "candidate", "score", "95 % interval", "rows", "made", ""), rows)
    if champion and champion.decisions:
        print_line(console, champion.decisions[-1].sentence)
    return 0


def promote_version(pipeline: str, version: str, data: Path) -> int:
    """Let a version serve; return the exit code.

    Raises:
        ConfigError: there is no such pipeline or version.

    """
    decision = promote(DataFolder.at(data).models(name_of(pipeline, data)), version, trusted_by(pipeline))
    print_line(make_console(), decision.sentence)
    return 0


def roll_back_champion(pipeline: str, data: Path) -> int:
    """Let the version serve that did before; return the exit code.

    Raises:
        ConfigError: there is no such pipeline, or no other version has served.

    """
    decision = roll_back(DataFolder.at(data).models(name_of(pipeline, data)))
    print_line(make_console(), decision.sentence)
    return 0


def print_predictions(
    pipeline: str, rows: str, data: Path, output: Path | None, *, overwrite: bool, verbose: bool
) -> int:
    """Predict new rows by a pipeline's champion and print what came of it; return the exit code.

    Raises:
        TidemillError: the rows, or the model, are wrong.

    """
    name, folder = name_of(pipeline, data), DataFolder.at(data)
    asked = read_input(rows, folder.table_names())
    choose_output(folder, name, asked, output, overwrite=overwrite)
    if asked.kind == "file":
        check_format(Path(asked.text))
    if read_champion(folder.models(name)) is None:
        raise ConfigError(f"no version of {name} serves yet; run its pipeline first")
    console = make_console()
    with prefect_api(verbose=verbose) as api:
        from flows.cli.execution import FlowExecution  # noqa: PLC0415 - imports Prefect while the server starts
        from flows.predict import predict  # noqa: PLC0415 - as above

        api.wait_until_ready()
        view = ProgressView(console)
        with view.shown():
            file = Path(pipeline) if Path(pipeline).is_file() else None
            asked_for = (name, rows, data, output, overwrite, _limits_of(pipeline), file)
            prediction = FlowExecution(api, view.show).run(predict, *asked_for)
    _print_prediction(console, prediction)
    return 0


def name_of(pipeline: str, data: Path) -> str:
    """Return the name of a pipeline, given it or the pipeline's file.

    Raises:
        ConfigError: when it is neither.

    """
    if Path(pipeline).is_file():
        return load_pipeline(Path(pipeline)).name
    folder = DataFolder.at(data)
    if pipeline in (there := folder.model_names()):
        return pipeline
    known = f"{folder.shown} has models of {', '.join(there)}" if there else f"{folder.shown} has no models yet"
    raise ConfigError(f"{pipeline!r} is neither a pipeline file nor a pipeline with models; {known}")


def trusted_by(pipeline: str) -> tuple[str, ...]:
    """Return the packages of the user's own that the pipeline's file trusts, where it is given: a name trusts none."""
    if not Path(pipeline).is_file():
        return ()
    training = load_pipeline(Path(pipeline)).training
    return training.trusted if training else ()


def _limits_of(pipeline: str) -> QueryLimits | None:
    """Return what the pipeline's file says that queries may take, where it is given."""
    if not Path(pipeline).is_file():
        return None
    training = load_pipeline(Path(pipeline)).training
    return training.query_limits if training else None


def _print_prediction(console: Console, prediction: object) -> None:
    assert isinstance(prediction, Prediction)
    print_line(
        console,
        f"{count(prediction.rows, 'row')} of {prediction.source} predicted by {prediction.version} "
        f"({prediction.candidate}) to {prediction.path}",
    )
    for warning in prediction.warnings:
        print_line(console, f"warning: {warning}")
    rows = [
        (
            drift.feature,
            f"{drift.psi:.3f}",
            f"{drift.missing:.1%}",
            f"{drift.missing_before:.1%}",
            "drift" if drift.drifted else "",
        )
        for drift in prediction.drift[:_DRIFT_SHOWN]
    ]
    if rows:
        heads = ("feature", "PSI", "missing", "before", "")
        print_table(console, "Drift from the rows learnt from", heads, rows)
    if moved := prediction.drifted:
        more = f" and {len(moved) - _DRIFT_SHOWN} more" if len(moved) > _DRIFT_SHOWN else ""
        told = ", ".join(moved[:_DRIFT_SHOWN])
        print_line(console, f"warning: the rows are no longer those learnt from, by {told}{more}")
