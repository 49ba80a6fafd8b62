"""Values that do not fit, or have no type of tables, are told many at once, be they half of all."""

from __future__ import annotations

import datetime as dt
import json
import sys
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from openpyxl.utils.datetime import from_excel

from tasks.config import Column
from tasks.convert.formats.excel import doubts
from tasks.convert.schema import affixes, alike, inference, moments, types, values
from tasks.convert.schema.cleaning import clean
from tasks.convert.schema.narrowing import narrow_types
from tasks.convert.schema.values import cast_texts, tell_unfit
from tests.convert.conftest import NO_LIMIT, files_source, make_table, read_rejects, read_rows
from tests.convert.slow_paths import FEW, ROWS, count_values, inbox, lengths_given

DAY = dt.date(2013, 1, 5)
AT = dt.datetime(2013, 1, 5, 6, 7, 8, 90, dt.UTC)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the values and records that are written by themselves."""
    return count_values(monkeypatch)


def odd_columns(rows: int) -> dict[str, pa.Array]:
    """Return columns of each kind, of which the first has texts in two of three rows."""
    return {
        "v": pa.array([f"x{n}" if n % 3 else str(n) for n in range(rows)]),
        "note": pa.array([f'the "{n}"' for n in range(rows)]),
        "share": pa.array([n / 7 for n in range(rows)]),
        "day": pa.array([DAY] * rows),
        "at": pa.array([AT] * rows),
        "price": pa.array([Decimal(n) / 100 for n in range(rows)], pa.decimal128(9, 2)),
        "took": pa.array([dt.timedelta(hours=n, milliseconds=500) for n in range(rows)]),
        "uuid": pa.array([n.to_bytes(16) for n in range(rows)], pa.uuid()),
        "lists": pa.array([[n, None] for n in range(rows)]),
        "times": pa.array([[AT], []] * (rows // 2)),
        "objects": pa.array([[{"a": n, "b": ["x", "y"]}] for n in range(rows)]),
        "fine": pa.array([[n * 1001] for n in range(rows)], pa.list_(pa.timestamp("ns"))),
        "map": pa.array([[("k", n)] for n in range(rows)], pa.map_(pa.string(), pa.int64())),
    }


def test_no_row_and_no_list_of_parquet_is_written_by_itself(tmp_path: Path, calls: Counter[str]) -> None:
    """A reject is told as Python would write its row as JSON, and so are lists and maps."""
    pq.write_table(pa.table(odd_columns(ROWS)), inbox(tmp_path) / "a.parquet")

    table = make_table(tmp_path, files_source(columns={"v": "int"}, table=NO_LIMIT))

    assert table.rows_rejected == ROWS - len(range(0, ROWS, 3))
    assert (calls["as_text"], calls["write_objects"]) == (0, 1)
    assert read_rejects(tmp_path)[1]["raw"] == json.dumps(
        {
            "v": "x2",
            "note": 'the "2"',
            "share": 2 / 7,
            "day": str(DAY),
            "at": str(AT),
            "price": "0.02",
            "took": "P0DT2H0M0.5S",
            "uuid": str(uuid.UUID(int=2)),
            "lists": "[2, null]",
            "times": f'["{AT}"]',
            "objects": '[{"a": 2, "b": ["x", "y"]}]',
            "fine": '["1970-01-01 00:00:00.000002002"]',
            "map": '[["k", 2]]',
        }
    )


def test_no_row_of_parquet_is_written_to_tell_its_line(tmp_path: Path, calls: Counter[str]) -> None:
    """Where a row came from is known without it."""
    pq.write_table(pa.table({"v": range(ROWS)}), inbox(tmp_path) / "a.parquet")

    table = make_table(tmp_path, files_source(table={"provenance": True}))

    assert (table.rows_table, calls["write_objects"]) == (ROWS, 0)


def test_no_row_of_a_sheet_is_gathered_by_itself(tmp_path: Path, calls: Counter[str]) -> None:
    """Rejects are told together, and times beside numbers below zero ask for no careful reader."""
    with xlsxwriter.Workbook(inbox(tmp_path) / "a.xlsx") as book:
        sheet, at = book.add_worksheet(), book.add_format({"num_format": "hh:mm"})
        sheet.write_row(0, 0, ["v", "below", "at"])
        for n in range(ROWS // 4):
            sheet.write_row(n + 1, 0, [n if n % 3 else f"x{n}", -n])
            sheet.write_number(n + 1, 2, 0.25, at)

    table = make_table(tmp_path, files_source(columns={"v": "int"}, table=NO_LIMIT))

    assert table.rows_rejected == len(range(0, ROWS // 4, 3))
    assert read_rejects(tmp_path)[1]["raw"] == "x3\t-3\t06:00:00"
    assert calls["CarefulWorkbook"] == 0
    assert calls["rows"] < FEW


def count_calls(call: Callable[[], object]) -> int:
    """Return how many functions are called, of Python or C, once all caches are filled."""
    counts = Counter[str]()

    def count(_: object, event: str, __: object) -> None:
        counts[event] += 1

    call()
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(before)
    return counts["call"] + counts["c_call"]


@pytest.mark.parametrize(
    ("value", "work"),
    [
        (lambda n: f"2013-01-05 06:07:08.{n + 1:09}", lambda column: tell_unfit(column, "timestamp")),
        (lambda n: f"{n} x{n}" if n % 3 else f"{n} km", lambda column: clean(column, Column(type="int", strip=True))),
    ],
)
def test_no_value_has_a_function_called_for_itself(
    value: Callable[[int], Any], work: Callable[[pa.ChunkedArray], object]
) -> None:
    """Times finer than a microsecond, and numbers with units: twice as many take as many calls."""
    columns = [pa.chunked_array([pa.array(map(value, range(rows)))]) for rows in (ROWS, 2 * ROWS)]

    once, twice = (count_calls(partial(work, column)) for column in columns)

    assert once == twice


def test_no_whole_number_is_taken_for_a_decimal_as_others_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that count seconds are cast at once, also beside texts with points."""
    split: list[int] = []
    monkeypatch.setattr(moments, "_split", lambda texts: split.append(len(texts)))
    texts = pa.chunked_array([pa.array([f"x{n}.5" if n % 3 else f"{n}" for n in range(ROWS)])])

    found = clean(texts, Column(type="timestamp", unit="s"))

    assert len(found.misfits) == ROWS - len(range(0, ROWS, 3))
    assert found.values[3].as_py() == dt.datetime.fromtimestamp(3, dt.UTC)
    assert not split


