"""Predictions that are kept until their truth is known: what goes of them, and what of their versions, once they are old."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.clean.item import survey
from tasks.clean.survey import find_places, moment_before
from tasks.config import Truth
from tasks.core.storage import DataFolder
from tasks.train.predict.awaited import await_truth, week_of

OLD, YOUNG, LATEST = "v0001-aaaaaaaa", "v0002-bbbbbbbb", "v0003-cccccccc"


def keep(folder: DataFolder, version: str, at: datetime) -> str:
    """Write a kept prediction, and return its name."""
    told = {
        "version": version,
        "source": "rows",
        "key": ["id"],
        "classes": None,
        "features": 1,
        "drifted": 0,
        "psi": 0.0,
    }
    path = folder.truth("toy") / "predictions" / f"{at:%Y%m%dT%H%M%S%fZ}-rows.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"key_1": [1], "prediction": [1.0]})
    with pq.ParquetWriter(path, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"tidemill": json.dumps(told)})
    return path.name


def test_a_week_goes_once_it_is_old_and_its_truth_is_known(tmp_path: Path) -> None:
    """Whole weeks, however their days lie; what made those that stay, stays too."""
    folder = DataFolder.at(tmp_path)
    await_truth(folder.truth("toy"), Truth(query="SELECT 1", key=("id",), delay=timedelta(days=14)))
    for name in (OLD, YOUNG, LATEST):
        place = folder.models("toy") / name
        place.mkdir(parents=True)
        (place / "metrics.json").write_text("")
        os.utime(place / "metrics.json", (0, 0))
    monday = week_of(datetime.now(UTC))
    gone = [keep(folder, OLD, monday - timedelta(weeks=10, days=-day)) for day in (0, 6)]
    younger = keep(folder, YOUNG, monday - timedelta(weeks=4))
    awaited = keep(folder, LATEST, monday - timedelta(weeks=2))

    found = survey(find_places(folder, moment_before("30d")))
    all_of = survey(find_places(folder, moment_before("0s")))

    assert {Path(item.name).name: item.kept for item in found} == {
        gone[0]: None,
        gone[1]: None,
        younger: "younger",
        awaited: "its truth is awaited",
        OLD: None,
        YOUNG: f"the prediction truth/toy/{younger} is by it",
        LATEST: "it is the latest",
    }
    assert [Path(item.name).name for item in all_of if item.kept] == [awaited, LATEST]
