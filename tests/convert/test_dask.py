"""Convert on a Dask cluster: a scheduler and two workers, as processes of their own."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.convert import convert
from tasks.config import Pipeline
from tasks.convert.table.state import CommittedTable
from tests.clusters import Cluster, dask_cluster
from tests.convert.conftest import tables_of

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

_OF_TIME = {"ctime_ns", "mtime_ns", "made"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a cluster of two workers."""
    with dask_cluster(tmp_path_factory.mktemp("dask")) as started:
        yield started


def on(address: str, config: Pipeline) -> Pipeline:
    """Return a pipeline that converts on a cluster."""
    return Pipeline.model_validate({**config.model_dump(), "runner": {"kind": "dask", "address": address}})


def everything(data: Path, elsewhere: Path) -> Pipeline:
    """Return a pipeline of files of many kinds, which it writes: long and small ones, some of them not in the data folder."""
    inbox = data / "inbox"
    for folder in ("long", "small"):
        (inbox / folder).mkdir(parents=True)
    elsewhere.mkdir(exist_ok=True)
    for number in range(3):
        rows = [
            f"{row},{row * 7919 % 100_003},{'bad' if row == 77 else row / 4},{'ab'[row % 2]}" for row in range(12_000)
        ]
        (inbox / "long" / f"{number}.csv").write_text("\n".join(["id,any,x,kind", *rows]) + "\n")
        lines = [json.dumps({"id": row, "v": row if number else row / 2}) for row in range(50)]
        (elsewhere / f"{number}.jsonl").write_text("\n".join(lines) + "\n")
    for number in range(120):
        (inbox / "small" / f"{number}.csv").write_text(f"id,text\n{number},t{number}\n")
    sources = {
        "long": {
            "kind": "files",
            "path": "inbox/long/*.csv",
            "columns": {"x": "float"},
            "key": ["id"],
            "table": {"sort_by": ["any"], "partition_by": ["kind"]},
        },
        "small": {"kind": "files", "path": "inbox/small/*.csv"},
        "documents": {"kind": "files", "path": str(elsewhere / "*.jsonl")},
    }
    return Pipeline.model_validate({"name": "everything", "sources": sources})


def kept(data: Path, *sources: str) -> dict[str, Any]:
    """Return every file of the tables and their rejects, manifests without when they were made, and what else lies beside versions."""
    found: dict[str, Any] = {}
    for home in (data / ".tables" / name for name in sources):
        found[home.name] = sorted(path.name for path in home.iterdir())
        for path in (path for path in (home / "current").resolve().rglob("*") if path.is_file()):
            name = f"{home.name}/{path.relative_to((home / 'current').resolve())}"
            found[name] = _of_any_time(json.loads(path.read_text())) if path.suffix == ".json" else path.read_bytes()
    return found


def _of_any_time(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _of_any_time(each) for key, each in value.items() if key not in _OF_TIME}
    return [_of_any_time(each) for each in value] if isinstance(value, list) else value


def findings(tables: list[CommittedTable]) -> list[Any]:
    """Return what was told of tables."""
    return [(table, table.findings.warnings, table.findings.guesses, table.rows_new) for table in tables]


def test_a_cluster_makes_the_same_parts_to_the_byte(tmp_path: Path, cluster: Cluster) -> None:
    """And the same rejects, counts, manifests and findings, of files within the data folder and elsewhere."""
    here, there = tmp_path / "here", tmp_path / "there"
    config = everything(here, tmp_path / "elsewhere")
    shutil.copytree(here, there)

    reference = tables_of(asyncio.run(convert(config, here)))
    made = tables_of(asyncio.run(convert(on(cluster.address, config), there)))

    assert findings(made) == findings(reference)
    assert kept(there, *config.sources) == kept(here, *config.sources)
    assert len(kept(there, *config.sources)) > 10
