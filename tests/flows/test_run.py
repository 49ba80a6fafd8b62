"""Whole runs of the command line, as a user starts them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import xxhash
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

from flows.run_figures import read_figures
from tasks.core.storage import DataFolder
from tasks.lineage.remains import DataNow
from tasks.reports.lineage import describe, find_subject
from tests.flows.conftest import FLIGHTS, PROJECT, TOUR, Tidemill, ToldRun, group_is_gone, read_until
from tests.flows.test_light_start import HEAVY
from tests.flows.test_wrong_input import change
from tests.thorough import takes_minutes

pytestmark = pytest.mark.flow

_SUBFLOWS = 3  # ingest, convert and train, each a task run of the pipeline flow


@pytest.fixture
def inbox(data: Path, tmp_path: Path, sample_site: str) -> Path:
    """Return a data folder of the test's own, with the sample's files in its inbox."""
    assert sample_site
    shutil.copytree(data / "inbox", tmp_path / "data" / "inbox")
    return tmp_path / "data"


def summary(data: Path) -> dict[str, Any]:
    """Return the summary of the last run in a data folder."""
    value: dict[str, Any] = json.loads((data / "summary.json").read_text())
    return value


def counts(data: Path, name: str) -> dict[str, int]:
    """Return one count of each source of the last run."""
    return {source: values[name] for source, values in summary(data)["sources"].items()}


@pytest.mark.usefixtures("prefect_server")
def test_a_run_alone_starts_one_server_and_stores_all(tidemill: Tidemill, inbox: Path, tmp_path: Path) -> None:
    """With no API configured one temporary server runs, every task run is stored, and no process is left."""
    home = tmp_path / "prefect"
    copy_database(Path(os.environ["PREFECT_HOME"]), home)
    tidemill.environment |= {
        "PREFECT_API_URL": "",
        "PREFECT_HOME": str(home),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
    }

    process = tidemill.start("run", TOUR, "--data", inbox, "--verbose")
    output, _ = process.communicate(timeout=300)

    assert process.returncode == 0, output
    assert group_is_gone(process)
    assert len(re.findall("started a temporary server", output)) == 1
    assert "Starting temporary server" not in output  # what Prefect says when a process starts its own
    assert not re.findall(r".*\| (?:WARNING|ERROR|CRITICAL) .*", output)
    ran = len(re.findall(r"Task run .* Finished in state Completed", output)) + _SUBFLOWS
    with sqlite3.connect(home / "prefect.db") as database:
        states = database.execute(
            "SELECT task_run.state_name, count(*) FROM task_run JOIN flow_run ON flow_run.id = task_run.flow_run_id "
            "WHERE flow_run.name = 'tour' GROUP BY 1"
        ).fetchall()
    assert states == [("Completed", ran)]


def test_the_second_run_only_looks(tidemill: Tidemill, tour_run: ToldRun) -> None:
    """What is fetched, converted and fitted is not done again, nothing of fits is imported, and the results are the same."""
    before = summary(tour_run.data)
    arguments = ["run", str(TOUR), "--data", str(tour_run.data)]
    code = (
        "import sys; from flows.cli.main import run_command; "
        f"print(run_command({arguments!r}), {HEAVY - {'scipy'}} & set(sys.modules))"  # of scipy, Student's t alone
    )

    second = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={**os.environ, **tidemill.environment},
        capture_output=True,
        text=True,
        check=False,
    )

    after = summary(tour_run.data)
    assert second.stdout.splitlines()[-1:] == ["0 set()"], second.stderr
    assert "kept" in second.stdout
    assert counts(tour_run.data, "requests") == {"articles": 0, "users": 0, "iris": 0}
    assert counts(tour_run.data, "rows_table") == {"articles": 18, "users": 5, "iris": 150}
    assert after["best"] == {**before["best"], "reused": True}
    assert after["champion"] == before["champion"]
    assert [row["reused"] for row in after["leaderboard"]] == [True] * 4
    figures = read_figures(DataFolder.at(tour_run.data), "tour").to_pylist()
    rows: dict[str, list[tuple[str, float]]] = {run["flow_run_id"]: [] for run in (before, after)}
    for row in figures:
        if (row["kind"], row["figure"]) == ("source", "rows"):
            rows.setdefault(row["flow_run"], []).append((row["name"], row["value"]))
    assert rows[before["flow_run_id"]] == rows[after["flow_run_id"]] == [("articles", 18), ("users", 5), ("iris", 150)]


def test_the_tours_accuracies_are_scikit_learns(tour_run: ToldRun) -> None:
    """The irises that the article holds out are judged as plain scikit-learn judges them, to the last digit."""
    x, y = load_iris(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=42)
    models = {
        "logistic": LogisticRegression(max_iter=1000, random_state=42),
        "forest": RandomForestClassifier(n_estimators=100, random_state=42),
        "svc": SVC(kernel="rbf", C=1.0, gamma="auto", random_state=42),
    }

    found = {row["name"]: row["holdout"] for row in summary(tour_run.data)["leaderboard"]}

    plain = {name: model.fit(x_train, y_train).score(x_test, y_test) for name, model in models.items()}
    assert {name: found[name] for name in models} == plain


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"SAMPLE_SITE": "http://127.0.0.1:1"}, "the host 127.0.0.1:1 cannot be reached"),
        pytest.param({"SAMPLE_TOKEN": "wrong"}, "401 Unauthorized", marks=takes_minutes("it ends as the other does")),
    ],
)
def test_a_source_that_cannot_be_fetched_fails_the_run(
    tidemill: Tidemill, inbox: Path, tmp_path: Path, environment: dict[str, str], told: str
) -> None:
    """Each cause is one sentence, the exit code is 1, and no later stage runs."""
    tidemill.environment |= environment
    path = change(tmp_path, FLIGHTS, "    key: [", "    requests: {attempts: 3}\n    key: [")  # of every site's source

    ended = tidemill("run", path, "--data", inbox)

    sentences = [line for line in ended.stderr.splitlines() if line.startswith("error: source weather")]
    assert ended.returncode == 1
    assert len(sentences) == 1
    assert told in sentences[0]
    assert "and 35 more" in sentences[0]
    assert "Traceback" not in ended.stdout + ended.stderr
    assert not (inbox / "tables").exists()
    assert summary(inbox)["status"] == "failed"
    assert counts(inbox, "partitions_failed")["weather"] == 36
    assert summary(inbox)["flow_run_id"] in "".join(ended.stdout.split())


@pytest.mark.usefixtures("prefect_server")
@takes_minutes("it runs the tour")
def test_a_query_with_a_missing_column_fails_the_run(tidemill: Tidemill, inbox: Path, tmp_path: Path) -> None:
    """The sentence names the column, the exit code is 1, and the tables stay."""
    path = change(tmp_path, TOUR, "name: tour", "name: tour")
    query = path.parent / "training.sql"
    query.write_text(query.read_text().replace("sepal_length", "sepal_lenght", 1))

    ended = tidemill("run", path, "--data", inbox)

    assert ended.returncode == 1
    assert ended.stderr.count("error: ") == 1
    assert "sepal_lenght" in ended.stderr
    assert "correct the SQL (its tables are articles, iris, users)" in ended.stderr
    assert counts(inbox, "rows_table") == {"articles": 18, "users": 5, "iris": 150}
    assert not (inbox / "models" / "tour").exists()


@pytest.mark.usefixtures("prefect_server")
@takes_minutes("it runs the demo")
def test_ctrl_c_in_ingest_leaves_nothing_half_written(tidemill: Tidemill, inbox: Path, tmp_path: Path) -> None:
    """The processes are gone in seconds, the next run asks for the pages alone that had not come, and its champion leads back to their bytes."""
    process = tidemill.start("run", FLIGHTS, "--data", inbox, "--only", "ingest")
    read_until(process, "ingest +weather")
    os.kill(process.pid, signal.SIGINT)

    assert group_is_gone(process)
    assert process.returncode == 130
    assert process.stdout
    assert "error: interrupted; what is finished is kept, run the command again to go on" in process.stdout.read()
    assert not list(inbox.rglob("*.part"))
    landed, begun = kept_pages(inbox / "raw" / "weather")
    assert 0 < len(landed) < 36
    ended = tidemill("run", briefly_trained(tmp_path), "--data", inbox)
    assert ended.returncode == 0, ended.stderr
    assert counts(inbox, "rows_received") == {"weather": 26115, "airports": 1458, "airlines": 16, "flights": 336783}
    weather = summary(inbox)["sources"]["weather"]
    assert (weather["partitions_reused"], weather["partitions_resumed"]) == (len(landed), len(begun))
    assert weather["requests"] - weather["retries"] == weather["pages"] - sum(landed + begun)
    assert files_of_champion(inbox) == {
        **dict.fromkeys((f"inbox/flights/flights-2013-{month:02d}.csv.gz" for month in range(1, 13)), "flights"),
        **{
            f"raw/weather/origin={origin},month={month}.jsonl.zst": "weather"
            for origin in ("EWR", "JFK", "LGA")
            for month in range(1, 13)
        },
        **{f"raw/{name}/all.jsonl.zst": name for name in ("airports", "airlines")},
    }


def briefly_trained(folder: Path) -> Path:
    """Return the pipeline of the demo, learning from few of its rows one model alone."""
    path = change(folder, FLIGHTS, "sample_rows: 40000", "sample_rows: 500\n  learning_curve: false")
    text = path.read_text()
    path.write_text(text[: text.index("    boosting:")])
    return path


def files_of_champion(data: Path) -> dict[str, str]:
    """Return the table of each file that the demo's champion was made of, once the hash of each is that of its bytes."""
    folder = DataFolder.at(data)
    told = describe(find_subject(folder, "flights"), DataNow(folder), folder)
    assert told["model"]["serves"]
    assert sum(table["rows"] for table in told["tables"]) == 26115 + 1458 + 16 + 336776
    files = {file["name"]: (table["name"], file["xxh3_128"]) for table in told["tables"] for file in table["files"]}
    assert {name: digest for name, (_, digest) in files.items()} == {
        name: xxhash.xxh3_128_hexdigest((data / name).read_bytes()) for name in files
    }
    return {name: table for name, (table, _) in files.items()}


