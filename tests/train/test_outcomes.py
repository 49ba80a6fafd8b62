"""Past predictions judged by outcomes: every figure is that of a plain computation, and what does not count is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from tasks.config import Pipeline
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.storage import DataFolder
from tasks.train.predict.awaited import await_truth
from tasks.train.predict.batches import predict_rows
from tasks.train.predict.inputs import read_input
from tasks.train.predict.prediction import Prediction
from tasks.train.truth.judge import Judged, judge_predictions
from tests.train.conftest import LOGISTIC, sklearn_table, training, write_table
from tests.train.publishing import judge

MONDAY = datetime(2026, 11, 2, 8, tzinfo=UTC)
TRUTH = {"query": "SELECT row, y FROM outcomes", "key": "row", "delay": "7d"}
COLUMNS = {"query": "SELECT * EXCLUDE (row) FROM rows", "metric": "roc_auc"}


@dataclass(frozen=True)
class Project:
    """A data folder with a champion of the pipeline `toy`, which awaits the truth of what it predicts."""

    folder: DataFolder
    columns: Mapping[str, Any]

    @property
    def pipeline(self) -> Pipeline:
        """Return the pipeline."""
        return self.asking()

    def asking(self, **changes: Any) -> Pipeline:
        """Return the pipeline with another section of the truth."""
        sources = {name: {"kind": "files", "path": f"{name}.csv"} for name in ("rows", "outcomes")}
        section = training(candidates={"only": LOGISTIC}, **COLUMNS).model_dump(exclude_none=True)
        asked = {"name": "toy", "sources": sources, "training": section, "truth": TRUTH | changes}
        return Pipeline.model_validate(asked)

    def predict(self, rows: str, at: datetime) -> Prediction:
        """Predict some rows, as it is done at a moment."""
        place = self.folder.truth("toy")
        await_truth(place, self.pipeline.truth)
        before = {*(place / "predictions").glob("*")}
        tables, output = self.folder.tables(), self.folder.predictions("toy") / "out.parquet"
        made = predict_rows(self.folder.models("toy"), read_input(rows, tables), tables, output, truth=place)
        for path in {*(place / "predictions").glob("*")} - before:
            path.rename(path.with_name(f"{at:%Y%m%dT%H%M%S%fZ}-{path.name.partition('-')[2]}"))
        return made

    def learn(self, columns: Mapping[str, Any]) -> None:
        """Have the table of outcomes."""
        write_table(self.folder.table("outcomes"), columns)

    def judge(self, at: datetime, **changes: Any) -> Judged:
        """Judge what was predicted, at a moment."""
        return judge_predictions(self.asking(**changes), self.folder, at)

    def figures(self, judged: Judged) -> pd.DataFrame:
        """Return the table, a column a figure."""
        table = pq.read_table(judged.path).to_pandas()
        return table.pivot(index=["week", "version"], columns="figure", values="value")


@pytest.fixture(scope="module")
def columns() -> dict[str, Any]:
    """Return the rows."""
    return sklearn_table("breast_cancer")


@pytest.fixture
def project(columns: dict[str, Any], tmp_path: Path) -> Project:
    """Return the project, of which nothing is predicted yet."""
    judge(tmp_path, columns, LOGISTIC, **COLUMNS).decide()
    return Project(DataFolder.at(tmp_path), columns)


def test_every_figure_is_that_of_a_plain_computation(project: Project) -> None:
    """Two weeks, a third that is too young, keys without an outcome and outcomes without a prediction."""
    project.predict("SELECT * FROM rows WHERE row < 200", MONDAY)
    project.predict("SELECT * FROM rows WHERE row BETWEEN 150 AND 399", MONDAY + timedelta(days=2))  # 50 of them again
    project.predict("SELECT * FROM rows WHERE row BETWEEN 300 AND 499", MONDAY + timedelta(days=7))
    project.predict("SELECT * FROM rows WHERE row < 100", MONDAY + timedelta(days=14))
    frame = pd.DataFrame(project.columns)
    outcomes = frame[["row", "y"]].iloc[20:]
    project.learn(outcomes.to_dict("list"))

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
    assert judged.problems == ("truth.query: 69 outcomes of 549 have no prediction",)
    assert (judged.kept, judged.young, judged.scored, judged.is_new) == (4, 1, 2, True)
