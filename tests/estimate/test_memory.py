"""The memory that is estimated is that which is taken, within a factor of two: of conversions, functions and fits of a few MB."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xlsxwriter

from tasks.config import Pipeline
from tasks.core.isolation.client import stop_call_server
from tasks.core.storage import DataFolder
from tasks.estimate.conversion import estimate_conversion
from tasks.estimate.size import find_size
from tasks.estimate.tables import estimate_tables
from tasks.estimate.training import estimate_training
from tasks.train.checks.training_set import write_training_set
from tasks.train.evaluation.job import plan_jobs
from tests.convert.conftest import files_source
from tests.estimate.measured import measure
from tests.tables.conftest import written
from tests.train.conftest import training, write_table

WITHIN = 2
ROWS = 25_000


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[None]:
    """End with the module the process that calls are forked from."""
    yield
    stop_call_server()


def records(rows: int) -> Iterator[dict[str, Any]]:
    """Yield rows of whole numbers, times, prices, cities and remarks."""
    for number in range(rows):
        yield {
            "id": number,
            "at": f"2024-01-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:00",
            "price": number * 7 % 100_003 / 100,
            "city": ("Berlin", "London", "Paris", "Rome")[number % 4],
            "note": f"remark {number * 7919 % 1_000_003:x} of {number % 977}",
            "ok": number % 3 == 0,
        }


def as_csv(rows: int) -> bytes:
    """Return rows as CSV."""
    lines = (",".join(map(str, row.values())) for row in records(rows))
    return "\n".join(["id,at,price,city,note,ok", *lines, ""]).encode()


def as_lines(rows: int) -> bytes:
    """Return rows as JSON lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in records(rows))


def as_document(rows: int) -> bytes:
    """Return rows as a JSON document."""
    return json.dumps({"data": {"items": [*records(rows)]}}).encode()


def as_columns(rows: int) -> bytes:
    """Return rows as a document of columns."""
    every = [*records(rows)]
    return json.dumps({name: [row[name] for row in every] for name in every[0]}).encode()


def write_workbook(path: Path, rows: int) -> None:
    """Write rows as a sheet."""
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for place, row in enumerate(records(rows)):
            if not place:
                sheet.write_row(0, 0, [*row])
            sheet.write_row(place + 1, 0, [*row.values()])


def is_within(estimated: float | None, measured: float) -> bool:
    """Return whether an estimate is within the factor of what was measured."""
    return estimated is not None and measured / WITHIN <= estimated <= WITHIN * measured


@pytest.mark.parametrize(
    ("name", "content", "declared"),
    [
        pytest.param("a.csv", lambda: as_csv(2 * ROWS), {}, id="CSV"),
        pytest.param("a.csv.gz", lambda: gzip.compress(as_csv(2 * ROWS), 1), {}, id="CSV, compressed"),
        pytest.param("a.jsonl", lambda: as_lines(ROWS), {}, id="JSON lines"),
        pytest.param("a.json", lambda: as_document(ROWS), {"read": {"records_at": "data.items"}}, id="JSON document"),
        pytest.param("a.json", lambda: as_columns(ROWS), {"read": {"shape": "columns"}}, id="JSON in columns"),
        pytest.param("a.xlsx", None, {}, id="Excel"),
    ],
)
def test_a_conversion_takes_what_is_estimated(
    tmp_path: Path, name: str, content: Callable[[], bytes] | None, declared: dict[str, Any]
) -> None:
    """A file of a few MB, of each format that takes memory in its own way."""
    path = tmp_path / "inbox" / name
    path.parent.mkdir()
    if content is None:
        write_workbook(path, ROWS // 5)
    else:
        path.write_bytes(content())
    declared = {"path": "inbox/*", **declared}

    found = estimate_conversion("rows", files_source(**declared), DataFolder(tmp_path), in_stores=False).estimate

    measured = measure("convert", tmp_path, declared)
    assert is_within(found.memory_bytes, measured), (found.memory_bytes, measured)


def test_a_function_takes_what_is_estimated(tmp_path: Path) -> None:
    """Its inputs as frames, a copy of them, and what it returns."""
    table = write_table(
        tmp_path / "tables" / "rows", {"x": np.arange(150_000.0), "y": np.arange(150_000), "z": np.arange(150_000) / 7}
    )
    code = "def made(rows):\n    return rows.assign(w=rows.x * 2).sort_values('w')\n"
    config = written(tmp_path, "  t: {python: prepare:made, inputs: [rows]}\n", prepare=code)

    (found,) = estimate_tables(config, DataFolder(tmp_path), {"rows": find_size(table, 150_000)})

    measured = measure("call", str(config.tables["t"].python), table, tmp_path / "rows.parquet")
    assert is_within(found.memory_bytes, measured), (found.memory_bytes, measured)


@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        ("sklearn.linear_model.LogisticRegression", {"max_iter": 20}),
        ("sklearn.tree.DecisionTreeClassifier", {"max_depth": 3}),
    ],
)
def test_a_fit_takes_what_is_estimated(tmp_path: Path, estimator: str, params: dict[str, int]) -> None:
    """Of a training set of numbers that is there."""
    draw = np.random.default_rng(0).normal(size=(20, 15_000))
    columns = {f"x{place}": values for place, values in enumerate(draw)}
    asked = training(candidates={"fitted": {"estimator": estimator, "params": params}})
    tables = {"rows": write_table(tmp_path / "tables" / "rows", columns | {"y": draw[0] > 0})}
    built = write_training_set(asked, tables, tmp_path / "training" / "shop")
    config = Pipeline.model_validate(
        {"name": "shop", "sources": {"rows": {"kind": "files", "path": "rows.csv"}}, "training": asked}
    )

    *_, found = estimate_training(config, asked, DataFolder(tmp_path), {})

    job = next(job for job in plan_jobs(asked, built, tmp_path / "models") if job.name == "fitted")
    measured = measure("fit", job)
    assert is_within(found.memory_bytes, measured), (found.memory_bytes, measured)
