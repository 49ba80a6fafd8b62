"""Files that could be read as other values than they hold: mended, rejected, or told; never silently wrong."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.convert.conftest import files_source, make_table, read_rejects, read_rows, write_files

ROWS = b"".join(b"%d,%d\n" % (number, number * number) for number in range(20_000))
RECORDS = b"".join(b'{"id": %d, "square": %d}\n' % (number, number * number) for number in range(20_000))


def convert(root: Path, name: str, content: bytes, **settings: Any) -> tuple[str, ...]:
    """Return the warnings of the table of one file."""
    (root / "inbox").mkdir()
    (root / "inbox" / name).write_bytes(content)
    return make_table(root, files_source(**settings)).findings.warnings


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", gzip.compress(b"id,square\n" + ROWS, mtime=0)),
        ("a.csv.bz2", bz2.compress(b"id,square\n" + ROWS, 1)),
        ("a.jsonl.gz", gzip.compress(RECORDS, mtime=0)),
    ],
)
def test_a_compressed_file_that_is_cut_off_is_told(name: str, content: bytes, tmp_path: Path) -> None:
    """Its one reject is below any share of rejects, and still the file and the cure are named."""
    told = convert(tmp_path, name, content[: len(content) * 2 // 3], table={"warn_rejects": None})

    assert len(read_rows(tmp_path)) > 1000
    (warning,) = told
    assert warning.startswith(f"inbox/{name}: its .{name.rsplit('.', maxsplit=1)[1]} compression is damaged or cut off")
    assert warning.endswith("fetch the file again")


def test_a_whole_compressed_file_is_not_told(tmp_path: Path) -> None:
    """Nothing is said where nothing is lost."""
    assert convert(tmp_path, "a.csv.gz", gzip.compress(b"id,square\n" + ROWS)) == ()


def test_json_lines_cut_off_in_the_last_record_are_told(tmp_path: Path) -> None:
    """One reject of many rows is not all that is lost."""
    told = convert(tmp_path, "a.jsonl", RECORDS[:-9])

    assert told == (
        "inbox/a.jsonl: is cut off within its last line, and what follows is in no row; fetch the file again",
    )
    assert len(read_rejects(tmp_path)) == 1


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_json_lines_with_a_whole_last_record_are_not_told(end: bytes, tmp_path: Path) -> None:
    """The line end of the last one may be missing."""
    assert convert(tmp_path, "a.jsonl", RECORDS.rstrip() + end) == ()


@pytest.mark.parametrize("kind", ["float", "int"])
def test_a_group_of_thousands_never_begins_with_zero(kind: str, tmp_path: Path) -> None:
    """0,125 is no 125: it is a reject, and the values that are well written stay."""
    write_files(tmp_path, a_csv='id,v\n1,"1,250"\n2,"0,125"\n3,0\n4,"-12,000"\n5,"00,125"\n')
    columns = {"v": {"type": kind, "thousands": ","}}

    make_table(tmp_path, files_source(columns=columns, table={"max_rejects": None}))

    assert [(row["id"], row["v"]) for row in read_rows(tmp_path)] == [(1, 1250), (3, 0), (4, -12000)]
    assert [reject["line"] for reject in read_rejects(tmp_path)] == [3, 6]


def test_a_value_that_begins_with_zero_is_not_taken_for_thousands(tmp_path: Path) -> None:
    """What would make 125 of 0,125 is not proposed."""
    write_files(tmp_path, a_csv='id,v\n1,"1,250"\n2,"0,125"\n3,"2,500"\n')

    assert not any("thousands" in warning for warning in make_table(tmp_path, files_source()).findings.warnings)


def test_the_last_day_of_sparks_times_stays_what_it_is(tmp_path: Path) -> None:
    """Times of INT96 beyond 2262, which nanoseconds do not reach, are times."""
    times = [dt.datetime(2024, 5, 1, 12, 30, 0, 123456), dt.datetime(9999, 12, 31)]  # noqa: DTZ001 - INT96 has no zone
    buffer = io.BytesIO()
    table = pa.table({"until": pa.array(times, pa.timestamp("us"))})
    pq.write_table(table, buffer, use_deprecated_int96_timestamps=True)

    convert(tmp_path, "a.parquet", buffer.getvalue())

    assert [row["until"] for row in read_rows(tmp_path)] == times


@pytest.mark.parametrize(("name", "read", "delimiter"), [("a.tsv", {}, "'\\t'"), ("a.csv", {"delimiter": ";"}, "';'")])
def test_a_table_that_another_delimiter_divides_is_told(
    name: str, read: dict[str, Any], delimiter: str, tmp_path: Path
) -> None:
    """Its lines are texts, and no numbers with decimal commas."""
    told = convert(tmp_path, name, b"id,v\n1,2\n3,15\n", read=read)

    assert read_rows(tmp_path) == [{"id,v": "1,2"}, {"id,v": "3,15"}]
    assert told == (
        f"inbox/{name}: is read as one column, since its delimiter is {delimiter}, e.g. 'id,v'; "
        "correct or declare read.delimiter",
    )


def test_many_small_files_that_another_delimiter_divides_are_told_once(tmp_path: Path) -> None:
    """Also where many are converted together."""
    write_files(tmp_path, **{f"f{number}_csv": "id,v\n1,2\n3,15\n" for number in range(120)})

    told = make_table(tmp_path, files_source(read={"delimiter": ";", "decimal": "."})).findings.warnings

    assert len(told) == 1
    assert told[0].endswith("(and so in 119 more)")


def test_one_column_of_decimal_commas_stays_one_of_numbers(tmp_path: Path) -> None:
    """Its header shows that nothing is to be divided."""
    told = convert(tmp_path, "a.csv", b"price\n0,50\n12,90\n", read={"delimiter": ";"})

    assert ([row["price"] for row in read_rows(tmp_path)], told) == ([0.5, 12.9], ())


def test_decimal_commas_that_could_be_lists_are_told(tmp_path: Path) -> None:
    """A list of two numbers looks like a decimal; what is declared ends the doubt."""
    content = b"id;tags\n1;1,2\n2;3,15\n3;4,7\n"

    told = convert(tmp_path, "a.csv", content)

    assert told == (
        "inbox/a.csv: has values read as numbers with decimal commas that could be lists, e.g. '1,2'; "
        'declare read.decimal: "," or "."',
    )
    source = files_source(read={"decimal": "."})
    assert make_table(tmp_path, source, fresh=True).findings.warnings == ()
    assert [row["tags"] for row in read_rows(tmp_path)] == ["1,2", "3,15", "4,7"]


@pytest.mark.parametrize("values", [("12,99", "49,90"), ("1,2", "0,15"), ("1,5", "-3,25")])
def test_decimal_commas_that_are_no_lists_are_not_told(values: tuple[str, str], tmp_path: Path) -> None:
    """As many digits each, a zero before the comma or a sign are those of numbers."""
    assert convert(tmp_path, "a.csv", "\n".join(["id;v", f"1;{values[0]}", f"2;{values[1]}", "3;", ""]).encode()) == ()


def workbook(**sheets: list[list[Any]]) -> openpyxl.Workbook:
    """Return a workbook of these sheets."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    return book


