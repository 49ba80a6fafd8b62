"""Where the rows of a file begin and end: units below the header, a footer, and lines without any value."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.convert.profile.page import RunCounts, write_page
from tasks.convert.profile.profile import Profile, profile_table
from tasks.convert.staging import file as staging
from tasks.convert.table.state import CommittedTable
from tasks.core.errors import TableError
from tests.convert.conftest import NO_LIMIT, files_source, make_table, read_rejects, read_rows, write_files
from tests.convert.test_titles import table_of, workbook

BODY = "id;t;n\n" + "".join(f"{number};t{number};{number},5\n" for number in range(1, 6))
UNITS = "id;t;n\n-;;[kg]\n" + BODY.partition("\n")[2]
SHEET: list[list[Any]] = [["id", "t", "n"], *([number, f"t{number}", number + 0.5] for number in range(1, 6))]
ROWS = [{"id": number, "t": f"t{number}", "n": number + 0.5} for number in range(1, 6)]


def page_of(table: CommittedTable) -> str:
    """Return the profile page of a table, without figures."""
    counts = RunCounts(0, 0, 0, 0, 0, 0, 0.0, guesses=table.findings.guesses)
    profile = profile_table([], {}, 0)
    assert isinstance(profile, Profile)
    return write_page("rows", profile, counts)


@pytest.mark.parametrize("read", [{}, {"units_row": True}, {"units_row": 2}, {"header_row": 1}, {"skip_rows": 0}])
def test_a_row_of_units_is_no_row(tmp_path: Path, read: dict[str, Any]) -> None:
    """It is told by its columns, and warned of where it was found and not declared."""
    table = table_of(tmp_path, UNITS, **read)

    assert read_rows(tmp_path) == ROWS
    assert table.rows_received == 5
    guesses = table.findings.guesses
    assert (guesses.units, guesses.as_data()["units"], guesses.shared[0].guess.has_units) == (
        {"n": "kg"},
        {"n": "kg"},
        True,
    )
    assert table.findings.warnings == (
        ()
        if read.get("units_row")
        else (
            "1 file has a row of units below the header that is no row of the table, e.g. '-;;[kg]' in inbox/a.csv; if that "
            "is right, declare read.units_row: true; if it is a row, declare read.units_row: false",
        )
    )


@pytest.mark.parametrize(
    "units",
    [
        "-;;m",  # a letter may be anything
        "1;;kg",
        "-;kg;-",  # above texts
        "x;;kg",
        "-;;(5)",
    ],
)
def test_what_may_be_a_row_is_none_of_units(tmp_path: Path, units: str) -> None:
    """Only where nothing else can be meant, units are found."""
    table = table_of(tmp_path, UNITS.replace("-;;[kg]", units))

    assert table.rows_table == 6
    assert not table.findings.guesses.units


def test_units_that_are_no_row_are_declared_to_be_one(tmp_path: Path) -> None:
    """With `units_row: false` none is looked for."""
    table = table_of(tmp_path, UNITS, units_row=False)

    assert (table.rows_table, table.types["n"], table.findings.warnings) == (6, "string", ())


def test_units_stand_between_titles_and_what_is_skipped(tmp_path: Path) -> None:
    """Their row is counted as that of the header is, and the line of a reject is that of the file."""
    text = "Report\n\nid;t;n\nin all\n-;;kg\n-;-;-\n1;x;2,5\n2;y;3,5\n7;8\n"

    table_of(tmp_path, text, header_row=3, units_row=5, skip_rows=6)

    assert read_rows(tmp_path) == [{"id": 1, "t": "x", "n": 2.5}, {"id": 2, "t": "y", "n": 3.5}]
    assert [(row["line"], row["raw"]) for row in read_rejects(tmp_path)] == [(9, "7;8")]


@pytest.mark.parametrize(
    ("read", "said"),
    [
        ({"header_row": 1, "units_row": 9}, "has 7 lines, and read.units_row is 9; correct it"),
        ({"skip_rows": 1, "units_row": 2}, "its header ends in line 2, and read.units_row is 2; correct it"),
    ],
)
def test_units_that_are_not_there_are_an_error(tmp_path: Path, read: dict[str, Any], said: str) -> None:
    """A declared line is told with the key."""
    with pytest.raises(TableError, match=said):
        table_of(tmp_path, UNITS, **read)


def test_units_of_many_lines_are_one_row(tmp_path: Path) -> None:
    """As spreadsheet programs write a cell with a line end."""
    table = table_of(tmp_path, UNITS.replace("[kg]", '"kg\nper day"') + "7;8\n", units_row=True)

    assert (read_rows(tmp_path), table.findings.guesses.units) == (ROWS, {"n": "kg per day"})
    assert [row["line"] for row in read_rejects(tmp_path)] == [9]


def test_units_are_read_in_files_of_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the first bytes end with the header."""
    monkeypatch.setattr(staging, "BLOCK_BYTES", 64)
    write_files(tmp_path, a_csv_gz=UNITS.replace("t;n", f"t;{'n' * 60}"))

    table = make_table(tmp_path, files_source(read={"units_row": True}))

    assert (table.rows_table, table.types["n" * 60]) == (5, "float")


