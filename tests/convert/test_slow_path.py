"""What takes ten times as long is not done to files as they mostly are, and of a file with one odd line to that line alone."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tasks.config import Source
from tasks.convert.schema import time_formats, values, written
from tasks.convert.staging import file
from tasks.convert.staging.context import REASONS_KEPT
from tasks.convert.staging.reasons import count_reasons, find_repeated, most_common
from tests.benchmarks.convert import write_workbook
from tests.benchmarks.json_lines import write_records
from tests.benchmarks.peers.json_lines import DECLARED, EXPLODED
from tests.convert.conftest import NO_LIMIT, api_source, files_source, land, make_table
from tests.convert.slow_paths import BYTES, FEW, ROWS, Flights, inbox, made, with_odd_line

_CONTENT: dict[str, dict[str, Any]] = {
    kind: {"columns": DECLARED} if kind == "declared" else {} for kind in ("flat", "nested", "declared")
}
JSON_KINDS = [*_CONTENT, "document"]


def landed(root: Path, rows: list[str]) -> Source:
    """Return a source of which each record was landed, with its lists to be exploded where it has any."""
    source = api_source(key=[], explode=EXPLODED) if EXPLODED in rows[0] else api_source(key=[])
    land(root, source, "all", *rows)
    return source


@pytest.mark.parametrize("kind", JSON_KINDS)
def test_no_line_of_json_is_read_by_itself(tmp_path: Path, flights: Flights, slow: Counter[str], kind: str) -> None:
    """Flat, nested, with declared columns, or in a document."""
    write_records(inbox(tmp_path), kind, flights.rows, BYTES)

    made(tmp_path, files_source(**_CONTENT.get(kind, {})))

    assert not slow


@pytest.mark.parametrize("kind", ["flat", "nested", "declared"])
@pytest.mark.parametrize("odd", ['{"year": 1', "", "{}", '{"year": 2013} {"year": 2013}', '{"year": 01}'])
def test_a_damaged_line_of_json_is_read_alone(
    tmp_path: Path, flights: Flights, slow: Counter[str], kind: str, odd: str
) -> None:
    """The others are parsed at once, as if it were not there."""
    with_odd_line(write_records(inbox(tmp_path), kind, flights.rows, BYTES), odd)

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
    with_odd_line(write_records(inbox(tmp_path), kind, flights.rows, BYTES), f"{odd}," if kind == "document" else odd)

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
    path = write_records(inbox(tmp_path), kind, flights.rows, BYTES)
    written = path.read_text().split("\n")
    mixed = [re.sub(r"\}(,?\]?)$", rf', "mixed": {values[n % 2]}}}\1', line) for n, line in enumerate(written)]
    assert sum('"mixed"' in line for line in mixed) > ROWS // 4
    path.write_text("\n".join(mixed))

    made(tmp_path, files_source())

    assert not slow


@pytest.mark.parametrize("kind", ["flat", "nested"])
def test_a_damaged_line_beside_a_key_of_several_kinds_is_read_alone(
    tmp_path: Path, flights: Flights, slow: Counter[str], kind: str
) -> None:
    """What is odd in two ways is so in each by itself."""
    path = write_records(inbox(tmp_path), kind, flights.rows, BYTES)
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
        write_records(inbox(tmp_path), "document", flights.rows, BYTES), f'{{"year": {word}, "note": "[NaN]"}},'
    )

    made(tmp_path, files_source())

    assert not slow


def test_a_damaged_record_of_a_document_is_read_alone(tmp_path: Path, flights: Flights, slow: Counter[str]) -> None:
    """So are records of a document."""
    with_odd_line(write_records(inbox(tmp_path), "document", flights.rows, BYTES), "5,")

    made(tmp_path, files_source(), rejected=1)

    assert slow == {"a damaged line of JSON": 1}


def test_no_line_of_a_table_with_a_contract_is_read_by_itself(
    tmp_path: Path, flights: Flights, slow: Counter[str]
) -> None:
    """A second file is read in the types of the first."""
    source = files_source(table={"contract": "freeze"})
    path = write_records(inbox(tmp_path), "frozen", flights.rows, BYTES)
    made(tmp_path, source)
    (path.parent / "second.jsonl").write_bytes(path.read_bytes())

    assert made(tmp_path, source).files == len(["frozen", "second"])
    assert not slow


@pytest.mark.parametrize("kind", ["flat", "nested", "exploded"])
def test_no_landed_record_is_read_by_itself(tmp_path: Path, flights: Flights, slow: Counter[str], kind: str) -> None:
    """As an API gives them, with a list to be exploded or without."""
    rows = write_records(tmp_path, kind, flights.rows, BYTES).read_text().splitlines()

    made(tmp_path, landed(tmp_path, rows))

    assert not slow


def test_a_landed_record_without_a_list_is_read_alone(tmp_path: Path, flights: Flights, slow: Counter[str]) -> None:
    """It is a reject, and all others are exploded at once."""
    rows = write_records(tmp_path, "exploded", flights.rows, BYTES).read_text().splitlines()
    rows.insert(len(rows) // 2, json.dumps(json.loads(rows[0]) | {EXPLODED: 5}))

    made(tmp_path, landed(tmp_path, rows), rejected=1)

    assert slow == {"a damaged line of JSON": 1}


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
    for rows in (ROWS, 2 * ROWS):
        folder = f"{rows} rows"
        (tmp_path / folder).mkdir()
        lines = "".join(f"{n},{texts[n % len(texts)].format(n=n)}\n" for n in range(rows))
        (inbox(tmp_path / folder) / "a.csv").write_text(f"id,v\n{lines}0,\n")

        table = make_table(tmp_path / folder, files_source(columns={"v": kind}, table=NO_LIMIT))

        assert table.rows_rejected > rows // 4
    assert len(set(counts.values())) == 1


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("%d %b %Y", ["1 Jan 2013", "{n:02} FEB {n:04}", "31 Feb {n:04}", "2013-01-{n:02}"]),
        ("%A, %B %d, %Y %I:%M %p", ["Monday, May 5, {n:04} 12:05 am", "Friday, May 35, 20{n}"]),
        ("%d/%m/%Y", ["1/2/2013", "{n}/2/2013", "{n:04}-01-02", "31/02/{n:04}"]),
        ("%Y-%m-%dT%H:%M:%S.%f%z", ["2013-01-05T05:06:07.{n}+0530", "2013-01-05T05:06:{n}Z"]),
        ("%Y\u5e74%m\u6708%d\u65e5", ["{n:04}\u5e741\u67083\u65e5", "{n:04}\u5e741\u67085"]),
    ],
)
def test_no_time_in_a_format_is_parsed_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, texts: list[str]
) -> None:
    """Names of months, halves of a day, zones and fractions, in the format or not."""
    counts: Counter[str] = Counter()
    iso_of = time_formats._iso_of

    def counted(text: str, pattern: str) -> str:
        counts[text] += 1
        return iso_of(text, pattern)

    monkeypatch.setattr(time_formats, "_iso_of", counted)
    lines = "".join(f"{n};{texts[n % len(texts)].format(n=n)}\n" for n in range(ROWS))
    (inbox(tmp_path) / "a.csv").write_text(f"id;v\n{lines}")
    source = files_source(columns={"v": {"type": "timestamp", "format": pattern}}, table=NO_LIMIT)

    table = make_table(tmp_path, source)

    assert min(table.rows_table, table.rows_rejected) > ROWS // 10
    assert not counts


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
    times = [odd.format(n=30 + n % 30) if n % 5 else "2013-01-01 05:00:00" for n in range(ROWS)]
    (inbox(tmp_path) / "a.csv").write_text("id,v\n" + "".join(f"{n},{text}\n" for n, text in enumerate(times)))

    table = make_table(tmp_path, files_source(columns={"v": "timestamp"}, table=NO_LIMIT))

    assert table.rows_table == len(times[::5])
    assert failed
    assert sum(failed) < ROWS // 4


@pytest.mark.parametrize(
    ("kind", "text", "rewritten"),
    [("int", "x{n}e", 0), ("int", "{n}.5", 0), ("int", "{n}.0", 1), ("date", "{n:04}-13-05", 0), ("float", "{n}e", 0)],
)
def test_no_value_is_rewritten_that_cannot_be_a_number_or_time_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, text: str, rewritten: int
) -> None:
    """Zeros and exponents that say nothing are looked for in those alone of which they may make one."""
    seen: list[int] = []
    as_usual = values._as_usual

    def counted(texts: pa.Array, name: str) -> pa.Array:
        seen.append(len(texts))
        return as_usual(texts, name)

    monkeypatch.setattr(values, "_as_usual", counted)
    fitting = "2013-01-05" if kind == "date" else "5"
    texts = [text.format(n=n) if n % 3 else fitting for n in range(ROWS)]
    (inbox(tmp_path) / "a.csv").write_text("id,v\n" + "".join(f"{n},{each}\n" for n, each in enumerate([*texts, "x"])))

    table = make_table(tmp_path, files_source(columns={"v": kind}, table=NO_LIMIT))

    odd = ROWS - len(texts[::3])
    assert table.rows_rejected == 1 + odd * (not rewritten)
    assert sum(seen) == odd * rewritten


@pytest.mark.parametrize("size", [2, 20, 600])
def test_reasons_that_come_once_are_not_counted_one_by_one(size: int) -> None:
    """Those that come again are, and their counts are exact, wherever they differ."""
    texts = [f"{n:0{size}}" for n in range(ROWS)] + [f"{n:0{size}}" for n in range(0, ROWS, 40)]
    array = pa.array(texts, pa.string())

    again = find_repeated(array)
    blocks = [count_reasons(pa.chunked_array([array[:900]])), count_reasons(pa.chunked_array([array[900:]]))]

    assert sorted(array.take(pa.array(again)).to_pylist()) == sorted(2 * texts[ROWS:])
    assert list(most_common(blocks).items()) == [(text, 2) for text in texts[ROWS:]][:REASONS_KEPT]


def test_reasons_are_counted_over_all_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that come most often are told, and of those that come as often the first, however many there are."""
    monkeypatch.setattr(file, "BLOCK_BYTES", 4096)
    texts = [f"x{n}" if n % 3 else "often" for n in range(ROWS)]
    (inbox(tmp_path) / "a.csv").write_text("v\n5\n" + "\n".join(texts) + "\n")

    table = make_table(tmp_path, files_source(columns={"v": "int"}, table=NO_LIMIT))

    said = [f"'x{n}' is not an int" for n in range(ROWS) if n % 3][: REASONS_KEPT - 1]
    assert table.reasons == {"'often' is not an int": len(texts[::3]), **dict.fromkeys(said, 1)}


