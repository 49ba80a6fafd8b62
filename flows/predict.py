"""Prediction: the champion of a pipeline over new rows, read as convert reads the files of sources."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.cancellation import end_parts
from flows.stage import completed, in_words, open_data
from tasks.config import ColumnType, QueryLimits, Runner, load_pipeline
from tasks.convert.single import convert_single, find_like
from tasks.convert.table.conversion import Convert
from tasks.convert.tasks import convert_files
from tasks.core.errors import ConfigError
from tasks.core.escaping import count
from tasks.core.storage import DataFolder, remove_stale_temp_files
from tasks.core.story import warn
from tasks.reports.training import report_prediction
from tasks.runners.worker_check import place_for_workers
from tasks.runners.workers import stage_workers
from tasks.train.predict.awaited import await_truth
from tasks.train.predict.inputs import Input, Rejects, read_input, tables_of
from tasks.train.predict.model import read_serving
from tasks.train.predict.output import choose_output
from tasks.train.predict.prediction import Prediction
from tasks.train.tasks import predict_input

# What a column of a file is declared as, by the kind that the model learnt from.
_TYPES: Mapping[str, ColumnType] = {"number": "float", "truth": "bool", "time": "timestamp", "text": "string"}


@asynccontextmanager
async def as_parquet(
    given_rows: Input, folder: DataFolder, pipeline: str, convert: Convert = convert_files
) -> AsyncIterator[Input]:
    """Yield the input, a file of another format than Parquet converted for as long as it is needed.

    Raises:
        ConfigError: no version serves, whose features say how the file is read.
        TableError: the file cannot be read, or most of its rows do not fit.

    """
    if given_rows.kind != "file":
        yield given_rows
        return
    version = await asyncio.to_thread(lambda: read_serving(folder.models(pipeline)))
    types = {name: _TYPES[kind] for name, kind in version.features.items() if kind in _TYPES}
    place = await asyncio.to_thread(lambda: _make_folder(folder.predictions(pipeline)))
    try:
        like = await asyncio.to_thread(lambda: find_like(folder.read_manifests(), pipeline, types))
        single = await convert_single(Path(given_rows.text), types, place, convert, like)
        rejects = Rejects(single.rejected, single.reason, single.rejects)
        yield replace(given_rows, parts=single.parts, rejects=rejects, warnings=single.warnings)
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, place, ignore_errors=True))


def _make_folder(predictions: Path) -> Path:
    """Return a new folder, which the next prediction sweeps away where this one is killed."""
    remove_stale_temp_files(predictions)
    predictions.mkdir(parents=True, exist_ok=True)
    return Path(mkdtemp(prefix=".rows-", suffix=f".{os.getpid()}.part", dir=predictions))


def _heed(file: Path | None, pipeline: str, folder: DataFolder) -> tuple[tuple[str, ...], Runner | None]:
    """Return the packages of the user's own that a pipeline's file trusts, and its runner, and have its predictions wait for their truth as it says."""
    if file is None:
        return (), None
    known = load_pipeline(file)
    if known.name != pipeline:
        raise ConfigError(
            f"{file}: is the file of {known.name!r}, and not of {pipeline!r}; name the one of the pipeline"
        )
    await_truth(folder.truth(pipeline), known.truth)
    return known.training.trusted if known.training else (), known.runner


def _is_seen_by_workers(given: Input, output: Path, folder: DataFolder) -> bool:
    """Return whether workers of other machines see all that is read and written: what lies in the data folder."""
    read = given.parts or ((Path(given.text).absolute(),) if given.kind in ("file", "parquet") else ())
    return all(path.absolute().is_relative_to(folder.root) for path in (*read, output))


async def _predict_given(asked: dict[str, Any], runner: Runner | None, folder: DataFolder) -> Prediction:
    """Predict where a pipeline's runner has its workers, or here where they do not see what is read and written."""
    is_seen = _is_seen_by_workers(asked["rows"], asked["output"], folder)
    async with stage_workers(runner if is_seen else None, "predict", folder.root) as workers:
        if workers is None:
            here: Prediction = await predict_input(**asked)
            return here
        with ExitStack() as awaited:
            place = await asyncio.to_thread(awaited.enter_context, place_for_workers(folder.root, held=False))
            try:
                there: Prediction = (await workers.run(predict_input, **asked, awaited_at=place)).value
            finally:
                await asyncio.shield(asyncio.to_thread(awaited.close))
        return there


def _name_run() -> str:
    return f"{flow_run.parameters['pipeline']} predict"


@flow(name="predict", flow_run_name=_name_run, on_cancellation=[end_parts], persist_result=False)
async def predict(  # noqa: PLR0913, PLR0917 - what a form asks for
    pipeline: str,
    rows: str,
    data: Path = Path("data"),
    output: Path | None = None,
    overwrite: bool = False,
    limits: QueryLimits | None = None,
    file: Path | None = None,
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
        file: path of the pipeline's file, for what only it says: packages that a model of your own classes is of, where its
            runner has its workers, and, before the next training, by what the truth is awaited.

    Raises:
        ConfigError: the rows are not there, have not the columns that the champion learnt from, no version serves, the
            output is not to be written to, or the file is of another pipeline.
        TableError: the file of the rows cannot be read, or most of its rows do not fit.
        TrainingError: the rows cannot be read or predicted.

    """
    return await in_words(_predict(pipeline, rows, data, output, overwrite, limits, file), data)


async def _predict(  # noqa: PLR0913, PLR0917 - the flow's own
    pipeline: str,
    rows: str,
    data: Path,
    output: Path | None,
    overwrite: bool,
    limits: QueryLimits | None,
    file: Path | None,
) -> Prediction:
    folder = DataFolder.at(await open_data(data))
    trusted, runner = await asyncio.to_thread(_heed, file, pipeline, folder)
    given_rows = await asyncio.to_thread(lambda: read_input(rows, folder.table_names()))
    tables = await asyncio.to_thread(lambda: folder.tables(tables_of(given_rows, folder.table_names())))
    models, truth = await asyncio.to_thread(lambda: (folder.models(pipeline), folder.truth(pipeline)))
    path = await asyncio.to_thread(choose_output, folder, pipeline, given_rows, output, overwrite=overwrite)
    async with as_parquet(given_rows, folder, pipeline) as given:
        asked = {"models": models, "rows": given, "tables": tables, "output": path, "limits": limits}
        asked |= {"trusted": trusted, "truth": truth}
        prediction = await _predict_given(asked, runner, folder)
    for warning in prediction.warnings:
        warn(warning)
    if prediction.drifted:
        warn(f"Rows have moved from those learnt from: {', '.join(prediction.drifted)}")
    await report_prediction(pipeline, prediction)
    by = f"{prediction.version} ({prediction.candidate})"
    return completed(
        prediction, f"{count(prediction.rows, 'row')} of {prediction.source} by {by}, in {prediction.path}."
    )
