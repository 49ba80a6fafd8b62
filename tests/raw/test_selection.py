"""Slices: what a text asks for, which partitions it covers, and what it names that there is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.config import Pipeline, Scalar
from tasks.core.errors import ConfigError
from tasks.raw.partitions import Partition, list_partitions
from tasks.raw.selection import PartitionSelection, Term, ValueRange, choose_slice, find_slice_mistakes, read_slice

WEATHER = {"origin": ["EWR", "JFK", "LGA"], "month": {"range": [1, 12]}}
EXAMPLE = "month=3..5 origin=EWR,JFK"


def pipeline(**partitions: dict[str, Any]) -> Pipeline:
    """Return a pipeline of API sources with these partitions, and one of files."""
    fetched = {name: {"kind": "api", "url": "http://h", "partitions": values} for name, values in partitions.items()}
    return Pipeline.model_validate({"name": "p", "sources": {**fetched, "inbox": {"kind": "files", "path": "*"}}})


def slice_of(text: str) -> PartitionSelection:
    """Return the slice that a text means."""
    chosen = read_slice(text)
    assert chosen is not None
    return chosen


def covered(text: str, **values: Any) -> list[Scalar]:
    """Return the values, of one partition name, that a slice covers."""
    ((name, every),) = values.items()
    chosen = slice_of(text)
    return [value for value in every if chosen.covers(Partition(((name, value),)))]


def test_a_text_is_read_whole() -> None:
    """Conditions are separated by spaces, values by commas, the ends of a range by two dots."""
    assert slice_of("month=3..5,7 origin=EWR") == PartitionSelection(
        (
            Term("month", (ValueRange("3", "5"), ValueRange("7", "7"))),
            Term("origin", (ValueRange("EWR", "EWR"),)),
        )
    )


def test_nothing_asked_for_is_no_slice() -> None:
    """Without a text the whole pipeline is meant."""
    assert (read_slice(None), choose_slice(None, pipeline(weather=WEATHER))) == (None, None)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "'' names none; write conditions like " + EXAMPLE),
        ("  ", "'  ' names none; write conditions like " + EXAMPLE),
        ("month", f"'month' is no condition; write name=value, e.g. {EXAMPLE}, and %20 for a space in a value"),
        ("=3", f"'=3' is no condition; write name=value, e.g. {EXAMPLE}, and %20 for a space in a value"),
        ("city=New York", f"'York' is no condition; write name=value, e.g. {EXAMPLE}, and %20 for a space in a value"),
        ("month=", "'month=' lacks a value; write name=value,value or name=first..last"),
        ("month=3,", "'month=3,' lacks a value; write name=value,value or name=first..last"),
        ("month=3..", "'month=3..' lacks a value; write name=value,value or name=first..last"),
        ("month=..3", "'month=..3' lacks a value; write name=value,value or name=first..last"),
        ("month=1..2..3", "'month=1..2..3' lacks a value; write name=value,value or name=first..last"),
        ("month=5..3", "'month=5..3': the range 5..3 is empty; write the smaller end first"),
        ("month=10..9", "'month=10..9': the range 10..9 is empty; write the smaller end first"),
        ("origin=JFK..EWR", "'origin=JFK..EWR': the range JFK..EWR is empty; write the smaller end first"),
        ("month=3 month=5", "month is named twice; write month=value,value once"),
        (
            "origin=EWR,month=3",
            "'origin=EWR,month=3' has two conditions; separate them by a space, and write %3D for a = in a value",
        ),
    ],
)
def test_what_is_no_slice_is_told(text: str, mistake: str) -> None:
    """The sentence quotes what is wrong and says what to write."""
    with pytest.raises(ConfigError) as caught:
        read_slice(text)

    assert caught.value.mistakes == (f"partitions: {mistake}",)


@pytest.mark.parametrize(
    ("text", "values", "taken"),
    [
        ("x=3", [1, 3, "3", 3.0, "03"], [3, "3"]),
        ("x=3,1", [1, 2, 3], [1, 3]),
        ("x=3..5", [1, 3, 4.5, 5, "5", "4", 5.1, 30, "x"], [3, 4.5, 5, "5", "4"]),
        ("x=9..10", [8, 9, 10, 11, 100], [9, 10]),
        ("x=-1.5..1e1", [-2, -1.5, 0, 10, 11], [-1.5, 0, 10]),
        ("x=1..2,5,7..8", [1, 2, 3, 5, 6, 7, 8], [1, 2, 5, 7, 8]),
        ("x=EWR..LGA", ["ATL", "EWR", "JFK", "LGA", "LGAX", "SFO"], ["EWR", "JFK", "LGA", "LGAX"]),
        (
            "x=2013-01-30..2013-02-01",
            ["2013-01-29", "2013-01-30", "2013-01-31", "2013-02-01", "2013-02-02"],
            ["2013-01-30", "2013-01-31", "2013-02-01"],
        ),
        ("x=2013-01..2013-02", ["2012-12-31", "2013-01-01", "2013-02-28", "2013-03-01"], ["2013-01-01", "2013-02-28"]),
        ("x=a%20b,c%2Cd,e%3Df,g%2E%2Eh", ["a b", "c,d", "e=f", "g..h", "a"], ["a b", "c,d", "e=f", "g..h"]),
        ("x=50%", ["50%", 50], ["50%"]),
        ("x=1.5", [1.5, 1], [1.5]),
    ],
)
def test_values_are_covered_by_their_text_or_within_a_range(
    text: str, values: list[Scalar], taken: list[Scalar]
) -> None:
    """A value is meant by its text; a range of numbers by number, any other range by text, both ends included."""
    assert covered(text, x=values) == taken


@pytest.mark.parametrize(
    ("text", "names", "count"),
    [
        ("month=3..5", ["EWR,3", "EWR,4", "EWR,5", "JFK,3", "JFK,4", "JFK,5", "LGA,3", "LGA,4", "LGA,5"], 9),
        ("origin=EWR,JFK month=3..4", ["EWR,3", "EWR,4", "JFK,3", "JFK,4"], 4),
        ("month=3  origin=EWR", ["EWR,3"], 1),
    ],
)
def test_all_conditions_hold(text: str, names: list[str], count: int) -> None:
    """A partition is covered where each condition that has a name of its own holds."""
    partitions = list_partitions(pipeline(weather=WEATHER).fetched["weather"])

    found = [partition for partition in partitions if slice_of(text).covers(partition)]

    assert [",".join(str(value) for _, value in partition.values) for partition in found] == names
    assert len(found) == count
    assert found == [partition for partition in partitions if slice_of(text).selects(partition)]


def test_a_source_without_the_names_is_not_sliced() -> None:
    """What has none of the names is covered, and is not what the slice selects; what has some answers to these."""
    chosen = slice_of("month=3 origin=EWR")
    whole, other, some, wrong = (
        Partition(()),
        Partition((("year", 2013),)),
        Partition((("month", 3), ("year", 2013))),
        Partition((("month", 4),)),
    )

    assert [chosen.covers(partition) for partition in (whole, other, some, wrong)] == [True, True, True, False]
    assert [chosen.selects(partition) for partition in (whole, other, some, wrong)] == [False, False, True, False]
    assert chosen.names == ("month", "origin")


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("month=3..5 origin=EWR,JFK", []),
        ("month=1..12", []),
        ("day=2013-01..2013-02", []),
        ("day=2013-01-02..2013-01-30", []),
        ("year=2013", []),
        ("year=2014", []),
        ("mnth=3", ["no source has the partition 'mnth'; did you mean month?"]),
        ("quarter=3", ["no source has the partition 'quarter'; there are origin, month, year, day"]),
        ("month=13", ["month=13: '13' selects nothing; there are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"]),
        ("month=03", ["month=03: '03' selects nothing; there are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"]),
        ("month=3,14", ["month=14: '14' selects nothing; there are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"]),
        ("origin=EWRR", ["origin=EWRR: 'EWRR' selects nothing; did you mean EWR?"]),
        ("month=10..15", ["month=10..15: '15' selects nothing; there are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"]),
        ("month=0..15", ["month=0..15: '0' selects nothing; there are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"]),
        ("month=3.2..3.8", ["month=3.2..3.8 selects nothing; there are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"]),
        ("month=a..b", ["month=a..b: 'a' selects nothing; there are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"]),
        ("year=2015..2016", ["year=2015..2016: '2015' selects nothing; there are 2013, 2014"]),
        (
            "day=2014-01-01..2014-02-01",
            [
                "day=2014-01-01..2014-02-01: '2014-01-01' selects nothing; there are 2013-01-01, 2013-01-02, 2013-01-03, "
                "2013-01-04, 2013-01-05, 2013-01-06, ..., 2013-02-28"
            ],
        ),
        (
            "moth=3 origin=XYZ",
            [
                "no source has the partition 'moth'; did you mean month?",
                "origin=XYZ: 'XYZ' selects nothing; there are EWR, JFK, LGA",
            ],
        ),
    ],
)
def test_what_no_source_has_is_told(text: str, mistakes: list[str]) -> None:
    """A name, a value and an end of a range that mean nothing are told with what there is; one source's value is enough."""
    days = [f"2013-{month:02}-{day:02}" for month in (1, 2) for day in range(1, 29)] + ["2013-01-30"]
    config = pipeline(weather=WEATHER, sales={"year": [2013]}, costs={"year": [2014], "day": sorted(days)})

    found = find_slice_mistakes(slice_of(text), config)

    assert found == [f"partitions: {mistake}" for mistake in mistakes]


