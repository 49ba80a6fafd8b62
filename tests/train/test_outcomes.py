"""Past predictions judged by outcomes: every figure is that of a plain computation, and what does not count is told."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from flows.cli.lineage import show_lineage
from flows.truth import _judge
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.storage import DataFolder, hash_file, write_json
from tasks.core.tables import MANIFEST
from tasks.lineage.remains import DataNow
from tasks.reports.lineage import describe, find_subject
from tasks.train.assessment.assess import Assessment
from tasks.train.assessment.conformal import Conformal, Covered
from tasks.train.assessment.figures import Figure
from tasks.train.assessment.threshold import Threshold
from tasks.train.truth.judge import judge_predictions, remember_told
from tasks.train.truth.scores import SCORES
from tests.thorough import takes_minutes
from tests.train.conftest import LOGISTIC, sklearn_table, training
from tests.train.outcomes import COLUMNS, MONDAY, Project
from tests.train.publishing import judge


@pytest.fixture(scope="module")
def columns() -> dict[str, Any]:
    """Return the rows."""
    return sklearn_table("breast_cancer")


@pytest.fixture(scope="module")
def trained(columns: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which a model of the rows serves."""
    folder = tmp_path_factory.mktemp("trained")
    judge(folder, columns, LOGISTIC, **COLUMNS).decide()
    return folder


@pytest.fixture
def project(columns: dict[str, Any], trained: Path, tmp_path: Path) -> Project:
    """Return the project, of which nothing is predicted yet."""
    shutil.copytree(trained, tmp_path / "data[1]*")
    return Project(DataFolder.at(tmp_path / "data[1]*"), columns)


def test_every_figure_is_that_of_a_plain_computation(project: Project) -> None:
    """Two weeks, a third that is too young, keys without an outcome and outcomes without a prediction."""
    project.predict("SELECT * FROM rows WHERE row < 200", MONDAY)
    project.predict("SELECT * FROM rows WHERE row BETWEEN 150 AND 399", MONDAY + timedelta(days=2))  # 50 of them again
    project.predict("SELECT * FROM rows WHERE row BETWEEN 300 AND 499", MONDAY + timedelta(days=7))
    project.predict("SELECT * FROM rows WHERE row < 100", MONDAY + timedelta(days=14))
    frame = pd.DataFrame(project.columns)
    outcomes = frame[["row", "y"]].iloc[20:]
    project.learn({name: outcomes[name].to_numpy() for name in ("row", "y")})

    judged = project.judge(MONDAY + timedelta(days=20))

    said = pd.concat(
        pd.read_parquet(path).assign(file=path.name)
        for path in sorted((project.folder.truth("toy") / "predictions").iterdir())
    )
    said["week"] = pd.to_datetime(said["file"].str[:8]).dt.to_period("W").dt.start_time.dt.date
    first = said[said["file"].str[:8] < "20261116"].sort_values("file").drop_duplicates(["week", "key_1"])
    joined = first.merge(outcomes, left_on="key_1", right_on="row")
    found = project.figures(judged).reset_index("version")
    assert list(found.index) == [date(2026, 11, 2), date(2026, 11, 9)]
    for week, rows in joined.groupby("week"):
        made = found.loc[week]
        probability = rows["probability_1"]
        assert abs(made["roc_auc"] - roc_auc_score(rows["y"], probability)) < 1e-12
        assert abs(made["log_loss"] - log_loss(rows["y"], probability)) < 1e-12
        assert abs(made["accuracy"] - accuracy_score(rows["y"], rows["prediction"])) < 1e-12
        assert made["scored"] == len(rows)
    assert found["predicted"].tolist() == [450, 200]
    assert found["repeated"].tolist() == [50, 0]
    assert found["waiting"].tolist() == [20, 0]
    assert found["over"].tolist() == [1, 0]
    assert judged.problems == ("truth.query: 69 of 549 outcomes without a prediction",)
    assert (judged.kept, judged.young, len(judged.scored), judged.is_new) == (4, 1, 2, True)