def test_a_row_of_values_taken_for_units_is_told(tmp_path: Path) -> None:
    """What is declared is done, and doubted where it cannot be right."""
    write_files(tmp_path, a_csv=UNITS, b_csv=BODY)

    table = make_table(tmp_path, files_source(read={"units_row": True}))

    assert table.rows_table == 9
    (warning,) = table.findings.warnings
    assert warning.startswith("inbox/b.csv: has a row of units, as read.units_row says, that looks like one of values")


def test_units_that_differ_are_told(tmp_path: Path) -> None:
    """Their numbers stand in one column as if they had one unit; and a file without any is named."""
    write_files(tmp_path, a_csv=UNITS, b_csv=UNITS.replace("kg", "t "), c_csv=BODY)

    warnings = make_table(tmp_path, files_source()).findings.warnings

    assert "2 files have a row of units" in warnings[0]
    assert "give files without one, as inbox/c.csv, their own source" in warnings[0]
    assert warnings[1].startswith(
        "n: numbers of different units stand in one column as if they had one: 'kg' in inbox/a.csv and 't' in inbox/b.csv"
    )


def test_units_of_many_small_files_are_found(tmp_path: Path) -> None:
    """As those of one."""
    text = "id,n\n-,kg\n1,2.5\n2,3.5\n3,4.5\n"
    write_files(tmp_path, **{f"a{number}_csv": text for number in range(120)}, b_csv=text.replace("-,kg\n", ""))

    table = make_table(tmp_path, files_source())

    assert (table.rows_table, dict(table.types)) == (363, {"id": "int", "n": "float"})


def test_a_footer_is_left_out_and_told(tmp_path: Path) -> None:
    """Its lines are no rows and no rejects; blank ones do not count."""
    text = f"{BODY}7;8\nSumme;;17,5\n\nStand: heute\n\n"

    table = table_of(tmp_path, text, skip_footer=2)

    assert read_rows(tmp_path) == ROWS
    assert (table.rows_received, table.rows_rejected) == (6, 1)
    assert [(row["line"], row["raw"]) for row in read_rejects(tmp_path)] == [(7, "7;8")]
    assert not [each for each in table.findings.warnings if "rejects" not in each]
    said = "2 last lines of 1 file left out by read.skip_footer, the first 'Summe;;17,5' in inbox/a.csv"
    assert table.findings.guesses.as_data()["left_out"] == [said]
    assert said in page_of(table)


