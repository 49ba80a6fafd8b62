"""Checks in a pipeline file: how they are written, and what is wrong with them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tasks.config import Pipeline, load_pipeline
from tasks.config.checks import CHECKS
from tasks.convert.checks.allowed import Allowed
from tasks.convert.checks.fresh import Fresh
from tasks.convert.checks.matches import Matches
from tasks.convert.checks.min_rows import MinRows
from tasks.convert.checks.not_null import NotNull
from tasks.convert.checks.range import InRange
from tasks.convert.checks.unique import Unique
from tests.config.files import api, mistakes_of, pages

EVERY = """\
name: checked
sources:
  orders:
    kind: files
    path: inbox/*
    checks:
      - {not_null: [id, amount]}
      - {unique: id}
      - {range: {column: amount, min: 0, max: 10000}}
      - {range: {column: ordered_at, min: 2024-01-01}}
      - {allowed: {column: status, values: [paid, 1, 2.5, true]}}
      - {matches: {column: email, regex: ".+@.+"}}
      - {min_rows: 100}
      - {fresh: {column: ordered_at, within: 48h}, on_fail: warn}
"""


def test_every_check_is_read_and_whole_as_json(file: Path) -> None:
    """Each check is the model of its key; what Prefect keeps of them is the same when read back."""
    file.write_text(EVERY)

    pipeline = load_pipeline(file)

    checks = pipeline.sources["orders"].checks
    assert checks == (
        NotNull(not_null=("id", "amount")),
        Unique(unique=("id",)),
        InRange.model_validate({"range": {"column": "amount", "min": 0, "max": 10000}}),
        InRange.model_validate({"range": {"column": "ordered_at", "min": "2024-01-01"}}),
        Allowed.model_validate({"allowed": {"column": "status", "values": ["paid", 1, 2.5, True]}}),
        Matches.model_validate({"matches": {"column": "email", "regex": ".+@.+"}}),
        MinRows(min_rows=100),
        Fresh.model_validate({"fresh": {"column": "ordered_at", "within": timedelta(hours=48)}, "on_fail": "warn"}),
    )
    assert [check.on_fail for check in checks] == ["fail"] * 7 + ["warn"]
    assert isinstance(checks[4], Allowed)
    assert [type(value) for value in checks[4].allowed.values] == [str, int, float, bool]
    assert Pipeline.model_validate_json(pipeline.model_dump_json()) == pipeline


@pytest.mark.parametrize("text", [api("checks: [{min_rows: 1}]"), pages("columns: {a: td}, checks: [{min_rows: 1}]")])
def test_every_kind_of_source_has_checks(file: Path, text: str) -> None:
    """What is fetched is checked as files are."""
    file.write_text(text)

    assert load_pipeline(file).sources["rows"].checks == (MinRows(min_rows=1),)


@pytest.mark.parametrize(
    ("check", "mistake"),
    [
        ("{not_nul: [id]}", "0: not_nul is no check; did you mean not_null?"),
        (
            "{zebra: 1}",
            f"0: zebra is no check; write one of {', '.join(CHECKS.kinds)}",
        ),
        (
            "{unique: id, min_rows: 3}",
            "0: unique and min_rows are two checks; write each as an entry of its own",
        ),
        ("not_null", "0: 'not_null': is not a check; write a mapping, e.g. {not_null: [id]}"),
        ("{not_null: []}", "0.not_null: has 0 entries; give at least 1"),
        ("{range: {column: a}}", "0.range: has neither min nor max; give one of them, or both"),
        (
            "{range: {column: a, min: 3, max: 1}}",
            "0.range: no value is between 3 and 1; write the smaller one as min",
        ),
        (
            "{range: {column: a, min: x}}",
            "0.range: min: 'x' is neither a number nor a time; write e.g. 0 or 2024-01-01",
        ),
        (
            "{range: {column: a, min: 1, max: 2024-01-01}}",
            "0.range: 1 and '2024-01-01' are a number and a time; write two of the same",
        ),
        (
            "{allowed: {column: a, values: [[1]]}}",
            "0.allowed.values.0: [1] is neither a number nor a text; write one value",
        ),
        (
            "{matches: {column: a, regex: '['}}",
            "0.matches.regex: '[' is no regular expression of RE2 (missing ]: [); mend it",
        ),
        (
            "{fresh: {column: a, within: 48}}",
            "0.fresh.within: 48 is not a duration; write a number and s, m, h, d or w, e.g. 24h",
        ),
        ("{min_rows: 2, on_fail: warm}", "0.on_fail: 'warm' is not one of fail, warn; did you mean warn?"),
        ("{min_rows: 2, on_fial: warn}", "0.on_fial: unknown key; did you mean on_fail?"),
    ],
)
def test_a_wrong_check_is_one_sentence(file: Path, check: str, mistake: str) -> None:
    """The sentence names the check by its place, the value and the cure."""
    assert mistakes_of(file, api(f"checks: [{check}]")) == [f"sources.rows.checks.{mistake}"]


@pytest.mark.parametrize("regex", ["(?=a)b", "(?<!a)b", r"(a)\\1"])
def test_a_regular_expression_takes_linear_time(file: Path, regex: str) -> None:
    """It is RE2's, which never goes back: what would need that is refused."""
    (mistake,) = mistakes_of(file, api(f'checks: [{{matches: {{column: a, regex: "{regex}"}}}}]'))

    assert "is no regular expression of RE2 (" in mistake
