"""What may make scores too good is told, and nothing is told of rows that are right."""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tasks.core.errors import TrainingError
from tasks.train.checks.columns import hash_rows
from tests.train.conftest import Build, check_rows, training

ROWS = 2000
RNG = np.random.default_rng(0)
LATE = RNG.random(ROWS) < 0.2
AMOUNT = np.exp(RNG.normal(size=ROWS))
PATIENT = RNG.integers(0, 300, ROWS)
DUMMY = {"dummies": {"estimator": "sklearn.dummy.DummyClassifier"}}
DUMMIES = {"dummies": {"estimator": "sklearn.dummy.DummyRegressor"}}


def warned(features: dict[str, Any], target: Any = LATE, **changes: Any) -> list[str]:
    """Return the warnings of two features that say little, others, and a target."""
    noise = np.random.default_rng(1).normal(size=(2, len(target)))
    table = pa.table({"a": noise[0] + target, "b": noise[1], **features, "y": target})
    regression = {"metric": "r2", "candidates": DUMMIES} if np.asarray(target).dtype == float else {"candidates": DUMMY}
    return list(check_rows(training(**regression, **changes), table).warnings)


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer, load_wine, load_diabetes, load_digits])
@pytest.mark.parametrize("whole", [False, True])
def test_nothing_is_told_of_rows_that_are_right(load: Any, *, whole: bool) -> None:
    """scikit-learn's data sets have no leak, and none is seen in them; digits has three pixels that are never inked."""
    bunch = load()
    data = (bunch.data * 100).round().astype(int) if whole else bunch.data
    table = pa.table({**{f"x{i}": column for i, column in enumerate(data.T)}, "y": bunch.target})
    regression = {"metric": "r2", "candidates": DUMMIES} if load is load_diabetes else {"candidates": DUMMY}

    found = check_rows(training(**regression), table).warnings

    dark = "training.query: one value in all 1797 rows: 'x0', 'x32', 'x39'; leave them out"
    assert found == ((dark,) if load is load_digits else ())


def test_columns_that_say_nothing_are_named() -> None:
    """What is null or the same in all rows is told, and what is missing at times is not."""
    nulls = {"void": pa.nulls(ROWS, pa.float64()), "nan": np.full(ROWS, np.nan), "gone": pa.nulls(ROWS, pa.string())}
    flags = pa.array([True if i % 3 else None for i in range(ROWS)])

    found = warned({**nulls, "same": ["x"] * ROWS, "flag": flags})

    assert found == [
        "training.query: null in all 2000 rows: 'void', 'nan', 'gone'; leave them out",
        "training.query: one value in all 2000 rows: 'same'; leave it out",
    ]


@pytest.mark.parametrize("target", [LATE, AMOUNT], ids=["classes", "amounts"])
def test_infinite_values_are_told_in_one_warning(target: Any) -> None:
    """By column and count; they are missing values then, and what is large but finite is a number."""
    at = np.arange(ROWS)
    ratio = np.where(at % 500 == 0, np.inf, RNG.normal(size=ROWS))
    planted = {"ratio": ratio, "loss": np.where(at < 2, -np.inf, ratio), "never": np.full(ROWS, np.inf)}
    days = pa.array(np.where(at == 7, 2**31 - 1, at).astype(np.int32)).cast(pa.date32())  # DuckDB's infinity

    found = warned({**planted, "day": days, "large": np.where(at % 2, 1e300, -1e300)}, target)

    assert found == [
        "training.query: infinite values count as missing, in predictions too: 'ratio' in 4, 'loss' in 5, 'never' in "
        "2000, 'day' in 1 of 2000 rows; correct the query where they should count otherwise",
        "training.query: null in all 2000 rows: 'never'; leave it out",
    ]