@pytest.mark.parametrize("block_bytes", [64, 128, 1 << 20])
@pytest.mark.parametrize("name", ["a_csv", "a_csv_gz"])
@pytest.mark.parametrize("footer", [0, 1, 3, 12])
def test_a_footer_ends_a_file_of_many_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int, name: str, footer: int
) -> None:
    """Whatever the blocks are, it is the last records, be they of several lines."""
    monkeypatch.setattr(staging, "BLOCK_BYTES", block_bytes)
    lines = [f'{number},"a, ""b""\n{number}"\n' for number in range(40)]
    odd = "".join([*lines[:20], "bad\n", *lines[20:]])
    write_files(tmp_path, **{name: f"id,t\n{odd}" + 'sum,"1\n\n2"\n' * footer + ("\n\n" if footer else "")})

    table = make_table(tmp_path, files_source(read={"skip_footer": footer, "quote": '"'}, table=NO_LIMIT))

    assert [row["id"] for row in sorted(read_rows(tmp_path), key=lambda row: row["id"])] == list(range(40))
    assert (table.rows_received, [row["line"] for row in read_rejects(tmp_path)]) == (41, [42])


def test_a_file_shorter_than_its_footer_is_told(tmp_path: Path) -> None:
    """None of it is a row."""
    write_files(tmp_path, a_csv=f"{BODY}Summe;;17,5\n", b_csv="id;t;n\n1;t1;1,5\n")

    table = make_table(tmp_path, files_source(read={"skip_footer": 2, "decimal": ","}))

    assert table.rows_table == 4
    assert [each for each in table.findings.warnings if each.startswith("inbox/b.csv: has fewer rows than read.skip_f")]


def test_a_row_taken_for_a_footer_is_told(tmp_path: Path) -> None:
    """Where a file has none it is a row that is left out; figures that a word names are none."""
    write_files(
        tmp_path, a_csv=f"{BODY}Summe;;17,5\n", b_csv=BODY, c_csv="t;id;n\nx;1;1,5\ny;2;2,5\nMittelwert;1;2,0\n"
    )

    table = make_table(tmp_path, files_source(read={"skip_footer": 1}))

    (warning,) = table.findings.warnings
    assert warning == (
        "inbox/b.csv: ends with what read.skip_footer leaves out and looks like a row, e.g. '5;t5;5,5'; "
        "correct read.skip_footer, or give files without a footer a source of their own"
    )


def test_totals_are_rows_where_no_footer_is_declared(tmp_path: Path) -> None:
    """With `skip_footer: 0` none is looked for, in a file or a sheet."""
    rows = "".join(f"{number},{number * 7},{number / 4}\n" for number in range(10))
    totals: list[list[Any]] = [
        ["id", "a", "b"],
        *([number, 7 * number, number / 4] for number in range(10)),
        ["Total", None, 11.25],
    ]
    write_files(tmp_path, a_csv=f"id,a,b\n{rows}Total,,11.25\n", b_xlsx=workbook(*totals))

    table = make_table(tmp_path, files_source(read={"skip_footer": 0}))

    assert (table.rows_table, table.rows_rejected) == (22, 0)


def test_the_end_of_a_damaged_file_is_no_footer(tmp_path: Path) -> None:
    """What follows is not known, and the rows above the damage are rows."""
    numbers = random.Random(1)
    data = gzip.compress("".join(["id\n", *(f"{numbers.random()}\n" for _ in range(1000))]).encode())
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.csv.gz").write_bytes(data[: len(data) // 2])

    whole = make_table(tmp_path, files_source(table=NO_LIMIT)).rows_table
    table = make_table(tmp_path, files_source(read={"skip_footer": 3}, table=NO_LIMIT))

    assert (table.rows_table, table.findings.guesses.left_out) == (whole, ())


