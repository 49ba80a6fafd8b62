"""A data folder after runs whose inputs changed from one to the next."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.convert import convert
from flows.ingest import ingest
from flows.pipeline import pipeline
from flows.predict import predict
from tasks.config import Pipeline
from tasks.core.storage import DataFolder
from tests.site.server import Site, Sites

RUNS = 6
TRAINED_EVERY = RUNS // 3
DAYS = ["2024-01-01", "2024-01-02", "2024-01-03"]
ROWS = 40


@dataclass(frozen=True)
class Worked:
    """What the runs have worked on."""

    folder: DataFolder
    site: Site

    @property
    def root(self) -> Path:
        """Return the data folder."""
        return self.folder.root


def configure(site: Site, days: list[str], every: int) -> Pipeline:
    """Return a pipeline of files, of reports of days, and of a model of every n-th row, which each is another training."""
    return Pipeline.model_validate(
        {
            "name": "kept",
            "sources": {
                "rows": {"kind": "files", "path": "inbox/*.csv", "key": ["id"], "columns": {"x": {"type": "int"}}},
                "reports": {
                    "kind": "api",
                    "url": f"{site.url}/reports",
                    "records_at": "items",
                    "pagination": {"kind": "single"},
                    "partitions": {"day": days},
                },
            },
            "training": {
                "query": f"SELECT x, y, late FROM rows WHERE id % {every} < {every} - 1 OR id < {ROWS}",  # noqa: S608 - ours
                "target": "late",
                "split": {"by": "random", "test_fraction": 0.25, "folds": 2},
                "metric": "accuracy",
                "learning_curve": False,
                "candidates": {
                    "tree": {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": every}}
                },
                "promotion": {"when": "always"},
            },
        }
    )


def write_file(root: Path, number: int) -> None:
    """Write a file of rows, the last of which does not fit its type."""
    path = root / "inbox" / f"{number:02d}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "x", "y", "late"])
        for place in range(ROWS):
            row = number * ROWS + place
            rows.writerow([row, row * 37 % 101, row * 53 % 89, row * 37 % 101 > 50])
        rows.writerow([(number + 1) * ROWS, "none", 1, False])


async def run_many(root: Path, site: Site) -> None:
    """Run a pipeline over and over, a file more each time, or its convert alone; three runs train, and each model predicts. A day is dropped at last."""
    for number in range(RUNS):
        write_file(root, number)
        trains = number % TRAINED_EVERY == TRAINED_EVERY - 1
        config = configure(site, DAYS[1:] if number == RUNS - 1 else DAYS, 2 + number // TRAINED_EVERY)
        if trains:
            await pipeline(config, root)
            rows = "SELECT x, y FROM rows LIMIT 5"
            await predict("kept", rows, root, root / "predictions" / "kept" / f"{number}.parquet")
        else:
            await (ingest if number == 0 else convert)(config, root)


@pytest.fixture(scope="package")
def worked(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worked]:  # noqa: ARG001 - it runs
    """Yield a data folder in which much was run."""
    root = tmp_path_factory.mktemp("worked") / "data"
    with Sites().serving() as sites:
        site = sites.add()
        asyncio.run(run_many(root, site))
        yield Worked(DataFolder.at(root), site)
