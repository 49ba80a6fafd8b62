"""The file of new rows, read as convert reads the files of sources: one reader, whether rows are learnt from or predicted."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from tasks.convert.single import convert_single, find_like
from tasks.convert.tasks import Convert, convert_files
from tasks.spec import ColumnType
from tasks.store import DataFolder, sweep_leftovers
from tasks.train.predict.inputs import Input, Rejects
from tasks.train.predict.rows import read_serving

# What a column of a file is declared as, by the kind that the model learnt from.
_TYPES: Mapping[str, ColumnType] = {"number": "float", "truth": "bool", "time": "timestamp", "text": "string"}


@asynccontextmanager
async def as_parquet(
    asked: Input, folder: DataFolder, pipeline: str, convert: Convert = convert_files
) -> AsyncIterator[Input]:
    """Yield the input, a file of another format than Parquet converted for as long as it is needed.

    Raises:
        SpecError: no version serves, whose features say how the file is read.
        TableError: the file cannot be read, or most of its rows do not fit.

    """
    if asked.kind != "file":
        yield asked
        return
    version = await asyncio.to_thread(read_serving, folder.models(pipeline))
    types = {name: _TYPES[kind] for name, kind in version.features.items() if kind in _TYPES}
    place = await asyncio.to_thread(_make_folder, folder.predictions(pipeline))
    try:
        like = await asyncio.to_thread(lambda: find_like(folder.tables(), pipeline, types))
        single = await convert_single(Path(asked.text), types, place, convert, like)
        rejects = Rejects(single.rejected, single.reason, single.rejects)
        yield replace(asked, parts=single.parts, rejects=rejects, warnings=single.warnings)
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, place, ignore_errors=True))


def _make_folder(predictions: Path) -> Path:
    """Return a new folder, which the next prediction sweeps away where this one is killed."""
    sweep_leftovers(predictions)
    predictions.mkdir(parents=True, exist_ok=True)
    return Path(mkdtemp(prefix=".rows-", suffix=f".{os.getpid()}.part", dir=predictions))
