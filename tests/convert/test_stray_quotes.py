"""Quotes that are not closed where their field ends: no row is swallowed."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tasks.convert.staging import file as staging
from tests.convert.conftest import NO_LIMIT, files_source, make_table, parts_of, read_rejects, read_rows, write_files


def lines(count: int = 1_000, **odd: str) -> list[str]:
    """Return so many records, and others in the place of some."""
    rows = [f"{number},name {number},{number / 4}" for number in range(count)]
    for place, text in odd.items():
        rows[int(place[1:])] = text
    return rows


@pytest.mark.parametrize(
    ("opens", "closes"),
    [
        ('100,"5 inch,2.5', '900,8",2.5'),
        ('100,"5 inch,2.5', '900,"8 inch,2.5'),
        ('"100,5 inch,2.5', '900",8 inch,2.5'),
        ('100,5 inch,"2.5', '900,x,2.5"'),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_two_stray_quotes_swallow_no_row(tmp_path: Path, opens: str, closes: str, end: str) -> None:
    """The lines between them are rows by themselves; those with the quotes are kept or rejected, and all are counted."""
    rows = ["id,name,n", *lines(p100=opens, p900=closes)]
    write_files(tmp_path, a_csv=end.join(rows) + end)

    table = make_table(tmp_path, files_source())

    assert table.rows_received == 1_000
    assert table.rows_table >= 998
    rejects = [row["raw"] for row in read_rejects(tmp_path)] if table.rows_rejected else []
    assert set(rejects) <= {opens, closes}
    assert {str(row["id"]) for row in read_rows(tmp_path)} >= set(map(str, range(1_000))) - {"100", "900"}


def test_one_stray_quote_among_quoted_fields_costs_one_line(tmp_path: Path) -> None:
    """The next field's quote does not close it."""
    rows = [f'{number},"name, {number}",{number / 4}' for number in range(100)]
    rows[50] = '50,"name, 50,12.5'
    write_files(tmp_path, a_csv="id,name,n\n" + "\n".join(rows) + "\n")

    table = make_table(tmp_path, files_source())

    assert (table.rows_received, table.rows_table) == (100, 99)
    assert [row["raw"] for row in read_rejects(tmp_path)] == [rows[50]]


def test_a_stray_quote_in_a_long_file_costs_one_line(tmp_path: Path) -> None:
    """Its block does not grow until the next quote."""
    rows = lines(400_000, p10='10,"5 inch,2.5', p399000='399000,8",2.5')
    write_files(tmp_path, a_csv="id,name,n\n" + "\n".join(rows) + "\n")

    table = make_table(tmp_path, files_source())

    assert table.rows_received == 400_000
    assert table.rows_table >= 399_998


@pytest.mark.parametrize("note", ['"two\nlines"', '"\ntwo lines"'])
def test_a_record_on_a_border_below_a_stray_quote_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, note: str
) -> None:
    """The quote that opens it closes no other: no block ends within it."""
    rows = lines(p20='20,"5 inch,2.5', p100=f"100,{note},2.5")
    text = "\n".join(["id,name,n", *rows, ""])
    monkeypatch.setattr(staging, "BLOCK_BYTES", text.index("\n", text.index(note)) + 2)
    write_files(tmp_path, a_csv=text)

    table = make_table(tmp_path, files_source())

    assert (table.rows_received, table.rows_table) == (1_000, 999)
    assert [row["raw"] for row in read_rejects(tmp_path)] == [rows[20]]
    assert next(row["name"] for row in read_rows(tmp_path) if str(row["id"]) == "100") == note.strip('"')


def test_a_field_of_many_lines_like_records_is_one_wherever_a_block_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below a stray quote too, and where the line in which it begins has the delimiters of a record: it is waited for."""
    log = "what was done:\n" + "1,ok,2\n" * 20 + "end"
    text = "\n".join(["id,name,note", *lines(p20='20,"5 inch,2.5', p100=f'100,x,"{log}"'), ""])
    monkeypatch.setattr(staging, "BLOCK_BYTES", text.index("1,ok,2") + 70)
    write_files(tmp_path, a_csv=text)

    table = make_table(tmp_path, files_source())

    assert (table.rows_received, table.rows_table) == (1_000, 999)
    assert next(row["note"] for row in read_rows(tmp_path) if row["id"] == 100) == log


def test_a_block_ends_below_a_stray_quote_that_another_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fields of several lines below it are records, though their lines are none: the block does not grow for them."""
    rows = [f'{number},{number / 4},"two\nlines"' for number in range(1_000)]
    rows[100] = '100,"25,plain'
    monkeypatch.setattr(staging, "BLOCK_BYTES", 4096)
    write_files(tmp_path, a_csv="\n".join(["id,n,note", *rows, ""]))

    table = make_table(tmp_path, files_source())

    assert (table.rows_received, table.rows_table) == (1_000, 999)
    assert [row["raw"] for row in read_rejects(tmp_path)] == [rows[100]]
    assert len(parts_of(tmp_path)) > 4


