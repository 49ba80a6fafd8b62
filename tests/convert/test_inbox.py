"""What an inbox holds that does not reach its table is told."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.convert.conftest import files_source, make_table, read_rows, write_files

CURE = "name them in path too, as {}, with read.format where their ending tells no format, else move them out"


@pytest.mark.parametrize(
    "name",
    ["b.tab", "b.psv", "b.dat", "b.asc", "b.log", "b.geojson", "b.csv.xz", "deep/part-00000", "000000_0"],
)
def test_files_of_a_folder_that_are_passed_over_are_told(name: str, tmp_path: Path) -> None:
    """They are counted, one of them is named, and so is what makes them rows; also by a run with nothing new."""
    write_files(tmp_path, a_csv="id\n1\n")
    path = tmp_path / "inbox" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("id\n2\n")
    source = files_source(path="inbox")
    like = f"inbox/*{path.suffix}" if path.suffix else f"inbox/{name}"

    for _ in range(2):
        (warning,) = make_table(tmp_path, source).findings.warnings
        assert warning == f"1 file is passed over: inbox/{name}; if they are data, {CURE.format(like)}"


def test_the_cure_makes_rows_of_files_passed_over(tmp_path: Path) -> None:
    """What a path names is not passed over."""
    write_files(tmp_path, a_csv="id\n1\n", b_dat="id\n2\n", c_dat="id\n3\n")
    source = files_source(path=["inbox", "inbox/*.dat"], read={"format": "csv"})

    assert make_table(tmp_path, source).findings.warnings == ()
    assert [row["id"] for row in read_rows(tmp_path)] == [1, 2, 3]


def test_files_that_are_passed_over_are_counted(tmp_path: Path) -> None:
    """One sentence tells of all."""
    write_files(tmp_path, a_csv="id\n1\n", b_dat="id\n2\n", c_dat="id\n3\n")

    (warning,) = make_table(tmp_path, files_source(path="inbox")).findings.warnings

    assert warning.startswith("2 files are passed over, the first is inbox/b.dat; ")


def test_a_glob_tells_its_ending_in_another_case(tmp_path: Path) -> None:
    """A.CSV is no match of *.csv here, and may be meant."""
    write_files(tmp_path, a_csv="id\n1\n", B_CSV="id\n2\n", c_txt="id\n3\n")

    (warning,) = make_table(tmp_path, files_source(path="inbox/*.csv")).findings.warnings

    assert warning.startswith(
        "1 file is passed over: inbox/B.CSV; if they are data, name them in path too, as inbox/*.CSV"
    )
    assert [row["id"] for row in read_rows(tmp_path)] == [1]


def test_what_is_no_data_is_not_told(tmp_path: Path) -> None:
    """Marks, hidden files, litter and documents are nobody's rows."""
    write_files(tmp_path, a_csv="id\n1\n", README_md="x", codebook_pdf="x", Thumbs_db="x")
    for name in ("_SUCCESS", ".a.csv.crc", ".DS_Store", "~$a.xlsx"):
        (tmp_path / "inbox" / name).write_text("x")

    assert make_table(tmp_path, files_source(path="inbox")).findings.warnings == ()


def test_folders_that_name_a_column_are_told(tmp_path: Path) -> None:
    """The year that stands in folders' names alone is in no column, unless the files have it too."""
    for year in (2023, 2024):
        folder = tmp_path / "inbox" / f"y={year}" / f"id={year}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"id": [year]}), folder / "part-0.parquet")

    for _ in range(2):
        (warning,) = make_table(tmp_path, files_source(path="inbox")).findings.warnings
        assert warning == (
            "the folders y=... are no column, such as y=2023: the table has no y; set table.provenance and take the "
            "value from the column _file, or write y into the files"
        )
