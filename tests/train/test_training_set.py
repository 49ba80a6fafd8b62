"""The training set: its rows, their order, and every reason to refuse them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tasks.core.errors import ConfigError, TrainingError
from tasks.train.checks import target
from tasks.train.checks.training_set import is_checked, write_training_set
from tasks.train.data.features import read_target
from tasks.train.data.split_file import keep_split
from tasks.train.data.training_set import TrainingSet
from tests.train.conftest import Build, sklearn_table, training, write_table

COLUMNS: dict[str, list[Any]] = {"a": [3, 1, 2] * 40, "b": list(range(120)), "y": [True, False] * 60}


def read(training_set: TrainingSet) -> pa.Table:
    """Return the rows of a training set."""
    return pa.ipc.open_file(str(training_set.path)).read_all()


def test_is_ordered_by_all_columns_where_the_query_has_no_order(build: Build) -> None:
    """Without ORDER BY the rows are sorted by every column, left to right."""
    rows = read(build(COLUMNS, query="SELECT a, b, y FROM rows; -- all of them"))

    assert rows["b"].to_pylist() == sorted(range(120), key=lambda b: (COLUMNS["a"][b], b))


def test_keeps_the_order_of_the_query(build: Build) -> None:
    """An ORDER BY at the top is kept, and ties within it fall to the other columns."""
    rows = read(build(COLUMNS, query="SELECT a, b, y FROM rows ORDER BY a DESC"))

    assert rows["b"].to_pylist() == sorted(range(120), key=lambda b: (-COLUMNS["a"][b], b))


def test_order_within_a_subquery_is_not_the_order_of_the_query(build: Build) -> None:
    """Only an ORDER BY at the top counts."""
    rows = read(build(COLUMNS, query="SELECT b, y FROM (SELECT * FROM rows ORDER BY b DESC)"))

    assert rows["b"].to_pylist() == list(range(120))


def test_describes_what_it_holds(build: Build) -> None:
    """Rows, columns, task and the sizes of the split are told."""
    found = build(COLUMNS)
    split = keep_split(training(), found)

    assert (found.rows, found.columns, found.task) == (120, ("a", "b", "y"), "classification")
    assert (split.train, split.test) == (96, 24)


@pytest.mark.parametrize(
    ("target", "task"),
    [
        ([0, 1] * 60, "classification"),
        (["x", "y"] * 60, "classification"),
        (list(range(120)), "regression"),
        ([0.5, 1.5] * 60, "regression"),
    ],
)
def test_task_follows_the_target(build: Build, target: list[Any], task: str) -> None:
    """Truths, texts and few whole numbers are classes; other numbers are amounts."""
    estimator = "LogisticRegression" if task == "classification" else "Ridge"

    found = build(
        {**COLUMNS, "y": target},
        metric="accuracy" if task == "classification" else "r2",
        candidates={"linear": {"estimator": f"sklearn.linear_model.{estimator}"}},
    )

    assert found.task == task


def test_sample_is_seeded_and_keeps_the_order(build: Build) -> None:
    """The sample is numpy's draw without replacement by the seed, in the order of the query."""
    rows = read(build(COLUMNS, query="SELECT b, y FROM rows", sample_rows=50, seed=7))

    expected = np.sort(np.random.default_rng(7).choice(120, 50, replace=False))
    assert rows["b"].to_pylist() == expected.tolist()


