"""No kind of CSV has its records read one by one, be it as odd as it may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tasks.convert import tasks as convert_tasks
from tasks.convert.formats.csv import format as csv_format
from tasks.convert.formats.csv import parse, quotes, quoting, spans
from tasks.convert.formats.csv.records import UNCLOSED
from tasks.convert.parts.rejects import write_rejects
from tasks.convert.schema import inference
from tasks.convert.staging import block
from tasks.convert.staging import file as staging
from tests.convert.conftest import NO_LIMIT, files_source, make_table, read_rejects, read_rows
from tests.convert.slow_paths import ROWS, Flights, count_calls, inbox, made, with_odd_line


def csv_of(flights: Flights, kind: str) -> str:
    """Return flights as CSV: plain, quoted, with line ends within quotes, with stray quotes too, or of a thousand columns."""
    if kind == "wide":
        copies = range(1000 // len(flights.lines[0].split(",")) + 1)
        header = ",".join(f"{name}{n}" for n in copies for name in flights.header.split(","))
        return "\n".join([header, *(",".join([line] * len(copies)) for line in flights.lines[:600])]) + "\n"
    if kind == "plain":
        return "\n".join([flights.header, *flights.lines]) + "\n"
    if kind == "stray":  # a quote that is a character, and line ends within quotes, in records of their own
        notes = [['5" pipe', '"the 5" pipe"', '"of two\nlines"'][n % 3] for n in range(len(flights.lines))]
        rows = [f"{line},{note}" for line, note in zip(flights.lines, notes, strict=True)]
        return "\n".join([f"{flights.header},note", *rows]) + "\n"
    end = "\n" if kind == "of two lines" else " "
    texts = [f'{line},"a{end}b, or ""{n}"""' for n, line in enumerate(flights.lines)]
    return "\n".join([f"{flights.header},note", *texts]) + "\n"


@pytest.mark.parametrize("kind", ["plain", "quoted", "of two lines", "wide"])
def test_no_block_of_csv_is_read_as_texts(tmp_path: Path, flights: Flights, slow: Counter[str], kind: str) -> None:
    """Plain, with quotes, doubled or around line ends, and with a thousand columns."""
    (inbox(tmp_path) / "a.csv").write_text(csv_of(flights, kind))

    made(tmp_path, files_source())

    assert not slow


@pytest.mark.parametrize(
    ("kind", "change", "read"),
    [
        ("plain", ("\n", "\r"), {}),
        ("plain", (",UA,", ',5" UA,'), {}),
        ("quoted", ("\n", "\r"), {}),
        ("plain", ("\n", "\n\n"), {}),
        ("plain", ("\n", "\r\n\r\n"), {}),
        ("plain", ("\n", "\n# it's \"\n"), {"comment": "#"}),
        ("quoted", ("\n", "\n# it's \"\n"), {"comment": "#"}),
        ("quoted", ('or ""', 'or \\"'), {"escape": "\\"}),
        ("of two lines", ('or ""', 'or \\"'), {"escape": "\\"}),
        ("quoted", ("b,", "\\\\\x01b,"), {"escape": "\\"}),
        ("plain", (",UA,", ",U\\, A,"), {"escape": "\\"}),
        ("of two lines", (",UA,", ",U\\, A,"), {"escape": "\\"}),
        ("quoted", ("b,", "b \\,"), {"escape": "\\"}),
        ("of two lines", ('"""\n', '"""\n# it\'s "\n'), {"comment": "#"}),
        ("plain", (",UA,", ',"U" A",'), {}),
        ("plain", (",UA,", ', "U, A" ,'), {}),
        ("stray", ("", ""), {}),
    ],
)
def test_no_block_of_csv_written_another_way_is_read_as_texts(
    tmp_path: Path, flights: Flights, slow: Counter[str], kind: str, change: tuple[str, str], read: dict[str, str]
) -> None:
    """Lines ended by carriage returns, blank ones or comments between them, and escaped quotes; each row has its line."""
    text = csv_of(flights, kind)
    (inbox(tmp_path) / "a.csv").write_text(text.replace(*change) if any(change) else text, newline="")

    table = made(tmp_path, files_source(read=read, table={"provenance": True}))

    assert table.rows_table == ROWS
    assert not slow


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("of two lines", ("", "")),
        ("stray", ("", "")),
        ("of two lines", (",UA,", ",U\\, A,")),
        ("of two lines", ('or ""', 'or \\"')),
        ("of two lines", ('"""\n', '"""\n# hm\n')),
    ],
)
def test_no_block_that_ends_within_quotes_is_read_by_python(
    tmp_path: Path,
    flights: Flights,
    slow: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    change: tuple[str, str],
) -> None:
    """Nor is one of which a quote is a character of a field, or with escapes or comments: where its last record ends is told without."""
    monkeypatch.setattr(staging, "BLOCK_BYTES", 16 * 1024)
    (inbox(tmp_path) / "a.csv").write_text(csv_of(flights, kind).replace(*change))

    marks = {"escape": "\\", "comment": "#"}
    made(tmp_path, files_source(read={name: mark for name, mark in marks.items() if mark in change[1]}))

    assert not slow


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("quoted", ("", "")),
        ("of two lines", ("", "")),
        ("quoted", (",UA,", ",U\\, A,")),
        ("quoted", ('or ""', 'or \\"')),
    ],
)
def test_no_quote_is_told_by_those_before_where_all_quote_fields(
    tmp_path: Path, flights: Flights, monkeypatch: pytest.MonkeyPatch, kind: str, change: tuple[str, str]
) -> None:
    """They open and close in turns: where none is a character, no turn is looked for."""
    monkeypatch.delattr(quotes, "_alternate")
    (inbox(tmp_path) / "a.csv").write_text(csv_of(flights, kind).replace(*change))

    assert made(tmp_path, files_source(read={"escape": "\\"} if any(change) else {})).rows_table == ROWS


