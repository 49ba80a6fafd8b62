"""Partitions: which there are, what they are called, and where they are asked for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.partitions import Partition, first_url, list_partitions
from tasks.spec import ApiSource, Scalar

SAFE_NAME = re.compile(r"[A-Za-z0-9._~%=,-]{1,140}")
SCALARS = st.text(max_size=200) | st.integers() | st.floats(allow_nan=False)


def api(url: str = "http://127.0.0.1/items", **keys: Any) -> ApiSource:
    """Return an API source."""
    return ApiSource.model_validate({"url": url, **keys})


def test_a_source_without_partitions_is_one_whole() -> None:
    """Where no partitions are declared there is one, named all."""
    assert [(p.name, p.values) for p in list_partitions(api())] == [("all", ())]


def test_partitions_are_every_combination_in_order() -> None:
    """Each value of one key meets each of the others; the last key varies fastest; a range has both its ends."""
    source = api(partitions={"origin": ["JFK", "EWR"], "month": {"range": [9, 11]}})

    assert [partition.name for partition in list_partitions(source)] == [
        "origin=JFK,month=9",
        "origin=JFK,month=10",
        "origin=JFK,month=11",
        "origin=EWR,month=9",
        "origin=EWR,month=10",
        "origin=EWR,month=11",
    ]


def test_a_value_that_is_given_twice_is_one_partition() -> None:
    """Values that make the same request are fetched once, where they stand first."""
    assert [p.name for p in list_partitions(api(partitions={"part": ["b", 1, "a", "1", "b"]}))] == [
        "part=b",
        "part=1",
        "part=a",
    ]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("a/b", "part=a%2Fb"),
        ("a=b,c", "part=a%3Db%2Cc"),
        ("..", "part=.."),
        ("", "part="),
        ("Zürich 東京", "part=Z%C3%BCrich%20%E6%9D%B1%E4%BA%AC"),
        (-1.5, "part=-1.5"),
    ],
)
def test_a_name_is_quoted(value: Scalar, name: str) -> None:
    """A name is a file's name on every system, and shows its value."""
    assert Partition((("part", value),)).name == name


def test_long_names_stay_distinct() -> None:
    """A name too long for a file is cut, and ends in a digest of the whole."""
    first, second = (Partition((("part", "x" * 300 + end),)).name for end in "ab")

    assert first != second
    assert (first[:120], len(first)) == (second[:120], len(second)) == ("part=" + "x" * 115, 133)


@given(st.lists(st.tuples(SCALARS, SCALARS), min_size=2, max_size=5))
def test_names_are_safe_and_as_distinct_as_their_values(values: list[tuple[Scalar, Scalar]]) -> None:
    """Two partitions have the same name only when their values are written the same; every name is safe for a file."""
    partitions = [Partition(tuple(zip(("a", "b"), pair, strict=True))) for pair in values]

    assert all(SAFE_NAME.fullmatch(partition.name) for partition in partitions)
    written = {(str(first), str(second)) for first, second in values}
    assert len({partition.name for partition in partitions}) == len(written)


@pytest.mark.parametrize(
    ("url", "params", "expected"),
    [
        ("http://h/items", {}, "http://h/items?part=a%2Fb+c&month=3"),
        ("http://h/{part}", {}, "http://h/a%2Fb%20c?month=3"),
        ("http://h/{part}/{month}/{part}", {}, "http://h/a%2Fb%20c/3/a%2Fb%20c"),
        ("http://h/{{part}}/{part}/{month}", {}, "http://h/%7Bpart%7D/a%2Fb%20c/3"),
        ("http://h/items?q=1&q=2", {"per_page": 5}, "http://h/items?q=1&q=2&per_page=5&part=a%2Fb+c&month=3"),
        ("http://h/items?m={month}", {"part": "own"}, "http://h/items?m=3&part=a%2Fb+c"),
        ("http://h/items?per_page=1", {"per_page": 5}, "http://h/items?per_page=5&part=a%2Fb+c&month=3"),
    ],
)
def test_values_stand_in_the_address_or_follow_it(url: str, params: dict[str, Scalar], expected: str) -> None:
    """A value takes its placeholder, quoted, or else becomes a parameter; an address keeps its own query."""
    source = api(url, params=params, partitions={"part": ["a/b c"], "month": [3]})

    assert str(first_url(source, list_partitions(source)[0])) == expected
