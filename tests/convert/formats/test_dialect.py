"""Dialects: how a CSV file is written, told by its first records."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.config import Reading
from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats import header
from tasks.convert.formats.csv import dialect, quoting
from tasks.convert.formats.csv import header as csv_header
from tasks.convert.formats.csv.dialect import Dialect, detect_dialect
from tests.convert.conftest import PROPERTY
from tests.convert.slow_paths import count_calls

NAMES = ["id", "name", "since", "share", "note"]
CELLS = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: f"{number:.2f}"),
    st.dates().map(str),
    st.text(st.sampled_from("abcdefghijäöü ÅßñЖ本"), max_size=12),
    st.sampled_from(
        ["", "x, y", "a;b", "tab\there", "one|two", 'say "hi"', "line\nbreak", "it's", "NA", "é\u2028x", "1,234"]
    ),
)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """Draw five records and more of three columns and more, under a header of names."""
    width = draw(st.integers(3, 5))
    row = st.lists(CELLS, min_size=width, max_size=width)
    return [NAMES[:width], *draw(st.lists(row, min_size=5, max_size=12))]


def write(rows: list[list[str]], **options: Any) -> str:
    """Return what csv.writer makes of rows."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, **options).writerows(rows)
    return buffer.getvalue()


@PROPERTY
@given(
    rows=tables(),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_writer_writes_is_detected(rows: list[list[str]], delimiter: str, quoting: int, end: str) -> None:
    """Whatever the delimiter and the quoting, values that hold the other delimiters lead nobody astray."""
    found = detect_dialect(write(rows, delimiter=delimiter, quoting=quoting, lineterminator=end), Reading(), ".csv")

    assert (found.delimiter, found.quote, found.has_header) == (delimiter, '"', True)


@PROPERTY
@given(rows=tables(), delimiter=st.sampled_from(",;\t|"))
def test_single_quotes_around_fields_are_detected(rows: list[list[str]], delimiter: str) -> None:
    """Where ' wraps every field, a " within one does not lead astray."""
    text = write(rows, delimiter=delimiter, quotechar="'", quoting=csv.QUOTE_ALL)

    found = detect_dialect(text, Reading(), ".csv")

    assert (found.delimiter, found.quote, found.has_header) == (delimiter, "'", True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n", Dialect()),
        ("a\n1\n2\n", Dialect()),
        ("", Dialect()),
        ("a,b\n1,5;x\n", Dialect()),
        ("name\tnote\n1\tx, y\n2\ta, b\n", Dialect("\t")),
        ("1,5;2,5;3,5\n1,5;2,5;3,5\n2,5;1,5;3,5\n", Dialect(";", has_header=False, decimal=",")),
        ("a|b\n1\u2028x|2\n3\x0cy|4\n", Dialect("|")),
        ("a,b\n'x \"y\" z','k'\n'x, y','z'\n1,2\n", Dialect(quote="'")),
        ("a,b\n1,'tis\n2,the boys'\n", Dialect()),
        ("a,b\n\"it's 'x','y'\",2\n\"'x','y','z'\",2\n1,2\n", Dialect()),
        ("1,2\n3,4\n5,6\n", Dialect(has_header=False)),
        ("31/01/2013,1\n01/02/2013,2\n02/02/2013,2\n", Dialect(has_header=False)),
        ("2013-01-31T05:06:07Z,\n2013-02-01T05:06:07Z,x\n", Dialect(has_header=False)),
        ("country,2010,2011\nx,1,2\ny,2,3\n", Dialect()),
    ],
)
def test_each_case_is_told_by_its_rule(text: str, expected: Dialect) -> None:
    """Delimiters by the number of fields, then by typed ones; quotes by what wraps; headers by what is no value."""
    assert detect_dialect(text, Reading(), ".csv") == expected


