"""What is guessed of files: refused where it contradicts itself, told, and shown."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tasks.convert.profile.page import RunCounts, write_page
from tasks.convert.profile.profile import profile_table
from tasks.convert.table.guesses import SHOWN
from tasks.convert.table.state import CommittedTable
from tasks.core.errors import TableError
from tests.convert.conftest import api_source, files_source, land, make_table, read_rejects, read_rows, write_files
from tests.convert.test_titles import workbook

SALES = "Datum;Filiale;Umsatz\n" + "".join(f"{day:02}.01.2024;{100 + day % 3};{day}7,25\n" for day in range(1, 20))


def told(table: CommittedTable) -> list[dict[str, Any]]:
    """Return how the files were read."""
    read: list[dict[str, Any]] = table.findings.guesses.as_data()["read"]
    return read


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2026-01-03,NAN,82\n2026-01-04,1.5,83\n", "2026-01-05,2.5,84\n2026-01-06,3.5,85\n"),
        ("sensor-a,2026-01-01,3.4\nsensor-b,2026-01-01,3.5\n", "sensor-a,2026-01-02,4.4\nsensor-c,2026-01-02,4.5\n"),
        ("sensor-a,2026-01-01,3.4\n", "sensor-b,2026-01-02,4.4\n"),
    ],
)
def test_no_row_of_files_without_a_header_is_lost(tmp_path: Path, one: str, other: str) -> None:
    """Their first records are rows, in the same columns."""
    write_files(tmp_path, a_csv=one, b_csv=other)

    table = make_table(tmp_path, files_source())

    assert table.rows_table == one.count("\n") + other.count("\n")
    assert list(table.types) == ["column_1", "column_2", "column_3"]
    assert [each["header"] for each in told(table)] == [False]


def test_a_pivot_table_keeps_its_years_as_columns(tmp_path: Path) -> None:
    """A blank and years above numbers are a header."""
    write_files(tmp_path, a_csv=",2019,2020,2021\nDE,1,2,3\nFR,4,5,6\n")

    make_table(tmp_path, files_source())

    assert read_rows(tmp_path)[0] == {"column_1": "DE", "2019": 1, "2020": 2, "2021": 3}


def test_files_that_disagree_on_a_header_are_refused(tmp_path: Path) -> None:
    """The error names the key, and what is declared ends the contradiction."""
    write_files(tmp_path, a_csv="device,site,n\nx,y,1\n", b_csv="d,e,2\nf,g,3\n", c_csv="")

    with pytest.raises(TableError) as caught:
        make_table(tmp_path, files_source())

    assert str(caught.value) == (
        "inbox/a.csv seems to begin with a header, and inbox/b.csv with a row; "
        "declare read.header: true or false, or give them sources of their own"
    )
    assert make_table(tmp_path, files_source(read={"header": False})).rows_received == 4


def test_files_with_a_header_alone_contradict_nothing(tmp_path: Path) -> None:
    """A month without rows is a header of texts."""
    write_files(tmp_path, a_csv="id,name\n1,x\n", b_csv="id,name\n")

    assert make_table(tmp_path, files_source()).rows_table == 1


def test_a_new_file_that_disagrees_with_those_before_is_refused(tmp_path: Path) -> None:
    """What was guessed of a file is kept with its table."""
    write_files(tmp_path, a_csv="device,n\nx,1\n")
    make_table(tmp_path, files_source())
    write_files(tmp_path, b_csv="x,2\ny,3\n")

    with pytest.raises(TableError, match=r"inbox/a.csv seems to begin with a header, and inbox/b.csv with a row"):
        make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == [{"device": "x", "n": 1}]


def test_a_line_of_totals_is_a_reject_and_told(tmp_path: Path) -> None:
    """A text above dates beside a blank that no row has, as the last line."""
    write_files(tmp_path, a_csv=f"{SALES}Summe;;1902,75\n")

    table = make_table(tmp_path, files_source())

    assert (table.rows_table, table.rows_rejected) == (19, 1)
    assert [(row["line"], row["raw"], row["reason"]) for row in read_rejects(tmp_path)] == [
        (21, "Summe;;1902,75", "a line of totals, as it looks")
    ]
    (warning,) = [each for each in table.findings.warnings if "totals" in each]
    assert "1 file ends with a line that looks like totals and is a reject, e.g. 'Summe;;1902,75' in" in warning


def test_totals_above_notes_are_rejects(tmp_path: Path) -> None:
    """As they are a few lines of other widths follow, each of which is told for itself, with its line."""
    write_files(tmp_path, a_csv=f"{SALES}Summe;;1902,75\n\nStand: heute\nSeite 1;von 1\n")

    table = make_table(tmp_path, files_source())

    assert (table.rows_table, table.rows_rejected) == (19, 3)
    assert [(row["line"], row["raw"], row["reason"]) for row in read_rejects(tmp_path)] == [
        (21, "Summe;;1902,75", "a line of totals, as it looks"),
        (23, "Stand: heute", "1 field, the header has 3"),
        (24, "Seite 1;von 1", "2 fields, the header has 3"),
    ]


def test_totals_of_a_sheet_above_notes_are_rejects(tmp_path: Path) -> None:
    """A row of one text below them is no row either."""
    rows: list[list[Any]] = [
        ["id", "a", "b"],
        *([n, n * 7, n / 4] for n in range(10)),
        ["Total", None, 11.25],
        [],
        [None, "as of May"],
    ]
    write_files(tmp_path, a_xlsx=workbook(*rows), b_xlsx=workbook(*rows[:-3], rows[-1]))

    table = make_table(tmp_path, files_source())

    assert (table.rows_table, table.types["id"], table.types["b"]) == (21, "int", "float")
    assert [(row["line"], row["reason"]) for row in read_rejects(tmp_path)] == [
        (12, "a line of totals, as it looks"),
        (14, "a text below a line of totals"),
    ]


def test_a_last_row_whose_column_is_declared_is_a_row(tmp_path: Path) -> None:
    """Any text is one of a column that is declared to be of texts."""
    write_files(tmp_path, a_csv=f"{SALES}Summe;;1902,75\n")

    table = make_table(tmp_path, files_source(columns={"Datum": "string"}))

    assert (table.rows_table, table.findings.warnings) == (20, ())


@pytest.mark.parametrize("last", ["unknown,7,2.5", ",7,2.5", "20,7,", "20,,2.5", "x,y,", "20,7,2.5"])
def test_a_last_row_that_lacks_something_is_a_row(tmp_path: Path, last: str) -> None:
    """Only a text, a blank and a number together, each where no row has the like, make a line of totals."""
    rows = "".join(f"{number},{number * 7},{number / 4}\n" for number in range(10))
    write_files(tmp_path, a_csv=f"id,a,b\n{rows}{last}\n")

    assert make_table(tmp_path, files_source()).rows_table == 11


@pytest.mark.parametrize("rows", ["Kiel,1", "Kiel,1\nKöln,2", "Kiel,1\nKöln,2\nBonn,3\nUlm,4"])
def test_what_may_be_totals_stays_and_is_told(tmp_path: Path, rows: str) -> None:
    """Where nothing but the word tells, or few rows do, the row is in the table."""
    write_files(tmp_path, a_csv=f"city,n\n{rows}\nTotal,10\n")

    table = make_table(tmp_path, files_source())

    assert table.rows_table == len(rows.splitlines()) + 1
    (warning,) = table.findings.warnings
    assert "1 file ends with a line that may be totals and is in the table, e.g. 'Total,10' in inbox/a.csv" in warning


def test_totals_of_a_sheet_and_of_many_files_are_rejects(tmp_path: Path) -> None:
    """As those of one file."""
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in [["id", "a", "b"], *([n, n * 7, n / 4] for n in range(10)), ["Total", None, 11.25]]:
        book.active.append(row)
    (tmp_path / "inbox").mkdir()
    book.save(tmp_path / "inbox" / "a.xlsx")
    rows = "".join(f"{number},{number * 7},{number / 4}\n" for number in range(10))
    write_files(tmp_path, **{f"b{n:03}_csv": f"id,a,b\n{rows}{'Total,,11.25' * (n == 77)}\n" for n in range(110)})

    table = make_table(tmp_path, files_source())

    assert (table.rows_table, table.rows_rejected) == (111 * 10, 2)
    assert dict(table.types) == {"id": "int", "a": "int", "b": "float"}


def test_how_files_were_read_is_shown(tmp_path: Path) -> None:
    """Files that were read alike stand together, with the first of them; what makes a type is told by its file."""
    write_files(
        tmp_path,
        a_csv="id,v\n1,2\n",
        b_csv="id,v\n2,3\n",
        c_csv="Köln;;\nid;v;w\n3;2,5;'x'\n4;3,5;'y'\n".encode("cp1252"),
        d_tsv="id\tv\n5\tNaN\n6\tx\n",
        e_csv='id,v\n7,"say \\"8\\" ok"\n',
    )

    table = make_table(tmp_path, files_source())
    page = write_page(
        "rows", profile_table([], {}, 0), RunCounts(0, 0, 0, 0, 0, 0, 0.0, guesses=table.findings.guesses)
    )

    read = {each["file"]: each for each in told(table)}
    assert read["inbox/a.csv"] == {
        "file": "inbox/a.csv",
        "files": 2,
        "format": "csv",
        "encoding": "utf-8",
        "delimiter": ",",
        "quote": '"',
        "escape": "",
        "decimal": ".",
        "header": True,
        "skipped": 0,
        "has_units": False,
        "footer": 0,
    }
    c, d = read["inbox/c.csv"], read["inbox/d.tsv"]
    assert [c[key] for key in ("encoding", "delimiter", "quote", "decimal", "skipped")] == ["cp1252", ";", "'", ",", 1]
    assert (d["format"], d["delimiter"]) == ("tsv", "\t")
    assert read["inbox/e.csv"]["escape"] == "\\"
    data = table.findings.guesses.as_data()
    assert "NaN" in data["nulls"]
    assert data["types"] == [
        {"column": "v", "type": "string", "file": "inbox/d.tsv", "other": "int", "other_file": "inbox/a.csv"}
    ]
    assert "## Guesses" in page
    assert "| inbox/c.csv | csv | yes | `;` | `'` |  | cp1252 | `,` | 1 |" in page
    assert "| v | string | inbox/d.tsv | int | inbox/a.csv |" in page


def test_what_was_guessed_is_told_by_a_run_with_nothing_new(tmp_path: Path) -> None:
    """It is kept with the table, and so are its warnings."""
    write_files(tmp_path, a_csv=f"Sales\n\n{SALES}")
    first = make_table(tmp_path, files_source())

    second = make_table(tmp_path, files_source())

    assert second.files_read == 0
    assert second.findings.guesses == first.findings.guesses
    assert second.findings.warnings == first.findings.warnings != ()


def test_only_so_many_ways_of_reading_are_shown(tmp_path: Path) -> None:
    """A source of files that have nothing in common has no long page."""
    write_files(tmp_path, **{f"a{n:02}_csv": "x\n" * n + "id,name,n\n" + "1,y,2\n" * 60 for n in range(2 * SHOWN)})

    assert len(told(make_table(tmp_path, files_source()))) == SHOWN


def test_what_is_landed_was_not_guessed(tmp_path: Path) -> None:
    """Raw files are in a form of our own."""
    source = api_source()
    land(tmp_path, source, "all", '{"id": 1}')

    assert told(make_table(tmp_path, source)) == []


def test_numbers_and_dates_that_are_texts_are_told_with_what_to_declare(tmp_path: Path) -> None:
    """Separators of thousands are a warning; what is declared ends it, and gives numbers."""
    rows = "".join(f"{day:02}.01.2024;{day}.234,50;{'987' if day % 2 else '1.987'};x\n" for day in range(1, 20))
    write_files(tmp_path, a_csv=f"Datum;Umsatz;Kunden;t\n{rows}")

    table = make_table(tmp_path, files_source())

    assert table.findings.warnings == (
        "Umsatz: texts, although all values are numbers, as '10.234,50', '1.234,50'; declare columns: "
        '{Umsatz: {type: float, thousands: ".", decimal: ","}}, or type: string if they are texts',
        "Kunden: texts, although all values are numbers, as '1.987'; declare columns: "
        '{Kunden: {type: int, thousands: ".", decimal: ","}}, or type: string if they are texts',
    )
    hints = table.findings.guesses.as_data()["hints"]
    assert [(each["column"], each["example"]) for each in hints] == [
        ("Datum", "01.01.2024"),
        ("Umsatz", "10.234,50"),
        ("Kunden", "1.987"),
    ]
    number = {"type": "float", "thousands": ".", "decimal": ","}
    day = {"type": "date", "format": "%d.%m.%Y"}
    declared = make_table(tmp_path, files_source(columns={"Umsatz": number, "Kunden": number, "Datum": day}))
    assert dict(declared.types) == {"Datum": "date", "Umsatz": "float", "Kunden": "float", "t": "string"}
    assert read_rows(tmp_path)[0]["Umsatz"] == 1234.5
    assert declared.findings.warnings == ()
    assert declared.findings.guesses.hints == ()


@pytest.mark.parametrize(
    ("dates", "format_of"),
    [
        (["01/31/2024", "02/01/2024"], "%m/%d/%Y"),
        (["31/01/2024", "01/02/2024"], "%d/%m/%Y"),
        (["1/2/2024", "2/2/2024"], None),
    ],
)
def test_the_order_of_day_and_month_is_hinted_where_it_is_certain(
    tmp_path: Path, dates: list[str], format_of: str | None
) -> None:
    """Only a day above 12 tells."""
    write_files(tmp_path, a_csv="day,n\n" + "".join(f"{day},1\n" for day in [*dates, dates[0]]))

    hints = make_table(tmp_path, files_source()).findings.guesses.hints

    assert [hint.declare for hint in hints] == ([f'type: date, format: "{format_of}"'] if format_of else [])


def test_files_without_a_common_column_are_told(tmp_path: Path) -> None:
    """Nothing tells texts above texts from a header, but that no two files have it."""
    write_files(tmp_path, a_csv="dev1,berlin,on\ndev2,paris,off\n", b_csv="dev9,rome,idle\ndev8,oslo,off\n")

    table = make_table(tmp_path, files_source())

    (warning,) = table.findings.warnings
    assert warning.startswith("inbox/a.csv and inbox/b.csv have no column in common; if their first records are rows, ")
    assert make_table(tmp_path, files_source(read={"header": False})).rows_received == 4


def test_files_that_may_have_other_decimals_are_refused(tmp_path: Path) -> None:
    """A file of 1.234 alone, beside one with decimal commas, may hold numbers a thousand times as great."""
    write_files(tmp_path, a_csv="id;n;x\n1;987;2,5\n2;9;3,5\n", b_csv="id;n;x\n1;1.234;2\n2;7;3\n")

    with pytest.raises(TableError) as caught:
        make_table(tmp_path, files_source())

    assert str(caught.value) == (
        "inbox/b.csv has '1.234', which may be a whole number or one with decimals, and inbox/a.csv has decimal commas; "
        "declare read.decimal"
    )
    assert make_table(tmp_path, files_source(read={"decimal": ","})).rows_table == 4
    write_files(tmp_path, a_csv="id;n;x\n1;987;2.5\n2;9;3.5\n")
    assert make_table(tmp_path, files_source()).types["n"] == "float"


def test_texts_above_totals_are_texts_still(tmp_path: Path) -> None:
    """Cells that say text mean text, and numbers whose column the totals name are numbers."""
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    for row in [["version", "n", "m"], *([f"1.{n}0", n, n] for n in range(1, 9)), ["Total", None, 36]]:
        book.active.append(row)
    book.save(buffer)
    write_files(tmp_path, a_xlsx=buffer.getvalue())

    table = make_table(tmp_path, files_source())

    assert (table.rows_table, table.rows_rejected, table.types) == (8, 1, {"version": "string", "n": "int", "m": "int"})
    assert read_rows(tmp_path)[0] == {"version": "1.10", "n": 1, "m": 1}
