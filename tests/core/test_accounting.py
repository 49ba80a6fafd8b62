"""What the audit of a run finds in a source's rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.core.accounting import (
    Account,
    Before,
    FileCounts,
    Finding,
    RejectLimits,
    audit,
    errors_of,
    same_answers,
    warnings_of,
)

GOOD = Account(received=100, entered=100, columns=("id", "name"))
BEFORE = Before(100, ("id", "name"))


def levels(findings: list[Finding]) -> list[str]:
    """Return the level of each finding."""
    return [finding.level for finding in findings]


def test_a_source_whose_rows_all_entered_has_no_finding() -> None:
    """Nor has one that is as it was, or larger."""
    assert audit(GOOD) == []
    assert audit(replace(GOOD, before=BEFORE)) == []
    assert audit(replace(GOOD, before=Before(51, ("id",)))) == []


def test_rows_that_came_and_of_which_none_entered_are_an_error() -> None:
    """It names the most frequent reason."""
    account = Account(received=5, entered=0, rejected=5, reasons={"a": 1, "2 fields, the header has 3": 4})

    (finding,) = audit(replace(account, limits=RejectLimits(None, None)))

    assert finding.level == "error"
    assert finding.message == (
        "5 rows came and none entered the table, most often because 2 fields, the header has 3 (4); "
        "mend the data, or what is declared of it"
    )


@pytest.mark.parametrize(
    ("rejected", "limits", "expected"),
    [
        (5, RejectLimits(), []),
        (6, RejectLimits(), ["warning"]),
        (50, RejectLimits(), ["warning"]),
        (51, RejectLimits(), ["error"]),
        (1, RejectLimits(0, 1), ["warning"]),
        (2, RejectLimits(0, 1), ["error"]),
        (1, RejectLimits(0.05, 0), ["error"]),
        (99, RejectLimits(None, None), []),
        (99, RejectLimits(0.05, None), ["warning"]),
    ],
)
def test_many_rejects_are_a_warning_and_more_an_error(rejected: int, limits: RejectLimits, expected: list[str]) -> None:
    """Both limits are numbers or shares of the rows."""
    account = replace(GOOD, entered=100 - rejected, rejected=rejected, reasons={"why": rejected}, limits=limits)

    assert levels(audit(account)) == expected


def test_a_warning_of_rejects_names_the_reason_and_where_they_lie() -> None:
    """A person goes there next."""
    account = replace(GOOD, entered=90, rejected=10, reasons={"x": 3, "y": 7}, rejects_at="data/rejects/orders")

    assert warnings_of(audit(account)) == (
        "10 of 100 rows are rejects, most often because y (7); they lie in data/rejects/orders; "
        "mend the data or what is declared, or raise table.warn_rejects",
    )


def test_a_table_that_lost_more_than_half_of_its_rows_is_a_warning() -> None:
    """It tells both numbers."""
    account = replace(GOOD, before=Before(201, ("id", "name")))

    assert warnings_of(audit(account)) == (
        "its table has 100 rows and had 201: 101 are gone; see whether the source lost them",
    )


def test_a_table_that_would_have_no_rows_any_more_is_an_error() -> None:
    """What is to be done where it is meant stands in the message."""
    account = Account(received=0, entered=0, before=BEFORE, remedy=", or delete it")

    assert errors_of(audit(account)) == [
        "its table had 100 rows and would have none; see whether the source is empty, or delete it"
    ]


def test_a_table_of_other_columns_altogether_is_an_error() -> None:
    """One that is left makes it none, and so do columns that are declared anew."""
    other = replace(GOOD, columns=("x", "y", "z", "u"), before=BEFORE)

    assert errors_of(audit(other)) == [
        "none of its table's columns (id, name) is among those that came (x, y, z and 1 more); see whether it is the same data"
    ]
    assert audit(replace(other, columns=("x", "name"))) == []
    assert audit(replace(other, before=replace(BEFORE, same_columns=False))) == []


def test_an_input_that_gave_nothing_but_rejects_is_a_warning() -> None:
    """However few its rows are among all."""
    files = [
        FileCounts("a.csv", 98, 0),
        FileCounts("b.csv", 1, 1),
        FileCounts("c.csv", 1, 1),
        FileCounts("d.csv", 0, 0),
    ]
    account = replace(GOOD, entered=98, rejected=2, reasons={"why": 2}, files=files)

    assert warnings_of(audit(account)) == ("b.csv and 1 more gave none of their 2 rows to the table: all are rejects",)


def test_what_is_declared_and_never_met_is_a_warning() -> None:
    """In the words of the stage that knows."""
    assert warnings_of(audit(replace(GOOD, unmet=("no row came for origin=EWX",)))) == ("no row came for origin=EWX",)


@pytest.mark.parametrize(
    ("digests", "rows", "said"),
    [
        ("aa", 2, "region=0 and region=1; is"),
        ("aa", 1, "region=0 and region=1; is"),
        ("aab", 1, None),
        ("aab", 2, "region=0 and region=1; is"),
        ("abaab", 2, "region=0 and region=2 and 1 more, and so for 1 other group of partitions; is"),
        ("ab", 2, None),
        ("aa", 0, None),
    ],
)
def test_partitions_with_the_same_rows_are_told(digests: str, rows: int, said: str | None) -> None:
    """As where the server ignores the parameter; a single row may be that of two."""
    found = same_answers([([("region", place)], rows, digest) for place, digest in enumerate(digests)])

    assert found == ([f"the server gave the same rows for {said} the parameter right?"] if said else [])
