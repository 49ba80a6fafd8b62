"""Whatever the rows and the query: a training that says nothing has the task, the classes and the rows that it was given."""

from __future__ import annotations

import math
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tasks.core.errors import ConfigError, TrainingError
from tasks.train.checks.training_set import write_training_set
from tasks.train.data.features import features_of, read_frame, read_target
from tasks.train.data.split import split_rows
from tasks.train.data.split_file import keep_split
from tasks.train.evaluation.holdout import judge_finalist
from tasks.train.evaluation.job import plan_jobs
from tests.train.conftest import training, write_table
from tests.train.test_classes import holdout

KINDS: dict[str, Any] = {
    "texts": ["fraud", "legit"],
    "digits": ["0", "1"],
    "truths": [False, True],
    "words of truth": ["True", "False"],
    "numbers": [0, 1],
    "other numbers": [3, 7],
    "floats": [0.0, 1.0],
    "halves": [0.5, 1.5],
    "three": ["a", "b", "c"],
    "one": ["same"],
}


@st.composite
def asked(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a target, with nulls perhaps, and what is declared of it."""
    labels = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    shares = draw(st.lists(st.integers(1, 9), min_size=len(labels), max_size=len(labels)))
    rows = draw(st.integers(8, 60))
    choice = np.random.default_rng(draw(st.integers(0, 99))).choice(len(labels), rows, p=np.array(shares) / sum(shares))
    target = [labels[i] for i in choice]
    for place in draw(st.lists(st.integers(0, rows - 1), max_size=2)):
        target[place] = None
    return {
        "target": target,
        "task": draw(st.sampled_from([None, "classification", "regression"])),
        "positive": draw(st.sampled_from([None, *labels, "fraud", True, 1])),
        "metric": draw(st.sampled_from(["accuracy", "f1", "average_precision", "f1_weighted", "roc_auc", "r2"])),
        "where": draw(st.sampled_from(["", "WHERE x > 2", "WHERE y IS NOT NULL"])),
        "tree": draw(st.sampled_from(["DecisionTreeClassifier", "DecisionTreeRegressor"])),
        "weights": draw(st.sampled_from([None, dict.fromkeys(labels, 2)])),
    }


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(asked())
def test_what_is_declared_is_what_is_trained(case: dict[str, Any]) -> None:
    """Task and positive class are the declared ones, F1 is of that class, and every row of the query is on one side."""
    assume(case["positive"] is None or case["task"] != "regression")
    params = {} if case["weights"] is None or "Regressor" in case["tree"] else {"class_weight": case["weights"]}
    candidate = {"estimator": f"sklearn.tree.{case['tree']}", "params": {"max_depth": 2, **params}}
    section = training(
        query=f"SELECT * FROM rows {case['where']}",  # noqa: S608 - one of three
        metric=case["metric"],
        task=case["task"],
        positive=case["positive"],
        split={"by": "random", "folds": 2},
        candidates={"tree": candidate},
    )
    columns = {"x": np.arange(len(case["target"])) % 11, "y": pa.array(case["target"])}
    with tempfile.TemporaryDirectory() as folder:
        tables = {"rows": write_table(Path(folder) / "tables" / "rows", columns)}
        try:
            found = write_training_set(section, tables, Path(folder) / "training")
        except (TrainingError, ConfigError) as error:
            assert 0 < len(str(error)) < 4000  # noqa: PT017 - refused, in words
            return

        kept = [y for x, y in zip(columns["x"], case["target"], strict=True) if case["where"] != "WHERE x > 2" or x > 2]
        kept = [y for y in kept if y is not None or case["where"] != "WHERE y IS NOT NULL"]
        split = keep_split(section, found)
        assert found.rows == split.train + split.test == len(kept)
        assert None not in kept
        assert case["task"] in {None, found.task}
        truth = read_target(pa.ipc.open_file(str(found.path)).read_all()["y"], found.task)
        labels, counts = np.unique(truth, return_counts=True)
        if found.task == "regression" or len(labels) != 2:
            assert found.positive is None
            return
        if case["positive"] is not None:
            assert str(found.positive).casefold() == str(case["positive"]).casefold().removesuffix(".0")
        else:
            assert counts[labels == found.positive][0] == counts.min()
        job = plan_jobs(section, found, Path(folder) / "models")[1]
        judged = judge_finalist(job)
        assert judged.error is None
        said = holdout(job.folder)
        pairs = list(zip(said["truth"].to_pylist(), said["prediction"].to_pylist(), strict=True))
        hit = sum(t == p == found.positive for t, p in pairs)
        missed = sum((t == found.positive) != (p == found.positive) for t, p in pairs)
        assert judged.metrics["f1"] == (2 * hit / (2 * hit + missed) if hit else 0.0)


MOMENT = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1))  # noqa: DTZ001 - hypothesis takes none with a zone
VALUES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int": (pa.int64(), st.integers(-5, 5)),
    "long": (pa.int64(), st.integers(2**53 - 2, 2**53 + 9)),
    "unsigned": (pa.uint64(), st.integers(2**64 - 5, 2**64 - 1)),
    "small": (pa.int8(), st.integers(-128, 127)),
    "float": (pa.float64(), st.sampled_from([0.1, -0.0, 1e300, 5e-324, math.inf, -math.inf, math.nan])),
    "single": (pa.float32(), st.sampled_from([0.5, 1.25, math.inf, math.nan])),
    "decimal": (pa.decimal128(20, 4), st.decimals(-999, 999, places=4)),
    "truth": (pa.bool_(), st.booleans()),
    "time": (pa.timestamp("us"), MOMENT),
    "zoned": (pa.timestamp("us", "Europe/Berlin"), MOMENT.map(lambda moment: moment.replace(tzinfo=UTC))),
    "date": (pa.date32(), st.dates(date(1900, 1, 1), date(2200, 1, 1))),
    "number text": (pa.string(), st.sampled_from(["1", "2.5", "-3e2"])),
    "code": (pa.string(), st.sampled_from(["01", "02", "007"])),
    "word": (pa.string(), st.sampled_from(["", " ", "a", "A", "é", "NaN", "null"])),
    "one": (pa.int64(), st.just(7)),
    "nothing": (pa.float64(), st.none()),
}


@st.composite
def features(draw: st.DrawFn) -> dict[str, pa.Array]:
    """Draw columns of any kind, of the same number of rows, with nulls, and rows that are there twice."""
    rows = draw(st.integers(10, 30))
    columns = {}
    for number, kind in enumerate(draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=5))):
        stored, values = VALUES[kind]
        drawn = draw(st.lists(st.none() | values, min_size=rows, max_size=rows) | values.map(lambda one: [one] * rows))
        columns[f"c{number} {kind}"] = pa.array(drawn, stored)
    twice = draw(st.lists(st.integers(0, rows - 1), max_size=3))
    return {
        name: pa.concat_arrays([column, column.take(pa.array(twice, pa.int64()))]) for name, column in columns.items()
    }


def as_number(value: Any) -> float:
    """Return what a model is to see of a value: a number, or seconds since 1970; null and infinite are NaN."""
    match value:
        case None:
            return math.nan
        case datetime():
            return (value.replace(tzinfo=value.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
        case date():
            return (value - date(1970, 1, 1)).days * 86400.0
        case _:
            return float(value) if math.isfinite(value) else math.nan


@settings(max_examples=30)
@given(features(), st.integers(0, 9))
def test_what_the_query_gives_is_what_models_see(columns: dict[str, pa.Array], seed: int) -> None:
    """Each row is on one side, each column is a feature with its values, and what says nothing, or is changed, is told by name."""
    rows = len(next(iter(columns.values())))
    target = np.arange(rows) % 2
    section = training(seed=seed, split={"by": "random", "folds": 2})
    with tempfile.TemporaryDirectory() as folder:
        tables = {
            "rows": write_table(Path(folder) / "tables" / "rows", {**columns, "row": np.arange(rows), "y": target})
        }
        try:
            found = write_training_set(section, tables, Path(folder) / "training")
        except (TrainingError, ConfigError) as error:
            assert 0 < len(str(error)) < 4000  # noqa: PT017 - refused, in words
            return
        table = pa.ipc.open_file(str(found.path)).read_all()
    sides = split_rows(section, table, found.task)
    assert sorted([*sides.train, *sides.test]) == list(range(rows))
    table = table.sort_by("row")
    assert table.select(["row", "y"]).to_pydict() == {"row": list(range(rows)), "y": list(target)}
    seen = features_of(section, table.schema)
    assert set(seen.names) == {"row", *columns}
    frame, told = read_frame(table, seen), "\n".join(found.warnings)
    for name, column in columns.items():
        values = column.to_pylist()
        if name in seen.categorical:
            assert frame[name].astype(object).where(frame[name].notna(), None).tolist() == values
        else:
            np.testing.assert_array_equal(frame[name], [as_number(value) for value in values])
        is_changed = any(isinstance(value, float) and math.isinf(value) for value in values)
        is_rounded = any(isinstance(value, int) and int(float(value)) != value for value in values)
        is_number = "number text" in name and any(value is not None for value in values)
        is_void = all(value is None or value != value for value in values) or values == values[:1] * rows  # noqa: PLR0124 - NaN
        assert repr(name) in told or not (is_changed or is_rounded or is_number or is_void)