@pytest.mark.parametrize(
    ("split", "units"),
    [
        ({}, 96),
        ({"by": "group", "column": "shop"}, 9),
        ({"by": "time", "column": "moment", "folds": 5}, 16),
    ],
)
def test_a_coverage_that_rows_are_too_few_for_is_told_before_a_fit(
    build: Build, split: dict[str, Any], units: int
) -> None:
    """What counts is a row, a group, or a row of a span of time; one of each fewer than it takes is one too few."""
    moments = pa.array(range(120), pa.timestamp("s"))
    columns = COLUMNS | {"moment": moments, "shop": [row // 10 for row in range(120)]}
    asked = {"split": split} if split else {}

    build(columns, coverage=units / (units + 1), **asked)
    with pytest.raises(TrainingError, match=rf"takes {units + 1} rows or groups .* there are {units}; lower coverage"):
        build(columns, coverage=(units + 1) / (units + 2), **asked)


def test_same_rows_have_the_same_fingerprint(build: Build, tmp_path: Path) -> None:
    """Building twice from the same tables gives the same bytes."""
    first = build(COLUMNS)

    second = write_training_set(training(), {"rows": tmp_path / "tables" / "rows"}, tmp_path / "again")

    assert first.fingerprint == second.fingerprint


def test_is_not_built_twice(build: Build) -> None:
    """With nothing changed the file is left alone."""
    first = build(COLUMNS)
    written = first.path.stat().st_mtime_ns
    tables = {"rows": first.path.parent.parent / "tables" / "rows"}

    second = write_training_set(training(), tables, first.path.parent)

    assert (second, second.path.stat().st_mtime_ns) == (first, written)


def test_is_built_again_when_a_table_changes(build: Build) -> None:
    """A changed table gives a changed training set."""
    first = build(COLUMNS)

    second = build({**COLUMNS, "b": list(range(1, 121))})

    assert first.fingerprint != second.fingerprint


def test_only_the_section_and_tables_that_it_is_of_are_checked_already(build: Build, tmp_path: Path) -> None:
    """Another section is to be checked, and so are rows that have changed; a section alone may be asked for."""
    folder, tables = build(COLUMNS).path.parent, {"rows": tmp_path / "tables" / "rows"}
    same = is_checked(training(), folder, tables)
    others = [is_checked(training(metric="f1"), folder), is_checked(training(target="x"), folder, tables)]
    write_table(tables["rows"], {name: values[::-1] for name, values in COLUMNS.items()})

    assert same
    assert others == [False, False]
    assert is_checked(training(), folder)
    assert not is_checked(training(), folder, tables)
    assert not is_checked(training(), tmp_path / "nowhere")


def test_is_built_again_when_the_file_is_damaged(build: Build, tmp_path: Path) -> None:
    """A file whose bytes are not those of the manifest is replaced."""
    first = build(COLUMNS)
    first.path.write_bytes(first.path.read_bytes()[:-100])

    second = write_training_set(training(), {"rows": tmp_path / "tables" / "rows"}, tmp_path / "training")

    assert (second, read(second).num_rows) == (first, 120)


@pytest.mark.parametrize("change", [{"rows": "many"}, {"columns": None}, {"task": "clustering"}, {"fingerprint": ""}])
def test_is_built_again_when_the_manifest_is_damaged(build: Build, tmp_path: Path, change: dict[str, object]) -> None:
    """One of another shape, as of another version, is as good as absent."""
    first = build(COLUMNS)
    manifest = first.path.with_suffix(".json")
    whole = manifest.read_bytes()
    known = json.loads(whole)
    manifest.write_text(json.dumps(known | {"training_set": known["training_set"] | change}))

    second = write_training_set(training(), {"rows": tmp_path / "tables" / "rows"}, tmp_path / "training")

    assert (second, manifest.read_bytes()) == (first, whole)


def test_types_that_arrow_lacks_become_numbers_and_texts(build: Build) -> None:
    """Sums, decimals, enumerations and durations are usable features."""
    query = """SELECT b, sum(a) AS total, b::DECIMAL(9, 2) AS price, 'k'::ENUM('k') AS kind,
               INTERVAL 1 MINUTE AS pause, any_value(y) AS y FROM rows GROUP BY b"""

    rows = read(build(COLUMNS, query=query))

    assert [str(field.type) for field in rows.schema] == ["int64", "double", "double", "string", "double", "bool"]
    assert rows["pause"][0].as_py() == 60.0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"query": "SELECT delai, y FROM rows"}, 'column "delai" not found.*Candidate bindings.*tables are rows'),
        ({"query": "SELECT * FROM row_s"}, "Table with name row_s does not exist.*Did you mean.*rows"),
        ({"query": "SELECT * FROM read_csv('secrets.csv')"}, "Cannot access file"),
        ({"query": "SELECT * FROM rows WHERE b < 3"}, "gave 3 rows, and training needs 10; widen"),
        (
            {"query": "SELECT l.* FROM rows l JOIN rows r ON l.b = r.b + 1000"},
            r"gave 0 rows.*fill its tables; no value of l\.b \(BIGINT: .* is one of \(r\.b \+ 1000\) \(BIGINT: '10",
        ),
        ({"query": "SELECT [1, 2] AS pair, y, b FROM rows"}, "'pair' is INTEGER.*leave it out"),
        ({"query": "SELECT y FROM rows"}, "no column besides y; select features"),
        ({"target": "Y2"}, r"'Y2' is not a column of the query's result \(a, b, y\)"),
        ({"target": "yy"}, "did you mean y\\?"),
        ({"query": "SELECT b, nullif(b, 5) AS y FROM rows", "metric": "r2"}, "null in 1 of 120 rows; add WHERE y IS"),
        (
            {"query": "SELECT a, if(b = 5, 'inf', b::DOUBLE) AS y FROM rows", "metric": "r2"},
            "infinite in 1 of 120 rows; add WHERE isfinite",
        ),
        ({"query": "SELECT b, true AS y FROM rows"}, "True in all 120 rows.*widen the query"),
        ({"query": "SELECT b, TIMESTAMP '2013-01-01' + to_days(b::INTEGER) AS y FROM rows"}, "timestamp.*epoch"),
        ({"metric": "r2"}, "'r2' does not fit the target 'y' .classification.*choose one of accuracy"),
        ({"metric": "roc_auc", "query": "SELECT b, a AS y FROM rows"}, "'roc_auc' does not fit.*roc_auc_ovr"),
        ({"candidates": {"ridge": {"estimator": "sklearn.linear_model.Ridge"}}}, "is a regressor.*choose a classifier"),
        ({"split": {"by": "time", "column": "at"}}, r"split.column: 'at' is not a column"),
        ({"split": {"by": "time", "column": "y"}}, "neither a time nor a number; CAST"),
        (
            {"query": "SELECT a, b, 1 AS t, y FROM rows", "split": {"by": "time", "column": "t"}},
            "the same moment in all",
        ),
    ],
)
def test_refuses(build: Build, changes: dict[str, Any], says: str) -> None:
    """A training set that cannot be learnt from is refused with the value and the cure."""
    with pytest.raises(TrainingError, match=says) as raised:
        build(COLUMNS, **changes)

    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT 1; SELECT 2", "holds 2 statements; write one SELECT"),
        ("DROP TABLE rows", "is a DROP, which training refuses"),
        ("COPY rows TO 'out.csv'", "is a COPY, which training refuses"),
        ("SELEC 1", "syntax error at or near .SELEC.; correct the SQL"),
        ("-- nothing", "holds 0 statements"),
    ],
)
def test_refuses_what_is_not_one_select(build: Build, query: str, says: str) -> None:
    """Only one SELECT is run."""
    with pytest.raises(ConfigError, match=says):
        build(COLUMNS, query=query)


