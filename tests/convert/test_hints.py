"""Columns of texts nearly all of which are numbers, dates or truths are told with the cure, wherever in the files the others stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from ruamel.yaml import YAML

from tasks.config import Column
from tasks.convert.schema import shapes, spelling
from tasks.convert.schema.shapes import Shape, count_shapes
from tasks.core.errors import TableError
from tests.convert.conftest import api_source, files_source, land, make_table, read_rows, write_files

NUMBERS = [f"{n}" for n in range(100, 1_000)]
CURE = "; declare columns: {v: {type: %s}}"


def of_values(*values: str) -> str:
    """Return a file of CSV with these values in a column, each quoted."""
    return "v,n\n" + "".join(f'"{value}",{n}.5\n' for n, value in enumerate(values))


def told(root: Path, **settings: Any) -> list[str]:
    """Return what is told of the columns of a table."""
    return [each for each in make_table(root, files_source(**settings)).findings.warnings if each.startswith("v: ")]


@pytest.mark.parametrize("files", [1, 3])
def test_separators_beyond_the_head_are_told(tmp_path: Path, files: int) -> None:
    """Two numbers of 1,802, in the last of a file's rows or in its last file, make texts of all: with the cure they are numbers."""
    rows = "".join(f"{number};{number},5\n" for number in NUMBERS)
    odd = "1.082;2,5\n2.182;3,5\n"
    write_files(tmp_path, **{f"a{n}_csv": f"v;x\n{rows}{odd if n == files - 1 else ''}" for n in range(files)})

    (warning,) = told(tmp_path)

    assert warning == (
        "v: texts, although all values are numbers, as '1.082'; declare columns: "
        '{v: {type: int, thousands: ".", decimal: ","}}, or type: string if they are texts'
    )
    table = make_table(tmp_path, files_source(columns={"v": {"type": "int", "thousands": ".", "decimal": ","}}))
    assert table.findings.warnings == ()
    assert {1_082, 2_182} < {row["v"] for row in read_rows(tmp_path)}


@pytest.mark.parametrize(
    ("odd", "declared"),
    [
        (["1,082.50"], 'float, thousands: ","'),
        (["12,5"], 'float, decimal: ","'),
        (["12 €", "$1,234"], 'int, strip: true, thousands: ","'),
        (["12 €"], 'int, strip: ["€"]'),
        (["1'234"], 'int, thousands: "\'"'),
    ],
)
def test_numbers_in_any_spelling_are_told(tmp_path: Path, odd: list[str], declared: str) -> None:
    """What is told may be declared as it is written, and every value is a number then."""
    write_files(tmp_path, a_csv=of_values(*NUMBERS, *odd))

    (warning,) = told(tmp_path)

    assert CURE % declared in warning
    columns = YAML(typ="safe").load(f"{{v: {{type: {declared}}}}}")
    assert make_table(tmp_path, files_source(columns=columns)).rows_rejected == 0
    assert not any("texts" in each for each in told(tmp_path, columns=columns))


def test_what_may_be_thousands_or_decimals_is_told_as_both(tmp_path: Path) -> None:
    """Beside no other column's commas 1,082 may be a thousand times as much."""
    write_files(tmp_path, a_csv=of_values(*NUMBERS, "1,082"))

    (warning,) = told(tmp_path)

    assert '{v: {type: int, thousands: ","}} (or {type: float, decimal: ","}, if that is what they mean)' in warning


