"""Tables: one schema over all files, what is unchanged left alone, committed together or not at all."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tasks.convert.parts.rejects import REJECT_SCHEMA
from tasks.convert.table.inputs import name_part
from tasks.convert.table.job import make_job
from tasks.core.errors import TableError
from tasks.core.storage import DataFolder
from tests.convert.conftest import (
    NO_LIMIT,
    PROPERTY,
    api_source,
    files_source,
    land,
    make_table,
    parts_of,
    read_rejects,
    read_rows,
    write_files,
)


def part_of(root: Path, name: str) -> Path:
    """Return the part of a file of the inbox."""
    return root / "tables" / "rows" / f"{name_part([f'inbox/{name}'])}.parquet"


@pytest.mark.parametrize(
    ("first", "second", "schema", "values"),
    [
        ("x\n1\n", "x\n1.5\n", {"x": pa.float64()}, [1.0, 1.5]),
        ("x\n5\n", "x\n007\n", {"x": pa.string()}, ["5", "007"]),
        ("x\n1.50\n", "x\nmany\n", {"x": pa.string()}, ["1.50", "many"]),
        ("x\nNA\n", "x\n1\n", {"x": pa.int64()}, [None, 1]),
        ("x\nNA\n", "x\nPeru\n", {"x": pa.string()}, ["NA", "Peru"]),
        ('x\n""\n', 'x\n""\n', {"x": pa.string()}, [None, None]),
        ("x\n2013-01-01\n", "x\n2013-01-01T05:00\n", {"x": pa.timestamp("us")}, None),
        ("x\n2013-01-01T05:00Z\n", "x\n2013-01-01\n", {"x": pa.string()}, ["2013-01-01T05:00Z", "2013-01-01"]),
        ("x\n1\n", "x\n", {"x": pa.int64()}, [1]),
        ("x\n1\n", "", {"x": pa.int64()}, [1]),
    ],
)
def test_types_are_widened_over_all_files(
    tmp_path: Path, first: str, second: str, schema: dict[str, pa.DataType], values: list[Any] | None
) -> None:
    """All parts have the type that holds the values of every file, as they were written."""
    write_files(tmp_path, a_csv=first, b_csv=second)

    make_table(tmp_path, files_source())

    parts = [part_of(tmp_path, "a.csv"), part_of(tmp_path, "b.csv")]
    assert [pq.read_schema(part) for part in parts] == [pa.schema(schema)] * 2
    assert values in (None, [row["x"] for row in read_rows(tmp_path)])


def test_a_column_missing_in_a_file_is_null(tmp_path: Path) -> None:
    """Columns are in the order they are met; what a file lacks is null in its rows."""
    write_files(tmp_path, a_csv="x,y\n1,2\n", b_jsonl='{"z": "q", "x": 3}')

    table = make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == [{"x": 1, "y": 2, "z": None}, {"x": 3, "y": None, "z": "q"}]
    assert table.types == {"x": "int", "y": "int", "z": "string"}


def test_a_declared_timestamp_stays_one(tmp_path: Path) -> None:
    """Where one file tells zones, a file of nulls is null, and times without a zone are rejects, not texts."""
    write_files(tmp_path, a_csv="at,n\nNA,1\n", b_csv="at,n\n2013-01-01T05:00:00Z,2\n", c_csv="at,n\n2013-01-01,3\n")

    make_table(tmp_path, files_source(columns={"at": "timestamp"}))

    assert read_rows(tmp_path) == [{"at": None, "n": 1}, {"at": datetime(2013, 1, 1, 5, tzinfo=UTC), "n": 2}]
    assert [(row["file"], row["reason"]) for row in read_rejects(tmp_path)] == [
        ("inbox/c.csv", "'2013-01-01' has no time zone, as others have")
    ]


def test_rejects_are_kept_with_where_and_why(tmp_path: Path) -> None:
    """Every row that could not enter the table is in a Parquet dataset of one schema, in the order of its lines."""
    write_files(tmp_path, a_csv='x,y\n1,2\n3\nz,"5\n"\n', b_jsonl='{"x": 6}\n[]\n')

    table = make_table(tmp_path, files_source(columns={"x": "int"}, table=NO_LIMIT))

    assert pq.read_table(tmp_path / "rejects" / "rows").schema == REJECT_SCHEMA
    assert read_rejects(tmp_path) == [
        {"source": "rows", "file": "inbox/a.csv", "line": 3, "column": None}
        | {"reason": "1 field, the header has 2", "raw": "3", "byte_offset": 8},
        {"source": "rows", "file": "inbox/a.csv", "line": 4, "column": "x"}
        | {"reason": "'z' is not an int", "raw": 'z,"5\n"', "byte_offset": 10},
        {"source": "rows", "file": "inbox/b.jsonl", "line": 2, "column": None}
        | {"reason": "not a JSON object", "raw": "[]", "byte_offset": 9},
    ]
    assert (table.rows_received, table.rows_table, table.rows_rejected) == (5, 2, 3)
    assert table.reasons == {"1 field, the header has 2": 1, "'z' is not an int": 1, "not a JSON object": 1}


def test_what_is_unchanged_is_not_converted_again(tmp_path: Path) -> None:
    """A second run reads no file, nor does one after a file was touched, and both tell the same table."""
    write_files(tmp_path, a_csv="x\n1\n", b_csv_gz="x\n2\ny\n")
    source = files_source(columns={"x": "int"})
    first = make_table(tmp_path, source)
    committed = parts_of(tmp_path)

    second = make_table(tmp_path, source)
    os.utime(tmp_path / "inbox" / "a.csv", (1, 1))
    third = make_table(tmp_path, source)

    assert (first.files_read, second.files_read, third.files_read) == (2, 0, 0)
    assert (second, third) == (third, second)
    assert (second.rows_received, second.rows_table, second.rows_rejected) == (3, 2, 1)
    assert parts_of(tmp_path) == committed


def test_a_changed_file_replaces_its_part_and_its_rejects(tmp_path: Path) -> None:
    """Only the changed file is read; a mended one has no rejects any more."""
    write_files(tmp_path, a_csv="x\n1\nbad\n", b_csv="x\n2\n")
    source = files_source(columns={"x": "int"})
    make_table(tmp_path, source)
    untouched = part_of(tmp_path, "b.csv").stat().st_ino

    write_files(tmp_path, a_csv="x\n1\n10\n")
    table = make_table(tmp_path, source)

    assert read_rows(tmp_path) == [{"x": 1}, {"x": 10}, {"x": 2}]
    assert (table.files_read, table.rows_rejected, list((tmp_path / "rejects" / "rows").iterdir())) == (1, 0, [])
    assert part_of(tmp_path, "b.csv").stat().st_ino == untouched


def test_a_file_of_the_same_size_that_changed_is_converted(tmp_path: Path) -> None:
    """A change is seen by time and hash where the size is the same."""
    write_files(tmp_path, a_csv="x\n1\n")
    make_table(tmp_path, files_source())

    write_files(tmp_path, a_csv="x\n2\n")
    os.utime(tmp_path / "inbox" / "a.csv", (1, 1))
    make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == [{"x": 2}]


def test_a_file_gone_from_the_inbox_keeps_its_rows(tmp_path: Path) -> None:
    """An inbox may be emptied as it is read; the table grows."""
    write_files(tmp_path, a_csv="x\n1\nbad\n")
    source = files_source(columns={"x": "int"})
    make_table(tmp_path, source)

    (tmp_path / "inbox" / "a.csv").unlink()
    write_files(tmp_path, b_csv="x\n2\n")
    table = make_table(tmp_path, source)

    assert read_rows(tmp_path) == [{"x": 1}, {"x": 2}]
    assert (table.files, table.files_read, table.rows_received, table.rows_rejected) == (2, 1, 3, 1)
    assert len(read_rejects(tmp_path)) == 1


def test_the_part_of_a_file_that_is_gone_is_widened(tmp_path: Path) -> None:
    """Rows that cannot be read again get the columns and types of the table they are in."""
    write_files(tmp_path, a_csv="x,y\n1,2\n")
    make_table(tmp_path, files_source())

    (tmp_path / "inbox" / "a.csv").unlink()
    write_files(tmp_path, b_csv="z,x\n2013-01-01,007\n")
    make_table(tmp_path, files_source())

    schemas = {pq.read_schema(path) for path in (tmp_path / "tables" / "rows").glob("*.parquet")}
    assert schemas == {pa.schema({"x": pa.string(), "y": pa.int64(), "z": pa.date32()})}
    assert [(row["x"], row["y"]) for row in read_rows(tmp_path)] == [("1", 2), ("007", None)]


def test_what_was_deleted_is_made_again(tmp_path: Path) -> None:
    """A part, a damaged part, or rejects that are missing come from another version or are made again; a manifest has a copy."""
    write_files(tmp_path, a_csv="x\n1\nbad\n", b_csv="x\n2\n")
    source = files_source(columns={"x": "int"})
    make_table(tmp_path, source)
    committed = parts_of(tmp_path)
    read = []

    for name in committed:
        for damage in (Path.unlink, lambda path: path.write_bytes(b"PAR1")):
            if name.startswith("rejects") and damage is not Path.unlink:
                continue
            damage(tmp_path / name)
            read.append(make_table(tmp_path, source).files_read)
            assert parts_of(tmp_path).keys() == committed.keys()
            assert read_rows(tmp_path) == [{"x": 1}, {"x": 2}]

    assert max(read) == 1
    assert len(read_rejects(tmp_path)) == 1


def test_fresh_converts_everything_again(tmp_path: Path) -> None:
    """With fresh nothing is taken as converted."""
    write_files(tmp_path, a_csv="x\n1\n", b_csv="x\n2\n")
    make_table(tmp_path, files_source())

    assert make_table(tmp_path, files_source(), fresh=True).files_read == 2


def test_a_changed_declaration_converts_everything_again(tmp_path: Path) -> None:
    """A type that is declared, or declared otherwise, holds for all rows."""
    write_files(tmp_path, a_csv="x\n1\n", b_csv="x\nmany\n")
    make_table(tmp_path, files_source())
    before = read_rows(tmp_path)

    table = make_table(tmp_path, files_source(columns={"x": "float"}))

    assert (before, read_rows(tmp_path)) == ([{"x": "1"}, {"x": "many"}], [{"x": 1.0}])
    assert (table.files_read, table.rows_rejected) == (2, 1)


CONTENTS = st.sampled_from(
    [
        "id,x\n1,1\n2,2\n",
        "id,x\n1,1.5\n1,2\nbad\n",
        "x,id\nmany,2\n",
        "id,y\n007,\n",
        "id\n\n3\n",
        "",
        "id,x\n2,NA\n3,2013-01-01\n",
        "id,x\n1,2013-01-01T05:00\n",
    ]
)


@settings(PROPERTY, max_examples=15)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["a_csv", "b_csv", "c_csv"]), CONTENTS, min_size=1), min_size=2, max_size=4
    ),
    st.sampled_from(["first", "last", None]),
)
def test_many_runs_make_the_table_that_one_makes(changes: list[dict[str, str]], keep: str | None) -> None:
    """Whatever changed from run to run, the table has the rows, types and counts that a fresh run gives."""
    source = files_source(key=["id"], keep=keep, table={"max_rejects": 100})
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_files(root, a_csv="id\n1\n")
        for change in changes:
            write_files(root, **change)
            try:
                table = make_table(root, source)
            except TableError as error:
                assume("would have none" not in str(error))  # which ends a run
                raise
            schemas = {pq.read_schema(path) for path in (root / "tables" / "rows").glob("*.parquet")}
            assert len(schemas) == bool(table.types)
        rows = read_rows(root)

        fresh = make_table(root, source, fresh=True)

        assert read_rows(root) == rows
        assert dataclasses.replace(fresh, files_read=table.files_read) == table


def test_a_key_needs_no_column_where_there_is_no_row(tmp_path: Path) -> None:
    """An API that has nothing to give makes an empty table, whatever its key."""
    source = api_source("EWR")
    land(tmp_path, source, "origin=EWR")

    table = make_table(tmp_path, source)

    assert (table.files, table.rows_received, table.types) == (1, 0, {})


def test_a_key_that_is_no_column_is_one_sentence(tmp_path: Path) -> None:
    """A wrong key is told with the columns there are, and nothing is committed."""
    write_files(tmp_path, a_csv="x,y\n1,2\n")

    with pytest.raises(TableError) as caught:
        make_table(tmp_path, files_source(key=["id"]))

    assert str(caught.value) == "key: 'id' is not a column; the columns are x, y"
    assert parts_of(tmp_path) == {}


def test_a_damaged_file_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    """Where one file cannot be read, no byte of the committed table changes; the next run does what is missing."""
    write_files(tmp_path, a_csv="x\n1\nbad\n", b_csv_gz="x\n2\n")
    source = files_source(columns={"x": "int"})
    make_table(tmp_path, source)
    committed = parts_of(tmp_path)

    write_files(tmp_path, a_csv="x\n3\n")
    (tmp_path / "inbox" / "b.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(TableError, match=r"^inbox/b\.csv\.gz: its \.gz compression is damaged"):
        make_table(tmp_path, source)
    after_failure, rows = parts_of(tmp_path), read_rows(tmp_path)
    write_files(tmp_path, b_csv_gz="x\n4\n")
    table = make_table(tmp_path, source)

    assert (after_failure, rows) == (committed, [{"x": 1}, {"x": 2}])
    assert (read_rows(tmp_path), table.files_read) == ([{"x": 3}, {"x": 4}], 2)


def test_partitions_of_the_spec_are_the_table(tmp_path: Path) -> None:
    """A partition taken out of the pipeline file loses its part, and the rows it hid come back."""
    source = api_source("EWR", "JFK")
    land(tmp_path, source, "origin=EWR", '{"id": 1, "x": "a"}')
    land(tmp_path, source, "origin=JFK", '{"id": 1, "x": "b"}', '{"id": 2, "x": "c"}')
    both = make_table(tmp_path, source)
    rows = read_rows(tmp_path)

    one = make_table(tmp_path, api_source("JFK"))

    assert (rows, both.rows_duplicate) == ([{"id": 1, "x": "a"}, {"id": 2, "x": "c"}], 1)
    assert (read_rows(tmp_path), one.rows_duplicate) == ([{"id": 1, "x": "b"}, {"id": 2, "x": "c"}], 0)
    assert (one.files, one.rows_received) == (1, 2)


def test_a_partition_that_is_not_landed_is_told(tmp_path: Path) -> None:
    """Without allow_partial a table waits for all partitions; with it, it is made of those there are."""
    source = api_source("EWR", "JFK", "LGA")
    land(tmp_path, source, "origin=EWR", '{"id": 1}')

    with pytest.raises(TableError) as caught:
        make_table(tmp_path, source)
    table = make_table(tmp_path, source, allow_partial=True)

    assert str(caught.value) == "2 of 3 partitions are not landed, the first is origin=JFK; run ingest first"
    assert (table.files, table.rows_table) == (1, 1)


def test_leftovers_of_a_killed_run_are_swept(tmp_path: Path) -> None:
    """What a killed run staged or left half-written does not enter the table."""
    write_files(tmp_path, a_csv="x\n1\n")
    job = make_job("rows", files_source(), DataFolder(tmp_path), allow_partial=False)
    for kind in ("table", "rejects"):
        (job.target.staged / kind).mkdir(parents=True)
        (job.target.staged / kind / "b.parquet").write_bytes(b"PAR1")
    (job.versions.home / f".a.parquet.{2**22 + 1}.part").write_bytes(b"PAR1")

    make_table(tmp_path, files_source())

    kept = sorted(path.name for folder in ("tables", "rejects") for path in (tmp_path / folder / "rows").iterdir())
    assert kept == ["_manifest.json", f"{name_part(['inbox/a.csv'])}.parquet"]
    assert sorted(path.name for path in job.versions.home.iterdir()) == ["000001", "current"]


def test_every_reader_of_parquet_folders_reads_the_table(tmp_path: Path) -> None:
    """Names like those of partitions give no column, and manifests and staged parts are passed over."""
    source = api_source(partitions={"origin": ["EWR", "JFK"], "month": [1]})
    land(tmp_path, source, "origin=EWR,month=1", '{"id": 1, "x": "a"}')
    land(tmp_path, source, "origin=JFK,month=1", '{"id": 2, "x": null}')
    make_table(tmp_path, source)
    folder = tmp_path / "tables" / "rows"
    (folder / ".staged").mkdir()
    (folder / ".staged" / "b.parquet").write_bytes(b"PAR1")

    frame = pd.read_parquet(folder)
    with duckdb.connect() as connection:
        relation = connection.read_parquet(f"{folder}/*.parquet")
        in_duckdb = relation.columns, relation.order("id").fetchall()

    assert pq.read_table(folder).to_pydict() == {"id": [1, 2], "x": ["a", None]}
    assert (list(frame.columns), frame["id"].tolist()) == (["id", "x"], [1, 2])
    assert in_duckdb == (["id", "x"], [(1, "a"), (2, None)])


def test_a_file_whose_name_readers_pass_over_is_in_the_table(tmp_path: Path) -> None:
    """A file named like a hidden one, or with a very long name, is a part like any other."""
    write_files(tmp_path)
    for name in ("_a.csv", "é" * 120 + ".csv"):
        (tmp_path / "inbox" / name).write_text("x\n1\n")

    make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == [{"x": 1}, {"x": 1}]


def test_a_partition_of_another_request_is_not_landed(tmp_path: Path) -> None:
    """What was landed of another address is not this source's: ingest has to come first."""
    land(tmp_path, api_source("EWR"), "origin=EWR", '{"id": 1}')
    source = api_source("EWR", url="http://127.0.0.1/others")

    with pytest.raises(TableError, match="1 of 1 partitions are not landed, the first is origin=EWR; run ingest first"):
        make_table(tmp_path, source)


def test_a_file_that_the_path_no_longer_asks_for_leaves(tmp_path: Path) -> None:
    """A file that is there still, but no longer matched, was taken out on purpose; one that is gone keeps its rows."""
    write_files(tmp_path, a_csv="x\n1\n", b_csv="x\n2\n", c_csv="x\n3\n")
    make_table(tmp_path, files_source())
    (tmp_path / "inbox" / "c.csv").unlink()

    make_table(tmp_path, files_source(path="inbox/a.*"))

    assert sorted(row["x"] for row in read_rows(tmp_path)) == [1, 3]


def test_a_declared_column_that_no_file_has_is_one_sentence(tmp_path: Path) -> None:
    """A slip in the name of a declared column would lose its check: it is told with the nearest column."""
    write_files(tmp_path, a_csv="amount\n1\n")

    with pytest.raises(TableError, match=r"^columns.amuont: no file has this column; did you mean amount\?$"):
        make_table(tmp_path, files_source(columns={"amuont": "int"}))
