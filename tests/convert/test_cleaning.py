"""Columns that clean themselves: units, patterns, words for truths and columns that are left out, through each format."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.config import Column
from tasks.convert.schema.cleaning import clean
from tasks.convert.schema.values import cast_texts
from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table, read_rejects, read_rows


def write(path: Path, values: list[Any]) -> None:
    """Write the columns id and v in the format that the file's name tells."""
    path.parent.mkdir(exist_ok=True, parents=True)
    rows = [{"id": n, "v": value} for n, value in enumerate(values)]
    if path.suffix == ".csv":
        path.write_text("id;v\n" + "".join(f"{row['id']};{'' if row['v'] is None else row['v']}\n" for row in rows))
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def convert(root: Path, name: str, values: list[Any], **declared: Any) -> tuple[list[Any], list[str]]:
    """Return what stays of a column's values, and why the others are rejects."""
    write(root / "inbox" / name, values)
    make_table(root, files_source(columns={"v": declared}, table={"max_rejects": None}))
    return [row["v"] for row in read_rows(root)], [each["reason"] for each in read_rejects(root)]


FORMATS = pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])


@FORMATS
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.50 €", 1234.5),
        ("$1,234.50", 1234.5),
        ("-$5", -5),
        ("$-5", -5),
        ("- 5 €", -5),
        ("785 g", 785),
        ("785\u00a0g", 785),
        ("12%", 12),
        ("Rs. 500", 500),
        ("5 kr.", 5),
        ("kr. 5", 5),
        ("CHF 5", 5),
        ("CHF5", 5),
        ("eur 5", 5),
        ("US$5", 5),
        ("R$ 5", 5),
        ("%5", 5),
        ("$.50", 0.5),
        ("A5", None),
        ("A 5", None),
        ("No. 5", None),
        ("EURO2024X 5", None),
        ("xEUR 5", None),
        ("chfa 5", None),
        ("kg 5", None),
        ("Q3", None),
        ("3e5 g", 300_000),
        ("--5 €", None),
        ("EUR 5 per kg", None),
        ("EUR 5/kg", 5),
        ("Rs.500", None),
        ("5k", None),
        ("5 Mio. €", None),
        ("5 mld €", None),
        ("3.5 Md€", None),
        ("5 crores", None),
        ("5 тыс", None),
        ("5 trillion", None),
        ("5T", None),
        ("$5m", None),
        ("bis 5 €", None),
        ("5e", None),
        ("\u22125 €", None),
        ("(5 €)", None),
        ("12-15 €", None),
        ("1 kg 500 g", None),
        ("0xFF", None),
        ("5 €5", None),
        ("€", None),
    ],
)
def test_what_stands_around_a_number(tmp_path: Path, name: str, text: str, value: float | None) -> None:
    """A currency, or a unit behind it, is taken off; what would make it another number, or none, is a reject."""
    kept, reasons = convert(tmp_path, name, [text, "1"], type="float", strip=True, thousands=",")

    if value is None and text != "EUR 5 per kg":
        assert kept == [1.0]
        assert reasons == [f"{text!r} is not a float"]
    else:
        assert kept == [5.0 if value is None else value, 1.0]


@FORMATS
@pytest.mark.parametrize("odd", [[], ["x"], ["7 €", "$8", "9"]])
def test_a_list_takes_off_nothing_else(tmp_path: Path, name: str, odd: list[str]) -> None:
    """Another unit makes the row a reject, be it the only one or one of many."""
    kept, reasons = convert(tmp_path, name, ["5 g", "6g", "7", "8 kg", *odd], type="int", strip=["g"])

    assert kept == [5, 6, 7, *([9] if odd[1:] else [])]
    assert reasons == [f"{text!r} is not an int" for text in ["8 kg", *odd] if text != "9"]


def test_numbers_of_json_stay(tmp_path: Path) -> None:
    """A number has nothing around it, beside texts that have or alone."""
    assert convert(tmp_path, "a.jsonl", [5, "6 g", None, 7.5], type="float", strip=True) == ([5, 6, None, 7.5], [])


@FORMATS
def test_units_that_differ_are_told(tmp_path: Path, name: str) -> None:
    """A column of grams and kilograms is a warning with counts and the cure, also where many ways of writing come."""
    write(tmp_path / "inbox" / name, ["5 g", "6 g", "7 kg", "8g", "9 t", "1 lb", "2 oz"])
    source = files_source(columns={"v": {"type": "float", "strip": True}})
    table = make_table(tmp_path, source)

    (warning,) = table.findings.warnings
    assert table.findings.guesses.taken == {"v": {"g": 3, "kg": 1, "t": 1, "lb": 1, "oz": 1}}
    assert "'g' 3 times, 'kg' 1 time" in warning
    assert "strip: ['g']" in warning
    assert [row["v"] for row in read_rows(tmp_path)] == [5, 6, 7, 8, 9, 1, 2]
    assert make_table(tmp_path, source).findings.warnings == (warning,)