@pytest.mark.parametrize(
    ("name", "planted", "says"),
    [
        ("copy", LATE, "'copy' is a copy of 'y' under other names in all of 1600 rows; leave it out"),
        ("other", np.where(LATE, "late", "in time"), "'other' is a copy of 'y' under other names"),
        ("minus", np.where(LATE, -1.5, 2), "'minus' is a copy of 'y'"),
        ("hint", np.where(RNG.random(ROWS) < 0.002, ~LATE, LATE), r"'hint' alone tells 'y' \(AUC 0.99\d by a tree"),
        ("delay", np.where(LATE, 15 + AMOUNT, 15 - AMOUNT), r"'delay' alone tells 'y' \(AUC 1.000 by a tree of it on"),
        (
            "words",
            np.where(LATE, RNG.choice(["refund", "waived"], ROWS), RNG.choice(["thanks", "bye", "none"], ROWS)),
            r"'words' alone tells 'y' \(AUC 1.000",
        ),
        (
            "paid",
            pa.array(AMOUNT, mask=~LATE | (RNG.random(ROWS) < 0.3)),
            r"'paid' is there only where 'y' is True \(\d+ of 1600 rows\), as what is known after",
        ),
        ("asked", pa.array(AMOUNT, mask=LATE & (RNG.random(ROWS) < 0.7)), "'asked' is null only where 'y' is True"),
    ],
)
def test_what_gives_classes_away_is_named(name: str, planted: Any, says: str) -> None:
    """Copies, near copies, columns that only one class has, and those that tell the outcome are told by name."""
    (found,) = warned({name: planted})

    assert re.match(f"training.query: {says}", found)


@pytest.mark.parametrize("planted", [AMOUNT, -AMOUNT * 3 + 1, np.log(AMOUNT), AMOUNT + RNG.normal(size=ROWS) / 100])
def test_what_gives_an_amount_away_is_named(planted: Any) -> None:
    """A copy in any unit, or the logarithm, tells the target by itself."""
    (found,) = warned({"unit": planted}, AMOUNT)

    assert re.match(r"training.query: 'unit' alone tells 'y' \(R2 of ranks (0\.99\d|1\.000) by a tree of it on", found)


@pytest.mark.parametrize(
    "honest",
    [
        pa.array(AMOUNT, mask=RNG.random(ROWS) < 0.5),
        pa.array(AMOUNT, mask=RNG.random(ROWS) < np.where(LATE, 0.9, 0.3)),
        pa.array(AMOUNT, mask=np.arange(ROWS) > 15),  # too few to tell
        np.where(RNG.random(ROWS) < 0.05, ~LATE, LATE),
        RNG.integers(0, 300, ROWS),
        np.char.add("n", RNG.integers(0, 300, ROWS).astype(str)),
        (LATE * 40 + RNG.normal(size=ROWS) * 20).astype(int),
        [f"name {i}" for i in range(ROWS)],
    ],
)
def test_what_only_helps_is_not_named(honest: Any) -> None:
    """Values missing by chance or more often in one class, good features, categories and names are left alone."""
    assert warned({"honest": honest}) == []


@pytest.mark.parametrize(
    ("tree", "target"), [(DecisionTreeClassifier, LATE), (DecisionTreeRegressor, AMOUNT)], ids=["classes", "amounts"]
)
def test_a_feature_that_tells_little_of_half_the_rows_is_not_tried_on_the_others(tree: type, target: Any) -> None:
    """Nothing that they say would make up for it; one that tells the target is tried on both, a tree each."""
    with patch.object(tree, "fit", autospec=True, side_effect=tree.fit) as fitted:  # type: ignore[attr-defined]
        (found,) = warned({"hint": target * 1.0 + np.where(np.arange(ROWS) % 300 == 7, 0.5, 0)}, target)

    assert "'hint' alone tells" in found
    assert fitted.call_count == 4


_HOURS = np.arange(ROWS) * 7
_TREND = _HOURS / 24 + np.random.default_rng(5).normal(size=ROWS)
_BY_TIME = {"split": {"by": "time", "column": "at"}}


