"""What a table is on disk is said in one place, and each name of a folder is that of one value."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.config import QueryLimits
from tasks.core.errors import QueryError
from tasks.core.sql import explained, opened_tables
from tasks.core.tables import files_as_sql, folder_of_value, list_parts, parts_as_sql, table_of
from tests.test_architecture import MODULES, PROJECT, name

VALUES = st.none() | st.text(max_size=300)
ONE_PLACE = PROJECT / "tasks" / "core" / "tables.py"


@pytest.mark.parametrize("path", [path for path in MODULES if path != ONE_PLACE], ids=name)
def test_no_other_module_spells_a_table(path: Path) -> None:
    """Neither the names in a table's folder, nor the SQL that reads files."""
    text = path.read_text()

    assert not re.search(r"_manifest\.json|hive_partitioning|FROM read_|glob\(\"\*\.parquet\"\)", text)


@settings(max_examples=300)
@given(VALUES, VALUES)
def test_another_value_has_another_folder(one: str | None, other: str | None) -> None:
    """Also a null and an empty text, and those that are too long for a name."""
    column = "country"

    assert (folder_of_value(column, one) == folder_of_value(column, other)) == (one == other)


@settings(max_examples=300)
@given(st.text(min_size=1, max_size=300), VALUES)
def test_a_folder_is_found_by_readers(column: str, value: str | None) -> None:
    """It is one name of a file system, not hidden, and no `name=value`."""
    folder = folder_of_value(column, value)

    assert 0 < len(folder.encode()) <= 255
    assert not folder.startswith(("_", "."))
    assert not set("/\0=") & set(folder)


@pytest.mark.parametrize("folder", ["a", "x=1", "a[1]", "a*", "it's", "{a,b}"])
def test_sql_reads_a_table_and_nothing_else(tmp_path: Path, folder: str) -> None:
    """Its parts, in folders of their own too, without columns of any folder's name."""
    for place in (tmp_path / folder, tmp_path / folder / "k=2", tmp_path / "a1"):
        place.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"n": [place.name]}), place / "part.parquet")
    parts = list_parts(tmp_path / folder)

    with duckdb.connect() as connection:
        table = connection.execute(f"FROM {parts_as_sql(tmp_path / folder)} ORDER BY ALL").fetchall()
        files = connection.execute(f"FROM {files_as_sql(reversed(parts))}").fetchall()

    assert table == sorted([(folder,), ("k=2",)])
    assert files == [(part.parent.name,) for part in reversed(parts)]


def test_a_path_tells_its_table(tmp_path: Path) -> None:
    """By the manifest above it."""
    (tmp_path / "rows" / "x-1").mkdir(parents=True)
    (tmp_path / "rows" / "_manifest.json").write_text("{}")

    assert table_of(tmp_path / "rows" / "x-1" / "a.parquet") == tmp_path / "rows"
    assert table_of(tmp_path / "a.parquet") is None


def test_who_reads_a_version_that_is_removed_meanwhile_never_has_a_smaller_table(tmp_path: Path) -> None:
    """Its parts go one by one; which one is gone is told, and that the query is to be run again, not corrected."""
    link = tmp_path / "[rows]"
    link.symlink_to("1")
    for version, part_name in ((1, "b"), (1, "k-x/z"), (1, "k/y"), (1, "k/a"), (1, "a"), (2, "a")):
        part = tmp_path / f"{version}/{part_name}.parquet"
        part.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"n": [part_name]}), part)
    pattern = f"read_parquet('{tmp_path}/1/**/*.parquet', hive_partitioning=false)"

    with opened_tables({"rows": link}, tmp_path / "spill", QueryLimits()) as connection:
        link.unlink()
        link.symlink_to("2")
        whole = connection.execute("SELECT n FROM rows").fetchall()
        assert whole == duckdb.execute(f"FROM {pattern}").fetchall()
        (tmp_path / "1/k/y.parquet").unlink()
        with (
            pytest.raises(
                QueryError, match=rf"^{tmp_path}/1/k/y\.parquet: is gone, as its table was made anew.*; run again$"
            ),
            explained("q", {"rows": link}, "q"),
        ):
            connection.execute("SELECT count(*) FROM rows")

    assert len(whole) == 5
