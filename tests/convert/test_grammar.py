"""What texts of a type look like is what Arrow takes for one, text by text; of decimals, what Python's do."""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.convert.schema.grammar import pattern_of
from tasks.convert.schema.types import TypeName, arrow_type
from tasks.convert.schema.values import cast_texts
from tests.convert.conftest import PROPERTY, texts_of

_TYPES: list[TypeName] = ["bool", "int", "long", "float", "date", "timestamp", "timestamp_utc"]
_TWO = [f"{number:02}" for number in range(63)]
_YEARS = ["0000", "0004", "1900", "2000", "2013", "2024", "2100", "9999", "213"]
_ODD = [*" \tTtZz.,:+-eExX059_(\0\u0661\uff11\u00a0\u2212", "e308", "e-999", "nan", "inf", "0x"]
_GREAT = [2**63, 2**64, 10**18, 10**19]


def _days() -> st.SearchStrategy[str]:
    return st.builds("{}-{}-{}".format, st.sampled_from(_YEARS), *[st.sampled_from(_TWO[:34])] * 2)


def _times() -> st.SearchStrategy[str]:
    hour, minute = " {0}", "T{0}:{1}"
    shape = st.sampled_from(
        [hour, minute, *(f"{minute}:{{2}}{fraction}" for fraction in ["", ".5", ".123456", ".1234567"])]
    )
    zone = st.sampled_from(["", "", "Z", "+{3}", "-{3}:{4}", "+{3}{4}", " +01:00", "z", "+1"])
    two = st.sampled_from(_TWO)
    return st.builds(
        lambda day, shape, zone, *each: day + (shape + zone).format(*each), _days(), shape, zone, *[two] * 5
    )


def _numbers() -> st.SearchStrategy[str]:
    near = st.builds(lambda great, more: str(great + more), st.sampled_from(_GREAT), st.integers(-2, 2))
    digits = st.text("0123456789", max_size=22)
    dotted = st.builds("{}.{}".format, digits, digits)
    hexed = st.builds("0x{}".format, st.text("0123456789abcdefABCDEF", max_size=17))
    words = st.sampled_from(
        ["true", "False", "tRUE", "yes", "t", "nan", "NaN(ind)", "nan()", "-inf", "Infinity", "-0", "-"]
    )
    signed = st.builds("{}{}".format, st.sampled_from(["", "-", "+"]), near | digits | dotted)
    return signed | hexed | words | st.builds("{}e{}".format, dotted | digits, st.integers(-400, 400))


@st.composite
def near_texts(draw: st.DrawFn) -> str:
    """Draw a text that is a number or a time, or all but one."""
    text = draw(st.one_of(_days(), _times(), _numbers()))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(st.sampled_from(["", *_ODD])) + text[place + draw(st.integers(0, 1)) :]
    return text


def is_one(text: str, name: TypeName) -> bool:
    """Return whether Arrow takes a text, alone, for a value of a type."""
    try:
        pc.cast(pa.array([text], pa.string()), arrow_type(name))
    except pa.ArrowInvalid:
        return False
    return name not in ("int", "long") or not re.fullmatch(
        "0[xX][89a-fA-F][0-9a-fA-F]{15}", text
    )  # taken for one below 0


def told(texts: list[str], name: TypeName) -> list[bool]:
    """Return which texts look like those of a type."""
    return list(pc.match_substring_regex(pa.array(texts, pa.string()), pattern_of(name)).to_pylist())


@PROPERTY
@given(st.lists(near_texts(), min_size=2, max_size=9))
def test_a_text_is_one_where_arrow_takes_it_for_one(texts: list[str]) -> None:
    """Of every type, whatever the text."""
    for name in _TYPES:
        assert dict(zip(texts, told(texts, name), strict=True)) == {text: is_one(text, name) for text in texts}


@pytest.mark.parametrize(
    "year", ["0000", "0001", "1896", "1900", "1904", "2000", "2013", "2024", "2100", "9996", "9999"]
)
def test_a_day_is_one_of_the_calendar(year: str) -> None:
    """Of leap years and others, each month and day that two digits tell near those that there are."""
    days = [f"{year}-{month}-{day}" for month in [*_TWO[:14], "20", "99"] for day in [*_TWO[:34], "40", "99"]]

    assert told(days, "date") == told(days, "timestamp") == [is_one(day, "date") for day in days]


@st.composite
def decimals(draw: st.DrawFn) -> tuple[TypeName, list[str]]:
    """Draw a type of decimals, and numbers of which some have more digits than fit."""
    digits = draw(st.integers(1, 38))
    name = f"decimal({digits},{draw(st.integers(0, digits))})"
    some = st.text("0123456789", max_size=60) | st.text("01", max_size=12)
    number = st.builds(
        "{}{}{}".format, st.sampled_from(["", "-", "+"]), some, st.builds(".{}".format, some) | st.just("")
    )
    return name, draw(
        st.lists(st.builds("{}{}".format, number, st.sampled_from(["", "", "e5", "E-3", "e+70", "e-80"])))
    )


def fitting(text: str, kind: Any) -> Decimal | None:
    """Return the number that a text is, where all of its digits fit."""
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e.*)?", text, re.IGNORECASE) or ".e" in text.lower():
        return None
    with localcontext() as context:
        context.prec = 400
        number = Decimal(text) * 10**kind.scale
        fits = number == number.to_integral_value() and abs(number) < 10**kind.precision
    return Decimal(text) if fits else None


@PROPERTY
@given(decimals())
def test_a_decimal_is_the_number_that_is_written_or_none(drawn: tuple[TypeName, list[str]]) -> None:
    """Arrow takes some with more digits than fit for another number, without a word."""
    name, texts = drawn
    numbers = [fitting(text, arrow_type(name)) for text in texts]

    cast = cast_texts(texts_of(*texts), name)

    assert cast.values.to_pylist() == numbers
    assert list(cast.misfits) == [place for place, number in enumerate(numbers) if number is None and texts[place]]
