"""A version in MLflow: one run, one registered version and its alias, however often it is handed on.

The server wants packages that are pinned otherwise here: pyarrow below 26. It
comes from a virtualenv of its own, whose command MLFLOW_SERVER names:

    python -m venv mlflow && mlflow/bin/pip install mlflow
    pip install -c constraints.txt -e '.[mlflow]' && MLFLOW_SERVER=mlflow/bin/mlflow pytest tests/train/test_mlflow.py
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from flows.cli.main import run_command
from tasks.core.errors import ConfigError, ExportError
from tasks.train.handover.held_out import Held
from tasks.train.handover.mlflow_run import log_version
from tasks.train.registry import promote
from tests.train.publishing import judge
from tests.train.test_onnx import held_of, rows_of

SERVER = os.environ.get("MLFLOW_SERVER", "")
_READY_S = 120.0


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    """Return a version of a histogram boosting, with its rows."""
    path = "sklearn.ensemble.HistGradientBoostingClassifier"
    return held_of(tmp_path_factory.mktemp("mlflow"), path, params={"max_iter": 5})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Yield the address of a real MLflow server, on a fresh database."""
    if not SERVER or find_spec("mlflow") is None:
        pytest.skip(
            "MLFLOW_SERVER names no command of MLflow in a virtualenv of its own, or .[mlflow] is not installed"
        )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stored = (
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/mlflow.db",
        "--artifacts-destination",
        str(tmp_path / "art"),
    )
    command = [SERVER, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *stored]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for attempt in Retrying(stop=stop_after_delay(_READY_S), wait=wait_fixed(0.2)):
                with attempt:
                    httpx.get(f"http://127.0.0.1:{port}/health").raise_for_status()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.mark.filterwarnings("ignore")  # of MLflow
def test_a_version_is_logged_registered_and_loaded_again(server: str, held: Held) -> None:
    """Twice is once; what a killed export has left is made anew; the alias follows the champion."""
    from mlflow import MlflowClient, pyfunc, set_registry_uri, set_tracking_uri, sklearn  # noqa: PLC0415 - of the extra

    client, version = MlflowClient(server), held.version
    experiment = client.create_experiment("toy")
    client.create_run(experiment, tags={"tidemill.fingerprint": version.fingerprint})

    made = log_version(held, server)
    again = log_version(held, server)

    assert again == replace(made, made=False)
    assert (made.made, made.alias, made.number) == (True, "champion", "1")
    (run,) = client.search_runs([experiment])
    assert run.data.metrics["holdout.accuracy"] == version.score
    assert run.data.metrics["folds.accuracy"] == version.cv_score
    assert run.data.params["estimator.max_iter"] == "5"
    assert run.data.tags["mlflow.note.content"].startswith("# toy: only, version v0001-")
    assert {each.path for each in client.list_artifacts(run.info.run_id)} >= {"model_card.md", "metrics.json", "model"}
    files = {each.path for each in client.list_artifacts(run.info.run_id, "model")}
    assert "model/model.skops" in files
    assert not {name for name in files if name.endswith((".pkl", ".pickle"))}

    set_tracking_uri(server)
    set_registry_uri(server)
    plain, ours = pyfunc.load_model("models:/toy@champion"), sklearn.load_model("models:/toy@champion")
    assert plain.predict(held.frame).tolist() == held.model.predict(held.frame).tolist()
    assert (ours.predict_proba(held.frame) == held.model.predict_proba(held.frame)).all()
    assert plain.metadata.signature.inputs.input_names() == list(held.frame)

    models = held.folder.parent
    judge(
        models.parent.parent,
        rows_of("two"),
        {"estimator": "sklearn.naive_bayes.GaussianNB"},
        query="SELECT * FROM rows",
    ).publish()
    (second,) = (path.name for path in models.glob("v0002-*"))
    command = [
        "models",
        "export",
        "mlflow",
        "toy",
        second,
        "--data",
        str(models.parent.parent),
        "--tracking-uri",
        server,
    ]
    assert run_command(command) == 0
    promote(models, second)
    assert run_command(command) == 0
    assert log_version(held, server).alias == "challenger"
    assert {name: str(number) for name, number in client.get_registered_model("toy").aliases.items()} == {
        "champion": "2",
        "challenger": "1",
    }


def test_a_password_in_the_address_is_refused(held: Held) -> None:
    """It would stand in the shell's history."""
    with pytest.raises(
        ConfigError, match="has a user or a password in it; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    ):
        log_version(held, "http://me:secret@127.0.0.1:1")


@pytest.mark.filterwarnings("ignore")  # of MLflow
def test_what_is_not_there_is_told(held: Held) -> None:
    """The packages where they are not installed, else the server, in one sentence."""
    if find_spec("mlflow") is None:
        with pytest.raises(ConfigError, match=r"pip install -e '\.\[mlflow\]'"):
            log_version(held, "http://127.0.0.1:1")
        return
    with pytest.raises(
        ExportError, match=r"MLflow at http://127\.0\.0\.1:1 did not take v0001-\w+ \(.*\); see that it is"
    ):
        log_version(held, "http://127.0.0.1:1")
