"""What is odd of JSON is told many records at once, and a table of a thousand columns in few steps for each."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.convert.formats.json import columns, document, member_columns, members, mixed
from tasks.convert.formats.json import rows as rows_module
from tasks.convert.formats.json import table as json_table
from tasks.convert.formats.json import types as json_types
from tasks.convert.formats.json.names import SAMPLE_BYTES
from tasks.convert.formats.json.shape import Beyond, Shape
from tasks.convert.formats.json.table import SAMPLE_LINES
from tasks.convert.parts.part import rewrite_part
from tasks.convert.schema.inference import infer_type
from tasks.convert.schema.types import TypeName
from tasks.convert.staging import file
from tasks.convert.staging.context import ColumnOrder
from tasks.convert.table import commit
from tasks.core.errors import TableError
from tests.benchmarks.json_lines import write_records
from tests.convert.conftest import NO_LIMIT, files_source, make_table, read_rejects, read_rows
from tests.convert.slow_paths import BYTES, FEW, ROWS, Flights, count_values, inbox


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the values and records that are written by themselves."""
    return count_values(monkeypatch)


def test_no_record_of_a_document_that_does_not_fit_is_read_again(
    tmp_path: Path, flights: Flights, calls: Counter[str]
) -> None:
    """They are told as they stand, cut out of the document together."""
    rows = [row | {"v": f"x{n}" if n % 3 else n} for n, row in enumerate(flights.rows)]
    write_records(inbox(tmp_path), "document", rows, BYTES)

    table = make_table(tmp_path, files_source(columns={"v": "int"}, table=NO_LIMIT | {"provenance": True}))

    assert table.rows_rejected > table.rows_received // 2
    assert calls["_value_of"] == 0
    assert read_rejects(tmp_path)[0]["raw"] == json.dumps(rows[1])


@pytest.mark.parametrize("kind", ["flat", "document"])
def test_only_what_is_mixed_of_flat_records_is_read_by_itself(
    tmp_path: Path, flights: Flights, calls: Counter[str], kind: str
) -> None:
    """The other keys are parsed at once as they stand, and no line is written anew for it."""
    records = [row | {"v": [f"x{n}", n, [n, "y"], None, {"b": n}][n % 5]} for n, row in enumerate(flights.rows)]
    write_records(inbox(tmp_path), kind, records, BYTES)

    table = make_table(tmp_path, files_source(columns={"v": "int"}, table=NO_LIMIT))

    assert 0 < table.rows_rejected < table.rows_received
    assert (calls["json_type"], calls["_write"], calls["rows_of_line"]) == (len(["v", "v.b"]), 0, 0)
    assert calls["read"] <= len(["at once", "the others"]) * SAMPLE_LINES


@pytest.mark.parametrize("kind", ["flat", "document"])
def test_no_line_with_two_values_for_one_column_is_read_by_itself(
    tmp_path: Path, flights: Flights, calls: Counter[str], kind: str
) -> None:
    """Whether a line has depends on its keys, and is told once for all lines that have the same."""
    rows = [row | {"a": {"b": n}} | ({"a.b": 5} if n % 3 else {}) for n, row in enumerate(flights.rows)]
    write_records(inbox(tmp_path), kind, rows, BYTES)

    table = make_table(tmp_path, files_source(table=NO_LIMIT))

    assert table.rows_rejected > table.rows_received // 2
    assert (calls["flatten"], calls["rows_of_line"]) == (len(["twice", "once"]), 0)


@pytest.mark.parametrize("texts", [["\ud800x", "y"], ["\ud83d", "\U0001f600"], ["\udc00", "\\ud800"]])
def test_no_line_with_half_a_surrogate_pair_is_read_by_itself(
    tmp_path: Path, flights: Flights, calls: Counter[str], texts: list[str]
) -> None:
    """Which these are is told by their bytes; two halves are a text, and what is escaped is none."""
    rows = [row | {"t": texts[n % 2]} for n, row in enumerate(flights.rows)]
    write_records(inbox(tmp_path), "flat", rows, BYTES)

    table = make_table(tmp_path, files_source(table=NO_LIMIT))

    assert abs(2 * table.rows_rejected - table.rows_received) < 2
    assert calls["rows_of_line"] == 0
    assert {each["reason"] for each in read_rejects(tmp_path)} == {"half of a surrogate pair is not a text"}


