"""What can be asked of a table: names, required columns, a contract, folders, order, and where rows came from."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table, read_rejects, read_rows, write_files


def test_columns_are_renamed_or_made_plain(tmp_path: Path) -> None:
    """A rename wins over plain names, whatever the format; two columns that would become one are an error."""
    write_files(tmp_path, a_csv="Unit Price (€),ID\n1.5,007\n", b_json='[{"unitPrice": 2, "ID": "8"}]')

    make_table(tmp_path, files_source(table={"clean_names": True}, columns={"ID": {"rename": "key", "type": "string"}}))

    assert read_rows(tmp_path) == [{"unit_price": 1.5, "key": "007"}, {"unit_price": 2.0, "key": "8"}]
    write_files(tmp_path, c_csv="Unit Price,unitPrice\n1,2\n")
    with pytest.raises(TableError, match=r"the columns 'Unit Price' and 'unitPrice' would both be 'unit_price'"):
        make_table(tmp_path, files_source(table={"clean_names": True}))


def test_a_required_column_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    """The file is named, and the columns it has; a row without a value there is a reject."""
    source = files_source(columns={"id": {"required": True}, "n": "int"})
    write_files(tmp_path, a_csv="id,n\n1,2\n,3\n")
    make_table(tmp_path, source)
    rejects = read_rejects(tmp_path)
    write_files(tmp_path, b_csv="n,x\n1,2\n")

    with pytest.raises(TableError, match=r"^inbox/b.csv: has no column 'id', which is required; its columns are n, x$"):
        make_table(tmp_path, source)

    assert [(row["line"], row["column"], row["reason"]) for row in rejects] == [(3, "id", "is empty, but required")]


def test_declared_texts_are_null_and_numbers_read_as_declared(tmp_path: Path) -> None:
    """Null markers, separators and formats hold for their column only."""
    write_files(tmp_path, a_csv='n,m,d\n-,"1.234,5",31.12.2013\n5,"2,25",-\n')
    columns = {
        "n": {"type": "int", "nulls": ["-"]},
        "m": {"type": "float", "thousands": ".", "decimal": ","},
        "d": {"type": "date", "format": "%d.%m.%Y", "nulls": ["-"]},
    }

    make_table(tmp_path, files_source(columns=columns))

    assert read_rows(tmp_path) == [
        {"n": None, "m": 1234.5, "d": date(2013, 12, 31)},
        {"n": 5, "m": 2.25, "d": None},
    ]


def test_a_frozen_table_rejects_what_does_not_fit(tmp_path: Path) -> None:
    """Under freeze neither columns nor types change: rows that would change them are rejects, others enter."""
    source = files_source(table={"contract": "freeze"})
    write_files(tmp_path, a_csv="x,y\n1,a\n")
    make_table(tmp_path, source)

    write_files(tmp_path, b_csv="x,z\n2,\n3,new\n", c_csv="y,x\nb,1.5\nc,4\n")
    table = make_table(tmp_path, source)

    assert table.types == {"x": "int", "y": "string"}
    assert read_rows(tmp_path) == [{"x": 1, "y": "a"}, {"x": 2, "y": None}, {"x": 4, "y": "c"}]
    assert [(row["file"], row["line"], row["column"], row["reason"]) for row in read_rejects(tmp_path)] == [
        ("inbox/b.csv", 3, "z", "is not a column of the table, whose contract is freeze"),
        ("inbox/c.csv", 2, "x", "'1.5' is not an int"),
    ]


def test_an_evolving_table_takes_new_columns(tmp_path: Path) -> None:
    """Without freeze a new column is added, and old parts read as null there without being read anew."""
    write_files(tmp_path, a_csv="x\n1\n")
    make_table(tmp_path, files_source())

    write_files(tmp_path, b_csv="x,z\n2,new\n")
    table = make_table(tmp_path, files_source())

    assert (table.files_read, read_rows(tmp_path)) == (1, [{"x": 1, "z": None}, {"x": 2, "z": "new"}])


@pytest.mark.parametrize(("limit", "fails"), [(2, False), (1, True), (0.5, False), (0.3, True), (None, False)])
def test_too_many_rejects_are_an_error(limit: float | None, fails: bool, tmp_path: Path) -> None:
    """A number or a share of the rows is the limit; beyond it the table stays as it was."""
    write_files(tmp_path, a_csv="x\n1\nbad\nworse\n4\n")
    source = files_source(columns={"x": "int"}, table={"max_rejects": limit})

    if not fails:
        assert make_table(tmp_path, source).rows_rejected == 2
        return
    with pytest.raises(TableError, match=r"^2 of 4 rows are rejects, most often because .* and table.max_rejects is"):
        make_table(tmp_path, source)
    assert not (tmp_path / "tables").exists()


def test_parts_lie_in_folders_of_their_values(tmp_path: Path) -> None:
    """Rows lie by a column of `partition_by`; a change replaces the file's parts in all folders."""
    source = files_source(table={"partition_by": ["country"]}, key=["id"], keep="first")
    write_files(tmp_path, a_csv="id,country\n1,DE\n2,\n3,FR\n", b_csv="id,country\n1,DE\n4,a b/c\n")
    first = make_table(tmp_path, source)
    query = f"SELECT id, country, parse_path(filename)[-2] FROM read_parquet('{tmp_path}/tables/rows/**/*.parquet', filename=true) ORDER BY id"  # noqa: S608 - our own path

    with duckdb.connect() as connection:
        rows = connection.execute(query).fetchall()
        write_files(tmp_path, a_csv="id,country\n1,FR\n")
        second = make_table(tmp_path, source)
        changed = connection.execute(query).fetchall()

    assert rows == [
        (1, "DE", "country-DE"),
        (2, None, "country"),
        (3, "FR", "country-FR"),
        (4, "a b/c", "country-a b%2Fc"),
    ]
    assert changed == [(1, "FR", "country-FR"), (4, "a b/c", "country-a b%2Fc")]
    assert (first.rows_duplicate, second.rows_duplicate) == (1, 1)