def test_only_numbers_with_rare_units_are_matched(monkeypatch: pytest.MonkeyPatch) -> None:
    """What often stands around numbers is judged once, however many there are around others."""
    matched = lengths_given(monkeypatch, affixes, "_strip_others")
    texts = pa.array([f"{n} x{n}" if n % 3 else f"{n} km" for n in range(ROWS)])

    numbers, taken = affixes.strip_numbers(texts, Column(type="int", strip=True))

    assert taken == {"km": len(range(0, ROWS, 3))}
    assert numbers[3].as_py() == "3"
    assert matched[-1] == ROWS - taken["km"]


def test_no_zone_is_looked_for_at_each_time_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """As texts they are what a cast gives, which takes eight times as long."""
    times = pa.chunked_array([pa.array([AT, None], pa.timestamp("us", "UTC"))])
    cast, kinds = pc.cast, list[tuple[pa.DataType, Any]]()

    def counted(values: Any, kind: Any, **options: Any) -> Any:
        kinds.append((values.type, kind))
        return cast(values, kind, **options)

    monkeypatch.setattr(pc, "cast", counted)

    texts = cast_texts(times, "string").values

    assert texts.equals(cast(times, pa.string()))
    assert (times.type, pa.string()) not in kinds


def test_no_column_is_looked_for_among_all_names() -> None:
    """To widen a table of twice as many columns takes no more lists of them."""

    class Counted:
        """A table that counts how often its names are listed."""

        def __init__(self, table: pa.Table) -> None:
            self.table, self.times = table, 0

        def __getattr__(self, name: str) -> Any:
            self.times += name == "column_names"
            return getattr(self.table, name)

        def __getitem__(self, name: str) -> pa.ChunkedArray:
            return self.table[name]

    names = [f"c{n}" for n in range(FEW)]
    table = Counted(pa.table({name: pa.array([1]) for name in names}))

    widened = types.widen_table(table, dict.fromkeys([*names, "more"], "float"))

    assert widened.column_names == [*names, "more"]
    assert table.times == 1


