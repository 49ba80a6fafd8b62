"""Checks, profiles and changed columns, as a run of the convert flow leaves and shows them."""

from __future__ import annotations

import asyncio
import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from prefect.client.base import PrefectHttpxAsyncClient

from flows.convert import convert
from flows.pipeline import pipeline
from tasks.config import Pipeline
from tasks.core.errors import StageError
from tests.convert.conftest import parts_of, read_rows, write_files
from tests.convert.conftest import tables_of as made_of

pytestmark = pytest.mark.flow

FAILED = (
    "source rows: check range of x: 1 of 3 rows have a value in x above 9, e.g. x=10 id=c; "
    "expected at most 9; mend the data or the check, or let it warn with on_fail: warn"
)


def tables_of(tables: list[str]) -> list[list[dict[str, Any]]]:
    """Return the rows of table artifacts."""
    return [json.loads(table) for table in tables]


def pipeline_of(name: str, *checks: dict[str, Any], **source: Any) -> Pipeline:
    """Return a pipeline of the inbox's files with these checks."""
    rows = {"kind": "files", "path": "inbox/*", "checks": checks, **source}
    return Pipeline.model_validate({"name": name, "sources": {"rows": rows}})


async def artifacts_of(server: str, key: str) -> list[Any]:
    """Return the data of the artifacts with this key, the latest first."""
    query = {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC"}
    async with PrefectHttpxAsyncClient() as client:
        answer = await client.post(f"{server}/artifacts/filter", json=query)
    return [artifact["data"] for artifact in answer.raise_for_status().json()]


async def test_a_failed_check_keeps_the_table_as_it_was(prefect_server: str, tmp_path: Path) -> None:
    """The source fails with the sentence, the artifact shows it; mended data are committed, duplicates dropped before."""
    config = pipeline_of("gated", {"range": {"column": "x", "max": 9}}, {"unique": "id"}, key=["id"])
    write_files(tmp_path, a_csv="id,x\na,1\nb,2\na,3\n")
    await convert(config, tmp_path)
    before = await asyncio.to_thread(parts_of, tmp_path)

    write_files(tmp_path, b_csv="id,x\nc,10\n")
    for _ in range(2):
        with pytest.raises(StageError) as caught:
            await convert(config, tmp_path)
        assert str(caught.value) == FAILED
        assert await asyncio.to_thread(parts_of, tmp_path) == before
    refused = await artifacts_of(prefect_server, "gated-checks")
    write_files(tmp_path, b_csv="id,x\nc,9\n")
    await convert(config, tmp_path)

    passed = await artifacts_of(prefect_server, "gated-checks")
    told = [[(row["check"], row["status"], row["rows failed"]) for row in table] for table in tables_of(refused)]
    assert [table for table, _ in groupby(told)] == [
        [("range", "failed", 1), ("unique", "passed", 0)],  # of both runs, once where they came within one second
        [("range", "passed", 0), ("unique", "passed", 0)],
    ]
    assert [row["status"] for row in tables_of(passed)[0]] == ["passed", "passed"]
    assert tables_of(refused)[0][0]["what"] in FAILED
    assert [row["x"] for row in await asyncio.to_thread(read_rows, tmp_path)] == [2, 3, 9]


async def test_a_warning_is_in_the_summary_of_every_run(prefect_server: str, tmp_path: Path) -> None:
    """What only warns is told, also by a run that has nothing to convert; a profile is shown when the table changed."""
    config = pipeline_of(
        "warned", {"min_rows": 5, "on_fail": "warn"}, {"fresh": {"column": "at", "within": "1d"}, "on_fail": "warn"}
    )
    write_files(tmp_path, a_csv="id,at\na|b,2024-01-01\n")

    first = await pipeline(config, tmp_path)
    second = await pipeline(config, tmp_path)

    assert (
        first.warnings
        == second.warnings
        == [
            "source rows: check min_rows: the table has 1 row; expected at least 5 rows; mend the data or the check",
            "source rows: check fresh of at: the latest at is 2024-01-01 00:00 UTC; expected a row of the last 1d; "
            "mend the data or the check",
        ]
    )
    assert first.status == "completed"
    assert len(await artifacts_of(prefect_server, "warned-checks")) in {1, 2}  # once where both came within one second
    (profile,) = await artifacts_of(prefect_server, "warned-profile-rows")
    assert "`a\\|b`" in profile
    assert await artifacts_of(prefect_server, "warned-schema-rows") == []


async def test_a_check_that_is_declared_anew_is_run_on_the_table_there_is(prefect_server: str, tmp_path: Path) -> None:
    """No file is new, but the check is: it fails until it is taken back, and the table stays."""
    write_files(tmp_path, a_csv="id,x\na,1\n")
    await convert(pipeline_of("anew"), tmp_path)
    before = await asyncio.to_thread(parts_of, tmp_path)

    with pytest.raises(StageError, match=r"^source rows: check min_rows: the table has 1 row; expected at least 2"):
        await convert(pipeline_of("anew", {"min_rows": 2}), tmp_path)
    with pytest.raises(
        StageError, match=r"^source rows: checks.0.not_null: 'idd' is not a column .* did you mean id\?"
    ):
        await convert(pipeline_of("anew", {"not_null": "idd"}), tmp_path)
    (table,) = made_of(await convert(pipeline_of("anew", {"min_rows": 1}), tmp_path))

    assert table.files_read == 0
    assert await asyncio.to_thread(parts_of, tmp_path) == before
    assert [row["status"] for row in tables_of(await artifacts_of(prefect_server, "anew-checks"))[0]] == ["passed"]


async def test_changed_columns_are_shown_once(prefect_server: str, tmp_path: Path) -> None:
    """A run after which the table has other columns says which; the first one has nothing to compare with."""
    write_files(tmp_path, a_csv="id,x\na,1\n")
    await convert(pipeline_of("changing"), tmp_path)
    write_files(tmp_path, b_csv="id,x,y\nb,1.5,2\n")
    await convert(pipeline_of("changing"), tmp_path)
    await convert(pipeline_of("changing"), tmp_path)

    (page,) = await artifacts_of(prefect_server, "changing-schema-rows")

    assert [line for line in page.splitlines() if line.startswith(("| changed", "| added", "| removed"))] == [
        "| changed | x | int | float |",
        "| added | y |  | int |",
    ]