def test_rows_of_a_part_are_in_the_order_asked_for(tmp_path: Path) -> None:
    """`sort_by` orders the rows of each part, nulls last."""
    write_files(tmp_path, a_csv="x,y\n3,a\nNA,b\n1,c\n2,d\n")

    make_table(tmp_path, files_source(table={"sort_by": ["x"]}))

    assert [row["y"] for row in read_rows(tmp_path)] == ["c", "d", "a", "b"]


@pytest.mark.parametrize("name", [".x", "a[0]", "a.b"])
def test_any_name_may_order_the_rows(tmp_path: Path, name: str) -> None:
    """A name is a name, not a path within a column."""
    write_files(tmp_path, a_csv=f"{name},y\n2,a\n1,b\n")

    make_table(tmp_path, files_source(table={"sort_by": [name]}))

    assert [row["y"] for row in read_rows(tmp_path)] == ["b", "a"]


def test_rows_tell_where_they_came_from(tmp_path: Path) -> None:
    """With provenance each row has its file and line, also beside rejects, quotes and empty lines."""
    write_files(tmp_path, a_csv='x,y\n1,"a\nb"\n\nbad,c\n2,d\n', b_jsonl='{"x": 3}\n\n{"x": 4}\n', c_csv="x\n5\n6\n")

    make_table(tmp_path, files_source(columns={"x": "int"}, table={"provenance": True}))

    assert [(row["x"], row["_file"], row["_line"]) for row in read_rows(tmp_path)] == [
        (1, "inbox/a.csv", 2),
        (2, "inbox/a.csv", 6),
        (3, "inbox/b.jsonl", 1),
        (4, "inbox/b.jsonl", 3),
        (5, "inbox/c.csv", 2),
        (6, "inbox/c.csv", 3),
    ]


def test_rows_of_a_file_that_is_gone_leave_when_told_to(tmp_path: Path) -> None:
    """With `on_missing: drop` the table is what the files hold that are there."""
    write_files(tmp_path, a_csv="x\n1\n", b_csv="x\n2\n")
    source = files_source(on_missing="drop")
    make_table(tmp_path, source)
    (tmp_path / "inbox" / "a.csv").unlink()

    table = make_table(tmp_path, source)

    assert (read_rows(tmp_path), table.files, table.files_read) == ([{"x": 2}], 1, 0)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"partition_by": ["z"]}, r"partition_by: 'z' is not a column; the columns are x"),
        ({"sort_by": ["z"]}, r"sort_by: 'z' is not a column; the columns are x"),
    ],
)
def test_a_column_that_is_asked_for_and_is_none_is_one_sentence(
    option: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """A slip in a name is told with the columns there are."""
    write_files(tmp_path, a_csv="x\n1\n")

    with pytest.raises(TableError, match=message):
        make_table(tmp_path, files_source(table=option))


def test_whole_numbers_beyond_a_floats_digits_stay_what_they_are(tmp_path: Path) -> None:
    """Beside floats such a column is one of texts: no digit is lost."""
    write_files(tmp_path, a_csv="x\n9007199254740993\n", b_csv="x\n1.5\n")

    make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == [{"x": "9007199254740993"}, {"x": "1.5"}]


def test_parts_are_written_for_readers(tmp_path: Path) -> None:
    """Parts are compressed with zstd and hold the statistics by which readers skip row groups."""
    write_files(tmp_path, a_csv="x,y\n1,a\n5,b\n")

    make_table(tmp_path, files_source())

    (part,) = (tmp_path / "tables" / "rows").glob("*.parquet")
    columns = [pq.read_metadata(part).row_group(0).column(number) for number in (0, 1)]
    assert [(c.compression, c.statistics.min, c.statistics.max) for c in columns] == [
        ("ZSTD", 1, 5),
        ("ZSTD", "a", "b"),
    ]
    assert pq.read_schema(part) == pa.schema({"x": pa.int64(), "y": pa.string()})