def test_long_texts_with_line_ends_are_texts(tmp_path: Path) -> None:
    """Prose, lists and code within quotes are no records, also where lines have as many commas as records."""
    prose = "Dear all,\nit rained, again.\nWe met, at last,\nand spoke, long,\nof things.\nYours, truly,\nme\n" * 3
    poem = "one, of them\ntwo, of them\nthree, of them\nfour, of them\nfive, of them\nsix, of them\nseven, of them"
    rows = [[str(number), text] for number, text in enumerate([prose, poem, "x\n" * 50, "1\n2\n3\n4\n5\n6\n7"] * 20)]
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([["id", "text"], *rows])
    write_files(tmp_path, a_csv=buffer.getvalue())

    table = make_table(tmp_path, files_source())

    assert (table.rows_received, table.rows_rejected) == (80, 0)
    assert [row["text"] for row in read_rows(tmp_path)] == [row[1] for row in rows]


def test_a_column_of_lists_is_not_doubted(tmp_path: Path) -> None:
    """In a file of one column any line is like a record: only what follows a closing quote tells."""
    write_files(tmp_path, a_csv='text\n"a\nb\nc\nd\ne\nf\ng\nh"\nx\n')

    assert make_table(tmp_path, files_source()).rows_table == 2


@pytest.mark.parametrize(
    ("group", "rows", "rejects"),
    [
        ('"a\nb",1,2,3', 0, 1),
        ('"a\nb",1,2', 1, 0),
        ('"a\n1,b,2\nb",1,2,3', 1, 2),
        ('"1,a,2\n3,b,4\n\n5,c,6\n"7,d,8', 2, 2),
        ('"1,a,2\n3,b,4\n"5,c,6', 1, 2),
        ('1,"a" b,"2\n3,c,4', 1, 1),
    ],
)
@pytest.mark.parametrize("times", [2, 150])
def test_what_is_a_row_is_so_beside_any_number_of_odd_quotes(
    tmp_path: Path, group: str, rows: int, rejects: int, times: int
) -> None:
    """A record of several lines that is no row is a reject as a whole, unless a line of it is a record by itself: that one is a row."""
    write_files(tmp_path, a_csv="\n".join(["x,y,z", *[group, "9,z,9", "9,z,9"] * times, ""]))

    table = make_table(tmp_path, files_source(table=NO_LIMIT))

    assert (table.rows_table, table.rows_rejected) == ((rows + 2) * times, rejects * times)


@pytest.mark.parametrize("size", [64, 1000, 1 << 20])
def test_what_is_a_row_is_so_in_blocks_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Of the records that end in a block as many quotes are odd as it holds: these are told as in one of all."""
    groups = ['"1,a,2\n3,b,4\n\n5,c,6\n"7,d,8', '"a\nb",1,2,3', '"a\n1,b,2\nb",1,2,3', '9,"y\nz",9', "9,z,9"]
    monkeypatch.setattr(staging, "BLOCK_BYTES", size)
    write_files(tmp_path, a_csv="\n".join(["x,y,z", *groups * 30, ""]))

    table = make_table(tmp_path, files_source(table=NO_LIMIT))

    assert (table.rows_table, table.rows_rejected) == (30 * 5, 30 * 5)


def test_blank_lines_beside_a_broken_one_alone_are_rows_where_they_are_kept(tmp_path: Path) -> None:
    """No record is whole in such a file: each of the blank lines is none that is part of one."""
    write_files(tmp_path, a_csv='x,y\n"1,a\n\n\n')

    table = make_table(tmp_path, files_source(table=NO_LIMIT, read={"skip_blank": False}))

    assert (table.rows_table, table.rows_rejected) == (2, 1)