@pytest.mark.parametrize("strip", [True, ("g", "kg", "mg", "t", "m2", "EUR", "€")])
def test_a_text_becomes_the_same_whatever_others_are(strip: Any) -> None:
    """Alone, beside a few ways of writing, and beside more than are looked at one by one."""
    texts = ["1", "-2", "+3 g", "4.5kg", "-6 mg", "7 t", "8 EUR", "EUR 9", "€10", "-€11", "€-12", "13-14 g", "1e2 kg"]
    texts += ["g", "x5", "5 m2", ".5 g", "5. g", "€.5", "5-", "7 g g", "8 gk", "inf g", "nan", "0x1F g", "  6 g "]
    declared = Column(type="float", strip=strip)

    def read(*written: str) -> tuple[list[Any], Mapping[str, int]]:
        cleaned = clean(pa.chunked_array([written]), declared)
        return cast_texts(cleaned.values, "float", declared).values.to_pylist()[: len(texts)], cleaned.taken

    alone = [read(text) for text in texts]
    many = [f"{n}x{n}y" for n in range(2_000)]

    assert read(*texts)[0] == [value for (value,), _ in alone]
    assert read(*texts, *many) == read(*texts)
    assert read(*texts)[1] == sum((Counter(taken) for _, taken in alone), Counter())


@FORMATS
def test_a_pattern_keeps_its_group(tmp_path: Path, name: str) -> None:
    """The whole value has to match; null stays null, and so is a group that is empty, or not there."""
    values = ["Order 5", "Order 6a", None, "Order ", "1.Order 7", "Order"]

    kept, reasons = convert(tmp_path, name, values, pattern=r"[(]?Order(?: (\d*))?", type="int")

    assert kept == [5, None, None, None]
    assert reasons == ["'Order 6a' does not match the pattern", "'1.Order 7' does not match the pattern"]


@FORMATS
def test_the_type_of_a_group_is_inferred(tmp_path: Path, name: str) -> None:
    """Without a type the column has that of what the pattern leaves."""
    assert convert(tmp_path, name, ["No. 5", "No. 6"], pattern=r"No\. (\d+)") == ([5, 6], [])


@FORMATS
def test_words_are_truths(tmp_path: Path, name: str) -> None:
    """Upper or lower case, in blanks or not; other words are rejects, true among them."""
    values = ["ja", " JA ", "Nein", "N/A", None, "true", "vielleicht", "ÜBER"]

    kept, reasons = convert(tmp_path, name, values, type="bool", true=["Ja", "über"], false=["nein"])

    assert kept == [True, True, False, None, None, True]
    assert reasons == [
        f"{word!r} is none of the words that are declared true or false" for word in ("true", "vielleicht")
    ]


@FORMATS
def test_a_dropped_column_is_left_out(tmp_path: Path, name: str) -> None:
    """Its values reject nothing, whatever they are."""
    write(tmp_path / "inbox" / name, ["a", None])

    table = make_table(tmp_path, files_source(columns={"v": {"drop": True}}))

    assert table.types == {"id": "int"}
    assert table.rows_table == 2


@FORMATS
@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"id": {"drop": True}, "v": {"drop": True}}, "no column that is not dropped; take drop out"),
        ({"w": {"drop": True}}, "columns.w: no (file|record) has this column"),
        ({"w": {"type": "float", "strip": True}}, "columns.w: no (file|record) has this column"),
    ],
)
def test_what_cannot_be_left_out_is_an_error(tmp_path: Path, name: str, columns: dict[str, Any], sentence: str) -> None:
    """A table of no column is none, and what is dropped or cleaned has to be there."""
    write(tmp_path / "inbox" / name, ["a", "b"])

    with pytest.raises(TableError, match=sentence):
        make_table(tmp_path, files_source(columns=columns))


def test_both_ways_of_reading_agree(tmp_path: Path) -> None:
    """A block with a record that is none is read record by record, and its rows are the same."""
    columns = {"a": {"type": "float", "strip": True, "thousands": ","}, "b": {"pattern": r"x(\d)"}}
    rows = "".join(f'"{n:,}.25 €";x{n % 10}\n' for n in range(2_000))
    for folder, extra in (("at_once", ""), ("one_by_one", '"1";x1;2\n')):
        (tmp_path / folder / "inbox").mkdir(parents=True)
        (tmp_path / folder / "inbox" / "a.csv").write_text(f"a;b\n{rows}{extra}")
        make_table(tmp_path / folder, files_source(columns=columns))

    assert read_rows(tmp_path / "at_once") == read_rows(tmp_path / "one_by_one")
    assert len(read_rows(tmp_path / "at_once")) == 2_000


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.decimals(-(10**9), 10**9, places=2),
            st.sampled_from(["", "€", "$", "kg", "%", "m²", "Rs. "]),
            st.sampled_from(["", " ", "\u00a0", "\u202f"]),
            st.booleans(),
        ),
        min_size=1,
    ),
    st.sampled_from([",", " ", "'", "_"]),
)
def test_a_number_in_any_unit_is_that_number(written: list[tuple[Decimal, str, str, bool]], separator: str) -> None:
    """Whatever unit stands behind it, or currency in front of it, and whatever separates its thousands."""
    texts = []
    for number, unit, blank, is_before in written:
        digits = f"{number:,.2f}".replace(",", separator)
        stands_before = is_before and unit not in ("kg", "m²")
        texts.append(f"{unit}{blank or ' '}{digits}" if stands_before else f"{digits}{blank}{unit}")
    declared = Column(type="float", strip=True, thousands=separator)

    cleaned = clean(pa.chunked_array([texts]), declared)
    cast = cast_texts(cleaned.values, "float", declared)

    assert cast.values.to_pylist() == [float(number) for number, *_ in written]
    assert len(cast.misfits) == 0
