"""What may be declared of columns, as the texts at their head are written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from tasks.convert.head import Head
from tasks.convert.proposal import ColumnProposal, propose_columns, propose_key
from tasks.convert.schema.blocks import Guess, Hint

_KINDS = {"int64": "int", "string": "string", "null": "null"}


def head_of(columns: dict[str, list[Any]], decimal: str = ".") -> Head:
    """Return a head of these columns."""
    rows = pa.table(columns)
    types = {name: _KINDS[str(rows[name].type)] for name in columns}
    return Head("f", rows, types, (), rows.num_rows, Guess("csv", decimal=decimal), (), is_whole=True)


def proposed(*values: Any, name: str = "a", decimal: str = ".") -> ColumnProposal:
    """Return what is proposed of a column."""
    (found,) = propose_columns(head_of({name: list(values)}, decimal))
    return found


@pytest.mark.parametrize(
    ("values", "declared"),
    [
        (("44.90 €", "1.50 €"), {"type": "float", "strip": ["€"], "thousands": ","}),
        (("1.234,50 €", "12,00 €", None), {"type": "float", "strip": ["€"], "thousands": ".", "decimal": ","}),
        (("1.234,50", "1.000.000,00"), {"type": "float", "thousands": ".", "decimal": ","}),
        (("1 234,50 EUR", "5,00 EUR"), {"type": "float", "strip": ["EUR"], "thousands": " ", "decimal": ","}),
        (("1'234.50", "5.00"), {"type": "float", "thousands": "'"}),
        (("1,234,567", "12"), {"type": "int", "thousands": ","}),
        (("-1.50 $", "+2.25 $"), {"type": "float", "strip": ["$"], "thousands": ","}),
        (("5 %", "12 %"), {"type": "float", "strip": ["%"]}),
        (("12.50", "3.1"), {"type": "float"}),
        (("31.12.2024", "1.1.2025"), {"type": "date", "format": "%d.%m.%Y"}),
        (("01/13/2024", "03/04/2024"), {"type": "date", "format": "%m/%d/%Y"}),
        (("31.12.2024 08:00", "01.01.2025 09:30"), {"type": "timestamp", "format": "%d.%m.%Y %H:%M"}),
        (("Ja", "nein", None), {"type": "bool", "true": ["Ja"], "false": ["nein"]}),
    ],
)
def test_what_all_values_show_is_certain(values: tuple[Any, ...], declared: dict[str, Any]) -> None:
    """Units, separators, dates and words are declared as every value of the head has them."""
    found = proposed(*values)

    assert (found.declared, found.is_certain) == (declared, True)


@pytest.mark.parametrize(
    ("values", "declared", "why"),
    [
        (("1.234", "2.500"), {"type": "int", "thousands": ".", "decimal": ","}, "may separate thousands, as here, or"),
        (("01/02/2024", "03/04/2024"), {"type": "date", "format": "%d/%m/%Y"}, "or as %m/%d/%Y"),
        (("5 €", "6 $"), {"type": "float", "strip": ["€", "$"]}, "different units, € and $"),
        (("1", "22"), {"type": "int"}, "as ids are too"),
        (("1.5", "sold out", "2", "3"), {"type": "float", "nulls": ["sold out"]}, "sold out is no number"),
        (("yes", "yes"), {"type": "bool", "true": ["yes"], "false": ["no"]}, "its only word in the head"),
        (("5 boxes", "6 boxes", "7 boxes"), {"type": "float", "strip": ["boxes"]}, "is taken for a unit"),
        ((20240131, 20240201), {"type": "date", "format": "%Y%m%d"}, "may be a day"),
    ],
)
def test_what_may_be_meant_otherwise_is_in_doubt(values: tuple[Any, ...], declared: dict[str, Any], why: str) -> None:
    """A guess comes with the reason why it is one."""
    found = proposed(*values)

    assert (found.declared, found.is_certain) == (declared, False)
    assert why in found.why


@pytest.mark.parametrize(
    "values",
    [
        ("01234", "99999"),
        ("12k", "3k"),
        ("5 Mio", "6 Mio"),
        ("R2", "R5"),
        ("1.2.3.4", "10.0.0.1"),
        ("030 123", "040 4"),
        ("a", "b"),
        (1, 2),
    ],
)
def test_what_only_looks_like_a_number_stays(values: tuple[Any, ...]) -> None:
    """Codes, phone numbers, addresses, and words that multiply, are proposed as nothing else than they are."""
    assert not proposed(*values).declared


def test_a_version_is_no_number_for_certain() -> None:
    """1.10 of a version is not 1.1, and one value alone shows little."""
    assert not proposed("1.10", "1.2", name="app_version").is_certain
    assert not proposed("12.50").is_certain


def test_numbers_of_one_file_are_written_in_one_way() -> None:
    """Beside decimal commas, in the same file, a point separates thousands for certain."""
    beside = propose_columns(head_of({"a": ["1.234", "2.500"], "b": ["5,50 €", "1,00 €"]}))[0]

    assert (beside.declared, beside.is_certain) == ({"type": "int", "thousands": ".", "decimal": ","}, True)
    assert proposed("1.234", "2.500", decimal=",") == beside


def test_a_point_that_was_read_as_a_decimal_is_none_beside_decimal_commas() -> None:
    """Numbers that a file has in doubt are whole ones where another of its columns has decimal commas, and else a guess."""
    doubted = Guess("csv", doubts=(Hint("n", "1.045", ""),))
    rows = pa.table({"n": [1.045, 980.0], "sum": ["5,50 €", "1,00 €"]})
    head = Head("f", rows, {"n": "float", "sum": "string"}, (), 2, doubted, (), is_whole=True)

    certain, unsure = propose_columns(head)[0], propose_columns(replace(head, types={"n": "float"}))[0]

    assert (certain.declared, certain.is_certain) == ({"type": "int", "thousands": ".", "decimal": ","}, True)
    assert (unsure.declared, unsure.is_certain) == (certain.declared, False)


def test_seconds_since_1970_are_told_by_their_name() -> None:
    """The same number is a time where it is called so, and else a number."""
    assert proposed(1_700_000_000, name="created_at").declared == {"type": "timestamp", "unit": "s"}
    assert not proposed(1_700_000_000, name="amount").declared


def test_an_empty_column_and_lists_are_told() -> None:
    """What cannot be known, and what is kept as text, is said."""
    assert "no value in the head" in proposed(None, None).why
    assert "JSON text" in proposed("[]", '[{"a": 1}]').why
    assert proposed("75001", "01234").example == "01234"


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ({"n": [1, 2], "id": [1, 2]}, ("id", True)),
        ({"OrderId": ["a", "b"]}, ("OrderId", True)),
        ({"order_id": ["a", "a"], "sku": ["a", "b"]}, ("sku", False)),
        ({"id": [1, None], "name": ["a", "b"]}, None),
        ({"id": [1]}, None),
    ],
)
def test_a_key_is_unique_and_called_like_one(columns: dict[str, list[Any]], key: tuple[str, bool] | None) -> None:
    """An id is a key for certain; another column whose name is that of a code may be one."""
    found = propose_key(head_of(columns), "orders")

    assert key == (None if found is None else (found.column, found.is_certain))
