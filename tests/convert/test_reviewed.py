"""Tables that were once made wrongly: widened among many, cut within quotes, or with digits changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.convert.staging import file as conversion
from tasks.convert.staging.bundle import MANY_FILES
from tests.convert.conftest import NO_LIMIT, files_source, make_table, read_rejects, read_rows, write_files


def write_many(root: Path, text: str, count: int = MANY_FILES, suffix: str = "csv") -> None:
    """Write so many small files; `{n}` in their text is their number."""
    (root / "inbox").mkdir(exist_ok=True)
    for number in range(count):
        (root / "inbox" / f"f{number:03}.{suffix}").write_text(text.replace("{n}", str(number)))


def test_a_type_widened_by_a_later_file_is_wide_for_a_shared_part(tmp_path: Path) -> None:
    """The files of the part are read anew, each once."""
    write_many(tmp_path, "id,v\n{n},1.50\n")
    make_table(tmp_path, files_source())

    (tmp_path / "inbox" / "f005.csv").write_text("id,v\nabc,2\n")
    table = make_table(tmp_path, files_source())

    assert (table.types, table.rows_table) == ({"id": "string", "v": "float"}, MANY_FILES)
    assert sorted(row["id"] for row in read_rows(tmp_path)) == sorted([*(str(n) for n in range(100) if n != 5), "abc"])


def test_two_formats_of_many_files_make_one_table(tmp_path: Path) -> None:
    """Where one of two shared parts widens the other, both are of the same types."""
    write_many(tmp_path, "id\n{n}\n", 60)
    write_many(tmp_path, "id\nx{n}\n", 60, "tsv")

    assert make_table(tmp_path, files_source()).rows_table == 120


def test_files_that_are_gone_do_not_keep_the_others_from_being_read_anew(tmp_path: Path) -> None:
    """1.50 stays 1.50 where it can be read again; of a file that is gone it is what the table had."""
    write_many(tmp_path, "id,v\n{n},1.50\n", 130)
    make_table(tmp_path, files_source())
    (tmp_path / "inbox" / "f000.csv").unlink()
    (tmp_path / "inbox" / "z.csv").write_text("id,v\n1,abc\n")

    table = make_table(tmp_path, files_source())

    assert table.rows_table == 131
    assert sorted({row["v"] for row in read_rows(tmp_path)}) == ["1.5", "1.50", "abc"]
    assert [row["id"] for row in read_rows(tmp_path) if row["v"] == "1.5"] == [0]


def test_rows_of_many_files_are_sorted_file_by_file(tmp_path: Path) -> None:
    """A file's rows are its own, also where parts are sorted: when it changes, they alone go."""
    for number in range(MANY_FILES):
        write_files(tmp_path, **{f"f{number:03}_csv": f"id,v\n{(number * 37) % 100},{number}\n{number},{number}\n"})
    source = files_source(table={"sort_by": ["id"]})
    make_table(tmp_path, source)

    write_files(tmp_path, f005_csv="id,v\n5000,-1\n")
    make_table(tmp_path, source)

    assert sorted(row["v"] for row in read_rows(tmp_path)) == sorted(
        [n for n in range(100) for _ in "ab" if n != 5] + [-1]
    )


