"""Quoted fields that hold lines like records: whole where they are well formed, and told of."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.convert.conftest import files_source, make_table, read_rejects, read_rows, warnings_of, write_files

RECORDS = "\n".join(f"q{number},w{number},{number}" for number in range(7))


def csv_of(*odd: Sequence[object], width: int = 3) -> str:
    """Return a hundred plain records, and then these."""
    buffer = io.StringIO(newline="")
    plain = [[number, f"n{number}", *([number] * (width - 2))] for number in range(100)]
    csv.writer(buffer, lineterminator="\n").writerows([["id", "note", *"vwxyz"[: width - 2]], *plain, *odd])
    return buffer.getvalue()


@pytest.mark.parametrize(
    "row",
    [
        (500, f"see:\n{RECORDS}\nend", 7),
        (500, RECORDS, 7),
        (f"id,note,v\n{RECORDS}", "x", 7),
        (500, "x", f"id,note,v\n{RECORDS}\n"),
        (500, f'say ""hi"", then\n{RECORDS}', 7),
    ],
)
def test_a_well_formed_field_is_one_value(tmp_path: Path, row: Sequence[object]) -> None:
    """Lines like records within it give no row, and the field is told of."""
    write_files(tmp_path, a_csv=csv_of(row, (600, "x", 8)))

    table = make_table(tmp_path, files_source(columns=dict.fromkeys(["id", "note", "v"], "string")))

    assert (table.rows_received, table.rows_table) == (102, 102)
    assert list(read_rows(tmp_path)[100].values()) == [str(value) for value in row]
    (told,) = table.findings.warnings
    assert told.startswith("inbox/a.csv: line 102 opens a quoted field that runs over ")
    assert "kept as one value" in told


def test_rows_that_are_typed_at_once_are_told_of_too(tmp_path: Path) -> None:
    """Also where nothing else makes the file be read slowly."""
    write_files(tmp_path, a_csv=csv_of((500, f"see:\n{RECORDS}\nend", 7), (501, f"see:\n{RECORDS}\nend", 8)))

    (told,) = warnings_of(tmp_path, files_source())

    assert told.endswith("(2 such fields)")
    assert len(read_rows(tmp_path)) == 102


def test_a_stray_quote_that_is_closed_by_chance_is_told_of(tmp_path: Path) -> None:
    """Its lines are rows, and a sentence says so."""
    rows = [f"{number},name {number},{number / 4}" for number in range(100)]
    rows[20], rows[80] = '20,"5 inch,2.5', '80,8",2.5'
    write_files(tmp_path, a_csv="id,name,n\n" + "\n".join(rows) + "\n")

    table = make_table(tmp_path, files_source())

    assert table.rows_received == 100
    assert table.rows_table + table.rows_rejected == 100
    (told,) = (said for said in table.findings.warnings if "stray quote" in said)
    assert told.startswith("inbox/a.csv: line 22 opens a quoted field that runs over 61 lines")
    assert [row["raw"] for row in read_rejects(tmp_path)] == [rows[20]]


def test_a_stray_quote_is_told_of_beside_a_line_of_another_encoding(tmp_path: Path) -> None:
    """Of the lines that became rows one that cannot be decoded is a reject of its own, and no reason to be silent."""
    lines = ["a,b,c", *["1,2,3"] * 3, '"open,2,3', *["4,5,6"] * 8, "7,8,\xff", '"q",1,2', ""]
    write_files(tmp_path, a_csv="\n".join(lines).encode("latin-1"))
    source = files_source(read={"encoding": "utf-8"})

    table = make_table(tmp_path, source)

    assert any("line 5 opens a quoted field that runs over 11 lines" in told for told in table.findings.warnings)
    assert table.rows_received == 14
    assert table.rows_table + table.rows_rejected == 14


def test_a_field_over_the_end_of_a_block_is_one_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is cut in blocks waits for its end."""
    monkeypatch.setattr("tasks.convert.staging.file.BLOCK_BYTES", 4096)
    note = "see:\n" + "\n".join(f"q{number},w{number},{number}" for number in range(900)) + "\nend"
    write_files(tmp_path, a_csv=csv_of((500, note, 7), (600, "x", 8)))

    make_table(tmp_path, files_source())

    assert {row["id"]: row["note"] for row in read_rows(tmp_path)}[500] == note
    assert len(read_rows(tmp_path)) == 102