def test_nothing_new_is_not_scored_again(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A week is scored anew where its rows have changed, and stays where what was predicted in it is gone; `lineage` tells what was read."""
    project.predict("SELECT * FROM rows WHERE row < 200", MONDAY)
    project.predict("SELECT * FROM rows WHERE row >= 150", MONDAY + timedelta(days=8))  # of 50 it was known by then
    frame = pd.DataFrame(project.columns)
    project.learn({"row": frame["row"], "y": frame["y"]})
    later = MONDAY + timedelta(days=30)

    first, again = project.judge(later), project.judge(later)
    table = first.path.read_bytes()
    project.learn({"row": frame["row"], "y": [None if i == 300 else int(y) for i, y in enumerate(frame["y"])]})
    changed = project.judge(later)
    min((project.folder.truth("toy") / "predictions").iterdir()).unlink()
    cleaned = project.judge(later)
    write_json(project.folder.table("outcomes") / MANIFEST, {"number": 3})
    whole = project.judge(later, query="SELECT row, y FROM outcomes WHERE true")
    made_of = describe(find_subject(project.folder, "truth/toy"), DataNow(project.folder), project.folder)

    assert (len(first.scored), first.is_new) == (2, True)
    assert (len(again.scored), again.is_new) == (0, False)
    assert first.path.read_bytes() != table
    assert [str(week.week) for week in changed.scored] == ["2026-11-09"]
    assert len(cleaned.scored) == len(whole.scored) == 0
    assert [week.figures for week in cleaned.weeks] == [week.figures for week in changed.weeks]
    assert [week.number("already") for week in whole.weeks] == [0, 50]
    assert [week.number("scored") for week in whole.weeks] == [200, 368]
    assert made_of["truth"]["query"] == "SELECT row, y FROM outcomes WHERE true"
    assert made_of["truth"]["sha256"] == hash_file(whole.path)
    assert len(made_of["truth"]["of"]) == 1
    assert [(table["name"], table["version"]) for table in made_of["tables"]] == [("outcomes", 3)]
    assert show_lineage("truth/toy", project.folder.root, as_json=False, full=False, hashes=False) == 0
    assert re.search(r"^truth: \d+ figures of 1 kept prediction file, SHA-256 ", capsys.readouterr().out)
    assert (
        "rejected 50 predictions of keys that were predicted more than truth.delay before; predict only"
        in changed.problems[-1]
    )


def test_keys_are_compared_exactly_or_not_at_all(project: Project) -> None:
    """Numbers of other kinds and texts are told; what was scored before stays, also without what is known of it or its version."""
    project.predict("SELECT * REPLACE (row + 9007199254740992::DOUBLE AS row) FROM rows", MONDAY)
    project.predict("SELECT * REPLACE (row::VARCHAR AS row) FROM rows", MONDAY + timedelta(days=1))
    project.learn({"row": [2**53 + row for row in project.columns["row"]], "y": project.columns["y"]})
    later, told = MONDAY + timedelta(days=30), dict[str, tuple[str, ...]]()

    for kind in ("DECIMAL(20,0)", "FLOAT", "BIGINT"):
        refused = project.judge(later, query=f"SELECT row::{kind} AS row, y FROM outcomes")  # noqa: S608 - our own kinds
        assert refused.weeks == ()
        told[kind] = refused.problems
    judged = project.judge(later, query="SELECT row::DOUBLE AS row, y FROM outcomes")
    project.judge(later)
    (judged.path.parent / "state.json").unlink()
    shutil.rmtree(next(project.folder.models("toy").glob("v0*")))
    other = training(candidates={"only": LOGISTIC}, **COLUMNS | {"metric": "accuracy"})
    asked = project.pipeline.model_copy(update={"training": other})
    gone = judge_predictions(asked, project.folder, later)

    mixed = "'row' is a number of 64 bits (DOUBLE) in the predictions, and a {} in the result of truth.query; write CAST(row AS DOUBLE) AS row there"
    for kind, named in zip(told, ("decimal with 0 places", "number of 32 bits", "whole number"), strict=True):
        assert mixed.format(named) in "".join(told[kind])
        assert "without a prediction" not in "".join(told[kind])
    (week,) = judged.weeks
    assert week.number("scored") + week.number("ambiguous") + week.number("disputed") == 569
    assert len(judged.problems) > 1
    assert "not scored: 1 kept prediction file of which truth.key 'row' is a text (VARCHAR)" in "".join(judged.problems)
    assert gone.weeks == judged.weeks


def test_what_does_not_count_is_told_with_its_cure(project: Project) -> None:
    """Outcomes that differ, keys that are missing or not of one row, and what the model has never met."""
    project.predict(
        "SELECT * REPLACE (CASE WHEN row < 3 THEN 7 WHEN row > 560 THEN NULL ELSE row END AS row) FROM rows", MONDAY
    )
    project.predict("SELECT * FROM rows WHERE row = 7", MONDAY + timedelta(days=1))
    rows = [*range(3, 500), 9, 10, None]
    project.learn(
        {
            "row": pa.array(rows, pa.int64()),
            "y": [2 if i == 50 else int(project.columns["y"][i]) for i in range(3, 500)]
            + [1 - int(project.columns["y"][9]), int(project.columns["y"][10]), 1],
        }
    )

    judged = project.judge(MONDAY + timedelta(days=30))

    (found,) = project.figures(judged).to_dict("records")
    (version,) = {week.version for week in judged.weeks}
    week = f"week of 2026-11-02, {version}: rejected"
    assert judged.problems == (
        "truth.query: rejected 2 rows of 1 key with outcomes that differ (row: 9); have the query give one row a key",
        "truth.query: rejected 1 row without a value in a column of the key; leave such out",
        f"{week} 4 predictions of rows with the same key in one prediction; name more columns in truth.key",
        f"{week} 8 predictions without a value in a column of truth.key; fill it in what is predicted",
        f"{week} 1 prediction that came true as a class which the model has never met, and that no score has; train it anew",
    )
    shutil.rmtree(project.folder.truth("toy") / "predictions")
    assert "week of" not in "".join(project.judge(MONDAY + timedelta(days=30)).problems)
    counts = {
        "predicted": 570,
        "keyless": 8,
        "ambiguous": 4,
        "repeated": 0,
        "waiting": 61,
        "disputed": 1,
        "unmet": 1,
        "scored": 495,
    }
    assert {name: found[name] for name in counts} == counts


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"query": "SELECT y FROM outcomes"}, "truth.query: its result has no column 'row', by which truth.key joins it; it has y"),
        ({"query": "SELECT row, y AS outcome FROM outcomes"}, "truth.query: its result has no column 'y', which is the target; it has row, outcome"),
        ({"query": "SELECT row, y FROM outcome"}, "truth.query: Catalog Error: Table with name outcome does not exist!"),
        ({"query": "SELECT row, y FROM outcomes; SELECT 1"}, "truth.query: holds 2 statements; write one SELECT"),
    ],
)  # fmt: skip
def test_a_wrong_query_is_told(project: Project, changes: dict[str, Any], said: str) -> None:
    """With what it lacks; nothing is written."""
    project.predict("rows", MONDAY)
    project.learn({"row": [1], "y": [1]})

    with pytest.raises((ConfigError, TrainingError)) as caught:
        project.judge(MONDAY + timedelta(days=30), **changes)

    assert said in str(caught.value)
    assert not (project.folder.truth("toy") / "scores.parquet").exists()


def test_predictions_without_the_key_are_told_and_not_kept(project: Project) -> None:
    """As they are made; and those of another kind of key, or by another one, as they are judged."""
    made = project.predict("SELECT * EXCLUDE (row) FROM rows", MONDAY)
    project.predict("SELECT * REPLACE (row::VARCHAR AS row) FROM rows", MONDAY)
    project.learn({"row": [1], "y": [1]})

    judged = project.judge(MONDAY + timedelta(days=30))
    other = project.judge(
        MONDAY + timedelta(days=30), query="SELECT row, row AS id, y FROM outcomes", key=["row", "id"]
    )

    assert made.warnings == (
        "the query: has no column 'row', by which truth.key joins outcomes, so that its predictions are not kept to be scored; add it to the rows",
    )
    assert (
        "'row' is a text (VARCHAR) in the predictions, and a whole number in the result of truth.query; write CAST(row AS VARCHAR) AS row there"
        in judged.problems[-1]
    )
    assert (
        "not scored: 1 kept prediction file kept by the key row, and truth.key is row, id; name that one to score such"
        in other.problems
    )
    assert judged.weeks == other.weeks == ()


def test_columns_that_predictions_lack_are_told(project: Project) -> None:
    """Groups and weights, of some rows, of all, or as texts; few moments count for nothing; what is damaged is named."""
    (path,) = project.folder.models("toy").glob("v0*/metrics.json")
    version = json.loads(path.read_text())
    asked = version["training"] | {"weights": "w"}
    path.write_text(json.dumps(version | {"training": asked | {"split": {"by": "group", "column": "part"}}}))
    lacking = "CASE WHEN row > 2 THEN row % 50 END AS part, CASE WHEN row > 1 THEN 1.0 END AS w"
    project.predict("SELECT *, row % 7 AS part FROM rows", MONDAY - timedelta(days=7))
    project.predict(f"SELECT *, {lacking} FROM rows", MONDAY)  # noqa: S608 - our own text
    project.learn({"row": project.columns["row"], "y": project.columns["y"]})
    later = MONDAY + timedelta(days=30)

    judged = project.judge(later)
    project.predict("SELECT *, row % 7 AS part, 'heavy' AS w FROM rows", MONDAY - timedelta(days=6))
    texts = project.judge(later)
    path.write_text(json.dumps(version | {"training": asked | {"split": {"by": "time", "column": "part"}}}))
    folder = project.folder.truth("toy") / "predictions"
    (folder / "notes.parquet").write_text("none of ours")
    by_time = judge_predictions(project.pipeline, project.folder, later, fresh=True)
    damaged = min(folder.glob("2026*"))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:4] + bytes(400) + whole[404:])
    with pytest.raises(TrainingError) as caught:
        judge_predictions(project.pipeline, project.folder, later, fresh=True)

    first, second = ([week.number(each) for week in judged.weeks] for each in ("ungrouped", "unweighted"))
    assert (first, second) == ([0, 3], [569, 2])
    assert "3 predictions without the group of the split, so" in "".join(judged.problems)
    assert "2 predictions without a weight above 0, so that all count alike" in "".join(judged.problems)
    assert [week.number("unweighted") for week in texts.weeks] == [569, 569]
    assert [scored.weeks[0].figures["roc_auc"]["low"] is None for scored in (judged, by_time)] == [True, False]
    assert by_time.kept == 3
    assert f"{damaged}: is damaged" in str(caught.value)


DECISION = Threshold(
    "the least cost", 0.3, 0, 1, 100, {}, {"cost of a row": Figure(0.1, None, None)}, Figure(0.0, None, None), ()
)
COVERED = Covered(100, 90, (0.8, 0.95))
MARGINS = Conformal(0.9, "row", 100, "", 120.0, COVERED, low=-60.0, high=60.0)
SETS = Conformal(0.9, "row", 100, "", 1.5, COVERED, threshold=0.6)


@pytest.mark.parametrize(
    ("name", "metric", "assessment"),
    [
        ("breast_cancer", "neg_log_loss", Assessment("", decision=DECISION)),
        ("diabetes", "neg_root_mean_squared_error", Assessment("", intervals=MARGINS)),
        ("iris", "accuracy", Assessment("", intervals=SETS)),
    ],
)
def test_costs_and_coverage_are_counted_plainly(tmp_path: Path, name: str, metric: str, assessment: Assessment) -> None:
    """Of two classes with the positive one first, of amounts, and of three classes; with weights."""
    columns = {**sklearn_table(name), "w": [1.0 + number % 3 for number in range(len(sklearn_table(name)["y"]))]}
    estimator = "sklearn.linear_model.Ridge" if name == "diabetes" else LOGISTIC["estimator"]
    asked = {"query": "SELECT * EXCLUDE (row) FROM rows", "metric": metric, "weights": "w"}
    positive = {"positive": 0} if name == "breast_cancer" else {}
    judge(tmp_path, columns, {"estimator": estimator}, **asked, **positive).decide()
    project = Project(DataFolder.at(tmp_path), columns)
    (path,) = project.folder.models("toy").glob("v0*/metrics.json")
    version = json.loads(path.read_text())
    version["assessment"] = asdict(assessment)
    version["training"]["decision"] = {"cost": {"fp": 1, "fn": 20}} if positive else None
    path.write_text(json.dumps(version))
    project.predict("rows", MONDAY)
    project.learn({"row": columns["row"], "y": columns["y"]})

    (found,) = project.figures(project.judge(MONDAY + timedelta(days=30))).to_dict("records")

    (file,) = (project.folder.truth("toy") / "predictions").iterdir()
    said = pd.read_parquet(file).sort_values("key_1")
    truth, weight = np.array(columns["y"]), np.array(columns["w"])
    if positive:
        sure = said["probability_0"].to_numpy()
        costs = np.where(truth == 0, 20.0 * (sure < 0.3), 1.0 * (sure >= 0.3))
        halves = np.where(truth == 0, 20.0 * (sure < 0.5), 1.0 * (sure >= 0.5))
        plain = {
            metric: -log_loss(truth == 0, sure, sample_weight=weight),
            "cost of a row": np.average(costs, weights=weight),
            "gain over 0.5": np.average(halves - costs, weights=weight),
        }
    elif name == "diabetes":
        off = np.abs(truth - said["prediction"])
        squared = np.average(np.square(off), weights=weight)
        plain = {metric: -np.sqrt(squared), "coverage": np.mean(off <= 60), "rmse": np.sqrt(squared)}
    else:
        inside = [label in labels for label, labels in zip(truth, said["prediction_set"], strict=True)]
        right = np.average(said["prediction"] == truth, weights=weight)
        plain = {metric: right, "coverage": np.mean(inside)}
    for figure, value in plain.items():
        assert abs(found[figure] - value) < 1e-12, figure
    if name == "diabetes":
        with pytest.raises(TrainingError, match=r"'y' is a text, and v0001-.* predicts amounts"):
            project.judge(MONDAY + timedelta(days=30), query="SELECT row, y::VARCHAR AS y FROM outcomes")


def test_a_score_that_falls_is_told_once(project: Project) -> None:
    """Once its week is over and old enough, and not of a week that is as the hold-out."""
    project.predict("rows", MONDAY)
    project.predict("rows", MONDAY + timedelta(days=7))
    truth = np.array(project.columns["y"])
    outcomes = {"row": project.columns["row"], "y": truth}
    project.learn(outcomes)
    before = project.judge(MONDAY + timedelta(days=20))
    project.learn({**outcomes, "y": np.roll(truth, 7)})

    early = project.judge(MONDAY + timedelta(days=12))
    fallen = project.judge(MONDAY + timedelta(days=20))
    remember_told("toy", project.folder, fallen.untold)
    again = project.judge(MONDAY + timedelta(days=30))

    assert before.untold == early.untold == ()
    assert [week.week for week in fallen.untold] == [date(2026, 11, 2)]
    assert [week.week for week in again.untold] == [date(2026, 11, 9)]
    assert [week.has_fallen for week in again.weeks] == [True, True]


KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from tasks.config import Pipeline
from tasks.core.storage import DataFolder
from tasks.train.assessment.assess import Assessment
from tasks.train.assessment.conformal import Conformal, Covered
from tasks.train.assessment.figures import Figure
from tasks.train.assessment.threshold import Threshold
from tasks.train.truth import judge

judge.keep_state = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
judge.judge_predictions(Pipeline.model_validate_json(sys.argv[1]), DataFolder.at(Path(sys.argv[2])), datetime.fromisoformat(sys.argv[3]))
"""


def test_a_query_ends_with_the_flow(project: Project) -> None:
    """As by Ctrl-C."""
    project.predict("SELECT * FROM rows WHERE row < 20", MONDAY)
    endless = "SELECT a.range AS row, 1 AS y FROM range(1000000) a, range(1000000) b"

    async def judge_and_cancel() -> list[threading.Thread]:
        judging = asyncio.create_task(_judge(project.asking(query=endless), project.folder, fresh=False))
        running = await asyncio.to_thread(_await_queries)
        judging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await judging
        return [thread for thread in running if thread.is_alive()]

    assert asyncio.run(judge_and_cancel()) == []
    assert not (project.folder.truth("toy") / SCORES).exists()


def _await_queries() -> list[threading.Thread]:
    """Return the threads that watch queries, once there are any."""
    while not (found := [thread for thread in threading.enumerate() if thread.name == "query watch"]):
        time.sleep(0.01)
    return found


@takes_minutes("it imports scikit-learn anew")
def test_what_was_killed_is_done_again(project: Project) -> None:
    """Between the table and what is known of it; the next run comes to the same, and leaves nothing else."""
    project.predict("rows", MONDAY)
    project.learn({"row": project.columns["row"], "y": project.columns["y"]})
    later = MONDAY + timedelta(days=30)
    arguments = [project.pipeline.model_dump_json(), str(project.folder.root), later.isoformat()]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    table = project.folder.truth("toy") / "scores.parquet"
    written = table.read_bytes()

    judged = project.judge(later)

    assert killed.returncode == -signal.SIGKILL
    assert (len(judged.scored), table.read_bytes()) == (1, written)
    assert sorted(path.name for path in table.parent.iterdir()) == [
        "awaited.json",
        "lineage.json",
        "predictions",
        "scores.parquet",
        "state.json",
    ]
