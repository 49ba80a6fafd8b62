"""Whatever the rows and the query: a training that says nothing has the task, the classes and the rows that it was given."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tasks.errors import SpecError, TrainingError
from tasks.train.features import read_target
from tasks.train.jobs import plan_jobs
from tasks.train.judge import judge_finalist
from tasks.train.training_set import build_training_set
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


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
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
            found = build_training_set(section, tables, Path(folder) / "training")
        except (TrainingError, SpecError) as error:
            assert 0 < len(str(error)) < 4000  # noqa: PT017 - refused, in words
            return

        kept = [y for x, y in zip(columns["x"], case["target"], strict=True) if case["where"] != "WHERE x > 2" or x > 2]
        kept = [y for y in kept if y is not None or case["where"] != "WHERE y IS NOT NULL"]
        assert found.rows == found.train_rows + found.test_rows == len(kept)
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
