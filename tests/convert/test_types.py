"""Types: inferred, declared, widened, cast."""

from __future__ import annotations

from datetime import UTC, date, datetime
from math import inf
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.config import Column
from tasks.config.columns import ColumnType
from tasks.convert.schema.inference import declared_type, infer_type
from tasks.convert.schema.types import ARROW_TYPES, TypeName, widen, widen_table
from tasks.convert.schema.values import cast_texts
from tests.convert.conftest import PROPERTY, texts_of

TYPE_NAMES: tuple[TypeName, ...] = tuple(ARROW_TYPES)
any_type = st.sampled_from([*TYPE_NAMES, "decimal(4,2)", "decimal(18,0)", "decimal(30,20)", "decimal(38,2)"])


@pytest.mark.parametrize(
    ("texts", "type_name"),
    [
        (["1", " -2 ", "0", "NA", None], "int"),
        (["9223372036854775807"], "int"),
        (["9223372036854775808"], "string"),
        (["12345678901234567890", "1.5"], "string"),
        (["1", "1.5"], "float"),
        (["1e5", ".5", "-inf", "nan"], "float"),
        (["0.5", "-0"], "float"),
        (["007", "1"], "string"),
        (["-01"], "int"),
        (["0x10"], "string"),
        (["1,5"], "string"),
        (["1_000"], "string"),
        (["+4930123456", "NA"], "string"),
        (["-1.5"], "float"),
        (["true", "FALSE", ""], "bool"),
        (["true", "1"], "string"),
        (["yes"], "string"),
        (["2013-01-01", "NA"], "date"),
        (["2013-02-30"], "string"),
        (["2013-01-01", "2013-01-01 05:00"], "timestamp"),
        (["2013-01-01T05:00:00.123456"], "timestamp"),
        (["2013-01-01T05:00:00Z", "2013-01-01 05:00:00+02:00"], "timestamp_utc"),
        (["2013-01-01T05:00:00Z", "2013-01-01T05:00:00"], "string"),
        (["2013-01-01T05:00:00.123456789"], "string"),
        (["NA", "Namibia"], "string"),
        (["NA", "", None, "null"], "null"),
        ([], "null"),
        (["1", "#N/A", "\\N", "<NA>", "NaT", "-NaN"], "int"),
        (["1.5", "#DIV/0!"], "float"),
        (["2013-01-01", "NaT"], "date"),
    ],
)
def test_the_narrowest_type_of_all_texts_is_inferred(texts: list[str | None], type_name: TypeName) -> None:
    """A column has the narrowest type from which its texts could be written again."""
    assert infer_type(texts_of(*texts)) == type_name


@pytest.mark.parametrize("text", ["1", "1.5", "true", "2013-01-01", "2013-01-01 05:00", "2013-01-01T05:00:00Z", "x"])
@pytest.mark.parametrize("empty", ["", None, "NA"])
def test_no_value_in_the_first_rows_changes_no_type(text: str, empty: str | None) -> None:
    """However many of them the types are first tried by."""
    assert infer_type(texts_of(*[empty] * 150, text)) == infer_type(texts_of(text))


@pytest.mark.parametrize(
    ("texts", "declared", "type_name"),
    [
        (["x"], "int", "int"),
        (["1"], "string", "string"),
        (["2013-01-01T05:00:00"], "timestamp", "timestamp"),
        (["2013-01-01"], "timestamp", "timestamp"),
        (["2013-01-01T05:00:00", "2013-01-01T05:00:00Z "], "timestamp", "timestamp_utc"),
        (["2013-01-01T05:00:00+0200"], "timestamp", "timestamp_utc"),
        (["2013-01-01T05:00+02"], "timestamp", "timestamp_utc"),
        ([None, "NA"], "timestamp", "timestamp"),
    ],
)
def test_a_declared_timestamp_is_in_utc_where_a_zone_is_told(
    texts: list[str | None], declared: ColumnType, type_name: TypeName
) -> None:
    """A declared type stands; of timestamps the texts tell whether they have a zone."""
    assert declared_type(texts_of(*texts), Column(type=declared)) == type_name


