"""Findings: each fires on what is planted for it, and is silent on the same without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from tasks.config import Candidate
from tasks.train.assessment.diagnoses import (
    Evidence,
    Moments,
    Rival,
    correlated_pairs,
    diagnose,
    neighbours_resemble,
)

GENERATOR = np.random.default_rng(17)
NUMBERS = {name: GENERATOR.normal(size=400) for name in ("age", "income", "distance", "hour")}
BOOSTING = "sklearn.ensemble.HistGradientBoostingClassifier"
TUNED = Candidate.model_validate(
    {
        "estimator": "sklearn.linear_model.LogisticRegression",
        "search": {"by": "random", "n": 9, "space": {"C": {"low": 0.01, "high": 100, "log": True}}},
    }
)
CLEAN = Evidence(
    metric="roc_auc",
    name="logistic",
    candidate=TUNED,
    score=0.83,
    dummy=0.5,
    fold_scores=(0.82, 0.84, 0.83, 0.81, 0.85),
    fold_errors=(0.02, 0.02, 0.02, 0.02, 0.02),
    params={"C": 0.7},
    tried={"C": (0.02, 70.0)},
    learning_curve=((400, 0.88, 0.79), (1600, 0.85, 0.83)),
    holdout=0.82,
    importances={"age": (0.12, 0.01), "income": (0.09, 0.01), "distance": (0.05, 0.01), "hour": (0.02, 0.01)},
    classes={"no": (1200, 300), "yes": (400, 100)},
    numbers=NUMBERS,
)


def found(**changes: Any) -> list[str]:
    """Return the ids of the findings of a training that is clean but for some changes."""
    return [finding.id for finding in diagnose(replace(CLEAN, **changes))]


def searched(space: dict[str, Any]) -> Candidate:
    """Return a candidate that is tuned over a space."""
    return Candidate.model_validate(
        {"estimator": "sklearn.svm.SVC", "search": {"by": "random", "n": 9, "space": space}}
    )


def in_time(period: float) -> Moments:
    """Return a column of times, of which what is true goes up and down in a period of rows, or not at all."""
    moments = np.random.default_rng(1).permutation(1000).astype(float)
    wave = np.sin(moments / period) if period else np.zeros(1000)
    truth = (wave + np.random.default_rng(2).normal(size=1000) > 0).astype(float)
    return Moments(moments[:800], moments[800:], truth[:800])


SKEWED = {"no": (1500, 380), "yes": (100, 20)}
EQUAL = NUMBERS["age"].copy()
NOISY = NUMBERS["age"] + 0.2 * np.random.default_rng(3).normal(size=400)
PLAIN = Candidate(estimator=BOOSTING)

PLANTED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "train_test_gap",
        {"learning_curve": ((1600, 1.0, 0.70),)},
        {"learning_curve": ((400, 1.0, 0.70), (1600, 0.95, 0.83))},
    ),
    ("folds_disagree", {"fold_scores": (0.70, 0.93, 0.83, 0.72, 0.91)}, {"fold_errors": (0.1,) * 5}),
    ("search_at_edge", {"params": {"C": 70.0}}, {"params": {"C": 60.0}}),
    ("search_at_edge", {"params": {"C": 0.02}}, {"params": {"C": 0.03}}),
    ("search_at_edge", {"params": {"C": 70.0}}, {"params": {"C": 10.0}, "tried": {"C": (0.02, 10.0)}}),
    (
        "search_at_edge",
        {"candidate": searched({"C": [0.1, 1, 10]}), "params": {"C": 10}, "tried": {}},
        {"candidate": searched({"C": [0.1, 1, 10]}), "params": {"C": 1}},
    ),
    (
        "search_at_edge",
        {"candidate": searched({"degree": {"low": 2, "high": 9, "whole": True}}), "params": {"degree": 9}},
        {"candidate": searched({"degree": {"low": 1, "high": 9, "whole": True}}), "params": {"degree": 1}},
    ),
    (
        "search_at_edge",
        {
            "candidate": searched({"tol": {"low": 0.1, "high": 2}}),
            "params": {"tol": 0.11},
            "tried": {"tol": (0.11, 1.9)},
        },
        {"candidate": searched({"tol": {"low": 0, "high": 1}}), "params": {"tol": 1.0}},
    ),
    ("imbalance", {"metric": "accuracy", "classes": SKEWED}, {"metric": "roc_auc", "classes": SKEWED}),
    ("imbalance", {"metric": "accuracy", "classes": SKEWED}, {"metric": "accuracy"}),
    ("rare_classes", {"classes": {"a": (900, 200), "b": (12, 3)}}, {"classes": {"a": (900, 200), "b": (40, 10)}}),
    ("correlated_features", {"numbers": {**NUMBERS, "born": -NOISY}}, {"numbers": {**NUMBERS, "copy": EQUAL}}),
    (
        "golden_feature",
        {"importances": {"refund": (0.30, 0.02), "age": (0.01, 0.01)}},
        {"importances": {"refund": (0.30, 0.02), "age": (0.30, 0.01)}},
    ),
    (
        "golden_feature",
        {"importances": {"refund": (0.30, 0.02), "age": (0.01, 0.01)}},
        {
            "importances": {"refund": (0.30, 0.02), "age": (0.01, 0.01)},
            "told": ("training.query: 'refund' alone tells 'y' (AUC 0.995 by a tree of it on 90 rows); leave it out",),
        },
    ),
    (
        "useless_features",
        {"importances": {**CLEAN.importances, "a": (0.0, 0.001), "b": (-0.001, 0.002)}},
        {"importances": {**CLEAN.importances, "a": (0.004, 0.001), "b": (0.01, 0.02)}},
    ),
    (
        "useless_features",
        {"importances": {"age": (0.12, 0.01), "a": (0.0, 0.001), "b": (0.0, 0.001)}},
        {
            "importances": {"age": (0.12, 0.01), "a": (0.0, 0.001), "b": (0.0, 0.001)},
            "numbers": {"a": NUMBERS["age"], "b": NOISY},
        },
    ),
    ("test_before_train", {"moments": {"paid": in_time(60)}}, {"moments": {"born": in_time(0)}}),
    ("test_before_train", {"moments": {"paid": in_time(60)}}, {"moments": {"paid": in_time(60)}, "by": "time"}),
    ("untuned_winner", {"candidate": PLAIN}, {"candidate": Candidate(estimator=BOOSTING, params={"max_depth": 3})}),
    (
        "untuned_winner",
        {"candidate": PLAIN},
        {"candidate": Candidate(estimator="sklearn.naive_bayes.GaussianNB")},
    ),
    (
        "worse_than_boosting",
        {"rivals": (Rival("boosting", 0.03, (0.01, 0.05)),)},
        {"rivals": (Rival("boosting", 0.03, (-0.01, 0.07)),)},
    ),
]


@pytest.mark.parametrize(("identifier", "planted", "sound"), PLANTED)
def test_a_finding_fires_on_what_is_planted_and_on_nothing_else(
    identifier: str, planted: dict[str, Any], sound: dict[str, Any]
) -> None:
    """What is planted is found; what is nearly the same, and right, is not."""
    assert identifier in found(**planted)
    assert identifier not in found(**sound)


def test_a_clean_training_has_no_finding() -> None:
    """What nothing is planted in is left in peace."""
    assert diagnose(CLEAN) == ()


def test_a_finding_says_what_was_measured_and_what_to_do() -> None:
    """The figures are those of the training, warnings come first, and nothing is claimed without a dummy."""
    planted = replace(CLEAN, learning_curve=((1600, 1.0, 0.70),), params={"C": 99.0})

    first, second = diagnose(planted)

    assert (first.id, first.severity, second.severity) == ("train_test_gap", "warning", "note")
    assert first.measured == (
        "roc_auc 1.0000 on the 1,600 rows learnt from and 0.7000 on others: 60% of the lead over the dummy (0.5000) is lost"
    )
    assert second.measured == "C = 99, the greatest that was tried from 0.01 to 100"
    assert second.cure == "widen the search beyond 100: the best may lie there"
    assert diagnose(replace(planted, dummy=None, params={})) == ()


def test_rank_correlations_are_scipy_s() -> None:
    """Spearman's, of ties too."""
    one = GENERATOR.integers(20, size=300).astype(float)
    other = one + GENERATOR.integers(3, size=300)

    ((_, _, strength),) = correlated_pairs({"one": one, "other": other})

    assert strength == pytest.approx(float(spearmanr(one, other).statistic), abs=1e-12)


def test_neighbours_resemble_by_their_correlation() -> None:
    """Von Neumann's ratio of a walk is near 0, and of independent rows near 2."""
    values = GENERATOR.normal(size=4000)

    assert neighbours_resemble(np.cumsum(values)) > 0.99
    assert abs(neighbours_resemble(values)) < 0.05
    assert neighbours_resemble(np.ones(5)) == 0.0
