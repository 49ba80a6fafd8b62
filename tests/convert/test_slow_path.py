"""What takes ten times as long is not done to files as they mostly are, and of a file with one odd line to that line alone."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from deployments.sample.data import read_flight_lines
from tasks.config import Source
from tasks.convert.formats.csv import format as csv_format
from tasks.convert.formats.csv import reader as csv_reader
from tasks.convert.formats.csv.quoting import Quoting
from tasks.convert.formats.excel import workbook
from tasks.convert.formats.json import apart, damaged, document, lines
from tasks.convert.schema import values
from tasks.convert.staging import file as staging
from tasks.convert.table.state import CommittedTable
from tests.benchmarks.convert import values_of, write_workbook
from tests.benchmarks.json_lines import write_records
from tests.benchmarks.peers.json_lines import DECLARED, EXPLODED
from tests.convert.conftest import NO_LIMIT, api_source, files_source, land, make_table, read_rejects, read_rows

_ROWS, _BYTES = 2000, 300_000
_SLOW: dict[str, tuple[ModuleType | type, str]] = {
    "a line of JSON": (lines, "rows_of_line"),
    "a block of JSON lines": (apart, "read_lines"),
    "a document": (document, "read_records"),
    "a damaged line of JSON": (damaged, "rows_of_line"),
    "a block of CSV as texts": (csv_reader, "read_texts_at_once"),
    "a block of CSV by Python's reader": (csv_reader, "read_texts"),
    "a block of CSV cut by Python's reader": (csv_format, "Records"),
    "a block of CSV rewritten by token": (Quoting, "rewrite_by_token"),
    "a workbook by openpyxl": (workbook, "CarefulWorkbook"),
}
_CONTENT: dict[str, dict[str, Any]] = {
    kind: {"columns": DECLARED} if kind == "declared" else {} for kind in ("flat", "nested", "declared")
}
JSON_KINDS = [*_CONTENT, "document"]


@dataclass(frozen=True)
class Flights:
    """Rows of the benchmark: as CSV, with its header, and as records."""

    header: str
    lines: list[str]
    rows: list[dict[str, Any]]


@pytest.fixture(scope="module")
def flights() -> Flights:
    """Return the first flights of the year."""
    header, found = read_flight_lines()
    texts = [line.decode().rstrip("\n") for line in found[:_ROWS]]
    names = header.decode().strip()
    return Flights(names, texts, [values_of(names.split(","), text.split(",")) for text in texts])


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what is done the slow way; all of it is done."""
    counts: Counter[str] = Counter()

    def counted(what: str, called: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            counts[what] += 1
            return called(*arguments, **options)

        return call

    for what, (module, name) in _SLOW.items():
        monkeypatch.setattr(module, name, counted(what, getattr(module, name)))
    return counts


def inbox(root: Path) -> Path:
    """Return the folder of the files of a source."""
    folder = root / "inbox"
    folder.mkdir(exist_ok=True)
    return folder


def with_odd_line(path: Path, odd: str) -> None:
    """Write a line between the others of a file."""
    lines = path.read_text().split("\n")
    path.write_text("\n".join([*lines[: len(lines) // 2], odd, *lines[len(lines) // 2 :]]))


def landed(root: Path, rows: list[str]) -> Source:
    """Return a source of which each record was landed, with its lists to be exploded where it has any."""
    source = api_source(key=[], explode=EXPLODED) if EXPLODED in rows[0] else api_source(key=[])
    land(root, source, "all", *rows)
    return source


def made(root: Path, source: Source, rejected: int = 0) -> CommittedTable:
    """Return the table of a source, of which so many rows are rejects and all others in it."""
    table = make_table(root, source)
    assert (table.rows_rejected, table.rows_table) == (rejected, table.rows_received - rejected)
    assert table.rows_table > _ROWS // 4
    return table


@pytest.mark.parametrize("kind", JSON_KINDS)
def test_no_line_of_json_is_read_by_itself(tmp_path: Path, flights: Flights, slow: Counter[str], kind: str) -> None:
    """Flat, nested, with declared columns, or in a document."""
    write_records(inbox(tmp_path), kind, flights.rows, _BYTES)

    made(tmp_path, files_source(**_CONTENT.get(kind, {})))

    assert not slow


@pytest.mark.parametrize("kind", ["flat", "nested", "declared"])
@pytest.mark.parametrize("odd", ['{"year": 1', "", "{}", '{"year": 2013} {"year": 2013}', '{"year": 01}'])
def test_a_damaged_line_of_json_is_read_alone(
    tmp_path: Path, flights: Flights, slow: Counter[str], kind: str, odd: str
) -> None:
    """The others are parsed at once, as if it were not there."""
    with_odd_line(write_records(inbox(tmp_path), kind, flights.rows, _BYTES), odd)

    made(tmp_path, files_source(**_CONTENT[kind]), rejected=bool(odd))

    assert slow <= Counter({"a damaged line of JSON": 1})


@pytest.mark.parametrize(
    ("kind", "odd"),
    [
        *product(["flat", "nested"], ['{"year": NaN}']),
        *product(["flat", "nested", "document"], ['{"year": "NA"}', '{"year": 18446744073709551616}', '{"rare": 1}']),
    ],
)
def test_a_record_of_another_kind_does_not_have_the_others_read_alone(
    tmp_path: Path, flights: Flights, slow: Counter[str], kind: str, odd: str
) -> None:
    """No number, a text, one beyond 64 bits, or a key that no other has: the others are parsed at once."""
    with_odd_line(write_records(inbox(tmp_path), kind, flights.rows, _BYTES), f"{odd}," if kind == "document" else odd)

    made(tmp_path, files_source())

    assert not slow


@pytest.mark.parametrize("kind", ["flat", "nested", "document"])
@pytest.mark.parametrize(
    "values",
    [
        *[["5", '"x"'], ["[1, 2]", '[1, "a", {"b": 2}]'], ["7", str(2**70)], ['"y", "mixed": 5', '"z"']],
        *[["1e999", "-1e999"], ['{"a": 1}', '"x"'], ['{"a": 1}', "[1]"]],
    ],
)
def test_no_line_with_values_of_several_kinds_is_read_by_itself(
    tmp_path: Path, flights: Flights, slow: Counter[str], kind: str, values: list[str]
) -> None:
    """Numbers and texts, mixed lists, numbers beyond 64 bits or a float, a key that comes twice, or objects beside others: that column alone is."""
    path = write_records(inbox(tmp_path), kind, flights.rows, _BYTES)
    written = path.read_text().split("\n")
    mixed = [re.sub(r"\}(,?\]?)$", rf', "mixed": {values[n % 2]}}}\1', line) for n, line in enumerate(written)]
    assert sum('"mixed"' in line for line in mixed) > _ROWS // 4
    path.write_text("\n".join(mixed))

    made(tmp_path, files_source())

    assert not slow


@pytest.mark.parametrize("kind", ["flat", "nested"])
def test_a_damaged_line_beside_a_key_of_several_kinds_is_read_alone(
    tmp_path: Path, flights: Flights, slow: Counter[str], kind: str
) -> None:
    """What is odd in two ways is so in each by itself."""
    path = write_records(inbox(tmp_path), kind, flights.rows, _BYTES)
    written = path.read_text().split("\n")
    path.write_text("\n".join(f'{line[:-1]}, "m": {n if n % 2 else "[1]"}}}' for n, line in enumerate(written) if line))
    with_odd_line(path, '{"year": 1')

    made(tmp_path, files_source(), rejected=1)

    assert slow == {"a damaged line of JSON": 1}


@pytest.mark.parametrize("word", ["NaN", "-Infinity"])
def test_a_document_with_no_number_is_no_line_by_line_work(
    tmp_path: Path, flights: Flights, slow: Counter[str], word: str
) -> None:
    """Its records are told apart, whatever they hold: those with such a word are read by themselves."""
    with_odd_line(
        write_records(inbox(tmp_path), "document", flights.rows, _BYTES), f'{{"year": {word}, "note": "[NaN]"}},'
    )

    made(tmp_path, files_source())

    assert not slow


def test_a_damaged_record_of_a_document_is_read_alone(tmp_path: Path, flights: Flights, slow: Counter[str]) -> None:
    """So are records of a document."""
    with_odd_line(write_records(inbox(tmp_path), "document", flights.rows, _BYTES), "5,")

    made(tmp_path, files_source(), rejected=1)

    assert slow == {"a damaged line of JSON": 1}


def test_no_line_of_a_table_with_a_contract_is_read_by_itself(
    tmp_path: Path, flights: Flights, slow: Counter[str]
) -> None:
    """A second file is read in the types of the first."""
    source = files_source(table={"contract": "freeze"})
    path = write_records(inbox(tmp_path), "frozen", flights.rows, _BYTES)
    made(tmp_path, source)
    (path.parent / "second.jsonl").write_bytes(path.read_bytes())

    assert made(tmp_path, source).files == len(["frozen", "second"])
    assert not slow


@pytest.mark.parametrize("kind", ["flat", "nested", "exploded"])
def test_no_landed_record_is_read_by_itself(tmp_path: Path, flights: Flights, slow: Counter[str], kind: str) -> None:
    """As an API gives them, with a list to be exploded or without."""
    rows = write_records(tmp_path, kind, flights.rows, _BYTES).read_text().splitlines()

    made(tmp_path, landed(tmp_path, rows))

    assert not slow


def test_a_landed_record_without_a_list_is_read_alone(tmp_path: Path, flights: Flights, slow: Counter[str]) -> None:
    """It is a reject, and all others are exploded at once."""
    rows = write_records(tmp_path, "exploded", flights.rows, _BYTES).read_text().splitlines()
    rows.insert(len(rows) // 2, json.dumps(json.loads(rows[0]) | {EXPLODED: 5}))

    made(tmp_path, landed(tmp_path, rows), rejected=1)

    assert slow == {"a damaged line of JSON": 1}


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
        ("quoted", ("b,", "\\\\ b,"), {"escape": "\\"}),
        ("plain", (",UA,", ",U\\, A,"), {"escape": "\\"}),
        ("quoted", ("b,", "b \\,"), {"escape": "\\"}),
        ("of two lines", ('"""\n', '"""\n# it\'s "\n'), {"comment": "#"}),
        ("plain", (",UA,", ',"U" A",'), {}),
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

    assert table.rows_table == _ROWS
    assert not slow


@pytest.mark.parametrize("kind", ["of two lines", "stray"])
def test_no_block_that_ends_within_quotes_is_read_by_python(
    tmp_path: Path, flights: Flights, slow: Counter[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Nor is one of which a quote is a character of a field: where its last record ends is told without."""
    monkeypatch.setattr(staging, "BLOCK_BYTES", 16 * 1024)
    (inbox(tmp_path) / "a.csv").write_text(csv_of(flights, kind))

    made(tmp_path, files_source())

    assert not slow


def test_no_record_of_two_lines_is_read_by_itself_for_its_line(
    tmp_path: Path, flights: Flights, slow: Counter[str]
) -> None:
    """The line that each row came from is told without Python's reader."""
    (inbox(tmp_path) / "a.csv").write_text(csv_of(flights, "of two lines"))

    made(tmp_path, files_source(table={"provenance": True}))

    assert [row["_line"] for row in read_rows(tmp_path)] == [2 + 2 * n for n in range(_ROWS)]
    assert not slow


@pytest.mark.parametrize("text", ["01.02.2013", "007", "+49 30 5", '"Smith, John"', '" 5"'])
def test_texts_that_begin_as_padded_numbers_are_texts(tmp_path: Path, slow: Counter[str], text: str) -> None:
    """In a column of texts nothing is in doubt of them."""
    rows = "".join(f"{n},n{n}\n{n},{text}\n" for n in range(_ROWS))
    (inbox(tmp_path) / "a.csv").write_text(f"id,name\n{rows}")

    made(tmp_path, files_source())

    assert not slow


@pytest.mark.parametrize("kind", ["plain", "quoted", "of two lines"])
@pytest.mark.parametrize("odd", ["1,2", "007" + "," * 18, "x"])
def test_no_line_of_csv_has_python_read_the_others(
    tmp_path: Path, flights: Flights, slow: Counter[str], kind: str, odd: str
) -> None:
    """One of too few fields, or with a padded number, has its block read as texts, by pyarrow."""
    path = inbox(tmp_path) / "a.csv"
    path.write_text(csv_of(flights, kind))
    padded = odd.startswith("0")
    with_odd_line(path, f"{odd},x" if padded and kind != "plain" else odd)

    made(tmp_path, files_source(), rejected=not padded)

    assert slow == {"a block of CSV as texts": 1}


@pytest.mark.parametrize("each", [1000, 100, 2])
def test_no_line_whose_quote_is_never_closed_has_python_read_the_others(
    tmp_path: Path, flights: Flights, slow: Counter[str], each: int
) -> None:
    """Be it one, a few or half of them: these are told, and the others read as texts, by pyarrow."""
    rows = [line if n % each else f'"{line}' for n, line in enumerate(flights.lines, start=1)]
    (inbox(tmp_path) / "a.csv").write_text("\n".join([flights.header, *rows]) + "\n")

    made(tmp_path, files_source(table=NO_LIMIT), rejected=_ROWS // each)

    assert "a block of CSV by Python's reader" not in slow


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        *product(["int", "float", "date", "timestamp"], [["x{n}"], ["1", "5{n} km", "-"], ["1.{n}.3"], ["{n}0af"]]),
        *[("int", ["{n}.5", "9223372036854{n:06}", "-9223372036854{n:06}"]), ("bool", ["true", "{n}"])],
        ("date", ["2013-01-01", "{n:04}-13-05", "2013-01-05 10:11:12.{n:06}"]),
        ("timestamp", ["2013-01-01", "{n:04}-02-30 05:00:00", "2013-01-05T10:11:12.{n:07}1"]),
        ("timestamp", ["2013-01-01T05Z", "{n:04}-13-05T05:00Z", "2013-01-05T10:11:12.{n:06}"]),
    ],
)
def test_no_value_that_is_no_number_or_time_is_tried_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, texts: list[str]
) -> None:
    """Whether all but one or not, and each another than those before: twice as many have no more casts made."""
    counts: Counter[str] = Counter()
    cast = pc.cast

    def counted(*arguments: Any, **options: Any) -> Any:
        counts[folder] += 1
        return cast(*arguments, **options)

    monkeypatch.setattr(pc, "cast", counted)
    for rows in (_ROWS, 2 * _ROWS):
        folder = f"{rows} rows"
        (tmp_path / folder).mkdir()
        lines = "".join(f"{n},{texts[n % len(texts)].format(n=n)}\n" for n in range(rows))
        (inbox(tmp_path / folder) / "a.csv").write_text(f"id,v\n{lines}0,\n")

        table = make_table(tmp_path / folder, files_source(columns={"v": kind}, table=NO_LIMIT))

        assert table.rows_rejected > rows // 4
    assert len(set(counts.values())) == 1


@pytest.mark.parametrize("odd", ["2013-01-01 05:{n}:60", "2013-02-{n} 05:00:00", "2013-01-01 24:{n}:00.5000000"])
def test_no_text_that_comes_often_is_cast_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    """Times that all but fit: a cast that fails costs much for each of them, so that one is tried with the first few alone."""
    failed: list[int] = []
    cast_whole = values._cast_whole

    def counted(texts: pa.ChunkedArray, *options: Any) -> Any:
        cast = cast_whole(texts, *options)
        failed.extend([len(texts)] * (cast is None))
        return cast

    monkeypatch.setattr(values, "_cast_whole", counted)
    times = [odd.format(n=30 + n % 30) if n % 5 else "2013-01-01 05:00:00" for n in range(_ROWS)]
    (inbox(tmp_path) / "a.csv").write_text("id,v\n" + "".join(f"{n},{text}\n" for n, text in enumerate(times)))

    table = make_table(tmp_path, files_source(columns={"v": "timestamp"}, table=NO_LIMIT))

    assert table.rows_table == len(times[::5])
    assert failed
    assert sum(failed) < _ROWS // 4


def test_no_record_of_two_lines_with_a_field_too_many_has_python_read_the_others(
    tmp_path: Path, flights: Flights, slow: Counter[str]
) -> None:
    """It is a reject of both of its lines, which pyarrow tells apart."""
    rows = [f'{line},"a\nb"{",x" * (n % 3 == 0)}' for n, line in enumerate(flights.lines)]
    (inbox(tmp_path) / "a.csv").write_text("\n".join([f"{flights.header},note", *rows]) + "\n")

    made(tmp_path, files_source(table=NO_LIMIT), rejected=len(rows[::3]))

    assert slow == {"a block of CSV as texts": 1}
    assert {row["raw"] for row in read_rejects(tmp_path)} == set(rows[::3])


def test_no_workbook_is_read_by_openpyxl(tmp_path: Path, slow: Counter[str]) -> None:
    """One of numbers, texts, days, times and booleans, with blanks."""
    write_workbook(inbox(tmp_path) / "a.xlsx", _ROWS)

    made(tmp_path, files_source())

    assert not slow
