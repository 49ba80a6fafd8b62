"""Metrics from outside: as the page on extensions shows one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.train import train
from tasks.config import Training, kinds, load_pipeline
from tasks.config.metrics import METRICS, Metric
from tasks.core.errors import TrainingError
from tasks.train.checks.section import check_training
from tasks.train.checks.training_set import is_checked, write_training_set
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.leaderboard import Leaderboard, rank
from tasks.train.evaluation.metrics import ModelOutput, score_all
from tasks.train.evaluation.results import CandidateResult
from tests.documented import documented
from tests.train.conftest import LOGISTIC, Build, sklearn_table, write_table

PIPELINE = """
name: cancer
extensions: ["{extension}"]
sources:
  rows: {{kind: files, path: "inbox/*.csv"}}
training:
  query: "SELECT * EXCLUDE (row) FROM rows ORDER BY row"
  target: y
  positive: 0
  metric: {metric}
  learning_curve: false
  candidates:
    logistic: {{estimator: sklearn.linear_model.LogisticRegression, params: {{max_iter: 3000}}}}
    bayes:
      estimator: sklearn.naive_bayes.GaussianNB
      search: {{by: grid, space: {{var_smoothing: [0.000000001, 0.001]}}}}
"""
COST = "own_cost:Cost"


@pytest.fixture(autouse=True)
def _documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the documented module where it can be imported, and take the metric away again."""
    with documented(METRICS, "A metric", tmp_path / "own_cost.py", monkeypatch):
        yield


def load(folder: Path, metric: str = "neg_cost", extension: str = COST) -> Training:
    """Return the training section of a pipeline file with a metric."""
    write(folder, metric, extension)
    section = load_pipeline(folder / "pipeline.yaml").training
    assert section
    return section


def write(folder: Path, metric: str = "neg_cost", extension: str = COST) -> Path:
    """Write a pipeline file with a metric, and return its path."""
    file = folder / "pipeline.yaml"
    file.write_text(PIPELINE.format(metric=metric, extension=extension))
    return file


def run(folder: Path, metric: str = "neg_cost") -> Leaderboard:
    """Train, and return the leaderboard."""
    write_table(folder / "data" / "tables" / "rows", sklearn_table("breast_cancer"))
    return asyncio.run(train(load_pipeline(write(folder, metric)), folder / "data"))


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
def test_the_leaderboard_is_ranked_by_ones_own(tmp_path: Path) -> None:
    """Each line has it, negated to rank by and plain beside the others; a search asks by it too; an edited module is computed anew."""
    board = run(tmp_path)
    shown = {line.name: dict(line.result.metrics or {}) for line in board.lines}
    module = tmp_path / "own_cost.py"
    module.write_text(module.read_text().replace("10 *", "20 *"))
    sys.modules.pop("own_cost")
    METRICS.kinds.pop("cost")
    kinds._added.clear()
    edited = run(tmp_path)

    assert not board.failed
    scores = [line.result.score or 0 for line in board.lines]
    assert scores == sorted(scores, reverse=True)
    for line in board.lines:
        assert line.result.score == pytest.approx(-shown[line.name]["cost"])
        assert line.interval is not None
    dummy = next(line for line in board.lines if line.name == "dummy")
    truth = np.asarray(sklearn_table("breast_cancer")["y"])
    assert shown["dummy"]["cost"] == pytest.approx(10 * np.mean(truth == 0), rel=0.02)
    assert board.best is not None
    assert board.best.finalist is not None
    assert board.best.finalist.interval is not None
    doubled = next(line for line in edited.lines if line.name == "dummy")
    assert doubled.result.score == pytest.approx(2 * (dummy.result.score or 0))


def test_it_is_shown_where_another_ranks(tmp_path: Path) -> None:
    """Of a classifier's answers it is one figure more, after ours."""
    load(tmp_path, "roc_auc")
    truth, said = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 0])

    scores = score_all("classification", ModelOutput(truth, said, classes=np.array([0, 1])))

    assert list(scores)[-1] == "cost"
    assert scores["cost"] == (10 + 1) / 4
    assert "cost" not in score_all("regression", ModelOutput(truth.astype(float), said.astype(float)))