def test_no_workbook_is_read_by_openpyxl(tmp_path: Path, slow: Counter[str]) -> None:
    """One of numbers, texts, days, times and booleans, with blanks."""
    write_workbook(inbox(tmp_path) / "a.xlsx", ROWS)

    made(tmp_path, files_source())

    assert not slow


def test_texts_that_are_written_as_they_stand_are_joined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """To set quotes around each of a thousand columns took as long as all else of their rejects; with a null, or what is escaped, they are written by themselves."""
    joined: list[int] = []
    join = pc.binary_join_element_wise

    def counted(*parts: Any) -> pa.Array:
        joined.append(len(parts))
        return join(*parts)

    monkeypatch.setattr(pc, "binary_join_element_wise", counted)
    rows = [{f"c{n}": f"é{n}, {place}" for n in range(FEW)} | {"d": place} for place in range(3)]
    columns = [pa.array([row[name] for row in rows]) for name in rows[0]]

    assert written.write_objects([*rows[0]], columns).to_pylist() == [
        json.dumps(row, ensure_ascii=False) for row in rows
    ]
    assert len(joined) == 1
    odd = {"a": None, "b": '"', "c": ""}
    assert written.write_objects([*odd], [pa.array([value], pa.string()) for value in odd.values()]).to_pylist() == [
        json.dumps(odd)
    ]