@pytest.mark.parametrize(
    ("kind", "change"),
    [("of two lines", ("", "")), ("of two lines", ('or ""', 'or \\"')), ("of two lines", (",UA,", ",U\\, A,"))],
)
def test_no_quote_is_looked_for_twice_nor_among_all(
    tmp_path: Path, flights: Flights, monkeypatch: pytest.MonkeyPatch, kind: str, change: tuple[str, str]
) -> None:
    """A block that ends within quotes is told apart where it is cut, by counts of marks before a place; escapes are taken out of some records at a time."""
    counts: Counter[str] = Counter()
    sizes: list[int] = []
    searchsorted, mask = np.searchsorted, quoting.Quoting._mask

    def searched(among: Any, places: Any, *options: Any, **named: Any) -> Any:
        counts["searched"] += np.size(places)
        return searchsorted(among, places, *options, **named)

    def masked(self: quoting.Quoting, view: Any) -> Any:
        sizes.append(len(view))
        return mask(self, view)

    count_calls(monkeypatch, counts, csv_format, "cut_records")
    count_calls(monkeypatch, counts, spans, "find_quoted")
    monkeypatch.setattr(np, "searchsorted", searched)
    monkeypatch.setattr(quoting.Quoting, "_mask", masked)
    monkeypatch.setattr(quoting, "_PIECE_BYTES", 4 * 1024)
    monkeypatch.setattr(staging, "BLOCK_BYTES", 16 * 1024)
    (inbox(tmp_path) / "a.csv").write_text(csv_of(flights, kind).replace(*change))

    table = made(tmp_path, files_source(read={"escape": "\\"} if any(change) else {}))

    assert table.rows_table == ROWS
    assert counts["find_quoted"] <= counts["cut_records"] + 1  # the last block is not cut
    assert counts["searched"] < 2 * ROWS
    assert max(sizes, default=0) <= 4 * 1024


def test_no_record_of_two_lines_is_read_by_itself_for_its_line(
    tmp_path: Path, flights: Flights, slow: Counter[str]
) -> None:
    """The line that each row came from is told without Python's reader."""
    (inbox(tmp_path) / "a.csv").write_text(csv_of(flights, "of two lines"))

    made(tmp_path, files_source(table={"provenance": True}))

    assert [row["_line"] for row in read_rows(tmp_path)] == [2 + 2 * n for n in range(ROWS)]
    assert not slow