def test_where_rows_have_weights_it_is_shown_only_if_it_takes_them(
    tmp_path: Path, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it is named and left out, and cannot rank."""
    load(tmp_path)
    truth, said = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 0])
    output = ModelOutput(truth, said, classes=np.array([0, 1]), weight=np.array([1.0, 1.0, 1.0, 5.0]))
    table = {"x": range(40), "w": [1.5] * 40, "y": [0, 1] * 20}

    assert "cost" not in score_all("classification", output)
    assert (
        "training.weights: left out, as their compute takes no weights: cost" in build(table, weights="w").warnings[-1]
    )
    with pytest.raises(TrainingError, match="'neg_cost' has no weighted form"):
        build(table, weights="w", metric="neg_cost")

    def compute(_: Any, truth: Any, predicted: Any, classes: Any, weights: Any = 1) -> float:
        return float(np.sum((truth != predicted) * weights) + 0 * len(classes))

    monkeypatch.setattr(
        type(METRICS.kinds["cost"]) if not isinstance(METRICS.kinds["cost"], type) else METRICS.kinds["cost"],
        "compute",
        compute,
    )
    assert score_all("classification", output)["cost"] == 6.0


def test_one_that_fails_is_named_and_left_out(tmp_path: Path) -> None:
    """The others are had all the same, of candidates that have done nothing wrong."""
    module = tmp_path / "own_cost.py"
    module.write_text(module.read_text().replace("10 *", "1 // 0 *"))
    load(tmp_path, "roc_auc")
    truth = np.array([0, 0, 1, 1])

    with pytest.warns(UserWarning, match=r"the metric cost cannot be computed \(ZeroDivisionError: .*\); mend it"):
        scores = score_all("classification", ModelOutput(truth, truth, classes=np.array([0, 1])))

    assert "cost" not in scores
    assert scores["accuracy"] == 1


@pytest.mark.parametrize(
    ("bounds", "least", "greatest"), [("", -9.0, 9.0), ("    bounds = (-2.1, 0.0)\n", 0.0, 2.1)], ids=["none", "own"]
)
def test_its_interval_has_the_bounds_that_it_tells(
    tmp_path: Path, jobs: Callable[..., dict[str, CandidateJob]], bounds: str, least: float, greatest: float
) -> None:
    """None where it tells none: a cost may be a gain, and only scikit-learn's scores are known by their names to have some."""
    module = tmp_path / "own_cost.py"
    module.write_text(module.read_text().replace("    def compute", f"{bounds}    def compute", 1))
    load(tmp_path)
    planned = jobs(sklearn_table("breast_cancer"), metric="neg_cost", candidates={"gain": LOGISTIC})
    scores = {"dummy": (-1.0, -1.1, -0.9, -1.0, -1.0), "gain": (2.0, 1.0, 3.0, 1.5, 2.5)}

    board = rank(
        list(planned.values()), [CandidateResult(name, "", fold_scores=found) for name, found in scores.items()]
    )

    assert board.best is not None
    assert board.best.interval is not None
    low, high = board.best.interval
    assert least < low < 2 < high <= greatest
    assert (high == greatest) == bool(bounds)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ('task = "classification"', "no task"),
        ("greater_is_better = False", "no greater_is_better"),
        ('of = "chance"', "judges 'chance'; write prediction"),
    ],
)
def test_a_class_that_lacks_a_part_is_refused_when_it_is_made(part: str, said: str) -> None:
    """Each part but one is there."""
    parts: dict[str, Any] = {"name": "half", "task": "classification", "greater_is_better": False}
    key, _, value = part.partition(" = ")
    if key in parts:
        del parts[key]
    else:
        parts[key] = value.strip('"')

    with pytest.raises(TypeError, match=said):
        type("Half", (Metric,), {**parts, "compute": lambda *_: 0.0})


@pytest.mark.parametrize(
    ("metric", "mistake"),
    [
        ("cost", "training.metric: 'cost' is not a metric; did you mean neg_cost?"),
        ("neg_csot", "training.metric: 'neg_csot' is not a metric; did you mean neg_cost?"),
    ],
)
def test_its_name_is_checked(tmp_path: Path, metric: str, mistake: str) -> None:
    """A mistake in it is told as in that of any metric."""
    assert check_training(load(tmp_path, metric)) == [mistake]


def test_a_name_of_scikit_learn_is_refused(tmp_path: Path) -> None:
    """Nobody could tell which of them ranks."""
    module = tmp_path / "own_cost.py"
    module.write_text(module.read_text().replace('"cost"', '"brier_score"'))

    assert check_training(load(tmp_path, "accuracy")) == [
        "extensions: 'neg_brier_score' is a metric of scikit-learn already; call yours otherwise"
    ]


def test_one_that_is_of_classes_does_not_fit_an_amount(tmp_path: Path, build: Build) -> None:
    """Before any fit, as with those of scikit-learn."""
    load(tmp_path)

    with pytest.raises(TrainingError, match=r"training\.metric: 'neg_cost' does not fit the target 'y' \(regression"):
        build(sklearn_table("diabetes"), metric="neg_cost")


def test_a_section_is_checked_again_where_its_metric_has_gone(tmp_path: Path) -> None:
    """What was right when its rows were built is not, without the extension."""
    section, tables = load(tmp_path), {"rows": tmp_path / "rows"}
    write_table(tables["rows"], sklearn_table("breast_cancer"))
    write_training_set(section, tables, tmp_path / "built")
    before = is_checked(section, tmp_path / "built", tables)
    METRICS.kinds.pop("cost")
    METRICS._paths.clear()

    assert before
    assert not is_checked(section, tmp_path / "built")


def test_check_accepts_it(tmp_path: Path) -> None:
    """The command line takes the file where the module's package is installed."""
    (tmp_path / "data" / "inbox").mkdir(parents=True)
    (tmp_path / "data" / "inbox" / "a.csv").write_text("row,x,y\n1,2,0\n")
    info = tmp_path / "cost-1.dist-info"
    command = [sys.executable, "-m", "flows", "check", str(write(tmp_path)), "--data", str(tmp_path / "data")]
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    write(tmp_path).write_text(write(tmp_path).read_text().replace(f'["{COST}"]', "[]"))
    unknown = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cost\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[tidemill.metrics]\ncost = {COST}\n")
    installed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (unknown.returncode, installed.returncode) == (2, 0), installed.stderr
    assert "'neg_cost' is not a metric" in " ".join(unknown.stderr.split())
