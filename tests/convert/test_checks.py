"""Declared checks, run over real Parquet parts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from tasks.config import Check
from tasks.config.checks import DeclaredCheck
from tasks.convert.checks.run import CheckOutcome, raise_failed, run_checks
from tasks.convert.parts.part import StoredPart
from tasks.convert.schema.types import ARROW_TYPES
from tasks.core.errors import TableError

CHECK: TypeAdapter[Check] = TypeAdapter(DeclaredCheck)
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
CURE = "mend the data or the check, or let it warn with on_fail: warn"

TYPES: dict[str, Any] = {
    "id": "int",
    "amount": "float",
    "status": "string",
    "email": "string",
    "at": "timestamp_utc",
    "day": "date",
}
ROWS: list[dict[str, Any]] = [
    {"id": 1, "amount": 5.0, "status": "paid", "email": "a@b", "at": datetime(2026, 3, 1, tzinfo=UTC), "day": None},
    {"id": 2, "amount": -1.5, "status": "open", "email": "none", "at": datetime(2026, 3, 2, tzinfo=UTC), "day": None},
    {"id": 2, "amount": None, "status": None, "email": None, "at": None, "day": date(2026, 3, 1)},
    {"id": None, "amount": 20000.0, "status": "lost", "email": "c@d\ne", "at": None, "day": None},
]


def write_parts(
    folder: Path, rows: list[dict[str, Any]] = ROWS, types: Mapping[str, Any] = TYPES, each: int = 2
) -> list[StoredPart]:
    """Return parts of the rows, so many in each."""
    schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in types.items()])
    parts = []
    each = max(each, len(rows) // 10)
    for first in range(0, len(rows), each):
        path = folder / f"part [{first}]*'?.parquet"
        pq.write_table(pa.Table.from_pylist(rows[first : first + each], schema), path)
        parts.append(StoredPart(path))
    return parts


def run_one(
    folder: Path, check: dict[str, Any], rows: list[dict[str, Any]] = ROWS, types: Mapping[str, Any] = TYPES
) -> CheckOutcome:
    """Return what a check of the rows came to."""
    (outcome,) = run_checks([CHECK.validate_python(check)], write_parts(folder, rows, types), types, now=NOW)
    return outcome


@pytest.mark.parametrize(
    "check",
    [
        {"not_null": ["_file"]},
        {"unique": ["amount", "status"]},
        {"unique": ["at"]},
        {"range": {"column": "amount", "min": -2, "max": 20000}},
        {"range": {"column": "id", "max": 2}},
        {"range": {"column": "at", "min": "2026-03-01", "max": "2026-03-02T01:00:00+01:00"}},
        {"range": {"column": "day", "min": "2026-03-01T00:00:00Z"}},
        {"allowed": {"column": "status", "values": ["paid", "open", "lost"]}},
        {"allowed": {"column": "id", "values": [1, 2.0, "3"]}},
        {"allowed": {"column": "day", "values": ["2026-03-01"]}},
        {"matches": {"column": "id", "regex": "[0-9]"}},
        {"min_rows": 4},
        {"fresh": {"column": "at", "within": "36h"}},
        {"fresh": {"column": "day", "within": "60h"}},
    ],
)
def test_a_check_passes(tmp_path: Path, check: dict[str, Any]) -> None:
    """What holds of every row, in any of the parts, passes; nulls are the matter of not_null alone."""
    types = {**TYPES, "_file": "string"}
    rows = [{**row, "_file": "a"} for row in ROWS]

    outcome = run_one(tmp_path, check, rows, types)

    assert (outcome.status, outcome.rows_failed, outcome.examples, outcome.sentence) == ("passed", 0, (), "")


@pytest.mark.parametrize(
    ("check", "rows", "said"),
    [
        (
            {"not_null": ["id", "amount"]},
            2,
            "check not_null of id, amount: 2 of 4 rows have no value in id or amount, e.g. id=2 amount=null status=null "
            "email=null at=null; id=null amount=20000.0 status=lost email=c@d\\ne at=null; expected a value in every row",
        ),
        (
            {"unique": "id"},
            2,
            "check unique of id: 2 of 4 rows share their id with another one, e.g. id=2; expected no two rows alike",
        ),
        (
            {"range": {"column": "amount", "min": 0, "max": 10000}},
            2,
            "check range of amount: 2 of 4 rows have a value in amount below 0 or above 10000, "
            "e.g. amount=-1.5 id=2 status=open email=none; amount=20000.0 id=null status=lost email=c@d\\ne; "
            "expected at least 0 and at most 10000",
        ),
        (
            {"range": {"column": "at", "min": "2026-03-02"}},
            1,
            "check range of at: 1 of 4 rows have a value in at below 2026-03-02, "
            "e.g. at=2026-03-01 00:00:00+00 id=1 amount=5.0 status=paid; expected at least 2026-03-02",
        ),
        (
            {"allowed": {"column": "status", "values": ["paid", "open"]}},
            1,
            "check allowed of status: 1 of 4 rows have a value in status that is not one of paid, open, "
            "e.g. status=lost id=null amount=20000.0 email=c@d\\ne; expected one of paid, open",
        ),
        (
            {"matches": {"column": "email", "regex": ".+@.+"}},
            2,
            "check matches of email: 2 of 4 rows have a value in email that does not match .+@.+, "
            "e.g. email=none id=2 amount=-1.5 status=open; email=c@d\\ne id=null amount=20000.0 status=lost; "
            "expected .+@.+",
        ),
        ({"min_rows": 100}, 0, "check min_rows: the table has 4 rows; expected at least 100 rows"),
        (
            {"fresh": {"column": "at", "within": "35h"}},
            0,
            "check fresh of at: the latest at is 2026-03-02 00:00 UTC; expected a row of the last 35h",
        ),
        (
            {"fresh": {"column": "status", "within": "2d"}},
            0,
            "check fresh of status: the table has no time in status; expected a row of the last 2d",
        ),
    ],
)
def test_a_failed_check_names_the_rows(tmp_path: Path, check: dict[str, Any], rows: int, said: str) -> None:
    """One sentence tells how many rows, some of them, what was expected and the cure; the source ends with it."""
    outcome = run_one(tmp_path, check)
    warned = run_one(tmp_path, {**check, "on_fail": "warn"})

    assert (outcome.status, outcome.rows_failed, outcome.sentence) == ("failed", rows, f"{said}; {CURE}")
    assert (warned.status, warned.examples) == ("warned", outcome.examples)
    raise_failed([warned])
    with pytest.raises(TableError) as caught:
        raise_failed([warned, outcome, outcome])
    assert str(caught.value).splitlines() == [outcome.sentence] * 2


def test_all_checks_of_a_table_are_told_in_order(tmp_path: Path) -> None:
    """Each has its outcome, whatever became of the others; examples show the key."""
    checks = [{"min_rows": 1}, {"range": {"column": "amount", "min": 0}}, {"unique": "id"}, {"not_null": ["status"]}]

    outcomes = run_checks([CHECK.validate_python(c) for c in checks], write_parts(tmp_path), TYPES, key=["id", "email"])

    assert [(o.check, o.columns, o.status, o.rows_failed) for o in outcomes] == [
        ("min_rows", (), "passed", 0),
        ("range", ("amount",), "failed", 1),
        ("unique", ("id",), "failed", 2),
        ("not_null", ("status",), "failed", 1),
    ]
    assert outcomes[1].examples == ({"amount": "-1.5", "id": "2", "email": "none"},)
    assert outcomes[3].examples == ({"status": None, "id": "2", "email": None},)


@pytest.mark.parametrize(
    "name", ['a"b', "two words", "größe €", "n", "rows", "size", "count(*)", "'; DROP", "a\nb", "$1"]
)
def test_any_name_and_value_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    """Names and values are never read as SQL."""
    value = "x' OR 1=1 --\n" + 200 * "ü"
    types = {name: "string", "other": "int"}
    rows: list[dict[str, Any]] = [
        {name: value, "other": 1},
        {name: value, "other": 2},
        {name: "fine", "other": 3},
        {name: None, "other": 4},
    ]
    checks: list[dict[str, Any]] = [
        {"not_null": name},
        {"unique": name},
        {"allowed": {"column": name, "values": ["fine", "' OR 1=1 --"]}},
        {"allowed": {"column": name, "values": ["fine", value]}},
        {"matches": {"column": name, "regex": "(?s)x' OR .*|fine"}},
        {"range": {"column": name, "min": 0}},
    ]

    outcomes = run_checks([CHECK.validate_python(c) for c in checks], write_parts(tmp_path, rows, types), types)

    assert [o.rows_failed for o in outcomes] == [1, 2, 2, 0, 0, 3]
    assert outcomes[1].examples == ({name: value[:80] + "…"},)
    assert not any("\n" in o.sentence for o in outcomes)


def test_at_most_five_rows_are_shown(tmp_path: Path) -> None:
    """However many rows fail, a sentence stays one."""
    rows = [{"id": number % 50} for number in range(1000)]

    outcomes = [
        run_one(tmp_path, check, rows, {"id": "int"})
        for check in ({"unique": "id"}, {"range": {"column": "id", "min": 99}})
    ]

    assert [(o.rows_failed, len(o.examples)) for o in outcomes] == [(1000, 5), (1000, 5)]


def test_not_a_number_is_in_no_range(tmp_path: Path) -> None:
    """NaN fails a range with only a minimum, too; a text fails that is no number."""
    rows = [{"x": float("nan"), "y": "12"}, {"x": 1.0, "y": "NaN"}, {"x": 2.0, "y": "twelve"}]
    types = {"x": "float", "y": "string"}

    assert run_one(tmp_path, {"range": {"column": "x", "min": 0}}, rows, types).rows_failed == 1
    assert run_one(tmp_path, {"range": {"column": "y", "max": 12}}, rows, types).rows_failed == 2


def test_no_folder_above_a_part_makes_a_column(tmp_path: Path) -> None:
    """Folders are called what a user likes: their names are not read as values."""
    folder = tmp_path / "x=9" / "weight=7"
    folder.mkdir(parents=True)
    types = {"x": "int", "day": "date"}

    outcome = run_one(folder, {"range": {"column": "x", "max": 1}}, [{"x": 1, "day": date(2026, 1, 1)}] * 2, types)

    assert (outcome.status, outcome.rows_failed) == ("passed", 0)
    with pytest.raises(TableError, match="weight"):
        run_one(folder, {"not_null": "weight"}, [{"x": 1, "day": None}], types)


def test_an_empty_table_fails_only_by_rows_and_age(tmp_path: Path) -> None:
    """Without rows, and without columns, no row is wrong."""
    checks = [{"not_null": "id"}, {"unique": "id"}, {"min_rows": 1}, {"fresh": {"column": "at", "within": "1h"}}]
    read = [CHECK.validate_python(check) for check in checks]
    path = tmp_path / "none.parquet"
    pq.write_table(pa.table({}), path)

    for parts, types in ((write_parts(tmp_path, [], TYPES), TYPES), ([StoredPart(path)], {})):
        statuses = [outcome.status for outcome in run_checks(read, parts, types)]
        assert statuses == ["passed", "passed", "failed", "failed"]


def test_what_a_check_cannot_be_told_of_is_an_error(tmp_path: Path) -> None:
    """A column that is not there, or of another type, is named with the nearest one, or the type."""
    checks: list[dict[str, Any]] = [
        {"unique": ["id", "stauts"]},
        {"not_null": "zebra", "on_fail": "warn"},
        {"range": {"column": "at", "min": 1}},
        {"range": {"column": "amount", "max": "2024-01-01"}},
        {"allowed": {"column": "amount", "values": ["x"]}},
        {"fresh": {"column": "id", "within": "1h"}},
    ]

    with pytest.raises(TableError) as caught:
        run_checks([CHECK.validate_python(check) for check in checks], write_parts(tmp_path), TYPES)

    assert str(caught.value).splitlines() == [
        "checks.0.unique: 'stauts' is not a column of the table; did you mean status?",
        "checks.1.not_null: 'zebra' is not a column of the table; the columns are id, amount, status, email, at, day",
        "checks.2.range: 'at' is of type timestamp_utc, and 1 is a number; write another",
        "checks.3.range: 'amount' is of type float, and 2024-01-01 is a time; write another",
        "checks.4.allowed: 'x' is no value of 'amount', which is of type float; take it out",
        "checks.5.fresh: 'id' is of type int, no time; name a column of times",
    ]


def test_checks_that_cannot_be_run_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What DuckDB cannot do is told as one sentence, with the cure."""
    monkeypatch.setattr("tasks.convert.checks.run.MEMORY", "100KB")

    with pytest.raises(TableError, match=r"^its checks could not be run: Out of Memory .*; make room for temporary"):
        run_one(tmp_path, {"unique": "id"}, [{"id": number} for number in range(100_000)], {"id": "int"})