def test_query_cannot_read_beside_its_tables(tmp_path: Path) -> None:
    """A file outside the tables is out of reach, also by a path that climbs."""
    write_table(tmp_path / "private", COLUMNS)
    tables = {"rows": write_table(tmp_path / "tables" / "rows", COLUMNS)}
    query = f"SELECT * FROM read_parquet('{tables['rows']}/../../private/part-0.parquet')"  # noqa: S608 - the attack itself

    with pytest.raises(TrainingError, match="Cannot access file"):
        write_training_set(training(query=query), tables, tmp_path / "training")


def test_any_folder_name_will_do_and_an_empty_table_is_named(tmp_path: Path) -> None:
    """Brackets and quotes in the data folder's path are no pattern, and a table without rows yet is told."""
    folder = tmp_path / "it's [mine]"
    tables = {"rows": write_table(folder / "rows", COLUMNS), "late": folder / "late"}

    found = write_training_set(training(), tables, folder / "training")

    assert found.rows == 120
    with pytest.raises(TrainingError, match="its tables are rows; without rows yet: late"):
        write_training_set(training(query="SELECT * FROM late"), tables, folder / "training")


def test_a_table_without_columns_is_left_out(tmp_path: Path) -> None:
    """A source whose files are all empty does not stop a query over the others, and is told to one that names it."""
    tables = {"rows": write_table(tmp_path / "rows", sklearn_table("iris")), "none": write_table(tmp_path / "none", {})}

    built = write_training_set(training(), tables, tmp_path / "training")

    assert built.rows == 150
    with pytest.raises(TrainingError, match=r"none.*does not exist.*its tables are rows; without rows yet: none"):
        write_training_set(training(query='SELECT * FROM "none"'), tables, tmp_path / "training")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"query": "SELECT b, (a = 1)::INT::DOUBLE AS y FROM rows", "metric": "roc_auc"},
            "candidates.logistic.estimator: .* is a classifier, but the target 'y' asks for regression; "
            "add training.task: classification, or choose a regressor\ntraining.metric: 'roc_auc' does not fit .*; "
            "add training.task: classification, or choose one of",
        ),
        (
            {"metric": "r2", "candidates": {"ridge": {"estimator": "sklearn.linear_model.Ridge"}}},
            "asks for classification; add training.task: regression, or choose a classifier",
        ),
        (
            {"query": "SELECT b, a::VARCHAR AS y FROM rows", "task": "regression"},
            "task: regression predicts numbers, and 'y' is text; CAST.y AS DOUBLE. in the query",
        ),
        (
            {"query": "SELECT b, a / 2 AS y FROM rows", "task": "classification"},
            "classification needs classes, and 'y' has numbers that are not whole; CAST.y AS VARCHAR. AS y",
        ),
        (
            {"query": "SELECT a, 'row ' || b AS y FROM rows"},
            "'y' has 120 distinct values in 120 rows, as names of rows have; name a column of classes",
        ),
        (
            {"query": "SELECT a, b, if(b = 5, 'once', 'often') AS y FROM rows"},
            "training.split: The least populated classes in y have only 1 member.*leave rare classes out",
        ),
    ],
)
def test_a_task_that_the_target_is_not_of_is_refused_with_a_cure_that_helps(
    build: Build, changes: dict[str, Any], says: str
) -> None:
    """What is wrong with the estimators and the metric is told together; a guess can be contradicted."""
    with pytest.raises(TrainingError, match=says) as raised:
        build(COLUMNS, **changes)

    assert len(str(raised.value)) < 2500


