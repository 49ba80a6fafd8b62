"""The engines that convert is measured against, and convert itself, each in a process of its own: files to Parquet with zstd."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from tasks.core.child_process import exit_with_parent
from tests.benchmarks.job import Report, peak_bytes

Convert = Callable[[str, Path], None]

CLUSTER = "BENCHMARK_CLUSTER"
"""The variable that has the address of a Dask cluster."""
BUCKET = "BENCHMARK_BUCKET"
"""The variable that has the address of a data folder in a bucket."""
_ROWS = "a,b\n1,x\n2,y\n"


def pandas_loop() -> Convert:
    """Return a loop over the files: read, write."""
    import pandas as pd

    def convert(pattern: str, folder: Path) -> None:
        for path in _files(pattern):
            pd.read_csv(path).to_parquet(folder / f"{path.name}.parquet", compression="zstd")

    return convert


def pyarrow_threads() -> Convert:
    """Return a thread a core, each converting one file after another."""
    from concurrent.futures import ThreadPoolExecutor

    import pyarrow.csv as pa_csv
    import pyarrow.json as pa_json
    import pyarrow.parquet as pq

    def convert_file(path: Path, folder: Path) -> None:
        table = pa_json.read_json(path) if ".jsonl" in path.name else pa_csv.read_csv(path)
        pq.write_table(table, folder / f"{path.name}.parquet", compression="zstd")

    def convert(pattern: str, folder: Path) -> None:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            list(threads.map(lambda path: convert_file(path, folder), _files(pattern)))

    return convert


def pyarrow_dataset() -> Convert:
    """Return pyarrow's own scan of many files into one dataset, block by block."""
    import pyarrow.dataset as ds

    def convert(pattern: str, folder: Path) -> None:
        source = ds.dataset([str(path) for path in _files(pattern)], format="json" if ".jsonl" in pattern else "csv")
        options = ds.ParquetFileFormat().make_write_options(compression="zstd")
        ds.write_dataset(
            source, folder, format="parquet", file_options=options, existing_data_behavior="overwrite_or_ignore"
        )

    return convert


def polars_sink() -> Convert:
    """Return Polars' streaming scan and sink."""
    import polars as pl

    def convert(pattern: str, folder: Path) -> None:
        paths = [str(path) for path in _files(pattern)]
        lazy = (
            pl.scan_ndjson(paths)
            if ".jsonl" in pattern
            else pl.scan_csv(paths, null_values=["NA"], infer_schema_length=10_000)
        )
        lazy.sink_parquet(folder / "all.parquet", compression="zstd")

    return convert


def duckdb_copy() -> Convert:
    """Return DuckDB's COPY."""
    import duckdb

    def convert(pattern: str, folder: Path) -> None:
        reader = "read_json" if ".jsonl" in pattern else "read_csv"
        with duckdb.connect() as connection:
            connection.execute(
                f"COPY (FROM {reader}('{pattern}')) TO '{folder}/all.parquet' (FORMAT parquet, COMPRESSION zstd)"
            )

    return convert


def calamine_rows() -> Convert:
    """Return calamine's own reading of a sheet into rows; of these it writes their numbers, so that they are counted."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from python_calamine import CalamineWorkbook

    def convert(pattern: str, folder: Path) -> None:
        for path in _files(pattern):
            rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
            pq.write_table(pa.table({"row": range(len(rows) - 1)}), folder / f"{path.name}.parquet")

    return convert


def reading_alone() -> Convert:
    """Return what convert does of that: a sheet as columns of texts and their types; it writes them as the one above."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tasks.config import Reading
    from tasks.convert.formats.excel.format import read_excel

    def convert(pattern: str, folder: Path) -> None:
        for path in _files(pattern):
            rows = sum(block.received for block in read_excel(path.read_bytes(), Reading()))
            pq.write_table(pa.table({"row": range(rows)}), folder / f"{path.name}.parquet")

    return convert


def article() -> Convert:
    """Return the article's way: aiofiles reads all files together, then read_csv takes one after another."""
    import io

    import aiofiles
    import pandas as pd

    async def read(path: Path) -> str:
        async with aiofiles.open(path) as file:
            return await file.read()

    async def read_all(pattern: str) -> list[str]:
        return await asyncio.gather(*map(read, _files(pattern)))

    def convert(pattern: str, folder: Path) -> None:
        for number, text in enumerate(asyncio.run(read_all(pattern))):
            pd.read_csv(io.StringIO(text)).to_parquet(folder / f"{number}.parquet", compression="zstd")

    return convert


def tidemill() -> Convert:
    """Return the convert flow, on the Prefect server that the environment names."""
    from flows.convert import convert as flow
    from tasks.config import Pipeline

    def convert(pattern: str, folder: Path) -> None:
        sources = {"rows": {"kind": "files", "path": pattern}}
        asyncio.run(flow(Pipeline.model_validate({"name": "benchmark", "sources": sources}), folder))

    return convert