@pytest.mark.parametrize(
    ("values", "others", "kind", "declared"),
    [
        (NUMBERS, ["unknown", "-"], "numbers", "int"),
        ([f"2024-01-{n:02}" for n in range(1, 30)] * 5, ["soon"], "dates", "date"),
        ([f"01/{n}/2024" for n in range(13, 30)] * 9, ["31/01/2024"], "dates", 'date, format: "%m/%d/%Y"'),
        (["yes", "no"] * 40, ["perhaps"], "truths", 'bool, true: ["yes"], false: ["no"]'),
    ],
)
def test_a_few_others_make_texts_and_are_told(
    tmp_path: Path, values: list[str], others: list[str], kind: str, declared: str
) -> None:
    """With their number, and what they are."""
    write_files(tmp_path, a_csv=of_values(*values, *others))

    (warning,) = told(tmp_path)

    told_others = ", ".join(map(repr, others))
    assert f"all but {len(others)} of {len(values) + len(others):,} values are {kind}" in warning
    assert f"others are {told_others}: declare columns: {{v: {{type: {declared}}}}}, by which rows" in warning
    (hint,) = [each for each in make_table(tmp_path, files_source()).findings.guesses.hints if each.column == "v"]
    assert (hint.values - hint.fitting, hint.others) == (len(others), tuple(others))


@pytest.mark.parametrize(
    "values",
    [
        ["01067", *NUMBERS],
        ["+4930123", *NUMBERS],
        [*NUMBERS, *["x"] * 60],
        [f"N{n}" for n in NUMBERS],
        ["10.10.10.1", "10.10.10.2"] * 30,
        [f"{n}a" for n in NUMBERS],
        ["1/2/2024", "2/2/2024"],
        ["5,", "7,", "#8"] * 30,
        ["5", "!", "(7)", "8:"] * 30,
        ["Kiel", "Ulm", "5"],
    ],
)
def test_texts_are_not_told(tmp_path: Path, values: list[str]) -> None:
    """Nor are codes, or days of which nothing tells the month."""
    write_files(tmp_path, a_csv=of_values(*values))

    table = make_table(tmp_path, files_source())

    assert table.types["v"] == "string"
    assert (table.findings.warnings, table.findings.guesses.hints) == ((), ())


def test_a_declared_text_is_not_told(tmp_path: Path) -> None:
    """That is the other cure."""
    write_files(tmp_path, a_csv=of_values(*NUMBERS, "unknown"))

    assert told(tmp_path, columns={"v": "string"}) == []


def test_a_file_of_words_outweighs_one_of_numbers(tmp_path: Path) -> None:
    """All parts of the table count, and those that are kept from another run."""
    write_files(tmp_path, a_csv=of_values(*NUMBERS, "12 €"))
    assert told(tmp_path) != []

    write_files(tmp_path, b_csv=of_values(*(f"name {n}" for n in NUMBERS)))

    assert told(tmp_path) == []


def test_money_of_an_api_is_told_and_its_codes_are_not(tmp_path: Path) -> None:
    """Digits alone are what JSON says they are, texts."""
    source = api_source(key=[])
    land(tmp_path, source, "all", *(f'{{"v": "{n} €", "zip": "{n}"}}' for n in NUMBERS))

    table = make_table(tmp_path, source)

    (warning,) = table.findings.warnings
    assert warning.startswith("v: texts, although all values are numbers")
    assert [each.column for each in table.findings.guesses.hints] == ["v"]


@pytest.mark.parametrize(("last", "doubted"), [("2.500", True), ("2.5", False), ("1234.5", False), ("0.125", False)])
def test_a_point_beyond_the_head_is_doubted_by_every_value(tmp_path: Path, last: str, doubted: bool) -> None:
    """Where one value tells that points separate decimals, none is doubted: neither at the head nor below."""
    rows = "".join(f"{number};x\n" for number in NUMBERS)
    for head in ("", "3.125;x\n"):
        write_files(tmp_path, a_csv=f"v;t\n{head}{rows}1.082;x\n{last};x\n")

        table = make_table(tmp_path, files_source(), fresh=True)

        first = "3.125" if head else "1.082"
        said = f"has '{first}' in v, and nothing tells whether the point separates decimals"
        assert [said in each for each in table.findings.warnings] == [True] * doubted