def test_lines_without_any_value_are_left_out_and_counted(tmp_path: Path) -> None:
    """Delimiters, blanks and empty quotes are none; what stands in quotes stays."""
    text = 'id,t,n\n,,\n1,"a\n,,\nb",2.5\n\n , ,\n"","",\n2,,3.5\nbad\n,,\n'

    table = table_of(tmp_path, text, skip_blank=True)

    assert read_rows(tmp_path) == [{"id": 1, "t": "a\n,,\nb", "n": 2.5}, {"id": 2, "t": None, "n": 3.5}]
    assert [(row["line"], row["raw"]) for row in read_rejects(tmp_path)] == [(10, "bad")]
    assert table.findings.guesses.left_out == (
        "4 lines without any value left out by read.skip_blank, the first in inbox/a.csv",
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_below_those_left_out_keep_their_numbers(tmp_path: Path, end: str) -> None:
    """Also where another program has ended the line above one in its own way."""
    table_of(tmp_path, f"id,t\r1,a\r,\n2,b{end}\r,\n# no row\nbad\n", skip_blank=True, comment="#")

    assert [(row["line"], row["raw"]) for row in read_rejects(tmp_path)] == [(8, "bad")]


@pytest.mark.parametrize("skip_blank", [None, True])
def test_a_stray_quote_is_one_whether_lines_without_any_value_are_left_out_or_not(
    tmp_path: Path, skip_blank: bool | None
) -> None:
    """Such a line is a whole record within what the quote has opened, and no row is lost or won by leaving it out."""
    table = table_of(tmp_path, 'x,y,z\n1,2,3\n"a\n,,\nb",1,2,3\n4,5,6\n', skip_blank=skip_blank, delimiter=",")

    assert [row["raw"] for row in read_rejects(tmp_path)] == ['"a', 'b",1,2,3']
    assert table.rows_table == (2 if skip_blank else 3)


def test_totals_above_lines_without_any_value_are_found(tmp_path: Path) -> None:
    """As a sheet saved as text has these at its end."""
    table = table_of(tmp_path, f"{BODY}Summe;;17,5\n;;\n;;\n", skip_blank=True)

    assert (table.rows_table, [(row["line"], row["raw"]) for row in read_rejects(tmp_path)]) == (
        5,
        [(7, "Summe;;17,5")],
    )


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("id\n1\n\n3\n\n", [1, None, 3, None]),
        ("id,t\n1,a\n\n# no row\n,\n3,c", [1, None, None, 3]),
        ('id,t\n1,"a\n\nb"\n\n3,c\n', [1, None, 3]),
        ("id,t\n1,a\n\n# no row, and no line of its own", [1, None]),
    ],
)
def test_blank_lines_are_rows_where_they_are_declared_to_be(tmp_path: Path, text: str, rows: list[int | None]) -> None:
    """Each is one without any value, and a comment or the line of a text is none."""
    table_of(tmp_path, text, skip_blank=False, comment="#")

    assert [row["id"] for row in read_rows(tmp_path)] == rows


def test_a_blank_line_that_can_be_no_row_is_an_error(tmp_path: Path) -> None:
    """Of one column without quotes nothing stands for null."""
    with pytest.raises(TableError, match=r"has one column, and read\.quote is empty"):
        table_of(tmp_path, "id\n1\n\n2\n", skip_blank=False, quote="")