def test_a_pipeline_without_partitions_has_no_slice() -> None:
    """The sentence says that there are none."""
    with pytest.raises(ConfigError) as caught:
        choose_slice("month=3", pipeline(weather={}))

    assert caught.value.mistakes == (
        "partitions: no source has the partition 'month'; there are none in this pipeline",
    )


def test_a_slice_of_a_pipeline_is_chosen() -> None:
    """What is right is the slice that the text means."""
    assert choose_slice("month=3", pipeline(weather=WEATHER)) == slice_of("month=3")


def test_dates_are_chosen_as_dates() -> None:
    """A range goes by the calendar whatever the format; one date may be written in it, as in its partition's name."""
    days = {"day": {"from": "2024-01-30", "to": "2024-02-02", "every": "1d", "format": "%d.%m.%Y"}}
    config = pipeline(reports=days, weather={"day": ["2024-01-31"]})
    partitions = list_partitions(config.fetched["reports"])

    def chosen(text: str) -> list[str]:
        selection = choose_slice(text, config)
        assert selection is not None
        return [partition.name for partition in partitions if selection.selects(partition)]

    assert chosen("day=2024-01-31..2024-02-01") == ["day=31.01.2024", "day=01.02.2024"]
    assert chosen("day=01.02.2024") == chosen("day=2024-02-01") == ["day=01.02.2024"]


@given(st.lists(st.integers(-99, 99) | st.floats(-9, 9) | st.text("ab-0 %,=.é", min_size=1, max_size=4), min_size=1))
def test_the_name_of_a_partition_selects_it(values: list[Scalar]) -> None:
    """What stands in a partition's name, its dots quoted too, means this partition and no other."""
    partitions = list_partitions(pipeline(source={"x": values}).fetched["source"])

    for partition in partitions:
        chosen = slice_of(partition.name.replace("..", "%2E%2E"))
        assert [other.name for other in partitions if chosen.selects(other)] == [partition.name]
        assert find_slice_mistakes(chosen, pipeline(source={"x": values})) == []
