"""Findings on sets that have nothing to be found, and on ones that each is planted in: real fits, folds and hold-outs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.datasets import make_classification, make_regression

from tasks.train.assessment.assess import assess_best
from tasks.train.assessment.diagnoses import Finding
from tasks.train.checks.training_set import write_training_set
from tasks.train.evaluation.folds import evaluate_fold
from tasks.train.evaluation.holdout import judge_finalist, measure_importances, measure_share
from tasks.train.evaluation.job import CandidateJob, plan_jobs
from tasks.train.evaluation.leaderboard import Leaderboard, rank
from tasks.train.evaluation.results import SHARES, CandidateResult, Finalist, combine_folds, keep_part, make_finalist
from tests.benchmarks.rig import say
from tests.benchmarks.table import Line
from tests.train.conftest import training, write_table

CLEAN_SETS = 20
PLANTED_SETS = 5
FEWEST_FOUND = 4
"""Of these: what is planted in some groups may be held out with them."""
ROWS = 800
FEATURES = 6
_LOGISTIC = {"estimator": "sklearn.linear_model.LogisticRegression", "params": {"C": 0.5, "max_iter": 500}}
_SEARCHED = {
    "estimator": "sklearn.linear_model.LogisticRegression",
    "search": {"by": "random", "n": 9, "space": {"C": {"low": 1e-4, "high": 1e4, "log": True}}},
}
_RIDGE = {"estimator": "sklearn.linear_model.Ridge", "params": {"alpha": 1.0}}
_BOOSTING = "sklearn.ensemble.HistGradientBoosting"
_SMALL = {"max_iter": 60, "max_leaf_nodes": 5, "learning_rate": 0.1}

Made = tuple[dict[str, Any], dict[str, Any]]
"""The columns of a set, and what its training section says."""


def measure_doubts() -> Iterator[Line]:
    """Yield how many clean sets have a finding, and how often each that is planted is found."""
    say("clean sets")
    told = [finding.id for seed in range(CLEAN_SETS) for finding in find(*make_clean(seed))]
    alarms = ", ".join(f"{name} {number}" for name, number in Counter(told).items()) or "none"
    yield Line(f"findings on {CLEAN_SETS} sets that have none", alarms, "≤ 1", len(told) <= 1)
    for name, plant in PLANTS.items():
        say(name)
        found = sum(any(each.id == name for each in find(*plant(seed))) for seed in range(PLANTED_SETS))
        yield Line(
            f"{name}, planted in {PLANTED_SETS}", f"found in {found}", f"≥ {FEWEST_FOUND}", found >= FEWEST_FOUND
        )


def find(columns: Mapping[str, Any], changes: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return the findings of a training of columns, all of its candidates judged."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        asked = training(**changes)
        tables = {"rows": write_table(folder / "tables" / "rows", columns)}
        jobs = plan_jobs(asked, write_training_set(asked, tables, folder / "training"), folder / "models")
        results = [_fold(job) for job in jobs]
        ranked = rank(jobs, results)
        assert ranked.best is not None
        found = assess_best(jobs, _judge(jobs, results, ranked.best.name))
        assert found is not None
        return found.findings


def _fold(job: CandidateJob) -> CandidateResult:
    folds = [evaluate_fold(job, fold) for fold in range(len(job.split.folds))]
    for fold in folds:
        keep_part(job, fold)
    return combine_folds(job, folds)


def _judge(jobs: tuple[CandidateJob, ...], results: list[CandidateResult], best: str) -> Leaderboard:
    finalists: dict[str, Finalist] = {}
    for job in jobs:
        judged = judge_finalist(job)
        if job.name == best:
            results = [
                r if r.name != best else CandidateResult(**{**vars(r), "params": judged.params}) for r in results
            ]
            judged.importances.update(measure_importances(job))
        keep_part(job, judged)
        curve = [measure_share(job, len(SHARES) - 1)] if job.name == best else []
        finalists[job.name] = make_finalist(job, judged, curve)
    return rank(jobs, results, finalists)


def _columns(x: Any, y: Any) -> dict[str, Any]:
    return {**{f"x{place}": x[:, place] for place in range(x.shape[1])}, "y": y}


def make_classes(seed: int, **options: Any) -> dict[str, Any]:
    """Return a set of two classes, each feature of which tells something that no other tells."""
    plain: dict[str, Any] = {"n_informative": FEATURES, "n_redundant": 0, "flip_y": 0.05, "class_sep": 1.2}
    return _columns(*make_classification(ROWS, FEATURES, random_state=seed, **plain | options))


def make_linear(seed: int) -> dict[str, Any]:
    """Return two classes whose odds go by a sum of all features: of others a linear model may have no use."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(ROWS, FEATURES))
    return _columns(x, (generator.random(ROWS) < 1 / (1 + np.exp(-x.sum(axis=1)))).astype(int))


