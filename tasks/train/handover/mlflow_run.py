"""A version as a run and a registered model of MLflow, made once however often it is handed on."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from yarl import URL

from tasks.core.errors import ConfigError, ExportError
from tasks.lineage.records import LINEAGE
from tasks.train.evaluation.results import MODEL_FILE
from tasks.train.handover.held_out import Held
from tasks.train.models.model_file import list_types
from tasks.train.registry import CARD, Version, read_champion
from tasks.train.registry.version import ENVIRONMENT, VERSION_FILE, read_environment

CHAMPION, CHALLENGER = "champion", "challenger"
_MODEL = "model"
_TAG = "tidemill."
_FEW_ROWS = 5
_TYPES = {"number": "double", "truth": "double", "time": "double", "text": "string"}  # as the frame has them
_LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "skops", "xgboost", "lightgbm", "catboost")
# A server that is away is told at once, and nobody is told that a version was handed on.
_SETTINGS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_DISABLE_TELEMETRY": "true"}


@dataclass(frozen=True)
class MlflowRun:
    """Where a version is in MLflow."""

    version: str
    run: str
    """Id of the run."""
    model: str
    """Name of the registered model."""
    number: str
    """Of its version there."""
    alias: str
    made: bool
    """Whether it was not there before."""


def log_version(held: Held, uri: str) -> MlflowRun:
    """Log a version as a run with its model, registered under the pipeline's name; what is there already is left.

    The model is saved by skops, with the types that it has, and loads without a
    pickle. The version that serves has the alias `champion`, another one
    `challenger`.

    Raises:
        ConfigError: the packages of the extra are not there, or the address has a password in it.
        ExportError: the server cannot be reached, or refuses.

    """
    try:
        told = URL(uri)
    except ValueError as error:
        raise ConfigError(f"--tracking-uri: is no address ({error}); write it as http://127.0.0.1:5000") from None
    if told.password or told.user:
        raise ConfigError(
            "--tracking-uri: has a user or a password in it; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient  # noqa: PLC0415 - of the extra
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - as above
    except ImportError:
        raise ConfigError("MLflow needs a package that is not there; pip install -e '.[mlflow]'") from None
    try:
        return _Server(MlflowClient(tracking_uri=uri, registry_uri=uri), uri).log(held)
    except MlflowException as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise ExportError(
            f"MLflow at {uri} did not take {held.version.name} ({said}); see that it is there, and try again"
        ) from None


class _Server:
    """An MLflow server, as a version is written to it."""

    def __init__(self, client: Any, uri: str) -> None:
        self._client, self._uri = client, uri

    def log(self, held: Held) -> MlflowRun:
        """Log the version, register its model and set its alias."""
        version = held.version
        experiment = self._experiment(version.pipeline)
        known, made = self._find_run(experiment, version), False
        if known is None:
            known, made = self._make_run(experiment, held), True
        number = self._register(version, known)
        return MlflowRun(version.name, known, version.pipeline, number, self._alias(held, number), made)

    def _experiment(self, name: str) -> str:
        known = self._client.get_experiment_by_name(name)
        return str(known.experiment_id if known else self._client.create_experiment(name))

    def _find_run(self, experiment: str, version: Version) -> str | None:
        """Return the run of a version that was logged to its end; what an export that was killed has left of one is deleted."""
        found = self._client.search_runs([experiment], f"tags.`{_TAG}fingerprint` = '{version.fingerprint}'")
        whole = [run.info.run_id for run in found if run.info.status == "FINISHED"]
        for run in found:
            if run.info.status != "FINISHED":
                self._client.delete_run(run.info.run_id)
        return whole[0] if whole else None

    def _make_run(self, experiment: str, held: Held) -> str:
        from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415 - of the extra

        version = held.version
        tags = {"version": version.name, "fingerprint": version.fingerprint, "training_set": version.training_set}
        run = self._client.create_run(
            experiment, run_name=version.name, tags={f"{_TAG}{k}": v for k, v in tags.items()}
        )
        at = run.info.start_time
        metrics = [Metric(name, value, at, 0) for name, value in _metrics_of(version)]
        params = [Param(name, str(value)) for name, value in _params_of(version)]
        self._client.log_batch(
            run.info.run_id, metrics, params, [RunTag("mlflow.note.content", (held.folder / CARD).read_text())]
        )
        for name in (CARD, VERSION_FILE, ENVIRONMENT, LINEAGE):
            if (held.folder / name).is_file():
                self._client.log_artifact(run.info.run_id, str(held.folder / name))
        with _saved(held) as folder:
            self._client.log_artifacts(run.info.run_id, str(folder), _MODEL)
        self._client.set_terminated(run.info.run_id, "FINISHED")
        return str(run.info.run_id)

    def _register(self, version: Version, run: str) -> str:
        """Return the number of the registered version that is of a run, which is made where there is none."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - of the extra
        from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository  # noqa: PLC0415 - as above

        try:
            self._client.create_registered_model(version.pipeline)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        for known in self._client.search_model_versions(f"name = '{version.pipeline}'"):
            if known.run_id == run:
                return str(known.version)
        source = RunsArtifactRepository.get_underlying_uri(f"runs:/{run}/{_MODEL}", self._uri)
        tags = {f"{_TAG}version": version.name}
        made = self._client.create_model_version(version.pipeline, source, run, tags=tags)
        return str(made.version)

    def _alias(self, held: Held, number: str) -> str:
        """Give the version its alias, take away the other one, and return it."""
        version = held.version
        champion = read_champion(held.folder.parent)
        serves = champion is not None and champion.version == version.name
        alias, other = (CHAMPION, CHALLENGER) if serves else (CHALLENGER, CHAMPION)
        self._client.set_registered_model_alias(version.pipeline, alias, number)
        held_by = self._client.get_registered_model(version.pipeline).aliases
        if held_by.get(other) == number:
            self._client.delete_registered_model_alias(version.pipeline, other)
        return alias


