"""A pipeline whose predictions are judged by what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from tasks.config import Pipeline
from tasks.core.storage import DataFolder
from tasks.train.predict.awaited import await_truth
from tasks.train.predict.batches import predict_rows
from tasks.train.predict.inputs import read_input
from tasks.train.predict.prediction import Prediction
from tasks.train.truth.judge import judge_predictions
from tasks.train.truth.scores import Judged
from tests.train.conftest import LOGISTIC, training, write_table

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
        table: pd.DataFrame = pq.read_table(judged.path).to_pandas()
        return table.pivot_table(index=["week", "version"], columns="figure", values="value")
