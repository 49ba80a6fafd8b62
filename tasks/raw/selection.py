"""Slices: the partitions that a run is asked for, e.g. `month=3..5 origin=EWR,JFK`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from tasks.config import Parent, Pipeline
from tasks.core.errors import ConfigError
from tasks.core.suggestions import did_you_mean
from tasks.raw.partitions import Partition, PartitionValue, list_values

EXAMPLE = "month=3..5 origin=EWR,JFK"
_TO = ".."
_ENDS = 2
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LISTED = 12


@dataclass(frozen=True)
class ValueRange:
    """One value, or those from the first to the last, both included."""

    first: str
    last: str

    def __str__(self) -> str:
        """Return the choice as it is written."""
        return self.first if self.is_one else f"{self.first}{_TO}{self.last}"

    @property
    def is_one(self) -> bool:
        """Return whether it is one value."""
        return self.first == self.last

    def names(self, value: PartitionValue) -> bool:
        """Return whether the choice is a value as requests have it."""
        return self.is_one and self.first == str(value.value)

    def takes(self, value: str) -> bool:
        """Return whether a partition value is chosen: itself, or between two numbers, or else between two texts.

        A text that begins with the last one is: `2013-01..2013-03` is all of March, too.
        """
        if self.is_one:
            return value == self.first
        first, number, last = _number(self.first), _number(value), _number(self.last)
        if first is not None and last is not None:
            return number is not None and first <= number <= last
        return self.first <= value and (value <= self.last or value.startswith(self.last))


@dataclass(frozen=True)
class Term:
    """What the value of one partition name may be."""

    name: str
    choices: tuple[ValueRange, ...]

    def holds(self, value: PartitionValue) -> bool:
        """Return whether a value is one of those chosen: by the text that slices know it by, or by itself."""
        return any(choice.takes(value.known_as) or choice.names(value) for choice in self.choices)


@dataclass(frozen=True)
class PartitionSelection:
    """Conditions on partition values, all of which must hold where a partition has their names."""

    conditions: tuple[Term, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the partition names that the slice has conditions on."""
        return tuple(condition.name for condition in self.conditions)

    def covers(self, partition: Partition) -> bool:
        """Return whether a run of the slice takes a partition in; those without its names always are."""
        values = {name: PartitionValue(value, str(value)) for name, value in partition.values}
        values |= {name: PartitionValue(values[name].value, text) for name, text in partition.known_as}
        return all(condition.holds(values[condition.name]) for condition in self.conditions if condition.name in values)

    def selects(self, partition: Partition) -> bool:
        """Return whether the slice covers a partition by its names: such a one is asked for, and done again if told so."""
        return self.covers(partition) and any(name in self.names for name, _ in partition.values)


def read_slice(text: str | None) -> PartitionSelection | None:
    """Return the slice that a text means: conditions separated by spaces, values by commas, `..` between two ends.

    None, where nothing is named, is all of a pipeline. Where a value has one of these
    signs, it is written as in a partition's name: `%20` for a space, `%2C` for a comma.

    Raises:
        ConfigError: with one sentence, when it means none.

    """
    if text is None:
        return None
    conditions: dict[str, Term] = {}
    for word in text.split():
        condition = _read_condition(word)
        if condition.name in conditions:
            raise ConfigError(f"partitions: {condition.name} is named twice; write {condition.name}=value,value once")
        conditions[condition.name] = condition
    if not conditions:
        raise ConfigError(f"partitions: {text!r} names none; write conditions like {EXAMPLE}")
    return PartitionSelection(tuple(conditions.values()))


def find_slice_mistakes(chosen: PartitionSelection, pipeline: Pipeline) -> list[str]:
    """Return one sentence for each name, value and end of a range that no source of a pipeline has."""
    declared: dict[str, list[PartitionValue]] = {}
    for source in pipeline.parted.values():
        for name, values in source.partitions.items():
            known = [] if isinstance(values, Parent) else list_values(name, values)
            declared.setdefault(name, []).extend(known)
    told_by_tables = {name for source in pipeline.parted.values() for name in source.parents}
    return [
        f"partitions: {mistake}"
        for condition in chosen.conditions
        if condition.name not in told_by_tables
        for mistake in _condition_mistakes(condition, declared)
    ]


def choose_slice(text: str | None, pipeline: Pipeline) -> PartitionSelection | None:
    """Return the slice of a pipeline that a text means, as `read_slice` does.

    Raises:
        ConfigError: the text means no slice, or the pipeline has not what it names.

    """
    chosen = read_slice(text)
    mistakes = find_slice_mistakes(chosen, pipeline) if chosen else []
    if mistakes:
        raise ConfigError(mistakes)
    return chosen


def _read_condition(word: str) -> Term:
    name, sign, values = word.partition("=")
    if not (name and sign):
        raise ConfigError(
            f"partitions: {word!r} is no condition; write name=value, e.g. {EXAMPLE}, and %20 for a space in a value"
        )
    return Term(unquote(name), tuple(_read_choice(value, word) for value in values.split(",")))


def _read_choice(text: str, word: str) -> ValueRange:
    if "=" in text:
        raise ConfigError(
            f"partitions: {word!r} has two conditions; separate them by a space, and write %3D for a = in a value"
        )
    ends = [unquote(end) for end in text.split(_TO)]
    if not all(ends) or len(ends) > _ENDS:
        raise ConfigError(f"partitions: {word!r} lacks a value; write name=value,value or name=first..last")
    choice = ValueRange(ends[0], ends[-1])
    if not _is_up_to(choice.first, choice.last):
        raise ConfigError(f"partitions: {word!r}: the range {choice} is empty; write the smaller end first")
    return choice


def _condition_mistakes(condition: Term, declared: Mapping[str, Sequence[PartitionValue]]) -> Iterator[str]:
    if condition.name not in declared:
        there = f"there are {_list(list(declared))}" if declared else "there are none in this pipeline"
        yield f"no source has the partition {condition.name!r}; {did_you_mean(condition.name, declared, there)}"
        return
    values = list(dict.fromkeys(each.known_as for each in declared[condition.name]))
    for choice in condition.choices:
        if any(map(choice.names, declared[condition.name])):
            continue
        wrong = [end for end in dict.fromkeys((choice.first, choice.last)) if not _reaches(end, choice, values)]
        if wrong:
            near = did_you_mean(wrong[0], values, "") if choice.is_one and _number(wrong[0]) is None else ""
            cure = near or f"there are {_list(values)}"
            yield f"{condition.name}={choice}: {wrong[0]!r} selects nothing; {cure}"
        elif not any(map(choice.takes, values)):
            yield f"{condition.name}={choice} selects nothing; there are {_list(values)}"


def _reaches(end: str, choice: ValueRange, values: Sequence[str]) -> bool:
    """Return whether an end of a choice is a value, or one is on either side of it."""
    if choice.is_one:
        return end in values
    return any(_is_up_to(end, value) for value in values) and any(_is_up_to(value, end) for value in values)


def _is_up_to(first: str, last: str) -> bool:
    return ValueRange(first, last).takes(first)


def _list(values: Sequence[str]) -> str:
    """Return the values one by one, or the first and the last where there are many."""
    return ", ".join(values if len(values) <= _LISTED else [*values[: _LISTED // 2], "...", values[-1]])


def _number(text: str) -> float | None:
    """Return the number that a text is; None where it is none."""
    if not _NUMBER.fullmatch(text):
        return None
    return float(text) if set(text) & set(".eE") else int(text)