@pytest.mark.parametrize(
    ("values", "decimal"),
    [
        (["1,5", "2,25"], ","),
        (["1.234,5", "1.234", "2.345"], ","),
        (["0,125"], ","),
        (["1234,567"], ","),
        (["1,234", "2,345"], "."),
        (["1,234,567", "2,345.5"], "."),
        (["1.5", "2,5", "2.5"], "."),
        (["x", "1"], "."),
    ],
)
def test_a_comma_before_three_digits_may_be_of_thousands(values: list[str], decimal: str) -> None:
    """Decimals are commas only where they can be nothing else, and there are more of them than points."""
    text = "n;t\n" + "".join(f"{value};x\n" for value in [*values, "1"])

    assert detect_dialect(text, Reading(), ".csv").decimal == decimal


def test_what_is_declared_is_not_detected() -> None:
    """Each of the four may be declared alone; a .tsv is separated by tabs."""
    text = "a;b\n1,5;'x'\n2,5;'y'\n"

    assert detect_dialect(text, Reading(), ".csv") == Dialect(";", "'", decimal=",")
    assert detect_dialect(text, Reading(delimiter="|"), ".csv").delimiter == "|"
    assert detect_dialect(text, Reading(quote=""), ".csv").quote == ""
    assert detect_dialect(text, Reading(quote='"'), ".csv").quote == '"'
    assert not detect_dialect(text, Reading(header=False), ".csv").has_header
    assert detect_dialect("1;2\n3;4\n", Reading(header=True), ".csv").has_header
    assert detect_dialect(text, Reading(decimal="."), ".csv").decimal == "."
    assert detect_dialect(text, Reading(), ".tsv").delimiter == "\t"
    assert detect_dialect('a"b\n1"2\n', Reading(delimiter='"'), ".csv") == Dialect('"', "")


def test_the_first_records_are_read_once_by_each_delimiter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a header that one divides were read again to weigh it, and the values of all judged where the widths of the records tell."""
    counts: Counter[str] = Counter()
    for name in ("_read_lines", "_records", "_share_typed"):
        count_calls(monkeypatch, counts, dialect, name)

    assert detect_dialect("a;b\n1,5;x\n2\n3,5;y\n4,5;z\n", Reading(), ".csv") == Dialect(";", decimal=",")
    assert counts == {"_read_lines": len([";", ",", "all"])}


def test_an_escape_by_which_all_records_are_alike_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """To read the records without it, and to rewrite them for the first rows again, took as long as to find it."""
    counts: Counter[str] = Counter()
    count_calls(monkeypatch, counts, quoting, "_alike")
    count_calls(monkeypatch, counts, quoting.Quoting, "rewrite")

    assert detect_dialect('a,b\n1,"x \\"y\\" z"\n2,x\n', Reading(), ".csv").escape == "\\"
    assert counts == {"_alike": 1, "rewrite": 1}


def test_titles_are_looked_for_once_by_each_delimiter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the records that the best one divides were told twice."""
    counts: Counter[str] = Counter()
    count_calls(monkeypatch, counts, header, "_count_titles")
    text = "Station 5; Berlin\nid;name;n\n1;x;1,5\n2;y;2,5\n3;z;3,5\n"

    assert detect_dialect(text, Reading(), ".csv") == Dialect(";", decimal=",", above=1, title="Station 5  Berlin")
    assert counts == {"_count_titles": len([";", ","])}


def test_no_record_is_told_apart_for_a_quoted_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """But where it goes on below its line: all that the first 64 kB hold were, for the first."""
    counts: Counter[str] = Counter()
    count_calls(monkeypatch, counts, csv_header, "Records")
    for first, lines in (('"id","a ""b""",c', 0), ('"id","a\nb",c', 1)):
        head = csv_header.read_head(ByteView.of(f"{first}\n1,2,3\n".encode()), Reading(), ".csv", list)

        assert (head.lines, counts["Records"]) == (1 + lines, lines)
        assert head.fields == tuple(next(csv.reader(io.StringIO(first, newline=""))))


@PROPERTY
@given(st.text(st.sampled_from("ab1,;\t|'\"\r\n .-é\0\u2028")))
def test_any_text_has_a_dialect(text: str) -> None:
    """Whatever a file begins with, something is told, and no error raised."""
    assert detect_dialect(text, Reading(), ".csv").delimiter in ",;\t|"