def kept_pages(raw: Path) -> tuple[list[int], list[int]]:
    """Return the pages of each partition that is landed, and of each that is begun."""
    landed = [json.loads(path.read_text())["pages"] for path in raw.glob("[!.]*.json")]
    return landed, [json.loads(path.read_text())["manifest"]["pages"] for path in raw.glob(".*.landing.json")]


@pytest.mark.usefixtures("prefect_server")
def test_ctrl_c_in_train_ends_every_process(tidemill: Tidemill, inbox: Path, tmp_path: Path) -> None:
    """A fit that takes minutes is ended with its worker, and the next run fits what is missing."""
    path = change(tmp_path, TOUR, "  seed: 42\n", "  seed: 42\n  learning_curve: false\n")
    text = path.read_text()
    path.write_text(text.replace("n_estimators: 100", "n_estimators: 200000"))
    process = tidemill.start("run", path, "--data", inbox)
    read_until(process, "train +logistic")
    os.kill(process.pid, signal.SIGINT)

    assert group_is_gone(process)
    assert process.returncode == 130
    assert not list(inbox.rglob("*.part"))
    path.write_text(text)
    ended = tidemill("run", path, "--data", inbox)
    assert ended.returncode == 0, ended.stderr
    reused = {row["name"]: row["reused"] for row in summary(inbox)["leaderboard"]}
    assert (reused["logistic"], reused["forest"]) == (True, False)


def copy_database(home: Path, target: Path, *emptied: str) -> None:
    """Copy the session server's database, migrated, as the one of another Prefect home: saves a start's seconds."""
    target.mkdir()
    with sqlite3.connect(home / "prefect.db") as source, sqlite3.connect(target / "prefect.db") as copy:
        source.backup(copy)
        for table in ("task_run", "flow_run", *emptied):
            copy.execute(f"DELETE FROM {table}")  # noqa: S608 - names of the tests' own