def test_no_line_is_asked_for_keys_that_it_has_not(
    tmp_path: Path, flights: Flights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hundred rare keys, of numbers and texts, each costs what the lines cost that have it."""
    written: list[int] = []
    texts_of = rows_module.texts_of

    def counted(values: Any) -> pa.Array:
        written.append(len(values))
        return texts_of(values)

    monkeypatch.setattr(rows_module, "texts_of", counted)
    records = [row | {f"rare{n % 100}": n if n % 3 else f"x{n}"} for n, row in enumerate(flights.rows)]
    write_records(inbox(tmp_path), "flat", records, BYTES)

    table = make_table(tmp_path, files_source())

    assert len(table.types) == len(flights.rows[0]) + 100
    assert sum(written) <= table.rows_table * (len(flights.rows[0]) + 1)


@pytest.mark.parametrize("kind", ["flat", "document"])
def test_of_many_keys_no_null_is_parsed_for_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Of a thousand each record has fifty: pyarrow, which writes a null for all others, is not asked."""
    parsed: list[int] = []
    monkeypatch.setattr(json_table, "_read_json", lambda *_: parsed.append(1))
    records = [{f"c{(n + 20 * k) % 1000}": n - k for k in range(50)} for n in range(ROWS // 4)]
    write_records(inbox(tmp_path), kind, records, BYTES)

    table = make_table(tmp_path, files_source())

    assert (len(table.types), set(table.types.values())) == (1000, {"int"})
    assert not parsed


_VALUES: tuple[tuple[Any, Any], ...] = (
    (7, -8),
    (0.5, 1.0),
    ("a, {b}: c", ""),
    ('x"\\é', "\n"),
    (None, 9),
    (True, False),
    ("2013-01-02", "2013-01-03"),
    (5, "z"),
    (5, "z\n"),
    ([1, 2], [[3], []]),
)


@pytest.mark.parametrize("kind", ["flat", "document"])
def test_no_record_with_few_of_many_keys_becomes_a_dictionary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Whatever its values are, but objects: they are told by their places, and escapes are read of all columns at once."""
    decoded: list[int] = []
    texts: list[object] = []
    decode = members._decode_text

    def decode_text(text: Any) -> str:
        texts.append(text)
        return decode(text)

    monkeypatch.setattr(json_table, "read_flat", lambda *_, **__: decoded.append(1))
    monkeypatch.setattr(members, "_decode_text", decode_text)
    monkeypatch.setattr(member_columns, "_decode", lambda _: decoded.append(1))
    records = [
        {f"c{k}": _VALUES[(k + k // 20) % 10][n // 20 % 2] for k in range(n % 20, 200, 20)} for n in range(ROWS // 4)
    ]
    write_records(inbox(tmp_path), kind, records, BYTES)

    make_table(tmp_path, files_source())

    rows = read_rows(tmp_path)[: len(records)]
    found, given = (
        [{name: str(value) for name, value in each.items() if value is not None} for each in some]
        for some in (rows, records)
    )
    assert found == given
    assert not decoded
    assert len(texts) == 1


_MIXED: tuple[tuple[Any, Any], ...] = ((1, "x"), (0.5, "x y"), ([1.5, "a, b"], "x"), (True, "x"), ([[1]], 7))


def test_what_is_mixed_of_few_keys_stands_in_the_table_as_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts beside numbers and lists that are written as Python writes them: no object is made of one, and no type is tried."""
    read: list[object] = []
    for name in ("_decode", "infer_type"):
        monkeypatch.setattr(member_columns, name, read.append)
    records = [{f"c{k}": _MIXED[k // 20 % 5][n // 20 % 2] for k in range(n % 20, 200, 20)} for n in range(ROWS // 4)]
    write_records(inbox(tmp_path), "flat", records, BYTES)

    table = make_table(tmp_path, files_source())

    texts = [{name: v if isinstance(v, str) else json.dumps(v) for name, v in row.items()} for row in records]
    rows = [{name: v for name, v in row.items() if v is not None} for row in read_rows(tmp_path)[: len(records)]]
    assert (rows, set(table.types.values())) == (texts, {"string"})
    assert not read


def test_of_a_wide_table_no_dictionary_is_made_of_values_that_differ(tmp_path: Path) -> None:
    """For a thousand columns to make each took a quarter of the time that writing them takes."""
    records = [
        {
            f"{kind}{k}": value
            for k in range(40)
            for kind, value in (("t", f"x{n - k}"), ("f", n / 8), ("s", f"y{n % 3}"))
        }
        for n in range(ROWS // 4)
    ]
    write_records(inbox(tmp_path), "flat", records, BYTES)

    make_table(tmp_path, files_source())

    (part,) = (tmp_path / "tables" / "rows").resolve().rglob("*.parquet")
    group = pq.read_metadata(part).row_group(0)
    chunks = [group.column(place) for place in range(group.num_columns)]
    assert {chunk.path_in_schema[0]: chunk.has_dictionary_page for chunk in chunks} == {
        "t": False,
        "f": False,
        "s": True,
    }


def test_no_type_but_theirs_is_tried_of_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is a day in full is no number: in hundreds of columns to try each type took most of the time."""
    inferred: list[int] = []

    def counted(texts: pa.ChunkedArray) -> TypeName:
        inferred.append(1)
        return infer_type(texts)

    monkeypatch.setattr(json_types, "infer_type", counted)
    days = [{f"d{k}": f"20{n % 90 + 10}-01-0{k % 9 + 1}" for k in range(n % 20, 200, 20)} for n in range(ROWS // 4)]
    write_records(inbox(tmp_path), "flat", [day | {"year 0": "0013-01-01"} for day in days], BYTES)

    table = make_table(tmp_path, files_source())

    assert [name for name, kind in table.types.items() if kind != "date"] == ["year 0"]
    assert 0 < len(inferred) < FEW


def test_of_long_lines_fewer_are_read_by_themselves(tmp_path: Path, calls: Counter[str]) -> None:
    """As many as tell what a block holds, be its columns a thousand."""
    line = json.dumps({f"c{n}": n for n in range(1000)})
    (inbox(tmp_path) / "a.jsonl").write_text(f"{line}\n" * (SAMPLE_BYTES // len(line) * 3))

    table = make_table(tmp_path, files_source())

    assert table.rows_table > FEW
    assert calls["read"] <= SAMPLE_BYTES // len(line) + 2


def wide(rows: int, columns: int, shift: int = 0) -> list[dict[str, Any]]:
    """Return records of which each has a tenth of many columns, in the order of their numbers or in another."""
    return [{f"c{(n * 7 + 10 * k + shift) % columns}": n - k for k in range(columns // 10)} for n in range(rows)]


@pytest.fixture
def rewritten(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the parts that are written again."""
    names: list[str] = []

    def counted(source: Path, target: Path, *arguments: Any) -> None:
        names.append(target.name)
        rewrite_part(source, target, *arguments)

    monkeypatch.setattr(commit, "rewrite_part", counted)
    monkeypatch.setattr(file, "BLOCK_BYTES", 65_536)
    monkeypatch.setattr(document, "_BLOCK_BYTES", 65_536)
    return names


@pytest.mark.parametrize("kind", ["flat", "document"])
def test_no_part_is_written_again_for_the_order_of_its_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rewritten: list[str], kind: str
) -> None:
    """Of a file in blocks, and of one that comes later, each with its keys in another order: to the same bytes as if they were."""
    found: list[dict[str, bytes]] = []
    for root in (tmp_path / "in order", tmp_path / "again"):
        root.mkdir()
        for shift in (0, 5):
            written = write_records(inbox(root), kind, wide(ROWS, 200, shift), BYTES)
            written.rename(written.with_stem(str(shift)))
            table = make_table(root, files_source())
        parts = sorted((root / "tables" / "rows").resolve().rglob("*.parquet"))
        found.append({path.name: path.read_bytes() for path in parts})
        assert (table.files, len(table.types)) == (2, 200)
        assert bool(rewritten) == (root.name == "again")
        monkeypatch.setattr(ColumnOrder, "sort", lambda _, names: [*names])
    assert len(rewritten) > len(found[0]) // 2 > len(["first", "second"])
    assert found[0] == found[1]


def test_a_file_whose_first_block_fails_is_not_waited_for(tmp_path: Path, rewritten: list[str]) -> None:
    """The others, which take the order of its columns, end with it."""
    records = [{"a b": n, "a_b": n} if n < FEW else {"a b": n, "c": "x" * 1000} for n in range(ROWS)]
    write_records(inbox(tmp_path), "flat", records, 2_000_000)

    with pytest.raises(TableError, match="would both be 'a_b'"):
        make_table(tmp_path, files_source(table={"clean_names": True}))
    assert not rewritten


def test_of_lines_with_a_mixed_key_no_others_become_dictionaries(
    tmp_path: Path, flights: Flights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the first lines have all keys, each value has a place of its own."""
    taken: list[int] = []
    monkeypatch.setattr(mixed, "_take_any", lambda *_: taken.append(1))
    records = [row | {"v": n if n % 2 else f"x{n}", "w": [n] if n % 3 else "y"} for n, row in enumerate(flights.rows)]
    write_records(inbox(tmp_path), "flat", [{"w": None} | row for row in records], BYTES)

    make_table(tmp_path, files_source())

    assert [(row["v"], row["w"]) for row in read_rows(tmp_path)[:2]] == [("x0", "y"), ("1", "[1]")]
    assert not taken


def test_a_key_of_lines_like_others_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twice as many records no more values are seen; a number beyond 64 bits, or another kind, is."""
    seen: list[object] = []
    add = Shape.add

    def counted(shape: Shape, value: object) -> None:
        seen.append(value)
        add(shape, value)

    monkeypatch.setattr(Shape, "add", counted)
    shape = Shape()

    for n in range(FEW):
        shape.add({"a": n, "b": f"x{n}", "c": None, "d": 0.5})
    assert len(seen) == FEW + len("abcd")
    for value in ({"a": 2**64}, {"d": math.inf}, {"a": "x"}, {"c": 1}):
        shape.add(value)

    assert [shape.keys[key].kinds for key in "abcd"] == [{int, Beyond, str}, {str}, {int}, {float, Beyond}]


def test_no_list_of_lists_is_read_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However deep, where its elements are texts or whole numbers: Python would make a list for each level of each record."""
    read: list[object] = []
    monkeypatch.setattr(columns, "values_at", lambda *place: read.append(place))
    deep: Any = 7
    for _ in range(FEW):
        deep = [deep, None]
    records = [{"n": n, "deep": deep, "texts": [['a"', f"{n}"], None, []]} for n in range(ROWS)]
    write_records(inbox(tmp_path), "flat", records, BYTES)

    table = make_table(tmp_path, files_source())

    told = {name: json.dumps(value) for name, value in records[0].items()} | {"n": 0}
    assert (table.rows_rejected, read_rows(tmp_path)[0]) == (0, told)
    assert not read
