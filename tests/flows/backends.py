"""A small pipeline with files, SQL, a function and models, and what it comes to, whatever it runs on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import s3fs
from ruamel.yaml import YAML

from flows.cli.main import run_command
from tasks.core.bucket.mirror import Mirror
from tasks.core.bucket.units import Unit

NAME = "shop"
TABLES = ("orders", "cities", "spent", "habits")
FILES, ROWS = 3, 100
RUNNERS: dict[str, dict[str, Any]] = {
    "processes": {"kind": "processes", "workers": 2},
    "dask": {"kind": "dask", "cluster": "local", "workers": 2},
}
_OF_A_RUN = {"made_at", "flow_run", "time", "fit_s", "fold_s", "memory_mb"}
_OF_A_BUCKET = {"version", "version_now", "tag"}
"""Versions of tables have the nanosecond as their number there, and files what the store knows them by."""
_CODE = """
def weigh(spent):
    return spent.assign(share=spent.amount / spent.groupby("name").amount.transform("sum"))
"""


class Backend(NamedTuple):
    """Where the data folder is, who does the heavy work, and what Prefect's server keeps runs in."""

    data: Literal["disk", "bucket"]
    runner: Literal["processes", "dask"]
    database: Literal["SQLite", "PostgreSQL"]


@dataclass(frozen=True)
class Project:
    """A folder with the pipeline files, one a runner, the function beside them, and the inbox."""

    folder: Path

    @classmethod
    def write(cls, folder: Path) -> Project:
        """Write a project: the orders are below the data folder, the cities beside the pipeline file."""
        (folder / "inbox").mkdir(parents=True)
        for number in range(FILES):
            lines = [_order(number * ROWS + row) for row in range(ROWS)]
            (folder / "inbox" / f"{number}.csv").write_text("\n".join(["id,amount,city,returned", *lines]) + "\n")
        cities = [json.dumps({"city": number, "name": name}) for number, name in enumerate(("Oslo", "Bergen", "Lom"))]
        (folder / "cities.jsonl").write_text("\n".join(cities) + "\n")
        (folder / "weights.py").write_text(_CODE)
        for name, runner in RUNNERS.items():
            with (folder / f"{name}.yaml").open("w") as file:
                YAML().dump({"name": NAME, "runner": runner, **_pipeline(folder)}, file)
        return cls(folder)

    def run(self, backend: Backend, data: str, environment: dict[str, str]) -> None:
        """Run the pipeline on a backend, in a process of its own."""
        command = [sys.executable, "-m", "flows", "run", str(self.folder / f"{backend.runner}.yaml"), "--data", data]
        ended = subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def put_inbox(self, data: str) -> None:
        """Have the orders in a data folder."""
        if "://" in data:
            s3fs.S3FileSystem().put(str(self.folder / "inbox"), f"{data}/inbox", recursive=True)
            return
        (Path(data) / "inbox").mkdir(parents=True)
        for path in (self.folder / "inbox").iterdir():
            (Path(data) / "inbox" / path.name).write_bytes(path.read_bytes())


def fetch(data: str, mirror: Path) -> Path:
    """Return a data folder as a host finds it that only reads; of a bucket in a mirror of its own."""
    if "://" not in data:
        return Path(data)
    there = Mirror.make(mirror, data)
    for unit in (*(Unit("tables", name) for name in TABLES), Unit("models", NAME)):
        there.fetch(unit)
    return mirror


def files_of(root: Path) -> dict[str, bytes]:
    """Return the bytes of every part and every file of rejects, by its path."""
    return {
        f"{kind}/{name}/{path.relative_to((root / kind / name).resolve())}": path.read_bytes()
        for kind in ("tables", "rejects")
        for name in TABLES
        for path in sorted((root / kind / name).resolve().rglob("*.parquet"))
    }


def leaderboard_of(root: Path) -> Any:
    """Return the leaderboard as it is kept, without what tells of times and memory."""
    return of_any_run(json.loads((root / "models" / NAME / "leaderboard.json").read_text()))


def lineage_of(name: str, data: str, read: Any) -> Any:
    """Return what the command tells of what made a table, or the model, without when and by which run."""
    assert run_command(["lineage", name, "--data", data, "--json"]) == 0
    return of_any_run(json.loads(read().out))


def of_any_run(value: Any) -> Any:
    """Return a value without what differs from run to run."""
    if isinstance(value, dict):
        left_out = _OF_A_RUN | (_OF_A_BUCKET if "parts" in value or "tag" in value else set())
        return {key: of_any_run(each) for key, each in value.items() if key not in left_out}
    return [of_any_run(each) for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def _order(number: int) -> str:
    amount = number * 7919 % 1000 / 4
    return (
        f"{number},{'?' if number % 50 == 7 else amount},{number % 3},{str((amount > 90) != (number % 9 == 0)).lower()}"
    )


def _pipeline(folder: Path) -> dict[str, Any]:
    spent = "SELECT id, amount, name, returned FROM orders JOIN cities USING (city)"
    return {
        "sources": {
            "orders": {"kind": "files", "path": "inbox/*.csv", "columns": {"amount": "float"}, "key": ["id"]},
            "cities": {"kind": "files", "path": str(folder / "cities.jsonl")},
        },
        "tables": {
            "spent": {"query": spent, "sort_by": ["id"]},
            "habits": {"python": "weights:weigh", "inputs": ["spent"]},
        },
        "training": {
            "query": "SELECT amount, name, share, returned FROM habits",
            "target": "returned",
            "metric": "roc_auc",
            "split": {"by": "random", "test_fraction": 0.25, "folds": 2},
            "candidates": {
                "logistic": {"estimator": "sklearn.linear_model.LogisticRegression"},
                "tree": {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 3}},
            },
        },
    }
