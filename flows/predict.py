"""Prediction: the champion of a pipeline over new rows."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from flows.new_rows import as_parquet
from tasks.report_training import report_prediction
from tasks.spec import QueryLimits
from tasks.store import DataFolder
from tasks.train.predict.inputs import read_input
from tasks.train.predict.output import choose_output
from tasks.train.predict.rows import Prediction
from tasks.train.predict.tasks import predict_input


def _name_run() -> str:
    return f"{flow_run.parameters['pipeline']}-predict"


@flow(name="predict", flow_run_name=_name_run, persist_result=False)
async def predict(
    pipeline: str,
    rows: str,
    data: Path = Path("data"),
    output: Path | None = None,
    overwrite: bool = False,
    limits: QueryLimits | None = None,
) -> Prediction:
    """Predict new rows by the champion of a pipeline.

    Args:
        pipeline: name of the pipeline.
        rows: the new rows: a table's name, the path of a file of any format that sources read, or of a .sql file, or
            SQL over the tables.
        data: the data folder.
        output: the Parquet file to write; without it, one in data/predictions/.
        overwrite: write the file also where one is there.
        limits: what SQL over the tables may take; without it, what the training's query might.

    Raises:
        SpecError: the rows are not there, have not the columns that the champion learnt from, no version serves, or the
            output is not to be written to.
        TableError: the file of the rows cannot be read, or most of its rows do not fit.
        TrainingError: the rows cannot be read or predicted.

    """
    folder = DataFolder.at(data)
    tables = await asyncio.to_thread(folder.tables)
    asked = await asyncio.to_thread(read_input, rows, tables)
    path = await asyncio.to_thread(choose_output, folder, pipeline, asked, output, overwrite=overwrite)
    async with as_parquet(asked, folder, pipeline) as given:
        prediction = await predict_input(folder.models(pipeline), given, tables, path, limits)
    for warning in prediction.warnings:
        get_run_logger().warning(warning)
    if prediction.drifted:
        get_run_logger().warning("Rows have moved from those learnt from: %s", ", ".join(prediction.drifted))
    await report_prediction(pipeline, prediction)
    return prediction