@pytest.mark.parametrize("block_bytes", [64, 2**20])
def test_a_stray_quote_hides_no_open_one(tmp_path: Path, block_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotes are counted only where they open a field; a field of several lines is whole wherever blocks end."""
    monkeypatch.setattr(conversion, "BLOCK_BYTES", block_bytes)
    long = "multi\nline one two three four\nfive six seven eight nine ten eleven"
    write_files(tmp_path, a_csv=f'id,v\n1,5" pipe\n2,"{long}"\n3,x\n', b_csv='id,v\n4,5" pipe\n5,"never closed\n6,x\n')

    make_table(tmp_path, files_source())

    assert {row["id"]: row["v"] for row in read_rows(tmp_path)} == {1: '5" pipe', 2: long, 3: "x", 4: '5" pipe', 6: "x"}
    assert [(row["file"], row["line"], row["reason"]) for row in read_rejects(tmp_path)] == [
        ("inbox/b.csv", 3, "a quote is not closed")
    ]


@pytest.mark.parametrize(
    ("name", "text", "last"),
    [
        ("a.csv", "x\n1.5\n9007199254740993\n", "9007199254740993"),
        ("a.jsonl", '{"x":1.5}\n{"x":9007199254740993}\n', "9007199254740993"),
        ("a.csv", "x,y\n" + "".join(f"{n},a\n" for n in range(9000)) + " 007,b\n", " 007"),
        ("a.csv", "x,y\n" + "".join(f"{n}.5,a\n" for n in range(9000)) + "+5,b\n", "+5"),
        ("a.csv", "x\n0.5\n1e400\n", "1e400"),
        ("a.csv", "x\n0.5\n-inf\n", float("-inf")),
    ],
)
def test_no_digit_is_changed(tmp_path: Path, name: str, text: str, last: Any) -> None:
    """What a number would not give back as it was written is a text, wherever in a file it stands."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / name).write_text(text)

    make_table(tmp_path, files_source())

    assert read_rows(tmp_path)[-1]["x"] == last


def test_points_are_no_decimals_where_commas_are(tmp_path: Path) -> None:
    """1.234 is a text, or where a number is declared a reject; nulls do not make texts of numbers."""
    write_files(tmp_path, a_csv="a;b;c\n1.234;1,5;2,5\n2.500;NA;1.234\n")

    make_table(tmp_path, files_source(read={"decimal": ","}, columns={"c": "float"}))

    assert read_rows(tmp_path) == [{"a": "1.234", "b": 1.5, "c": 2.5}]
    assert [(row["column"], row["reason"]) for row in read_rejects(tmp_path)] == [("c", "'1.234' is not a float")]


def test_a_required_value_is_required_of_every_format(tmp_path: Path) -> None:
    """A record without the key is a reject, as an empty field is."""
    write_files(tmp_path, a_jsonl='{"id":1,"x":2}\n', b_jsonl='{"x":2}\n{"x":3}\n')

    table = make_table(tmp_path, files_source(columns={"id": {"type": "int", "required": True}}, table=NO_LIMIT))

    assert (table.rows_table, table.reasons) == (1, {"is empty, but required": 2})


def test_types_of_parquet_are_renamed_too(tmp_path: Path) -> None:
    """What is declared of a column holds under its new name."""
    (tmp_path / "inbox").mkdir()
    pq.write_table(pa.table({"Id": ["007", "x"]}), tmp_path / "inbox" / "a.parquet")

    make_table(tmp_path, files_source(columns={"Id": {"rename": "key", "type": "int"}}))

    assert read_rows(tmp_path) == [{"key": 7}]


def test_rows_without_a_value_for_their_folder_are_no_duplicates(tmp_path: Path) -> None:
    """A null identifies nothing, also where rows lie by it."""
    write_files(tmp_path, a_csv="id,c,v\n1,,x\n1,,y\n1,DE,z\n")

    table = make_table(tmp_path, files_source(key=["id", "c"], table={"partition_by": ["c"]}))

    assert (table.rows_table, table.rows_duplicate) == (3, 0)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_reject_tells_its_place_after_one_that_is_undecodable(tmp_path: Path, end: str) -> None:
    """Its line and its first byte are those of the file, whatever was taken out before it."""
    data = end.join(["n,t", "1,é", "2,ü", "3,\udcffabcdef", "4,z", "x,u", "5,v", "6,w", ""]).encode(
        errors="surrogateescape"
    )
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.csv").write_bytes(data)

    make_table(tmp_path, files_source(read={"encoding": "utf-8"}, columns={"n": "int"}))

    expected = [(data[: data.index(raw)].count(end.encode()) + 1, data.index(raw)) for raw in (b"3,\xff", b"x,u")]
    assert [(row["line"], row["byte_offset"]) for row in read_rejects(tmp_path)] == expected