def test_a_doubtful_point_beyond_the_head_is_refused_beside_commas(tmp_path: Path) -> None:
    """As one at the head is."""
    rows = "".join(f"{number};x\n" for number in NUMBERS)
    write_files(tmp_path, a_csv=f"v;t\n{rows}1.082;x\n", b_csv="v;t\n2,5;x\n")

    with pytest.raises(TableError, match=r"a\.csv has '1\.082', which may be a whole number"):
        make_table(tmp_path, files_source())


def test_shapes_are_counted_over_all_texts() -> None:
    """Of a column in pieces, with nulls and letters beyond ASCII: long runs of digits are one shape, and a zero before stays."""
    texts = pa.chunked_array([["12 €", None, "7 €", "13 €"], [], ["1234567", "12345", "0.5", ""]]).slice(1)

    assert {name: each.times for name, each in count_shapes({"v": texts})["v"].items()} == {
        "1 €": 1,
        "11 €": 1,
        "11111": 2,
        "0.1": 1,
        "": 1,
    }


@pytest.mark.parametrize("joined", [2**28, 0])
def test_what_is_too_long_to_be_a_number_is_not_looked_at(monkeypatch: pytest.MonkeyPatch, joined: int) -> None:
    """It counts among the rare ones, whose texts nobody reads; where most are so long there is no shape. Of many all are cut short first."""
    monkeypatch.setattr(shapes, "_JOINED_BYTES", joined)
    long = "1" * 300
    few, most = pa.chunked_array([["1,5", long, None, "", "2,5"]]), pa.chunked_array([["1,5", long, long, None]])

    assert {name: tuple(each) for name, each in count_shapes({"few": few})["few"].items()} == {
        "1,1": (2, "1,5"),
        "": (2, ""),
    }
    assert count_shapes({"most": most}) == {}


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Column]:
    """Return the declarations that values are judged by, as they are tried."""
    tried: list[Column] = []
    find = spelling.find_misfits

    def find_misfits(values: pa.ChunkedArray, declared: Column) -> set[int]:
        tried.append(declared)
        return find(values, declared)

    monkeypatch.setattr(spelling, "find_misfits", find_misfits)
    return tried


def test_no_format_is_tried_in_which_the_most_usual_text_is_no_time(tried: list[Column]) -> None:
    """Of two dozen formats, each of which takes a thousandth of a second a column, few are left."""
    shapes = [Shape(100, "31.12.2024 05:00"), Shape(3, "1.2.2024 5:00"), Shape(1, "2024-02-03")]

    found = spelling.find_spelling(shapes, 0, [".", ","], are_texts=False)

    assert found is not None
    assert found.declared == {"type": "timestamp", "format": "%d.%m.%Y %H:%M"}
    assert len(tried) <= 4


@pytest.mark.parametrize(
    ("odd", "usual", "times"),
    [("11,111", "11111", 0), ("11111", "1.5", 1), ("05.01.2013", "2013-01-05", 1)],
)
def test_no_other_way_to_read_what_a_format_tells_to_be_texts_is_tried(
    tried: list[Column], odd: str, usual: str, times: int
) -> None:
    """Numbers and times that are texts in Parquet or JSON are meant so: of a thousand columns of them each is asked once, of digits alone never."""
    shapes = [Shape(9, odd), Shape(99, usual)]

    assert spelling.find_spelling(shapes, 0, [".", ","], are_texts=True) is None
    assert len(tried) == times


@pytest.mark.parametrize(
    ("examples", "times"),
    [(["x5", "1"], 0), (["5", "apple"], 0), (["1,234", "5"], 5), (["1.5", "5"], 4)],
)
def test_no_declaration_is_tried_twice(tried: list[Column], examples: list[str], times: int) -> None:
    """Of a column of texts; and none where many of them begin as no number does."""
    spelling.find_spelling([Shape(9, each) for each in examples], 0, [".", ","], are_texts=False)

    assert len(tried) <= times
    assert len(tried) == len(set(map(repr, tried)))