@pytest.mark.parametrize("days", [_HOURS // 24, -(_HOURS // 24), 40_000 + _HOURS / 24], ids=["since", "until", "exact"])
def test_days_counted_along_the_time_of_the_split_are_no_leak(days: Any) -> None:
    """They tell what follows a trend as well as the time does, which is known before; a copy beside them is still told."""
    at = pa.array(_HOURS * 3_600_000_000).cast(pa.timestamp("us"))

    noisy = RNG.normal(size=ROWS)
    asked = training(metric="r2", candidates=DUMMIES, **_BY_TIME)
    table = pa.table({"at": at, "days": days, "noise": noisy, "y": _TREND})

    assert check_rows(asked, table).warnings == ()
    (found,) = check_rows(asked, table.append_column("copy", pa.array(_TREND * 2))).warnings
    assert found.startswith("training.query: 'copy' alone tells 'y' ")


def test_days_since_an_event_of_each_row_that_tell_the_outcome_are_named() -> None:
    """A count from another moment in each row is no time of the split: where the outcome is made of it, it leaks."""
    at = pa.array(_HOURS * 3_600_000_000).cast(pa.timestamp("us"))
    since = np.random.default_rng(6).integers(0, 400, ROWS)

    (found,) = warned({"at": at, "days_since_order": since}, since > 90, **_BY_TIME)

    assert found.startswith("training.query: 'days_since_order' alone tells 'y' (AUC 0.99")


def test_the_only_feature_may_tell_all() -> None:
    """One feature alone is what one wants to learn from."""
    table = pa.table({"x": np.arange(100.0), "y": np.arange(100) > 50})

    assert check_rows(training(candidates=DUMMY), table).warnings == ()


def test_copies_of_rows_are_counted() -> None:
    """Rows that are there twice are told, with those that are on both sides of the split."""
    kept = np.concatenate([np.arange(ROWS - 100), np.arange(100)])
    noise = RNG.normal(size=(2, ROWS))[:, kept]
    table = pa.table({"a": noise[0], "b": noise[1], "c": LATE[kept].astype(str), "y": np.roll(LATE, 7)[kept]})

    (found,) = check_rows(training(candidates=DUMMY), table).warnings

    both = int(found.partition("another, and ")[2].split()[0])
    assert found.startswith("training.query: 100 of 2000 rows (5.0%) are exact copies of another, and ")
    assert 20 <= both <= 50


@pytest.mark.parametrize("times", [2, 10])
@pytest.mark.parametrize(
    ("features", "target"),
    [
        ({"x": RNG.normal(size=200)}, LATE[:200]),
        ({"x": RNG.normal(size=200), "kind": LATE[200:400], "void": pa.nulls(200, pa.float64())}, LATE[:200]),
        ({"kind": LATE[200:400]}, AMOUNT[:200]),
    ],
)
def test_copies_of_rows_of_few_columns_are_counted(features: dict[str, Any], target: Any, times: int) -> None:
    """One amount among them is enough to know rows by; the share is told."""
    table = pa.concat_tables([pa.table({**features, "y": target})] * times)
    asked = {"metric": "r2", "candidates": DUMMIES} if target is not LATE and target.dtype == float else {}

    found = check_rows(training(**{"candidates": DUMMY, **asked}), table).warnings

    copies = 200 * (times - 1)
    assert found[-1].startswith(
        f"training.query: {copies} of {200 * times} rows ({1 - 1 / times:.1%}) are exact copies of another, and "
    )


def test_rows_of_few_categories_may_coincide() -> None:
    """Where columns have few values, rows are alike by themselves: that is told, and no leak is spoken of."""
    few = {f"x{i}": RNG.integers(0, 3, ROWS) for i in range(3)}

    (found,) = check_rows(training(candidates=DUMMY), pa.table({**few, "y": LATE})).warnings

    assert found == (
        "training.query: 1946 of 2000 rows (97.3%) are equal to another, as rows of so few values may be; "
        "SELECT DISTINCT if they are copies"
    )


def test_copies_of_columns_are_named() -> None:
    """The same values, missing ones in the same rows, are one feature; constant columns are told otherwise."""
    gaps = pa.array(AMOUNT, mask=RNG.random(ROWS) < 0.1)
    words = [f"w{i % 7}" for i in range(ROWS)]
    twice = {"gaps": gaps, "again": gaps, "word": words, "text": words, "other": words[1:] + words[:1]}

    found = warned({**twice, "one": [1] * ROWS, "two": [1] * ROWS})

    assert found == [
        "training.query: one value in all 2000 rows: 'one', 'two'; leave them out",
        "training.query: columns are copies of others: 'again' of 'gaps', 'text' of 'word'; leave one of each out",
    ]


SEXES, SICK = RNG.random(300) < 0.5, RNG.random(300) < 0.3


@pytest.mark.parametrize(
    ("features", "target", "column"),
    [
        ({"patient_id": PATIENT}, LATE, "patient_id"),
        ({"customerId": [f"C{p}" for p in PATIENT]}, LATE, "customerId"),
        ({"who": PATIENT}, SICK[PATIENT], "who"),
        ({"who": [f"{p:x}-{p * 7919:x}" for p in PATIENT], "sex": SEXES[PATIENT]}, LATE, "who"),
    ],
)
@pytest.mark.parametrize("split", ["random", "group"])
def test_groups_on_both_sides_are_named(features: dict[str, Any], target: Any, column: str, split: str) -> None:
    """A column named as one of patients, or within which the target or another feature is the same, asks for a group."""
    by = {"by": split, "column": column} if split == "group" else {"by": split}

    found = warned(features, target, split=by)

    told = [text for text in found if text.startswith("training.split: ")]
    assert len(told) == (0 if split == "group" else 1)
    assert all(f"have a '{column}' that rows to train on have too (300 values, 6.7 rows each)" in t for t in told)
    assert all(f"split by group with column: {column}" in text for text in told)


def test_the_same_customers_later_on_are_no_leak() -> None:
    """A split by time may have known customers on both sides, unless their answer never changes."""
    split = {"by": "time", "column": "at"}
    features = {"customer_id": PATIENT, "at": np.arange(ROWS)}

    assert warned(features, LATE, split=split) == []
    assert "'customer_id' that rows to train on have too" in warned(features, SICK[PATIENT], split=split)[0]


def test_warnings_are_kept_with_the_training_set(build: Build) -> None:
    """A training set that is not built again has the same warnings."""
    columns = {"a": range(100), "b": ["x"] * 100, "y": [True, False] * 50}

    first, second = build(columns), build(columns)

    assert first.warnings == ("training.query: one value in all 100 rows: 'b'; leave it out",)
    assert first == second


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from([0.0, -0.0, 1.5, None]), st.sampled_from(["a", "b", None])), min_size=1))
def test_equal_rows_have_equal_hashes(rows: list[tuple[float | None, str | None]]) -> None:
    """Rows have the same hash when, and only when, they are equal, missing values included."""
    numbers, texts = zip(*rows, strict=True)
    table = pa.table({"n": pa.array(numbers, pa.float64()), "t": pa.array(texts, pa.string())})

    hashes = hash_rows(table, ["n", "t"]).tolist()

    assert [hashes.index(each) for each in hashes] == [rows.index(row) for row in rows]


