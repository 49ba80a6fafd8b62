"""Incremental sources: of the rows with one key the newest is kept, however many runs it came in."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.convert.table.inputs import name_part
from tasks.convert.table.job import make_job
from tasks.core.storage import DataFolder
from tests.convert.conftest import PROPERTY, api_source, land, make_table, parts_of, read_rows

INCREMENTAL = {"field": "at", "param": "since", "start": 0}
SOURCE = api_source(incremental=INCREMENTAL)
RUNS: list[list[tuple[int | None, Any]]] = [
    [(1, "a"), (2, "a"), (1, "b"), (3, "a")],
    [(2, "c"), (3, "c"), (4, "c")],
    [(4, "d"), (4, "e"), (1, "e"), (None, "e")],
    [(None, "f"), (3, "f")],
]
AFTER = [
    [(2, "a"), (1, "b"), (3, "a")],
    [(1, "b"), (2, "c"), (3, "c"), (4, "c")],
    [(2, "c"), (3, "c"), (4, "e"), (1, "e"), (None, "e")],
    [(2, "c"), (4, "e"), (1, "e"), (None, "e"), (None, "f"), (3, "f")],
]


def land_run(root: Path, number: int, rows: list[tuple[int | None, Any]], partition: str = "all", at: str = "") -> None:
    """Land the rows of a run: the first raw file of a partition, or an increment."""
    lines = [json.dumps({"id": key, "x": value}) for key, value in rows]
    source = SOURCE if partition == "all" else api_source("EWR", "JFK", incremental=INCREMENTAL)
    land(root, source, partition, *lines, number=number or None, at=at)


def rows_of(root: Path) -> list[tuple[int | None, Any]]:
    """Return the table's rows in the order of its files."""
    job = make_job("rows", SOURCE, DataFolder(root), allow_partial=False)
    parts = [pq.read_table(job.versions.table / f"{name_part([file.name])}.parquet").to_pylist() for file in job.inputs]
    return [(row["id"], row["x"]) for part in parts for row in part]


def test_the_newest_row_of_each_key_is_kept_run_by_run(tmp_path: Path) -> None:
    """After each run the table is what converting all files at once makes, and the older rows are counted."""
    found, counts = [], []
    for number, rows in enumerate(RUNS):
        land_run(tmp_path, number, rows)
        table = make_table(tmp_path, SOURCE)
        found.append(rows_of(tmp_path))
        counts.append((table.rows_received, table.rows_table, table.rows_duplicate, table.files_read))
    at_once = make_table(tmp_path, SOURCE, fresh=True)

    assert found == AFTER
    assert counts == [(4, 3, 1, 1), (7, 4, 3, 1), (11, 5, 6, 1), (13, 6, 7, 1)]
    assert rows_of(tmp_path) == AFTER[-1]
    assert at_once == dataclasses.replace(table, files_read=4)


def test_other_sources_keep_the_first_row(tmp_path: Path) -> None:
    """Only a source that is asked again for what changed gives newer rows; one that becomes such is converted again."""
    land(tmp_path, api_source(), "all", '{"id": 1, "x": "a"}', '{"id": 1, "x": "b"}')

    make_table(tmp_path, api_source())
    first = read_rows(tmp_path)
    land_run(tmp_path, 0, [(1, "a"), (1, "b")])
    make_table(tmp_path, SOURCE)

    assert (first, read_rows(tmp_path)) == ([{"id": 1, "x": "a"}], [{"id": 1, "x": "b"}])


def test_the_partition_landed_last_has_the_newest_row(tmp_path: Path) -> None:
    """A row that moved from one partition to another and back is the one that came last, not that of the last partition."""
    source = api_source("EWR", "JFK", incremental=INCREMENTAL)
    runs = [
        ("origin=EWR", 0, "a", "2024-01-01T00:00:00+00:00"),
        ("origin=JFK", 0, "b", "2024-01-02T00:00:00+00:00"),
        ("origin=EWR", 1, "c", "2024-01-03T00:00:00+00:00"),
        ("origin=EWR", 2, "d", "2024-01-01T00:00:00+00:00"),  # by a clock that was put back
        ("origin=JFK", 1, "e", "2024-01-04T00:00:00+00:00"),
    ]
    found = []
    for partition, number, value, at in runs:
        land_run(tmp_path, number, [(1, value)], partition, at)
        make_table(tmp_path, source, allow_partial=True)
        found.append([row["x"] for row in read_rows(tmp_path)])
    make_table(tmp_path, source, fresh=True)

    assert found == [["a"], ["b"], ["c"], ["d"], ["e"]]
    assert read_rows(tmp_path) == [{"id": 1, "x": "e"}]