def make_amounts(seed: int) -> dict[str, Any]:
    """Return amounts that each feature has a part in."""
    return _columns(*make_regression(ROWS, FEATURES, n_informative=FEATURES, noise=40, random_state=seed))


def make_clean(seed: int) -> Made:
    """Return a set and a training of it in which there is nothing to be found."""
    if seed % 2:
        boosting = {"estimator": f"{_BOOSTING}Regressor", "params": _SMALL}
        return make_amounts(seed), {"metric": "r2", "candidates": {"ridge": _RIDGE, "boosting": boosting}}
    if seed % 4:
        return make_linear(seed), {"metric": "neg_log_loss", "candidates": {"logistic": _SEARCHED}}
    boosting = {"estimator": f"{_BOOSTING}Classifier", "params": _SMALL}
    return make_classes(seed), {"metric": "roc_auc", "candidates": {"logistic": _LOGISTIC, "boosting": boosting}}


def _of_logistic(columns: dict[str, Any], **changes: Any) -> Made:
    return columns, {"metric": "roc_auc", "candidates": {"logistic": _LOGISTIC}, **changes}


def _plant_gap(seed: int) -> Made:
    columns = make_classes(seed, flip_y=0.5, class_sep=0.4)
    tree = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 40}}
    return columns, {"metric": "accuracy", "candidates": {"tree": tree}}


def _plant_fold_differences(seed: int) -> Made:
    generator = np.random.default_rng(seed)
    group = generator.integers(10, size=ROWS)
    columns = make_classes(seed)
    turned = np.where(group < 4, 1 - columns["y"], columns["y"])
    return _of_logistic({**columns, "y": turned, "g": group}, split={"by": "group", "column": "g"})


def _plant_edge(seed: int) -> Made:
    space = {"alpha": {"low": 1e4, "high": 1e6, "log": True}}
    ridge = {"estimator": "sklearn.linear_model.Ridge", "search": {"by": "random", "n": 12, "space": space}}
    return make_amounts(seed), {"metric": "r2", "candidates": {"ridge": ridge}}


def _plant_imbalance(seed: int) -> Made:
    return _of_logistic(make_classes(seed, weights=[0.96], flip_y=0.0), metric="accuracy")


def _plant_rare_class(seed: int) -> Made:
    columns = make_classes(seed)
    return _of_logistic({**columns, "y": np.where(np.arange(ROWS) % 50 == 0, 2, columns["y"])}, metric="accuracy")


def _plant_correlated(seed: int) -> Made:
    columns = make_classes(seed)
    noise = np.random.default_rng(seed).normal(scale=0.1, size=ROWS)
    return _of_logistic({**columns, "again": columns["x0"] + noise})


def _plant_golden(seed: int) -> Made:
    """Give the target away in nine rows of ten: below what the checks of a training set tell."""
    columns = make_classes(seed, class_sep=0.3, flip_y=0.6)
    generator = np.random.default_rng(seed)
    known = np.where(generator.random(ROWS) < 0.93, columns["y"], 1 - columns["y"])
    return _of_logistic({**columns, "refunded": known + 0.1 * generator.normal(size=ROWS)})


def _plant_useless(seed: int) -> Made:
    noise = np.random.default_rng(seed).normal(size=(ROWS, 6))
    forest = {
        "estimator": "sklearn.ensemble.RandomForestClassifier",
        "params": {"n_estimators": 40, "max_features": 0.7},
    }
    columns = make_classes(seed, class_sep=2.0)
    return {**columns, **{f"n{place}": noise[:, place] for place in range(6)}}, {
        "metric": "roc_auc",
        "candidates": {"forest": forest},
    }


def _plant_time(seed: int) -> Made:
    generator = np.random.default_rng(seed)
    moments = generator.permutation(ROWS)
    y = (np.sin(moments / 40) + generator.normal(scale=0.8, size=ROWS) > 0).astype(int)
    at = np.datetime64("2024-01-01", "us") + moments * np.timedelta64(1, "h")
    return _of_logistic({"at": at, "x": y + generator.normal(size=ROWS), "y": y})


def _plant_untuned(seed: int) -> Made:
    return make_classes(seed), {
        "metric": "roc_auc",
        "candidates": {"boosting": {"estimator": f"{_BOOSTING}Classifier"}},
    }


PLANTS: dict[str, Callable[[int], Made]] = {
    "train_test_gap": _plant_gap,
    "folds_disagree": _plant_fold_differences,
    "search_at_edge": _plant_edge,
    "imbalance": _plant_imbalance,
    "rare_classes": _plant_rare_class,
    "correlated_features": _plant_correlated,
    "golden_feature": _plant_golden,
    "useless_features": _plant_useless,
    "test_before_train": _plant_time,
    "untuned_winner": _plant_untuned,
}