def test_blank_lines_are_settled_in_every_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stay where they are, and lines are counted with them."""
    monkeypatch.setattr(staging, "BLOCK_BYTES", 64)
    text = "id,t\n" + "".join(f"{number},x\n,\n" for number in range(50))

    write_files(tmp_path, a_csv=text)
    source = files_source(read={"skip_blank": True}, table={"provenance": True})
    make_table(tmp_path, source)

    found = pq.read_table(tmp_path / "tables" / "rows").to_pylist()
    assert sorted((row["id"], row["_line"]) for row in found) == [(number, 2 + 2 * number) for number in range(50)]


@pytest.mark.parametrize(
    ("read", "rows"),
    [
        ({}, 6),
        ({"units_row": True}, 6),
        ({"units_row": 2, "skip_footer": 1}, 5),
        ({"skip_footer": 2, "skip_blank": True}, 4),
        ({"skip_footer": 1, "skip_blank": False}, 7),
    ],
)
def test_a_sheet_begins_and_ends_as_a_file_does(tmp_path: Path, read: dict[str, Any], rows: int) -> None:
    """Units are told, the footer is left out, and rows without a value are as is declared."""
    head, *below = SHEET
    write_files(tmp_path, a_xlsx=workbook(head, ["-", None, "(kg)"], *below[:3], [], [], *below[3:], ["Stand: heute"]))

    table = make_table(tmp_path, files_source(read=read))

    footer = read.get("skip_footer", 0)
    assert (table.rows_table, table.findings.guesses.units) == (rows, {"n": "kg"})
    assert table.findings.guesses.shared[0].guess.footer == footer
    assert sum(row["n"] or 0 for row in read_rows(tmp_path)) == (12.0 if footer == 2 else 17.5)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (9, "its sheet has nothing in row 9, and read.units_row is that"),
        (2, "its header is row 2, and read.units_row is 2"),
    ],
)
def test_units_that_a_sheet_has_not_are_an_error(tmp_path: Path, row: int, said: str) -> None:
    """As of a file."""
    write_files(tmp_path, a_xlsx=workbook(["x"], *SHEET))

    with pytest.raises(TableError, match=said):
        make_table(tmp_path, files_source(read={"skip_rows": 1, "units_row": row}))


@pytest.mark.parametrize("read", [{"skip_rows": 2}, {"header_row": 3}])
@pytest.mark.parametrize("name", ["b_csv", "b_xlsx"])
def test_a_row_that_is_skipped_is_told(tmp_path: Path, read: dict[str, int], name: str) -> None:
    """A file of the source has no titles."""
    files: dict[str, str | bytes] = {"b_csv": BODY, "b_xlsx": workbook(*SHEET)}
    write_files(tmp_path, a_csv=f"Report\n\n{BODY}", **{name: files[name]})

    table = make_table(tmp_path, files_source(read={**read, "header": True}, table=NO_LIMIT))

    assert [each for each in table.findings.warnings if "declared to be skipped and looks like one of them" in each]


def test_files_that_begin_otherwise_are_named(tmp_path: Path) -> None:
    """Beside the lines that were skipped in others."""
    write_files(tmp_path, a_csv=f"Report\nof May\n{BODY}", b_csv=BODY)

    (warning,) = make_table(tmp_path, files_source()).findings.warnings

    assert "e.g. 2 in inbox/a.csv, the first 'Report', and 0 in inbox/b.csv" in warning


@pytest.mark.parametrize(
    ("above", "columns"),
    [
        ("# made by x, y, z\n", ["id", "t", "n"]),
        ("# a, b, c, d\n# of May\n", ["id", "t", "n"]),
        ("##v1, of x, y, z\n", ["id", "t", "n"]),
    ],
)
def test_comments_above_a_header_are_skipped(tmp_path: Path, above: str, columns: list[str]) -> None:
    """Also where one has as many delimiters as the rows, or more."""
    table = table_of(tmp_path, f"{above}id,t,n\n1,a,2.5\n2,b,3.5\n3,c,4.5\n")

    assert (list(table.types), table.rows_table, table.rows_rejected) == (columns, 3, 0)
    (warning,) = table.findings.warnings
    assert f"e.g. {above.count('#') - above.count('##')} in" in warning


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ("# id,t,n\n1,2,3\n4,5,6\n7,8,9\n", ["# id", "t", "n"], 3),
        ("##v1, x\n#id,t,n\n1,2,3\n4,5,6\n7,8,9\n", ["#id", "t", "n"], 3),
        ("#love,3,x\n#hate,4,y\nlove,5,z\nlike,6,z\n", ["column_1", "column_2", "column_3"], 4),
        ("#a\n#b\nc\nd\n", ["#a"], 3),
    ],
)
def test_what_begins_as_a_comment_and_is_none_stays(tmp_path: Path, text: str, columns: list[str], rows: int) -> None:
    """A header that begins so, and rows."""
    table = table_of(tmp_path, text)

    assert (list(table.types), table.rows_table, table.rows_rejected) == (columns, rows, 0)


def test_a_record_longer_than_a_block_has_no_footer_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the first block is held back: no record ends in it."""
    monkeypatch.setattr(staging, "BLOCK_BYTES", 1024)
    text = "text of a field\n" * 500
    write_files(tmp_path, a_csv=f'note,n\n"{text}",1\nb,2\nc,3\n')

    table = make_table(tmp_path, files_source(read={"skip_footer": 1}))

    assert table.rows_table == 2
