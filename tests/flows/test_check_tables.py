"""`check` looks at the tables that are there, and tells every mistake of the training together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.cli.main import run_command
from tests.train.conftest import write_table

ROWS = 200
TABLE: dict[str, Any] = {
    "x": np.arange(ROWS) % 7,
    "day": np.arange(ROWS),
    "late": np.arange(ROWS) % 3 == 0,
    "kind": [f"k{i % 4}" for i in range(ROWS)],
    "amount": np.arange(ROWS) / 3,
}
LOGISTIC = "{estimator: sklearn.linear_model.LogisticRegression}"


def check(folder: Path, capfd: pytest.CaptureFixture[str], **training: str) -> list[str]:
    """Return what `check` says is wrong with a training on a table of orders that is there, and customers, which is not."""
    (folder / "inbox").mkdir(exist_ok=True)
    for name in ("orders", "customers"):
        (folder / "inbox" / f"{name}.csv").write_text("x\n1\n")
    write_table(folder / "tables" / "orders", TABLE)
    truth = f"truth: {training.pop('truth')}\n" if "truth" in training else ""
    asked = {"query": "SELECT * FROM orders", "target": "late", "candidates": f"{{logistic: {LOGISTIC}}}"} | training
    sources = "".join(f"  {name}: {{kind: files, path: inbox/{name}.csv}}\n" for name in ("orders", "customers"))
    path = folder / "pipeline.yaml"
    path.write_text(
        f"name: shop\nsources:\n{sources}{truth}training:\n" + "".join(f"  {k}: {v}\n" for k, v in asked.items())
    )
    code = run_command(["check", str(path), "--data", str(folder)])
    told = capfd.readouterr().err.splitlines()
    assert code == (2 if told else 0)
    return [line.removeprefix(f"error: {path}: ") for line in told]


def test_a_damaged_table_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A part that cannot be read is one sentence with what to do."""
    cut = tmp_path / "tables" / "customers"
    cut.mkdir(parents=True)
    (cut / "part-0.parquet").write_bytes(b"PAR1 no more")

    (told,) = check(tmp_path, capfd)

    assert told.startswith(f"{cut / 'part-0.parquet'}: cannot be read (")
    assert told.endswith("run convert again: it makes it anew")


@pytest.mark.parametrize(
    ("training", "sentences"),
    [
        ({}, []),
        ({"target": "lat"}, ["training.target: 'lat' is not a column of the query's result"]),
        (
            {"query": "SELECT x, lates FROM orders"},
            ['training.query: Binder Error: Referenced column "lates" not found'],
        ),
        (
            {"metric": "r2"},
            ["training.metric: 'r2' does not fit the target 'late' (classification, 2 distinct values)"],
        ),
        (
            {
                "target": "kind",
                "metric": "r2",
                "positive": "k1",
                "candidates": "{ridge: {estimator: sklearn.linear_model.Ridge}, tree: {estimator: sklearn.tree.DecisionTree}}",
            },
            [
                "training.candidates.tree.estimator: 'sklearn.tree.DecisionTree' is not an estimator",
                "training.positive: is of two classes, and 'kind' has 4 (k0, k1, k2, k3)",
                "training.candidates.ridge.estimator: 'sklearn.linear_model.Ridge' is a regressor, but the target 'kind'",
                "training.metric: 'r2' does not fit the target 'kind'",
            ],
        ),
        (
            {"target": "lat", "split": "{by: time, column: dy}"},
            ["training.target: 'lat' is not a column", "training.split.column: 'dy' is not a column"],
        ),
        (
            {"query": "SELECT * FROM ordrs"},
            ["training.query: the pipeline makes no table 'ordrs'; did you mean orders?"],
        ),
        ({"query": "SELECT * FROM orders LIMIT 5"}, ["training.query: gives 5 rows of the tables that are there"]),
        ({"query": "SELECT *, [x] AS l FROM orders"}, ["training.query: column 'l' is"]),
        (
            {"candidates": "{l: {estimator: sklearn.linear_model.LogisticRegression, params: {class_weight: {2: 5}}}}"},
            ["training.candidates.l.params.class_weight: '2' is not a class of 'late'; there are false, true"],
        ),
        (
            {"query": "SELECT *, if(day = 3, 'once', kind) AS word FROM orders", "target": "word"},
            ["training.split: The least"],
        ),
        (
            {"truth": "{query: SELECT day FROM orders, key: dai, delay: 7d}"},
            [
                "truth.query: its result has no column 'dai', by which truth.key joins it; did you mean day?",
                "truth.query: its result has no column 'late', which is the target; it has day",
            ],
        ),
        (
            {"truth": "{query: SELECT * FROM ordrs, key: day, delay: 7d}"},
            ["truth.query: the pipeline makes no table 'ordrs'; did you mean orders?"],
        ),
        ({"query": "SELECT o.* FROM orders o JOIN customers c USING (x)", "target": "nothing"}, []),
    ],
)
def test_every_mistake_that_the_tables_show_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], training: dict[str, str], sentences: list[str]
) -> None:
    """A target, a column, a metric, a class: each by its key; of a table that is not there yet, nothing is known."""
    told = check(tmp_path, capfd, **training)

    assert [line[: len(sentence)] for line, sentence in zip(told, sentences, strict=True)] == sentences


def test_a_query_that_takes_long_is_left_to_the_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`check` does not wait for it, and says nothing of what it does not know."""
    monkeypatch.setattr("tasks.train.checks.preview._TIME_S", 0.3)
    query = "SELECT sum(sin(x * a.range)) AS y, x FROM orders, range(100000000000) a GROUP BY x"

    assert check(tmp_path, capfd, query=query, target="y") == []
