"""No quote that nothing closes, and no line beside it, is looked at by itself, whatever ends lines and whatever is declared of them."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from tasks import convert
from tasks.config import Reading
from tasks.convert.files.byte_view import BufferPool, ByteView
from tasks.convert.formats.csv import ends, quoting, records, spans, tokens, unclosed
from tasks.convert.formats.csv import format as csv_format
from tasks.convert.formats.csv import reader as csv_reader
from tasks.convert.formats.csv.format import Csv
from tasks.convert.formats.csv.line_quotes import LineQuotes
from tasks.convert.formats.splitter import RecordSplitter
from tasks.convert.schema.blocks import RawBlock, Schema
from tasks.convert.schema.target import TableTarget
from tasks.convert.staging import file as staging
from tests.convert.conftest import NO_LIMIT, files_source, make_table, read_rejects
from tests.convert.slow_paths import ROWS, Flights, count_calls, inbox, made

FEW, MANY = 500, 2000
PLAIN, OPEN, TWO = "{n},ab,{n}", '"{n},ab,{n}', '{n},"a\nb",{n}'


def count_steps(text: str, read: dict[str, Any]) -> tuple[int, int]:
    """Return how many lines of the program are run to tell the records of a file apart, and how many records these are."""
    data, folder, steps = text.encode("utf-8", "surrogateescape"), str(Path(convert.__file__).parent), 0

    def step(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal steps
        if not frame.f_code.co_filename.startswith(folder):
            return None
        steps += event == "line"
        return step

    reading = Reading.model_validate({"delimiter": ",", "quote": '"', "header": True} | read)
    splitter = RecordSplitter(Csv(TableTarget("rows", Path(), {}, reading=reading)), BufferPool(), 2**20, 2 * len(data))
    splitter.room[: len(data)] = data
    before = sys.gettrace()
    sys.settrace(step)
    try:
        (block,) = splitter.feed(len(data), final=True)
        assert not isinstance(block, RawBlock)
        received = block.parse(Schema()).received
    finally:
        sys.settrace(before)
    return steps, received


@pytest.mark.parametrize("end", ["\n", "\r"])
@pytest.mark.parametrize(
    ("rows", "read"),
    [
        ([OPEN, PLAIN, PLAIN], {}),
        ([OPEN, PLAIN, f"{PLAIN}\n,,"], {"skip_blank": True}),
        ([OPEN, PLAIN, f"{PLAIN}\n"], {"skip_blank": False}),
        ([OPEN, PLAIN, f"{PLAIN}\n# it's"], {"comment": "#"}),
        ([OPEN, PLAIN, "{n},a\\,b,{n}"], {"escape": "\\"}),
        ([OPEN, PLAIN, PLAIN], {"skip_footer": 2}),
        ([OPEN, f"{PLAIN}\n\n,,\n# c", "{n},a\\,b,{n}"], {"skip_blank": True, "escape": "\\", "comment": "#"}),
        ([TWO, f"{TWO},x", f"{TWO},x"], {}),
        (['"a\nb",{n},{n}', '"a\nb",{n},{n},x'], {}),
        ([PLAIN, f"{PLAIN}\n,,"], {"skip_blank": True}),
        ([TWO, f'{TWO}\n,"",'], {"skip_blank": True}),
        (['{n},"a\n\nb",{n}', '{n},"a\n\nb",{n}\n'], {"skip_blank": False}),
        ([TWO, '{n},5" a,{n}', '{n},"a 5" b",{n}'], {}),
        (['"{n},a\udcffb,{n}', PLAIN, "{n},a\udcffb,{n}"], {"encoding": "utf-8"}),
        (['{n},"a\udcff\nb",{n}', TWO], {"encoding": "utf-8"}),
        (['"é{n},a,b', *["é{n},a,b"] * 9], {}),
        (['" {n},a,b', *[" {n},a,b"] * 9], {}),
        (['"é,a,b', *["é,a,ü"] * 9], {}),
    ],
)
def test_no_line_of_csv_is_a_step_of_its_own(rows: list[str], read: dict[str, Any], end: str) -> None:
    """Four times as many take as many steps, all lines at once in each."""
    texts = ["".join(f"{rows[n % len(rows)]}\n".format(n=n) for n in range(count)) for count in (FEW, MANY)]

    (few, _), (many, received) = (count_steps(f"id,note,v\n{text}".replace("\n", end), read) for text in texts)

    assert received > MANY // 3
    assert many < 1.2 * few


@pytest.mark.parametrize(
    ("below", "read"),
    [
        ("\n,,", {"skip_blank": True}),
        ("\n", {"skip_blank": False}),
        ("", {"skip_footer": 2}),
        ("\n# c", {"comment": "#", "skip_blank": True}),
    ],
)
def test_what_is_told_of_quotes_that_nothing_closes_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str, read: dict[str, Any]
) -> None:
    """Where a block is cut, its blank lines are settled, its footer is left out and it is parsed: what one has told the others know."""
    counts: Counter[str] = Counter()
    count_calls(monkeypatch, counts, csv_format, "cut_records")
    count_calls(monkeypatch, counts, records, "find_unclosed")
    monkeypatch.setattr(staging, "BLOCK_BYTES", 4 * 1024)
    rows = [f"{PLAIN}{below}" if n % 3 else OPEN for n in range(MANY)]
    (inbox(tmp_path) / "a.csv").write_text(
        "\n".join(["id,note,v", *[row.format(n=n) for n, row in enumerate(rows)], ""])
    )

    make_table(tmp_path, files_source(table=NO_LIMIT, read=read))

    assert counts["cut_records"] > 4
    assert counts["find_unclosed"] <= counts["cut_records"] + ("skip_footer" in read)  # which is told by itself


@pytest.mark.parametrize(
    ("rows", "read"),
    [
        (['1{n},"a\nb",2', '1{n},"a\nb",2,x'], {}),
        (['1{n},"a\nb",2\n,,', '1{n},"a\nb",2,x'], {"skip_blank": True}),
        (['1{n},"a\nb",2\n', '1{n},"a\nb",2,x'], {"skip_blank": False}),
        (['1{n},"a\nb",2\n# it', '1{n},"a\nb",2,x'], {"comment": "#"}),
        (['1{n},"a\n\\"b",2', '1{n},"a\nb",2,x'], {"escape": "\\"}),
        (['1{n},"a\n""b",2', '1{n},"a\nb",2,x'], {}),
    ],
)
def test_no_line_is_followed_where_those_of_doubtful_records_end_by_themselves(
    monkeypatch: pytest.MonkeyPatch, rows: list[str], read: dict[str, Any]
) -> None:
    """The first line of each record is the one whose quote is stray: where each line would lead need not be told."""
    counts: Counter[str] = Counter()
    count_calls(monkeypatch, counts, unclosed, "follow")
    lines = "".join(f"{rows[n % 2]}\n".replace("{n}", f"{n:04}") for n in range(FEW))

    _, received = count_steps(f"u,v,w\n{lines}", read)

    assert received >= FEW + FEW // 2
    assert not counts


@pytest.mark.parametrize("each", [1000, 100, 2])
def test_no_line_whose_quote_is_never_closed_has_python_read_the_others(
    tmp_path: Path, flights: Flights, slow: Counter[str], each: int
) -> None:
    """Be it one, a few or half of them: these are told, and the others read as texts, by pyarrow."""
    rows = [line if n % each else f'"{line}' for n, line in enumerate(flights.lines, start=1)]
    (inbox(tmp_path) / "a.csv").write_text("\n".join([flights.header, *rows]) + "\n")

    made(tmp_path, files_source(table=NO_LIMIT), rejected=ROWS // each)

    assert "a block of CSV by Python's reader" not in slow


@pytest.mark.parametrize("note", ["", ',"a\nb"'])
def test_no_block_with_quotes_that_nothing_closes_is_told_apart_twice(
    tmp_path: Path, flights: Flights, monkeypatch: pytest.MonkeyPatch, note: str
) -> None:
    """What had to be known to cut it is known when it is parsed: its lines are laid once."""
    counts: Counter[str] = Counter()
    count_calls(monkeypatch, counts, csv_format, "cut_records")
    count_calls(monkeypatch, counts, records, "LaidLines")
    count_calls(monkeypatch, counts, records.Records, "_read")
    count_calls(monkeypatch, counts, csv_reader, "read_texts_at_once")
    monkeypatch.setattr(staging, "BLOCK_BYTES", 16 * 1024)
    rows = [f"{line}{note}" if n % 20 else f'"{line}' for n, line in enumerate(flights.lines)]
    (inbox(tmp_path) / "a.csv").write_text("\n".join([flights.header + ",note" * bool(note), *rows, ""]))

    made(tmp_path, files_source(table=NO_LIMIT), rejected=len(rows[::20]))

    assert counts["cut_records"] > 10
    assert counts["LaidLines"] <= counts["cut_records"] + 1  # the last block is not cut
    assert counts["_read"] <= 1.1 * len(rows[::20])
    assert counts["read_texts_at_once"] <= 1  # of the last block


@pytest.mark.parametrize(
    ("row", "plain", "read"),
    [
        ('"{n},ab,{n}', "{n},ab,{n}", {}),
        ('{n},"ab,{n}', "{n},ab,{n}", {}),
        ('{n},"ab\nc",{n},x', "{n},ab,{n}", {}),
        ('"x,ab,1.5', "{n},ab,{n}", {}),
        ('{n},a "b" c,"{n}.5', "{n},ab,{n}", {}),
        ('"{n},ab,{n}', "{n},ab,{n}\n,,", {"skip_blank": True}),
        ('"{n},ab,{n}', "{n},ab,{n}\n", {"skip_blank": False}),
        ('"{n},ab,{n}', "{n},ab,{n}\n", {}),
        ('"{n},ab,{n}', "{n},ab,{n}\n1,b,2\n2,b,2\n3,b,4\n4,b,5", {}),
    ],
)
def test_no_quote_that_nothing_closes_is_looked_at_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, plain: str, read: dict[str, Any]
) -> None:
    """Where a record ends that begins with one is told of all at once, and whether the lines below are records, be blank ones between them or not."""
    counts: Counter[str] = Counter()
    count_calls(monkeypatch, counts, records.Records, "_read")
    count_calls(monkeypatch, counts, records, "Span")
    count_calls(monkeypatch, counts, spans, "_holds_value")
    rows = [(row if n % 3 else plain).format(n=n) for n in range(ROWS)]
    (inbox(tmp_path) / "a.csv").write_text("\n".join(["id,note,v", *rows, ""]))

    table = make_table(tmp_path, files_source(table=NO_LIMIT, read=read))

    assert table.rows_table >= len(rows[::3])
    assert table.rows_rejected >= len(rows) - len(rows[::3])
    assert counts.total() < 10  # of the header


def test_no_record_of_two_lines_is_doubted_whose_last_has_other_fields_by_itself(
    tmp_path: Path, slow: Counter[str]
) -> None:
    """Though it has as many delimiters, or more: the quote of the line that it begins with is none that is stray."""
    odd = ['"a\nb",1,2,3', '"a\nb",1,2,"3,4"', '1,2,3,"a\n,b"', '"a\n",1,2,3', '"a\nb",1,2,"""3"",4",5']
    rows = [odd[n % 5] if n % 6 else '"a\nb",1,2' for n in range(ROWS)]
    (inbox(tmp_path) / "a.csv").write_text("\n".join(["note,id,v", *rows, ""]))

    made(tmp_path, files_source(table=NO_LIMIT), rejected=len(rows) - len(rows[::6]), least=len(rows[::6]))

    assert not slow
    assert {row["raw"] for row in read_rejects(tmp_path)} == set(odd)


