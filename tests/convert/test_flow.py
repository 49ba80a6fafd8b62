"""The convert flow, run by Prefect."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import s3fs
from filelock import FileLock

from flows.convert import convert
from flows.pipeline import pipeline as run_pipeline
from tasks.config import Pipeline
from tasks.convert.table.state import CommittedTable
from tasks.core.errors import ConfigError, StageError
from tasks.core.outcome import Failed
from tasks.core.progress import ProgressEvent, subscribed
from tests.convert.conftest import (
    api_source,
    files_source,
    land,
    parts_of,
    read_rejects,
    read_rows,
    tables_of,
    write_files,
)
from tests.stores import serving_s3

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

ROWS = CommittedTable(
    source="rows",
    rows_received=5,
    rows_table=3,
    rows_rejected=1,
    rows_duplicate=1,
    files=2,
    files_read=2,
    types={"id": "string", "x": "float"},
    reasons={"'bad' is not a float": 1},
)


def pipeline(root: Path, *, allow_partial: bool = False, **more: Any) -> Pipeline:
    """Return a pipeline of the files a and b, which it writes, and of other sources."""
    write_files(root, a_csv="id,x\n1,1\n2,bad\n1,2\n", b_csv_gz="id,x\n007,1.5\n3,NA\n")
    rows = {"kind": "files", "path": "inbox/[ab].*", "columns": {"x": "float"}, "key": ["id"], "keep": "first"}
    return Pipeline.model_validate({"name": "files", "sources": {**more, "rows": rows}, "allow_partial": allow_partial})


async def test_files_become_a_table_and_rejects_once(tmp_path: Path) -> None:
    """All rows are in the table, rejected or duplicates; a second run reads nothing, a fresh one everything."""
    config = pipeline(tmp_path)
    steps: list[ProgressEvent] = []

    with subscribed(steps.append):
        first = await convert(config, tmp_path)
    rows, rejects = read_rows(tmp_path), read_rejects(tmp_path)
    second = await convert(config, tmp_path)
    fresh = await convert(config, tmp_path, fresh=True)

    assert (first, fresh) == ([ROWS], [ROWS])
    assert second == [dataclasses.replace(ROWS, files_read=0)]
    assert [table.rows_new for table in tables_of([*first, *second, *fresh])] == [5, 0, 5]
    assert rows == [{"id": "1", "x": 1.0}, {"id": "007", "x": 1.5}, {"id": "3", "x": None}]
    assert [(row["file"], row["line"], row["raw"]) for row in rejects] == [("inbox/a.csv", 3, "2,bad")]
    assert {(step.stage, step.name) for step in steps} == {("convert", "rows")}


def test_a_bucket_is_read_as_a_folder_is(tmp_path: Path) -> None:
    """Objects of S3 become the table that files do; of a second run only those that changed are read."""
    config = pipeline(tmp_path)
    with serving_s3() as bucket:
        config = config.model_copy(
            update={"sources": {"rows": files_source(f"{bucket}/in", columns={"x": "float"}, key=["id"], keep="first")}}
        )
        store = s3fs.S3FileSystem()
        store.put(f"{tmp_path}/inbox/", f"{bucket}/in/", recursive=True)

        first = asyncio.run(convert(config, tmp_path))
        rows, rejects = read_rows(tmp_path), read_rejects(tmp_path)
        store.pipe(f"{bucket}/in/a.csv", b"id,x\n1,9\n")
        second = asyncio.run(convert(config, tmp_path))
        third = asyncio.run(convert(config, tmp_path))

    assert first == [ROWS]
    assert rows == [{"id": "1", "x": 1.0}, {"id": "007", "x": 1.5}, {"id": "3", "x": None}]
    assert [(row["file"], row["line"], row["raw"]) for row in rejects] == [(f"{bucket}/in/a.csv", 3, "2,bad")]
    assert [(table.files_read, table.rows_table) for table in tables_of([*second, *third])] == [(1, 3), (0, 3)]
    with pytest.raises(StageError, match=rf"{bucket}/in: cannot be listed \(.*\); check the address"):
        asyncio.run(convert(config, tmp_path))


async def test_a_damaged_source_fails_the_stage_and_not_the_others(tmp_path: Path) -> None:
    """The stage fails with the sources that could not be converted, by file; the others are committed."""
    config = pipeline(
        tmp_path, broken={"kind": "files", "path": "inbox/c.*"}, absent={"kind": "files", "path": "inbox/none.csv"}
    )
    (tmp_path / "inbox" / "c.csv.gz").write_bytes(b"not gzip")
    (tmp_path / "inbox" / "c.xlsx").touch()

    with pytest.raises(StageError) as caught:
        await convert(config, tmp_path)

    assert str(caught.value).splitlines() == [
        "source broken: inbox/c.csv.gz: its .gz compression is damaged or cut off (Not a gzipped file (b'no')); "
        "fetch the file again",
        "source broken: inbox/c.xlsx: is not an Excel file that can be read (File is not a zip file); "
        "save it anew as .xlsx",
        f"source absent: no file matches {tmp_path}/inbox/none.csv; put the files there, or correct path",
    ]
    assert len(read_rows(tmp_path)) == 3
    assert not list((tmp_path / "tables" / "broken").glob("*.parquet"))


async def test_a_pipeline_may_allow_partial_data(tmp_path: Path) -> None:
    """With allow_partial the stage ends with the tables there are, and the run with what is not there."""
    config = pipeline(tmp_path, allow_partial=True, absent={"kind": "files", "path": "inbox/none.csv"})

    failed, table = await convert(config, tmp_path)
    summary = await run_pipeline(config, tmp_path)

    assert (isinstance(failed, Failed), table) == (True, ROWS)
    assert len(parts_of(tmp_path)) == 4  # two parts, their manifest, and the rejects
    (told,) = summary.failures
    assert told.startswith("source absent: ")
    assert (summary.status, list(summary.sources)) == ("partial", ["absent", "rows"])


async def test_two_runs_do_not_make_the_same_table(tmp_path: Path) -> None:
    """While another run holds a table, converting into it is refused by name, and works afterwards."""
    config = pipeline(tmp_path)
    table, home = tmp_path / "tables" / "rows", tmp_path / ".tables" / "rows"
    await asyncio.to_thread(home.mkdir, parents=True)

    with (
        FileLock(home / ".lock"),
        pytest.raises(StageError, match=rf"source rows: another run is converting into {table}; wait"),
    ):
        await convert(config, tmp_path)

    assert await convert(config, tmp_path) == [ROWS]


async def test_a_slice_alone_has_to_be_landed(tmp_path: Path) -> None:
    """All that is landed makes the tables; a slice that is not one of the pipeline is refused before anything is made."""
    source = api_source(partitions={"month": {"range": [1, 4]}})
    config = Pipeline.model_validate({"name": "api", "sources": {"rows": source}})
    for month in (1, 3):
        await asyncio.to_thread(land, tmp_path, source, f"month={month}", f'{{"id": {month}}}')

    (table,) = tables_of(await convert(config, tmp_path, partitions="month=3"))
    with pytest.raises(
        StageError, match=r"^source rows: 2 of 4 partitions are not landed, 1 of which this run asks for"
    ):
        await convert(config, tmp_path, partitions="month=3..4")
    with pytest.raises(StageError, match=r"^source rows: 2 of 4 partitions are not landed, the first is month=2; run"):
        await convert(config, tmp_path)
    with pytest.raises(ConfigError, match=r"^partitions: .*'5' selects nothing"):
        await convert(config, tmp_path, partitions="month=5")

    assert (table.files, await asyncio.to_thread(read_rows, tmp_path)) == (2, [{"id": 1}, {"id": 3}])


def test_a_source_that_fails_leaves_nothing_staged(tmp_path: Path) -> None:
    """Parts of its good files are not left behind; the table is not begun."""
    config = pipeline(tmp_path)
    (tmp_path / "inbox" / "b.csv.gz").write_bytes(b"no gzip")

    with pytest.raises(StageError, match=r"b\.csv\.gz: its \.gz compression is damaged"):
        asyncio.run(convert(config, tmp_path))

    home = tmp_path / ".tables" / "rows"
    assert [path.name for path in home.iterdir() if not path.name.startswith(".")] == []