def saved(book: openpyxl.Workbook) -> bytes:
    """Return a workbook as its file."""
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_sheets_that_are_not_read_are_told(tmp_path: Path) -> None:
    """Those that are visible and hold rows, until it is declared which is wanted."""
    book = workbook(Jan=[["n"], [1]], Feb=[["n"], [2]], Mar=[[], ["n"], [3]], Empty=[], Lists=[["n"], [4]])
    book["Lists"].sheet_state = "hidden"

    told = convert(tmp_path, "a.xlsx", saved(book))

    assert told == (
        "inbox/a.xlsx: only its sheet Jan is read, and others hold rows too, e.g. Feb, Mar; declare read.sheet, and a "
        "source for each sheet whose rows are wanted",
    )
    assert make_table(tmp_path, files_source(read={"sheet": "Jan"}), fresh=True).findings.warnings == ()


def test_a_hidden_first_sheet_is_not_read(tmp_path: Path) -> None:
    """The first that a reader of the workbook sees is; a hidden one is where it is declared."""
    book = workbook(Lists=[["code"], ["x"]], Data=[["n"], [1]])
    book["Lists"].sheet_state = "hidden"
    book.active = 1

    assert convert(tmp_path, "a.xlsx", saved(book)) == ()
    assert read_rows(tmp_path) == [{"n": 1}]
    make_table(tmp_path, files_source(read={"sheet": "Lists"}), fresh=True)
    assert read_rows(tmp_path) == [{"code": "x"}]


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1250", ["Łódź", "Kraków", "Gdańsk", "Poznań"]),
        ("cp1253", ["Αθήνα", "Πάτρα", "Ρόδος"]),
        ("cp1254", ["İstanbul", "Eskişehir", "Muğla"]),
        ("cp1252", ["Málaga", "A Coruña", "Besançon"]),
    ],
)
def test_an_encoding_that_is_not_certain_is_told_once(encoding: str, names: list[str], tmp_path: Path) -> None:
    """The text that is shown lets its reader judge, and what is declared is taken."""
    content = "id,city\n" + "".join(f"{number},{name}\n" for number, name in enumerate(names))
    write_files(tmp_path, a_csv=content.encode(encoding), b_csv=content.encode(encoding))

    (told,) = make_table(tmp_path, files_source()).findings.warnings

    assert told.startswith("inbox/a.csv: is no UTF-8, and read as ")
    assert told.endswith("declare read.encoding (and so in 1 more)")
    source = files_source(read={"encoding": encoding})
    assert make_table(tmp_path, source, fresh=True).findings.warnings == ()
    assert sorted({row["city"] for row in read_rows(tmp_path)}) == sorted(names)


def test_german_is_certain(tmp_path: Path) -> None:
    """Its letters are the same in the encodings of all neighbours."""
    assert convert(tmp_path, "a.csv", "id,city\n1,Köln\n2,Gießen\n3,München\n".encode("cp1252")) == ()