def test_only_cells_in_doubt_of_a_sheet_are_told_by_themselves(tmp_path: Path, calls: Counter[str]) -> None:
    """Numbers of more digits than a float, and days before 1900, are taken from the sheet; all else is read at once."""
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        sheet, day = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, ["v", "day", "text", "below"])
        for n in range(ROWS // 4):
            sheet.write_row(n + 1, 0, [123456 if n % 2 else 5, -n - 1, "-1234567890123456789", -n])
            sheet.write_number(n + 1, 1, -n - 1, day)
    with zipfile.ZipFile(tmp_path / "a.xlsx") as source, zipfile.ZipFile(inbox(tmp_path) / "a.xlsx", "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"<v>123456</v>", b"<v>12345678901234567</v>"))

    make_table(tmp_path, files_source())

    rows = read_rows(tmp_path)
    assert [row["v"] for row in rows[:2]] == [5, 12345678901234567]
    assert [row["day"] for row in rows[:2]] == [dt.date(1899, 12, 29), dt.date(1899, 12, 28)]
    assert rows[1]["text"] == "-1234567890123456789"
    assert len(rows) == ROWS // 4
    assert calls["CarefulWorkbook"] == 0


@pytest.mark.parametrize(
    ("change", "v"),
    [((b"<v>-", b"<v> -"), 12345678901234567), ((b'" s="1"><v>5<', b'" s="1"><v>12345678901234567<'), None)],
)
def test_a_sheet_with_cells_as_few_are_is_read_with_care(
    tmp_path: Path, calls: Counter[str], change: tuple[bytes, bytes], v: int | None
) -> None:
    """Numbers with a blank before them, which calamine takes for texts, and days that are none."""
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        sheet, day = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, ["v", "w", "x"])
        sheet.write_row(1, 0, [123456, -5, "a"])
        sheet.write_row(2, 0, [123456, -5, "a"])
        sheet.write_number(2, 0, 5, day)
    with zipfile.ZipFile(tmp_path / "a.xlsx") as source, zipfile.ZipFile(inbox(tmp_path) / "a.xlsx", "w") as target:
        for name in source.namelist():
            text = source.read(name).replace(b"<v>123456</v>", b"<v>12345678901234567</v>")
            target.writestr(name, text.replace(*change))

    make_table(tmp_path, files_source())

    rows = read_rows(tmp_path)
    assert calls["CarefulWorkbook"] == 1
    assert (rows[0]["v"], rows[0]["w"]) in ((12345678901234567, -5), ("12345678901234567", -5))
    assert v is not None or rows[1]["v"] is None


def test_how_columns_are_named_is_not_told_of_each(tmp_path: Path, calls: Counter[str]) -> None:
    """A table of twice as many declared columns takes no more of it."""
    for columns in (20, 40):
        root = tmp_path / str(columns)
        root.mkdir()
        names = [f"c{n}" for n in range(columns)]
        (inbox(root) / "a.csv").write_text(f"{','.join(names)}\n{','.join('1' for _ in names)}\n")
        make_table(root, files_source(columns=dict.fromkeys(names, "int")))
        calls[f"{columns} columns"] = calls.pop("Naming")

    assert calls["20 columns"] == calls["40 columns"]


def test_each_different_text_is_told_once_and_no_plain_digits_are_matched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be two of three values one text that is no number: a pattern is asked of that alone."""
    matched = lengths_given(monkeypatch, pc, "match_substring_regex")
    texts = pa.chunked_array([pa.array([f"{n}" if n % 3 == 0 else "x" for n in range(ROWS)])])

    cast = cast_texts(texts, "int")
    told = tell_unfit(texts.take(pa.array(cast.misfits)), "int")

    assert set(told.to_pylist()) == {"'x' is not an int"}
    assert len(told) == ROWS - len(range(0, ROWS, 3))
    assert sum(matched) < FEW


def test_days_before_1900_are_told_many_at_once() -> None:
    """As openpyxl tells each: of days, and of times to the millisecond."""
    serials = [-n / 48 for n in range(1, ROWS)] + [-693_593.0, -1e-17, -0.123456789, -100.999999999]

    texts = doubts.tell_days(serials)

    assert texts.to_pylist() == [from_excel(each).isoformat().removesuffix("T00:00:00") for each in serials]
    assert count_calls(lambda: doubts.tell_days(serials)) < 2 * FEW
    with pytest.raises(OverflowError):
        doubts.tell_days([-693_594.0])


def test_what_a_column_of_plain_numbers_is_is_not_told_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a sheet of many columns, all are judged at once but those of texts."""
    judged: list[pa.ChunkedArray] = []
    infer_type = inference.infer_type

    def counted(texts: pa.ChunkedArray) -> types.TypeName:
        judged.append(texts)
        return infer_type(texts)

    monkeypatch.setattr(inference, "infer_type", counted)
    with xlsxwriter.Workbook(inbox(tmp_path) / "a.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, [f"c{n}" for n in range(FEW)])
        sheet.write_row(1, 0, [n + 0.5 for n in range(FEW - 1)] + ["x"])

    table = make_table(tmp_path, files_source())

    assert list(table.types.values()) == ["float"] * (FEW - 1) + ["string"]
    assert 0 < len(judged) < FEW // 2


def test_a_number_behind_a_blank_is_none_the_less_one(tmp_path: Path, calls: Counter[str]) -> None:
    """Whoever wrote the sheet set a blank before it; a text of a formula keeps its own."""
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["v", "w"])
        sheet.write_row(1, 0, [123, 5])
    with zipfile.ZipFile(tmp_path / "a.xlsx") as source, zipfile.ZipFile(inbox(tmp_path) / "a.xlsx", "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"<v>123", b"<v> 123"))

    make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == [{"v": 123, "w": 5}]
    assert calls["CarefulWorkbook"] == 1


def test_columns_of_one_type_are_cast_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those with texts that are none are matched once, however many; each is what it is by itself."""
    matched = lengths_given(monkeypatch, values, "_cast_different")
    texts = ["5", "x", None, " 7 ", "NA", "1.50", "+8", "007", "1e3", "-0x1F", "2013-01-05", "true"]
    columns = {
        f"c{n}": pa.chunked_array([[texts[0]] * 3, [texts[n % k] for k in range(1, 13)]], pa.string())
        for n in range(2 * FEW)
    }
    alike.cast_alike(columns, dict.fromkeys(columns, "int"), {})
    assert len(matched) == 1

    for kind in ("int", "float", "bool", "date", "timestamp", "decimal(9,2)"):
        found = alike.cast_alike(columns, dict.fromkeys(columns, kind), {})
        for name, column in columns.items():
            alone = cast_texts(column, kind)
            assert found[name].values.to_pylist() == alone.values.to_pylist()
            assert found[name].misfits.tolist() == alone.misfits.tolist()
    assert not alike.cast_alike(
        columns, dict.fromkeys(columns, "int"), dict.fromkeys(columns, Column(type="int", thousands=","))
    )


def test_whole_numbers_of_all_columns_are_judged_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a float would hold them: by the bytes, and where one is beyond by kernels, its own column alone again."""
    judged = lengths_given(monkeypatch, pc, "min_max")
    columns = {f"c{n}": pa.chunked_array([[n, None, -n]]) for n in range(FEW)}
    columns["none"] = pa.chunked_array([[None]], pa.int64())
    own = dict.fromkeys(columns, "int") | {"text": "string"}

    assert narrow_types(own, columns, {}) == own | {"none": "null"}
    assert not judged
    columns["c3"] = pa.chunked_array([[2**53 + 1]])
    assert narrow_types(own, columns, {}) == own | {"none": "null", "c3": "long"}
    assert len(judged) == len(["all", "c3"])


def test_no_pattern_is_asked_of_words_among_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their first letter tells that they are none, and their bytes that they are shown as they stand."""
    asked = lengths_given(monkeypatch, pc, "match_substring_regex")
    texts = pa.chunked_array([[f"x{n}" if n % 3 else str(n) for n in range(ROWS)]])

    cast = cast_texts(texts, "int")
    reasons = tell_unfit(texts.take(pa.array(cast.misfits)), "int")

    assert reasons.to_pylist() == [f"'x{n}' is not an int" for n in range(ROWS) if n % 3]
    assert sum(asked) <= FEW