def test_no_record_of_two_lines_with_a_field_too_many_has_python_read_the_others(
    tmp_path: Path, flights: Flights, slow: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a reject of both of its lines, which pyarrow never sees: what it told of each cost more than to read a row."""
    seen: list[int] = []
    read_csv = pa_csv.read_csv

    def counted(source: Any, **options: Any) -> pa.Table:
        table = read_csv(source, **options)
        seen.append(len(table))
        assert options["parse_options"].invalid_row_handler is None
        return table

    monkeypatch.setattr(pa_csv, "read_csv", counted)
    rows = [f'{line},"a\nb"{",x" * (n % 5 != 0)}' for n, line in enumerate(flights.lines)]
    (inbox(tmp_path) / "a.csv").write_text("\n".join([f"{flights.header},note", *rows]) + "\n")

    made(tmp_path, files_source(table=NO_LIMIT), rejected=len(rows) - len(rows[::5]), least=len(rows[::5]))

    assert not slow
    assert max(seen) == len(rows[::5])
    assert {row["raw"] for row in read_rejects(tmp_path)} == set(rows) - set(rows[::5])


def test_no_quote_that_is_never_closed_makes_rows_rejects(tmp_path: Path, flights: Flights) -> None:
    """Be there hundreds of them, each beside fields of two lines: those are rejects alone."""
    rows = [f'{line},"a\nb"' if n % 4 else f'"{line}' for n, line in enumerate(flights.lines)]
    (inbox(tmp_path) / "a.csv").write_text("\n".join([f"{flights.header},note", *rows, ""]))

    table = make_table(tmp_path, files_source(table=NO_LIMIT))

    broken = len(rows[::4])
    assert broken > 400
    assert (table.rows_table, table.rows_rejected) == (len(rows) - broken, broken)


@pytest.mark.parametrize(
    ("row", "odd", "read"),
    [
        ("{line}", '"{line}', {}),
        ('{line},"a\nb"', '{line},"a\nb",x', {}),
        ('{line},"a\n\nb"\n', '{line},"c\nd"\n', {"skip_blank": False}),
    ],
)
def test_no_line_end_has_python_read_the_others(
    tmp_path: Path, flights: Flights, slow: Counter[str], row: str, odd: str, read: dict[str, Any]
) -> None:
    """With carriage returns alone and quotes that nothing closes, or with blank lines kept beside fields of several lines."""
    header, end = f"{flights.header}{',note' * row.count(',')}", "\n" if read else "\r"
    rows = [(row if n % 100 else odd).format(line=line) for n, line in enumerate(flights.lines)]
    (inbox(tmp_path) / "a.csv").write_bytes(end.join([header, *rows, ""]).encode())

    table = make_table(tmp_path, files_source(table=NO_LIMIT, read=read))

    assert table.rows_table >= len(rows) - len(rows[::100])
    assert slow <= Counter({"a block of CSV as texts": 1})


@pytest.mark.parametrize(
    ("row", "blank", "read"),
    [
        ('{n},"a\nb",{n}', '\n,"",', {"skip_blank": True}),
        ('"{n},ab,{n}', "\n,,", {"skip_blank": True}),
        ('"{n},ab,{n}', "\n", {"skip_blank": False}),
        ('"{n},ab,{n}', "", {"skip_footer": 2}),
    ],
)
def test_no_record_is_read_for_lines_that_are_none_as_is_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, blank: str, read: dict[str, Any]
) -> None:
    """Beside fields of two lines, or quotes that nothing closes: where records begin and end is told at once, and what is empty by its text."""
    counts: Counter[str] = Counter()
    count_calls(monkeypatch, counts, records, "Span")
    plain = [f"{{n}},ab,{{n}}{'' if n % 30 else blank}" for n in range(ROWS)]
    rows = [(row if n % 3 else plain[n]).format(n=n) for n in range(ROWS)]
    (inbox(tmp_path) / "a.csv").write_text("\n".join(["id,note,v", *rows, "1,b,1", "2,b,2", ""]))

    table = make_table(tmp_path, files_source(table=NO_LIMIT, read=read))

    assert table.rows_table >= len(rows[::3])
    assert counts["Span"] < ROWS // 3


def count_bytes(monkeypatch: pytest.MonkeyPatch, counts: Counter[str], owner: ModuleType | type, name: str) -> None:
    """Count the bytes, or lines, of the first argument of each call."""
    told = getattr(owner, name)

    def counted(first: Any, *rest: Any, **options: Any) -> Any:
        counts[name] += len(first)
        return told(first, *rest, **options)

    monkeypatch.setattr(owner, name, counted)


@pytest.mark.parametrize(
    ("owner", "name", "rows", "read", "most"),
    [
        (tokens, "rewrite_bare", [OPEN, PLAIN, f"{PLAIN}\n# it's"], {"comment": "#"}, 1.3),
        (tokens, "_rewrite_piece", [OPEN, PLAIN, f"{PLAIN}\n# it's"], {"comment": "#"}, 0.1),
        (tokens, "_rewrite_piece", ['"{n},a\\,b,{n}', "{n},a\\,b,{n}"], {"escape": "\\"}, 0.1),
        (tokens, "_rewrite_piece", ['"{n},a",{n}', OPEN, f"{PLAIN}\n# it's"], {"comment": "#"}, 1.3),
        (csv_format, "are_paired", [TWO, f"{TWO},x", f"{TWO},x"], {}, 1.3),
        (tokens, "are_paired", [TWO, f"{TWO},x\n# it's", f"{TWO},x"], {"comment": "#"}, 0),
        (quoting, "put_in", ['{n},"a\n\\"b",{n}', '{n},"a\n\\"b",{n},x'], {"escape": "\\"}, 0),
        (LineQuotes, "read", ['"{n},a\\,b,{n}', "{n},a\\,b,{n}", "{n},a\\,b,{n}"], {"escape": "\\"}, 0.01),
        (spans, "find_quoted", [OPEN, PLAIN, f"{PLAIN}\n"], {"skip_blank": False}, 1.3),
        (ByteView, "_find_all", [OPEN, PLAIN, f"{PLAIN}\n"], {"skip_blank": False}, 2),
        (ends, "Marks", [OPEN, PLAIN, f"{PLAIN}\n,,"], {"skip_blank": True}, 0),
    ],
)
def test_no_piece_of_a_block_is_gone_through_for_another(
    monkeypatch: pytest.MonkeyPatch,
    owner: ModuleType | type,
    name: str,
    rows: list[str],
    read: dict[str, Any],
    most: float,
) -> None:
    """Each is rewritten, and its quotes and lines looked for, once, wherever a block ends; where no quote is of a field none is followed. No line is read quote by quote for a record that is open below it."""
    counts: Counter[str] = Counter()
    monkeypatch.setattr(csv_format, "PIECE_LINES", 256)
    lines = [rows[n % len(rows)].replace("{n}", f"{n:04}") for n in range(2 * MANY)]
    data = "\n".join(["u,v,w", *lines, ""]).encode()
    reading = Reading.model_validate({"delimiter": ",", "quote": '"', "header": True} | read)
    splitter = RecordSplitter(Csv(TableTarget("rows", Path(), {}, reading=reading)), BufferPool(), 2**13, len(data))
    count_bytes(monkeypatch, counts, owner, name)

    while data or splitter.room:
        received = len(splitter.room)
        splitter.room[: len(data[:received])] = data[:received]
        pieces = splitter.feed(len(data[:received]), final=len(data) < received)
        for block in pieces:
            assert not isinstance(block, RawBlock)
            block.parse(Schema())
        if len(data) < received:
            break
        data = data[received:]

    assert counts[name] <= most * len("\n".join(lines))