@contextmanager
def _saved(held: Held) -> Iterator[Path]:
    """Yield a folder with the model as MLflow keeps one."""
    import mlflow.sklearn  # noqa: PLC0415 - of the extra
    from mlflow.models import ModelSignature  # noqa: PLC0415 - as above
    from mlflow.types import ColSpec, Schema  # noqa: PLC0415 - as above

    version, environment = held.version, read_environment(held.folder / ENVIRONMENT)
    known: Mapping[str, str | None] = environment.packages if environment else {}
    packages = [f"{name}=={known[name]}" for name in _LIBRARIES if known.get(name)]
    kinds = {str(name): _TYPES[version.features[str(name)]] for name in held.frame}
    labels = getattr(held.model, "classes_", None)
    said = "double" if labels is None else {"b": "boolean", "i": "long", "u": "long"}.get(labels.dtype.kind, "string")
    signature = ModelSignature(Schema([ColSpec(kind, name) for name, kind in kinds.items()]), Schema([ColSpec(said)]))
    with TemporaryDirectory(prefix="tidemill-mlflow-") as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a run would have been told
        folder = Path(made) / _MODEL
        mlflow.sklearn.save_model(
            held.model,
            folder,
            serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS,
            skops_trusted_types=list_types(held.folder / MODEL_FILE, held.version.types, held.trusted),
            signature=signature,
            input_example=None,
            pip_requirements=packages,
            metadata={"model_version": version.name, "features": dict(version.features)},
        )
        yield folder


def _metrics_of(version: Version) -> Iterator[tuple[str, float]]:
    """Yield the figures of the hold-out and of the folds, with their intervals."""
    yield f"holdout.{version.metric}", version.score
    if version.interval is not None:
        yield from zip(
            (f"holdout.{version.metric}.low", f"holdout.{version.metric}.high"), version.interval, strict=True
        )
    yield f"folds.{version.metric}", version.cv_score
    yield from zip((f"folds.{version.metric}.low", f"folds.{version.metric}.high"), version.cv_interval, strict=True)
    yield from ((f"holdout.{name}", value) for name, value in version.metrics.items() if name != version.metric)
    yield "rows.training", version.training_rows
    yield "rows.holdout", version.test_rows


def _params_of(version: Version) -> Iterator[tuple[str, Any]]:
    """Yield what the model was made by."""
    made_by = version.declared.made_by
    yield from {"candidate": version.candidate, "estimator": made_by, "target": version.target}.items()
    yield from {
        "task": version.task,
        "metric": version.metric,
        "seed": version.training.seed,
        "folds": version.folds,
    }.items()
    yield from (
        (f"split.{name}", value) for name, value in version.training.split.model_dump(exclude_none=True).items()
    )
    yield from ((f"estimator.{name}", value) for name, value in {**version.declared_params, **version.params}.items())