def test_no_column_is_inferred_for_padded_numbers_in_another_nor_for_one_of_plain_numbers(
    tmp_path: Path, flights: Flights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the columns with zeros and blanks before numbers are; of the first rows those of texts beside, also in a thousand columns."""
    counts: Counter[str] = Counter()
    count_calls(monkeypatch, counts, inference, "infer_type")
    texts = sum(not text.lstrip("-").isdigit() for text in flights.lines[0].split(","))
    rows = [f'{line},"{n:08d}"," {n}.5"' for n, line in enumerate(flights.lines)]
    (inbox(tmp_path) / "a.csv").write_text("\n".join([f"{flights.header},code,price", *rows, ""]))

    made(tmp_path, files_source())

    assert 0 < counts["infer_type"] <= 2 * texts + 6


@pytest.mark.parametrize(("code", "kind"), [("007", "string"), ("0x1f", "string"), (" 5", "int")])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("order", ["wxyz", "zwxy", "xyzw"])
def test_no_other_column_is_read_again_for_padded_numbers_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, kind: str, end: str, order: str
) -> None:
    """The delimiters before one tell its column, be it the first, the last or between."""
    read: list[list[str]] = []
    read_block = parse.read_block

    def counted(block: Any, types: Any, *options: Any) -> Any:
        read.append(list(types))
        return read_block(block, types, *options)

    monkeypatch.setattr(parse, "read_block", counted)
    rows = ({"w": code if n == 2 * ROWS else str(n), "x": "2.5", "y": f"1{n}", "z": "a"} for n in range(3 * ROWS))
    lines = [",".join(order), *(",".join(row[name] for name in order) for row in rows), ""]
    (inbox(tmp_path) / "a.csv").write_bytes(end.join(lines).encode())

    table = made(tmp_path, files_source())

    assert table.types == {"w": kind, "x": "float", "y": "int", "z": "string"}
    assert [names for names in read if len(names) < len(order)] == [["w"]]


@pytest.mark.parametrize("text", ["01.02.2013", "007", "+49 30 5", '"Smith, John"', '" 5"'])
def test_texts_that_begin_as_padded_numbers_are_texts(tmp_path: Path, slow: Counter[str], text: str) -> None:
    """In a column of texts nothing is in doubt of them."""
    rows = "".join(f"{n},n{n}\n{n},{text}\n" for n in range(ROWS))
    (inbox(tmp_path) / "a.csv").write_text(f"id,name\n{rows}")

    made(tmp_path, files_source())

    assert not slow


@pytest.mark.parametrize("kind", ["plain", "quoted", "of two lines"])
@pytest.mark.parametrize("odd", ["1,2", "007" + "," * 18, "x"])
def test_no_line_of_csv_has_python_read_the_others(
    tmp_path: Path, flights: Flights, slow: Counter[str], kind: str, odd: str
) -> None:
    """One of too few fields is a reject beside rows that are typed at once; with a padded number a column of texts beside others."""
    path = inbox(tmp_path) / "a.csv"
    path.write_text(csv_of(flights, kind))
    padded = odd.startswith("0")
    with_odd_line(path, f"{odd},x" if padded and kind != "plain" else odd)

    made(tmp_path, files_source(), rejected=not padded)

    assert not slow


@pytest.mark.parametrize(
    ("row", "odd"),
    [
        ('{line},"a\nb"', '{line},"a\nb"\n,,,,,,,,,,,,,,,,,,,'),  # without any value
        ('{line},"a\nb"\n', '{line},"a\nb",x\n'),  # a blank line below each
        ('{line},"a\nb"', '{line},"a\xff\nb"'),  # not in UTF-8
        ('{line},"a\nb"', '{line},"a\nb"\xff'),  # behind the closing quote
        ('{line},"a\nb"', '"{line}'),  # a quote that nothing closes
        ("{line},a", "{line},a,x\n,,,,,,,,,,,,,,,,,,,"),
        ("a,{line}\n", "texts,b\n\n{header}"),  # the header once more, below a blank line
    ],
)
def test_no_odd_record_has_python_read_the_others(
    tmp_path: Path, flights: Flights, slow: Counter[str], row: str, odd: str
) -> None:
    """Below blank lines, of two lines that are not UTF-8, with a quote that nothing closes, or where one has no value."""
    header = f"{flights.header},note" if row.startswith("{") else f"note,{flights.header}"
    rows = [(row if n % 100 else odd).format(line=line, header=header) for n, line in enumerate(flights.lines)]
    (inbox(tmp_path) / "a.csv").write_bytes("\n".join([header, *rows, ""]).encode("latin-1"))

    table = make_table(tmp_path, files_source(table=NO_LIMIT, read={"encoding": "utf-8"}))

    assert table.rows_table > ROWS // 4
    assert slow.keys() <= {"a block of CSV as texts"}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(("note", "above"), [("", ""), ("", "\n\n"), (',"a b"', "\n"), (',"a\nb"', "")])
def test_no_header_that_comes_again_has_the_others_read_as_texts(
    tmp_path: Path, flights: Flights, slow: Counter[str], note: str, above: str, end: str
) -> None:
    """As where files were joined, blank lines above each or not: these lines are rejects, and the others typed at once."""
    header = flights.header + ",note" * bool(note)
    rows = [f"{line}{note}" if n % 100 else f"{above}{header}" for n, line in enumerate(flights.lines, start=1)]
    text = "\n".join([header, *rows, ""])
    (inbox(tmp_path) / "a.csv").write_text(text.replace("\n", end), newline="")

    made(tmp_path, files_source(table=NO_LIMIT), rejected=ROWS // 100)

    assert not slow
    lines = [n for n, line in enumerate(text.split("\n"), start=1) if line == header]
    assert [(row["line"], row["raw"]) for row in read_rejects(tmp_path)] == [(line, header) for line in lines[1:]]


@pytest.mark.parametrize("note", ['"a\nb"', '"a\rb"'])
def test_no_type_is_told_by_more_than_the_first_records_where_carriage_returns_alone_end_them(
    tmp_path: Path, flights: Flights, monkeypatch: pytest.MonkeyPatch, note: str
) -> None:
    """Be there line feeds within quotes or not: all of a block took as long as the rest."""
    seen: list[int] = []
    infer = inference.infer_columns

    def counted(table: pa.Table, decimal: str) -> Any:
        seen.append(len(table))
        return infer(table, decimal)

    monkeypatch.setattr(parse, "infer_columns", counted)
    rows = [f"{line},{note}\r" for line in flights.lines]
    (inbox(tmp_path) / "a.csv").write_bytes("".join([f"{flights.header},note\r", *rows]).encode())

    made(tmp_path, files_source())

    assert 0 < max(seen) < ROWS // 4


@pytest.mark.parametrize(
    ("row", "others", "reason"),
    [
        ("1,2,3", {}, "3 fields, the header has 2"),
        ("x,2", {"a": {"type": "int"}}, "'x' is not an int"),
        ('"1,2', {}, UNCLOSED),
    ],
)
def test_a_reason_that_many_rejects_share_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, others: dict[str, Any], reason: str
) -> None:
    """Its text is neither made nor hashed for each of them."""
    told: list[pa.Table] = []

    def kept(path: Path, source: str, misfits: Mapping[str, pa.Table]) -> None:
        told.extend(misfits.values())
        write_rejects(path, source, misfits)

    monkeypatch.setattr(block, "write_rejects", kept)
    (inbox(tmp_path) / "a.csv").write_text("a,b\n" + f"1,2\n{row}\n" * ROWS)

    table = make_table(tmp_path, files_source(columns=others, table=NO_LIMIT))

    assert table.rows_rejected == len(told[0]) == ROWS
    assert told[0]["reason"].unify_dictionaries().chunk(0).dictionary.to_pylist() == [reason]
    assert {each["reason"] for each in read_rejects(tmp_path)} == {reason}


def test_rejects_whose_reasons_differ_stand_beside_those_that_share_one(tmp_path: Path) -> None:
    """Each has its own reason, column, line and text."""
    (inbox(tmp_path) / "a.csv").write_text('a,b\n1,2\nx,2\n1,2,3\ny,2\n"1,2\nz,\n')

    make_table(tmp_path, files_source(columns={"a": {"type": "int"}, "b": {"required": True}}, table=NO_LIMIT))

    assert [(each["line"], each["column"], each["reason"], each["raw"]) for each in read_rejects(tmp_path)] == [
        (3, "a", "'x' is not an int", "x,2"),
        (4, None, "3 fields, the header has 2", "1,2,3"),
        (5, "a", "'y' is not an int", "y,2"),
        (6, None, UNCLOSED, '"1,2'),
        (7, "a", "'z' is not an int", "z,"),
    ]


def test_what_a_step_frees_is_kept_for_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversion has the process keep it, here or by a worker, as both convert units of files."""
    counts: Counter[str] = Counter()
    count_calls(monkeypatch, counts, convert_tasks, "keep_freed_memory")
    (inbox(tmp_path) / "a.csv").write_text("id\n1\n")

    make_table(tmp_path, files_source())

    assert counts["keep_freed_memory"] == 1
