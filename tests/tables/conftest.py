"""Tables to make others of, and tables made without Prefect."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.config import Pipeline, load_pipeline
from tasks.config.base import trust
from tasks.convert.table.state import CommittedTable
from tasks.core.isolation.client import stop_call_server
from tasks.core.storage import DataFolder
from tasks.core.tables import list_parts
from tasks.tables.made import MadeTableJob, make_table
from tasks.tables.order import order_tables
from tests.convert.conftest import files_source, write_files
from tests.convert.conftest import make_table as convert_table

SOURCES = {"rows": files_source().model_dump(mode="json", exclude_defaults=True) | {"kind": "files"}}
ROWS = "id,day,price,word\n1,2024-01-05,2.5,a\n2,2024-02-06,,b\n3,2024-01-07,4.0,a\n"


@pytest.fixture(scope="module", autouse=True)
def _server_ends() -> Iterator[None]:
    """End the server of functions after the last test of a module."""
    yield
    stop_call_server()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data folder with the table `rows`."""
    write_files(tmp_path, a_csv=ROWS)
    convert_table(tmp_path, files_source())
    return tmp_path


def pipeline_of(**tables: Mapping[str, Any]) -> Pipeline:
    """Return a pipeline of one source and these tables, whose functions may run."""
    for table in tables.values():
        if "python" in table:
            trust("function", table["python"])
    return Pipeline.model_validate({"name": "made", "sources": SOURCES, "tables": tables})


def written(folder: Path, text: str, **modules: str) -> Pipeline:
    """Return the pipeline of a file with these tables, and modules beside it."""
    for name, code in modules.items():
        (folder / f"{name}.py").write_text(code)
    path = folder / "pipeline.yaml"
    path.write_text(f"name: made\nsources:\n  rows: {{kind: files, path: inbox/*}}\ntables:\n{text}")
    return load_pipeline(path)


def make(data: Path, config: Pipeline, *, fresh: bool = False) -> dict[str, CommittedTable]:
    """Make all tables of a pipeline, in their order."""
    return {
        name: make_table(
            MadeTableJob(name, config.tables[name], inputs, DataFolder.at(data), config.name),
            threading.Event(),
            fresh=fresh,
        )
        for name, inputs in order_tables(config).items()
    }


def rows_of(data: Path, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table, part by part."""
    parts = list_parts(data / "tables" / name)
    return [row for part in parts for row in pq.read_table(part, partitioning=None).to_pylist()]


def changed(made: Mapping[str, CommittedTable]) -> list[str]:
    """Return the tables that were made, and not found as they would be."""
    return [name for name, table in made.items() if table.findings.changed]