@pytest.mark.parametrize(
    ("query", "task", "values"),
    [
        ("SELECT b, (a = 1)::INT::DOUBLE AS y FROM rows", "classification", [0, 1]),
        ("SELECT a, b % 40 AS y FROM rows", "classification", list(range(40))),
        ("SELECT b, (a = 1)::INT AS y FROM rows", "regression", [0.0, 1.0]),
        ("SELECT b, a = 1 AS y FROM rows", "regression", [0.0, 1.0]),
    ],
)
def test_the_declared_task_is_the_task(build: Build, query: str, task: str, values: list[Any]) -> None:
    """Whole floats and many whole numbers may be classes, few whole numbers and truths amounts."""
    estimator, metric = ("LogisticRegression", "accuracy") if task == "classification" else ("Ridge", "r2")
    split = {"by": "random", "folds": 2, "stratify": False}
    candidates = {"linear": {"estimator": f"sklearn.linear_model.{estimator}"}}

    found = build(COLUMNS, query=query, task=task, metric=metric, candidates=candidates, split=split)

    assert (found.task, found.guessed) == (task, ("positive",) if len(values) == 2 and task == "classification" else ())
    assert np.unique(read_target(read(found)["y"], task)).tolist() == values


def test_more_classes_than_memory_has_room_for_are_told_before_a_fit(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A probability of each class in each row is what a metric, or a picture, would ask for."""
    monkeypatch.setattr(target, "MAX_CELLS", 120 * 29)
    asked = {"query": "SELECT a, b % 30 AS y FROM rows", "task": "classification", "metric": "neg_log_loss"}

    with pytest.raises(TrainingError, match=r"'y' has 30 classes, and a probability of each in 120 rows takes .* GB"):
        build(COLUMNS, **asked)

    monkeypatch.setattr(target, "MAX_CELLS", 120 * 30)
    assert build(COLUMNS, **asked, split={"by": "random", "folds": 2, "stratify": False}).rows == 120