@pytest.mark.parametrize(("by", "groups"), [("group", ["a", None] * 50), ("time", [1.5, float("nan")] * 50)])
def test_a_row_without_group_or_moment_is_refused(by: str, groups: list[Any]) -> None:
    """Rows that name no group or time cannot be put on a side, and the cure is told."""
    table = pa.table({"x": range(100), "by": groups, "y": [True, False, False, True] * 25})

    with pytest.raises(TrainingError, match="'by' is null in 50 of 100 rows; add WHERE by IS NOT NULL to the query"):
        check_rows(training(candidates=DUMMY, split={"by": by, "column": "by"}), table)


@pytest.mark.parametrize(
    ("moments", "says"),
    [
        (
            pa.array([7] * 100, pa.int64()),
            "split.gap: is a time, and 'by' is int64; make a TIMESTAMP of by in the query",
        ),
        (pa.array([2**63 - 1] * 100, pa.timestamp("us")), "'by' is infinite in 100 of 100 rows; add WHERE isfinite"),
    ],
)
def test_a_gap_needs_moments_of_which_it_is_known_how_long_ago_they_are(moments: pa.Array, says: str) -> None:
    """A number has no unit of time, and endless times no distance."""
    table = pa.table({"x": range(100), "by": moments, "y": [True, False] * 50})

    with pytest.raises(TrainingError, match=says):
        check_rows(training(candidates=DUMMY, split={"by": "time", "column": "by", "gap": "1h"}), table)


def test_texts_that_are_numbers_are_told_by_name() -> None:
    """Prices that came as texts are categories to a model; codes with leading zeros, words and empty texts are none."""
    at = np.arange(ROWS)
    texts = {
        "price": [f"{value:.2f}" for value in AMOUNT],
        "signed": [f"{-value:.1e}" for value in AMOUNT],
        "code": [f"{value % 50:03d}" for value in at],
        "mostly": [str(value % 90) if value else "unknown" for value in at],
        "blank": [str(value % 90) if value % 9 else "" for value in at],
    }

    found = warned(texts)

    assert found == [
        "training.query: text that is a number in every row: 'price', 'signed', so a model sees categories without order; "
        "CAST(price AS DOUBLE) AS price, CAST(signed AS DOUBLE) AS signed in the query, or declare type: float in the "
        "source's columns"
    ]


def test_a_decimal_is_a_number(build: Build) -> None:
    """A column of exact decimals, as Parquet keeps prices, is a feature like any other number."""
    prices = pa.array(np.round(AMOUNT, 2).astype(str)).cast(pa.decimal128(10, 2))

    found = build({"price": prices, "b": RNG.normal(size=ROWS), "y": LATE})

    assert pa.ipc.open_file(str(found.path)).schema.field("price").type == pa.float64()
    assert found.warnings == ()
