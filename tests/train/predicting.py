"""Prediction as the flow does it, but without Prefect."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from flows.predict import as_parquet
from tasks.convert.tasks import convert_files
from tasks.core.storage import DataFolder
from tasks.train.predict.batches import Pace, predict_rows
from tasks.train.predict.inputs import read_input
from tasks.train.predict.prediction import Prediction


def predict_file(data: Path, rows: object, output: Path, **options: Any) -> Prediction:
    """Predict an input by the champion of `toy`."""
    folder = DataFolder.at(data)
    tables = folder.tables()
    asked = read_input(str(rows), tables)

    async def run() -> Prediction:
        async with as_parquet(asked, folder, "toy", convert_files.fn) as given:
            models = folder.models("toy")
            return await asyncio.to_thread(predict_rows, models, given, tables, output, Pace(**options))

    return asyncio.run(run())