def tidemill_on_dask() -> Convert:
    """Return the convert flow, its files converted by the workers of a cluster."""
    from flows.convert import convert as flow
    from tasks.config import Pipeline

    def convert(pattern: str, folder: Path) -> None:
        sources = {"rows": {"kind": "files", "path": pattern}}
        runner = {"kind": "dask", "address": os.environ[CLUSTER]}
        asyncio.run(flow(Pipeline.model_validate({"name": "benchmark", "sources": sources, "runner": runner}), folder))

    return convert


def tidemill_in_bucket() -> Convert:
    """Return the convert flow, its files and its data folder in a bucket, of which nothing is on this machine."""
    from flows.convert import convert as flow
    from tasks.config import Pipeline
    from tasks.core.storage import DataFolder

    def convert(pattern: str, folder: Path) -> None:
        address = Path(f"{os.environ[BUCKET]}{'/warm' if pattern.startswith('/') else ''}")
        sources = {"rows": {"kind": "files", "path": pattern}}
        asyncio.run(flow(Pipeline.model_validate({"name": "benchmark", "sources": sources}), address))
        for part in (DataFolder.at(address).root / "tables/rows").resolve().glob("*.parquet"):
            (folder / part.name).symlink_to(part)

    return convert


def pandas_in_bucket() -> Convert:
    """Return a loop over a tenth of the objects: read each by s3fs, write."""
    import pandas as pd
    import s3fs

    def convert(pattern: str, folder: Path) -> None:
        place = f"{os.environ[BUCKET].removeprefix('s3://')}/{pattern}"
        for path in s3fs.S3FileSystem().glob(place)[::10]:
            pd.read_csv(f"s3://{path}").to_parquet(folder / f"{Path(path).name}.parquet", compression="zstd")

    return convert


def landed() -> Convert:
    """Return the convert flow over rows that an API's source has landed."""
    from flows.convert import convert as flow
    from tasks.config import Pipeline
    from tests.benchmarks.landed import LANDED, write_landed

    def convert(pattern: str, folder: Path) -> None:
        raw = Path(pattern)
        if "*" in raw.name:  # what is written to have all imported
            write_landed(folder, [line for path in _files(pattern) for line in path.read_bytes().splitlines()])
        else:
            shutil.copytree(raw.parent, folder / "raw" / "rows", copy_function=os.link)
        asyncio.run(flow(Pipeline(name="benchmark", sources={"rows": LANDED}), folder))

    return convert


ENGINES: dict[str, Callable[[], Convert]] = {
    engine.__name__: engine
    for engine in (
        tidemill,
        tidemill_on_dask,
        tidemill_in_bucket,
        pandas_in_bucket,
        pandas_loop,
        pyarrow_threads,
        pyarrow_dataset,
        polars_sink,
        duckdb_copy,
        article,
        calamine_rows,
        reading_alone,
        landed,
    )
}


def main() -> None:
    """Convert the files of the glob that is given into the folder beside it, and print what it took."""
    exit_with_parent()
    engine, pattern, target = sys.argv[1:]
    convert = ENGINES[engine]()
    with tempfile.TemporaryDirectory() as warm:  # what is imported at the first call is not measured
        suffix = {".gz": ".csv", ".zst": ".jsonl"}.get(Path(pattern).suffix, Path(pattern).suffix)
        _write_warm(Path(warm) / f"warm{suffix}")
        (Path(warm) / "out").mkdir()
        convert(f"{warm}/*{suffix}", Path(warm) / "out")
    folder = Path(target)
    folder.mkdir(parents=True)
    start, cpu = time.perf_counter(), time.process_time()
    convert(pattern, folder)
    report = Report(time.perf_counter() - start, time.process_time() - cpu, _rows_in(folder), peak_bytes())
    if engine.startswith("tidemill"):
        _store_run()
    print(json.dumps(asdict(report)), flush=True)


def _write_warm(path: Path) -> None:
    if path.suffix == ".xlsx":
        import xlsxwriter

        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet()
            for number, line in enumerate(_ROWS.splitlines()):
                sheet.write_row(number, 0, line.split(","))
    else:
        path.write_text('{"a": 1}\n' if path.suffix == ".jsonl" else _ROWS)


def _store_run() -> None:
    from flows.cli.flush import flush
    from flows.cli.prefect_api import PrefectApi

    flush(PrefectApi(url=os.environ["PREFECT_API_URL"]), None)


def _rows_in(folder: Path) -> int:
    import pyarrow.parquet as pq

    found = (folder / "tables" / "rows") if (folder / "tables").exists() else folder
    return sum(pq.read_metadata(path).num_rows for path in found.glob("*.parquet"))


def _files(pattern: str) -> list[Path]:
    return sorted(Path(pattern).parent.glob(Path(pattern).name))


if __name__ == "__main__":
    main()