def test_a_run_that_brought_nothing_leaves_the_table(tmp_path: Path) -> None:
    """An increment without rows joins the table, and nothing else is read or written."""
    for number, rows in enumerate(RUNS[:2]):
        land_run(tmp_path, number, rows)
    make_table(tmp_path, SOURCE)
    before = parts_of(tmp_path)

    land_run(tmp_path, 2, [])
    table = make_table(tmp_path, SOURCE)

    after = parts_of(tmp_path)
    assert (rows_of(tmp_path), table.files, table.files_read) == (AFTER[1], 3, 1)
    assert {name: after[name] for name in before if name.endswith(".parquet")} == {
        name: data for name, data in before.items() if name.endswith(".parquet")
    }


def test_an_increment_that_widens_a_type_brings_the_right_rows(tmp_path: Path) -> None:
    """Where all files are converted again with other types, rows dropped before are judged anew."""
    land_run(tmp_path, 0, [(1, 1), (2, 2)])
    land_run(tmp_path, 1, [(1, 3)])
    make_table(tmp_path, SOURCE)

    land_run(tmp_path, 2, [(2, "many")])
    table = make_table(tmp_path, SOURCE)

    assert rows_of(tmp_path) == [(1, "3"), (2, "many")]
    assert (table.rows_received, table.rows_duplicate, table.types["x"]) == (4, 2, "string")


def test_the_first_file_landed_anew_ends_its_increments(tmp_path: Path) -> None:
    """Increments of a first file that is no more leave the table, and their rows with them."""
    for number, rows in enumerate(RUNS):
        land_run(tmp_path, number, rows)
    make_table(tmp_path, SOURCE)

    land_run(tmp_path, 0, [(1, "z"), (9, "z")])
    table = make_table(tmp_path, SOURCE)

    assert (rows_of(tmp_path), table.files, table.rows_received) == ([(1, "z"), (9, "z")], 1, 2)
    assert len(list((tmp_path / "tables" / "rows").glob("*.parquet"))) == 1


ROWS = st.lists(st.tuples(st.none() | st.integers(1, 4), st.sampled_from([1, 2, 1.5, "x", None])), max_size=5)


@settings(PROPERTY, max_examples=15)
@given(st.lists(st.tuples(st.sampled_from(["EWR", "JFK"]), ROWS), min_size=1, max_size=6), st.randoms())
def test_any_runs_make_the_table_that_one_makes(
    runs: list[tuple[str, list[tuple[int | None, Any]]]], random: Any
) -> None:
    """Whatever came in whichever run, and whenever it was converted, rows, types and counts are those of a fresh run."""
    source = api_source("EWR", "JFK", incremental=INCREMENTAL)
    newest: dict[int, Any] = {}
    nameless = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        landed = {"EWR": 0, "JFK": 0}
        for time, (origin, rows) in enumerate(runs):
            land_run(root, landed[origin], rows, f"origin={origin}", f"2024-01-01T00:00:{time:02}+00:00")
            landed[origin] += 1
            newest.update({key: value for key, value in rows if key is not None})
            nameless += sum(key is None for key, _ in rows)
            if random.random() < 0.7:
                make_table(root, source, allow_partial=True)
        table = make_table(root, source, allow_partial=True)
        found = read_rows(root)

        fresh = make_table(root, source, fresh=True, allow_partial=True)

        assert read_rows(root) == found
        assert dataclasses.replace(fresh, files_read=table.files_read) == table
        as_texts = table.types.get("x") == "string"
        expected = {key: str(value) if as_texts and value is not None else value for key, value in newest.items()}
        assert {row["id"]: row["x"] for row in found if row["id"] is not None} == expected
        assert len(found) == len(expected) + nameless == table.rows_table


def test_partitions_in_another_order_judge_duplicates_anew(tmp_path: Path) -> None:
    """The first of the rows with one key is that of the first partition, as the pipeline file has them now."""
    orders = [["EWR", "LGA"], ["EWR", "JFK", "LGA"], ["EWR", "LGA", "JFK"], ["JFK", "LGA", "EWR"], ["LGA", "JFK"]]
    for origin in orders[1]:
        lines = [f'{{"id": {key}, "x": "{origin}"}}' for key in (1, 2) if key == 1 or origin != "EWR"]
        land(tmp_path, api_source(origin), f"origin={origin}", *lines)
    found = []

    for order in orders:
        make_table(tmp_path, api_source(*order))
        found.append({row["id"]: row["x"] for row in read_rows(tmp_path)})

    assert found == [
        {1: "EWR", 2: "LGA"},
        {1: "EWR", 2: "JFK"},
        {1: "EWR", 2: "LGA"},
        {1: "JFK", 2: "JFK"},
        {1: "LGA", 2: "LGA"},
    ]