@pytest.mark.parametrize(
    ("type_name", "texts", "values", "misfits"),
    [
        (
            "int",
            ["1", "x", " 2 ", "NA", "1.0", None, "x", "9223372036854775808"],
            [1, None, 2, None, 1] + [None] * 3,
            [1, 6, 7],
        ),
        (
            "int",
            ["5.", "-7.000", "1e+05", "1.5e1", "1.5", "1e400", "0e9", "inf"],
            [5, -7, 10**5, 15, None, None, 0, None],
            [4, 5, 7],
        ),
        ("float", ["1", "x", "NaN", "inf", "1e-3"], [1.0, None, None, inf, 0.001], [1]),
        ("bool", ["true", "FALSE", "1", "0", "yes", ""], [True, False, True, False, None, None], [4]),
        ("date", ["2013-01-01", "2013-02-30", "13-1-1"], [date(2013, 1, 1), None, None], [1, 2]),
        (
            "timestamp",
            ["2013-01-01", "2013-01-01T05:00:00Z", "2013-01-01 05:00:00.5"],
            [datetime(2013, 1, 1), None, datetime(2013, 1, 1, 5, 0, 0, 500_000)],  # noqa: DTZ001 - without a zone
            [1],
        ),
        (
            "timestamp_utc",
            ["2013-01-01", "2013-01-01T05:00:00+02:00"],
            [None, datetime(2013, 1, 1, 3, tzinfo=UTC)],
            [0],
        ),
        (
            "date",
            ["2013-01-01 00:00:00", "2013-01-01T00:00Z", "2013-01-01 05:00"],
            [date(2013, 1, 1)] * 2 + [None],
            [2],
        ),
        (
            "timestamp_utc",
            ["2013-01-01T05:00:00.000000000Z", "2013-01-01T05:00:00.1234560+00:00", "2013-01-01T05:00:00.0000001Z"],
            [datetime(2013, 1, 1, 5, tzinfo=UTC), datetime(2013, 1, 1, 5, 0, 0, 123_456, tzinfo=UTC), None],
            [2],
        ),
        (
            "timestamp",
            ["2013-01-01 05:00:00.0000000", "2013-01-01"],
            [datetime(2013, 1, 1, 5), datetime(2013, 1, 1)],  # noqa: DTZ001 - without a zone
            [],
        ),
        ("null", ["NA", None, "x", ""], [None] * 4, [2]),
        ("string", ["NA", " x ", "null", None], ["NA", " x ", "null", None], []),
    ],
)
def test_texts_that_do_not_fit_are_found(
    type_name: TypeName, texts: list[str | None], values: list[Any], misfits: list[int]
) -> None:
    """Texts become values, missing ones null, and each that is none of the type is told by its index."""
    cast = cast_texts(texts_of(*texts), type_name)

    assert (cast.values.to_pylist(), list(cast.misfits)) == (values, misfits)
    assert cast.values.type == ARROW_TYPES[type_name]


@PROPERTY
@given(any_type, any_type, any_type)
def test_widening_is_a_join(one: TypeName, two: TypeName, three: TypeName) -> None:
    """In whatever order files come, and however often, their types widen to the same."""
    assert widen(one, two) == widen(two, one)
    assert widen(widen(one, two), three) == widen(one, widen(two, three))
    assert widen(one, one) == one
    assert widen(one, "null") == one
    assert widen(one, "string") == "string"


@pytest.mark.parametrize(
    ("one", "other", "type_name"),
    [
        ("decimal(10,2)", "decimal(8,4)", "decimal(12,4)"),
        ("decimal(10,2)", "int", "decimal(21,2)"),
        ("decimal(10,2)", "long", "decimal(21,2)"),
        ("decimal(30,20)", "int", "string"),
        ("decimal(10,2)", "float", "string"),
        ("decimal(38,0)", "decimal(38,38)", "string"),
    ],
)
def test_decimals_are_widened_exactly(one: TypeName, other: TypeName, type_name: TypeName) -> None:
    """A type that holds both has the digits of each before and after the point; where none has so many, it is text."""
    assert widen(one, other) == widen(other, one) == type_name


@PROPERTY
@given(st.lists(st.sampled_from(["1", "2.5", "true", "2013-01-01", "2013-01-01T05:00", "x", "NA", "007", None])))
def test_texts_fit_the_type_inferred_and_every_wider_one(texts: list[str | None]) -> None:
    """No text is a misfit in the inferred type, nor in one that it widens to."""
    column = texts_of(*texts)
    inferred = infer_type(column)

    misfits = {name: list(cast_texts(column, widen(inferred, name)).misfits) for name in TYPE_NAMES}

    assert misfits == {name: [] for name in TYPE_NAMES}


def test_a_table_that_cannot_be_read_again_is_widened() -> None:
    """Its values keep their meaning in the wider types, and a column it lacks is null."""
    table = pa.table({"int": [1, 2**53 + 1], "float": [1.5, None], "date": [date(2013, 1, 1), None]})
    types: dict[str, TypeName] = {"new": "bool", "date": "timestamp", "float": "string", "int": "float"}

    widened = widen_table(table, types)

    assert widened.schema == pa.schema({name: ARROW_TYPES[type_name] for name, type_name in types.items()})
    assert widened.to_pylist() == [
        {"new": None, "date": datetime(2013, 1, 1), "float": "1.5", "int": 1.0},  # noqa: DTZ001 - without a zone
        {"new": None, "date": None, "float": None, "int": 2.0**53},
    ]


@pytest.mark.parametrize("name", TYPE_NAMES)
def test_a_column_without_a_value_is_widened_to_any_type(name: TypeName) -> None:
    """Of times, truths and dates there is no cast to each: a file of Parquet with such a column ended convert beside one of decimals."""
    nulls = {str(kind): pa.nulls(2, kind) for kind in (pa.timestamp("us"), pa.bool_(), pa.date32(), pa.string())}

    widened = widen_table(pa.table(nulls), dict.fromkeys(nulls, name))

    assert widened.to_pylist() == [dict.fromkeys(nulls)] * 2


@pytest.mark.parametrize("word", ["nan(ind)", "-nan(ind)", "+nan", "-nan", "+inf"])
def test_a_way_to_write_no_number_gives_one_type_wherever_it_stands(word: str) -> None:
    """First or last, a column of numbers is the same."""
    numbers = ["1.5"] * 40

    found = {infer_type(pa.chunked_array([texts])) for texts in ([word, *numbers], [*numbers, word])}

    assert found == {"float"}
